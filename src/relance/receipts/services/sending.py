"""A request leaves by the one outbox, as one message to all its recipients."""

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta

from django.db import transaction as database
from django.utils.translation import override

from relance.accounts.models import Organisation, User
from relance.bank.models import Transaction
from relance.bank.services.errors import BankRefused
from relance.outbox import services as outbox
from relance.outbox.mailboxes import automatic_sender, senders
from relance.outbox.models import Message
from relance.receipts.models import Request
from relance.receipts.services.asking import open_request

UNDO_SECONDS = 10
"""What a person sends may be called back so long."""


@database.atomic
def send_request(
    *,
    organisation: Organisation,
    kind: str,
    rows: Sequence[Transaction],
    users: Collection[User],
    on: date,
    now: datetime,
    actor: User | None = None,
    first: date | None = None,
    last: date | None = None,
    note: str = "",
) -> Request:
    """Keep the request and queue its message; BankRefused as `open_request`, or for an address."""
    with override("fr"):
        request, letter = open_request(
            organisation=organisation,
            kind=kind,
            rows=rows,
            users=users,
            on=on,
            now=now,
            actor=actor,
            first=first,
            last=last,
            note=note,
        )
    sender = senders(organisation, actor)[0] if actor else automatic_sender(organisation)
    wait = timedelta(seconds=UNDO_SECONDS if actor else 0)
    draft = outbox.Draft(
        organisation=organisation,
        customer_id=None,
        purpose=Message.Purpose.RECEIPTS,
        automatic=actor is None,
        on=on,
        not_before=now + wait,
        sender=sender.sender,
        reply_to=sender.reply_to,
        mailbox=sender.mailbox,
        recipients=[user.email for user in users],
        subject=letter.subject,
        text=letter.text,
        html=letter.html,
        request_id=request.pk,
        made_by=actor,
    )
    queued = outbox.queue(drafts=[draft], now=now)
    if not queued.messages:
        raise BankRefused(queued.refused[0].detail, queued.refused[0].code)
    request.message_id = queued.messages[0].pk
    request.save(update_fields=["message_id"])
    return request
