"""Deliver what is due: claim, re-check, hand over outside any transaction, write it down."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import Error as DatabaseFault
from django.db import transaction
from django.db.models import F, QuerySet

from relance.accounts.bulk import create_many
from relance.outbox import (
    claims,
    diversion,
    mailbox_care,
    pace,
    provider_care,
    test_mode,
    threads,
    weights,
)
from relance.outbox.channels.base import Channel, DeliveryError, Receipt
from relance.outbox.channels.email import EmailChannel
from relance.outbox.channels.postal import PostalChannel
from relance.outbox.channels.sms import SmsChannel
from relance.outbox.models import Attempt, Message, MessageInvoice, Status
from relance.outbox.services import one_line, plain
from relance.outbox.verdicts import Cancel as Cancel
from relance.outbox.verdicts import Hooks as Hooks
from relance.outbox.verdicts import Postpone as Postpone
from relance.outbox.verdicts import Report as Report
from relance.outbox.verdicts import Rewrite as Rewrite
from relance.outbox.verdicts import Verdict as Verdict

log = logging.getLogger(__name__)

BACKOFF = [
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=6),
    timedelta(hours=24),
]
WRITE_EVERY = timedelta(seconds=2)
MAILBOX_TIME = timedelta(minutes=2)
"""What one connected mailbox may take of a batch; then others have their turn."""
CHANNELS: dict[str, Callable[[], Channel]] = {
    "email": EmailChannel,
    "letter": PostalChannel,
    "registered_letter": PostalChannel,
    "sms": SmsChannel,
}


@dataclass
class _Batch:
    """One claim on its way out, over one line per channel.

    `spent` is the time that each mailbox has taken in it; those in `resting` are left alone, as
    are the channels of organisations in `closed`, whose provider does not work.
    """

    worker: str
    now: Callable[[], datetime]
    hooks: Hooks
    report: Report
    channels: Mapping[str, Callable[[], Channel]]
    lines_out: dict[str, Channel] = field(default_factory=dict)
    left: list[Message] = field(default_factory=list)
    receipts: dict[int, Receipt] = field(default_factory=dict)
    spent: dict[int, timedelta] = field(default_factory=dict)
    resting: set[int] = field(default_factory=set)

    def line(self, channel: str) -> Channel:
        """The one line of a channel in this batch."""
        if channel not in self.lines_out:
            self.lines_out[channel] = self.channels[channel]()
        return self.lines_out[channel]

    closed: set[tuple[int, str]] = field(default_factory=set)


def deliver_batch(
    *,
    worker: str,
    now: Callable[[], datetime],
    hooks: Hooks,
    limit: int = 50,
    channels: Mapping[str, Callable[[], Channel]] | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> Report:
    """Claim at most `limit` due messages and deliver them; an empty report when none is due.

    `worker` comes from `identity.new_name()`; two threads never share one. `stopping` is asked
    before each message: the rest then goes back to the queue untouched. Whatever happens, no
    message is handed over twice, and each ends in a state that says what is known about it.
    """
    channels = CHANNELS if channels is None else channels
    batch = _Batch(worker, now, hooks, Report(), channels)
    messages = claims.claim(worker=worker, at=now(), limit=limit, channels=list(channels))
    batch.report.claimed = len(messages)
    if not messages:
        return batch.report
    written = now()
    try:
        for message in _ready(batch, _still_wanted(batch, messages)):
            if stopping() or batch.report.unreachable:
                break
            if (message.organisation_id, message.channel) in batch.closed:
                continue
            if message.mailbox_id is None or message.channel != "email":
                _deliver(batch, message)
            else:
                _deliver_through(batch, message, message.mailbox_id)
            if now() - written >= WRITE_EVERY:
                _write(batch)
                written = now()
    finally:
        for line in batch.lines_out.values():
            line.close()
        _write(batch)
        batch.report += settle_claims(claimant=worker, at=now(), hooks=hooks)
    return batch.report


def _ready(batch: _Batch, messages: list[Message]) -> list[Message]:
    """Tied to their threads and light enough; one on which that breaks is put off."""
    try:
        threads.tie(messages, at=batch.now())
        weights.lighten(messages)
    except DatabaseFault:
        raise
    except Exception as fault:
        log.exception("%d messages could not be made ready", len(messages))
        if len(messages) == 1:
            _put_off(batch, messages[0], DeliveryError(f"{type(fault).__name__}: {fault}"[:2000]))
            return []
        stored = claims.whole(Message.objects.filter(pk__in=[m.pk for m in messages])).in_bulk()
        return [one for m in messages for one in _ready(batch, [stored.get(m.pk, m)])]
    return messages


def _deliver(batch: _Batch, message: Message) -> None:
    try:
        leaving = diversion.as_it_leaves(message, at=batch.now())
        if leaving is None:
            return

        def hand_over() -> None:
            message.handed_sha256 = leaving.handed_sha256
            claims.mark_handing(message=message, worker=batch.worker, at=batch.now())

        line = batch.line(leaving.channel)
        receipt = line.deliver(leaving, at=batch.now(), hand_over=hand_over)
    except DeliveryError as error:
        if error.unreachable and message.channel != "email" and not message.diverted_to:
            _close_channel(batch, message, error)
        elif error.unreachable and message.channel == "email" and message.mailbox is not None:
            batch.resting.add(message.mailbox.pk)
            mailbox_care.out_of_reach(message.mailbox, error=error, at=batch.now())
        elif error.unreachable:
            batch.report.unreachable = error.answer or "unreachable"
            _note(batch, message, error)
        elif error.uncertain:  # its mark stays: settle_claims says so at the end of the batch
            _note(batch, message, error)
        else:
            _put_off(batch, message, error)
    except claims.ClaimLostError:
        log.warning("message %s was taken from %s", message.pk, batch.worker)
    except DatabaseFault:
        raise
    except Exception as fault:
        _broke(batch, message, fault)
    else:
        batch.receipts[message.pk] = receipt
        if claims.mark_left(message=message, worker=batch.worker, at=batch.now()):
            batch.left.append(message)
        else:
            log.error("message %s left, but was settled otherwise meanwhile", message.pk)


def _deliver_through(batch: _Batch, message: Message, mailbox_id: int) -> None:
    """Deliver over a connected mailbox, unless it is to be left alone for now.

    Its other messages then wait without costing anybody a try, and those of others go on.
    """
    if mailbox_id in batch.resting:
        return
    mailbox, began = message.mailbox, batch.now()
    if mailbox and mailbox.paused_until and mailbox.paused_until > began:
        batch.resting.add(mailbox_id)
        mailbox_care.put_off(mailbox_id, until=mailbox.paused_until, answer=mailbox.check_error)
        return
    if mailbox and (halt := pace.halt_of(mailbox, at=began)):
        batch.resting.add(mailbox_id)
        mailbox_care.put_off(mailbox_id, until=halt.until, reason=halt.reason)
        return
    _deliver(batch, message)
    took = batch.spent.get(mailbox_id, timedelta()) + (batch.now() - began)
    batch.spent[mailbox_id] = took
    if took > MAILBOX_TIME and mailbox_id not in batch.resting:
        batch.resting.add(mailbox_id)
        mailbox_care.put_off(mailbox_id, until=batch.now() + timedelta(minutes=1))
    if mailbox and mailbox.failures and message.pk in batch.receipts:
        mailbox_care.works(mailbox, at=batch.now())


def _broke(batch: _Batch, message: Message, fault: Exception) -> None:
    """Nobody foresaw this: the messages behind it leave, over another line."""
    log.exception("message %s broke the channel %s", message.pk, message.channel)
    line = batch.lines_out.pop("email" if message.diverted_to else message.channel, None)
    if line is not None:  # it may have broken before any line was opened
        line.close()
    error = DeliveryError(f"{type(fault).__name__}: {fault}"[:2000])
    if message.handed_at:  # its mark stays: settle_claims says that it is uncertain
        _note(batch, message, error)
    else:
        _put_off(batch, message, error)


def _close_channel(batch: _Batch, message: Message, error: DeliveryError) -> None:
    """An account at a provider does not work: its messages wait, those of others go on."""
    batch.closed.add((message.organisation_id, message.channel))
    batch.report.postponed += provider_care.put_off(
        message, worker=batch.worker, until=batch.now() + provider_care.PAUSE, answer=error.answer
    )


def _note(batch: _Batch, message: Message, error: DeliveryError) -> None:
    """Keep what was said where people look; no try is spent on a server that is down."""
    mine = Message.objects.filter(pk=message.pk, claimed_by=batch.worker)
    mine.update(error=error.answer)


@transaction.atomic
def _put_off(batch: _Batch, message: Message, error: DeliveryError) -> None:
    """Another try later, or failed: at once when permanent, else after the last of BACKOFF."""
    at = batch.now()
    final = error.permanent or message.attempts >= len(BACKOFF)
    status = Status.FAILED if final else Status.RETRYING
    changed = Message.objects.filter(
        pk=message.pk, claimed_by=batch.worker, status=Status.SENDING
    ).update(
        status=status,
        attempts=F("attempts") + 1,
        not_before=message.not_before if final else at + BACKOFF[message.attempts],
        error=error.answer,
        ended_at=at if final else None,
        claimed_by="",
        handed_at=None,
        diverted_to=message.diverted_to,
    )
    if not changed:
        return
    outcome = Attempt.Outcome.PERMANENT if error.permanent else Attempt.Outcome.TEMPORARY
    _attempt(batch.worker, message, at, outcome, error.code, error.answer).save()
    if final:
        MessageInvoice.objects.filter(message=message).update(live=False)
        message.status, message.error, message.ended_at = status, error.answer, at
        _tell_ended(batch.hooks, [message])
        batch.report.failed += 1
    else:
        batch.report.retrying += 1


def _tell_ended(hooks: Hooks, messages: list[Message]) -> None:
    """What the rooms above do then must not keep the state of a message from being told."""
    if not messages:
        return
    try:
        with transaction.atomic():
            hooks.ended(messages)
    except Exception:
        log.exception("the end of %d messages could not be noted", len(messages))


def _attempt(
    worker: str, message: Message, at: datetime, outcome: str, code: int | None, answer: str
) -> Attempt:
    return Attempt(
        organisation_id=message.organisation_id,
        message=message,
        at=at,
        worker=worker,
        outcome=outcome,
        code=code,
        answer=answer,
    )


def _write(batch: _Batch) -> None:
    """Make the messages that left since the last time `sent`, with their entries."""
    left, batch.left = batch.left, []
    if left:
        batch.report.sent += _make_sent(batch.worker, left, batch.hooks, batch.receipts)


def _make_sent(
    worker: str, messages: list[Message], hooks: Hooks, receipts: Mapping[int, Receipt]
) -> int:
    """Status and entries in one transaction; when `record` fails, the status alone.

    That a mail left is true whatever else goes wrong: its entries are then asked for again by
    `record_pending`.
    """
    try:
        sent = _sent(worker, messages, receipts, hooks.record)
    except Exception:
        log.exception("%d messages left; their entries could not be written", len(messages))
        sent = _sent(worker, messages, receipts, None)
    _undo_late(messages, hooks)
    return sent


def _undo_late(messages: list[Message], hooks: Hooks) -> None:
    """A test that ended meanwhile takes back what it sent; a fault must not hide that it left."""
    try:
        test_mode.undo_late(messages, ended=hooks.ended)
    except Exception:
        log.exception("messages of a test that is over could not be undone")


@transaction.atomic
def _sent(
    worker: str,
    messages: list[Message],
    receipts: Mapping[int, Receipt],
    record: Callable[[Sequence[Message]], None] | None,
) -> int:
    mine = set(
        Message.objects.select_for_update()
        .filter(pk__in=[message.pk for message in messages], claimed_by=worker)
        .filter(status__in=[Status.SENDING, Status.UNCERTAIN])
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    gone = [message for message in messages if message.pk in mine]
    Message.objects.filter(pk__in=mine).update(
        status=Status.SENT,
        recorded=record is not None,
        attempts=F("attempts") + 1,
        ended_at=F("sent_at"),
        claimed_by="",
        error="",
    )
    tries = []
    for message in gone:
        message.status = Status.SENT
        message.recorded = record is not None
        receipt = receipts.get(message.pk, Receipt())
        answer = receipt.told
        if receipt.refused:
            Message.objects.filter(pk=message.pk).update(error=answer)
        at = message.sent_at or message.made_at
        tries.append(_attempt(worker, message, at, Attempt.Outcome.SENT, receipt.code, answer))
    create_many(Attempt, tries)
    if record and gone:
        record(gone)
    return len(gone)


def _still_wanted(batch: _Batch, messages: list[Message]) -> list[Message]:
    """Ask `recheck` for all at once and obey; the messages to deliver, as they are now."""
    over = {m.pk: Cancel(diversion.UNDONE) for m in messages if diversion.is_stranded(m)}
    verdicts = dict(_verdicts(batch, [m for m in messages if m.pk not in over])) | over
    spoilt = {pk for pk, verdict in verdicts.items() if isinstance(verdict, DeliveryError)}
    wanted = [m for m in messages if m.pk not in spoilt]
    for message in messages:
        if isinstance(error := verdicts.get(message.pk), DeliveryError):
            _put_off(batch, message, error)
    changes = {pk: v for pk, v in verdicts.items() if not isinstance(v, DeliveryError)}
    if not changes:
        return wanted
    with transaction.atomic():
        kept = [m for m in wanted if _obey(batch, m, changes.get(m.pk))]
        cancelled = [m for m in wanted if m.status == Status.CANCELLED]
        MessageInvoice.objects.filter(message__in=cancelled).update(live=False)
        _tell_ended(batch.hooks, cancelled)
    rewritten = [m.pk for m in kept if isinstance(changes.get(m.pk), Rewrite)]
    fresh = claims.whole(Message.objects.filter(pk__in=rewritten)).in_bulk()
    return [fresh.get(m.pk, m) for m in kept]


def _verdicts(batch: _Batch, messages: list[Message]) -> Mapping[int, Verdict | DeliveryError]:
    """The hook's answers; a message on which it breaks is put off, the others go on."""
    try:
        return batch.hooks.recheck(messages)
    except claims.UNREACHABLE:  # no fault of theirs: they go back untouched
        raise
    except Exception as fault:
        log.exception("the re-check of %d messages failed", len(messages))
        if len(messages) == 1:
            return {messages[0].pk: DeliveryError(f"re-check: {type(fault).__name__}: {fault}")}
    verdicts: dict[int, Verdict | DeliveryError] = {}
    for message in messages:
        verdicts.update(_verdicts(batch, [message]))
    return verdicts


def _obey(batch: _Batch, message: Message, verdict: Verdict | None) -> bool:
    """Write one verdict down; True when the message is still to be delivered."""
    mine = Message.objects.filter(pk=message.pk, claimed_by=batch.worker, status=Status.SENDING)
    if isinstance(verdict, Cancel):
        at = batch.now()
        if mine.update(status=Status.CANCELLED, reason=verdict.reason, ended_at=at, claimed_by=""):
            message.status, message.reason, message.ended_at = Status.CANCELLED, verdict.reason, at
            batch.report.cancelled += 1
        return False
    if isinstance(verdict, Postpone):
        status = Status.RETRYING if message.attempts else Status.QUEUED
        batch.report.postponed += mine.update(
            status=status, not_before=verdict.until, reason=verdict.reason, claimed_by=""
        )
        return False
    if isinstance(verdict, Rewrite):
        return rewrite(message, mine.filter(handed_at__isnull=True), verdict)
    return True


def rewrite(message: Message, mine: QuerySet[Message], verdict: Rewrite) -> bool:
    """Put the new words and invoices in place of the old; False when it is not in `mine` any more.

    Within the caller's transaction.
    """
    if not mine.update(
        subject=one_line(verdict.subject),
        text=plain(verdict.text),
        html=plain(verdict.html),
        amount_cents=verdict.amount_cents,
        **({"letter": verdict.letter} if verdict.letter else {}),
    ):
        return False
    MessageInvoice.objects.filter(message=message).delete()
    MessageInvoice.objects.bulk_create(
        MessageInvoice(organisation_id=message.organisation_id, message=message, **line._asdict())
        for line in verdict.lines
    )
    return True


def settle_claims(*, claimant: str, at: datetime, hooks: Hooks) -> Report:
    """End the claims of one that will not go on with them: at the end of a batch, or dead."""
    if not Message.objects.filter(status=Status.SENDING, claimed_by=claimant).exists():
        claims.forget(claimant)
        return Report()
    with transaction.atomic():
        found = claims.abandon(claimant=claimant, at=at)
        _tell_ended(hooks, found.uncertain)
    sent = _make_sent(claimant, found.left, hooks, {}) if found.left else 0
    return Report(sent=sent, given_back=found.requeued, uncertain=len(found.uncertain))


def recover(*, at: datetime, hooks: Hooks) -> Report:
    """Settle the claims of workers that died; any process may do so at any time."""
    report = Report()
    for claimant in claims.dead_claimants(at=at):
        report += settle_claims(claimant=claimant, at=at, hooks=hooks)
    return report


def record_pending(
    *, hooks: Hooks, limit: int = 100, message_ids: Sequence[int] | None = None
) -> int:
    """Write the entries of messages that left without them (settled by hand, a failed hook).

    The worker does so every few seconds; a page asks for `message_ids` to show them at once.
    One by one, so that one that cannot be recorded does not stop the others; how many were.
    """
    pending = Message.objects.filter(status=Status.SENT, recorded=False).order_by("pk")
    if message_ids is not None:
        pending = pending.filter(pk__in=message_ids)
    done = 0
    for pk in list(pending.values_list("pk", flat=True)[:limit]):
        try:
            with transaction.atomic():
                left = Message.objects.filter(pk=pk, status=Status.SENT, recorded=False)
                if not left.update(recorded=True):
                    continue  # another worker did, or it came back meanwhile
                settled = list(claims.whole(Message.objects.filter(pk=pk)))
                hooks.record(settled)
                done += 1
            _undo_late(settled, hooks)
        except Exception:
            log.exception("the entries of message %s could not be written", pk)
    return done
