"""Do what follows from a mail, exactly once: the row is locked, and marked as handled with it."""

from collections.abc import Sequence
from datetime import datetime
from email.utils import parseaddr

from django.db import transaction
from django.db.models import Count
from django.utils.translation import gettext as _

from relance.accounts import clock
from relance.formats import incoming_mail
from relance.formats.absences import absent_until
from relance.formats.incoming_mail import Reading
from relance.formats.mail_words import read_files
from relance.history.services import Fact, append
from relance.ledger import services as ledger
from relance.outbox.inbound.deciding import WITHIN, Effects, Facts, Refused, decide
from relance.outbox.inbound.handlers import Handlers
from relance.outbox.models import (
    Attempt,
    Inbound,
    Message,
    MessageInvoice,
    Refusal,
    Status,
)
from relance.outbox.services import Attached, StateConflictError, mark_bounced

SHOWN = [Inbound.Kind.AUTO_REPLY, Inbound.Kind.SOFT, Inbound.Kind.OTHER]
"""Kinds that ask nothing of anybody: told in the history, never waiting to be seen."""
FACTS = {
    Inbound.Kind.REPLY: "reply_received",
    Inbound.Kind.DOCUMENTS: "documents_received",
    Inbound.Kind.AUTO_REPLY: "absence_received",
    Inbound.Kind.HARD: "refusal_received",
    Inbound.Kind.SOFT: "refusal_received",
    Inbound.Kind.COMPLAINT: "complaint_received",
    Inbound.Kind.OTHER: "mail_received",
}


@transaction.atomic
def apply(*, inbound_id: int, handlers: Handlers, now: datetime) -> bool:
    """Handle one mail; False when another worker did, or its message is on its way right now.

    Whatever a handler raises undoes everything: the mail is handled again at the next turn.
    """
    found = Inbound.objects.select_for_update(of=("self",)).filter(pk=inbound_id, handled_at=None)
    inbound = found.select_related("organisation").first()
    if inbound is None:
        return False
    message = None
    if inbound.message_id is not None:
        message = Message.objects.select_for_update(of=("self",)).get(pk=inbound.message_id)
    raw = _raw(inbound)
    reading = incoming_mail.read(raw)
    effects = decide(reading, _facts_of(inbound, message))
    if effects.wait:
        return False
    _note_refusals(inbound, message, effects.refused)
    marked = _mark_addresses(inbound, message, effects.refused, now)
    facts = [_told(inbound, message, effects, reading, now)]
    if message is not None and effects.left:
        facts += _settle(inbound, message, now)
    bounced = message is not None and effects.bounced and _bounce(message, effects, now)
    if message is not None and bounced:
        facts += _bounced_facts(inbound, message, effects, now)
    append(inbound.organisation, facts)
    if message is not None and bounced:
        handlers.bounced([message], now)
    customer = inbound.customer_id
    if marked and customer is not None:
        handlers.changed(inbound.organisation, [customer], now)
    if _is_for_documents(inbound, message):
        files = [Attached(*one) for one in read_files(raw)]
        handlers.documents(inbound, files, now)
    if inbound.kind in SHOWN or bounced:
        inbound.seen_at = inbound.seen_at or now
    inbound.handled_at = now
    inbound.save(update_fields=["handled_at", "seen_at", "absent_until"])
    return True


def _raw(inbound: Inbound) -> bytes:
    with inbound.raw.open("rb") as file:
        return bytes(file.read())


def _facts_of(inbound: Inbound, message: Message | None) -> Facts:
    if message is None:
        return Facts()
    diverted = bool(message.diverted_to) or message.channel != "email"
    recipients = [] if diverted else [bare(one) for one in message.recipients]
    fallen = Refusal.objects.filter(message=message, kind__in=_REFUSED).exclude(inbound=inbound)
    if message.handed_at:
        fallen = fallen.filter(at__gte=message.handed_at)
    recent = (
        Refusal.objects.filter(
            organisation_id=message.organisation_id,
            address__in=recipients,
            kind__in=_REFUSED,
            at__gte=inbound.received_at - WITHIN,
        )
        .exclude(message=message)
        .order_by()
        .values_list("address")
        .annotate(many=Count("message", distinct=True))
    )
    return Facts(
        status=message.status,
        recipients=tuple(recipients),
        fallen=frozenset(fallen.values_list("address", flat=True)),
        recent=dict(recent),
    )


_REFUSED = [Inbound.Kind.HARD, Inbound.Kind.SOFT]


def bare(mailbox: str) -> str:
    """The address alone, lower case."""
    return parseaddr(mailbox)[1].lower()


def _note_refusals(inbound: Inbound, message: Message | None, found: Sequence[Refused]) -> None:
    for one in found:
        Refusal.objects.get_or_create(
            inbound=inbound,
            address=one.address[:254],
            defaults={
                "organisation_id": inbound.organisation_id,
                "message": message,
                "at": inbound.received_at,
                "kind": one.kind,
                "code": one.code[:12],
                "dead": bool(one.why),
                "detail": one.detail[:300],
            },
        )


def _mark_addresses(
    inbound: Inbound, message: Message | None, found: Sequence[Refused], now: datetime
) -> bool:
    """Disable the addresses that get no mail any more; True when there is one."""
    customer = message.customer_id if message is not None else None
    dead = [one for one in found if one.why]
    if customer is None:
        return False
    for one in dead:
        ledger.refuse_address(
            organisation=inbound.organisation,
            email=one.address,
            customer_id=customer,
            on=clock.local_date(inbound.organisation, inbound.received_at),
            now=now,
            reason=_reason(one),
        )
    return bool(dead)


def _reason(one: Refused) -> str:
    if one.why == "COMPLAINT":
        return _("a signalé nos e-mails comme indésirables")
    if one.why == "THRICE":
        return _("trois refus en quatorze jours")
    return one.detail


def _settle(inbound: Inbound, message: Message, now: datetime) -> list[Fact]:
    """It was uncertain; what came in speaks of it, so it left (S: at most once, never lost).

    Its entries are written by the worker, like those of a message settled by hand.
    """
    changed = Message.objects.filter(pk=message.pk, status=Status.UNCERTAIN).update(
        status=Status.SENT,
        sent_at=message.handed_at or now,
        ended_at=now,
        claimed_by="",
        error="",
        recorded=False,
    )
    if not changed:
        return []
    message.refresh_from_db()
    Attempt.objects.create(
        organisation_id=message.organisation_id,
        message=message,
        at=now,
        worker="inbound",
        outcome=Attempt.Outcome.SENT,
        answer=f"settled by what came in: {inbound.kind}",
    )
    return [_fact("message_settled", inbound, now, {"by": inbound.kind})]


def _bounce(message: Message, effects: Effects, now: datetime) -> bool:
    answer = "\n".join(f"{one.address}: {one.detail or one.code}" for one in effects.refused)
    try:
        mark_bounced(message=message, answer=answer, now=now)
    except StateConflictError:
        return False
    return True


def _bounced_facts(
    inbound: Inbound, message: Message, effects: Effects, now: datetime
) -> list[Fact]:
    """One event per invoice told of, like those of the departure (S2-16)."""
    data: dict[str, object] = {
        "to": [one.address for one in effects.refused],
        "code": effects.refused[0].code,
        "level": message.level,
        "name": message.level_name,
        "purpose": message.purpose,
    }
    lines = MessageInvoice.objects.filter(message=message).order_by("id")
    invoices: list[int | None] = [line.invoice_id for line in lines] or [None]
    return [_fact("message_bounced", inbound, now, data, invoice) for invoice in invoices]


def _told(
    inbound: Inbound, message: Message | None, effects: Effects, reading: Reading, now: datetime
) -> Fact:
    """The mail itself, in the history; an absence is noted on the way."""
    on = clock.local_date(inbound.organisation, inbound.received_at)
    data: dict[str, object] = {
        "inbound": inbound.pk,
        "from": inbound.sender,
        "subject": inbound.subject,
    }
    if inbound.kind == Inbound.Kind.AUTO_REPLY:
        until = absent_until(f"{inbound.subject}\n{inbound.text}", on)
        inbound.absent_until = until
        if until is not None:
            data["until"] = until.isoformat()
            if inbound.customer_id is not None:
                ledger.note_absence(
                    organisation=inbound.organisation,
                    customer_id=inbound.customer_id,
                    email=inbound.sender,
                    until=until,
                )
    elif inbound.kind in (Inbound.Kind.HARD, Inbound.Kind.SOFT, Inbound.Kind.COMPLAINT):
        refused = [one.address for one in effects.refused]
        data |= {"address": refused or [inbound.address], "code": inbound.code}
        data |= {"kept": not any(one.why for one in effects.refused), "foreign": effects.foreign}
        data["delayed"] = inbound.kind == Inbound.Kind.SOFT and not reading.final
    return _fact(FACTS[Inbound.Kind(inbound.kind)], inbound, now, data)


def _fact(
    kind: str, inbound: Inbound, now: datetime, data: dict[str, object], invoice: int | None = None
) -> Fact:
    return Fact(
        kind,
        now,
        clock.local_date(inbound.organisation, now),
        inbound.customer_id,
        invoice,
        inbound.message_id,
        data=data,
    )


def _is_for_documents(inbound: Inbound, message: Message | None) -> bool:
    if inbound.kind not in (Inbound.Kind.DOCUMENTS, Inbound.Kind.REPLY):
        return False
    answers = message is not None and message.purpose == Message.Purpose.RECEIPTS
    return answers or inbound.kind == Inbound.Kind.DOCUMENTS
