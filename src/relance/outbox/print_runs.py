"""Letters printed together: one PDF, then confirmed once they are in the post (D-07).

A letter is a queued message that no worker claims. `print_run` says that somebody holds it on
paper; it becomes `sent`, and its level rises, only when a person confirms the run.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from django.core.files.base import ContentFile
from django.db import transaction
from django.db.models import F, Q, QuerySet

from relance.accounts.bulk import update_many
from relance.accounts.models import Organisation, User
from relance.history import services as history
from relance.outbox import claims, print_order
from relance.outbox.channels import letter as paper
from relance.outbox.channels.letter import enclosing
from relance.outbox.channels.letter.logos import logos_of
from relance.outbox.delivery import Cancel, Hooks, Rewrite, rewrite
from relance.outbox.models import WAITING, Message, MessageInvoice, PrintRun, Status
from relance.outbox.services import POSTED, OutboxError

MOST_LETTERS = 5_000
"""Letters of one run: laid out in a few seconds, while the person waits."""
CHUNK = 500


class NothingToPrintError(OutboxError):
    """None of the letters asked for waits any more; `taken` are held by another run."""

    def __init__(self, taken: Sequence[Message], dropped: Sequence[Message]) -> None:
        super().__init__("nothing to print")
        self.taken = list(taken)
        self.dropped = list(dropped)


class AlreadyConfirmedError(OutboxError):
    """Somebody has confirmed this run: `run` says who and when. Nothing was done twice."""

    def __init__(self, run: PrintRun) -> None:
        super().__init__("already confirmed")
        self.run = run


class NotPrintedError(OutboxError):
    """There is no PDF yet, or none any more to come: nobody holds these letters on paper."""


class Stale(NamedTuple):
    """A letter on paper that says what is not true any more: `verdict` cancels or rewrites it."""

    message: Message
    verdict: Cancel | Rewrite


class StaleLettersError(OutboxError):
    """Something was paid since the print, and nobody has said yet what becomes of these letters."""

    def __init__(self, stale: Sequence[Stale]) -> None:
        super().__init__("letters are out of date")
        self.stale = list(stale)


class InTestError(OutboxError):
    """In test mode no paper is made: letters leave as a PDF to the address of the test."""


class Made(NamedTuple):
    """A run; letters not wanted any more (cancelled, with their reason); held by another run."""

    run: PrintRun
    dropped: list[Message]
    taken: list[Message]


def waiting(organisation: Organisation) -> QuerySet[Message]:
    """The letters that wait to be printed, by the name of their customer."""
    return Message.objects.filter(
        organisation=organisation,
        channel__in=POSTED,
        status__in=WAITING,
        print_run=None,
    ).order_by("customer__search", "pk")


def make(
    *,
    organisation: Organisation,
    message_ids: Sequence[int],
    actor: User,
    now: datetime,
    hooks: Hooks,
) -> Made:
    """Lay these letters out as one PDF; they wait for `confirm` or `put_back`.

    They come in postal order, registered ones first, under a sheet that lists them when there
    are several (`print_order`). Each is re-checked first: what was paid meanwhile is cancelled,
    not printed; a letter of several invoices is written again without the paid one. At most
    `MOST_LETTERS`, the others go on waiting. Raises NothingToPrintError,
    InTestError.
    """
    if Organisation.objects.exclude(test_to="").filter(pk=organisation.pk).exists():
        raise InTestError("test mode")
    run, taken = _take(organisation, message_ids[:MOST_LETTERS], actor, now)
    try:
        dropped = _drop_unwanted(run, now, hooks)
        letters = print_order.sorted_for_the_post(run.messages.select_related("customer"))
        if not letters:
            raise NothingToPrintError(taken, dropped)
        _lay_out(run, letters, now)
    except Exception:
        Message.objects.filter(print_run=run).update(print_run=None)
        run.delete()
        raise
    return Made(run, dropped, taken)


def _lay_out(run: PrintRun, letters: Sequence[Message], now: datetime) -> None:
    """Keep the PDF, and on each letter the first of its pages and how many it has."""
    data = [one.letter or {} for one in letters]
    printed = paper.render(data, at=now, logos=logos_of(data))
    whole = printed
    if len(letters) > 1:
        whole = paper.joined([print_order.cover(run, letters, printed, at=now), printed])
    for message, span in zip(letters, paper.spans(whole), strict=True):
        message.letter = {**(message.letter or {}), "pages": list(span)}
    with transaction.atomic():
        update_many(Message, ["letter"], letters)
        run.letters, run.pages = len(letters), printed.pages
        name = f"{run.organisation.slug}-{run.pk}.pdf"
        run.file.save(name, ContentFile(whole.pdf), save=False)
        run.save(update_fields=["letters", "pages", "file"])


@transaction.atomic
def _take(
    organisation: Organisation, message_ids: Sequence[int], actor: User, now: datetime
) -> tuple[PrintRun, list[Message]]:
    """A new run holding those that wait; the letters that another run holds."""
    asked = list(
        Message.objects.select_for_update(of=("self",))
        .filter(organisation=organisation, pk__in=message_ids, channel__in=POSTED)
        .select_related("print_run__made_by", "customer")
        .order_by("pk")
    )
    taken = [one for one in asked if one.print_run_id is not None]
    free = [one.pk for one in asked if one.print_run_id is None and one.status in WAITING]
    if not free:
        raise NothingToPrintError(taken, [])
    run = PrintRun.objects.create(organisation=organisation, made_by=actor, made_at=now)
    # of a person who prints and a worker who submits, one wins
    still = Message.objects.filter(pk__in=free, status__in=WAITING, print_run=None)
    if not still.update(print_run=run, status=Status.QUEUED):
        raise NothingToPrintError(taken, [])
    return run, taken


def _drop_unwanted(run: PrintRun, now: datetime, hooks: Hooks) -> list[Message]:
    """Ask `recheck` of each letter: cancel those not wanted any more, write others again (3.11)."""
    dropped: list[Message] = []
    for messages in _chunks(run.messages.order_by("pk")):
        verdicts = hooks.recheck(messages)
        anew = [
            (message, verdict)
            for message in messages
            if isinstance(verdict := verdicts.get(message.pk), Rewrite)
        ]
        unwanted = [
            (message, verdict)
            for message in messages
            if isinstance(verdict := verdicts.get(message.pk), Cancel)
        ]
        with transaction.atomic():
            for message, rewritten in anew:
                held = Message.objects.filter(pk=message.pk, print_run=run, status=Status.QUEUED)
                rewrite(message, held, rewritten)
            gone = [one for one, verdict in unwanted if _cancelled(one, run, verdict, now)]
            MessageInvoice.objects.filter(message__in=gone).update(live=False)
            if gone:
                hooks.ended(gone)
        dropped += gone
    return dropped


def _cancelled(message: Message, run: PrintRun, verdict: Cancel, now: datetime) -> bool:
    """Cancel a letter of the run; False when somebody put the run back, and it waits again."""
    held = Message.objects.filter(pk=message.pk, print_run=run, status=Status.QUEUED)
    if not held.update(
        status=Status.CANCELLED, reason=verdict.reason, ended_at=now, print_run=None
    ):
        return False
    message.status, message.reason = Status.CANCELLED, verdict.reason
    message.ended_at, message.print_run = now, None
    return True


def stale(run: PrintRun, hooks: Hooks) -> list[Stale]:
    """The letters of an unconfirmed run that should not be posted, in the order of its pages.

    Only those whose facts have moved since are asked about: a payment, a dispute, a hold.
    """
    moved = (
        Q(lines__invoice__balance_cents__lt=F("lines__amount_cents"))
        | Q(lines__invoice__disputed=True)
        | Q(lines__invoice__promise_until__isnull=False)
        | Q(lines__invoice__hold_until__isnull=False)
        | Q(customer__excluded=True)
        | Q(customer__hold_until__isnull=False)
        | Q(customer__judgment_on__isnull=False)
    )
    ids = set(run.messages.filter(moved, status=Status.QUEUED).values_list("pk", flat=True))
    found = []
    for messages in _chunks(Message.objects.filter(pk__in=ids)):
        verdicts = hooks.recheck(messages)
        for message in messages:
            verdict = verdicts.get(message.pk)
            if isinstance(verdict, Cancel | Rewrite):
                found.append(Stale(message, verdict))
    return sorted(found, key=lambda one: (one.message.letter or {}).get("pages", [0]))


def confirm(
    *,
    run: PrintRun,
    actor: User,
    now: datetime,
    hooks: Hooks,
    seen: Collection[int] = (),
    taken_out: Collection[int] = (),
) -> int:
    """The letters are in the post: they are sent, their levels rise; how many.

    `seen` are the stale letters that the person was shown, `taken_out` those of them that stayed
    out of the post: cancelled, or waiting again when only a part was paid. Entries and history
    come through `hooks.record` like those of any message; should the process die in between, the
    worker writes them. Raises AlreadyConfirmedError; NotPrintedError while the PDF is being laid
    out, or when its process died over it; StaleLettersError when others became stale.
    """
    known = [] if run.confirmed_at else stale(run, hooks)
    if any(one.message.pk not in seen for one in known):
        raise StaleLettersError(known)
    with transaction.atomic():
        mine = PrintRun.objects.filter(pk=run.pk, confirmed_at=None).exclude(file="")
        if not mine.update(confirmed_at=now, confirmed_by=actor):
            done = PrintRun.objects.filter(pk=run.pk, confirmed_at__isnull=False)
            raise AlreadyConfirmedError(_again(run)) if done.exists() else NotPrintedError()
        _leave_out([one for one in known if one.message.pk in taken_out], now, hooks)
        sent = Message.objects.filter(print_run=run, status=Status.QUEUED).update(
            status=Status.SENT, sent_at=now, ended_at=now, error=""
        )
    for messages in _chunks(Message.objects.filter(print_run=run, status=Status.SENT)):
        _record(messages, hooks)
    run.refresh_from_db()
    return sent


def _leave_out(stale: Sequence[Stale], now: datetime, hooks: Hooks) -> None:
    gone = []
    for message, verdict in stale:
        message.print_run = None
        if isinstance(verdict, Cancel):
            message.status, message.reason, message.ended_at = (
                Status.CANCELLED,
                verdict.reason,
                now,
            )
            gone.append(message)
        message.save(update_fields=["status", "reason", "ended_at", "print_run"])
    MessageInvoice.objects.filter(message__in=gone).update(live=False)
    if gone:
        hooks.ended(gone)


def reprint(*, run: PrintRun, actor: User, on: date, now: datetime) -> None:
    """Somebody prints a run once more: the same file, told to the journal. NotPrintedError."""
    if not run.file:
        raise NotPrintedError
    data = {"run": run.pk, "letters": run.letters}
    history.append(
        run.organisation, [history.Fact("letters_reprinted", now, on, data=data, actor=actor)]
    )


@transaction.atomic
def _record(messages: Sequence[Message], hooks: Hooks) -> None:
    """Once for each, also when the worker does the same."""
    locked = list(
        Message.objects.select_for_update(of=("self",))
        .filter(pk__in=[one.pk for one in messages], recorded=False)
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    if locked:
        Message.objects.filter(pk__in=locked).update(recorded=True)
        hooks.record(list(claims.whole(Message.objects.filter(pk__in=locked)).order_by("pk")))


@transaction.atomic
def put_back(*, run: PrintRun) -> int:
    """The print is thrown away: its letters wait again; how many. Raises AlreadyConfirmedError."""
    held = PrintRun.objects.select_for_update(of=("self",)).filter(pk=run.pk).first()
    if held is None:
        return 0
    if held.confirmed_at:
        raise AlreadyConfirmedError(_again(run))
    back = Message.objects.filter(print_run=held).update(print_run=None)
    name = held.file.name
    storage = held.file.storage
    held.delete()
    if name:
        transaction.on_commit(lambda: storage.delete(name))
    return back


def as_sent(message: Message, *, now: datetime) -> bytes:
    """The letter as a PDF: its pages of the run that printed it, what a provider was given, or
    else as it would print now."""
    data = message.letter or {}
    run = message.print_run
    if run and run.file and "pages" in data:
        first, count = data["pages"]
        with run.file.open("rb") as file:
            return paper.extract(file.read(), first, count)
    at = message.sent_at or now
    if message.provider_ref:
        return enclosing.posted(message, at=at)
    return paper.render([data], at=at, logos=logos_of([data])).pdf


def preview(letter: Mapping[str, Any], *, now: datetime) -> bytes:
    """A letter that is still being written, as the printer would give it."""
    return paper.render([letter], at=now, logos=logos_of([letter])).pdf


def _again(run: PrintRun) -> PrintRun:
    return PrintRun.objects.select_related("confirmed_by").get(pk=run.pk)


def _chunks(messages: QuerySet[Message]) -> Iterator[list[Message]]:
    ids = list(messages.order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(ids), CHUNK):
        yield list(claims.whole(Message.objects.filter(pk__in=ids[start : start + CHUNK])))
