"""The decision for one customer on one date: the algorithm on one screen, its rules in the modules beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from relance.engine.gates import balance_refusal, customer_refusal, sort_out
from relance.engine.grouping import actions_of, reference_key, reference_of
from relance.engine.model import Action, Carrier, Case, Decision, Invoice, Plan, Reason, Rules
from relance.engine.progress import NEVER_CHASED, NO_PAST, Past, progress, recall
from relance.engine.schedule import Dated, Pace, impossible, next_step

DEFAULT_RULES = Rules()
ONE_DAY = timedelta(days=1)


def decide(case: Case, on: date, rules: Rules = DEFAULT_RULES) -> Decision:
    """What is to be done today for this customer, and if nothing, why (sections 3.1 to 3.12).

    Pure: same facts, same answer. Entries of the history dated after ``on`` are ignored.
    """
    invoices = sort_out(case, on, rules)
    stop = customer_refusal(case, on, invoices)
    plan = case.plan
    if stop is not None or plan is None:
        return Decision(on, (), (), (stop,) if stop else (), tuple(invoices.reasons))

    actions: list[Action] = []
    carriers: list[Carrier] = []
    reasons: list[Reason] = []
    past = recall(case.history, plan, on) if case.history else NO_PAST
    for currency, chaseable in by_currency(invoices.chaseable).items():
        stop = balance_refusal(case, currency, chaseable, plan.minimum)
        if stop is not None:
            reasons.append(stop)
            continue
        here = [carrier_of(case, plan, one, past, on, rules) for one in references(plan, chaseable)]
        acting = [carrier for carrier in here if carrier.acts]
        if acting:
            wanted = actions_of(case, plan, acting, chaseable, on)
            actions += wanted
            here = as_grouped(here, wanted) if plan.grouping == "customer" else here
        carriers += here
    return Decision(on, tuple(actions), tuple(carriers), tuple(reasons), tuple(invoices.reasons))


def by_currency(chaseable: Sequence[Invoice]) -> Mapping[str, Sequence[Invoice]]:
    """The chaseable invoices by currency, currencies in alphabetical order."""
    only = chaseable[0].currency
    for invoice in chaseable:
        if invoice.currency != only:
            break
    else:
        return {only: chaseable}
    groups: dict[str, list[Invoice]] = {invoice.currency: [] for invoice in chaseable}
    for invoice in chaseable:
        groups[invoice.currency].append(invoice)
    return dict(sorted(groups.items()))


def references(plan: Plan, chaseable: Sequence[Invoice]) -> Sequence[Invoice]:
    """The invoices that carry: one per currency in customer scope, each one in invoice scope (3.3)."""
    if plan.scope == "customer":
        return (reference_of(plan, chaseable),)
    if len(chaseable) == 1:
        return chaseable
    return sorted(chaseable, key=lambda invoice: reference_key(plan, invoice))


def carrier_of(case: Case, plan: Plan, reference: Invoice, past: Past, on: date, rules: Rules) -> Carrier:
    """Where one carrier stands on a date: its next step, when, and whether that is today.

    What the run of this very date has sent to the customer delays nothing today, but everything from tomorrow: so a
    step that cannot be done today is dated again, from tomorrow, with those messages counted (3.8).
    """
    unreachable = case.unreachable
    entries = past.entries.get(reference.id)
    done = progress(entries) if entries else NEVER_CHASED
    acted = (reference.currency if plan.scope == "customer" else reference.id) in past.acted
    contact = past.before_run
    acts = False
    following: Dated | None = None
    if not acted:
        pace = Pace(rules.zone, on, contact, plan.min_contact_days, unreachable)
        following = next_step(plan, reference, done, on, pace)
        acts = following is not None and following.leaves == on
    if acted or (not acts and past.last != contact):
        contact = past.last
        pace = Pace(rules.zone, on + ONE_DAY if on < date.max else on, contact, plan.min_contact_days, unreachable)
        following = next_step(plan, reference, done, on, pace)
    if following is None:
        return Carrier(
            reference.currency, reference, done.reached, None, None, None, None, None, False, acted, contact,
            "END_OF_PLAN",
        )  # fmt: skip
    step, trigger, earliest, wanted, leaves = following
    code = code_today(case, following, on, acts=acts, acted=acted)
    return Carrier(
        reference.currency, reference, done.reached, step, trigger, earliest, wanted, leaves, acts, acted, contact, code
    )


def as_grouped(carriers: Sequence[Carrier], wanted: Sequence[Action]) -> list[Carrier]:
    """Carriers that leave in one message share its fate: the code of the message, not the one they had alone (3.9)."""
    codes = {one: action_code(action) for action in wanted for one in action.carriers}
    return [
        carrier._replace(code=codes.get(carrier.reference.id, carrier.code)) if carrier.acts else carrier
        for carrier in carriers
    ]


def action_code(action: Action) -> str:
    """Why a wanted action is left to a person; "" when it leaves by itself."""
    if action.reason is not None:
        return action.reason.code
    return "" if action.automatic else "PENDING_MANUAL"


def code_today(case: Case, following: Dated, on: date, *, acts: bool, acted: bool) -> str:
    """Why the next step does not leave by itself today; "" when it does (section 5)."""
    if acts:
        return impossible(following.step, case.unreachable) or ("" if following.step.automatic else "PENDING_MANUAL")
    if following.trigger > on:
        return "NOT_YET_TRIGGERED"
    if acted or following.earliest > on:
        return "MIN_CONTACT_DELAY"
    return "NOT_A_WORKING_DAY"
