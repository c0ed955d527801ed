"""“Rejoué sur douze mois”: the plan being typed beside the present one and two variants of it."""

import hashlib
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from django.core.cache import cache
from django.utils.translation import gettext as _

from relance.accounts.models import Organisation
from relance.dunning.models import Plan
from relance.dunning.plans import rehearsal
from relance.dunning.plans.rehearsal import Rehearsed, Sample
from relance.engine import model as engine
from relance.engine.forecast import slips
from relance.engine.plan_rules import validate_plan
from relance.web import french
from relance.web.drawing import Bar, bar_chart
from relance.web.queries.plan_sketch import delays_for, j

TYPED, SAVED = "typed", "saved"
DELAYS = (3, 5, 10)
"""Minimum delays tried when nothing slips, in calendar days."""
KEPT_SECONDS = 600


class Scenario(NamedTuple):
    """A plan to be played; `key` is also what the editor's button does, when it can be taken."""

    key: str
    label: str
    plan: engine.Plan

    @property
    def can_be_taken(self) -> bool:
        return self.key not in (TYPED, SAVED)


class Row(NamedTuple):
    """A scenario in the list beside the picture; `result` None: not played yet."""

    scenario: Scenario
    chosen: bool
    result: Rehearsed | None


class Level(NamedTuple):
    """One line of the table; `share` in percentage points."""

    level: int
    name: str
    messages: int
    settled: int
    share: float
    delayed: int


class Shown(NamedTuple):
    """Everything the block shows of the chosen scenario, and the others beside it."""

    sample: Sample
    result: Rehearsed
    drawing: str
    levels: list[Level]
    rows: list[Row]
    chosen: Scenario


def scenarios(saved: engine.Plan | None, typed: engine.Plan, due: date) -> list[Scenario]:
    """The plan as typed, as it is saved when that differs, and at most two variants of it.

    The variants are the two remedies of the first level that slips (S3-25); when none slips, two
    other minimum delays.
    """
    changed = saved is not None and saved != typed
    found = [Scenario(TYPED, _("Plan modifié") if changed else _("Plan tel quel"), typed)]
    if changed and saved is not None:
        found.append(Scenario(SAVED, _("Plan enregistré"), saved))
    return found + _variants(typed, due)


def _variants(plan: engine.Plan, due: date) -> list[Scenario]:
    found: list[Scenario] = []
    slipping = slips(plan, due)
    if slipping:
        first = slipping[0]
        step = plan.steps[first.level - 1]
        if first.real_day is not None:
            from_due = step.anchor == "due"
            days = first.real_day if from_due else step.days + (first.days or 0)
            steps = tuple(
                one._replace(days=days) if one.level == first.level else one for one in plan.steps
            )
            label = _("Niveau %(n)d à %(day)s") % {
                "n": first.level,
                "day": j(days) if from_due else french.days(days),
            }
            key = f"trigger:{first.level}:{days}"
            found.append(Scenario(key, label, plan._replace(steps=steps)))
        delay = delays_for(plan, [first.level], due).get(first.level)
        others: Sequence[int] = [] if delay is None else [delay]
    else:
        others = [days for days in DELAYS if days != plan.min_contact_days][:2]
    for days in others:
        label = _("DMC de %(days)s") % {"days": french.counted(days, _("jour"), _("jours"))}
        found.append(Scenario(f"delay:{days}", label, plan._replace(min_contact_days=days)))
    return [one for one in found if not validate_plan(one.plan)]


def show(
    organisation: Organisation,
    plan: Plan,
    found: Sequence[Scenario],
    chosen: str,
    *,
    on: date,
    every: bool = False,
) -> Shown:
    """Play the chosen scenario (the first when there is none of that name); the others are shown
    when they were played before, or all at once with `every`.
    """
    here = next((one for one in found if one.key == chosen), found[0])
    facts = rehearsal.sample(organisation, plan, on=on)
    names = {one.key: _name(facts, one.plan) for one in found}
    result = _played(facts, here.plan)
    rows = []
    for one in found:
        known = result if one == here else cache.get(names[one.key])
        if known is None and every:
            known = _played(facts, one.plan)
        rows.append(Row(one, one == here, known))
    return Shown(facts, result, _drawing(result), _levels(result), rows, here)


def played(organisation: Organisation, plan: Plan, asked: engine.Plan, *, on: date) -> Rehearsed:
    """The rehearsal of one plan with the year of those who follow `plan`."""
    return _played(rehearsal.sample(organisation, plan, on=on), asked)


def _played(facts: Sample, asked: engine.Plan) -> Rehearsed:
    """Kept for ten minutes, as long as the facts are the same."""
    name = _name(facts, asked)
    known: Rehearsed | None = cache.get(name)
    if known is None:
        known = rehearsal.rehearse(facts, asked)
        cache.set(name, known, KEPT_SECONDS)
    return known


def _name(facts: Sample, asked: engine.Plan) -> str:
    """What a rehearsal depends on: every fact of the sample, and what the plan does."""
    shape = asked._replace(id=0, name="", paused=False)
    return "rehearsal-" + hashlib.sha256(repr((facts, shape)).encode()).hexdigest()


def _drawing(result: Rehearsed) -> str:
    bars = [
        Bar(french.month_name(month.first, short=True), month.messages, month.delayed)
        for month in result.months
    ]
    return bar_chart(bars, _("Messages par mois"))


def _levels(result: Rehearsed) -> list[Level]:
    return [
        Level(
            one.level,
            one.name,
            one.messages,
            one.settled,
            100 * one.settled / one.messages if one.messages else 0.0,
            one.delayed,
        )
        for one in result.levels
    ]
