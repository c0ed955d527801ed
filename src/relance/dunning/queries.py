"""Answers for pages and commands: why, what next, what leaves. Nothing is written."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import NamedTuple

from django.db.models import Q

from relance.accounts import clock
from relance.accounts.models import Organisation
from relance.dunning.facts import hours
from relance.dunning.facts.gather import HELD, Window, cases, plans_of, rules_of
from relance.dunning.models import Outlook
from relance.dunning.wording import messages
from relance.engine import model as engine
from relance.engine.decide import decide
from relance.engine.deeds import done
from relance.engine.forecast import Planned, forecast
from relance.engine.wording import all_reasons
from relance.outbox.models import Message, Status


class Explanation(NamedTuple):
    """Why something was done for a customer on a date, or why not.

    `state`: acted, pending, waiting or nothing, as `relance replay --reasons` says it; leaving
    when the step of that day is not written yet, written when its message has not left, held when
    that message waits for a person. `message` is then the message.
    `expected`: the day is to come, and the answer supposes no payment until then (section 6).
    """

    on: date
    state: str
    case: engine.Case
    decision: engine.Decision
    reasons: tuple[engine.Reason, ...]
    done: tuple[engine.Entry, ...]
    expected: bool
    message: Message | None = None


def explain(organisation: Organisation, customer_id: int, *, on: date, today: date) -> Explanation:
    """Why, for any date: with the facts of that day, or, in the future, those of the forecast."""
    plans, rules = plans_of(organisation), rules_of(organisation)
    [case] = cases(organisation, min(on, today), Window(ids=(customer_id,)), plans)
    if on > today:
        case = _after_forecast(case, today, on, rules)
    decision = decide(case, on, rules)
    acted = tuple(e for e in case.history if e.on == on and e.kind in ("sent", "marked"))
    message = _not_gone(organisation, customer_id, on, today)
    if message is not None:
        state = "held" if message.status in HELD else "written"
    elif acted:
        state = "acted"
    elif decision.automatic:
        state = "leaving"
    elif decision.manual:
        state = "pending"
    elif any(carrier.leaves for carrier in decision.carriers):
        state = "waiting"
    else:
        state = "nothing"
    reasons = all_reasons(decision)
    return Explanation(on, state, case, decision, reasons, acted, on > today, message)


def _not_gone(
    organisation: Organisation, customer_id: int, on: date, today: date
) -> Message | None:
    """The message of a step that counts as done on `on` without having left yet.

    One that waits for a person counts on every day until he decides.
    """
    if on < today:
        return None
    on_its_way = [Status.QUEUED, Status.SENDING, Status.RETRYING]
    return (
        Message.objects.filter(
            Q(status__in=HELD, automatic=True, on__lte=on) | Q(status__in=on_its_way, on=on),
            organisation=organisation,
            customer_id=customer_id,
            purpose=Message.Purpose.STEP,
        )
        .order_by("id")
        .first()
    )


def _after_forecast(case: engine.Case, today: date, on: date, rules: engine.Rules) -> engine.Case:
    """The case as it will be on `on` when all that is planned until then has been done."""
    history = list(case.history)
    for planned in forecast(case, today, (on - today).days - 1, rules):
        if planned.action.reason is None:
            history += done(planned.action, planned.on, by_run=True)
    return case._replace(history=tuple(history))


def upcoming(
    organisation: Organisation, customer_id: int, *, today: date, days: int = 60
) -> tuple[Planned, ...]:
    """What the customer will receive in the next `days` calendar days if he does not pay."""
    plans, rules = plans_of(organisation), rules_of(organisation)
    [case] = cases(organisation, today, Window(ids=(customer_id,)), plans)
    return forecast(case, today, days, rules)


def decisions(
    organisation: Organisation, customers: Sequence[int], on: date
) -> dict[int, tuple[engine.Case, engine.Decision]]:
    """The decisions of a page of customers, in a fixed number of queries."""
    if not customers:
        return {}
    plans, rules = plans_of(organisation), rules_of(organisation)
    return {
        int(case.customer): (case, decide(case, on, rules))
        for case in cases(organisation, on, Window(ids=tuple(customers)), plans)
    }


def automatic_invoices(decision: engine.Decision, case: engine.Case) -> set[engine.Id]:
    """The invoices that wear the ⚡: the plan would chase them by itself (S2-13, S2-14).

    Chaseable invoices of a carrier whose next step, or a later one, leaves without a person.
    """
    plan = case.plan
    if plan is None:
        return set()
    refused = {reason.invoice for reason in decision.invoice_reasons}
    found: set[engine.Id] = set()
    for carrier in decision.carriers:
        if carrier.step is None:
            continue
        if not any(_leaves_alone(s, case) for s in plan.steps if s.level >= carrier.step.level):
            continue
        if plan.scope == "invoice":
            found.add(carrier.reference.id)
        else:
            found.update(
                i.id
                for i in case.invoices
                if i.currency == carrier.currency and i.id not in refused and i.balance > 0
            )
    return found


def _leaves_alone(step: engine.Step, case: engine.Case) -> bool:
    """The step is automatic, has its words, and the customer can be reached by its channel."""
    return step.automatic and step.has_template and step.channel not in case.unreachable


def next_departure(
    organisation: Organisation, on: date, *, limit: int = 500
) -> list[messages.Wanted]:
    """What leaves by itself at the run of `on`, in order of amount, at most `limit` customers.

    Candidates come from the stored outlooks, the answer from the engine.
    """
    candidates = list(
        Outlook.objects.filter(organisation=organisation, next_automatic=True, next_on__lte=on)
        .order_by("customer_id")
        .values_list("customer_id", flat=True)[:limit]
    )
    found = [
        messages.Wanted(action, case)
        for case, decision in decisions(organisation, candidates, on).values()
        for action in decision.automatic
    ]
    return sorted(found, key=lambda wanted: -wanted.action.amount)


def departure_day(organisation: Organisation, now: datetime) -> date:
    """The local date of the next departure."""
    return clock.local_date(organisation, hours.next_departure(organisation, now))


def leaving_on(
    organisation: Organisation, customers: Collection[int], *, on: date, start: date
) -> list[messages.Wanted]:
    """What leaves by itself to these customers on `on`, as the engine sees it from here.

    `start` is the day of the next departure; for a later one the engine is run forward from it,
    supposing no payment and manual actions done on their day (section 6). In order of customer.
    """
    if not customers:
        return []
    plans, rules = plans_of(organisation), rules_of(organisation)
    found = []
    for case in cases(organisation, on, Window(ids=tuple(sorted(customers))), plans):
        later = case
        if on > start:
            entries = list(case.history)
            for planned in forecast(case, start, (on - start).days - 1, rules):
                if planned.action.reason is None:
                    entries += done(planned.action, planned.on, by_run=True)
            later = case._replace(history=entries)
        decision = decide(later, on, rules)
        found += [messages.Wanted(action, later) for action in decision.automatic]
    return found


def messages_on(organisation: Organisation, customer_id: int, on: date) -> Sequence[Message]:
    """The messages of a customer decided on a date, whatever became of them."""
    return list(
        Message.objects.filter(organisation=organisation, customer_id=customer_id, on=on).order_by(
            "id"
        )
    )


class Look(NamedTuple):
    """`asked` answers for the date asked, `now` for today; `planned` starts today.

    `after_writing`: what is planned if somebody writes to the customer today, instead (S3-16).
    """

    asked: Explanation
    now: Explanation
    planned: tuple[Planned, ...]
    after_writing: tuple[Planned, ...]


def look_at(
    organisation: Organisation, customer_id: int, *, on: date, today: date, days: int = 60
) -> Look:
    """Everything about one customer, with the facts of `on` and of `today` (local dates).

    One gathering serves today's answer and the days to come; another date costs one more.
    """
    rules = rules_of(organisation)
    now = explain(organisation, customer_id, on=today, today=today)
    asked = now if on == today else explain(organisation, customer_id, on=on, today=today)
    written = engine.Entry(today, None, None, 0, "ad_hoc", True)
    case = now.case._replace(history=(*now.case.history, written))
    return Look(
        asked,
        now,
        forecast(now.case, today, days, rules),
        forecast(case, today, days, rules),
    )
