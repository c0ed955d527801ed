"""The link of a message to its invoices, for the debtor: good for it alone, until it ends.

The token is the message's key under a signature of this installation: nothing is stored until
somebody closes the link, and the same message always gives the same link, so that its bytes
stay the same however often they are built. Reading through it is written down nowhere (B1).
"""

from datetime import date, datetime, timedelta

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.db import transaction
from django.urls import reverse

from relance.accounts.models import User
from relance.history.services import Fact, append
from relance.outbox.models import Message, Status

LIFE = timedelta(days=120)
"""From the departure of the message: longer than a plan, shorter than a dispute's memory."""
SHUT = (Status.DRAFT, Status.TO_APPROVE, Status.CANCELLED, Status.EXPIRED, Status.FAILED)
"""Nobody was given the link of such a message, or nobody should go on reading by it."""
LONGEST = 80
"""Characters of a token; a longer one is none, whatever it holds."""

_SIGNER = Signer(salt="relance.outbox.doors", sep=".")


def token_of(message: Message) -> str:
    """The token of a stored message: 45 to 60 characters, all of them safe in an address."""
    return _SIGNER.sign(str(message.pk))


def link_of(message: Message) -> str:
    """The absolute address of the page of a stored message's invoices; always the same."""
    return settings.PUBLIC_URL + reverse("portal_invoices", args=[token_of(message)])


def message_of(token: str, *, now: datetime) -> Message | None:
    """The message whose invoices a token shows now; None when it shows nothing (any more)."""
    if len(token) > LONGEST:
        return None
    try:
        key = _SIGNER.unsign(token)
    except BadSignature:
        return None
    about = Message.objects.select_related("organisation", "customer")
    message = about.filter(pk=int(key), customer__isnull=False).first()
    return message if message is not None and is_open(message, now=now) else None


def ends_at(message: Message) -> datetime:
    """When its link ends by itself."""
    return (message.sent_at or message.not_before) + LIFE


def is_open(message: Message, *, now: datetime) -> bool:
    """Whether the link of a message shows its invoices now."""
    closed = message.link_closed_at is not None or message.status in SHUT
    return not closed and now < ends_at(message)


@transaction.atomic
def close(*, message: Message, actor: User, on: date, now: datetime) -> bool:
    """Nobody reads through the link of this message any more; False when it was closed already."""
    return _turn(message, closed=now, kind="link_closed", actor=actor, on=on, now=now)


@transaction.atomic
def reopen(*, message: Message, actor: User, on: date, now: datetime) -> bool:
    """The same link shows the invoices again, until its end; False when it was not closed."""
    return _turn(message, closed=None, kind="link_reopened", actor=actor, on=on, now=now)


def _turn(
    message: Message, *, closed: datetime | None, kind: str, actor: User, on: date, now: datetime
) -> bool:
    were = Message.objects.filter(pk=message.pk, link_closed_at__isnull=closed is not None)
    if not were.update(link_closed_at=closed):
        return False
    message.link_closed_at = closed
    fact = Fact(kind, now, on, message.customer_id, message_id=message.pk, actor=actor)
    append(message.organisation, [fact])
    return True
