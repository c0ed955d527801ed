"""What is ticked in Relances clients, kept as the draft of a batch: searched, corrected, checked.

The filters tick and never hide (S1-06, S1-09). The ticks live in the database, one line for each
message to be, so that ten thousand of them need neither a form of that size nor a session.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import F, Q, QuerySet

from relance.accounts.bulk import update_many
from relance.accounts.models import Organisation, User
from relance.dunning.by_hand import gates
from relance.dunning.daily.todo import ON_ITS_WAY
from relance.dunning.facts.gather import plans_of
from relance.dunning.lots import batches, relance_batch
from relance.dunning.models import Batch, BatchLine
from relance.dunning.services import relances
from relance.engine import model as engine
from relance.formats.text import fold
from relance.ledger.models import Customer, Invoice
from relance.outbox.models import Message, MessageInvoice

MOST = 20_000
"""Invoices that one search may tick; the oldest first."""

NOBODY = "aucun"


@dataclass(frozen=True)
class Criteria:
    """The filters, joined by "et" (S1-07, S1-08); empty ones say nothing.

    `level` and `level_name`: the next level (D-06). Amounts in cents, `days` late in calendar
    days, `manager` an id or `aucun`.
    """

    level: int | None = None
    level_name: str = ""
    mode: str = ""
    manager: str = ""
    plan: int | None = None
    least_cents: int | None = None
    most_cents: int | None = None
    least_days: int | None = None
    most_days: int | None = None
    text: str = ""

    @property
    def given(self) -> bool:
        """Whether anything is asked at all."""
        return self != Criteria()


class Ticked(NamedTuple):
    """The totals of a draft: invoices, customers, and cents by currency."""

    invoices: int
    customers: int
    cents: dict[str, int]


class _Found(NamedTuple):
    """One invoice that fits, with the level to which it would go."""

    pk: int
    customer_id: int
    currency: str
    cents: int
    level: int
    plan_id: int


def chaseable(organisation: Organisation, on: date) -> QuerySet[Invoice]:
    """The overdue invoices that filters may tick: nothing holds them back, the plan is on, and
    nothing was sent about them today and nothing is on its way, as a letter to be printed.
    """
    free_of = {
        "customer__excluded": False,
        "customer__to_review": False,
        "customer__assignment__isnull": False,
        "plan_on": True,
        "disputed": False,
    }
    found = Invoice.objects.filter(
        organisation=organisation, balance_cents__gt=0, due__lt=on, issued__lte=on, **free_of
    )
    for field in ("promise_until", "hold_until", "customer__hold_until"):
        found = found.filter(Q(**{f"{field}__isnull": True}) | Q(**{f"{field}__lt": on}))
    found = found.filter(
        Q(customer__judgment_on__isnull=True)
        | Q(customer__judgment_on__gt=on)
        | Q(issued__gte=F("customer__judgment_on"))
    )
    leaving = MessageInvoice.objects.filter(
        organisation=organisation,
        live=True,
        message__purpose=Message.Purpose.STEP,
        message__status__in=ON_ITS_WAY,
    )
    found = found.exclude(pk__in=leaving.values("invoice_id"))
    return found.exclude(chase__last_on=on, chase__level__gt=0).filter(
        balance_cents__gte=max(organisation.tolerance_cents, 1)
    )


def matching(
    organisation: Organisation, criteria: Criteria, *, grouped: bool, on: date
) -> Iterator[_Found]:
    """The invoices that the filters tick; the oldest first, without grouping customers.

    With `grouped`, an invoice goes to the level of its customer's batch, the highest of those
    that the other filters leave (S1-15), and is ticked when that level is the one asked.
    """
    rows = _filtered(chaseable(organisation, on), criteria, on)
    plans, zone = plans_of(organisation), organisation.zone
    if criteria.level is not None:
        hint = _may_come_to(plans, criteria)
        if grouped:
            rows = rows.filter(customer__in=rows.filter(hint).order_by().values("customer"))
        else:
            rows = rows.filter(hint)
    found = (_levelled(row, plans, on, zone) for row in _read(rows))
    if not grouped:
        yield from (one for one in found if _asked(one, plans, criteria))
        return
    batches_of: dict[tuple[int, str], list[_Found]] = defaultdict(list)
    for one in found:
        batches_of[one.customer_id, one.currency].append(one)
    for together in batches_of.values():
        top = max(one.level for one in together)
        for one in together:
            if _asked(one._replace(level=top), plans, criteria):
                yield one._replace(level=top)


def _filtered(rows: QuerySet[Invoice], criteria: Criteria, on: date) -> QuerySet[Invoice]:
    if criteria.mode:
        rows = rows.filter(mode=criteria.mode)
    if criteria.manager == NOBODY:
        rows = rows.filter(customer__manager__isnull=True)
    elif criteria.manager:
        rows = rows.filter(customer__manager_id=int(criteria.manager))
    if criteria.plan is not None:
        rows = rows.filter(customer__assignment__plan_id=criteria.plan)
    if criteria.least_cents is not None:
        rows = rows.filter(balance_cents__gte=criteria.least_cents)
    if criteria.most_cents is not None:
        rows = rows.filter(balance_cents__lte=criteria.most_cents)
    if criteria.least_days is not None:
        rows = rows.filter(due__lte=on - timedelta(days=criteria.least_days))
    if criteria.most_days is not None:
        rows = rows.filter(due__gte=on - timedelta(days=criteria.most_days))
    if criteria.text:
        folded = fold(criteria.text)
        wanted = Q(number__icontains=criteria.text)
        rows = rows.filter(wanted | Q(customer__search__contains=folded) if folded else wanted)
    return rows


def _may_come_to(plans: dict[int, engine.Plan], criteria: Criteria) -> Q:
    """What the database can say of the level; `_asked` then tells exactly."""
    hint = Q(pk__in=[])
    for key, plan in plans.items():
        if not _has_level(plan, criteria):
            continue
        level = criteria.level or 1
        below = Q(chase__isnull=True) | Q(chase__level__lt=level)
        repeats = level == len(plan.steps) and plan.steps[-1].repeat_every is not None
        exact = Q() if repeats else below
        hint |= Q(customer__assignment__plan_id=key) & exact
    return hint


def _has_level(plan: engine.Plan, criteria: Criteria) -> bool:
    return any(
        step.level == criteria.level and criteria.level_name in ("", step.name)
        for step in plan.steps
    )


def _read(rows: QuerySet[Invoice]) -> Iterable[tuple[Any, ...]]:
    fields = (
        "pk",
        "customer_id",
        "currency",
        "balance_cents",
        "issued",
        "due",
        "chase__level",
        "customer__assignment__plan_id",
    )
    return rows.order_by("due", "pk").values_list(*fields).iterator(chunk_size=5000)


def _levelled(row: tuple[Any, ...], plans: dict[int, engine.Plan], on: date, zone: str) -> _Found:
    pk, customer, currency, cents, issued, due, reached, plan_id = row
    plan = plans[plan_id]
    invoice = engine.Invoice(pk, "", issued, due, cents, cents, currency)
    level = gates.level_to_come(plan, invoice, reached or 0, on, zone) if plan.steps else 0
    return _Found(pk, customer, currency, cents, level, plan_id)


def _asked(one: _Found, plans: dict[int, engine.Plan], criteria: Criteria) -> bool:
    """Whether its level exists, and is the one of the filter when there is one."""
    plan = plans[one.plan_id]
    level = gates.within_plan(plan, one.level) if plan.steps else None
    if level is None:
        return False
    if criteria.level is None:
        return True
    return level == criteria.level and criteria.level_name in ("", plan.steps[level - 1].name)


def search(
    organisation: Organisation,
    criteria: Criteria,
    *,
    method: str,
    grouped: bool,
    actor: User,
    on: date,
    now: datetime,
    title: str,
) -> Batch:
    """Tick what the filters find in a new draft; the actor's former drafts are dropped.

    At most `MOST` invoices are ticked; `options["more"]` says that there were others. All that is
    unpaid is looked through before the transaction, which only writes.
    """
    found: list[_Found] = []
    more = False
    for one in matching(organisation, criteria, grouped=grouped, on=on):
        if len(found) == MOST:
            more = True
            break
        found.append(one)
    batch = Batch(
        organisation=organisation,
        kind=Batch.Kind.RELANCE,
        title=title[:120],
        channel=method,
        options={"criteria": asdict(criteria), "grouped": grouped, "more": more},
        made_by=actor,
    )
    lines = _lines(found, grouped=grouped, before=None)
    _set_totals(batch, _sum(found))
    former = Batch.objects.filter(
        organisation=organisation,
        kind=Batch.Kind.RELANCE,
        status=Batch.Status.DRAFT,
        made_by=actor,
        options__has_key="criteria",
    )
    with transaction.atomic():
        drafts = list(former.select_for_update().values_list("pk", flat=True))
        Batch.objects.filter(pk__in=drafts).delete()
        return batches.open_batch(batch, lines, now=now)


class _Tick(NamedTuple):
    """An invoice to be ticked, in the fields that a line needs."""

    pk: int
    customer_id: int
    currency: str
    cents: int


def _lines(
    found: Sequence[_Found] | Sequence[_Tick], *, grouped: bool, before: Any
) -> list[BatchLine]:
    """One line per message to be: per customer and currency, or per invoice (S1-14, S1-22)."""
    together: dict[tuple[Any, ...], list[_Found | _Tick]] = defaultdict(list)
    for one in found:
        key = (one.customer_id, one.currency) if grouped else (one.customer_id, one.pk)
        together[key].append(one)
    return [
        BatchLine(
            customer_id=mine[0].customer_id,
            invoices=[one.pk for one in mine],
            currency=mine[0].currency,
            amount_cents=sum(one.cents for one in mine),
            before=before,
        )
        for mine in together.values()
    ]


def _sum(found: Iterable[_Found | _Tick]) -> Ticked:
    cents: dict[str, int] = defaultdict(int)
    customers, count = set(), 0
    for one in found:
        cents[one.currency] += one.cents
        customers.add(one.customer_id)
        count += 1
    return Ticked(count, len(customers), dict(cents))


def _set_totals(batch: Batch, ticked: Ticked) -> None:
    batch.options = {
        **batch.options,
        "ticked": {
            "invoices": ticked.invoices,
            "customers": ticked.customers,
            "cents": ticked.cents,
        },
    }


def ticked(batch: Batch) -> Ticked:
    """What is ticked in a draft, from its own totals."""
    found = batch.options.get("ticked", {})
    cents = {key: value for key, value in found.get("cents", {}).items() if value}
    return Ticked(found.get("invoices", 0), found.get("customers", 0), cents)


@transaction.atomic
def tick(batch: Batch, *, shown: Collection[int], chosen: Collection[int]) -> Batch:
    """Correct the ticks of the invoices shown on a page (S1-10): `chosen` of them are ticked.

    Invoices that are not shown keep their ticks. A customer all of whose ticks are taken away
    stays in the draft with nothing, so that the list does not move under the hand.
    """
    batch = Batch.objects.select_for_update().get(pk=batch.pk)
    if batch.status != Batch.Status.DRAFT:
        return batch
    known = {
        one.pk: _Tick(one.pk, one.customer_id, one.currency, one.balance_cents)
        for one in Invoice.objects.filter(organisation_id=batch.organisation_id, pk__in=shown)
    }
    customers = {one.customer_id for one in known.values()}
    lines = list(BatchLine.objects.filter(batch=batch, customer_id__in=customers).order_by("id"))
    on_now = {key for line in lines for key in line.invoices}
    hidden = Invoice.objects.filter(
        organisation_id=batch.organisation_id, pk__in=on_now - known.keys()
    )
    kept = [_Tick(o.pk, o.customer_id, o.currency, o.balance_cents) for o in hidden]
    kept += [one for key, one in known.items() if key in chosen]
    flags = {line.customer_id: line.before for line in lines}
    if {one.pk for one in kept} == on_now:
        return batch
    was = Ticked(len(on_now), len({x.customer_id for x in lines if x.invoices}), _cents(lines))
    fresh: list[BatchLine] = []
    for customer in sorted(customers):
        mine = [one for one in kept if one.customer_id == customer]
        flag = flags.get(customer, {"by_hand": True})
        fresh += _lines(mine, grouped=bool(batch.options.get("grouped")), before=flag)
        if not mine and customer in flags:
            fresh.append(BatchLine(customer_id=customer, invoices=[], before=flag))
    BatchLine.objects.filter(pk__in=[line.pk for line in lines]).delete()
    batches.add_lines(batch, fresh)
    _move_totals(batch, was, _sum(kept))
    return batch


def _cents(lines: Iterable[BatchLine]) -> dict[str, int]:
    cents: dict[str, int] = defaultdict(int)
    for line in lines:
        cents[line.currency] += line.amount_cents
    return dict(cents)


def _move_totals(batch: Batch, was: Ticked, now: Ticked) -> None:
    all_of = ticked(batch)
    currencies = all_of.cents.keys() | was.cents.keys() | now.cents.keys()
    cents = {
        key: all_of.cents.get(key, 0) - was.cents.get(key, 0) + now.cents.get(key, 0)
        for key in currencies
    }
    _set_totals(
        batch,
        Ticked(
            all_of.invoices - was.invoices + now.invoices,
            all_of.customers - was.customers + now.customers,
            cents,
        ),
    )
    batch.options.pop("checked", None)
    batch.save(update_fields=["options"])


@transaction.atomic
def clear(batch: Batch) -> Batch:
    """Untick everything; nothing happens when it has been let go meanwhile."""
    batch = Batch.objects.select_for_update().get(pk=batch.pk)
    if batch.status != Batch.Status.DRAFT:
        return batch
    BatchLine.objects.filter(batch=batch).update(invoices=[], amount_cents=0)
    _set_totals(batch, Ticked(0, 0, {}))
    batch.options.pop("checked", None)
    batch.save(update_fields=["options"])
    return batch


def filled(batch: Batch) -> QuerySet[BatchLine]:
    """The lines with something ticked: one message each."""
    return BatchLine.objects.filter(batch=batch).exclude(invoices=[])


CHECKED = ("level", "level_name", "amount_cents", "reason", "detail")


def check(batch: Batch, *, on: date) -> Batch:
    """Ask what would leave today: each line gets its level, its amount, or its reason.

    The level is the one that the person then sees; sending refuses when it has moved. Thousands
    are asked about before the transaction, which only writes; what was ticked otherwise in
    between is asked about the next time.
    """
    lines = list(filled(batch).order_by("id"))
    warned = 0
    for start in range(0, len(lines), batches.CHUNK):
        chunk = lines[start : start + batches.CHUNK]
        for line in chunk:
            line.level = None  # asked anew
        found = relances.answers(
            batch.organisation,
            [relance_batch.ask_of(line) for line in chunk],
            channel=batch.channel,
            on=on,
            words=relance_batch.words_of(batch),
        )
        numbers = relance_batch.numbers_of([r for one in found for r in one.refusals])
        for line, one in zip(chunk, found, strict=True):
            relance_batch.note_answer(line, one, numbers)
            warned += any(reason.code == "RECENT_CONTACT" for reason in one.warnings)
    with transaction.atomic():
        fresh = Batch.objects.select_for_update().get(pk=batch.pk)
        if fresh.status != Batch.Status.DRAFT:
            return fresh
        update_many(BatchLine, [*CHECKED, "before"], lines)
        if set(filled(fresh).values_list("pk", flat=True)) == {line.pk for line in lines}:
            fresh.options = {**fresh.options, "checked": on.isoformat(), "warned": warned}
            fresh.save(update_fields=["options"])
    return fresh


@transaction.atomic
def confirm(batch: Batch, *, actor: User, now: datetime) -> Batch:
    """Let the draft go: what is not ticked is dropped, then the batch is started."""
    BatchLine.objects.filter(batch=batch, invoices=[]).delete()
    total = BatchLine.objects.filter(batch=batch).count()
    Batch.objects.filter(pk=batch.pk, status=Batch.Status.DRAFT).update(total=total)
    batch.refresh_from_db()
    return batches.start(batch, actor=actor, now=now)


def without_address(batch: Batch) -> QuerySet[Customer]:
    """Ticked customers to whom nothing can be sent by the method of the draft (S1-23)."""
    customers = Customer.objects.filter(
        organisation_id=batch.organisation_id, pk__in=filled(batch).values("customer_id")
    )
    if batch.channel == "email":
        no_own = Q(email="") | Q(email_invalid_since__isnull=False)
        reached = Customer.objects.filter(
            organisation_id=batch.organisation_id,
            contacts__invalid_since__isnull=True,
            contacts__email__gt="",
        )
        return customers.filter(no_own).exclude(pk__in=reached.values("pk")).order_by("name")
    return customers.filter(postcode="").order_by("name")
