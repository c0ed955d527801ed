"""What a late payer owes besides the principal: interest by semester and the flat fee of 40 €.

Rates are passed in (they live in dated data, never here). Amounts in cents, tax included; interest is exact until
one rounding per invoice, half up. Sources: C. com. L441-10 and D441-5 (business), C. civ. 1231-6 and CMF L313-2
(consumers), Code de la commande publique R2192-31 (public buyers), C. civ. 1343-1, C. com. L622-28.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from fractions import Fraction
from typing import NamedTuple

FEE = 4000
"""Indemnité forfaitaire, in cents of euro, per late invoice (D441-5)."""
YEAR = 365
"""The divisor of the published formula, also in leap years."""
BUSINESS_POINTS, PUBLIC_POINTS, FLOOR_TIMES = 10, 8, 3
ONE_DAY = timedelta(days=1)


class Semester(NamedTuple):
    """``half`` is 1 (from 1 January) or 2 (from 1 July)."""

    year: int
    half: int

    def __str__(self) -> str:
        return f"{self.year} S{self.half}"


class Rates(NamedTuple):
    """Percentages by semester: the ECB's on its first day, the legal rate of "all other cases"."""

    refi: Mapping[Semester, Fraction]
    legal: Mapping[Semester, Fraction]


class Claim(NamedTuple):
    """One invoice: ``total`` in cents; ``payments`` (date the money arrived, cents); ``gestures`` likewise.

    A credit note that corrects an error belongs in ``corrections`` (cents, from the start); a commercial gesture
    counts from its own date. ``contract_rate`` is the yearly percentage of the seller's terms, ``notice_on`` the
    day a consumer received the mise en demeure, ``judgment_on`` that of a collective procedure's opening.
    """

    total: int
    issued: date
    due: date
    regime: str
    payments: Sequence[tuple[date, int]] = ()
    corrections: int = 0
    gestures: Sequence[tuple[date, int]] = ()
    contract_rate: Fraction | None = None
    notice_on: date | None = None
    judgment_on: date | None = None
    interest_first: bool = False
    currency: str = "EUR"


class Piece(NamedTuple):
    """Days ``first`` to ``last``, both included, with one balance (exact cents) and one yearly percentage."""

    first: date
    last: date
    days: int
    balance: Fraction
    rate: Fraction
    interest: Fraction
    floored: bool


class Owed(NamedTuple):
    """``interest`` and ``fee`` in cents; ``principal`` is left of the invoice once payments were put on it.

    ``interest_paid`` is the part of the interest already covered by payments (interest first only). ``why_none``
    names the reason for which nothing but the principal is owed, as a code.
    """

    principal: int
    interest: int
    interest_paid: int
    fee: int
    pieces: tuple[Piece, ...] = ()
    why_none: str = ""

    @property
    def total(self) -> int:
        """Everything that is owed on the day, in cents."""
        return self.principal + self.interest - self.interest_paid + self.fee


class MissingRate(NamedTuple):
    """No rate is known for some of the days: ``kind`` is refi or legal."""

    semester: Semester
    kind: str


def semester_of(day: date) -> Semester:
    """The semester in which ``day`` falls."""
    return Semester(day.year, 1 if day.month <= 6 else 2)


def owed(claim: Claim, on: date, rates: Rates) -> Owed | MissingRate:
    """What is owed on local date ``on``, that day's interest included.

    An unknown regime is charged the principal only (D-26); a semester without a rate refuses to count.
    """
    paid = sum(cents for day, cents in claim.payments if day <= on)
    given = claim.corrections + sum(cents for day, cents in claim.gestures if day <= on)
    simple = max(claim.total - given - paid, 0)
    reason = _no_charge(claim, on)
    if reason:
        return Owed(simple, 0, 0, 0, why_none=reason)
    first, last = _span(claim, on)
    rate = _RateOf(claim, first, rates)
    balance, accrued, covered = Fraction(claim.total - claim.corrections), Fraction(0), Fraction(0)
    pieces: list[Piece] = []
    for start, end, moves in _stretches(claim, first, on):
        for part in _by_semester(max(start, first), min(end, last)) if balance > 0 else ():
            percent = rate(part[0])
            if isinstance(percent, MissingRate):
                return percent
            days = (part[1] - part[0]).days + 1
            interest = balance * percent[0] * days / (100 * YEAR)
            accrued += interest
            pieces.append(Piece(part[0], part[1], days, balance, percent[0], interest, percent[1]))
        for cents, is_payment in moves:
            on_interest = min(accrued - covered, Fraction(cents)) if is_payment and claim.interest_first else 0
            covered += max(on_interest, Fraction(0))
            balance -= cents - max(on_interest, 0)
    interest_cents, covered_cents = half_up(accrued), half_up(covered)
    return Owed(max(half_up(balance), 0), interest_cents, covered_cents, _fee(claim, first, on), tuple(pieces))


def half_up(exact: Fraction) -> int:
    """The nearest whole number of cents, a half going up."""
    return int((2 * exact + 1) // 2)


def _no_charge(claim: Claim, on: date) -> str:
    """The code for which nothing but the principal is asked, or an empty string."""
    if claim.regime not in ("business", "consumer", "public"):
        return "UNKNOWN_REGIME"
    if claim.regime == "consumer" and claim.notice_on is None:
        return "NO_NOTICE"
    if claim.total <= claim.corrections:
        return "CANCELLED_BY_CREDIT"
    first, last = _span(claim, on)
    if last < first:
        frozen = claim.judgment_on is not None and first >= claim.judgment_on and on >= first
        return "JUDGMENT" if frozen else "NOT_LATE"
    return "" if _was_late(claim, first, on) else "PAID_IN_TIME"


def _span(claim: Claim, on: date) -> tuple[date, date]:
    """First and last day that bear interest: after the due date (and a consumer's notice), before a judgment."""
    start = claim.due
    if claim.regime == "consumer" and claim.notice_on is not None:
        start = max(start, claim.notice_on)
    frozen = claim.judgment_on is not None and claim.issued < claim.judgment_on
    last = min(on, claim.judgment_on - ONE_DAY) if frozen and claim.judgment_on else on
    return start + ONE_DAY, last


def _balance_before(claim: Claim, day: date) -> int:
    moves = [*claim.payments, *claim.gestures]
    return claim.total - claim.corrections - sum(cents for when, cents in moves if when < day)


def _was_late(claim: Claim, first: date, on: date) -> bool:
    """Something was owed on a late day: from the first one, or since money came back (a rejected direct debit)."""
    returned = [day + ONE_DAY for day, cents in claim.payments if cents < 0 and first <= day < on]
    return any(_balance_before(claim, day) > 0 for day in (first, *returned))


def _fee(claim: Claim, first: date, on: date) -> int:
    """40 € once per invoice that was not paid in time, whatever was paid before or since; never to a consumer."""
    chargeable = claim.regime in ("business", "public") and claim.currency == "EUR" and on >= first
    return FEE if chargeable and _was_late(claim, first, on) else 0


class _Move(NamedTuple):
    cents: int
    is_payment: bool


def _stretches(claim: Claim, first: date, on: date) -> Iterator[tuple[date, date, list[_Move]]]:
    """(start, end, what changes the balance after ``end``): it falls on the day after the money came."""
    moves: dict[date, list[_Move]] = {}
    for source, is_payment in ((claim.payments, True), (claim.gestures, False)):
        for day, cents in source:
            if day <= on:
                moves.setdefault(day, []).append(_Move(cents, is_payment))
    start = min([first, *moves])
    for day in sorted(moves):
        yield start, day, moves[day]
        start = day + ONE_DAY
    yield start, on, []


def _by_semester(first: date, last: date) -> Iterator[tuple[date, date]]:
    """The days from ``first`` to ``last`` cut at 30 June and 31 December."""
    while first <= last:
        year, half = semester_of(first)
        end = min(last, date(year, 6, 30) if half == 1 else date(year, 12, 31))
        yield first, end
        if end >= last:
            return
        first = end + ONE_DAY


class _RateOf:
    """The yearly percentage of a day, and whether the legal floor replaced the contract's."""

    def __init__(self, claim: Claim, first: date, rates: Rates) -> None:
        self.claim, self.first, self.rates = claim, semester_of(first), rates

    def __call__(self, day: date) -> tuple[Fraction, bool] | MissingRate:
        semester = self.first if self.claim.regime == "public" else semester_of(day)
        if self.claim.regime == "consumer":
            legal = self.rates.legal.get(semester)
            return MissingRate(semester, "legal") if legal is None else (legal, False)
        if self.claim.regime == "business" and self.claim.contract_rate is not None:
            legal = self.rates.legal.get(semester)
            if legal is None:
                return MissingRate(semester, "legal")
            floor = FLOOR_TIMES * legal
            return max(self.claim.contract_rate, floor), self.claim.contract_rate < floor
        refi = self.rates.refi.get(semester)
        if refi is None:
            return MissingRate(semester, "refi")
        return refi + (PUBLIC_POINTS if self.claim.regime == "public" else BUSINESS_POINTS), False


def sum_of(statements: Iterable[Owed]) -> Owed:
    """The statements of several invoices of one customer added up, each already rounded."""
    every = list(statements)
    return Owed(
        sum(one.principal for one in every),
        sum(one.interest for one in every),
        sum(one.interest_paid for one in every),
        sum(one.fee for one in every),
    )
