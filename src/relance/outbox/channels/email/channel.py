"""The e-mail channel: each message over the line of its mailbox, or of the system's server."""

from collections.abc import Callable
from datetime import datetime
from hashlib import sha256

from relance.outbox.channels.base import DeliveryError, Receipt
from relance.outbox.channels.email.lines import Way, line_of
from relance.outbox.channels.email.mime import envelope
from relance.outbox.channels.email.smtp import ANSWER_SECONDS
from relance.outbox.models import Mailbox, Message
from relance.outbox.oauth import TokenError
from relance.outbox.secrets import SecretLostError


class EmailChannel:
    """One connection per mailbox, made when its first message comes, for a whole batch."""

    def __init__(self, *, answer_seconds: float = ANSWER_SECONDS) -> None:
        self.answer_seconds = answer_seconds
        self._lines: dict[int | None, Way] = {}

    def deliver(self, message: Message, *, at: datetime, hand_over: Callable[[], None]) -> Receipt:
        """See Channel; an error that is `unreachable` speaks of the message's mailbox alone.

        Sets `handed_sha256`, which `hand_over` keeps.
        """
        letter = envelope(message, at=message.claimed_at or at)  # so that it can be built again
        message.handed_sha256 = sha256(letter.data).hexdigest()
        return self._line(message.mailbox, at).deliver(letter, hand_over=hand_over)

    def close(self) -> None:
        """End the connections politely when they still stand."""
        for line in self._lines.values():
            line.close()
        self._lines = {}

    def _line(self, mailbox: Mailbox | None, at: datetime) -> Way:
        key = mailbox.pk if mailbox else None
        if key not in self._lines:
            if mailbox and mailbox.retired_at:
                raise DeliveryError(f"sender mailbox removed: {mailbox.address}", permanent=True)
            try:
                line = line_of(mailbox, at=at, answer_seconds=self.answer_seconds)
            except SecretLostError as lost:
                raise DeliveryError("sender mailbox password lost", unreachable=True) from lost
            except TokenError as fault:
                raise DeliveryError(str(fault), unreachable=True) from fault
            self._lines[key] = line
        return self._lines[key]
