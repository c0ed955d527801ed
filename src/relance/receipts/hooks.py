"""What the outbox asks and tells about requests for receipts."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from django.db.models import Min

from relance.accounts import clock
from relance.accounts.models import Organisation
from relance.history.services import Fact, append
from relance.outbox.delivery import Cancel, Hooks, Verdict
from relance.outbox.diversion import UNDONE
from relance.outbox.models import Message
from relance.receipts.models import Asked, FileSchedule, Request


def hooks(now: Callable[[], datetime]) -> Hooks:
    """Bound to a clock, as those of the other chase."""
    return Hooks(
        recheck=recheck,
        record=lambda sent: _tell(sent, "receipts_sent", now()),
        ended=lambda stopped: ended(stopped, now()),
    )


def ended(stopped: Sequence[Message], now: datetime) -> None:
    """Requests that did not leave; those of a test mode that is over are forgotten altogether.

    Their links open nothing any more, and the dates of the calendar that they served are to be
    served again: the client then gets his first true request.
    """
    _tell(stopped, "receipts_not_sent", now)
    tested = [one.request_id for one in stopped if one.reason == UNDONE and one.request_id]
    requests = Request.objects.filter(pk__in=tested)
    served = requests.filter(kind=Request.Kind.AUTOMATIC).values_list("organisation_id")
    for organisation, first in served.annotate(Min("on")).order_by():
        FileSchedule.objects.filter(organisation=organisation, served_on__gte=first).update(
            served_on=first - timedelta(days=1)
        )
    requests.delete()


def bounced(messages: Sequence[Message], now: datetime) -> None:
    """Requests that reached nobody: Demandes shows them refused, the journal says so."""
    _tell(messages, "receipts_not_sent", now)


def recheck(batch: Sequence[Message]) -> dict[int, Verdict]:
    """A request of which everything has been justified meanwhile does not leave (S0-36).

    Nor does an automatic one once the switch over automatic sending is off.
    """
    asked = {message.request_id for message in batch if message.request_id}
    missing = set(
        Asked.objects.filter(request_id__in=asked)
        .exclude(transaction__missing="")
        .values_list("request_id", flat=True)
    )
    verdicts: dict[int, Verdict] = {
        message.pk: Cancel("NOTHING_MISSING")
        for message in batch
        if message.request_id not in missing
    }
    off = set(
        Organisation.objects.filter(
            pk__in={m.organisation_id for m in batch if m.automatic}, sending_on=False
        ).values_list("pk", flat=True)
    )
    stopped = [m for m in batch if m.automatic and m.organisation_id in off]
    return verdicts | {message.pk: Cancel("SENDING_OFF") for message in stopped}


def _tell(messages: Sequence[Message], kind: str, now: datetime) -> None:
    """One event per message in the journal of its dossier."""
    for message in messages:
        organisation = message.organisation
        on = clock.local_date(organisation, now)
        data = {"to": message.recipients, "status": message.status, "error": message.error[:200]}
        if message.diverted_to:
            data["diverted_to"] = message.diverted_to
        fact = Fact(kind, now, on, message_id=message.pk, data=data, actor=message.made_by)
        append(organisation, [fact])
