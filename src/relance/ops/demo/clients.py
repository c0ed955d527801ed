"""What is told of an invented customer: how he pays, and what is special about him.

Everybody and every company here is imaginary; addresses end in .example (RFC 2606).
"""

from dataclasses import dataclass
from typing import Literal

CAMILLE, YANN = "camille", "yann"

Habit = Literal["good", "usual", "late", "very_late"]
Anchor = Literal["departure", "today", "run1", "run2", "run3"]
"""What an offset in days counts from: the next departure, today, or one of the last three runs."""


@dataclass(frozen=True)
class Promise:
    """Made `made` days before today, for `until` days before today (negative: to come)."""

    made: int
    until: int
    cents: int | None = None


@dataclass(frozen=True)
class Open:
    """An invoice still open today: due `days` after its anchor, for `cents`."""

    anchor: Anchor
    days: int
    cents: int
    site: str = ""
    paid_cents: int = 0
    paid_days_ago: int = 0
    disputed_days_ago: int = 0
    dispute: str = ""
    promise: Promise | None = None
    mode: str = ""


@dataclass(frozen=True)
class Contact:
    name: str
    role: str
    email: str = ""
    phone: str = ""
    is_default: bool = False
    sites: tuple[str, ...] = ()


@dataclass(frozen=True)
class Client:
    """`rate`: invoices a year; `euros`: their usual range; `terms`: calendar days to pay."""

    name: str
    domain: str
    city: str
    postcode: str
    habit: Habit = "usual"
    rate: float = 5.0
    euros: tuple[int, int] = (500, 6000)
    terms: int = 30
    plan: Literal["standard", "accounts", "invoice", ""] = "standard"
    manager: str = YANN
    mailbox: str = "compta"
    regime: str = "business"
    mode: str = "transfer"
    contacts: tuple[Contact, ...] = ()
    sites: tuple[str, ...] = ()
    opened: tuple[Open, ...] = ()
    credit_cents: int = 0
    left_to_do: bool = False
    """Its latest manual actions still wait for their owner today."""
    state: Literal["", "excluded", "hold", "judgment"] = ""
    new: bool = False
    """No past: its first invoices are those in `opened`."""

    @property
    def email(self) -> str:
        """Empty when the customer has given none."""
        return f"{self.mailbox}@{self.domain}.example" if self.mailbox else ""
