"""A new look at customers after a change: their outlook, their to-do, what is to be chased.

The daily pass in small, that neither sends nor queues anything.
"""

from collections.abc import Sequence
from datetime import date, datetime

from django.db import transaction

from relance.accounts.models import Organisation
from relance.dunning.daily import todo
from relance.dunning.daily.deciding import decide_window, windows
from relance.dunning.facts import outlooks, to_chase
from relance.dunning.facts.gather import Window, cases, plans_of, rules_of
from relance.dunning.models import Entry, Run
from relance.engine import model as engine
from relance.engine.decide import decide


def refresh(
    organisation: Organisation, customers: Sequence[int], *, on: date, now: datetime
) -> None:
    """Look again at a few customers after something changed: their outlook and their to-do.

    What the engine no longer wants of people is withdrawn at once, with its reason. What it wants
    today is opened at once when the pass of `on` has begun; before, the pass opens it. Nothing is
    sent or queued.
    """
    if customers:
        _look_again(organisation, Window(ids=tuple(sorted(set(customers)))), on, now)


def _look_again(organisation: Organisation, window: Window, on: date, now: datetime) -> None:
    plans, rules = plans_of(organisation), rules_of(organisation)
    decided = decide_window(organisation, on, window, plans, rules)
    passed = Run.objects.filter(organisation=organisation, on=on).exists()
    with transaction.atomic():
        todo.update(
            organisation,
            todo.Day(on, now),
            window,
            decided.decisions,
            opens=passed,
            spared=_before_todays_deeds(organisation, on, window, plans, rules),
        )
        outlooks.write(outlooks.changed(organisation, on, window, decided.outlooks))
        to_chase.write(organisation, to_chase.changed(organisation, window, decided.lines))


def _before_todays_deeds(
    organisation: Organisation,
    on: date,
    window: Window,
    plans: dict[int, engine.Plan],
    rules: engine.Rules,
) -> dict[int, engine.Decision]:
    """Decisions without what people did today, for those customers of whom something was done.

    The actions of one day are re-checked together before the first of them (3.10): doing one
    takes none of the others off the list before the next pass.
    """
    deeds = Entry.objects.filter(
        window.q(), organisation=organisation, on=on, action_id__isnull=False, void=False
    )
    ids = tuple(sorted(set(deeds.values_list("customer_id", flat=True))))
    if not ids:
        return {}
    found = cases(organisation, on, Window(ids=ids), plans, without_actions_of=on)
    return {int(case.customer): decide(case, on, rules) for case in found}


def refresh_all(organisation: Organisation, *, on: date, now: datetime) -> None:
    """Look again at every customer, window by window, without queuing anything."""
    for window in windows(organisation):
        _look_again(organisation, window, on, now)
