"""What every provider of letters promises: submit, status, proofs, cancel, price (spec C3)."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple, Protocol

from relance.outbox.channels.tracking import Event, Proof, Taken

NORMAL, TRACKED, REGISTERED, REGISTERED_SCANNED = "normal", "tracked", "lrar", "lrare"
SERVICES = (NORMAL, TRACKED, REGISTERED, REGISTERED_SCANNED)
"""Green letter, tracked letter, registered with a paper receipt, and with a scanned one."""

_TOWN = re.compile(r"(?:[A-Z]{1,2}-)?(\d{4,5})\s+(\D.*)", re.IGNORECASE)
_TOWN_ABROAD = re.compile(r"([A-Z0-9][A-Z0-9 -]{1,9}\d[A-Z0-9]*)\s+(\D.*)", re.IGNORECASE)


class Address(NamedTuple):
    """Where a letter goes or comes from; `lines` stand between the name and the town."""

    name: str
    lines: tuple[str, ...]
    postcode: str
    city: str
    country: str = "FRANCE"


class AddressError(ValueError):
    """These lines hold no name with a postcode and a town."""


def address_of(lines: Sequence[str]) -> Address:
    """The parts of an address block (NF Z 10-011: name first, town last, country under it abroad).

    What stands under the town and is no country (a SIREN, a telephone) is left out.
    """
    known = [line.strip() for line in lines if line.strip()]
    for n in range(len(known) - 1, 0, -1):
        found = _TOWN.fullmatch(known[n]) or _TOWN_ABROAD.fullmatch(known[n])
        if found:
            under = known[n + 1] if n + 1 < len(known) else ""
            country = under if under and under.isupper() and not re.search(r"\d", under) else ""
            return Address(
                known[0], tuple(known[1:n]), found[1].strip(), found[2], country or "FRANCE"
            )
    raise AddressError(", ".join(known))


@dataclass(frozen=True)
class Letter:
    """A letter to be printed and posted; `key` names it, whatever the number of tries.

    `service` is one of SERVICES; `wanted_on` a local date not in the past, None for the next
    departure of the post.
    """

    pdf: bytes
    sender: Address
    recipient: Address
    service: str
    key: str
    colour: bool = False
    duplex: bool = False
    wanted_on: date | None = None


class PostalProvider(Protocol):
    """A printer with stamps. All faults are DeliveryErrors (`channels.base`)."""

    def check(self, *, at: datetime) -> str:
        """Log in without sending anything; what the account answers. Raises DeliveryError."""

    def submit(self, letter: Letter, *, at: datetime, hand_over: Callable[[], None]) -> Taken:
        """Have it printed and posted. `hand_over` is called once, just before it could be taken.

        Two submissions with one key never make two letters where the provider can help it: the
        second raises AlreadyTakenError. Raises DeliveryError: `uncertain` when the answer was
        lost, `unreachable` when the account or the service is at fault and nothing was tried.
        """

    def find(self, key: str, *, at: datetime) -> Taken | None:
        """What it holds under a key, None when it never got it. Raises CannotTellError."""

    def status(self, ref: str, *, at: datetime) -> list[Event]:
        """All that happened to a letter so far, in order."""

    def proofs(self, ref: str, *, at: datetime) -> list[Proof]:
        """The documents that exist by now."""

    def cancel(self, ref: str, *, at: datetime) -> bool:
        """Take it back; False when it is too late. A True is to be followed by `status`."""

    def price(
        self, *, service: str, pages: int, colour: bool, duplex: bool, at: datetime
    ) -> int | None:
        """Cents before tax for one letter in France; None when the provider does not say."""
