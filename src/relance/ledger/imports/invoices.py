"""Invoices, payments and credits out of rows of invoices.

The file is the truth about its own invoices and says nothing of those it leaves out. What it
says was paid becomes a payment of the difference; what it says is owed again cancels one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.utils.translation import gettext as _

from relance.formats.invoices import InvoiceRow
from relance.ledger.imports.book import Book, Chunk, Refusal, plain, update_many
from relance.ledger.imports.people import fill_customers, known_invoices, sites_of
from relance.ledger.models import Credit, Invoice, Payment

_WRITTEN = (
    "issued",
    "due",
    "due_estimated",
    "total_cents",
    "balance_cents",
    "currency",
    "mode",
    "site",
)


@dataclass
class _Batch:
    """What one chunk of rows writes."""

    invoices: list[Invoice] = field(default_factory=list)
    changed: list[Invoice] = field(default_factory=list)
    first_payments: list[Payment] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)
    credits: list[Credit] = field(default_factory=list)
    changed_credits: list[Credit] = field(default_factory=list)


class InvoiceWriter:
    """Writes chunks of rows; `settles` says whether the file tells what was paid."""

    def __init__(self, book: Book, columns: dict[str, int]) -> None:
        self.book = book
        self.settles = "left" in columns or "paid" in columns

    def write(self, rows: Sequence[InvoiceRow], chunk: Chunk) -> None:
        """One chunk, in the caller's transaction: a fixed number of statements."""
        ids = self.book.ensure(rows, chunk)
        fill_customers(self.book, rows, ids, chunk)
        self.sites = sites_of(self.book, rows, ids, chunk)
        self.invoices = known_invoices(self.book, [row.number for row in rows])
        numbers = [row.number for row in rows] + [excess_number(row.number) for row in rows]
        self.credits = {
            credit.number: credit
            for credit in Credit.objects.select_for_update().filter(
                organisation=self.book.organisation, number__in=numbers
            )
        }
        self.batch = _Batch()
        for row in rows:
            known = ids[row.customer_key]
            outcome = known if isinstance(known, Refusal) else self._row(row, known, chunk)
            if isinstance(outcome, Refusal):
                chunk.refuse(row.line, outcome)
                continue
            setattr(chunk, outcome, getattr(chunk, outcome) + 1)
            for remark in row.remarks:
                chunk.remark(remark)
        self._store(chunk)

    def _row(self, row: InvoiceRow, customer: int, chunk: Chunk) -> str | Refusal:
        invoice, credit = self.invoices.get(row.number), self.credits.get(row.number)
        owner = invoice or credit
        if owner is not None and owner.customer_id != customer:
            return Refusal(
                "number_other_customer",
                _("Le numéro %(number)s existe déjà pour un autre client. Rien n’est changé.")
                % {"number": row.number},
            )
        if row.kind == "credit_note":
            if invoice is not None:
                return _other_kind(row.number, _("une facture"))
            return self._credit(row, customer, chunk)
        if credit is not None:
            return _other_kind(row.number, _("un avoir"))
        outcome = (
            self._create(row, customer) if invoice is None else self._update(row, invoice, chunk)
        )
        excess = self._excess(row, customer, chunk)
        return "updated" if outcome == "unchanged" and excess != "unchanged" else outcome

    def _create(self, row: InvoiceRow, customer: int) -> str:
        paid = min(row.paid_cents, row.total_cents)
        invoice = Invoice(
            organisation=self.book.organisation,
            customer_id=customer,
            site_id=self.sites.get((customer, row.party.site[:120])),
            number=row.number,
            issued=row.issue_on,
            due=row.due_on,
            due_estimated=row.due_estimated,
            total_cents=row.total_cents,
            balance_cents=row.total_cents - paid,
            currency=row.currency,
        )
        if row.mode:
            invoice.mode = row.mode
        self.batch.invoices.append(invoice)
        if paid and row.paid_on:
            self.batch.first_payments.append(self._payment(invoice, paid, row.paid_on))
        return "created"

    def _update(self, row: InvoiceRow, invoice: Invoice, chunk: Chunk) -> str:
        targets: dict[str, Any] = {
            "issued": row.issue_on,
            "total_cents": row.total_cents,
            "currency": row.currency,
        }
        if not row.due_estimated:
            targets |= {"due": row.due_on, "due_estimated": False}
        if row.mode:
            targets["mode"] = row.mode
        if row.party.site:
            targets["site_id"] = self.sites[invoice.customer_id, row.party.site[:120]]
        paid_before = invoice.total_cents - invoice.balance_cents
        paid = paid_before
        if self.settles or row.paid_cents:
            paid = min(row.paid_cents, row.total_cents)
        targets["balance_cents"] = row.total_cents - paid
        before = {
            name: plain(getattr(invoice, name))
            for name, value in targets.items()
            if getattr(invoice, name) != value
        }
        if not before:
            return "unchanged"
        for name in before:
            setattr(invoice, name, targets[name])
        after = {name: plain(targets[name]) for name in before}
        chunk.did("invoice", invoice.pk, before, after)
        edited = {name: [before[name], after[name]] for name in before if name != "balance_cents"}
        if edited:
            chunk.fact("invoice_edited", invoice.customer_id, invoice.pk, edited)
        if paid != paid_before:
            self._pay(row, invoice, paid - paid_before, chunk)
        self.batch.changed.append(invoice)
        return "updated"

    def _pay(self, row: InvoiceRow, invoice: Invoice, cents: int, chunk: Chunk) -> None:
        on = chunk.on
        if cents > 0 and row.paid_on and not row.paid_on_assumed:
            on = row.paid_on
        self.batch.payments.append(self._payment(invoice, cents, on))
        kind = "payment_recorded" if cents > 0 else "payment_cancelled"
        data = {
            "amount_cents": cents,
            "currency": invoice.currency,
            "on": on.isoformat(),
            "reference": self.book.imported.filename[:120],
            "balance_cents": invoice.balance_cents,
        }
        chunk.fact(kind, invoice.customer_id, invoice.pk, data)

    def _payment(self, invoice: Invoice, cents: int, on: date) -> Payment:
        return Payment(
            organisation=self.book.organisation,
            invoice=invoice,
            on=on,
            amount_cents=cents,
            reference=self.book.imported.filename[:120],
        )

    def _credit(self, row: InvoiceRow, customer: int, chunk: Chunk) -> str:
        left = row.left_cents if self.settles or row.paid_cents else None
        return self._set_credit(
            row.number, customer, row.issue_on, row.total_cents, left, row.currency, chunk
        )

    def _excess(self, row: InvoiceRow, customer: int, chunk: Chunk) -> str:
        """What was paid beyond the total is kept as a credit of its own."""
        number = excess_number(row.number)
        excess = row.paid_cents - row.total_cents
        known = self.credits.get(number)
        if excess > 0:
            on = row.paid_on or chunk.on
            return self._set_credit(number, customer, on, excess, excess, row.currency, chunk)
        if known is not None and self.settles:
            return self._set_credit(
                number, customer, known.on, known.total_cents, 0, known.currency, chunk
            )
        return "unchanged"

    def _set_credit(
        self,
        number: str,
        customer: int,
        on: date,
        total: int,
        left: int | None,
        currency: str,
        chunk: Chunk,
    ) -> str:
        """`left` None: the file does not say; what was used elsewhere stays as it is known."""
        known = self.credits.get(number)
        if known is None:
            left = total if left is None else left
            made = Credit(
                organisation=self.book.organisation,
                customer_id=customer,
                number=number,
                on=on,
                total_cents=total,
                used_cents=total - left,
                left_cents=left,
                currency=currency,
            )
            self.batch.credits.append(made)
            return "created"
        applied = known.total_cents - known.used_cents - known.left_cents
        used = known.used_cents if left is None else max(0, total - left - applied)
        targets = {
            "on": on,
            "total_cents": total,
            "used_cents": used,
            "left_cents": total - used - applied,
            "currency": currency,
        }
        before = {
            name: plain(getattr(known, name))
            for name, value in targets.items()
            if getattr(known, name) != value
        }
        if not before:
            return "unchanged"
        for name, value in targets.items():
            setattr(known, name, value)
        after = {name: plain(targets[name]) for name in before}
        chunk.did("credit", known.pk, before, after)
        data = {"number": number, **{name: [before[name], after[name]] for name in before}}
        chunk.fact("credit_edited", known.customer_id, None, data)
        self.batch.changed_credits.append(known)
        return "updated"

    def _store(self, chunk: Chunk) -> None:
        batch = self.batch
        for invoice in Invoice.objects.bulk_create(batch.invoices):
            chunk.did("invoice", invoice.pk, None, {"balance_cents": invoice.balance_cents})
        Payment.objects.bulk_create(batch.first_payments)
        update_many(Invoice, _WRITTEN, batch.changed)
        for payment in Payment.objects.bulk_create(batch.payments):
            chunk.did("payment", payment.pk, None, {"amount_cents": payment.amount_cents})
        for credit in Credit.objects.bulk_create(batch.credits):
            chunk.did("credit", credit.pk, None, {"left_cents": credit.left_cents})
        names = ("on", "total_cents", "used_cents", "left_cents", "currency")
        update_many(Credit, names, batch.changed_credits)


def excess_number(number: str) -> str:
    """The number of the credit that keeps what was paid beyond an invoice's total."""
    return f"TP-{number}"[:80]


def _other_kind(number: str, what: str) -> Refusal:
    return Refusal(
        "number_other_kind",
        _("Le numéro %(number)s est déjà celui d’%(what)s. Rien n’est changé.")
        % {"number": number, "what": what},
    )
