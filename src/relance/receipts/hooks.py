"""What the outbox asks and tells about requests for receipts."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from django.db.models import Min, QuerySet

from relance.accounts import clock
from relance.accounts.models import Organisation
from relance.history.services import Fact, append
from relance.outbox.delivery import Cancel, Hooks, Verdict
from relance.outbox.diversion import UNDONE
from relance.outbox.models import Message
from relance.receipts.models import Asked, FileSchedule, Request
from relance.receipts.services.asking import readers_of_all


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
    served again: the client then gets his first true request. The journal names each.
    """
    _tell(stopped, "receipts_not_sent", now)
    tested = [one.request_id for one in stopped if one.reason == UNDONE and one.request_id]
    requests = Request.objects.filter(pk__in=tested)
    served = requests.filter(kind=Request.Kind.AUTOMATIC).values_list("organisation_id")
    for organisation, first in served.annotate(Min("on")).order_by():
        FileSchedule.objects.filter(organisation=organisation, served_on__gte=first).update(
            served_on=first - timedelta(days=1)
        )
    _tell_forgotten(requests, stopped, now)
    requests.delete()


def _tell_forgotten(requests: QuerySet[Request], stopped: Sequence[Message], now: datetime) -> None:
    """One event per request of the test, with all that its row said."""
    to = {one.request_id: one for one in stopped}
    facts: dict[Organisation, list[Fact]] = {}
    for request in requests.select_related("organisation").order_by("pk"):
        message = to[request.pk]
        data = {
            "request": request.pk,
            "kind": request.kind,
            "on": request.on.isoformat(),
            "count": request.count,
            "amount_cents": request.amount_cents,
            "to": message.recipients,
        }
        on = clock.local_date(request.organisation, now)
        fact = Fact("receipts_forgotten", now, on, message_id=message.pk, data=data)
        facts.setdefault(request.organisation, []).append(fact)
    for organisation, of_it in facts.items():
        append(organisation, of_it)


def bounced(messages: Sequence[Message], now: datetime) -> None:
    """Requests that reached nobody: Demandes shows them refused, the journal says so."""
    _tell(messages, "receipts_not_sent", now)


def recheck(batch: Sequence[Message]) -> dict[int, Verdict]:
    """A request of which everything has been justified meanwhile does not leave (S0-36).

    Nor does an automatic one once the switch over automatic sending is off, nor one of which
    nobody may receive it any more; those who may not are taken off the others (S0-28).
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
    verdicts |= {message.pk: Cancel("SENDING_OFF") for message in stopped}
    return verdicts | _without_those_who_left([m for m in batch if m.pk not in verdicts])


def _without_those_who_left(batch: Sequence[Message]) -> dict[int, Verdict]:
    """Take off whoever lost his right since the request; cancel those that nobody is left to read.

    They never had its link, so that it stays open for the others. What a server may have taken
    already is not rewritten.
    """
    fresh = [m for m in batch if m.handed_at is None and m.request_id]
    chosen = Request.objects.prefetch_related("users").in_bulk({m.request_id for m in fresh})
    people = readers_of_all({m.organisation_id for m in fresh})
    verdicts: dict[int, Verdict] = {}
    for message in fresh:
        request = chosen.get(message.request_id or 0)
        if request is None:
            continue
        may = {one.user.pk for one in people[message.organisation_id] if one.eligible}
        lost = [user for user in request.users.all() if user.pk not in may]
        if len(lost) == len(request.users.all()):
            verdicts[message.pk] = Cancel("NO_ELIGIBLE_RECIPIENT")
        elif lost:
            gone = {user.email for user in lost}
            message.recipients = [one for one in message.recipients if one not in gone]
            mine = Message.objects.filter(pk=message.pk, handed_at=None)
            mine.update(recipients=message.recipients)
            request.users.remove(*lost)
    return verdicts


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
