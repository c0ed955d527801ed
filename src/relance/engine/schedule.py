"""Which step is next and when it can be done: 3.5 to 3.8 and 3.12."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import NamedTuple

from relance.engine.calendar import month_end, next_working_day, previous_working_day, shift
from relance.engine.model import ADDRESSED_CHANNELS, Invoice, Plan, Step
from relance.engine.progress import Progress


class Pace(NamedTuple):
    """What slows every step of a customer down.

    ``floor``: the first day still free (the day after, when the carrier has already acted). ``contact``: the last
    contact that counts. ``unreachable``: channels without recipient.
    """

    zone: str
    floor: date
    contact: date | None
    delay: int
    unreachable: Collection[str]


class Dated(NamedTuple):
    """A step with its dates: trigger, the later of trigger and delay, wanted (calendar too), and the day it is done."""

    step: Step
    trigger: date
    earliest: date
    wanted: date
    leaves: date


def is_before(step: Step) -> bool:
    """A reminder before the due date (S4-10)."""
    return step.days < 0 and step.anchor == "due"


def impossible(step: Step, unreachable: Collection[str]) -> str:
    """Why this step cannot reach anybody: NO_RECIPIENT, NO_TEMPLATE (automatic steps only), or "" (3.12, D-12)."""
    if step.channel not in ADDRESSED_CHANNELS:
        return ""
    if step.channel in unreachable:
        return "NO_RECIPIENT"
    return "NO_TEMPLATE" if step.automatic and not step.has_template else ""


def trigger_of(step: Step, invoice: Invoice, progress: Progress, zone: str) -> date:
    """The date from which a step may be done, before any delay (section 2; 3.8 for *before* steps)."""
    if step.anchor == "due":
        day = shift(invoice.due, step.days)
        return previous_working_day(zone, day) if step.days < 0 and step.automatic else day
    if step.anchor == "issue":
        return shift(invoice.issued, step.days)
    if step.anchor == "due_month_end":
        return month_end(shift(invoice.due, step.days))
    return shift(progress.given_on or invoice.due, step.days)


def dated(step: Step, trigger: date, pace: Pace) -> Dated:
    """When a step is done: the minimum contact delay, then the calendar (3.8, S3-20, S3-24, D-18).

    A task is internal: the delay does not hold it. An automatic step waits for a working day; when it is impossible
    a person gets it on that working day and keeps it on every day after (3.12).
    """
    earliest = trigger
    if pace.contact is not None and step.channel != "task":
        earliest = max(trigger, shift(pace.contact, pace.delay))
    if not step.automatic:
        return Dated(step, trigger, earliest, earliest, max(earliest, pace.floor))
    if impossible(step, pace.unreachable):
        wanted = next_working_day(pace.zone, earliest)
        return Dated(step, trigger, earliest, wanted, max(wanted, pace.floor))
    leaves = next_working_day(pace.zone, max(earliest, pace.floor))
    return Dated(step, trigger, earliest, leaves, leaves)


def next_step(plan: Plan, invoice: Invoice, progress: Progress, on: date, pace: Pace) -> Dated | None:
    """The step that is next for this carrier, with its dates; None at the end of the plan."""
    choose = by_age if plan.progression == "age" else in_turn
    return choose(plan, invoice, progress, on, pace) or repeated(plan, progress, pace)


def before_steps(plan: Plan, invoice: Invoice, progress: Progress, on: date, pace: Pace) -> list[Dated]:
    """The *before* steps above the level reached that can still leave before the due date (3.5, 3.8).

    An automatic one could only leave on a working day, whether or not somebody can be reached.
    """
    due = invoice.due
    if on >= due:
        return []
    found = []
    for step in plan.steps[progress.reached :]:
        if is_before(step):
            option = dated(step, trigger_of(step, invoice, progress, pace.zone), pace)
            could_leave = next_working_day(pace.zone, option.leaves) if step.automatic else option.leaves
            if could_leave < due:
                found.append(option)
    return found


def in_turn(plan: Plan, invoice: Invoice, progress: Progress, on: date, pace: Pace) -> Dated | None:
    """Progression ``sequence``: the lowest level still playable; age alone never jumps a level (3.5)."""
    before = before_steps(plan, invoice, progress, on, pace)
    if len(before) == 1:
        return before[0]
    if before:
        triggered = [option for option in before if option.trigger <= on]
        coming = [option for option in before if option.trigger > on]
        return min(coming + triggered[-1:], key=lambda option: option.step.level)
    for step in plan.steps[progress.reached :]:
        if not is_before(step):
            return dated(step, trigger_of(step, invoice, progress, pace.zone), pace)
    return None


def by_age(plan: Plan, invoice: Invoice, progress: Progress, on: date, pace: Pace) -> Dated | None:
    """Progression ``age``: the highest level triggered, else the first to come above the level reached (3.6)."""
    options = [(option.trigger, option.step) for option in before_steps(plan, invoice, progress, on, pace)]
    options += [
        (trigger_of(step, invoice, progress, pace.zone), step)
        for step in plan.steps[progress.reached :]
        if not is_before(step)
    ]
    if not options:
        return None
    triggered = [option for option in options if option[0] <= on]
    if triggered:
        trigger, step = triggered[-1]
    else:
        trigger, step = min(options, key=lambda option: (option[0], -option[1].level))
    return dated(step, trigger, pace)


def repeated(plan: Plan, progress: Progress, pace: Pace) -> Dated | None:
    """The last step again, counted from the last entry at its level, when it repeats (3.7, D-10)."""
    last = plan.steps[-1]
    if last.repeat_every is None or progress.last_on is None or progress.reached < last.level:
        return None
    return dated(last, shift(progress.last_on, last.repeat_every), pace)


def level_by_age(plan: Plan, invoice: Invoice, on: date, zone: str) -> int:
    """The level to which its age alone has brought an invoice, 0 when nothing has triggered (section 4, "mark")."""
    return max(
        (
            step.level
            for step in plan.steps
            if trigger_of(step, invoice, Progress(0, None, None), zone) <= on
            and not (is_before(step) and on >= invoice.due)
        ),
        default=0,
    )
