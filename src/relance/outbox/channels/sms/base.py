"""What every provider of SMS promises."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from relance.outbox.channels.tracking import Event, Taken


@dataclass(frozen=True)
class Sms:
    """`to` in E.164; `sender` at most 11 letters and digits, or empty; `key` names it for good."""

    to: str
    text: str
    sender: str
    key: str


class SmsProvider(Protocol):
    """A gateway to the networks. All faults are DeliveryErrors (`channels.base`)."""

    def send(self, sms: Sms, *, at: datetime, hand_over: Callable[[], None]) -> Taken:
        """Hand it over. `hand_over` is called once, just before it could be taken.

        Raises DeliveryError: `uncertain` when the answer was lost or says nothing clear,
        `unreachable` when the account or the service is at fault; AlreadyTakenError for a key
        that it knows, where it knows keys.
        """

    def find(self, key: str, *, at: datetime) -> Taken | None:
        """What it holds under a key, None when it never got it. Raises CannotTellError."""

    def status(self, ref: str, *, at: datetime) -> list[Event]:
        """What became of it; nothing when the provider tells it by itself, or never."""
