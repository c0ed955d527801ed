"""What happens between a decision and its effect: re-check of a message (3.11), to-do list from day to day (3.10)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from relance.engine.decide import DEFAULT_RULES, decide
from relance.engine.model import Action, Carrier, Case, Decision, Id, Reason, Rules
from relance.engine.wording import carrier_reason


class Reconciled(NamedTuple):
    """The to-do list after a run: kept (as it was, as it is today), newly opened, withdrawn with the reason."""

    keep: tuple[tuple[Action, Action], ...]
    open: tuple[Action, ...]
    withdraw: tuple[tuple[Action, Reason], ...]


def recheck(case: Case, on: date, action: Action, rules: Rules = DEFAULT_RULES) -> Action | Reason:
    """Just before a message leaves or an action is done: still wanted today, or the reason why not (3.11).

    The answer holds only invoices of the original action: those paid or held meanwhile are gone and the message is
    rendered again without them; what became due meanwhile is not slipped into it. ``case`` is today's, without the
    message itself in its history.
    """
    decision = decide(case, on, rules)
    for wanted in decision.actions:
        if not same_step(wanted, action):
            continue
        kept = tuple(id_ for id_ in wanted.invoices if id_ in action.invoices)
        if wanted.reference not in kept:
            continue
        balances = {invoice.id: invoice.balance for invoice in case.invoices}
        return wanted._replace(
            invoices=kept,
            carriers=tuple(id_ for id_ in wanted.carriers if id_ in kept),
            amount=sum(balances[id_] for id_ in kept),
        )
    return why_withdrawn(decision, action)


def same_step(wanted: Action, action: Action) -> bool:
    """Same plan, currency and level, by the same channel, and by itself or by hand as before."""
    return (
        wanted.plan == action.plan
        and wanted.currency == action.currency
        and wanted.level == action.level
        and wanted.channel == action.channel
        and wanted.automatic == action.automatic
    )


def reconcile(open_actions: Sequence[Action], decision: Decision) -> Reconciled:
    """The to-do list is derived: after a run it is exactly what the decision asks of people (3.10).

    Same plan, currency, reference and level: kept, with its own date and today's invoices. Any other is withdrawn.
    """
    wanted = {action.key: action for action in decision.manual}
    known = {action.key for action in open_actions}
    return Reconciled(
        keep=tuple((action, wanted[action.key]) for action in open_actions if action.key in wanted),
        open=tuple(action for key, action in wanted.items() if key not in known),
        withdraw=tuple(
            (action, why_withdrawn(decision, action)) for action in open_actions if action.key not in wanted
        ),
    )


def why_withdrawn(decision: Decision, action: Action) -> Reason:
    """The reason of the day for which an action is no longer wanted."""
    for reason in decision.reasons:
        if reason.facts.get("currency", action.currency) == action.currency:
            return reason
    for reason in decision.invoice_reasons:
        if reason.invoice == action.reference:
            return reason
    carrier = carrier_for(decision.carriers, action)
    if carrier is None:
        return Reason("SETTLED", {"currency": action.currency}, None, action.reference)
    today, step = carrier_reason(carrier), carrier.step
    if step is not None and (today is None or (carrier.acts and step.level != action.level)):
        return Reason("REPLACED", {"level": step.level, "name": step.name})
    return today or Reason("REPLACED")


def carrier_for(carriers: Sequence[Carrier], action: Action) -> Carrier | None:
    """The carrier of the action's own reference, else the one that carries its currency now."""
    wanted: Id = action.reference
    here = [carrier for carrier in carriers if carrier.currency == action.currency]
    exact = [carrier for carrier in here if carrier.reference.id == wanted]
    if exact:
        return exact[0]
    customer_scope = action.carriers == (wanted,) and len(here) == 1
    return here[0] if customer_scope else None
