"""The daily pass: gather, decide, apply, chunk by chunk. Repeating it for a date adds nothing.

What it wants to send is queued with its full text; the worker re-checks and delivers it. What a
person must do is opened, kept or withdrawn. What it found is copied to `Outlook` for lists.
"""

import gc
import logging
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from multiprocessing import get_context
from typing import NamedTuple

import django
from django.db import connection, transaction

from relance.accounts import clock
from relance.accounts.models import Organisation
from relance.dunning.daily import missing_pdf, rechecking, todo
from relance.dunning.daily.deciding import Decided, decide_window, windows
from relance.dunning.facts import outlooks, sending, to_chase
from relance.dunning.facts.gather import Window, plans_of, rules_of
from relance.dunning.facts.hours import due_now
from relance.dunning.models import Run
from relance.dunning.wording import messages
from relance.engine import model as engine
from relance.engine.decide import decide
from relance.engine.deeds import done
from relance.ledger import services as ledger
from relance.ledger.models import Customer
from relance.outbox import services as outbox

log = logging.getLogger(__name__)

LARGE = 7
"""Above this many windows of `deciding.CHUNK` customers, two processes share the pass."""


def run(
    organisation: Organisation,
    *,
    on: date,
    now: datetime,
    spread: bool = True,
    pause: float = 0.01,
    processes: int | None = None,
) -> Run:
    """Pass over every customer of the organisation for local date `on`.

    `spread`: messages leave inside the hour that follows the organisation's hour (D-14); without
    it, at once. `pause`: seconds between chunks on SQLite, so that people's writes come through.
    `processes`: how many share the windows; by default one, or two for a large ledger.
    """
    record, _created = Run.objects.update_or_create(
        organisation=organisation, on=on, defaults={"started_at": now, "finished_at": None}
    )
    missing_pdf.let_go(organisation)
    task = Task(organisation.pk, on, now, spread, pause)
    every = list(windows(organisation))
    if processes is None:
        processes = 2 if len(every) > LARGE else 1
    if processes == 1:
        counts = [pass_window(task, window) for window in every]
    else:
        counts = _share(task, every, processes - 1)
    for field in Counts._fields:
        setattr(record, field, sum(getattr(one, field) for one in counts))
    record.finished_at = now
    record.save()
    return record


class Task(NamedTuple):
    """What a process needs to know to do its windows of a pass."""

    organisation_id: int
    on: date
    now: datetime
    spread: bool
    pause: float


class Counts(NamedTuple):
    """What one window came to, in the fields of `Run`."""

    customers: int
    queued: int
    held: int
    opened: int
    withdrawn: int


def _share(task: Task, every: Sequence[Window], helpers: int) -> list[Counts]:
    """This process works too: its helpers always have one window to do and one to come."""
    waiting, mine, given = deque(every), list[Counts](), list["Future[Counts]"]()
    with ProcessPoolExecutor(helpers, get_context("spawn"), initializer=django.setup) as pool:
        while waiting:
            while waiting and sum(not one.done() for one in given) < 2 * helpers:
                given.append(pool.submit(pass_window, task, waiting.popleft()))
            if waiting:
                mine.append(pass_window(task, waiting.popleft()))
        return mine + [one.result() for one in given]


@contextmanager
def _no_cycles() -> Iterator[None]:
    """A window makes a hundred thousand tuples that nothing points back to.

    Looking among them for cycles again and again takes a third of the time.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def pass_window(task: Task, window: Window) -> Counts:
    """Gather, decide and apply one window; independent of every other, safe to repeat."""
    organisation = Organisation.objects.get(pk=task.organisation_id)
    plans, rules = plans_of(organisation), rules_of(organisation)
    rechecking.sweep(organisation, task.on, task.now, window)
    with _no_cycles():
        decided = decide_window(organisation, task.on, window, plans, rules)
        counts = _apply(organisation, task, window, decided)
    if connection.vendor == "sqlite" and task.pause:
        time.sleep(task.pause)
    return counts


def _apply(organisation: Organisation, task: Task, window: Window, decided: Decided) -> Counts:
    """Write what was decided; the words and what is known are made ready before the transaction."""
    stopped = sending.stop(organisation, task.on)
    drafts = [] if stopped else _drafts(organisation, task, decided.wanted)
    held = len(decided.wanted) if stopped else 0
    if not stopped:
        _foresee_leaving(organisation, task.on, decided)
    renewed = outlooks.changed(organisation, task.on, window, decided.outlooks)
    listed = to_chase.changed(organisation, window, decided.lines)
    with transaction.atomic():
        # those already queued for the same step are refused by the outbox
        result = outbox.queue(drafts=drafts, now=task.now)
        _refuse_addresses(organisation, task, result.refused)
        day = todo.Day(task.on, task.now)
        opened, withdrawn = todo.update(organisation, day, window, decided.decisions)
        outlooks.write(renewed)
        to_chase.write(organisation, listed)
    return Counts(len(decided.outlooks), len(result.messages), held, opened, withdrawn)


def _foresee_leaving(organisation: Organisation, on: date, decided: Decided) -> None:
    """How the customers stand once what is queued has left: a message on its way counts as done.

    Should one fail, `hooks.ended` looks at its customer again.
    """
    rules = rules_of(organisation)
    history: dict[int, tuple[engine.Case, list[engine.Entry]]] = {}
    for action, case in decided.wanted:
        _case, entries = history.setdefault(int(case.customer), (case, list(case.history)))
        entries += done(action, on, by_run=True)
    for customer, (case, entries) in history.items():
        later = case._replace(history=entries)
        decision = decide(later, on, rules)
        decided.outlooks[customer] = outlooks.short(later, decision, on)
        decided.lines[customer] = to_chase.lines(later, decision)


def _refuse_addresses(
    organisation: Organisation, task: Task, refused: Sequence[outbox.Refusal]
) -> None:
    """What no message can be sent to is marked: the next pass asks a person (D-12).

    An address of mail, a number that is no mobile, a place that the post would not find.
    """
    for refusal in refused:
        if refusal.code in ("NO_PHONE", "NO_ADDRESS"):
            mark = ledger.refuse_phone if refusal.code == "NO_PHONE" else ledger.refuse_place
            customer = Customer.objects.get(pk=refusal.draft.debtor_id)
            mark(customer=customer, on=task.on, now=task.now, reason=refusal.detail)
        if refusal.code == "BAD_ADDRESS":
            ledger.refuse_address(
                organisation=organisation,
                email=refusal.detail,
                customer_id=refusal.draft.debtor_id,
                on=task.on,
                now=task.now,
            )


def _drafts(
    organisation: Organisation, task: Task, wanted: Sequence[messages.Wanted]
) -> list[outbox.Draft]:
    """The messages wanted, each with the moment from which it may leave."""
    if not wanted:
        return []
    start = max(task.now, clock.local_moment(organisation, task.on)) if task.spread else task.now
    drafts = messages.drafts(organisation, wanted, task.on, not_before=start)
    if task.spread:
        seconds = min(3600, 4 * len(drafts))
        drafts = [
            replace(draft, not_before=start + timedelta(seconds=draft.debtor_id % seconds))
            for draft in drafts
        ]
    return drafts


def tick(now: datetime) -> list[Run]:
    """Run every organisation whose hour has come and whose day is not done (D-14).

    Called again and again by workers; a day already finished is left alone. A run that was killed
    is taken up again after ten minutes. One that breaks is logged and delays no other organisation;
    it too is tried again after ten minutes.
    """
    runs = []
    for organisation in Organisation.objects.all():
        try:
            on = clock.local_date(organisation, now)
            if due_now(organisation, on, now) and _claim(organisation, on, now):
                runs.append(run(organisation, on=on, now=now))
        except Exception:
            log.exception("the day's run of organisation %s broke off", organisation.pk)
    return runs


def _claim(organisation: Organisation, on: date, now: datetime) -> bool:
    """True for the one worker that may run this day."""
    row, created = Run.objects.get_or_create(
        organisation=organisation, on=on, defaults={"started_at": now}
    )
    if created or (row.held and _fed_since(organisation, on, now)):
        return True
    stale = Run.objects.filter(
        pk=row.pk, finished_at__isnull=True, started_at__lt=now - timedelta(minutes=10)
    )
    return stale.update(started_at=now) == 1


def _fed_since(organisation: Organisation, on: date, now: datetime) -> bool:
    """A pass that held messages back for old facts is done again when fresh ones have come.

    True for the one worker that may.
    """
    fed = sending.fed_at(organisation)
    if fed is None or sending.stop(organisation, on):
        return False
    held = Run.objects.filter(organisation=organisation, on=on, held__gt=0, finished_at__lt=fed)
    return held.update(started_at=now, finished_at=None) == 1
