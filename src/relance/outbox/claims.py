"""Who may deliver which message: claims, the two marks around the point of no return, recovery.

A message that is `sending` tells by itself how far it came: `handed_at` is set just before the
point of no return, `sent_at` right after the answer. So whoever finds it abandoned knows:
neither mark → nothing left, back to the queue; both → it left; only the first → uncertain.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from time import sleep
from typing import NamedTuple

from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Case, F, Prefetch, QuerySet, Value, When

from relance.outbox import diversion, identity, provider_care
from relance.outbox.models import WAITING, Attempt, Message, MessageInvoice, Status

HANDING = (
    "UPDATE outbox_message SET handed_at = %s, diverted_to = %s, handed_sha256 = %s"
    " WHERE id = %s AND claimed_by = %s AND status = 'sending' AND handed_at IS NULL"
    " AND EXISTS (SELECT 1 FROM accounts_organisation o"
    " WHERE o.id = outbox_message.organisation_id AND o.test_to = %s)"
)
LEFT = (
    "UPDATE outbox_message SET sent_at = %s"
    " WHERE id = %s AND claimed_by = %s AND status IN ('sending', 'uncertain')"
    " AND handed_at IS NOT NULL"
)
UNREACHABLE = (OperationalError, InterfaceError)
"""What a database raises that is full, locked for too long, restarted or gone."""
PAUSES = (0.2, 1, 5, 10)  # seconds before it is asked again

_known: dict[str, dict[int, datetime | None]] = {}
"""What a claimant of this process knows and could not write: the moment at which a message left,
None when it certainly did not."""


class ClaimLostError(Exception):
    """Somebody took this claimant for dead and gave the message back: do not send it."""


class Abandoned(NamedTuple):
    """What a claimant left behind: ids back in the queue, messages that left, uncertain ones."""

    requeued: int
    left: list[Message]
    uncertain: list[Message]


@contextmanager
def durable() -> Iterator[None]:
    """A transaction that also survives a power cut: SQLite otherwise waits for the checkpoint."""
    special = connection.vendor == "sqlite" and not connection.in_atomic_block
    if special:
        connection.ensure_connection()
        connection.cursor().execute("PRAGMA synchronous=FULL")
    try:
        with transaction.atomic():
            yield
    finally:
        if special:
            connection.cursor().execute("PRAGMA synchronous=NORMAL")


def whole(messages: QuerySet[Message]) -> QuerySet[Message]:
    """With all that delivering needs: organisation, mailbox, lines and their invoices."""
    lines = MessageInvoice.objects.select_related("invoice").order_by("pk")
    return messages.prefetch_related("organisation", "mailbox", "files", Prefetch("lines", lines))


def held(messages: Iterable[Message]) -> QuerySet[Message]:
    """Rows whose claim is still the one of these messages: not given back, nobody else's since."""
    return Message.objects.filter(claimed_by__in={one.claimed_by for one in messages})


def claim(*, worker: str, at: datetime, limit: int, channels: Sequence[str]) -> list[Message]:
    """Make at most `limit` due messages this worker's own, oldest first."""
    claimable = diversion.claimable(provider_care.reachable(channels), channels)
    due = [
        Message.objects.filter(claimable, status=status, not_before__lte=at)
        .order_by("not_before", "pk")
        .values_list("pk", flat=True)
        for status in (Status.RETRYING, Status.QUEUED)  # each has its index
    ]
    if not any(waiting.exists() for waiting in due):  # no lock is asked for in vain
        return []
    ids: list[int] = []
    with durable():
        for waiting in due:
            ids += waiting.select_for_update(skip_locked=True)[: limit - len(ids)]
        Message.objects.filter(pk__in=ids, status__in=WAITING, print_run=None).update(
            status=Status.SENDING,
            claimed_by=worker,
            claimed_at=at,
            handed_at=None,
            sent_at=None,
        )
    mine = Message.objects.filter(pk__in=ids, status=Status.SENDING, claimed_by=worker)
    return list(whole(mine).order_by("not_before", "pk"))


def mark_handing(*, message: Message, worker: str, at: datetime) -> None:
    """The point of no return comes next. Raises ClaimLostError: then nothing may leave.

    So it is when the test mode was switched since the bytes were made (`diversion`). The digest
    of these bytes (`handed_sha256`) is kept by the same statement.

    Nor may anything when the database does not answer; it may have kept the mark nevertheless,
    so that this process remembers the truth for `abandon`.
    """
    forget(worker, message.pk)
    to = message.diverted_to
    try:
        marked = _mark(HANDING, at, to, message.handed_sha256, message.pk, worker, to)
    except UNREACHABLE:
        _known.setdefault(worker, {})[message.pk] = None
        raise
    if not marked:
        raise ClaimLostError(message.pk)
    message.handed_at = at


def mark_left(*, message: Message, worker: str, at: datetime) -> bool:
    """The other side took it; False when a person has settled it otherwise meanwhile.

    A database that does not answer is asked again for a while; when it still does not, this
    process remembers that the message left until its claims are settled (`abandon`).
    """
    message.sent_at = at
    for pause in (*PAUSES, None):
        try:
            marked = _mark(LEFT, at, message.pk, worker)
        except UNREACHABLE:
            _known.setdefault(worker, {})[message.pk] = at
            if pause is None or connection.in_atomic_block:
                raise
            connection.close()
            sleep(pause)
        else:
            forget(worker, message.pk)
            return marked
    raise AssertionError("the last pause is None")


def forget(worker: str, pk: int | None = None) -> None:
    """Drop what was remembered of one message, or of all: the database says it, or others do."""
    if pk is None:
        _known.pop(worker, None)
    else:
        _known.get(worker, {}).pop(pk, None)


def _mark(sql: str, at: datetime, *values: str | int) -> bool:
    """One statement, one commit, written out: it runs twice for each mail."""
    with connection.cursor() as cursor:
        cursor.execute(sql, [connection.ops.adapt_datetimefield_value(at), *values])
        return bool(cursor.rowcount == 1)


def give_back(*, worker: str, message_ids: Sequence[int] | None = None) -> int:
    """Put this worker's messages that did not reach the point of no return back; how many."""
    mine = Message.objects.filter(status=Status.SENDING, claimed_by=worker, handed_at__isnull=True)
    if message_ids is not None:
        mine = mine.filter(pk__in=message_ids)
    before = Case(When(attempts__gt=0, then=Value(Status.RETRYING)), default=Value(Status.QUEUED))
    return mine.update(status=before, claimed_by="", claimed_at=None)


@transaction.atomic
def abandon(*, claimant: str, at: datetime) -> Abandoned:
    """Sort out what a claimant that will not return left behind; nothing is sent again.

    After a start of the machine itself an SQLite file may have lost its last marks: then
    whatever was claimed and not known to have left is uncertain.
    """
    _write_known(claimant)
    trusted = connection.vendor != "sqlite" or identity.same_boot(claimant)
    requeued = give_back(worker=claimant) if trusted else 0
    locked = Message.objects.select_for_update().filter(status=Status.SENDING, claimed_by=claimant)
    ids = list(locked.order_by("pk").values_list("pk", flat=True))
    messages = list(whole(Message.objects.filter(pk__in=ids)).order_by("pk"))
    left = [message for message in messages if message.sent_at]
    uncertain = [message for message in messages if not message.sent_at]
    Message.objects.filter(pk__in=[message.pk for message in uncertain]).update(
        status=Status.UNCERTAIN,
        ended_at=at,
        attempts=F("attempts") + 1,
        handed_at=Case(When(handed_at__isnull=True, then=F("claimed_at")), default=F("handed_at")),
    )
    Attempt.objects.bulk_create(
        Attempt(
            organisation_id=message.organisation_id,
            message=message,
            at=message.handed_at or at,
            worker=claimant,
            outcome=Attempt.Outcome.UNCERTAIN,
        )
        for message in uncertain
    )
    for message in uncertain:
        message.status = Status.UNCERTAIN
    return Abandoned(requeued, left, uncertain)


def _write_known(claimant: str) -> None:
    """Write down what this process knows better than the marks; forgotten once committed."""
    for pk, left_at in _known.get(claimant, {}).items():
        if left_at is not None:
            _mark(LEFT, left_at, pk, claimant)
            continue
        unsent = Message.objects.filter(pk=pk, claimed_by=claimant, sent_at=None)
        unsent.filter(status=Status.SENDING).update(handed_at=None)
    transaction.on_commit(lambda: forget(claimant))


def dead_claimants(*, at: datetime) -> list[str]:
    """The names that hold claims and whose process is gone, or silent for too long."""
    signs: dict[str, datetime] = {}
    held = Message.objects.filter(status=Status.SENDING)
    for name, *moments in held.values_list("claimed_by", "claimed_at", "handed_at", "sent_at"):
        last = max(moment for moment in moments if moment)
        signs[name] = max(last, signs.get(name, last))
    return [name for name, last in signs.items() if identity.is_dead(name, last_sign=last, at=at)]
