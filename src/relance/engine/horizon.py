"""Until when nothing can change by itself: lets a long run leave quiet customers alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from relance.engine.calendar import shift
from relance.engine.model import Case, Decision, Rules
from relance.engine.progress import progress, recall
from relance.engine.schedule import is_before, trigger_of


def next_change(case: Case, decision: Decision, rules: Rules) -> date:
    """The first day after the decision on which time alone may change it; ``date.max`` when none.

    Holds for a decision that asks for nothing, as long as no fact of the case changes.
    """
    on = decision.on
    return min((day for day in _turning_points(case, decision, rules) if day > on), default=date.max)


def _turning_points(case: Case, decision: Decision, rules: Rules) -> Iterator[date]:
    if case.judgment_on is not None:
        yield case.judgment_on
    if case.hold_until is not None:
        yield shift(case.hold_until, 1)
    for invoice in case.invoices:
        yield invoice.issued
        for until in (invoice.promise_until, invoice.hold_until):
            if until is not None:
                yield shift(until, 1)
    plan = case.plan
    if plan is None:
        return
    past = recall(case.history, plan, decision.on)
    for carrier in decision.carriers:
        reference = carrier.reference
        yield reference.due
        if reference.due > decision.on and any(is_before(step) for step in plan.steps[carrier.reached :]):
            yield shift(decision.on, 1)  # any day may be the last one on which it can leave
        if carrier.leaves is not None:
            yield carrier.leaves
        done = progress(past.entries.get(reference.id, ()))
        for step in plan.steps[done.reached :]:
            yield trigger_of(step, reference, done, rules.zone)
