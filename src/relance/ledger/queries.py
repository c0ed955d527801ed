"""Reads of the ledger as it stood on a local date: totals, ageing, what a DSO is made of.

The stored balance is today's; the balance on a date adds back what was paid after it. Every
function takes one or a few set-based statements, the same on SQLite and PostgreSQL, and
answers per ISO currency in integer cents. An invoice is open on `on` when it was issued by
then and its balance is above zero and not under the organisation's tolerance.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Count, Sum

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


# Today's question reads one covering index in its order; only when something was paid after
# the date are those invoices looked up by their payments.
_OPEN_NOW = """
WITH open_invoice AS (
  SELECT i.id, i.currency, i.customer_id, i.due, i.balance_cents AS cents
  FROM ledger_invoice i
  WHERE i.organisation_id = %(organisation)s AND i.issued <= %(on)s AND i.balance_cents > 0
    AND i.balance_cents >= %(tolerance)s {one_customer}
)
"""

_OPEN_THEN = """
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

_BY_DUE = """
SELECT currency, due, COUNT(*), SUM(cents) FROM open_invoice GROUP BY currency, due
"""

_LATE_CUSTOMERS = """
SELECT currency, COUNT(DISTINCT customer_id) FROM open_invoice WHERE due < %(on)s GROUP BY currency
"""

_PROMISED = """
SELECT currency, COUNT(*), SUM(cents) FROM open_invoice WHERE id IN (
  SELECT h.invoice_id FROM ledger_hold h
  WHERE h.organisation_id = %(organisation)s AND h.kind = 'promise' AND h.invoice_id IS NOT NULL
    AND h.made_on <= %(on)s AND h.until >= %(on)s
    AND (h.ended_on IS NULL OR h.ended_on > %(on)s)
) GROUP BY currency
"""

_DISPUTED = """
SELECT currency, COUNT(*), SUM(cents) FROM open_invoice WHERE id IN (
  SELECT d.invoice_id FROM ledger_dispute d
  WHERE d.organisation_id = %(organisation)s
    AND d.opened_on <= %(on)s AND (d.resolved_on IS NULL OR d.resolved_on > %(on)s)
) GROUP BY currency
"""


def totals(
    organisation: Organisation, on: date, *, customer: Customer | None = None
) -> dict[str, Totals]:
    """Open, overdue, promised and disputed on `on` by currency; empty when nothing is open."""
    asked = _Asked(organisation, on, customer)
    by_due = asked.by_due()
    promised, disputed = asked.sums(_PROMISED), asked.sums(_DISPUTED)
    return {
        currency: Totals(
            open=_sum(dues),
            overdue=_sum([one for one in dues if one.due < on]),
            promised=promised.get(currency, NOTHING),
            disputed=disputed.get(currency, NOTHING),
        )
        for currency, dues in by_due.items()
    }


def ageing(
    organisation: Organisation, on: date, *, customer: Customer | None = None
) -> dict[str, Ageing]:
    """Open invoices on `on` by days late (by due date, formats D2), by currency."""
    asked = _Asked(organisation, on, customer)
    late = {currency: int(count) for currency, count in asked.rows(_LATE_CUSTOMERS)}
    found = {}
    for currency, dues in asked.by_due().items():
        buckets: dict[str, list[_Due]] = {key: [] for key in BUCKETS}
        for one in dues:
            buckets[_bucket((on - one.due).days)].append(one)
        current, d30, d60, d90, older = (_sum(buckets[key]) for key in BUCKETS)
        found[currency] = Ageing(
            _sum(dues), current, d30, d60, d90, older, overdue_customers=late.get(currency, 0)
        )
    return found


def open_by_due(
    organisation: Organisation, on: date, *, dues: Iterable[date] | None = None
) -> dict[str, dict[date, Sums]]:
    """What is open on `on` by currency and due date; with `dues`, of these days only.

    A few days are read in a few milliseconds, all of them in one walk over an index.
    """
    if dues is None:
        return {
            code: {one.due: Sums(one.number, one.cents) for one in found}
            for code, found in _Asked(organisation, on, None).by_due().items()
        }
    rows = (
        Invoice.objects.filter(
            organisation=organisation,
            due__in=list(dues),
            issued__lte=on,
            balance_cents__gt=0,
            balance_cents__gte=organisation.tolerance_cents,
        )
        .order_by()
        .values_list("currency", "due")
        .annotate(number=Count("pk"), cents=Sum("balance_cents"))
    )
    found: dict[str, dict[date, Sums]] = {}
    for code, due, number, cents in rows:
        found.setdefault(code, {})[due] = Sums(number, int(cents))
    return found


def set_apart(organisation: Organisation, on: date) -> dict[str, tuple[Sums, Sums]]:
    """What is promised and what is disputed today, by currency, from the copies on the invoices."""
    invoices = Invoice.objects.filter(
        organisation=organisation,
        issued__lte=on,
        balance_cents__gt=0,
        balance_cents__gte=organisation.tolerance_cents,
    ).order_by()
    found: dict[str, tuple[Sums, Sums]] = {}
    for place, rows in enumerate(
        (
            invoices.filter(promise_until__isnull=False, promise_until__gte=on),
            invoices.filter(disputed=True),
        )
    ):
        sums = rows.values_list("currency").annotate(Count("pk"), Sum("balance_cents"))
        for code, number, cents in sums:
            both = list(found.get(code, (NOTHING, NOTHING)))
            both[place] = Sums(number, int(cents))
            found[code] = (both[0], both[1])
    return found


def summed(by_due: dict[date, Sums], apart: tuple[Sums, Sums], on: date) -> tuple[Totals, Ageing]:
    """Totals and ageing (without the number of late customers) of what is open by due date."""
    dues = [_Due(due, sums.count, sums.cents) for due, sums in by_due.items()]
    buckets: dict[str, list[_Due]] = {key: [] for key in BUCKETS}
    for one in dues:
        buckets[_bucket((on - one.due).days)].append(one)
    current, d30, d60, d90, older = (_sum(buckets[key]) for key in BUCKETS)
    late = _sum(one for one in dues if one.due < on)
    whole = _sum(dues)
    return Totals(whole, late, *apart), Ageing(whole, current, d30, d60, d90, older)


def balances(
    organisation: Organisation, on: date, *, customer: Customer | None = None
) -> dict[int, int]:
    """Cents owed on `on` by each open invoice (id to cents). For pages of one customer."""
    rows = _Asked(organisation, on, customer).rows("SELECT id, cents FROM open_invoice")
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
    invoiced = _by_month(invoices.order_by().values_list("issued").annotate(Sum("total_cents")))
    paid = _by_month(payments.order_by().values_list("on").annotate(Sum("amount_cents")))
    open_now = _Asked(organisation, on, customer).by_due().get(currency, [])
    receivable = _sum(open_now).cents
    found = []
    end = on
    for start in reversed(starts):
        billed, received = invoiced.get(start, 0), paid.get(start, 0)
        found.append(Month(end, billed, received, receivable))
        receivable += received - billed
        end = start - timedelta(days=1)
    return found[::-1]


def _by_month(days: Iterable[tuple[date, int]]) -> dict[date, int]:
    """Sums per day put together per month; a date function per row would cost far more."""
    found: dict[date, int] = {}
    for day, cents in days:
        start = day.replace(day=1)
        found[start] = found.get(start, 0) + int(cents)
    return found


def _month_starts(on: date, count: int) -> list[date]:
    first = on.year * 12 + on.month - 1
    return [date(m // 12, m % 12 + 1, 1) for m in range(first - count + 1, first + 1)]


class _Due(NamedTuple):
    """The open invoices of one due date."""

    due: date
    number: int
    cents: int


def _sum(dues: Iterable[_Due]) -> Sums:
    count = cents = 0
    for one in dues:
        count += one.number
        cents += one.cents
    return Sums(count, cents)


def _bucket(days_late: int) -> str:
    for key, most in zip(BUCKETS, (0, 30, 60, 90), strict=False):
        if days_late <= most:
            return key
    return BUCKETS[-1]


class _Asked:
    """One question about the invoices open on a date."""

    def __init__(self, organisation: Organisation, on: date, customer: Customer | None) -> None:
        day = connection.ops.adapt_datefield_value
        self.parameters: dict[str, Any] = {
            "organisation": organisation.pk,
            "on": day(on),
            "tolerance": organisation.tolerance_cents,
        }
        later = Payment.objects.filter(organisation=organisation, on__gt=on)
        only = ""
        if customer is not None:
            only = "AND i.customer_id = %(customer)s"
            self.parameters["customer"] = customer.pk
            later = later.filter(invoice__customer=customer)
        self.open = (_OPEN_THEN if later.exists() else _OPEN_NOW).format(one_customer=only)

    def rows(self, select: str) -> list[tuple[Any, ...]]:
        """The rows of a statement over `open_invoice`."""
        with connection.cursor() as cursor:
            cursor.execute(self.open + select, self.parameters)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows

    def sums(self, select: str) -> dict[str, Sums]:
        """Sums by currency."""
        return {code: Sums(int(count), int(cents)) for code, count, cents in self.rows(select)}

    def by_due(self) -> dict[str, list[_Due]]:
        """What is open by currency, one entry per due date."""
        found: dict[str, list[_Due]] = {}
        for currency, due, count, cents in self.rows(_BY_DUE):
            day = date.fromisoformat(due) if isinstance(due, str) else due
            found.setdefault(currency, []).append(_Due(day, int(count), int(cents)))
        return dict(sorted(found.items()))
