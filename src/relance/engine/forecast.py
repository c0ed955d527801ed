"""What a customer will receive: the engine run forward day by day (section 6, S3-17 to S3-19)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from relance.engine.calendar import shift
from relance.engine.decide import DEFAULT_RULES, decide
from relance.engine.deeds import done
from relance.engine.model import Action, Case, Entry, Id, Invoice, Plan, Rules
from relance.engine.progress import Progress
from relance.engine.schedule import trigger_of

MODEL_TERM_DAYS = 30
MODEL_CENTS = 100_00


class Planned(NamedTuple):
    """One action of the forecast, on its day."""

    on: date
    action: Action


class Slip(NamedTuple):
    """A level whose day the minimum contact delay moves: by ``days``, or None when it will never be played.

    ``trigger_day`` and ``real_day`` in days from the due date of the model invoice.
    """

    level: int
    trigger_day: int
    real_day: int | None
    days: int | None


def forecast(case: Case, on: date, days: int, rules: Rules = DEFAULT_RULES) -> tuple[Planned, ...]:
    """All that will be done from ``on`` (included) over ``days`` calendar days, the last one included.

    Supposes no payment and manual actions done on their day. What cannot leave for want of a recipient or a text is
    shown once, on the day it appears, and nothing follows it as long as it stays so.
    """
    return tuple(_forward(case, on, days, rules))


def _forward(case: Case, on: date, days: int, rules: Rules) -> Iterator[Planned]:
    history: list[Entry] = [entry for entry in case.history if entry.on <= on]
    case = case._replace(history=history)
    stuck: set[tuple[Id, str, Id, int]] = set()
    for offset in range(days + 1):
        day = shift(on, offset)
        for action in decide(case, day, rules).actions:
            if action.reason is None:
                history += done(action, day, by_run=True)
                yield Planned(day, action)
            elif action.key not in stuck:
                stuck.add(action.key)
                yield Planned(day, action)


def model_case(plan: Plan, due: date) -> Case:
    """One customer who can be reached everywhere, with one ordinary invoice due that day and no history."""
    invoice = Invoice("modele", "modele", shift(due, -MODEL_TERM_DAYS), due, MODEL_CENTS, MODEL_CENTS)
    steps = tuple(step._replace(has_template=True) for step in plan.steps)
    return Case("modele", plan._replace(steps=steps, paused=False, minimum=0), (invoice,))


def model_forecast(plan: Plan, due: date, rules: Rules = DEFAULT_RULES) -> tuple[Planned, ...]:
    """The plan applied to a model invoice due that day: what leaves and when, calendar included."""
    case = model_case(plan, due)
    start, length = _model_span(case, plan)
    return forecast(case, start, length, rules)


def slips(plan: Plan, due: date) -> tuple[Slip, ...]:
    """Levels that the minimum contact delay moves because two triggers are closer than it (S3-22, S3-24, S3-25).

    Weekends and public holidays are left out: they move a date, not the rhythm of the plan.
    """
    case = model_case(plan, due)
    rules = Rules(zone="none")
    start, length = _model_span(case, plan)
    real: dict[int, Planned] = {}
    for planned in forecast(case, start, length, rules):
        real.setdefault(planned.action.level, planned)
    found = []
    given_on: date | None = None
    for step in plan.steps:
        trigger = trigger_of(step, case.invoices[0], Progress(step.level - 1, given_on, None), rules.zone)
        played = real.get(step.level)
        day = played.on if played else None
        given_on = day or given_on
        if day is None:
            found.append(Slip(step.level, (trigger - due).days, None, None))
        elif day > trigger:
            found.append(Slip(step.level, (trigger - due).days, (day - due).days, (day - trigger).days))
    return tuple(found)


def _model_span(case: Case, plan: Plan) -> tuple[date, int]:
    """The days that see every step of the plan once: from the first trigger to the last, delays included."""
    invoice = case.invoices[0]
    first = min([invoice.issued, *(shift(invoice.due, step.days) for step in plan.steps)])
    case_days = sum(abs(step.days) for step in plan.steps if step.anchor == "previous")
    furthest = max((abs(step.days) for step in plan.steps), default=0) + 31
    room = (plan.min_contact_days + 7) * (len(plan.steps) + 1)
    return first, (invoice.due - first).days + case_days + furthest + room
