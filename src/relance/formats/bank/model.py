"""What every bank file comes down to: statements of accounts, and their movements."""

from collections.abc import Iterable
from datetime import date
from hashlib import sha256
from typing import NamedTuple

from relance.formats.faults import Fault


class Movement(NamedTuple):
    """One line of an account: ``amount`` in cents, positive when money came in.

    ``booked`` and ``valued`` are the bank's dates; ``reference`` is what the payer wrote to be
    recognised by, ``bank_ref`` the bank's own number; ``reversal`` undoes an earlier movement.
    ``pending``: announced by the bank and not booked yet.
    ``rank`` counts movements of one statement that are alike in everything.
    """

    booked: date
    amount: int
    currency: str
    label: str
    valued: date | None = None
    reference: str = ""
    bank_ref: str = ""
    name: str = ""
    iban: str = ""
    reversal: bool = False
    pending: bool = False
    line: int = 0
    rank: int = 0

    @property
    def key(self) -> str:
        """The same in every file that tells of this movement, and never in another's.

        The bank's own number when it gives one, with date and amount (it is sometimes used
        again); else date, amount, words and rank.
        """
        words = self.bank_ref or f"{_squeezed(self.label)}|{self.name}|{self.reference}"
        parts = (self.booked.isoformat(), str(self.amount), self.currency, words, str(self.rank))
        return sha256("|".join(parts).encode()).hexdigest()[:32]


class Statement(NamedTuple):
    """The movements of one account over a period, with its balances in cents when told.

    ``account`` is an IBAN or the bank's number. ``remarks`` are faults of severity remark.
    ``pending`` movements are announced only: they are in no balance.
    """

    account: str
    currency: str
    movements: tuple[Movement, ...]
    number: str = ""
    opening: int | None = None
    opening_on: date | None = None
    closing: int | None = None
    closing_on: date | None = None
    remarks: tuple[Fault, ...] = ()
    pending: tuple[Movement, ...] = ()

    @property
    def gap(self) -> int | None:
        """Closing less opening less movements, in cents: zero when it adds up; None untold."""
        if self.opening is None or self.closing is None:
            return None
        own = [one.amount for one in self.movements if one.currency == self.currency]
        return self.closing - self.opening - sum(own)


def ranked(movements: Iterable[Movement]) -> tuple[Movement, ...]:
    """The movements with their rank among those that are alike."""
    seen: dict[tuple[object, ...], int] = {}
    made = []
    for one in movements:
        words = one.bank_ref or (_squeezed(one.label), one.name, one.reference)
        alike = (one.booked, one.amount, one.currency, words)
        seen[alike] = rank = seen.get(alike, -1) + 1
        made.append(one._replace(rank=rank))
    return tuple(made)


def checked(statement: Statement) -> Statement:
    """The statement, with a remark when its balances and movements do not add up."""
    if not statement.gap:
        return statement
    fault = Fault(
        "statement_gap",
        facts={
            "account": statement.account,
            "opening_cents": statement.opening or 0,
            "closing_cents": statement.closing or 0,
            "gap_cents": statement.gap,
        },
    )
    return statement._replace(remarks=(*statement.remarks, fault))


def _squeezed(text: str) -> str:
    return " ".join(text.split()).casefold()
