"""What every channel promises (architecture rule 9)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from relance.outbox.models import Message


@dataclass(frozen=True)
class Receipt:
    """The other side took the message; `refused` are the addresses it did not take, with why."""

    code: int | None = None
    answer: str = ""
    refused: dict[str, str] = field(default_factory=dict)

    @property
    def told(self) -> str:
        """All of it as one text to be stored: the answer, then each address refused."""
        lines = [self.answer, *(f"{to}: {why}" for to, why in self.refused.items())]
        return "\n".join(lines).replace("\x00", "")


class DeliveryError(Exception):
    """The message was not taken, or (`uncertain`) nobody can know whether it was.

    `unreachable`: the fault is the server's or the line's, not this message's: nothing was
    tried on it and every other message would meet the same.
    """

    def __init__(
        self,
        answer: str,
        *,
        permanent: bool = False,
        code: int | None = None,
        uncertain: bool = False,
        unreachable: bool = False,
    ) -> None:
        super().__init__(answer)
        self.answer = answer.replace("\x00", "")  # PostgreSQL stores none, whatever a server says
        self.permanent = permanent
        self.code = code
        self.uncertain = uncertain
        self.unreachable = unreachable


class Channel(Protocol):
    """One way out, opened at the first delivery and kept for a batch."""

    def deliver(self, message: Message, *, at: datetime, hand_over: Callable[[], None]) -> Receipt:
        """Hand `message` over, exactly as stored; `at` is the moment told to the reader.

        Calls `hand_over()` once, as late as possible before the point of no return; when that
        raises, nothing has left and the exception goes through. Raises DeliveryError.
        """

    def close(self) -> None:
        """Let the line go; never raises."""
