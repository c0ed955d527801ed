"""Things people do, as entries for the history (section 4). Nothing here decides; it only says what is recorded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from relance.engine.decide import by_currency, carrier_of
from relance.engine.gates import sort_out
from relance.engine.grouping import reference_of
from relance.engine.model import Action, Case, Entry, Id, Invoice, Plan, Rules, Step
from relance.engine.progress import recall
from relance.engine.schedule import level_by_age


def done(action: Action, on: date, *, by_run: bool) -> tuple[Entry, ...]:
    """What a message really sent, or an action really done, adds to the history: one entry per carrier (D-07).

    A task is internal: it raises the level and is no contact, whatever it was grouped with.
    """
    contact = action.channel != "task"
    return tuple(
        Entry(on, action.plan, reference, action.level, "sent", contact, by_run, action.currency)
        for reference in action.carriers
    )


def marked(case: Case, on: date, rules: Rules, invoice: Id | None = None) -> tuple[Entry, ...]:
    """ "Marquer comme déjà relancé" (S4-23, S4-24): the next level counts as done, and it is a contact.

    Customer scope: every carrier (leave ``invoice`` out); invoice scope: that invoice. It is a contact even when no
    level can be counted, dated then with level 0.
    """
    plan = case.plan
    entries = tuple(
        Entry(on, plan.id, one.id, level_to_mark(case, plan, one, on, rules), "marked", True, False, one.currency)
        for one in carried(case, on, rules, invoice)
        if plan is not None
    )
    return entries or (Entry(on, plan.id if plan else None, invoice, 0, "marked", True, False, ""),)


def skipped(
    case: Case, on: date, rules: Rules, invoice: Id | None = None, pending: Sequence[Action] = ()
) -> tuple[Entry, ...]:
    """Skip: the level of the action ``pending`` on the carrier, or of its next step, counts as passed; no contact."""
    plan = case.plan
    if plan is None:
        return ()
    entries = []
    for one in carried(case, on, rules, invoice):
        action = next((action for action in pending if concerns(action, plan, one)), None)
        step = next_step_of(case, plan, one, on, rules)
        level = action.level if action else step.level if step else 0
        if level:
            entries.append(Entry(on, plan.id, one.id, level, "skipped", False, False, one.currency))
    return tuple(entries)


def level_set(case: Case, on: date, rules: Rules, level: int, invoice: Id | None = None) -> tuple[Entry, ...]:
    """The level set by hand (S1-18): from now on it counts as reached, 0 starts again; no contact."""
    plan = case.plan
    if plan is None:
        return ()
    return tuple(
        Entry(on, plan.id, one.id, level, "level_set", False, False, one.currency)
        for one in carried(case, on, rules, invoice)
    )


def ad_hoc(on: date) -> Entry:
    """ "Relancer" between two steps (S3-16): a contact that replaces no step."""
    return Entry(on, None, None, 0, "ad_hoc", True, False, "")


def campaign(on: date) -> Entry:
    """A campaign message that reached the customer (S3-04): a contact that replaces no step."""
    return Entry(on, None, None, 0, "campaign", True, False, "")


def carried(case: Case, on: date, rules: Rules, invoice: Id | None = None) -> list[Invoice]:
    """The references to which a deed applies.

    Invoice scope: the invoice named, whatever its state. Customer scope: the reference of every currency with a
    chaseable invoice, whatever the gates of 3.2 say.
    """
    plan = case.plan
    if plan is None or not plan.steps:
        return []
    if plan.scope == "invoice":
        return [one for one in case.invoices if one.id == invoice]
    if invoice is not None:
        return []
    chaseable = sort_out(case, on, rules).chaseable
    return [reference_of(plan, group) for group in by_currency(chaseable).values()] if chaseable else []


def concerns(action: Action, plan: Plan, reference: Invoice) -> bool:
    """The open action is the one of this carrier: its currency in customer scope, its invoice in invoice scope."""
    if action.plan != plan.id:
        return False
    if plan.scope == "customer":
        return action.currency == reference.currency
    return reference.id in action.invoices


def next_step_of(case: Case, plan: Plan, reference: Invoice, on: date, rules: Rules) -> Step | None:
    """The step that is next for one carrier, whatever its gates."""
    return carrier_of(case, plan, reference, recall(case.history, plan, on), on, rules).step


def level_to_mark(case: Case, plan: Plan, reference: Invoice, on: date, rules: Rules) -> int:
    """``sequence``: the next level; ``age``: the level currently reached by age; 0 when there is none."""
    if plan.progression == "age":
        return level_by_age(plan, reference, on, rules.zone)
    step = next_step_of(case, plan, reference, on, rules)
    return step.level if step else 0
