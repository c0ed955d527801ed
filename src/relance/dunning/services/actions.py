"""The to-do list: send, complete, skip, hand over."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from relance.accounts.models import User
from relance.dunning.daily.refreshing import refresh
from relance.dunning.daily.todo import ON_ITS_WAY, stored
from relance.dunning.facts.gather import rules_of
from relance.dunning.models import Action, Channel
from relance.dunning.services.common import (
    Refused,
    case_of,
    chased,
    enter,
    queue_one,
    sender_for,
    tell,
)
from relance.dunning.wording import messages
from relance.engine import deeds, wording
from relance.engine import model as engine
from relance.engine.review import recheck
from relance.outbox import services as outbox
from relance.outbox.models import Message
from relance.outbox.provider_care import leaves_alone
from relance.outbox.services import POSTED

BY_MESSAGE = (Channel.EMAIL, *POSTED)
"""Channels whose level rises when a message leaves, never when somebody says so (D-07)."""

UNDO_SECONDS = 10
"""A manual message waits this long before it leaves, so that one may call it back."""


def wanted_action(action: Action, *, on: date) -> messages.Wanted:
    """The open action with today's invoices, or `Refused` with the reason it is no longer wanted.

    The actions done on one day for one customer are re-checked together before the first (3.10).
    """
    organisation = action.organisation
    case = case_of(organisation, action.customer_id, on, without_actions_of=on)
    rules = rules_of(organisation)
    asked = stored(action)
    every = tuple(invoice.id for invoice in case.invoices)
    asked = asked._replace(invoices=every, carriers=every)
    answer = recheck(case, on, asked, rules)
    if isinstance(answer, engine.Reason):
        again = recheck(case, on, asked._replace(automatic=True), rules)
        if isinstance(again, engine.Reason):
            raise Refused(wording.sentence(answer, _), answer.code)
        answer = again
    return messages.Wanted(answer, case)


def preview_action(action: Action, *, on: date, now: datetime, actor: User) -> outbox.Draft:
    """The message that `send_action` would send, or `Refused` with the reason."""
    wanted = wanted_action(action, on=on)
    if action.reason == "NO_TEMPLATE" or not _has_words(action):
        raise Refused(
            _("Aucun modèle n’est associé à ce niveau\u00a0: choisissez-en un."), "NO_TEMPLATE"
        )
    [draft] = messages.drafts(
        action.organisation,
        [wanted],
        on,
        not_before=now,
        made_by=actor,
        action_id=action.pk,
    )
    return draft


def _has_words(action: Action) -> bool:
    return action.plan.steps.filter(level=action.level, template__isnull=False).exists()


@transaction.atomic
def send_action(
    action: Action,
    *,
    actor: User,
    on: date,
    now: datetime,
    words: messages.Words | None = None,
    recipients: Sequence[str] = (),
    copy_to_me: bool = False,
    sender_key: str = "",
) -> Message:
    """Queue the message of a to-do; it leaves after `UNDO_SECONDS` unless called back.

    A letter waits to be printed instead, and its level for the confirmation (D-07).
    `words` and `recipients` replace those of the template and of the customer, `sender_key` is
    a choice of `mailboxes.senders` (S4-06). Refused when the action is closed, not the actor's
    (S3-09), no longer wanted, or without any recipient.
    """
    action = locked(action)
    require_owner(action, actor)
    if words is None:
        draft = preview_action(action, on=on, now=now, actor=actor)
    else:
        [draft] = messages.drafts(
            action.organisation,
            [wanted_action(action, on=on)],
            on,
            not_before=now,
            made_by=actor,
            words=words,
            action_id=action.pk,
        )
    if draft.letter or draft.channel == Channel.SMS:
        return _without_mail(draft, now)
    to = list(recipients) or draft.recipients
    if not to:
        raise Refused(
            _(
                "Ce client n’a aucune adresse e-mail valable\u00a0: ajoutez-en une, ou "
                "tapez-en une ici."
            ),
            "NO_RECIPIENT",
        )
    chosen = sender_for(action.organisation, actor, sender_key)
    if chosen:
        draft = replace(
            draft, sender=chosen.sender, reply_to=chosen.reply_to, mailbox=chosen.mailbox
        )
    draft = replace(
        draft,
        recipients=to,
        copies=[actor.email] if copy_to_me else [],
        not_before=now + timedelta(seconds=UNDO_SECONDS),
    )
    return queue_one(draft, now=now)


def _without_mail(draft: outbox.Draft, now: datetime) -> Message:
    """A letter waits to be printed, or leaves by a provider as an SMS does, unless called back.

    `queue_one` refuses one without an address or a number.
    """
    alone = leaves_alone(draft.organisation.pk)
    if draft.channel == Channel.SMS and Channel.SMS not in alone:
        raise Refused(
            _("Aucun opérateur de SMS n’est raccordé\u00a0: envoyez-le de votre téléphone."),
            "NO_PROVIDER",
        )
    printed = draft.letter and Channel.LETTER not in alone
    undo = timedelta(seconds=0 if printed else UNDO_SECONDS)
    return queue_one(replace(draft, not_before=now + undo), now=now)


@transaction.atomic
def complete_action(
    action: Action, *, actor: User, on: date, now: datetime, note: str = "", result: str = ""
) -> None:
    """A call, a task or an SMS that a person sent is done: its level is reached.

    An e-mail and a letter are done when they leave (D-07), the letter by its print run. Refused
    (NOT_SENT) for them, unless the step could reach nobody (`reason`): then `note` says what the
    person did instead, and is required (NO_NOTE). `result` is one of `calls.Result`.
    """
    action = locked(action)
    require_owner(action, actor)
    by_gateway = action.channel == Channel.SMS and Channel.SMS in leaves_alone(
        action.organisation_id
    )
    if action.channel in BY_MESSAGE or by_gateway:
        _require_other_way(action, note)
    wanted = wanted_action(action, on=on)
    enter(
        action.organisation,
        action.customer_id,
        deeds.done(wanted.action, on, by_run=False),
        channel=action.channel,
        action_id=action.pk,
    )
    chased(action.organisation, wanted.action.invoices, on, wanted.action.level, wanted.action.name)
    _close(action, Action.Status.DONE, actor=actor, on=on, note=note, result=result)
    tell(
        "action_done",
        action.organisation,
        action.customer_id,
        wanted.action.invoices,
        actor=actor,
        on=on,
        now=now,
        data=about(action) | {"note": note, "amount_cents": wanted.action.amount, "result": result},
    )
    refresh(action.organisation, [action.customer_id], on=on, now=now)


@transaction.atomic
def skip_action(
    action: Action, *, actor: User, on: date, now: datetime, note: str = "", result: str = ""
) -> None:
    """Ignore: the level counts as passed, and not as a contact."""
    action = locked(action)
    require_owner(action, actor)
    organisation = action.organisation
    case = case_of(organisation, action.customer_id, on)
    asked = stored(action)
    try:
        carriers = wanted_action(action, on=on).action.carriers
    except Refused:
        carriers = asked.carriers
    pending = [asked._replace(invoices=carriers, carriers=carriers)]
    customer_scope = case.plan is not None and case.plan.scope == "customer"
    entries = [
        entry
        for one in ([None] if customer_scope else carriers)
        for entry in deeds.skipped(case, on, rules_of(organisation), one, pending)
        if not customer_scope or entry.currency == action.currency
    ]
    enter(organisation, action.customer_id, entries, action_id=action.pk)
    _close(action, Action.Status.SKIPPED, actor=actor, on=on, note=note, result=result)
    tell(
        "action_skipped",
        organisation,
        action.customer_id,
        carriers,
        actor=actor,
        on=on,
        now=now,
        data=about(action) | ({"note": note, "result": result} if result else {}),
    )
    refresh(organisation, [action.customer_id], on=on, now=now)


@transaction.atomic
def change_owners(
    action: Action, *, owners: Collection[User], actor: User, on: date, now: datetime
) -> None:
    """An administrator says who is to do it (S3-11, D-20); `Refused` once it is closed or sent."""
    if not owners:
        raise Refused(_("Une action a au moins un responsable."), "NO_OWNER")
    action = locked(action)
    action.owners.set(owners)
    tell(
        "owners_changed",
        action.organisation,
        action.customer_id,
        [action.reference_id],
        actor=actor,
        on=on,
        now=now,
        data=about(action) | {"owners": [str(owner) for owner in owners]},
    )


def locked(action: Action) -> Action:
    """The row as it is now, ours until the end of the transaction.

    `Refused` when it is closed, or when somebody has sent it and its message has not ended.
    """
    fresh = (
        Action.objects.select_for_update(of=("self",))
        .select_related("organisation", "plan", "customer")
        .get(pk=action.pk)
    )
    if fresh.status != Action.Status.OPEN:
        who = _(" par %(name)s") % {"name": fresh.closed_by} if fresh.closed_by else ""
        raise Refused(
            _("Cette action est déjà close%(who)s (%(status)s).")
            % {"who": who, "status": fresh.get_status_display().lower()},
            "CLOSED",
        )
    if Message.objects.filter(action_id=fresh.pk, status__in=ON_ITS_WAY).exists():
        raise Refused(_("Ce message est déjà en route."), "ALREADY_QUEUED")
    return fresh


def require_owner(action: Action, actor: User) -> None:
    """Refused (NOT_OWNER) when it is not his to do (S3-09)."""
    if not action.owners.filter(pk=actor.pk).exists():
        names = ", ".join(str(owner) for owner in action.owners.all())
        raise Refused(
            _("Cette action revient à %(names)s.") % {"names": names or _("personne")}, "NOT_OWNER"
        )


def _require_other_way(action: Action, note: str) -> None:
    if not action.reason:
        if action.channel == Channel.SMS:
            text = _("Ce SMS n’est pas parti\u00a0: son niveau monte quand il part. Envoyez-le.")
        elif action.channel == Channel.EMAIL:
            text = _("Cet e-mail n’est pas parti : son niveau monte quand il part. Envoyez-le.")
        else:
            text = _(
                "Ce courrier n’est pas imprimé : son niveau monte quand son impression est "
                "confirmée. Imprimez-le."
            )
        raise Refused(text, "NOT_SENT")
    if not note.strip():
        raise Refused(_("Dites en note comment ce client a été relancé."), "NO_NOTE")


def _close(
    action: Action,
    status: Action.Status,
    *,
    actor: User,
    on: date,
    note: str = "",
    result: str = "",
) -> None:
    action.status, action.closed_on, action.closed_by, action.note = status, on, actor, note
    action.result = result
    action.save(update_fields=["status", "closed_on", "closed_by", "note", "result"])


def about(action: Action) -> dict[str, object]:
    """What the journal keeps of an action."""
    return {
        "level": action.level,
        "name": action.level_name,
        "channel": action.channel,
        "channel_label": str(Channel(action.channel).label),
    }
