"""A line that breaks at the worst moment, so that one message of the demonstration is uncertain."""

from collections.abc import Callable
from datetime import datetime

from relance.outbox.channels.base import DeliveryError, Receipt
from relance.outbox.channels.email import EmailChannel
from relance.outbox.models import Message


class CutLine(EmailChannel):
    """The line breaks after the mail to one address was given and before the server's answer."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address

    def deliver(self, message: Message, *, at: datetime, hand_over: Callable[[], None]) -> Receipt:
        """See Channel; the mail to `address` arrives, and nobody learns it."""
        receipt = super().deliver(message, at=at, hand_over=hand_over)
        if self.address in message.recipients:
            raise DeliveryError("Connection unexpectedly closed", uncertain=True)
        return receipt
