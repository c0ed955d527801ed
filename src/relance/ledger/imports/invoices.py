"""Invoices, payments and credits out of rows of invoices.

The file is the truth about its own invoices and says nothing of those it leaves out. What it
says was paid becomes a payment of the difference; what it says is owed again cancels one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.db.models import Sum
from django.utils.translation import gettext as _

from relance.accounts.bulk import insert_many, reserve_ids, update_many
from relance.formats.invoices import InvoiceRow
from relance.ledger.imports.book import Book, Chunk, Refusal, plain
from relance.ledger.imports.people import fill_customers, known_invoices, sites_of
from relance.ledger.models import Credit, Invoice, Payment, PaymentMode

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


_INVOICE = (
    "organisation",
    "customer",
    "site",
    "number",
    "issued",
    "due",
    "due_estimated",
    "total_cents",
    "balance_cents",
    "currency",
    "mode",
    "plan_on",
    "disputed",
    "document",
    "id",
)
_PAYMENT = ("organisation", "reference", "invoice", "on", "amount_cents", "id")


@dataclass
class _Batch:
    """What one chunk of rows writes: new invoices as values in the order of `_INVOICE` without
    the id, with what was paid of them and when; payments as (invoice id, day, cents)."""

    invoices: list[tuple[Any, ...]] = field(default_factory=list)
    paid: list[tuple[int, date | None]] = field(default_factory=list)
    changed: list[Invoice] = field(default_factory=list)
    payments: list[tuple[int, date, int]] = field(default_factory=list)
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
        # what was applied here, and the accounting tool may not know of: a floor of what is paid
        self.applied = dict(
            Payment.objects.filter(invoice__in=self.invoices.values(), credit__isnull=False)
            .values_list("invoice_id")
            .annotate(Sum("amount_cents"))
        )
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
        self.batch.invoices.append(
            (
                self.book.organisation.pk,
                customer,
                self.sites.get((customer, row.party.site[:120])) if self.sites else None,
                row.number,
                row.issue_on,
                row.due_on,
                row.due_estimated,
                row.total_cents,
                row.total_cents - paid,
                row.currency,
                row.mode or PaymentMode.TRANSFER.value,
                True,
                False,
                "",
            )
        )
        self.batch.paid.append((paid, row.paid_on))
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
            paid = min(max(row.paid_cents, self.applied.get(invoice.pk, 0)), row.total_cents)
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
        self.batch.payments.append((invoice.pk, on, cents))
        kind = "payment_recorded" if cents > 0 else "payment_cancelled"
        data = {
            "amount_cents": cents,
            "currency": invoice.currency,
            "on": on.isoformat(),
            "reference": self.book.imported.filename[:120],
            "balance_cents": invoice.balance_cents,
        }
        chunk.fact(kind, invoice.customer_id, invoice.pk, data)

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
        keys = reserve_ids(Invoice, len(batch.invoices))
        rows = [(*values, key) for values, key in zip(batch.invoices, keys, strict=True)]
        insert_many(Invoice, _INVOICE, rows)
        for values, key in zip(batch.invoices, keys, strict=True):
            chunk.did("invoice", key, None, {"balance_cents": values[8]})
        update_many(Invoice, _WRITTEN, batch.changed)
        first = [
            (key, on, cents)
            for key, (cents, on) in zip(keys, batch.paid, strict=True)
            if cents and on
        ]
        payments = [*first, *batch.payments]
        ids = reserve_ids(Payment, len(payments))
        fixed = (self.book.organisation.pk, self.book.imported.filename[:120])
        insert_many(
            Payment,
            _PAYMENT,
            [(*fixed, *payment, key) for payment, key in zip(payments, ids, strict=True)],
        )
        # Payments of new invoices go with them when the import is undone.
        for key, payment in zip(ids[len(first) :], batch.payments, strict=True):
            chunk.did("payment", key, None, {"amount_cents": payment[2]})
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
