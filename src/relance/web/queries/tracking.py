"""What a provider told about one message: a line an event, with its document if it has one."""

from datetime import datetime
from typing import NamedTuple

from django.db.models import Exists, OuterRef

from relance.outbox.channels import tracking
from relance.outbox.models import POSTED, Message, Status, Tracking
from relance.web import channel_words


class Line(NamedTuple):
    """`tone` is that of the icon; `pk` names the document, None without one."""

    at: datetime
    words: str
    detail: str
    icon: str
    tone: str
    pk: int | None


def lines_of(message: Message) -> list[Line]:
    """Oldest first; nothing for a message that no provider took."""
    if message.channel not in (*POSTED, "sms"):
        return []
    return [
        Line(
            row.at,
            channel_words.state(row.status),
            row.detail,
            *_look(row.status),
            row.pk if row.proof else None,
        )
        for row in message.tracking.order_by("at", "pk")
    ]


def _look(status: str) -> tuple[str, str]:
    if status in tracking.CAME_BACK:
        return "error", "is-late"
    if status in (tracking.DELIVERED, tracking.RECEIPT):
        return "tick", "is-done"
    return "info", ""


RECALLED = Exists(Tracking.objects.filter(message=OuterRef("pk"), status=tracking.CANCELLED))
"""Whether the provider of a message gave it up: nobody will get it."""


def was_recalled(message: Message) -> bool:
    """As `RECALLED` says it; that of a list has asked already."""
    if message.status != Status.SENT or message.channel not in POSTED:
        return False
    asked = getattr(message, "recalled", None)
    if asked is not None:
        return bool(asked)
    return message.tracking.filter(status=tracking.CANCELLED).exists()


def can_take_back(message: Message) -> bool:
    """Whether its provider may still be asked not to post it."""
    if message.status != Status.SENT or not message.provider_ref or message.channel not in POSTED:
        return False
    begun = (tracking.PRINTED, tracking.POSTED, tracking.IN_TRANSIT, *tracking.ENDS)
    return not message.tracking.filter(status__in=begun).exists()
