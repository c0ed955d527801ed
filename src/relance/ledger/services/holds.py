"""What keeps an invoice or a customer from being chased: disputes, promises, holds, the switch.

`Invoice.disputed`, `promise_until`, `hold_until` and `Customer.hold_until` are copies of the
rows in force, so that lists need no join; the rows themselves answer for any date.
"""

from datetime import date, datetime
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from relance.accounts.models import Organisation, User
from relance.history.services import Fact, append
from relance.ledger.models import Customer, Dispute, Hold, Invoice
from relance.ledger.services.errors import DisputeError, HoldError


@transaction.atomic
def open_dispute(
    *,
    invoice: Invoice,
    on: date,
    now: datetime,
    actor: User | None = None,
    category: str = "",
    note: str = "",
) -> Dispute:
    """Stop chasing an invoice until the dispute is resolved. Raises DisputeError when one is
    open already."""
    if invoice.disputes.select_for_update().filter(resolved_on__isnull=True).exists():
        raise DisputeError(_("Un litige est déjà ouvert sur cette facture."))
    dispute = Dispute.objects.create(
        organisation=invoice.organisation,
        invoice=invoice,
        opened_on=on,
        category=category.strip()[:60],
        note=note.strip(),
        opened_by=actor,
    )
    held = _held(invoice, None)
    held.copy(disputed=True)
    data = {"category": dispute.category, "note": dispute.note}
    _remember("dispute_opened", on, now, actor, data, held)
    return dispute


@transaction.atomic
def resolve_dispute(
    *, invoice: Invoice, on: date, now: datetime, actor: User | None = None, note: str = ""
) -> Dispute:
    """End the open dispute: the invoice may be chased again from `on`. Raises DisputeError
    when there is none."""
    dispute = invoice.disputes.select_for_update().filter(resolved_on__isnull=True).first()
    if dispute is None:
        raise DisputeError(_("Aucun litige n’est ouvert sur cette facture."))
    dispute.resolved_on = max(on, dispute.opened_on)
    dispute.save(update_fields=["resolved_on"])
    held = _held(invoice, None)
    held.copy(disputed=False)
    data = {"opened_on": dispute.opened_on.isoformat(), "note": note.strip()}
    _remember("dispute_resolved", on, now, actor, data, held)
    return dispute


@transaction.atomic
def promise(
    *,
    invoice: Invoice,
    until: date,
    on: date,
    now: datetime,
    actor: User | None = None,
    amount_cents: int | None = None,
    note: str = "",
) -> Hold:
    """A promise to pay by `until` (inclusive); it replaces the promise made before, if any."""
    held = _held(invoice, None)
    return _set(Hold.Kind.PROMISE, held, until, on, now, actor, amount_cents, note)


@transaction.atomic
def hold(
    *,
    until: date,
    on: date,
    now: datetime,
    invoice: Invoice | None = None,
    customer: Customer | None = None,
    actor: User | None = None,
    note: str = "",
) -> Hold:
    """Wait until `until` (inclusive) for one invoice or, with `customer`, for all of his.

    It replaces the hold set before on the same invoice or customer. Give exactly one of both.
    """
    held = _held(invoice, customer)
    return _set(Hold.Kind.HOLD, held, until, on, now, actor, None, note)


@transaction.atomic
def release(
    *,
    on: date,
    now: datetime,
    invoice: Invoice | None = None,
    customer: Customer | None = None,
    actor: User | None = None,
    kind: Hold.Kind | None = None,
) -> int:
    """End from `on` the hold and the promise of that invoice, or the hold of that customer.

    How many were ended; with `kind`, only the holds or only the promises. Holds of the customer
    do not end with those of his invoices, nor the reverse. Raises HoldError when nothing holds.
    """
    held = _held(invoice, customer)
    standing = [row for row in held.standing if kind in (None, row.kind)]
    if not standing:
        raise HoldError(_("Rien à lever\u00a0: ni attente ni promesse en cours."))
    for row in standing:
        _end(row, on)
    copies: dict[str, None] = {}
    if kind != Hold.Kind.PROMISE:
        copies["hold_until"] = None
    if held.invoice and kind != Hold.Kind.HOLD:
        copies["promise_until"] = None
    held.copy(**copies)
    data = {"ended": [{"kind": row.kind, "until": row.until.isoformat()} for row in standing]}
    _remember("hold_released", on, now, actor, data, held)
    return len(standing)


@transaction.atomic
def switch_plan_for_invoice(
    *, invoice: Invoice, plan_on: bool, on: date, now: datetime, actor: User | None = None
) -> None:
    """The box "Plan de relance activée" of one invoice (S2-12); repeating it changes nothing."""
    changed = Invoice.objects.filter(pk=invoice.pk).exclude(plan_on=plan_on)
    if changed.update(plan_on=plan_on):
        data = {"plan_on": [not plan_on, plan_on]}
        _remember("plan_switched", on, now, actor, data, _held(invoice, None))
    invoice.plan_on = plan_on


class _Held(NamedTuple):
    """What a hold is about: a customer, and one invoice of his or none."""

    organisation: Organisation
    customer_id: int
    invoice: Invoice | None
    customer: Customer | None

    @property
    def standing(self) -> QuerySet[Hold]:
        """Its rows that nobody ended, locked."""
        return Hold.objects.select_for_update().filter(
            customer_id=self.customer_id, invoice=self.invoice, ended_on__isnull=True
        )

    def copy(self, **values: Any) -> None:
        """Write the copies on the invoice or the customer, stored and given."""
        rows: QuerySet[Any] = (
            Invoice.objects.filter(pk=self.invoice.pk)
            if self.invoice
            else Customer.objects.filter(pk=self.customer_id)
        )
        rows.update(**values)
        for name, value in values.items():
            setattr(self.invoice or self.customer, name, value)


def _held(invoice: Invoice | None, customer: Customer | None) -> _Held:
    if invoice is not None and customer is None:
        return _Held(invoice.organisation, invoice.customer_id, invoice, None)
    if customer is not None and invoice is None:
        return _Held(customer.organisation, customer.pk, None, customer)
    raise TypeError("give an invoice or a customer, not both")


def _set(
    kind: Hold.Kind,
    held: _Held,
    until: date,
    on: date,
    now: datetime,
    actor: User | None,
    amount_cents: int | None,
    note: str,
) -> Hold:
    if until < on:
        raise HoldError(_("La date est déjà passée. Choisissez aujourd’hui ou plus tard."), "until")
    if amount_cents is not None and amount_cents <= 0:
        raise HoldError(_("Le montant promis est positif."), "amount_cents")
    replaced = None
    for row in held.standing.filter(kind=kind):
        _end(row, on)
        replaced = row.until.isoformat()
    made = Hold.objects.create(
        organisation=held.organisation,
        kind=kind,
        customer_id=held.customer_id,
        invoice=held.invoice,
        made_on=on,
        until=until,
        amount_cents=amount_cents,
        note=note.strip(),
        made_by=actor,
    )
    data: dict[str, Any] = {"until": [replaced, until.isoformat()], "note": made.note}
    if amount_cents is not None:
        data["amount_cents"] = amount_cents
    if kind == Hold.Kind.PROMISE:
        held.copy(promise_until=until)
        _remember("promise_made", on, now, actor, data, held)
    else:
        held.copy(hold_until=until)
        _remember("hold_set", on, now, actor, data, held)
    return made


def _end(row: Hold, on: date) -> None:
    row.ended_on = max(on, row.made_on)
    row.save(update_fields=["ended_on"])


def _remember(
    kind: str, on: date, now: datetime, actor: User | None, data: dict[str, Any], held: _Held
) -> None:
    invoice_id = held.invoice.pk if held.invoice else None
    fact = Fact(kind, now, on, held.customer_id, invoice_id, data=data, actor=actor)
    append(held.organisation, [fact])
