"""Recompute the copies that the ledger keeps for lists, and say where they differ (doctor)."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from django.db.models import BigIntegerField, F, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce

from relance.accounts.models import Organisation
from relance.ledger.models import Credit, Customer, Dispute, Hold, Invoice, Payment


class Difference(NamedTuple):
    """A stored copy that is not what its rows give."""

    table: str
    row_id: int
    label: str
    field: str
    stored: Any
    expected: Any


def differences(organisation: Organisation) -> Iterator[Difference]:
    """Every copy of the ledger that is wrong; nothing when all is well."""
    yield from _balances(organisation)
    yield from _credits(organisation)
    yield from _disputes(organisation)
    yield from _holds(organisation)


def _total(rows: Any, key: str) -> Coalesce:
    summed = rows.order_by().values(key).annotate(cents=Sum("amount_cents")).values("cents")
    return Coalesce(Subquery(summed), 0, output_field=BigIntegerField())


def _balances(organisation: Organisation) -> Iterator[Difference]:
    paid = _total(Payment.objects.filter(invoice=OuterRef("pk")), "invoice")
    wrong = (
        Invoice.objects.filter(organisation=organisation)
        .annotate(expected=F("total_cents") - paid)
        .exclude(balance_cents=F("expected"))
    )
    for key, number, stored, expected in wrong.values_list(
        "id", "number", "balance_cents", "expected"
    ).iterator():
        yield Difference("invoice", key, number, "balance_cents", stored, expected)


def _credits(organisation: Organisation) -> Iterator[Difference]:
    applied = _total(Payment.objects.filter(credit=OuterRef("pk")), "credit")
    wrong = (
        Credit.objects.filter(organisation=organisation)
        .annotate(expected=F("total_cents") - F("used_cents") - applied)
        .exclude(left_cents=F("expected"))
    )
    for key, number, stored, expected in wrong.values_list(
        "id", "number", "left_cents", "expected"
    ).iterator():
        yield Difference("credit", key, number, "left_cents", stored, expected)


def _disputes(organisation: Organisation) -> Iterator[Difference]:
    standing = Dispute.objects.filter(organisation=organisation, resolved_on__isnull=True)
    keys = standing.values("invoice_id")
    wrong = Invoice.objects.filter(organisation=organisation).filter(
        Q(disputed=True) & ~Q(pk__in=keys) | Q(disputed=False) & Q(pk__in=keys)
    )
    for key, number, stored in wrong.values_list("id", "number", "disputed").iterator():
        yield Difference("invoice", key, number, "disputed", stored, not stored)


def _holds(organisation: Organisation) -> Iterator[Difference]:
    standing = Hold.objects.filter(organisation=organisation, ended_on__isnull=True)
    of_invoices: dict[tuple[int, str], Any] = {}
    of_customers: dict[int, Any] = {}
    for kind, customer, invoice, until in standing.order_by("made_on", "id").values_list(
        "kind", "customer_id", "invoice_id", "until"
    ):
        if invoice is None:
            of_customers[customer] = until
        else:
            of_invoices[invoice, kind] = until
    held = Q(promise_until__isnull=False) | Q(hold_until__isnull=False)
    known = {key for key, _kind in of_invoices}
    rows = Invoice.objects.filter(held | Q(pk__in=known), organisation=organisation)
    for key, number, promise, hold in rows.values_list(
        "id", "number", "promise_until", "hold_until"
    ).iterator():
        for field, kind, stored in (
            ("promise_until", Hold.Kind.PROMISE, promise),
            ("hold_until", Hold.Kind.HOLD, hold),
        ):
            expected = of_invoices.get((key, kind))
            if stored != expected:
                yield Difference("invoice", key, number, field, stored, expected)
    customers = Customer.objects.filter(
        Q(hold_until__isnull=False) | Q(pk__in=of_customers), organisation=organisation
    )
    for key, name, stored in customers.values_list("id", "name", "hold_until").iterator():
        expected = of_customers.get(key)
        if stored != expected:
            yield Difference("customer", key, name, "hold_until", stored, expected)
