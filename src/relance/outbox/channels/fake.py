"""A channel that keeps what it is given: for trials, demonstrations and tests."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from relance.outbox.channels.base import DeliveryError, Receipt
from relance.outbox.models import Message


@dataclass
class FakeChannel:
    """Takes everything, but for messages to an address in `errors`, which raise that error."""

    errors: dict[str, DeliveryError] = field(default_factory=dict)
    taken: list[Message] = field(default_factory=list)

    def deliver(self, message: Message, *, at: datetime, hand_over: Callable[[], None]) -> Receipt:
        """See Channel; an uncertain error is raised after the point of no return."""
        error = next((self.errors[to] for to in message.recipients if to in self.errors), None)
        if error and not error.uncertain:
            raise error
        hand_over()
        if error:
            raise error
        self.taken.append(message)
        return Receipt(250, "taken")

    def close(self) -> None:
        """Nothing is held."""
