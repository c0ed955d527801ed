"""Figures of a ledger: balances by age, days sales outstanding and its cousins. Amounts in cents, tax included."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from fractions import Fraction
from typing import NamedTuple

BOUNDS = (30, 60, 90)
"""Upper bounds of the buckets of late invoices, in days: 1–30, 31–60, 61–90, over 90."""


class Bucket(NamedTuple):
    """Invoices between two ages: ``low`` and ``high`` in days late, None when open on that side."""

    low: int | None
    high: int | None
    invoices: int
    amount: int


class Ageing(NamedTuple):
    """Buckets from not due to the oldest, and the unapplied credits beside them, never netted into one of them."""

    buckets: tuple[Bucket, ...]
    unapplied: int

    @property
    def balance(self) -> int:
        """The ledger balance: what is owed less the credits not applied."""
        return sum(bucket.amount for bucket in self.buckets) - self.unapplied

    @property
    def overdue(self) -> int:
        """What is past due."""
        return sum(bucket.amount for bucket in self.buckets[1:])


class MonthSales(NamedTuple):
    """Sales of one month and its number of days."""

    amount: int
    days: int


class CountBack(NamedTuple):
    """``days`` of sales that the balance stands for; ``more``: all known sales do not cover it ("more than")."""

    days: Fraction
    more: bool


def bucket_of(days_late: int, bounds: Sequence[int] = BOUNDS) -> int:
    """Rank of the bucket of an invoice: 0 not due (≤ 0 days late), then one per bound, then over the last."""
    if days_late <= 0:
        return 0
    return 1 + sum(days_late > bound for bound in bounds)


def ageing(
    invoices: Iterable[tuple[date, int]], as_of: date, *, unapplied: int = 0, bounds: Sequence[int] = BOUNDS
) -> Ageing:
    """Balances (due date, cents) by days late on a date; the bounds in days, rising."""
    counts = [0] * (len(bounds) + 2)
    amounts = [0] * (len(bounds) + 2)
    for due, balance in invoices:
        rank = bucket_of((as_of - due).days, bounds)
        counts[rank] += 1
        amounts[rank] += balance
    limits = [(None, 0), *((low + 1, high) for low, high in zip((0, *bounds), bounds, strict=False))]
    edges: list[tuple[int | None, int | None]] = [*limits, ((bounds[-1] if bounds else 0) + 1, None)]
    rows = zip(edges, counts, amounts, strict=True)
    return Ageing(tuple(Bucket(low, high, count, amount) for (low, high), count, amount in rows), unapplied)


def dso(receivables: int, sales: int, days: int) -> Fraction | None:
    """Days sales outstanding, simple: receivables / sales × days; None without sales."""
    return Fraction(receivables * days, sales) if sales > 0 else None


def best_possible_dso(not_due: int, sales: int, days: int) -> Fraction | None:
    """The DSO if everybody paid on time: receivables not yet due / sales × days."""
    return dso(not_due, sales, days)


def average_days_delinquent(overdue: int, sales: int, days: int) -> Fraction | None:
    """DSO less best possible DSO: overdue / sales × days."""
    return dso(overdue, sales, days)


def count_back_dso(balance: int, months: Iterable[MonthSales]) -> CountBack:
    """DSO by exhaustion: months from the closing one backwards, each covered whole while the balance lasts."""
    left, days = balance, Fraction(0)
    if left <= 0:
        return CountBack(days, more=False)
    for month in months:
        if left < month.amount:
            return CountBack(days + Fraction(left * month.days, month.amount), more=False)
        left -= month.amount
        days += month.days
        if not left:
            return CountBack(days, more=False)
    return CountBack(days, more=True)


def collection_effectiveness(opening: int, sales: int, closing: int, closing_current: int) -> Fraction | None:
    """CEI in percent over a whole period, with all its sales; ``closing_current`` is what is not past due.

    None when nothing could have been collected.
    """
    collectable = opening + sales - closing_current
    return Fraction(100 * (opening + sales - closing), collectable) if collectable > 0 else None


def days_late(settled: Iterable[tuple[date, date, int]]) -> Mapping[str, Fraction] | None:
    """Mean, median and amount-weighted mean of (payment − due) over settled invoices (due, paid, cents).

    Early payments are negative; None when nothing was settled, no weighted mean when the amounts add up to nothing.
    """
    rows = [((paid - due).days, amount) for due, paid, amount in settled]
    if not rows:
        return None
    delays = sorted(delay for delay, _ in rows)
    middle = len(delays) // 2
    figures = {
        "mean": Fraction(sum(delays), len(delays)),
        "median": Fraction(delays[middle] + delays[-1 - middle], 2),
    }
    weight = sum(amount for _, amount in rows)
    if weight > 0:
        figures["weighted"] = Fraction(sum(delay * amount for delay, amount in rows), weight)
    return figures
