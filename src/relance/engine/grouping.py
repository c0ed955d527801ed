"""What each action contains: 3.9."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from relance.engine.calendar import shift
from relance.engine.model import Action, Carrier, Case, Id, Invoice, Plan, Reason, Step
from relance.engine.schedule import impossible, is_before

ReferenceKey = tuple[date, int, str]


def reference_key(plan: Plan, invoice: Invoice) -> ReferenceKey:
    """Order in which invoices carry: earliest due (or issue) date, highest total, smallest number as text (3.3)."""
    first = invoice.issued if plan.steps[0].anchor == "issue" else invoice.due
    return (first, -invoice.total, invoice.number)


def reference_of(plan: Plan, invoices: Sequence[Invoice]) -> Invoice:
    """The invoice that carries a customer and currency (3.3)."""
    from_issue = plan.steps[0].anchor == "issue"
    best = invoices[0]
    first = best.issued if from_issue else best.due
    for invoice in invoices:
        day = invoice.issued if from_issue else invoice.due
        if day < first or (day == first and reference_key(plan, invoice) < reference_key(plan, best)):
            best, first = invoice, day
    return best


def asked_with(step: Step, reference: Invoice, chaseable: Sequence[Invoice], on: date) -> list[Invoice]:
    """Customer scope: the reference with all that is overdue, or with all that falls due soon for a *before* step."""
    if is_before(step):
        last = max(shift(on, -step.days), reference.due)
        return [one for one in chaseable if one.id == reference.id or on < one.due <= last]
    return [one for one in chaseable if one.id == reference.id or one.due < on]


def action_of(
    case: Case, plan: Plan, step: Step, reference: Carrier, invoices: Sequence[Invoice], carriers: tuple[Id, ...]
) -> Action:
    """One action about these invoices, by a person when the step is manual or impossible (3.12)."""
    code = impossible(step, case.unreachable)
    reason = Reason(code, {"channel": step.channel, "level": step.level, "name": step.name}) if code else None
    ordered = sorted(invoices, key=lambda invoice: (invoice.due, invoice.number))
    return Action(
        customer=case.customer,
        currency=reference.currency,
        plan=plan.id,
        level=step.level,
        name=step.name,
        channel=step.channel,
        automatic=step.automatic and not code,
        reference=reference.reference.id,
        invoices=tuple(invoice.id for invoice in ordered),
        carriers=carriers or tuple(invoice.id for invoice in ordered),
        amount=sum(invoice.balance for invoice in ordered),
        since=reference.wanted or reference.leaves or date.max,
        reason=reason,
    )


def actions_of(
    case: Case, plan: Plan, acting: Sequence[Carrier], chaseable: Sequence[Invoice], on: date
) -> list[Action]:
    """The actions of the carriers of one currency that act today."""
    if plan.scope == "customer":
        return [
            action_of(
                case,
                plan,
                carrier.step,
                carrier,
                asked_with(carrier.step, carrier.reference, chaseable, on),
                (carrier.reference.id,),
            )
            for carrier in acting
            if carrier.step is not None
        ]
    if plan.grouping == "none":
        return [
            action_of(case, plan, carrier.step, carrier, (carrier.reference,), ())
            for carrier in acting
            if carrier.step is not None
        ]
    return [grouped(case, plan, acting)]


def grouped(case: Case, plan: Plan, acting: Sequence[Carrier]) -> Action:
    """All that would act today as one message, at the highest of their next levels (S1-15, S1-16)."""
    level = max(carrier.step.level for carrier in acting if carrier.step is not None)
    highest = [carrier for carrier in acting if carrier.step is not None and carrier.step.level == level]
    reference = min(highest, key=lambda carrier: reference_key(plan, carrier.reference))
    return action_of(case, plan, plan.steps[level - 1], reference, [carrier.reference for carrier in acting], ())
