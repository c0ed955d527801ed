"""A request leaves by the one outbox, as one message to all its recipients."""

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta

from django.db import transaction as database
from django.utils.translation import gettext as _
from django.utils.translation import override

from relance.accounts.models import Organisation, User
from relance.bank.models import Transaction
from relance.bank.services.errors import BankRefused
from relance.outbox import services as outbox
from relance.outbox.inbound.addresses import own_address
from relance.outbox.mailboxes import (
    SYSTEM,
    Sender,
    automatic_sender,
    mailbox_words,
    readers_of,
    senders,
)
from relance.outbox.models import Message
from relance.receipts.mail import Letter
from relance.receipts.models import Request
from relance.receipts.services.asking import open_request, workbook_name
from relance.receipts.workbook import write_request_workbook

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
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
    also: Sequence[str] = (),
    copies: Sequence[str] = (),
    seen: int | None = None,
) -> Request:
    """Keep the request and queue its message with its Excel (S0-33).

    `also`: further addresses, those of a second contact; `copies` are blind. `seen`: the latest
    request that the person knew of: when a newer one asked about the same transactions,
    somebody was first. BankRefused as `open_request`, for an address, or ALREADY_ASKED.
    """
    if seen is not None:
        _first_come(organisation, rows, seen)
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
        workbook = outbox.Attached(workbook_name(organisation), XLSX, write_request_workbook(rows))
    draft = _draft(request, letter, workbook, now, [user.email for user in users], also, copies)
    queued = outbox.queue(drafts=[draft], now=now)
    if not queued.messages:
        raise BankRefused(queued.refused[0].detail, queued.refused[0].code)
    request.message_id = queued.messages[0].pk
    request.save(update_fields=["message_id"])
    return request


def _draft(
    request: Request,
    letter: Letter,
    workbook: outbox.Attached,
    now: datetime,
    to: Sequence[str],
    also: Sequence[str],
    copies: Sequence[str],
) -> outbox.Draft:
    """One message to all of them; what a person sends may be called back for some seconds.

    Answers come to the dossier's own address when it has one, so that their files are read.
    """
    actor = request.made_by
    sender = _sender(request.organisation, actor)
    return outbox.Draft(
        organisation=request.organisation,
        customer_id=None,
        purpose=Message.Purpose.RECEIPTS,
        automatic=actor is None,
        on=request.on,
        not_before=now + timedelta(seconds=UNDO_SECONDS if actor else 0),
        sender=sender.sender,
        reply_to=own_address(request.organisation) or sender.reply_to,
        mailbox=sender.mailbox,
        recipients=list(dict.fromkeys([*to, *also])),
        copies=copies,
        subject=letter.subject,
        text=letter.text,
        html=letter.html,
        request_id=request.pk,
        made_by=actor,
        files=[workbook],
    )


def last_request(organisation: Organisation) -> int:
    """Key of the latest request of the dossier, 0 without any: what a page has seen."""
    latest = Request.objects.filter(organisation=organisation).order_by("-pk")
    return latest.values_list("pk", flat=True).first() or 0


def _first_come(organisation: Organisation, rows: Sequence[Transaction], seen: int) -> None:
    """Two people never send the same request twice: the second learns who did it."""
    Organisation.objects.select_for_update().get(pk=organisation.pk)
    newer = Request.objects.filter(organisation=organisation, pk__gt=seen, refusal="")
    keys = {row.pk for row in rows}
    for request in newer.select_related("made_by").order_by("-pk"):
        asked = set(request.asked.values_list("transaction_id", flat=True))
        if asked & keys:
            who = str(request.made_by) if request.made_by else _("la relance automatique")
            raise BankRefused(
                _("Cette demande vient d’être envoyée par %(who)s.") % {"who": who},
                "ALREADY_ASKED",
            )


def _sender(organisation: Organisation, actor: User | None) -> Sender:
    """From the accountant's own address, or the system's in the name of the firm (S2-19 to 22).

    Replies to an automatic one go to whoever looks after the dossier.
    """
    found = senders(organisation, actor)[0] if actor else automatic_sender(organisation)
    if found.key == SYSTEM and organisation.firm:
        name = organisation.firm.name
        if actor and actor.full_name:
            name = f"{actor.full_name}, {name}"
        found = found._replace(sender=mailbox_words(name, found.address))
    if not found.reply_to:
        found = found._replace(reply_to=readers_of(organisation, [None])[None])
    return found
