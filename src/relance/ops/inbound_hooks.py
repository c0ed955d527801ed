"""What follows from mails that came in, handed to the chase that each belongs to."""

from collections.abc import Sequence
from datetime import datetime

from relance.dunning.daily import bounces
from relance.outbox.inbound.handlers import Handlers
from relance.outbox.models import Message
from relance.receipts import hooks as receipts
from relance.receipts import incoming


def handlers() -> Handlers:
    """Those of both chases as one."""
    return Handlers(bounced=_bounced, changed=bounces.changed, documents=incoming.note)


def _bounced(messages: Sequence[Message], now: datetime) -> None:
    asked = [one for one in messages if one.purpose == Message.Purpose.RECEIPTS]
    chased = [one for one in messages if one.purpose != Message.Purpose.RECEIPTS]
    if chased:
        bounces.bounced(chased, now)
    if asked:
        receipts.bounced(asked, now)
