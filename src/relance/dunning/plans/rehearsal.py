"""A plan played again on the organisation's own last twelve months, through the engine's replay.

The real invoices, payments, credits, disputes, promises and holds of those who follow the plan;
nothing is written. It says what would have been sent, not what would have been paid: payments stay
on their real dates. Bounded: at most `MOST_INVOICES` invoices, of customers drawn by a fixed lot.
"""

from calendar import monthrange
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from itertools import islice
from typing import NamedTuple
from zlib import crc32

from relance.accounts.models import Organisation
from relance.dunning.facts.gather import rules_of
from relance.dunning.models import Assignment, Plan
from relance.dunning.plans.rules import Condition, rule_q
from relance.engine import model as engine
from relance.engine.rehearsal import Played, play
from relance.engine.replay_document import CustomerRow, Document, Event
from relance.ledger.models import Credit, Customer, Dispute, Hold, Invoice, Payment

PLAN = "plan"
"""The id of the plan that is played, whichever it is."""
MONTHS = 12
MOST_INVOICES = 2_500
MOST_CUSTOMERS = 1_500
WARMING_UP = timedelta(days=120)
"""Played before the first month without being counted: a year does not begin with empty hands."""
NAMED = 5
"""Customers named among those contacted most."""


class Sample(NamedTuple):
    """The facts of the period, and how much of the whole they are.

    `whole`: nothing was left out. `customers` of `all_customers` were looked at;
    `invoices` fell due, or were issued, within the period.
    """

    first: date
    last: date
    document: Document
    names: dict[str, str]
    customers: int
    all_customers: int
    invoices: int
    whole: bool


class MonthCount(NamedTuple):
    """Messages and actions of one month, and how many the minimum delay moved."""

    first: date
    messages: int
    delayed: int


class LevelCount(NamedTuple):
    """One level over the period. `settled`: paid before anything else was done."""

    level: int
    name: str
    messages: int
    settled: int
    delayed: int


class Contacted(NamedTuple):
    customer: int
    name: str
    messages: int


class Rehearsed(NamedTuple):
    """What a plan would have done over the period."""

    messages: int
    delayed: int
    by_hand: int
    months: tuple[MonthCount, ...]
    levels: tuple[LevelCount, ...]
    most: tuple[Contacted, ...]


# --- the facts --------------------------------------------------------------------------


def period(on: date) -> tuple[date, date]:
    """The twelve months that end on `on`: the first day of the eleventh month before, and `on`."""
    month = on.year * 12 + on.month - 1 - (MONTHS - 1)
    return date(month // 12, month % 12 + 1, 1), on


def sample(organisation: Organisation, plan: Plan | None, *, on: date) -> Sample:
    """Those who follow the plan (without any, every customer), with their last twelve months."""
    first, last = period(on)
    every = _concerned(organisation, plan)
    drawn = sorted(every, key=lambda key: (crc32(str(key).encode()), key))[:MOST_CUSTOMERS]
    since = first - WARMING_UP
    rows = _invoices(organisation, drawn, since, last)
    kept: dict[int, list[Invoice]] = {}
    room, whole = MOST_INVOICES, len(drawn) == len(every)
    for key in drawn:
        mine = rows.get(key, [])
        if len(mine) > room:
            whole = False
            if kept:
                continue
            mine = mine[-room:]
        kept[key] = mine
        room -= len(mine)
    chosen = sorted(kept)
    invoices = [(str(key), one) for key in chosen for one in kept[key]]
    customers = Customer.objects.filter(pk__in=chosen, organisation=organisation)
    names = {str(pk): name for pk, name in customers.values_list("pk", "name")}
    return Sample(
        first,
        last,
        _document(organisation, since, last, chosen, invoices),
        names,
        len(chosen),
        len(every),
        sum(1 for _customer, one in invoices if first <= one.due <= last),
        whole,
    )


def _concerned(organisation: Organisation, plan: Plan | None) -> list[int]:
    if plan is not None and plan.pk:
        followers = Assignment.objects.filter(plan=plan).values_list("customer_id", flat=True)
        if followers:
            return list(followers)
    return list(Customer.objects.filter(organisation=organisation).values_list("pk", flat=True))


def _invoices(
    organisation: Organisation, customers: Sequence[int], since: date, last: date
) -> dict[int, list[Invoice]]:
    """The invoices due from `since` on and issued until `last`, by customer, oldest first."""
    found: dict[int, list[Invoice]] = defaultdict(list)
    for some in _chunks(customers, 500):
        rows = Invoice.objects.filter(
            organisation=organisation, customer_id__in=some, due__gte=since, issued__lte=last
        )
        for row in rows.order_by("customer_id", "due", "pk"):
            found[row.customer_id].append(row)
    return found


def _chunks(keys: Sequence[int], size: int) -> Iterable[Sequence[int]]:
    for start in range(0, len(keys), size):
        yield keys[start : start + size]


def _document(
    organisation: Organisation,
    since: date,
    last: date,
    customers: Sequence[int],
    invoices: Sequence[tuple[str, Invoice]],
) -> Document:
    """The period as the replay takes it; the plan comes with `rehearse`."""
    rules = rules_of(organisation)
    keys = [one.pk for _customer, one in invoices]
    paid: Counter[int] = Counter()
    events = []
    for event, invoice, cents in _payments(keys, since):
        paid[invoice] += cents
        events.append(event)
    events += _disputes(keys)
    events += _holds(customers, set(keys))
    events += _credits(customers, last)
    reachable = {key for some in _chunks(customers, 500) for key in _reachable(organisation, some)}
    people = Customer.objects.filter(pk__in=customers).values_list("pk", "excluded", "judgment_on")
    return Document(
        first=since,
        last=last,
        runs=None,
        zone=rules.zone,
        tolerance=rules.tolerance,
        by_hand_modes=frozenset(rules.by_hand_modes),
        manual_lag=0,
        plans={},
        customers={
            str(pk): CustomerRow(str(pk), PLAN, excluded, pk in reachable, judgment)
            for pk, excluded, judgment in people
        },
        invoices=[(customer, _as_it_was(one, paid[one.pk])) for customer, one in invoices],
        events=sorted(events, key=lambda event: event.on),
    )


def _as_it_was(row: Invoice, paid_since: int) -> engine.Invoice:
    """An invoice before what was paid of it from the first day on; events tell the rest."""
    return engine.Invoice(
        id=str(row.pk),
        number=row.number,
        issued=row.issued,
        due=row.due,
        total=row.total_cents,
        balance=row.balance_cents + paid_since,
        currency=row.currency,
        mode=row.mode,
        plan_on=row.plan_on,
    )


def _reachable(organisation: Organisation, customers: Sequence[int]) -> Iterable[int]:
    """Those with a usable address, of their own or of a contact."""
    present = Condition(field="contact", op="is", value="present")
    asked = Customer.objects.filter(rule_q(organisation, [present]), pk__in=customers)
    return asked.values_list("pk", flat=True)


def _event(on: date, kind: str, **fields: object) -> Event:
    blank = Event(on, kind, None, None, 0, "EUR", None, 0, None)
    return blank._replace(**fields)  # type: ignore[arg-type]


def _payments(invoices: Sequence[int], since: date) -> Iterable[tuple[Event, int, int]]:
    for some in _chunks(invoices, 500):
        rows = Payment.objects.filter(invoice_id__in=some, on__gte=since)
        for invoice, on, cents in rows.values_list("invoice_id", "on", "amount_cents"):
            yield _event(on, "payment", invoice=str(invoice), amount=cents), invoice, cents


def _disputes(invoices: Sequence[int]) -> Iterable[Event]:
    for some in _chunks(invoices, 500):
        rows = Dispute.objects.filter(invoice_id__in=some).order_by("opened_on", "pk")
        for invoice, opened, resolved in rows.values_list("invoice_id", "opened_on", "resolved_on"):
            yield _event(opened, "dispute", invoice=str(invoice))
            if resolved:
                yield _event(resolved, "resolve", invoice=str(invoice))


def _holds(customers: Sequence[int], invoices: set[int]) -> Iterable[Event]:
    """Promises and holds as they were made; each ends on its date, or when it was ended."""
    for some in _chunks(customers, 500):
        rows = Hold.objects.filter(customer_id__in=some).order_by("made_on", "pk")
        for row in rows:
            if row.invoice_id is not None and row.invoice_id not in invoices:
                continue
            target = (
                {"invoice": str(row.invoice_id)}
                if row.invoice_id
                else {"customer": str(row.customer_id)}
            )
            until = row.until
            if row.ended_on:
                until = min(until, row.ended_on - timedelta(days=1))
            if until >= row.made_on:
                yield _event(row.made_on, row.kind, until=until, **target)


def _credits(customers: Sequence[int], last: date) -> Iterable[Event]:
    """Unapplied credits, on their date; what was applied is among the payments."""
    for some in _chunks(customers, 500):
        rows = Credit.objects.filter(customer_id__in=some, on__lte=last).exclude(left_cents=0)
        for customer, on, cents, currency in rows.values_list(
            "customer_id", "on", "left_cents", "currency"
        ):
            yield _event(on, "credit", customer=str(customer), amount=cents, currency=currency)


# --- the plan on those facts --------------------------------------------------------------


def rehearse(found: Sample, plan: engine.Plan) -> Rehearsed:
    """What `plan` would have done with these facts; texts exist, a pause is ignored."""
    steps = tuple(step._replace(has_template=True) for step in plan.steps)
    asked = plan._replace(id=PLAN, steps=steps, paused=False)
    played = play(found.document._replace(plans={PLAN: asked}), counted_from=found.first)
    return Rehearsed(
        len(played),
        sum(one.delayed for one in played),
        sum(not one.automatic for one in played),
        _by_month(played, found.first, found.last),
        _by_level(played, asked),
        _most(played, found.names),
    )


def _by_month(played: Sequence[Played], first: date, last: date) -> tuple[MonthCount, ...]:
    every: Counter[date] = Counter()
    late: Counter[date] = Counter()
    for one in played:
        month = one.on.replace(day=1)
        every[month] += 1
        late[month] += one.delayed
    months = []
    month = first
    while month <= last:
        months.append(MonthCount(month, every[month], late[month]))
        month += timedelta(days=monthrange(month.year, month.month)[1])
    return tuple(months)


def _by_level(played: Sequence[Played], plan: engine.Plan) -> tuple[LevelCount, ...]:
    every: Counter[int] = Counter(one.level for one in played)
    settled: Counter[int] = Counter(one.level for one in played if one.settled_next)
    late: Counter[int] = Counter(one.level for one in played if one.delayed)
    return tuple(
        LevelCount(
            step.level,
            step.name,
            every[step.level],
            settled[step.level],
            late[step.level],
        )
        for step in plan.steps
    )


def _most(played: Sequence[Played], names: dict[str, str]) -> tuple[Contacted, ...]:
    """Those contacted most often; tasks are no contact."""
    counts = Counter(str(one.customer) for one in played if one.contact)
    order = sorted(counts.items(), key=lambda item: (-item[1], names.get(item[0], "")))
    return tuple(Contacted(int(key), names.get(key, ""), n) for key, n in islice(order, NAMED))
