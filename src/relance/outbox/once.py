"""A form that is sent twice is one act: a double click, a page loaded again, two connections.

Each time a form is shown it carries a new key; the message that it sends takes its Message-ID
from the key, and the database keeps Message-IDs unique. Whoever opens the form anew may well
write the same words again: that is another act.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import uuid4

from relance.accounts.models import Organisation, User
from relance.outbox.models import VOID, Message, Status
from relance.outbox.services import domain_of


def new_key() -> str:
    """For the hidden field of a form that is shown."""
    return uuid4().hex


def ref_of(key: str, *, actor: User, about: int, sender: str) -> str:
    """The Message-ID of what `actor` sends by the form of `key` to the customer `about`."""
    digest = sha256(f"{actor.pk} {about} {key}".encode()).hexdigest()[:32]
    return f"<{digest}@{domain_of(sender)}>"


def already_sent(organisation: Organisation, ref: str) -> Message | None:
    """What the same form has sent before; not what was called back since, which may leave anew."""
    sent = Message.objects.filter(organisation=organisation, message_ref=ref)
    return sent.exclude(status=Status.CANCELLED).first()


AGAIN = timedelta(minutes=10)
"""So soon a second message by hand about the same invoices is rarely meant."""


def just_written(
    organisation: Organisation, customer_id: int, invoice_ids: Collection[int], *, now: datetime
) -> Message | None:
    """The last message that a person wrote to this customer less than `AGAIN` before `now`.

    Only about one of these invoices, and not what reached nobody.
    """
    written = Message.objects.filter(
        organisation=organisation,
        customer_id=customer_id,
        made_by__isnull=False,
        made_at__gt=now - AGAIN,
        lines__invoice_id__in=invoice_ids,
    ).exclude(status__in=VOID)
    return written.select_related("made_by").order_by("-made_at", "-pk").first()


def is_taken(ref: str) -> bool:
    """Whether a message, called back or not, has it."""
    return Message.objects.filter(message_ref=ref).exists()
