"""Taking back, at once, what one has just done by hand."""

from datetime import date, datetime

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from relance.accounts import clock
from relance.accounts.models import User
from relance.dunning.daily.hooks import ended
from relance.dunning.daily.rechecking import as_action
from relance.dunning.daily.refreshing import refresh
from relance.dunning.facts.gather import rules_of
from relance.dunning.models import Action, Entry
from relance.dunning.services.common import Refused, case_of, enter, tell
from relance.engine import deeds
from relance.outbox import services as outbox
from relance.outbox.models import Message


@transaction.atomic
def cancel_message(message: Message, *, reason: str, actor: User, now: datetime) -> None:
    """Cancel a message that has not begun to leave; the journal says who did (S2-16).

    The step of an automatic one counts as passed and as no contact, like an action ignored
    (engine rules, section 4): the next pass does not write it again behind its author's back.
    That of a manual one is to be done again. Raises StateConflictError of the outbox when the
    message is leaving or gone.
    """
    outbox.cancel(message=message, reason=reason, now=now)
    if message.automatic and message.purpose == Message.Purpose.STEP:
        _pass_step(message, actor=actor, now=now)
    ended([message], now, actor=actor)


def _pass_step(message: Message, *, actor: User, now: datetime) -> None:
    organisation, customer = message.organisation, message.debtor_id
    on = clock.local_date(organisation, now)
    case = case_of(organisation, customer, on)
    if case.plan is None or case.plan.id != message.plan_id:
        return
    action = as_action(message, list(message.lines.all()))
    whole = case.plan.scope == "customer"
    entries = [
        entry
        for one in ([None] if whole else action.carriers)
        for entry in deeds.skipped(case, on, rules_of(organisation), one, [action])
        if entry.currency == message.currency
    ]
    enter(organisation, customer, entries)
    tell(
        "action_skipped",
        organisation,
        customer,
        [entry.reference for entry in entries if entry.reference is not None],
        actor=actor,
        on=on,
        now=now,
        data={"level": message.level, "name": message.level_name, "channel": message.channel},
    )


@transaction.atomic
def unskip_action(action: Action, *, actor: User, on: date, now: datetime) -> None:
    """Open again an action that `actor` ignored today; its level no longer counts as passed.

    Refused when it was not ignored by the actor on `on`, or when the same step is open anew.
    """
    fresh = Action.objects.select_for_update(of=("self",)).get(pk=action.pk)
    ignored = fresh.status == Action.Status.SKIPPED
    if not ignored or fresh.closed_by_id != actor.pk or fresh.closed_on != on:
        raise Refused(_("Cette action ne peut plus être reprise."), "NOT_SKIPPED")
    Entry.objects.filter(action_id=fresh.pk, kind=Entry.Kind.SKIPPED, on=on).update(void=True)
    fresh.status, fresh.closed_on, fresh.closed_by = Action.Status.OPEN, None, None
    try:
        with transaction.atomic():
            fresh.save(update_fields=["status", "closed_on", "closed_by"])
    except IntegrityError as taken:
        raise Refused(_("La même étape attend déjà d’être faite."), "ALREADY_OPEN") from taken
    tell(
        "action_reopened",
        fresh.organisation,
        fresh.customer_id,
        [fresh.reference_id],
        actor=actor,
        on=on,
        now=now,
        data={"level": fresh.level, "name": fresh.level_name, "channel": fresh.channel},
    )
    refresh(fresh.organisation, [fresh.customer_id], on=on, now=now)
