"""What the rooms above answer and are told when messages leave, and what a delivery came to."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from relance.outbox.models import Message
from relance.outbox.services import Draft, Line


@dataclass(frozen=True)
class Cancel:
    """Not wanted any more, for this reason (a code of engine.md section 5)."""

    reason: str


@dataclass(frozen=True)
class Postpone:
    """Wanted, but not before this moment."""

    until: datetime
    reason: str = ""


@dataclass(frozen=True)
class Rewrite:
    """Wanted, in other words: some of its invoices were paid meanwhile (S3-11)."""

    subject: str
    text: str
    html: str
    lines: Sequence[Line]
    amount_cents: int
    letter: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, draft: Draft) -> "Rewrite":
        """What a message of today would say in its place."""
        return cls(
            subject=draft.subject,
            text=draft.text,
            html=draft.html,
            lines=draft.lines,
            amount_cents=draft.amount_cents,
            letter=draft.letter,
        )


Verdict = Cancel | Postpone | Rewrite


def _no_verdicts(messages: Sequence[Message]) -> Mapping[int, Verdict]:
    return {}


def _nothing(messages: Sequence[Message]) -> None:
    return None


@dataclass(frozen=True)
class Hooks:
    """What the rooms above do at the right moments.

    `recheck`: asked for a batch after its claim, outside any transaction; a verdict by message
    id, none leaves the message as it is. `record`: the messages that left (`sent_at` set, lines
    loaded), in the transaction that makes them sent, exactly once for each. `ended`: those just
    cancelled, failed or uncertain (`status` tells), in the transaction that makes them so.
    """

    recheck: Callable[[Sequence[Message]], Mapping[int, Verdict]] = _no_verdicts
    record: Callable[[Sequence[Message]], None] = _nothing
    ended: Callable[[Sequence[Message]], None] = _nothing


@dataclass
class Report:
    """Counts of messages; `unreachable` is what the server said when it could not be reached."""

    claimed: int = 0
    sent: int = 0
    retrying: int = 0
    failed: int = 0
    cancelled: int = 0
    postponed: int = 0
    uncertain: int = 0
    given_back: int = 0
    unreachable: str = ""

    def __iadd__(self, other: "Report") -> "Report":
        for each in fields(self):
            mine, others = getattr(self, each.name), getattr(other, each.name)
            setattr(self, each.name, (others or mine) if each.type is str else mine + others)
        return self
