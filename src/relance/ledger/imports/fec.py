"""Open items of a FEC: written for review, never to be chased by themselves (formats D1).

A FEC is closed-year data, so it only adds: what the ledger already knows is left as it is.
Positive items become invoices with an estimated due date, negative ones credits, so that the
customer's balance is the one of the accounts.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from relance.formats.fec_model import FecCustomer, FecItem, FecLedger
from relance.formats.rows import NOBODY, Party
from relance.ledger.imports.book import Book, Chunk, Refusal
from relance.ledger.imports.people import known_invoices
from relance.ledger.models import Credit, Invoice, Payment


class FecRow(NamedTuple):
    """One open item with its customer, or a customer that is refused (`item` None)."""

    line: int
    customer_key: str
    customer_code: str
    customer_name: str
    party: Party
    item: FecItem | None
    customer: FecCustomer


def rows_of(ledger: FecLedger) -> Iterator[FecRow]:
    """The items of customers, and one row per generic account that holds something."""
    for customer in ledger.customers:
        refused = "generic_account" in customer.bars
        items: Sequence[FecItem | None] = customer.items
        if refused:
            items = [None] if customer.balance_cents or customer.items else []
        for item in items:
            line = item.lines[0] if item else customer.items[0].lines[0] if customer.items else 0
            code = customer.key
            key = "c:" + "".join(code.split()).casefold()
            yield FecRow(line, key, code, customer.name, NOBODY, item, customer)


def control(ledger: FecLedger) -> dict[str, Any]:
    """The totals to compare with the accounts, in cents."""
    totals = ledger.totals
    generic = [c.balance_cents for c in ledger.customers if "generic_account" in c.bars]
    return {
        "closing_on": ledger.closing_on.isoformat() if ledger.closing_on else "",
        "lines": totals.lines,
        "customer_lines": totals.customer_lines,
        "balance_cents": totals.balance_cents,
        "open_cents": totals.open_cents,
        "unlettered_cents": totals.unlettered_cents,
        "groups": totals.groups,
        "unbalanced_groups": totals.unbalanced_groups,
        "unbalanced_cents": totals.unbalanced_cents,
        "generic_cents": sum(generic),
        "imported_cents": totals.balance_cents - sum(generic),
    }


class FecWriter:
    """Writes chunks of open items."""

    def __init__(self, book: Book, closing_on: date | None) -> None:
        self.book = book
        self.closing_on = closing_on
        self.fresh: set[str] = set()

    def write(self, rows: Sequence[FecRow], chunk: Chunk) -> None:
        """One chunk, in the caller's transaction."""
        kept = [row for row in rows if row.item is not None]
        people = [row for row in kept if "doubtful_account" not in row.customer.bars]
        doubtful = [row for row in kept if "doubtful_account" in row.customer.bars]
        ids = self.book.ensure(people, chunk, to_review=True)
        self.fresh |= self.book.fresh
        ids |= self.book.ensure(doubtful, chunk, to_review=True, excluded=True)
        self.fresh |= self.book.fresh
        numbers = [row.item.number for row in kept if row.item]
        invoices = known_invoices(self.book, numbers)
        credits_known = {
            credit.number: credit
            for credit in Credit.objects.filter(
                organisation=self.book.organisation, number__in=numbers
            )
        }
        new_invoices, payments, new_credits = [], [], []
        for row in rows:
            known = ids.get(row.customer_key)
            outcome = self._refusal(row, known, invoices, credits_known)
            if outcome is not None:
                chunk.refuse(row.line, outcome)
                continue
            item = row.item
            if item is None or not isinstance(known, int):
                continue
            if item.number in invoices or item.number in credits_known:
                chunk.unchanged += 1
                continue
            chunk.created += 1
            if not item.checked:
                chunk.note(row.line, f"fec_{item.reason}", _why_unsure(item))
            if item.left_cents < 0:
                new_credits.append(self._credit(item, known))
                continue
            invoice = self._invoice(item, known, chase=row.customer_key in self.fresh)
            new_invoices.append(invoice)
            if item.total_cents > item.left_cents:
                payments.append(self._payment(invoice, item))
        for invoice in Invoice.objects.bulk_create(new_invoices):
            chunk.did("invoice", invoice.pk, None, {"balance_cents": invoice.balance_cents})
        Payment.objects.bulk_create(payments)
        for credit in Credit.objects.bulk_create(new_credits):
            chunk.did("credit", credit.pk, None, {"left_cents": credit.left_cents})

    def _refusal(
        self,
        row: FecRow,
        known: int | Refusal | None,
        invoices: dict[str, Invoice],
        credits_known: dict[str, Credit],
    ) -> Refusal | None:
        if row.item is None:
            return Refusal(
                "generic_account",
                _(
                    "Le compte %(code)s (%(name)s) est un compte collectif ou de passage\u00a0: "
                    "personne ne peut être relancé. Associez ses factures à de vrais clients."
                )
                % {"code": row.customer_code, "name": row.customer_name},
            )
        if isinstance(known, Refusal):
            return known
        owner = invoices.get(row.item.number) or credits_known.get(row.item.number)
        if owner is not None and owner.customer_id != known:
            return Refusal(
                "number_other_customer",
                _("Le numéro %(number)s existe déjà pour un autre client. Rien n’est changé.")
                % {"number": row.item.number},
            )
        return None

    def _invoice(self, item: FecItem, customer: int, *, chase: bool) -> Invoice:
        return Invoice(
            organisation=self.book.organisation,
            customer_id=customer,
            number=item.number[:80],
            issued=item.issue_on,
            due=item.due_on,
            due_estimated=True,
            total_cents=item.total_cents,
            balance_cents=item.left_cents,
            # A customer already chased is not under review: his new items wait one by one.
            plan_on=chase and item.checked,
        )

    def _payment(self, invoice: Invoice, item: FecItem) -> Payment:
        return Payment(
            organisation=self.book.organisation,
            invoice=invoice,
            on=self.closing_on or item.issue_on,
            amount_cents=item.total_cents - item.left_cents,
            reference=self.book.imported.filename[:120],
        )

    def _credit(self, item: FecItem, customer: int) -> Credit:
        return Credit(
            organisation=self.book.organisation,
            customer_id=customer,
            number=item.number[:80],
            on=item.issue_on,
            total_cents=-item.left_cents,
            left_cents=-item.left_cents,
        )


def _why_unsure(item: FecItem) -> str:
    if item.reason == "opening_balance":
        return _("Solde d’ouverture sans détail\u00a0: à vérifier avant toute relance.")
    if item.reason == "no_letter":
        return _("Règlement non lettré\u00a0: gardé comme avoir à imputer.")
    return _(
        "Le lettrage %(letter)s n’est pas équilibré\u00a0: le reste est à vérifier "
        "avant toute relance."
    ) % {"letter": item.letter}
