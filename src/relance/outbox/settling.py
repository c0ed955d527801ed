"""An uncertain message, of which a person knows whether it left."""

from datetime import datetime

from django.db import transaction
from django.db.models import F

from relance.accounts import clock
from relance.accounts.models import User
from relance.history import services as history
from relance.history.services import Fact
from relance.outbox.errors import StateConflictError
from relance.outbox.mailbox_care import elsewhere
from relance.outbox.models import Attempt, Message, Status

BY_HAND = "settled by hand"
"""Answer of the attempt that stands for a person's word about an uncertain message."""


@transaction.atomic
def settle_uncertain(
    *, message: Message, sent: bool, actor: User, now: datetime, seen: int | None = None
) -> None:
    """A person knows: it left (`sent`), or it is to be sent again; the journal says who.

    When it left, its entries are written by the next `delivery.record_pending`. With `seen`, the
    attempts that were shown to the person, a page kept open decides about no later attempt.
    Raises StateConflictError: of two people, or two clicks, one is heard.
    """
    values: dict[str, object]
    if sent:
        values = {"status": Status.SENT, "sent_at": F("handed_at"), "error": ""}
    else:
        values = {"status": Status.QUEUED, "not_before": now, "handed_at": None, "error": ""}
        values |= elsewhere(message)
    doubtful = Message.objects.filter(pk=message.pk, status=Status.UNCERTAIN)
    if seen is not None:
        doubtful = doubtful.filter(attempts=seen)
    changed = doubtful.update(ended_at=now if sent else None, claimed_by="", **values)
    message.refresh_from_db()
    if not changed:
        raise StateConflictError(message.status)
    Attempt.objects.create(
        organisation_id=message.organisation_id,
        message=message,
        at=now,
        worker=str(actor)[:80],
        outcome=Attempt.Outcome.SENT if sent else Attempt.Outcome.TEMPORARY,
        answer=BY_HAND,
    )
    on = clock.local_date(message.organisation, now)
    data = {"sent": sent, "level": message.level, "name": message.level_name}
    history.append(
        message.organisation,
        [
            Fact(
                "message_decided",
                now,
                on,
                message.customer_id,
                message_id=message.pk,
                data=data,
                actor=actor,
            )
        ],
    )
