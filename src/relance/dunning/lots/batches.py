"""Many customers handled in one deed: written first, then worked through by chunks.

The lines are rows before anything is done. A chunk is one transaction that begins by taking the
batch, so that two workers never do a line twice and a chunk broken off leaves no trace: whoever
comes next takes up what still waits. What a line does is the business of its kind's handler
(`batch_kinds`).
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple

from django.db import OperationalError, transaction
from django.db.models import Count, F, Q, QuerySet
from django.utils.translation import gettext as _

from relance.accounts import clock
from relance.accounts.bulk import create_many, update_many
from relance.accounts.models import User
from relance.dunning.daily.hooks import ended
from relance.dunning.models import Batch, BatchLine
from relance.dunning.services.common import Refused
from relance.history import services as history
from relance.history.services import Fact
from relance.outbox import services as outbox
from relance.outbox.models import Message, Status

log = logging.getLogger(__name__)

CHUNK = 500
LARGE = 5_000
"""Lines written in one transaction: about half a second."""
AT_WORK = [Batch.Status.SCHEDULED, Batch.Status.RUNNING]

Handler = Callable[[Batch, Sequence[BatchLine], date, datetime], None]
"""Does a chunk of waiting lines on a local date: sets on each its `status`, `reason`, `detail`,
`message_id`, `before`. Called inside the transaction that saves them.
"""

_DONE_FIELDS = [
    "status",
    "reason",
    "detail",
    "message_id",
    "before",
    "invoices",
    "level",
    "level_name",
    "amount_cents",
    "currency",
]


@transaction.atomic
def open_batch(batch: Batch, lines: Sequence[BatchLine], *, now: datetime) -> Batch:
    """Write an unsaved batch as a draft with its lines, whose `batch` and organisation are set."""
    batch.status, batch.made_at, batch.total = Batch.Status.DRAFT, now, len(lines)
    batch.save()
    add_lines(batch, lines)
    return batch


def begin(batch: Batch, lines: Sequence[BatchLine], *, actor: User, now: datetime) -> Batch:
    """Write an unsaved batch with its lines and let it start: at work whole, or not there at all.

    Beyond `LARGE` lines each `LARGE` are a transaction, so that others may write in between; it is
    a draft until the last, deleted when one of them breaks.
    """
    with transaction.atomic():
        open_batch(batch, lines[:LARGE], now=now)
        if len(lines) <= LARGE:
            return start(batch, actor=actor, now=now)
    try:
        for begun in range(LARGE, len(lines), LARGE):
            with transaction.atomic():
                add_lines(batch, lines[begun : begun + LARGE])
        Batch.objects.filter(pk=batch.pk).update(total=len(lines))
        batch.refresh_from_db()
        return start(batch, actor=actor, now=now)
    except BaseException:
        Batch.objects.filter(pk=batch.pk, status=Batch.Status.DRAFT).delete()
        raise


def add_lines(batch: Batch, lines: Sequence[BatchLine]) -> None:
    """Write more lines; the caller keeps `batch.total`."""
    for line in lines:
        line.batch, line.organisation_id = batch, batch.organisation_id
    create_many(BatchLine, lines)


@transaction.atomic
def start(batch: Batch, *, actor: User, now: datetime, not_before: datetime | None = None) -> Batch:
    """Let a draft begin, at once or at `not_before` (UTC). `Refused` when somebody already did."""
    later = not_before is not None and not_before > now
    changed = Batch.objects.filter(pk=batch.pk, status=Batch.Status.DRAFT).update(
        status=Batch.Status.SCHEDULED if later else Batch.Status.RUNNING,
        not_before=not_before,
        started_at=None if later else now,
        beat_at=now,
    )
    batch.refresh_from_db()
    if not changed:
        raise Refused(
            _("Cet envoi a déjà été lancé par %(who)s.") % {"who": batch.made_by or _("quelqu’un")},
            "ALREADY_STARTED",
        )
    tell("batch_started", batch, actor, now, {"lines": batch.total})
    return batch


class Pace(NamedTuple):
    """How much to do at a time: lines in a chunk, and seconds after which to stop (None: never)."""

    chunk: int = CHUNK
    seconds: float | None = None


def advance(batch: Batch, *, handler: Handler, now: datetime, pace: Pace = Pace()) -> Batch:  # noqa: B008
    """Do waiting lines chunk by chunk until none is left, or the time given is over."""
    begun = time.monotonic()
    on = clock.local_date(batch.organisation, now)
    while _chunk(batch, handler, on, now, pace.chunk):
        if pace.seconds is not None and time.monotonic() - begun > pace.seconds:
            break
    batch.refresh_from_db()
    return batch


def work(now: datetime, handlers: Mapping[str, Handler], pace: Pace = Pace()) -> int:  # noqa: B008
    """Begin the batches whose time has come and go on with all that run; how many were touched.

    Called again and again by workers; what a dead one left is taken up here.
    """
    Batch.objects.filter(status=Batch.Status.SCHEDULED, not_before__lte=now).update(
        status=Batch.Status.RUNNING, started_at=now
    )
    running = Batch.objects.filter(status=Batch.Status.RUNNING).select_related(
        "organisation", "made_by"
    )
    touched = 0
    for batch in running.order_by("id"):
        advance(batch, handler=handlers[batch.kind], now=now, pace=pace)
        touched += 1
    return touched


def _chunk(batch: Batch, handler: Handler, on: date, now: datetime, size: int) -> bool:
    """One chunk; False when there is nothing more to do. A chunk that breaks is done by lines."""
    try:
        return _do(batch, handler, on, now, size) > 0
    except OperationalError:  # a busy database, not a bad line: the next turn goes on
        log.exception("batch %s waits for the database", batch.pk)
        return False
    except Exception:
        log.exception("a chunk of batch %s broke off", batch.pk)
        if size == 1:
            return _set_aside(batch, now)
        return _by_lines(batch, handler, on, now, size)


def _by_lines(batch: Batch, handler: Handler, on: date, now: datetime, size: int) -> bool:
    return all(_chunk(batch, handler, on, now, 1) for _line in range(size))


@transaction.atomic
def _do(batch: Batch, handler: Handler, on: date, now: datetime, size: int) -> int:
    """How many lines were done; at none the batch is over."""
    taken = Batch.objects.filter(pk=batch.pk, status=Batch.Status.RUNNING)
    if not taken.update(beat_at=now):  # the write lock, before anything is read
        return 0
    lines = list(
        BatchLine.objects.filter(batch=batch, status=BatchLine.Status.WAITING)
        .select_related("customer")
        .order_by("id")[:size]
    )
    if not lines:
        _finish(batch, now)
        return 0
    handler(batch, lines, on, now)
    update_many(BatchLine, _DONE_FIELDS, lines)
    done = sum(line.status == BatchLine.Status.DONE for line in lines)
    refused = sum(line.status == BatchLine.Status.REFUSED for line in lines)
    if done + refused < len(lines):
        raise ValueError("a handler left a line waiting")
    taken.update(done=F("done") + done, refused=F("refused") + refused)
    if not BatchLine.objects.filter(batch=batch, status=BatchLine.Status.WAITING).exists():
        _finish(batch, now)
    return len(lines)


@transaction.atomic
def _set_aside(batch: Batch, now: datetime) -> bool:
    """A line on which the handler breaks is refused, so that the others go on."""
    if not Batch.objects.filter(pk=batch.pk, status=Batch.Status.RUNNING).update(beat_at=now):
        return False
    line = (
        BatchLine.objects.filter(batch=batch, status=BatchLine.Status.WAITING)
        .order_by("id")
        .first()
    )
    if line is None:
        return False
    line.status, line.reason = BatchLine.Status.REFUSED, "ERROR"
    line.detail = _("Une erreur inattendue a arrêté cette ligne\u202f; elle est notée au journal.")
    line.save(update_fields=["status", "reason", "detail"])
    Batch.objects.filter(pk=batch.pk).update(refused=F("refused") + 1)
    return True


def _finish(batch: Batch, now: datetime) -> None:
    ended_now = Batch.objects.filter(pk=batch.pk, status=Batch.Status.RUNNING).update(
        status=Batch.Status.DONE, finished_at=now
    )
    if ended_now:
        batch.refresh_from_db()
        counts = {"done": batch.done, "refused": batch.refused}
        tell("batch_done", batch, batch.made_by, now, counts)


def cancel(batch: Batch, *, actor: User, now: datetime) -> int:
    """Stop it: lines that wait are refused, its messages that have not left do not leave.

    How many lines and messages were stopped. `Refused` when all is already over, or for the draft
    of another person. No line is begun any more after the first of its short transactions; should
    the process die before the last, stopping it again goes on.
    """
    mine = Q(status__in=AT_WORK) | Q(status=Batch.Status.DRAFT, made_by=actor)
    stopped = Batch.objects.filter(mine, pk=batch.pk).update(
        status=Batch.Status.CANCELLED, finished_at=now
    )
    batch.refresh_from_db()
    if batch.status == Batch.Status.DRAFT:
        raise Refused(
            _("Ce brouillon est celui de %(who)s.") % {"who": batch.made_by or "–"}, "NOT_YOURS"
        )
    lines = _refuse_waiting(batch)
    messages = _call_back(batch, actor, now)
    if not stopped and not messages and not lines:
        raise Refused(_("Tout est déjà parti : il n’y a plus rien à arrêter."), "OVER")
    batch.refresh_from_db()
    tell("batch_cancelled", batch, actor, now, {"lines": lines, "messages": messages})
    return lines + messages


def _refuse_waiting(batch: Batch) -> int:
    """Refuse the lines of a stopped batch that wait, by chunks; how many."""
    if batch.status != Batch.Status.CANCELLED:
        return 0  # all its lines are done: only messages may wait
    count = 0
    while True:
        with transaction.atomic():
            waiting = BatchLine.objects.filter(batch=batch, status=BatchLine.Status.WAITING)
            ids = list(waiting.order_by("id").values_list("pk", flat=True)[:LARGE])
            lines = BatchLine.objects.filter(pk__in=ids, status=BatchLine.Status.WAITING).update(
                status=BatchLine.Status.REFUSED, reason="CANCELLED"
            )
            Batch.objects.filter(pk=batch.pk).update(refused=F("refused") + lines)
        count += lines
        if len(ids) < LARGE:
            return count


def _call_back(batch: Batch, actor: User, now: datetime) -> int:
    """Cancel the messages of a batch that still wait, by chunks; the journal says who did."""
    found = messages_of(batch).filter(status__in=outbox.NOT_GONE).order_by("pk")
    every, count = list(found.values_list("pk", flat=True)), 0
    for start_at in range(0, len(every), CHUNK):
        with transaction.atomic():
            ids = outbox.cancel_many(
                message_ids=every[start_at : start_at + CHUNK], reason="CANCELLED", now=now
            )
            chunk = Message.objects.filter(pk__in=ids)
            ended(list(chunk.select_related("made_by")), now, actor=actor)
        count += len(ids)
    return count


def messages_of(batch: Batch) -> QuerySet[Message]:
    """The messages that its lines made."""
    keys = BatchLine.objects.filter(batch=batch, message_id__isnull=False).values("message_id")
    return Message.objects.filter(organisation_id=batch.organisation_id, pk__in=keys)


class Departures(NamedTuple):
    """What became of the messages of a batch."""

    sent: int
    waiting: int
    failed: int


def departures(batch: Batch) -> Departures:
    """How many of its messages have left, wait, or did not leave; one query."""
    found = messages_of(batch).aggregate(
        sent=Count("pk", filter=Q(status=Status.SENT)),
        failed=Count(
            "pk",
            filter=Q(status__in=[Status.FAILED, Status.BOUNCED, Status.CANCELLED, Status.EXPIRED]),
        ),
        every=Count("pk"),
    )
    sent, failed = found["sent"], found["failed"]
    return Departures(sent, found["every"] - sent - failed, failed)


def tell(
    kind: str, batch: Batch, actor: User | None, now: datetime, data: Mapping[str, object]
) -> None:
    """What somebody did with a batch, in the journal of its organisation."""
    on = clock.local_date(batch.organisation, now)
    about = {"batch_id": batch.pk, "kind": batch.kind, "title": batch.title, **data}
    history.append(batch.organisation, [Fact(kind, now, on, data=about, actor=actor)])
