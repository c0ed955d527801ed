"""Reads of the ledger as it stood on a local date: totals, ageing, what a DSO is made of.

The stored balance is today's; the balance on a date adds back what was paid after it. Every
function takes one or a few set-based statements, the same on SQLite and PostgreSQL, and
answers per ISO currency in integer cents. An invoice is open on `on` when it was issued by
then and its balance is above zero and not under the organisation's tolerance.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Sum
from django.db.models.functions import TruncMonth

from relance.accounts.models import Organisation
from relance.ledger.models import Credit, Customer, Invoice, Payment

BUCKETS = ("not_due", "d1_30", "d31_60", "d61_90", "over_90")
"""Keys of the five ageing buckets, by calendar days late (on − due)."""


@dataclass(frozen=True, slots=True)
class Sums:
    """A number of invoices and what they owe, in cents."""

    count: int = 0
    cents: int = 0


NOTHING = Sums()


@dataclass(frozen=True, slots=True)
class Totals:
    """Open, and among them overdue (due < on), promised (a promise in force) and disputed."""

    open: Sums = NOTHING
    overdue: Sums = NOTHING
    promised: Sums = NOTHING
    disputed: Sums = NOTHING


@dataclass(frozen=True, slots=True)
class Ageing:
    """Open invoices by days late; `overdue_customers` counts those with at least one day."""

    open: Sums = NOTHING
    not_due: Sums = NOTHING
    d1_30: Sums = NOTHING
    d31_60: Sums = NOTHING
    d61_90: Sums = NOTHING
    over_90: Sums = NOTHING
    overdue_customers: int = 0

    @property
    def buckets(self) -> list[tuple[str, Sums]]:
        """(key of `BUCKETS`, sums), from not due to the oldest."""
        return [(key, getattr(self, key)) for key in BUCKETS]

    @property
    def overdue(self) -> Sums:
        """The four late buckets together."""
        return Sums(self.open.count - self.not_due.count, self.open.cents - self.not_due.cents)


class Month(NamedTuple):
    """What a DSO is computed from: `end` is the last day looked at, amounts in cents.

    DSO in days = receivable_cents / invoiced_cents x days of the period, as the reader chooses.
    """

    end: date
    invoiced_cents: int
    paid_cents: int
    receivable_cents: int


# Invoices that were paid after the date are looked up by their payments; the others are read
# from the partial index of open invoices, so that today's question does not read the past.
_OPEN = """
WITH later AS (
  SELECT p.invoice_id, SUM(p.amount_cents) AS cents
  FROM ledger_payment p
  WHERE p.organisation_id = %(organisation)s AND p."on" > %(on)s
  GROUP BY p.invoice_id
), standing AS (
  SELECT i.id, i.currency, i.customer_id, i.due, i.balance_cents AS cents
  FROM ledger_invoice i
  WHERE i.organisation_id = %(organisation)s AND i.issued <= %(on)s AND i.balance_cents > 0
    {one_customer}
    AND NOT EXISTS (SELECT 1 FROM later l WHERE l.invoice_id = i.id)
  UNION ALL
  SELECT i.id, i.currency, i.customer_id, i.due, CAST(i.balance_cents + l.cents AS BIGINT)
  FROM later l JOIN ledger_invoice i ON i.id = l.invoice_id
  WHERE i.issued <= %(on)s {one_customer}
), open_invoice AS (
  SELECT * FROM standing WHERE cents > 0 AND cents >= %(tolerance)s
)
"""

_AGEING = """
SELECT currency, COUNT(*), SUM(cents),
  COUNT(CASE WHEN due >= %(on)s THEN 1 END),
  SUM(CASE WHEN due >= %(on)s THEN cents ELSE 0 END),
  COUNT(CASE WHEN due < %(on)s AND due >= %(d30)s THEN 1 END),
  SUM(CASE WHEN due < %(on)s AND due >= %(d30)s THEN cents ELSE 0 END),
  COUNT(CASE WHEN due < %(d30)s AND due >= %(d60)s THEN 1 END),
  SUM(CASE WHEN due < %(d30)s AND due >= %(d60)s THEN cents ELSE 0 END),
  COUNT(CASE WHEN due < %(d60)s AND due >= %(d90)s THEN 1 END),
  SUM(CASE WHEN due < %(d60)s AND due >= %(d90)s THEN cents ELSE 0 END),
  COUNT(CASE WHEN due < %(d90)s THEN 1 END),
  SUM(CASE WHEN due < %(d90)s THEN cents ELSE 0 END),
  COUNT(DISTINCT CASE WHEN due < %(on)s THEN customer_id END)
FROM open_invoice GROUP BY currency ORDER BY currency
"""

_TOTALS = """
, promised AS (
  SELECT DISTINCT h.invoice_id FROM ledger_hold h
  WHERE h.organisation_id = %(organisation)s AND h.kind = 'promise' AND h.invoice_id IS NOT NULL
    AND h.made_on <= %(on)s AND h.until >= %(on)s
    AND (h.ended_on IS NULL OR h.ended_on > %(on)s)
), disputed AS (
  SELECT DISTINCT d.invoice_id FROM ledger_dispute d
  WHERE d.organisation_id = %(organisation)s
    AND d.opened_on <= %(on)s AND (d.resolved_on IS NULL OR d.resolved_on > %(on)s)
)
SELECT o.currency, COUNT(*), SUM(o.cents),
  COUNT(CASE WHEN o.due < %(on)s THEN 1 END),
  SUM(CASE WHEN o.due < %(on)s THEN o.cents ELSE 0 END),
  COUNT(p.invoice_id), SUM(CASE WHEN p.invoice_id IS NOT NULL THEN o.cents ELSE 0 END),
  COUNT(d.invoice_id), SUM(CASE WHEN d.invoice_id IS NOT NULL THEN o.cents ELSE 0 END)
FROM open_invoice o
LEFT JOIN promised p ON p.invoice_id = o.id
LEFT JOIN disputed d ON d.invoice_id = o.id
GROUP BY o.currency ORDER BY o.currency
"""


def totals(
    organisation: Organisation, on: date, *, customer: Customer | None = None
) -> dict[str, Totals]:
    """Open, overdue, promised and disputed on `on` by currency; empty when nothing is open."""
    found = {}
    for currency, *numbers in _rows(_TOTALS, organisation, on, customer):
        found[currency] = Totals(*_pairs(numbers))
    return found


def ageing(
    organisation: Organisation, on: date, *, customer: Customer | None = None
) -> dict[str, Ageing]:
    """Open invoices on `on` by days late (by due date, formats D2), by currency."""
    found = {}
    for currency, *numbers in _rows(_AGEING, organisation, on, customer):
        whole, *buckets = _pairs(numbers[:-1])
        current, d30, d60, d90, older = buckets
        found[currency] = Ageing(whole, current, d30, d60, d90, older, int(numbers[-1]))
    return found


def balances(
    organisation: Organisation, on: date, *, customer: Customer | None = None
) -> dict[int, int]:
    """Cents owed on `on` by each open invoice (id to cents). For pages of one customer."""
    rows = _rows("SELECT id, cents FROM open_invoice", organisation, on, customer)
    return {int(key): int(cents) for key, cents in rows}


def unapplied_credits(
    organisation: Organisation, on: date, *, customer: Customer | None = None
) -> dict[str, int]:
    """Cents of credits dated by `on` and not applied by then, by currency (S3-06)."""
    given = Credit.objects.filter(organisation=organisation, on__lte=on)
    applied = Payment.objects.filter(organisation=organisation, on__gt=on, credit__on__lte=on)
    if customer is not None:
        given = given.filter(customer=customer)
        applied = applied.filter(credit__customer=customer)
    found: dict[str, int] = {}
    left = given.exclude(left_cents=0).values_list("currency").annotate(Sum("left_cents"))
    later = applied.values_list("credit__currency").annotate(Sum("amount_cents"))
    for rows in (left, later):
        for currency, cents in rows:
            found[currency] = found.get(currency, 0) + int(cents)
    return {currency: cents for currency, cents in sorted(found.items()) if cents}


def months(
    organisation: Organisation,
    on: date,
    *,
    count: int = 13,
    currency: str = "EUR",
    customer: Customer | None = None,
) -> list[Month]:
    """The last `count` calendar months, oldest first, the last one ending on `on`.

    What was receivable at the end of a month is rolled back from `on`: less what was invoiced
    since, plus what was paid since. Money received beyond a balance counts as paid.
    """
    starts = _month_starts(on, count)
    invoices = Invoice.objects.filter(
        organisation=organisation, currency=currency, issued__gte=starts[0], issued__lte=on
    )
    payments = Payment.objects.filter(
        organisation=organisation,
        invoice__currency=currency,
        on__gte=starts[0],
        on__lte=on,
    )
    if customer is not None:
        invoices = invoices.filter(customer=customer)
        payments = payments.filter(invoice__customer=customer)
    invoiced = dict(
        invoices.values_list(TruncMonth("issued")).annotate(cents=Sum("total_cents")).order_by()
    )
    paid = dict(
        payments.values_list(TruncMonth("on")).annotate(cents=Sum("amount_cents")).order_by()
    )
    receivable = ageing(organisation, on, customer=customer).get(currency, Ageing()).open.cents
    found = []
    end = on
    for start in reversed(starts):
        billed, received = int(invoiced.get(start, 0)), int(paid.get(start, 0))
        found.append(Month(end, billed, received, receivable))
        receivable += received - billed
        end = start - timedelta(days=1)
    return found[::-1]


def _month_starts(on: date, count: int) -> list[date]:
    first = on.year * 12 + on.month - 1
    return [date(m // 12, m % 12 + 1, 1) for m in range(first - count + 1, first + 1)]


def _pairs(numbers: Sequence[Any]) -> list[Sums]:
    return [
        Sums(int(count), int(cents))
        for count, cents in zip(numbers[::2], numbers[1::2], strict=True)
    ]


def _rows(
    select: str, organisation: Organisation, on: date, customer: Customer | None
) -> list[tuple[Any, ...]]:
    day = connection.ops.adapt_datefield_value
    parameters: dict[str, Any] = {
        "organisation": organisation.pk,
        "on": day(on),
        "d30": day(on - timedelta(days=30)),
        "d60": day(on - timedelta(days=60)),
        "d90": day(on - timedelta(days=90)),
        "tolerance": organisation.tolerance_cents,
    }
    one_customer = ""
    if customer is not None:
        one_customer = "AND i.customer_id = %(customer)s"
        parameters["customer"] = customer.pk
    with connection.cursor() as cursor:
        cursor.execute(_OPEN.format(one_customer=one_customer) + select, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows
