"""The daily pass: gather, decide, apply, chunk by chunk. Repeating it for a date adds nothing.

What it wants to send is queued with its full text; the worker re-checks and delivers it. What a
person must do is opened, kept or withdrawn. What it found is copied to `Outlook` for lists.
"""

import gc
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
from relance.accounts.bulk import create_many
from relance.accounts.models import DunningRole, FirmMembership, Membership, Organisation
from relance.dunning import messages, outlooks
from relance.dunning.gather import Window, cases, plans_of, rules_of
from relance.dunning.models import Action, Run
from relance.dunning.outlooks import State
from relance.engine import model as engine
from relance.engine.calendar import is_working_day, next_working_day
from relance.engine.decide import decide
from relance.engine.deeds import done
from relance.engine.review import reconcile
from relance.history import services as history
from relance.history.services import Fact
from relance.ledger import services as ledger
from relance.ledger.models import Customer
from relance.outbox import services as outbox

CHUNK = 3_000
LARGE = 7
"""Above this many windows of `CHUNK` customers, two processes share the pass."""
LATEST_HOUR = 19
"""A day missed until this local hour waits for the next one: nobody is chased at night."""


class Decided(NamedTuple):
    """What one chunk of customers came to."""

    wanted: list[messages.Wanted]
    to_do: set[int]
    decisions: dict[int, engine.Decision]
    outlooks: dict[int, State]


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
    with _no_cycles():
        decided = decide_window(organisation, task.on, window, plans, rules)
        counts = _apply(organisation, task, window, decided)
    if connection.vendor == "sqlite" and task.pause:
        time.sleep(task.pause)
    return counts


def windows(organisation: Organisation, size: int = CHUNK) -> Iterator[Window]:
    """Consecutive ranges of customer ids, `size` customers each."""
    last = 0
    while True:
        ids = list(
            Customer.objects.filter(organisation=organisation, id__gt=last)
            .order_by("id")
            .values_list("id", flat=True)[:size]
        )
        if not ids:
            return
        yield Window(ids[0], ids[-1])
        last = ids[-1]


def decide_window(
    organisation: Organisation,
    on: date,
    window: Window,
    plans: dict[int, engine.Plan],
    rules: engine.Rules,
) -> Decided:
    """Gather and decide; writes nothing."""
    decided = Decided([], set(), {}, {})
    for case in cases(organisation, on, window, plans):
        decision = decide(case, on, rules)
        key = int(case.customer)
        decided.outlooks[key] = outlooks.short(decision)
        decided.decisions[key] = decision
        for action in decision.actions:
            if action.automatic:
                decided.wanted.append(messages.Wanted(action, case))
            else:
                decided.to_do.add(key)
    return decided


def _apply(organisation: Organisation, task: Task, window: Window, decided: Decided) -> Counts:
    """Write what was decided; the words and what is known are made ready before the transaction."""
    drafts = _drafts(organisation, task, decided.wanted) if organisation.sending_on else []
    held = 0 if organisation.sending_on else len(decided.wanted)
    if organisation.sending_on:
        decided.outlooks.update(_after_leaving(organisation, task.on, decided.wanted))
    renewed = outlooks.changed(organisation, task.on, window, decided.outlooks)
    with transaction.atomic():
        # those already queued for the same step are refused by the outbox
        result = outbox.queue(drafts=drafts, now=task.now)
        _refuse_addresses(organisation, task, result.refused)
        opened, withdrawn = _update_actions(organisation, task, window, decided)
        outlooks.write(renewed)
    return Counts(len(decided.outlooks), len(result.messages), held, opened, withdrawn)


def _after_leaving(
    organisation: Organisation, on: date, wanted: Sequence[messages.Wanted]
) -> dict[int, outlooks.State]:
    """How the customers stand once what is queued has left: a message on its way counts as done.

    Should one fail, `hooks.ended` looks at its customer again.
    """
    rules = rules_of(organisation)
    history: dict[int, tuple[engine.Case, list[engine.Entry]]] = {}
    for action, case in wanted:
        _case, entries = history.setdefault(int(case.customer), (case, list(case.history)))
        entries += done(action, on, by_run=True)
    return {
        customer: outlooks.short(decide(case._replace(history=entries), on, rules))
        for customer, (case, entries) in history.items()
    }


def _refuse_addresses(
    organisation: Organisation, task: Task, refused: Sequence[outbox.Refusal]
) -> None:
    """An address that no mail can be sent to is marked: the next pass asks a person (D-12)."""
    for refusal in refused:
        if refusal.code == "BAD_ADDRESS":
            ledger.refuse_address(
                organisation=organisation,
                email=refusal.detail,
                customer_id=refusal.draft.customer_id,
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
            replace(draft, not_before=start + timedelta(seconds=draft.customer_id % seconds))
            for draft in drafts
        ]
    return drafts


def _update_actions(
    organisation: Organisation, task: Task, window: Window, decided: Decided
) -> tuple[int, int]:
    """Make the open to-do of these customers exactly what the engine asks for (3.10).

    Returns how many actions were opened and withdrawn.
    """
    on, now, withdrawn = task.on, task.now, 0
    open_now: dict[int, list[Action]] = {}
    for action in Action.objects.filter(
        window.q(), organisation=organisation, status=Action.Status.OPEN
    ):
        open_now.setdefault(action.customer_id, []).append(action)
    facts: list[Fact] = []
    fresh: list[Action] = []
    for customer in sorted(open_now.keys() | decided.to_do):
        rows = {stored(row).key: row for row in open_now.get(customer, [])}
        changes = reconcile([stored(row) for row in rows.values()], decided.decisions[customer])
        for known, wanted in changes.keep:
            _retake(rows[known.key], wanted)
        fresh += [_action_row(organisation, customer, wanted) for wanted in changes.open]
        for known, reason in changes.withdraw:
            row = rows[known.key]
            still_open = Action.objects.filter(pk=row.pk, status=Action.Status.OPEN)
            if not still_open.update(
                status=Action.Status.WITHDRAWN, closed_on=on, withdrawn_reason=reason.code
            ):
                continue  # somebody did it meanwhile
            facts.append(
                Fact(
                    "action_withdrawn",
                    now,
                    on,
                    customer,
                    row.reference_id,
                    data={"code": reason.code, "level": row.level, "name": row.level_name},
                )
            )
            withdrawn += 1
    _open(organisation, fresh)
    facts += [
        Fact(
            "action_opened",
            now,
            on,
            row.customer_id,
            row.reference_id,
            data={
                "level": row.level,
                "name": row.level_name,
                "channel": row.channel,
                "reason": row.reason,
            },
        )
        for row in fresh
    ]
    history.append(organisation, facts)
    return len(fresh), withdrawn


def stored(row: Action) -> engine.Action:
    """An open action as the engine knows it: enough to recognise it from one day to the next."""
    return engine.Action(
        customer=row.customer_id,
        currency=row.currency,
        plan=row.plan_id,
        level=row.level,
        name=row.level_name,
        channel=row.channel,  # type: ignore[arg-type]
        automatic=False,
        reference=row.reference_id,
        invoices=(row.reference_id,),
        carriers=(row.reference_id,),
        amount=row.amount_cents,
        since=row.due_on,
    )


def _action_row(organisation: Organisation, customer: int, wanted: engine.Action) -> Action:
    return Action(
        organisation=organisation,
        customer_id=customer,
        plan_id=wanted.plan,
        reference_id=wanted.reference,
        currency=wanted.currency,
        level=wanted.level,
        level_name=wanted.name,
        channel=wanted.channel,
        automatic=wanted.reason is not None and wanted.reason.code == "NO_RECIPIENT",
        reason=wanted.reason.code if wanted.reason else "",
        due_on=wanted.since,
        amount_cents=wanted.amount,
        invoice_count=len(wanted.invoices),
    )


def _retake(row: Action, wanted: engine.Action) -> None:
    """An action already open keeps its date; its invoices are those of the day."""
    reason = wanted.reason.code if wanted.reason else ""
    if (row.amount_cents, row.invoice_count, row.reason) != (
        wanted.amount,
        len(wanted.invoices),
        reason,
    ):
        row.amount_cents, row.invoice_count = wanted.amount, len(wanted.invoices)
        row.reason = reason
        row.save(update_fields=["amount_cents", "invoice_count", "reason"])


def _open(organisation: Organisation, rows: list[Action]) -> None:
    """Create the actions, each owned by the customer's manager, else by all who may act.

    In a dossier that only its cabinet opens, those are the members of the firm (D-24).
    """
    if not rows:
        return
    create_many(Action, rows)
    managers = dict(
        Customer.objects.filter(
            organisation=organisation, id__in={row.customer_id for row in rows}
        ).values_list("id", "manager_id")
    )
    members = Membership.objects.filter(
        organisation=organisation, dunning_role__gte=DunningRole.ACCOUNT_MANAGER
    )
    firm = FirmMembership.objects.filter(firm__organisations=organisation)
    everyone = list(members.values_list("user_id", flat=True))
    able = {*everyone, *firm.values_list("user_id", flat=True)}
    everyone = everyone or sorted(able)
    owners = Action.owners.through
    owners.objects.bulk_create(
        [
            owners(action_id=row.pk, user_id=user)
            for row in rows
            for manager in [managers[row.customer_id]]
            for user in ([manager] if manager in able else everyone)
        ],
        batch_size=2000,
    )


def refresh(organisation: Organisation, customers: Sequence[int], *, on: date) -> None:
    """Look again at a few customers after a person changed something: their outlook only."""
    if not customers:
        return
    window = Window(ids=tuple(customers))
    decided = decide_window(
        organisation, on, window, plans_of(organisation), rules_of(organisation)
    )
    outlooks.write(outlooks.changed(organisation, on, window, decided.outlooks))


def refresh_all(organisation: Organisation, *, on: date) -> None:
    """Look again at every customer, window by window, without queuing anything."""
    plans, rules = plans_of(organisation), rules_of(organisation)
    for window in windows(organisation):
        decided = decide_window(organisation, on, window, plans, rules)
        outlooks.write(outlooks.changed(organisation, on, window, decided.outlooks))


def tick(now: datetime) -> list[Run]:
    """Run every organisation whose hour has come and whose day is not done (D-14).

    Called again and again by workers; a day already finished is left alone. A run that was killed
    is taken up again after ten minutes.
    """
    runs = []
    for organisation in Organisation.objects.all():
        on = clock.local_date(organisation, now)
        if not due_now(organisation, on, now) or not _claim(organisation, on, now):
            continue
        runs.append(run(organisation, on=on, now=now))
    return runs


def due_now(organisation: Organisation, on: date, now: datetime) -> bool:
    """Between the organisation's hour and the evening of local day `on`."""
    start = clock.local_moment(organisation, on)
    latest = start.replace(minute=0) + timedelta(
        hours=max(1, LATEST_HOUR - organisation.send_at.hour)
    )
    return start <= now < latest


def next_departure(organisation: Organisation, now: datetime) -> datetime:
    """The next moment (UTC) at which automatic messages may leave."""
    on = clock.local_date(organisation, now)
    if not (is_working_day(organisation.zone, on) and now < clock.local_moment(organisation, on)):
        on = next_working_day(organisation.zone, on + timedelta(days=1))
    return clock.local_moment(organisation, on)


def _claim(organisation: Organisation, on: date, now: datetime) -> bool:
    """True for the one worker that may run this day."""
    row, created = Run.objects.get_or_create(
        organisation=organisation, on=on, defaults={"started_at": now}
    )
    if created:
        return True
    stale = Run.objects.filter(
        pk=row.pk, finished_at__isnull=True, started_at__lt=now - timedelta(minutes=10)
    )
    return stale.update(started_at=now) == 1
