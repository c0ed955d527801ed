"""Before the departure: read, hold, approve, reword or drop what would leave by itself (A2).

A message is either written already (queued, held, to approve) or only foreseen for a day to come;
whoever takes a foreseen one in hand has it written now, for its day, so that the pass of that day
finds its step taken and does not write it again.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any, NamedTuple

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import override

from relance.accounts import clock
from relance.accounts.models import Organisation, User
from relance.dunning import queries as dunning
from relance.dunning.daily.hooks import ended
from relance.dunning.daily.refreshing import refresh
from relance.dunning.services.common import Refused
from relance.dunning.services.undo import cancel_message
from relance.dunning.wording import messages, sheet, templating
from relance.engine import model as engine
from relance.history import services as history
from relance.history.services import Fact
from relance.ledger import services as ledger
from relance.ledger.models import Customer
from relance.outbox import services as outbox
from relance.outbox.models import Message, MessageInvoice, Status

TABLE = "{{ tableau_factures }}"
AT_ONCE = 500
"""Messages released in one transaction."""


class Deed(NamedTuple):
    """Who does something to messages, on which local date and at what moment (UTC)."""

    actor: User
    on: date
    now: datetime


@transaction.atomic
def hold_message(message: Message, deed: Deed) -> None:
    """Keep a message until somebody releases it; its step waits with it.

    Raises StateConflictError of the outbox when it is held already, leaving or gone.
    """
    outbox.hold(message=message)
    _tell("message_held", [message], deed)
    _look_again([message], deed)


@transaction.atomic
def release_messages(
    organisation: Organisation, message_ids: Sequence[int], deed: Deed
) -> list[Message]:
    """Approve: these leave as soon as they may. Those that no longer wait are left out.

    Each message changes hands by one conditional update, so that of two people one releases it.
    """
    released = []
    waiting = Message.objects.filter(organisation=organisation, pk__in=message_ids)
    for message in waiting.select_related("customer").order_by("pk"):
        try:
            outbox.release(message=message, now=deed.now)
        except outbox.StateConflictError:
            continue
        released.append(message)
    _tell("message_released", released, deed)
    _look_again(released, deed)
    return released


def approve_all(organisation: Organisation, deed: Deed) -> int:
    """Release every message that waits for approval, by chunks; how many."""
    count = 0
    while True:
        ids = list(
            Message.objects.filter(
                organisation=organisation,
                status=Status.TO_APPROVE,
                automatic=True,
                purpose=Message.Purpose.STEP,
            )
            .order_by("pk")
            .values_list("pk", flat=True)[:AT_ONCE]
        )
        if not ids:
            return count
        count += len(release_messages(organisation, ids, deed))


@transaction.atomic
def skip_message(message: Message, deed: Deed) -> None:
    """Never send it: its level counts as passed, and as no contact (engine rules, section 4)."""
    cancel_message(message, reason="BY_HAND", actor=deed.actor, now=deed.now)


@transaction.atomic
def hold_customer(customer: Customer, *, until: date, deed: Deed) -> int:
    """Nothing leaves to this customer until a date, included; how many messages that stops.

    Their steps come back after it. Raises the refusal of the ledger for a date in the past.
    """
    ledger.hold(customer=customer, until=until, on=deed.on, now=deed.now, actor=deed.actor)
    waiting = list(
        Message.objects.filter(
            customer=customer,
            automatic=True,
            purpose=Message.Purpose.STEP,
            status__in=outbox.NOT_GONE,
        )
    )
    stopped = []
    for message in waiting:
        try:
            outbox.cancel(message=message, reason="CUSTOMER_ON_HOLD", now=deed.now)
        except outbox.StateConflictError:
            continue
        stopped.append(message)
    ended(stopped, deed.now, actor=deed.actor)
    refresh(customer.organisation, [customer.pk], on=deed.on, now=deed.now)
    return len(stopped)


@transaction.atomic
def write_ahead(
    organisation: Organisation, customer_ids: Collection[int], *, leaves_on: date, deed: Deed
) -> list[Message]:
    """Write now what is foreseen to leave to these customers on `leaves_on`; queued for that day.

    All messages of a customer are written together. Those already written are not written twice.
    """
    start = dunning.departure_day(organisation, deed.now)
    wanted = dunning.leaving_on(organisation, customer_ids, on=leaves_on, start=start)
    if not wanted:
        return []
    at = clock.local_moment(organisation, leaves_on)
    written = outbox.queue(
        drafts=[
            replace(draft, not_before=max(at, deed.now))
            for draft in messages.drafts(organisation, wanted, leaves_on, not_before=at)
        ],
        now=deed.now,
    )
    _tell("message_written", written.messages, deed)
    return written.messages


def words_of(message: Message) -> messages.Words:
    """The words of a written message, with the table of invoices as its tag, to be edited."""
    as_text, _html = _table(message)
    body = message.text.replace("\r\n", "\n")
    if as_text:
        body = body.replace(as_text, TABLE, 1)
    return messages.Words(message.subject, body.strip())


@transaction.atomic
def reword_message(
    message: Message, *, words: messages.Words, recipients: Sequence[str], deed: Deed
) -> None:
    """Replace the words and addresses of a message that has not begun to leave.

    From then on they are a person's: they are never rendered again, and should an invoice be
    settled meanwhile the message is stopped rather than rewritten. Raises OutboxError.
    """
    table = _table(message)
    filled = templating.render(
        words.subject, words.body, templating.Values({}, {"tableau_factures": table})
    )
    outbox.edit(
        message=message,
        subject=filled.subject,
        text=filled.text,
        html=sheet.page(filled.subject, filled.html, message.debtor.language),
        recipients=list(recipients) or message.recipients,
        copies=message.copies,
    )
    Message.objects.filter(pk=message.pk).update(made_by=deed.actor)
    message.made_by = deed.actor
    _tell("message_edited", [message], deed)


def _table(message: Message) -> tuple[str, str]:
    """The table of invoices of a message, as its text and its HTML hold it; empty without one."""
    lines = MessageInvoice.objects.filter(message=message).select_related("invoice")
    invoices = [
        engine.Invoice(
            id=line.invoice_id,
            number=line.invoice.number,
            issued=line.invoice.issued,
            due=line.invoice.due,
            total=line.invoice.total_cents,
            balance=line.amount_cents,
            currency=line.invoice.currency,
        )
        for line in lines
    ]
    if not invoices:
        return "", ""
    invoices.sort(key=lambda invoice: (invoice.due, invoice.number))
    with override(message.debtor.language):
        return sheet.table(invoices, message.amount_cents)


def require_waiting(message: Message) -> None:
    """Refused when it has left, is leaving or was cancelled; the sentence says which."""
    if message.status not in outbox.NOT_GONE:
        raise Refused(
            _("Trop tard : ce message est à l’état « %(state)s ».")
            % {"state": message.get_status_display().lower()},
            "GONE",
        )


def _tell(kind: str, told: Sequence[Message], deed: Deed) -> None:
    """One event per message, so that a second person learns who did it."""
    by_organisation: dict[Organisation, list[Fact]] = {}
    for message in told:
        data: dict[str, Any] = {
            "level": message.level,
            "name": message.level_name,
            "purpose": message.purpose,
            "channel": message.channel,
        }
        fact = Fact(
            kind,
            deed.now,
            deed.on,
            message.customer_id,
            message.reference_id,
            message.pk,
            data=data,
            actor=deed.actor,
        )
        by_organisation.setdefault(message.organisation, []).append(fact)
    for organisation, facts in by_organisation.items():
        history.append(organisation, facts)


def _look_again(changed: Sequence[Message], deed: Deed) -> None:
    if changed:
        ids = sorted({message.debtor_id for message in changed})
        refresh(changed[0].organisation, ids, on=deed.on, now=deed.now)
