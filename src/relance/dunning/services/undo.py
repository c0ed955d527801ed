"""Taking back, at once, what one has just done by hand."""

from datetime import date, datetime

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from relance.accounts.models import User
from relance.dunning.hooks import ended
from relance.dunning.models import Action, Entry
from relance.dunning.run import refresh
from relance.dunning.services.common import Refused, tell
from relance.outbox import services as outbox
from relance.outbox.models import Message


@transaction.atomic
def cancel_message(message: Message, *, reason: str, actor: User, now: datetime) -> None:
    """Keep back a message that has not begun to leave; the journal says who did (S2-16).

    Its step is wanted again at the next pass. Raises StateConflictError of the outbox when the
    message is leaving or gone.
    """
    outbox.cancel(message=message, reason=reason, now=now)
    ended([message], now, actor=actor)


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
