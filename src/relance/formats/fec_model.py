"""The shapes that come out of a FEC. Amounts are integer cents, dates are local dates."""

from __future__ import annotations

import datetime as dt
from typing import Literal, NamedTuple

from relance.formats.faults import Fault
from relance.formats.values import Terms

DEFAULT_TERMS = Terms(30)
"""Payment terms assumed when nobody gives any: the FEC has no due date."""

ItemKind = Literal["invoice", "payment", "opening", "residual"]
ItemReason = Literal["no_letter", "opening_balance", "letter_unbalanced", "letter_partial"]
ChaseBar = Literal["generic_account", "doubtful_account", "nothing_owed"]


class FecLine(NamedTuple):
    """One ledger line; the names are those of LPF A47 A-1."""

    line: int
    entry_on: dt.date
    account: str
    debit_cents: int
    credit_cents: int
    journal: str = ""
    entry: str = ""
    account_name: str = ""
    aux: str = ""
    aux_name: str = ""
    piece: str = ""
    piece_on: dt.date | None = None
    label: str = ""
    letter: str = ""
    currency: str = ""

    @property
    def cents(self) -> int:
        """Debit minus credit: what the line adds to the debt."""
        return self.debit_cents - self.credit_cents


class FecItem(NamedTuple):
    """Something open at closing. ``left_cents`` is signed: what it adds to the debt.

    ``kind``: an ``invoice`` or a ``payment`` without letter, an ``opening`` balance carried
    over, or the ``residual`` of a letter that does not balance. ``checked`` is False when a
    person has to look before anything is chased (every kind but the invoice). ``number`` is
    unique in the file; ``due_on`` is always an estimate; ``lines`` are lines of the file.
    """

    customer_key: str
    kind: ItemKind
    reason: ItemReason
    number: str
    label: str
    issue_on: dt.date
    due_on: dt.date
    total_cents: int
    left_cents: int
    letter: str
    checked: bool
    lines: tuple[int, ...]


class FecCustomer(NamedTuple):
    """A customer of the ledger with the items open at closing.

    ``bars`` are the reasons not to chase at all; ``balance_cents`` is debit minus credit and
    always the sum of ``left_cents`` over the items.
    """

    key: str
    code: str
    name: str
    account: str
    lines: int
    balance_cents: int
    closed_groups: int
    unbalanced_groups: int
    items: tuple[FecItem, ...]
    bars: tuple[ChaseBar, ...]

    @property
    def chaseable(self) -> bool:
        """Whether a person may turn the items into drafts to review."""
        return not self.bars


class FecTotals(NamedTuple):
    """Control totals, in cents. ``open_cents`` equals ``balance_cents`` by construction of
    the open items; ``excluded_cents`` gives debit minus credit of the 41 accounts left out.
    """

    lines: int
    rejected: int
    debit_cents: int
    credit_cents: int
    customer_lines: int
    balance_cents: int
    open_cents: int
    unlettered_cents: int
    groups: int
    unbalanced_groups: int
    unbalanced_cents: int
    excluded_cents: dict[str, int]


class FecLedger(NamedTuple):
    """A ledger as read. ``siren`` is "" and ``closing_on`` the last entry's date when the
    file name does not give them.
    """

    siren: str
    closing_on: dt.date | None
    encoding: str
    separator: str
    customers: tuple[FecCustomer, ...]
    rejects: tuple[Fault, ...]
    remarks: tuple[Fault, ...]
    totals: FecTotals
