"""The test mode of a dossier, entered and left: what it sent is undone at its end."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from typing import NamedTuple

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import QuerySet

from relance.accounts.models import Organisation, User
from relance.history import services as history
from relance.history.services import Fact
from relance.outbox import claims
from relance.outbox.diversion import UNDONE
from relance.outbox.models import Message, MessageInvoice, Status
from relance.outbox.services import NOT_GONE, OutboxError

CHUNK = 500
Ended = Callable[[Sequence[Message]], None]
"""Told of messages just undone, in the same transaction: entries and levels go with them."""


class Count(NamedTuple):
    """Messages of the test that left, that wait, and those made before, which wait for its end."""

    sent: int
    waiting: int
    before: int


@transaction.atomic
def enter(
    organisation: Organisation, *, to: str, actor: User, on: date, now: datetime
) -> Organisation:
    """From now on everything leaves to the address `to` instead; also changes the address.

    Raises OutboxError(BAD_ADDRESS).
    """
    to = to.strip()
    try:
        validate_email(to)
    except ValidationError as fault:
        raise OutboxError("BAD_ADDRESS") from fault
    locked = Organisation.objects.select_for_update(of=("self",)).get(pk=organisation.pk)
    was = locked.test_to
    if was != to:
        locked.test_to = to
        locked.test_since = locked.test_since if was else now
        locked.save(update_fields=["test_to", "test_since"])
        data = {"to": to, "was": was}
        history.append(locked, [Fact("test_mode_entered", now, on, data=data, actor=actor)])
    organisation.test_to, organisation.test_since = locked.test_to, locked.test_since
    return organisation


@transaction.atomic
def leave(organisation: Organisation, *, actor: User, on: date, now: datetime, ended: Ended) -> int:
    """The mode is over; how many messages of the test were undone.

    They are cancelled for the reason TEST, whether they left or still wait, and their steps are
    free: customers then get their first true relance. What was made before goes on.
    """
    locked = Organisation.objects.select_for_update(of=("self",)).get(pk=organisation.pk)
    if not locked.test_to:
        return 0
    to = locked.test_to
    mine = _of_the_test(locked)
    locked.test_to, locked.test_since = "", None
    locked.save(update_fields=["test_to", "test_since"])
    undone = undo(mine, at=now, ended=ended)
    data = {"to": to, "messages": undone}
    history.append(locked, [Fact("test_mode_left", now, on, data=data, actor=actor)])
    organisation.test_to, organisation.test_since = "", None
    return undone


def undo(messages: Iterable[QuerySet[Message]], *, at: datetime, ended: Ended) -> int:
    """Cancel these messages for the reason TEST, free their steps, tell `ended`; how many.

    Within the caller's transaction.
    """
    ids = sorted({pk for rows in messages for pk in rows.values_list("pk", flat=True)})
    for start in range(0, len(ids), CHUNK):
        part = ids[start : start + CHUNK]
        Message.objects.filter(pk__in=part).update(
            status=Status.CANCELLED, reason=UNDONE, ended_at=at, claimed_by="", recorded=True
        )
        MessageInvoice.objects.filter(message__in=part).update(live=False)
        ended(list(claims.whole(Message.objects.filter(pk__in=part)).order_by("pk")))
    return len(ids)


@transaction.atomic
def undo_late(messages: Sequence[Message], *, ended: Ended) -> int:
    """Those of a test that ended while they were leaving are undone now; how many."""
    tested = [one.pk for one in messages if one.diverted_to]
    if not tested:
        return 0
    at = max(one.sent_at or one.made_at for one in messages)
    late = Message.objects.filter(pk__in=tested, organisation__test_to="", status=Status.SENT)
    return undo([late], at=at, ended=ended)


def count(organisation: Organisation) -> Count:
    """What the page of the mode says; nothing outside it."""
    if not organisation.test_to:
        return Count(0, 0, 0)
    rows = Message.objects.filter(organisation=organisation)
    gone, waiting, leaving = _of_the_test(organisation)
    before = rows.filter(status__in=NOT_GONE, made_at__lt=organisation.test_since)
    return Count(gone.count(), waiting.count() + leaving.count(), before.count())


def waiting_for_real(organisation: Organisation) -> int:
    """Messages that wait now: on entering the mode they wait for its end."""
    return Message.objects.filter(organisation=organisation, status__in=NOT_GONE).count()


def _of_the_test(organisation: Organisation) -> list[QuerySet[Message]]:
    """Those that went to the address of the test; those that wait; those claimed, not leaving yet.

    One that is being handed over right now is undone once it has left (`undo_late`).
    """
    rows = Message.objects.filter(organisation=organisation)
    made = rows.filter(made_at__gte=organisation.test_since)
    ended = [Status.SENT, Status.UNCERTAIN, Status.FAILED, Status.BOUNCED]
    return [
        rows.filter(status__in=ended, diverted_to__gt=""),  # as its index says
        made.filter(status__in=NOT_GONE, print_run=None),
        made.filter(status=Status.SENDING, handed_at=None),
    ]
