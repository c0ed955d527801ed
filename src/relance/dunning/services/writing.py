""" "Relancer" between two steps: an e-mail or a letter written by a person."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from relance.accounts.models import User
from relance.dunning.models import Channel
from relance.dunning.services.actions import UNDO_SECONDS
from relance.dunning.services.common import Refused, case_of, queue_one, sender_for
from relance.dunning.wording import enclosures, messages
from relance.engine import model as engine
from relance.ledger.models import Customer, Invoice
from relance.outbox import once
from relance.outbox.models import Message
from relance.outbox.services import Draft


class WrittenError(Exception):
    """A person wrote to this customer about these invoices a few minutes ago: `message`."""

    def __init__(self, message: Message) -> None:
        super().__init__(message.pk)
        self.message = message


def _refuse_second(draft: Draft, seen: int | None, now: datetime) -> None:
    ids = [line.invoice_id for line in draft.lines]
    before = once.just_written(draft.organisation, draft.debtor_id, ids, now=now)
    if before is not None and before.pk != seen:
        raise WrittenError(before)


@transaction.atomic
def write_to(
    customer: Customer,
    *,
    invoices: Sequence[Invoice],
    words: messages.Words,
    actor: User,
    on: date,
    now: datetime,
    recipients: Sequence[str] = (),
    copy_to_me: bool = False,
    channel: str = Channel.EMAIL,
    sender_key: str = "",
    enclosed: enclosures.Enclosed = enclosures.NOTHING,
    form_key: str = "",
    seen: int | None = None,
) -> Message:
    """A message between two steps about these invoices (S3-16): a contact, no level.

    The form of `form_key` (`outbox.once`), sent again, gives the message that it has sent.

    Raises WrittenError when somebody wrote to him about these invoices just before, unless
    `seen` is the key of that message: whoever has read of it may send all the same.

    `sender_key` is a choice of `mailboxes.senders` (S4-06), by default the first. A letter
    (S2-01) waits to be printed; it needs a postal address instead of recipients. `enclosed` goes
    with an e-mail alone: own files, and the RIB when there is an IBAN.
    """
    draft = preview_to(
        customer,
        invoices=invoices,
        words=words,
        actor=actor,
        on=on,
        now=now,
        recipients=recipients,
        copy_to_me=copy_to_me,
        channel=channel,
        sender_key=sender_key,
        enclosed=enclosed,
    )
    if not draft.recipients and not draft.letter:
        raise Refused(_("Ce client n’a aucune adresse e-mail valable."), "NO_RECIPIENT")
    Customer.objects.select_for_update().get(pk=customer.pk)  # of two people, one comes second
    if not form_key:
        _refuse_second(draft, seen, now)
        return queue_one(draft, now=now)
    ref = once.ref_of(form_key, actor=actor, about=customer.pk, sender=draft.sender)
    if sent := once.already_sent(customer.organisation, ref):
        return sent
    _refuse_second(draft, seen, now)
    try:
        return queue_one(replace(draft, ref="" if once.is_taken(ref) else ref), now=now)
    except Refused:
        if sent := once.already_sent(customer.organisation, ref):  # by the other click, just now
            return sent
        raise


def preview_to(
    customer: Customer,
    *,
    invoices: Sequence[Invoice],
    words: messages.Words,
    actor: User,
    on: date,
    now: datetime,
    recipients: Sequence[str] = (),
    copy_to_me: bool = False,
    channel: str = Channel.EMAIL,
    sender_key: str = "",
    enclosed: enclosures.Enclosed = enclosures.NOTHING,
) -> Draft:
    """What `write_to` would queue, nothing written: the same words, addresses, copies, files."""
    organisation = customer.organisation
    [draft] = messages.drafts(
        organisation,
        [free_message(customer, invoices=invoices, on=on)],
        on,
        not_before=now + timedelta(seconds=UNDO_SECONDS),
        made_by=actor,
        words=words,
        channel=channel,
        sender=sender_for(organisation, actor, sender_key),
    )
    to = [] if draft.letter else list(recipients) or draft.recipients
    return replace(
        draft,
        purpose=Message.Purpose.AD_HOC,
        plan_id=None,
        reference_id=None,
        level=None,
        level_name="",
        recipients=to,
        copies=[actor.email] if copy_to_me and to else [],
        enclosed=()
        if draft.letter
        else enclosures.files_of(organisation, enclosed, now=draft.not_before),
        lines=[
            line._replace(carrier=False, plan_id=None, level=None, cycle=0) for line in draft.lines
        ],
    )


def free_message(customer: Customer, *, invoices: Sequence[Invoice], on: date) -> messages.Wanted:
    """What an ad-hoc message is about, in the shape that the writer of messages takes.

    Refused when nothing is chosen, nothing is owed, or two currencies are mixed.
    """
    case = case_of(customer.organisation, customer.pk, on)
    chosen = {invoice.pk for invoice in invoices}
    owed = [one for one in case.invoices if one.id in chosen and one.balance > 0]
    if not owed:
        raise Refused(_("Choisissez au moins une facture encore due par ce client."), "SETTLED")
    if len({one.currency for one in owed}) > 1:
        raise Refused(_("Un message ne peut pas mêler deux monnaies."), "TWO_CURRENCIES")
    oldest = min(owed, key=lambda one: (one.due, one.number))
    ids = tuple(one.id for one in owed)
    action = engine.Action(
        customer=customer.pk,
        currency=oldest.currency,
        plan=0,
        level=0,
        name="",
        channel="email",
        automatic=False,
        reference=oldest.id,
        invoices=ids,
        carriers=(),
        amount=sum(one.balance for one in owed),
        since=on,
    )
    return messages.Wanted(action, case)
