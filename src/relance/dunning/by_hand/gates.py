"""What a person may chase by hand, whatever the plan's calendar says: the gates, and the level.

The engine decides what is done by itself; here a person has decided, and only what would be wrong
is refused: a debt not owed or contested, an address missing, a relance made twice. Pure: facts
in, answers out; `services.relances` reads, writes and sends.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from relance.engine import model as engine
from relance.engine.gates import invoice_refusal
from relance.engine.grouping import reference_key
from relance.engine.model import Reason
from relance.engine.progress import DEEDS, NEVER_CHASED, progress
from relance.engine.schedule import is_before, level_by_age, trigger_of

LEFT_TO_A_PERSON = frozenset({"PLAN_OFF", "BY_HAND_MODE"})
"""Reasons that stop the plan and not a person: automatic relance is off, this one is not."""


class Ask(NamedTuple):
    """One message asked for about these invoices of one customer.

    `level`: the one that the person saw; the message is refused when it has moved since.
    `carriers`: those whose level rises, when not all (a carrier of the plan and its table).
    `recipients`: addresses chosen for this message; the usual ones when empty.
    """

    customer_id: int
    invoices: tuple[int, ...]
    level: int | None = None
    carriers: tuple[int, ...] | None = None
    recipients: tuple[str, ...] = ()


class Past(NamedTuple):
    """What lists know of an invoice: the level last said about it, and when."""

    level: int
    last_on: date | None


class Answer(NamedTuple):
    """What becomes of an ask: `wanted` when something can leave, and every refusal and warning.

    A refusal names its invoice when only that one stays behind.
    """

    ask: Ask
    case: engine.Case
    wanted: engine.Action | None
    refusals: tuple[Reason, ...]
    warnings: tuple[Reason, ...]


def customer_refusal(case: engine.Case, on: date) -> Reason | None:
    """Why nothing at all is sent to this customer, even by hand."""
    if case.excluded:
        return Reason("EXCLUDED")
    if case.plan is None:
        return Reason("NO_PLAN")
    if not case.plan.steps:
        return Reason("EMPTY_PLAN", {"plan": case.plan.name or str(case.plan.id)})
    if case.hold_until is not None and case.hold_until >= on:
        return Reason("CUSTOMER_ON_HOLD", {"until": case.hold_until}, case.hold_until)
    return None


def refusal_of(
    invoice: engine.Invoice, on: date, judgment_on: date | None, rules: engine.Rules
) -> Reason | None:
    """Why this invoice is not chased, even by hand: settled, disputed, promised, held, not issued,
    or before a judgment. A plan switched off or a mode chased by hand do not stop a person.
    """
    loose = invoice._replace(plan_on=True, mode="")
    return invoice_refusal(loose, on, judgment_on, rules)


def level_to_come(
    plan: engine.Plan, invoice: engine.Invoice, reached: int, on: date, zone: str
) -> int:
    """The next level of an invoice (D-06); above the plan's last when it is at its end.

    A reminder before the due date is passed once the invoice is overdue. In a plan by age it is
    at least the level to which its age has brought it.
    """
    return max(reached + 1, _floor(plan, invoice, on, zone))


def _floor(plan: engine.Plan, invoice: engine.Invoice, on: date, zone: str) -> int:
    before = [step for step in plan.steps if is_before(step)]
    if on >= invoice.due:
        least = len(before) + 1
    else:
        triggered = [s for s in before if trigger_of(s, invoice, NEVER_CHASED, zone) <= on]
        least = triggered[-1].level if triggered else 1
    if plan.progression == "age":
        least = max(least, level_by_age(plan, invoice, on, zone))
    return least


def within_plan(plan: engine.Plan, level: int) -> int | None:
    """The level itself, the last one again when it repeats, None at the end of the plan (D-10)."""
    last = plan.steps[-1]
    if level <= last.level:
        return level
    return last.level if last.repeat_every is not None else None


def reached(
    case: engine.Case, invoice: engine.Id, past: Mapping[int, Past], *, as_carrier: bool
) -> int:
    """The level an invoice has come to: its own entries, and what a message said about it.

    `as_carrier`: its own entries alone, as the engine folds them.
    """
    plan = case.plan.id if case.plan else None
    own = progress(e for e in case.history if (e.plan, e.reference) == (plan, invoice)).reached
    told = past.get(int(invoice))
    return own if as_carrier or told is None else max(own, told.level)


def answer(
    ask: Ask,
    case: engine.Case,
    on: date,
    rules: engine.Rules,
    *,
    past: Mapping[int, Past],
    taken: Mapping[int, str],
    channel: str,
    templates: Collection[tuple[int, int]],
    sms_ready: bool = False,
) -> Answer:
    """What can leave of `ask` on local date `on` by `channel`, and why the rest cannot.

    `taken`: who is already chasing an invoice (a message on its way), by invoice id.
    `templates`: the (plan, level) that have words for this channel (D-09). `sms_ready`: an
    account sends SMS.
    """
    stop = customer_refusal(case, on)
    known = {int(invoice.id): invoice for invoice in case.invoices}
    free: list[engine.Invoice] = []
    refusals: list[Reason] = []
    for key in ask.invoices:
        refusal = _invoice_stop(known.get(key), key, case, on, rules, past, taken)
        if refusal:
            refusals.append(refusal)
        else:
            free.append(known[key])
    stop = stop or _common_stop(free, ask, case, channel, sms_ready)
    if stop or not free or case.plan is None:
        return Answer(ask, case, None, (stop, *refusals) if stop else tuple(refusals), ())
    carriers = [one for one in free if ask.carriers is None or int(one.id) in ask.carriers]
    level, wanted = _levelled(case, case.plan, free, carriers, ask, past, on, rules.zone)
    stop = _level_stop(case.plan, level, ask, templates, channel)
    if stop or wanted is None:
        refusals.insert(0, stop or Reason("SETTLED"))
        return Answer(ask, case, None, tuple(refusals), ())
    wanted = wanted._replace(channel=channel)  # type: ignore[arg-type]
    return Answer(ask, case, wanted, tuple(refusals), warnings_of(case, wanted, on))


def _invoice_stop(
    invoice: engine.Invoice | None,
    key: int,
    case: engine.Case,
    on: date,
    rules: engine.Rules,
    past: Mapping[int, Past],
    taken: Mapping[int, str],
) -> Reason | None:
    if key in taken:
        return Reason("ALREADY_QUEUED", {"who": taken[key]}, None, key)
    if invoice is None:
        return Reason("SETTLED", {}, None, key)
    refusal = refusal_of(invoice, on, case.judgment_on, rules)
    if refusal:
        return refusal
    if chased_on(case, key, on, past.get(key)):
        return Reason("ALREADY_TODAY", {}, None, key)
    return None


def chased_on(case: engine.Case, invoice: int, on: date, past: Past | None) -> bool:
    """Whether a step was done about this invoice on `on`, as a carrier or in the table of one."""
    plan = case.plan.id if case.plan else None
    deeds = [e for e in case.history if e.on == on and e.kind in DEEDS and e.plan == plan]
    if any(e.reference == invoice for e in deeds):
        return True
    return bool(deeds) and past is not None and past.level > 0 and past.last_on == on


def _common_stop(
    free: Sequence[engine.Invoice], ask: Ask, case: engine.Case, channel: str, sms_ready: bool
) -> Reason | None:
    if len({one.currency for one in free}) > 1:
        return Reason("TWO_CURRENCIES")
    if free and ask.carriers is not None and not any(int(one.id) in ask.carriers for one in free):
        return Reason("SETTLED", {}, None, ask.carriers[0])
    if channel == "sms" and not sms_ready:
        return Reason("NO_PROVIDER")
    if channel in case.unreachable and not ask.recipients:
        return Reason({"email": "NO_EMAIL", "sms": "NO_PHONE"}.get(channel, "NO_ADDRESS"))
    return None


def _levelled(
    case: engine.Case,
    plan: engine.Plan,
    free: Sequence[engine.Invoice],
    carriers: Sequence[engine.Invoice],
    ask: Ask,
    past: Mapping[int, Past],
    on: date,
    zone: str,
) -> tuple[int, engine.Action | None]:
    """The level of the whole message, from the highest of its carriers (S1-15), and the step."""
    as_carrier = ask.carriers is not None
    levels = {
        one.id: level_to_come(
            plan, one, reached(case, one.id, past, as_carrier=as_carrier), on, zone
        )
        for one in carriers
    }
    top = max(levels.values())
    level = within_plan(plan, top)
    if level is None:
        return top, None
    highest = [one for one in carriers if levels[one.id] == top]
    reference = min(highest, key=lambda one: reference_key(plan, one))
    ordered = sorted(free, key=lambda one: (one.due, one.number))
    step = plan.steps[level - 1]
    rising = {one.id for one in carriers}
    return level, engine.Action(
        customer=case.customer,
        currency=reference.currency,
        plan=plan.id,
        level=level,
        name=step.name,
        channel=step.channel,
        automatic=False,
        reference=reference.id,
        invoices=tuple(one.id for one in ordered),
        carriers=tuple(one.id for one in ordered if one.id in rising),
        amount=sum(one.balance for one in ordered),
        since=on,
    )


def _level_stop(
    plan: engine.Plan,
    level: int,
    ask: Ask,
    templates: Collection[tuple[int, int]],
    channel: str,
) -> Reason | None:
    if level > len(plan.steps):
        return Reason("END_OF_PLAN", {"level": len(plan.steps)})
    name = plan.steps[level - 1].name
    facts: dict[str, engine.Fact] = {"level": level, "name": name, "channel": channel}
    if ask.level is not None and ask.level != level:
        return Reason("LEVEL_MOVED", facts)
    if (int(plan.id), level) not in templates:
        return Reason("NO_TEMPLATE", facts)
    return None


def warnings_of(case: engine.Case, action: engine.Action, on: date) -> tuple[Reason, ...]:
    """What a person should know and may overrule: contacted a short while ago (DMC), credits."""
    found = []
    plan = case.plan
    contacts = [e.on for e in case.history if e.contact and e.on <= on]
    if plan is not None and contacts:
        free_on = max(contacts) + timedelta(days=plan.min_contact_days)
        if free_on > on:
            found.append(
                Reason("RECENT_CONTACT", {"contact": max(contacts), "until": free_on}, free_on)
            )
    unapplied = case.credits.get(action.currency, 0)
    if unapplied > 0:
        found.append(Reason("CREDITS", {"credits": unapplied, "currency": action.currency}))
    return tuple(found)


def still_wanted(
    case: engine.Case,
    on: date,
    rules: engine.Rules,
    *,
    level: int,
    invoices: Iterable[int],
    carriers: Collection[int],
) -> tuple[list[int], str]:
    """Just before a message chosen by hand leaves: the invoices it may still ask, or why none.

    The same gates with today's facts, its own trace left out of `case` (3.11). A carrier that
    was chased meanwhile by other means stops the whole message.
    """
    stop = customer_refusal(case, on)
    if stop:
        return [], stop.code
    known = {int(one.id): one for one in case.invoices}
    repeats = case.plan is not None and case.plan.steps[-1].repeat_every is not None
    for key in carriers:
        now_at = reached(case, key, {}, as_carrier=True)
        if chased_on(case, key, on, None) or (now_at >= level and not repeats):
            return [], "REPLACED"
    left, code = [], "SETTLED"
    for key in invoices:
        one = known.get(key)
        refusal = refusal_of(one, on, case.judgment_on, rules) if one else Reason("SETTLED")
        if refusal is None:
            left.append(key)
        else:
            code = refusal.code
    if not any(key in left for key in carriers):
        return [], code
    return left, ""
