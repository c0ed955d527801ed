"""The copy of what is to be chased, for the list À relancer: one line per carrier (S4-15).

A carrier is listed once its next level has triggered, and as long as nothing was done about it at
that level (S4-23, S4-24, D-11). All of it comes from the engine's decision; nothing decides here.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from relance.accounts.bulk import upsert_many
from relance.accounts.models import Organisation
from relance.dunning.facts.gather import Days, Window, day_of, flag_of, read
from relance.dunning.models import ToChase
from relance.engine import model as engine
from relance.engine.grouping import asked_with
from relance.engine.schedule import impossible

AHEAD = timedelta(days=1)
"""What triggers tomorrow is copied today: the list is whole before the pass of the morning."""

FIELDS = (
    "plan",
    "level",
    "trigger",
    "possible_on",
    "automatic",
    "code",
    "currency",
    "amount_cents",
    "invoice_count",
)


class Line(NamedTuple):
    """A `ToChase` without its keys; `amount_cents` in the line's currency, dates local."""

    customer: int
    invoice: int
    plan: int
    level: int
    trigger: date
    possible_on: date
    automatic: bool
    code: str
    currency: str
    amount_cents: int
    invoice_count: int


def lines(case: engine.Case, decision: engine.Decision) -> list[Line]:
    """What is to be chased of one customer on the date decided, or triggers the day after."""
    plan = case.plan
    if plan is None:
        return []
    found = []
    for carrier in decision.carriers:
        step, trigger, leaves = carrier.step, carrier.trigger, carrier.leaves
        if step is None or trigger is None or leaves is None:
            continue
        since = _since(case, plan, carrier, trigger)
        if since > decision.on + AHEAD:
            continue
        fault = impossible(step, case.unreachable)
        asked = _asked(case, plan, step, carrier, decision)
        found.append(
            Line(
                customer=int(case.customer),
                invoice=int(carrier.reference.id),
                plan=int(plan.id),
                level=step.level,
                trigger=since,
                possible_on=leaves,
                automatic=step.automatic and not fault,
                code=fault or carrier.code,
                currency=carrier.currency,
                amount_cents=sum(one.balance for one in asked),
                invoice_count=len(asked),
            )
        )
    return found


def asked(case: engine.Case, decision: engine.Decision) -> dict[int, tuple[int, ...]]:
    """The invoices that a message of each carrier would ask for, by its reference."""
    found = {}
    for carrier in decision.carriers:
        if case.plan is not None and carrier.step is not None:
            told = _asked(case, case.plan, carrier.step, carrier, decision)
            found[int(carrier.reference.id)] = tuple(int(one.id) for one in told)
    return found


def _since(case: engine.Case, plan: engine.Plan, carrier: engine.Carrier, trigger: date) -> date:
    """The day on which the carrier reached its next level.

    What was done about this carrier itself keeps it off the list for the minimum delay; what was
    done about another only says from when it is possible (worked example T-44).
    """
    own = [
        entry.on
        for entry in case.history
        if entry.contact and entry.plan == plan.id and entry.reference == carrier.reference.id
    ]
    if not own:
        return trigger
    return max(trigger, max(own) + timedelta(days=max(1, plan.min_contact_days)))


def _asked(
    case: engine.Case,
    plan: engine.Plan,
    step: engine.Step,
    carrier: engine.Carrier,
    decision: engine.Decision,
) -> Sequence[engine.Invoice]:
    """The invoices that a message of this carrier would ask for (engine rules 3.9)."""
    if plan.scope == "invoice":
        return [carrier.reference]
    refused = {reason.invoice for reason in decision.invoice_reasons}
    chaseable = [
        one for one in case.invoices if one.currency == carrier.currency and one.id not in refused
    ]
    return asked_with(step, carrier.reference, chaseable, decision.on)


class Changes(NamedTuple):
    """Rows to insert or replace, and invoices that are no longer to be chased."""

    rows: list[ToChase]
    gone: list[int]


def changed(
    organisation: Organisation, window: Window, wanted: Mapping[int, Iterable[Line]]
) -> Changes:
    """What differs from the copy; `wanted` by customer, for every customer of the window."""
    days = Days()
    known = ToChase.objects.filter(window.q(), organisation=organisation).values_list(
        "customer_id",
        "invoice_id",
        "plan_id",
        "level",
        day_of("trigger"),
        day_of("possible_on"),
        flag_of("automatic"),
        "code",
        "currency",
        "amount_cents",
        "invoice_count",
    )
    before = {
        row[1]: Line._make((*row[:4], days[row[4]], days[row[5]], bool(row[6]), *row[7:]))
        for row in read(known)
    }
    fresh = {line.invoice: line for mine in wanted.values() for line in mine}
    rows = [
        ToChase(
            organisation=organisation,
            customer_id=line.customer,
            invoice_id=line.invoice,
            plan_id=line.plan,
            **dict(zip(Line._fields[3:], line[3:], strict=True)),
        )
        for key, line in fresh.items()
        if before.get(key) != line
    ]
    return Changes(rows, [key for key in before if key not in fresh])


def write(organisation: Organisation, changes: Changes) -> None:
    """Insert, replace and delete; what did not change is left as it is."""
    upsert_many(ToChase, changes.rows, unique="invoice", update=("customer", *FIELDS))
    for start in range(0, len(changes.gone), 500):
        some = changes.gone[start : start + 500]
        ToChase.objects.filter(organisation=organisation, invoice_id__in=some).delete()
