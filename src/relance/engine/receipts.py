"""Missing receipts (justificatifs): what is asked, when, and to whom (section 7; behaviours S0-01 to S0-37)."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Literal, NamedTuple, TypeAlias

from relance.engine.calendar import next_working_day
from relance.engine.model import Id, Reason

Missing: TypeAlias = Literal["not_associated", "without_document", "partial", "potential"]
COLLECTE_LEVELS = ("none", "own", "all", "full")
"""Nothing < « Restreint : ses documents » < « Restreint : voir et valider tous les documents » < « Complet » (D-22)."""
BANK_LEVELS = ("R0", "R1", "R2", "R3")
LEAST_COLLECTE, LEAST_BANK = "all", "R2"
SHOWN_IN_MESSAGE = 4
RECEIPT_CODES = ("NOTHING_MISSING", "NO_ELIGIBLE_RECIPIENT")


class Transaction(NamedTuple):
    """One bank transaction: ``amount`` in cents, negative for a debit; ``covered``: cents its documents account for.

    ``potential``: the tool has found a document that nobody has confirmed yet (S0-08). ``ignored``: ignored on
    purpose or exempt.
    """

    id: Id
    on: date
    amount: int
    associated: bool
    documents: int
    covered: int
    potential: bool = False
    ignored: bool = False


class Reader(NamedTuple):
    """One user of the client: his levels, and whether he wants this kind of e-mail."""

    id: Id
    collecte: str
    bank: str
    wants_mail: bool


class Request(NamedTuple):
    """What is asked of whom: the whole set, newest first; the message itself shows the first four (D-04)."""

    on: date
    transactions: tuple[Transaction, ...]
    recipients: tuple[Id, ...]

    @property
    def shown(self) -> tuple[Transaction, ...]:
        """The transactions that the message shows, each with its link (S0-30)."""
        return self.transactions[:SHOWN_IN_MESSAGE]

    @property
    def has_more(self) -> bool:
        """« Voir plus » is needed (S0-31)."""
        return len(self.transactions) > SHOWN_IN_MESSAGE


def missing(transaction: Transaction) -> Missing | None:
    """Which of the four kinds of missing receipt a transaction is; None when nothing is to be asked (S0-05 to S0-09).

    A document found and not confirmed comes first: the client has only to confirm it (D-23).
    """
    complete = transaction.associated and transaction.documents > 0 and transaction.covered >= abs(transaction.amount)
    if transaction.ignored or complete:
        return None
    if transaction.potential:
        return "potential"
    if not transaction.associated:
        return "not_associated"
    return "partial" if transaction.documents else "without_document"


def to_chase(
    transactions: Iterable[Transaction], first: date | None = None, last: date | None = None
) -> tuple[Transaction, ...]:
    """The set *À valider* over a period, both days included, newest first (S0-09, S0-22, S0-23, D-03)."""
    chosen = (
        one
        for one in transactions
        if (first is None or one.on >= first) and (last is None or one.on <= last) and missing(one) is not None
    )
    return tuple(sorted(chosen, key=lambda one: (-one.on.toordinal(), str(one.id))))


def eligible(reader: Reader) -> bool:
    """The three tests together: collecte, Banque, and his own wish (S0-12 to S0-15); levels above also qualify."""
    return (
        COLLECTE_LEVELS.index(reader.collecte) >= COLLECTE_LEVELS.index(LEAST_COLLECTE)
        and BANK_LEVELS.index(reader.bank) >= BANK_LEVELS.index(LEAST_BANK)
        and reader.wants_mail
    )


def request(
    transactions: Iterable[Transaction],
    readers: Iterable[Reader],
    on: date,
    *,
    first: date | None = None,
    last: date | None = None,
) -> Request | Reason:
    """The request to send on a date, or why none: nothing missing (S0-36), nobody may receive it (S0-37)."""
    chosen = to_chase(transactions, first, last)
    if not chosen:
        return Reason("NOTHING_MISSING")
    recipients = tuple(reader.id for reader in readers if eligible(reader))
    if not recipients:
        return Reason("NO_ELIGIBLE_RECIPIENT", {"count": len(chosen)})
    return Request(on, chosen, recipients)


def day_in_month(day: int, year: int, month: int) -> date:
    """Day ``day`` (1..31) of a month, or its last day when it is shorter (S0-18, S0-19)."""
    return date(year, month, min(day, monthrange(year, month)[1]))


def send_dates(days: Sequence[int], year: int, month: int) -> tuple[date, ...]:
    """The dates of one month: always from the stored days, and once when both fall together (S0-17, S0-20, D-01)."""
    return tuple(sorted({day_in_month(day, year, month) for day in days}))


def due_since(days: Sequence[int], after: date, on: date, *, working_days_of: str | None = None) -> date | None:
    """The latest date of the schedule after ``after`` and up to ``on``; None when there is none.

    ``after`` is the last date already served (or the day before the schedule was switched on), so a missed day is
    caught up on the first run after it, once. ``working_days_of``: the zone whose working days the dates are moved
    to, None to keep the date promised (D-02).
    """
    served = after
    found: date | None = None
    month = after.replace(day=1) - timedelta(days=1)
    while (month.year, month.month) <= (on.year, on.month):
        for planned in send_dates(days, month.year, month.month):
            day = next_working_day(working_days_of, planned) if working_days_of else planned
            if served < day <= on:
                found = day
        month = month.replace(day=28) + timedelta(days=7)
    return found
