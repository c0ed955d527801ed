"""Legal amounts as pages show them: the rates that are known, a customer's statement by pieces."""

from datetime import date
from fractions import Fraction
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from relance.accounts.access import Access
from relance.dunning.facts import legal
from relance.dunning.facts.rates import published, sources
from relance.dunning.wording import legal_words as words
from relance.engine.late_fees import (
    BUSINESS_POINTS,
    FLOOR_TIMES,
    MissingRate,
    Owed,
    Semester,
    half_up,
    semester_of,
)
from relance.ledger.models import Customer, Regime
from relance.outbox.models import Message
from relance.web import french

SHOWN = 6
"""Semesters of the table of rates: three years."""


class RateRow(NamedTuple):
    """A semester and its percentages in words; an empty one is not known."""

    semester: str
    refi: str
    default: str
    legal: str
    floor: str
    current: bool


class Piece(NamedTuple):
    """Days of one balance at one rate; `cents` is rounded for showing, the sum is not."""

    period: str
    days: int
    balance: int
    rate: str
    floored: bool
    cents: int


class Line(NamedTuple):
    """One invoice: what is left, what came on top, and from which days."""

    line: legal.Line
    owed: Owed | None
    missing: str
    why: str
    pieces: list[Piece]
    since: date | None


class Total(NamedTuple):
    """The lines of a currency added up; `missing` says why they cannot be."""

    currency: str
    owed: Owed | None
    missing: str
    unapplied: int
    all: int


class Shown(NamedTuple):
    """A statement for a page; `why` is one sentence when nothing but the principal is asked."""

    statement: legal.Statement
    lines: list[Line]
    totals: list[Total]
    why: str
    missing: str
    rate: str
    since: date | None
    basis: list[str]
    imputation: str
    floored: bool
    regime: str


def shown(access: Access, customer: Customer, *, on: date, paid_late: bool = False) -> Shown:
    """The statement of a customer on local date `on`, in four queries or five."""
    found = legal.statement(access.organisation, customer.pk, on=on, paid_late=paid_late)
    lines = [_line(one, on) for one in found.lines]
    starts = [one.since for one in lines if one.since is not None]
    rate = legal.rate_today(access.organisation, found.regime, on)
    return Shown(
        found,
        lines,
        [_total(found, currency) for currency in found.currencies],
        words.why_none_words(found.why_none) if found.why_none else "",
        words.missing_words(found.missing) if found.missing else "",
        words.rate_words(rate) if isinstance(rate, Fraction) else "",
        min(starts, default=None),
        words.basis_words(found),
        words.imputation_words(found),
        any(one.floored for one in found.lines),
        str(Regime(found.regime).label),
    )


class Row(NamedTuple):
    """One late customer of the list, in his first currency; `why` replaces the amounts."""

    customer: Customer
    regime: str
    currency: str
    owed: Owed | None
    why: str
    since: date


def row(customer: Customer, found: legal.Statement) -> Row:
    """His line, from his statement of the day."""
    currency = "EUR" if "EUR" in found.currencies else next(iter(found.currencies), "EUR")
    answer = found.total(currency)
    owed = answer if isinstance(answer, Owed) else None
    why = words.why_none_words(found.why_none) if found.why_none else ""
    if isinstance(answer, MissingRate):
        why = words.missing_words(answer)
    first = min((one.due for one in found.lines), default=found.on)
    return Row(customer, str(Regime(found.regime).label), currency, owed, why, first)


def rates_shown(today: date) -> dict[str, Any]:
    """The rates of the last semesters, from where they come, and which is missing today."""
    rates, now = published(), semester_of(today)
    every = sorted({*rates.refi, *rates.legal, now}, reverse=True)
    return {
        "rates": [_rate_row(one, now) for one in every[:SHOWN]],
        "sources": sources(),
        "missing_rates": [words.missing_effect(one) for one in legal.missing_now(today)],
    }


def _rate_row(semester: Semester, now: Semester) -> RateRow:
    rates = published()
    refi, base = rates.refi.get(semester), rates.legal.get(semester)
    return RateRow(
        words.semester_words(semester),
        _percent(refi),
        _percent(None if refi is None else refi + BUSINESS_POINTS),
        _percent(base),
        _percent(None if base is None else FLOOR_TIMES * base),
        semester == now,
    )


def _percent(rate: Fraction | None) -> str:
    return "" if rate is None else words.rate_words(rate)


def _line(one: legal.Line, on: date) -> Line:
    if isinstance(one.owed, MissingRate):
        return Line(one, None, words.missing_words(one.owed), "", [], None)
    pieces = [
        Piece(
            _("%(first)s au %(last)s")
            % {"first": french.date_text(p.first, on), "last": french.date_text(p.last, on)},
            p.days,
            half_up(p.balance),
            words.rate_words(p.rate),
            p.floored,
            half_up(p.interest),
        )
        for p in one.owed.pieces
    ]
    since = one.owed.pieces[0].first if one.owed.pieces else None
    return Line(one, one.owed, "", words.why_none_words(one.owed.why_none), pieces, since)


def _total(found: legal.Statement, currency: str) -> Total:
    answer = found.total(currency)
    unapplied = found.unapplied.get(currency, 0)
    if isinstance(answer, MissingRate):
        return Total(currency, None, words.missing_words(answer), unapplied, 0)
    return Total(currency, answer, "", unapplied, answer.total - unapplied)


def no_rate_words(message: Message, today: date) -> str:
    """Why a message waits for a person for want of a rate; nothing for another reason."""
    if message.reason != "MISSING_RATE":
        return ""
    missing = " ".join(words.missing_words(one) for one in legal.missing_now(today))
    rest = _("Les lignes qui les demandent ont été retirées\u00a0: relisez avant l’envoi.")
    return f"{missing} {rest}".strip()
