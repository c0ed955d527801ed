"""What follows from a mail that came in, decided from facts alone (spec mail B2, B3).

A reply stops nothing. A refusal counts only for an address we wrote to: whoever forges one
about another address disables nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

from relance.formats.incoming_mail import Kind, Reading
from relance.outbox.models import Status

THRICE = 3
WITHIN = timedelta(days=14)
"""Three refusals of an address within it are as good as a dead one, whatever each of them said."""


@dataclass(frozen=True)
class Facts:
    """Of the message that the mail speaks of: `status` (empty: none), whom it was sent to.

    `recipients` are bare addresses, lower case, none when it was diverted by the test mode.
    `fallen`: those of them that refused it already. `recent`: by address, how many other messages
    it refused within `WITHIN`.
    """

    status: str = ""
    recipients: tuple[str, ...] = ()
    fallen: frozenset[str] = frozenset()
    recent: Mapping[str, int] = field(default_factory=dict)


class Refused(NamedTuple):
    """One of our recipients that did not get it. `why` it gets no mail any more: DEAD, THRICE,
    COMPLAINT, or empty: the address is kept.
    """

    address: str
    kind: str
    code: str
    why: str
    detail: str


@dataclass(frozen=True)
class Effects:
    """`wait`: the message is on its way at this moment, look again later. `bounced`: it reached
    nobody. `left`: it was uncertain, and this mail proves that it left. `foreign`: the refusal
    is of an address that we did not write to.
    """

    wait: bool = False
    bounced: bool = False
    left: bool = False
    foreign: bool = False
    refused: tuple[Refused, ...] = ()


def decide(reading: Reading, facts: Facts) -> Effects:
    """What is to be done about the mail; nothing of it is done here.

    The message bounced only when all its recipients refused it for good, by this mail or
    earlier ones (class 4 included once the server gives up); then it counts for no level and
    no contact. An `Action: delayed` is no refusal.
    """
    if facts.status in (Status.SENDING, Status.QUEUED, Status.RETRYING):
        return Effects(wait=facts.status == Status.SENDING)
    if not facts.status:
        return Effects()
    found = tuple(_refusals(reading, facts))
    failed = {one.address for one in found if one.kind != Kind.COMPLAINT} | facts.fallen
    gone = facts.status in (Status.SENT, Status.UNCERTAIN)
    bounced = gone and bool(found) and bool(facts.recipients) and failed >= set(facts.recipients)
    bounced = bounced and reading.kind is not Kind.COMPLAINT
    return Effects(
        bounced=bounced,
        left=facts.status == Status.UNCERTAIN and not bounced,
        foreign=reading.kind in (Kind.HARD, Kind.COMPLAINT) and not found,
        refused=found,
    )


def _refusals(reading: Reading, facts: Facts) -> Iterator[Refused]:
    told = reading.each or (reading,)
    seen: set[str] = set()
    for one in told:
        address = one.address
        if not address and len(facts.recipients) == 1:
            address = facts.recipients[0]  # the report hides it, and there is but one
        if address not in facts.recipients or address in seen:
            continue
        if one.kind is Kind.COMPLAINT or (one.kind in (Kind.HARD, Kind.SOFT) and one.final):
            seen.add(address)
            yield Refused(address, one.kind, one.status, _why(one, address, facts), one.detail)


def _why(one: Reading, address: str, facts: Facts) -> str:
    if one.kind is Kind.COMPLAINT:
        return "COMPLAINT"
    if one.dead:
        return "DEAD"
    return "THRICE" if facts.recent.get(address, 0) + 1 >= THRICE else ""
