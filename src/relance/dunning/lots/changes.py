"""One change to many customers or invoices, previewed, worked through as a batch, and undone.

A line of the batch is a customer; `before` holds what each target had, so that undoing puts back
exactly that, as long as nobody changed it since.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from django.db import transaction
from django.utils.translation import gettext as _

from relance.accounts.models import Organisation, User
from relance.dunning.daily.refreshing import refresh
from relance.dunning.lots import batches
from relance.dunning.models import Assignment, Batch, BatchLine, Plan, PlanRule
from relance.dunning.services.common import Refused
from relance.dunning.services.levels import assign_plan
from relance.dunning.services.managers import assign_manager, possible_managers
from relance.ledger import services as ledger
from relance.ledger.models import Customer, Hold, Invoice

PLAN, MANAGER, HOLD, EXCLUDED = "plan", "manager", "hold", "excluded"
PLAN_ON, INVOICE_HOLD = "plan_on", "invoice_hold"
OF_INVOICES = frozenset({PLAN_ON, INVOICE_HOLD})
CHUNK = 2000

Value = Any
"""Plain JSON: an id or None (plan, manager), an ISO date or None (holds), or a boolean.

A plan that is read is `[plan, given_by, rule]`, so that undoing keeps whose choice it was.
"""


class Change(NamedTuple):
    """What is to become of the targets: customers, or invoices for `OF_INVOICES`."""

    field: str
    value: Value


class Foreseen(NamedTuple):
    """What a change would do: ids that change, and how many do not, by reason.

    Reasons: ALREADY (has that value), SETTLED (an invoice with nothing left to pay).
    """

    change: Change
    targets: list[int]
    kept: Counter[str]


class Doer(NamedTuple):
    """The person and the moment of a change, as every verb takes them."""

    actor: User
    on: date
    now: datetime


def foresee(
    organisation: Organisation, change: Change, targets: Sequence[int], *, on: date
) -> Foreseen:
    """Sort the targets (ids of this organisation) into those that change and those that do not."""
    _check(organisation, change, on)
    changing: list[int] = []
    kept: Counter[str] = Counter()
    for start in range(0, len(targets), CHUNK):
        chunk = targets[start : start + CHUNK]
        values = read(organisation, change.field, chunk, on=on)
        settled = _settled(organisation, change.field, chunk)
        for key in chunk:
            if key not in values:
                continue
            if key in settled:
                kept["SETTLED"] += 1
            elif plain(values[key]) == change.value:
                kept["ALREADY"] += 1
            else:
                changing.append(key)
    return Foreseen(change, changing, kept)


def _check(organisation: Organisation, change: Change, on: date) -> None:
    if change.field == PLAN and change.value is not None:
        known = Plan.objects.filter(organisation=organisation, pk=change.value)
        if not known.exists():
            raise Refused(_("Ce plan n’existe pas."), "NO_SUCH_PLAN")
    held = change.value if change.field in (HOLD, INVOICE_HOLD) else None
    if held and date.fromisoformat(held) < on:
        raise Refused(_("La date est déjà passée. Choisissez aujourd’hui ou plus tard."), "PAST")


def _settled(organisation: Organisation, field: str, keys: Sequence[int]) -> set[int]:
    if field not in OF_INVOICES:
        return set()
    paid = Invoice.objects.filter(organisation=organisation, pk__in=keys, balance_cents__lte=0)
    return set(paid.values_list("pk", flat=True))


def read(
    organisation: Organisation, field: str, keys: Iterable[int], *, on: date
) -> dict[int, Value]:
    """The present value of each target; a hold that is over counts as none."""
    model: Any = Invoice if field in OF_INVOICES else Customer
    rows = model.objects.filter(organisation=organisation, pk__in=list(keys))
    match field:
        case "plan":
            given = {
                customer: [plan, by, rule]
                for customer, plan, by, rule in Assignment.objects.filter(
                    organisation=organisation, customer_id__in=list(keys)
                ).values_list("customer_id", "plan_id", "given_by", "rule_id")
            }
            return {key: given.get(key) for key in rows.values_list("pk", flat=True)}
        case "manager":
            return dict(rows.values_list("pk", "manager_id"))
        case "hold" | "invoice_hold":
            holds = rows.values_list("pk", "hold_until")
            return {key: day.isoformat() if day and day >= on else None for key, day in holds}
        case "excluded":
            return dict(rows.values_list("pk", "excluded"))
        case "plan_on":
            return dict(rows.values_list("pk", "plan_on"))
    raise ValueError(field)


def plain(value: Value) -> Value:
    """A value as a change gives it: of a plan that was read, its id alone."""
    return value[0] if isinstance(value, list) else value


def lines_of(batch: Batch, foreseen: Foreseen) -> list[BatchLine]:
    """One line per customer concerned, with his invoices when they are what changes."""
    if batch.options["field"] not in OF_INVOICES:
        return [BatchLine(customer_id=key) for key in foreseen.targets]
    mine: dict[int, list[int]] = defaultdict(list)
    for start in range(0, len(foreseen.targets), CHUNK):
        rows = Invoice.objects.filter(pk__in=foreseen.targets[start : start + CHUNK])
        for key, customer in rows.order_by("due", "pk").values_list("pk", "customer_id"):
            mine[customer].append(key)
    return [
        BatchLine(organisation=batch.organisation, batch=batch, customer_id=customer, invoices=keys)
        for customer, keys in mine.items()
    ]


def draft(
    organisation: Organisation, foreseen: Foreseen, *, title: str, actor: User, now: datetime
) -> Batch:
    """The unsaved batch of a change that was read before; `batches` stores and starts it."""
    return Batch(
        organisation=organisation,
        kind=Batch.Kind.CHANGE,
        title=title[:120],
        options={
            "field": foreseen.change.field,
            "value": foreseen.change.value,
            "kept": dict(foreseen.kept),
        },
        made_by=actor,
        made_at=now,
    )


def handle(batch: Batch, lines: Sequence[BatchLine], on: date, now: datetime) -> None:
    """Change the targets of these lines, or put them back; say on each line what became of it.

    Called by `batches` inside the transaction that stores the lines.
    """
    field, value = batch.options["field"], batch.options["value"]
    undoing = "undoes" in batch.options
    if batch.made_by is None:
        _refuse(lines, "NOBODY")
        return
    every = [key for line in lines for key in targets(line)]
    values = read(batch.organisation, field, every, on=on)
    settled = set() if undoing else _settled(batch.organisation, field, every)
    there = _still_there(batch.organisation, field) if undoing else None
    wanted: dict[int, Value] = {}
    for line in lines:
        known = line.before or {}
        mine: dict[int, Value] = {}
        gone = False
        for key in targets(line):
            present = values.get(key)
            if undoing and plain(present) == value and str(key) in known:
                if there is not None and plain(known[str(key)]) not in there:
                    gone = True
                    continue
                mine[key] = known[str(key)]
            elif not undoing and key in values and key not in settled and plain(present) != value:
                mine[key] = value
        line.status = BatchLine.Status.DONE if mine else BatchLine.Status.REFUSED
        why = "GONE" if gone else "CHANGED_SINCE"
        line.reason = "" if mine else (why if undoing else "ALREADY")
        line.before = {str(key): values[key] for key in mine}
        wanted |= mine
    doer = Doer(batch.made_by, on, now)
    apply(batch.organisation, field, wanted, doer)


def _still_there(organisation: Organisation, field: str) -> set[int | None] | None:
    """The plans, or the people, to whom customers can be given back; None: any value can."""
    match field:
        case "plan":
            return {
                None,
                *Plan.objects.filter(organisation=organisation).values_list("pk", flat=True),
            }
        case "manager":
            return {None, *possible_managers(organisation).values_list("pk", flat=True)}
    return None


def _refuse(lines: Sequence[BatchLine], reason: str) -> None:
    for line in lines:
        line.status, line.reason = BatchLine.Status.REFUSED, reason


@transaction.atomic
def undo(batch: Batch, *, title: str, actor: User, now: datetime) -> Batch:
    """A batch, already begun, that puts back what this one replaced; its lines say what it left.

    `Refused` when it is not finished, or when somebody has undone it already.
    """
    taken = Batch.objects.filter(
        pk=batch.pk, kind=Batch.Kind.CHANGE, status__in=[Batch.Status.DONE, Batch.Status.CANCELLED]
    ).update(status=Batch.Status.UNDONE)
    batch.refresh_from_db()
    if not taken:
        if batch.status == Batch.Status.UNDONE:
            raise Refused(_("Cette modification est déjà défaite."), "UNDONE")
        raise Refused(_("Cette modification n’est pas terminée."), "NOT_DONE")
    back = Batch(
        organisation=batch.organisation,
        kind=Batch.Kind.CHANGE,
        title=title[:120],
        options=batch.options | {"undoes": batch.pk, "kept": {}},
        made_by=actor,
    )
    done = BatchLine.objects.filter(batch=batch, status=BatchLine.Status.DONE).order_by("id")
    lines = [
        BatchLine(customer_id=customer, invoices=keys, before=before)
        for customer, keys, before in done.values_list("customer_id", "invoices", "before")
    ]
    batches.open_batch(back, lines, now=now)
    return batches.start(back, actor=actor, now=now)


def targets(line: BatchLine) -> list[int]:
    """Ids of what the line changes: its invoices, or its customer."""
    return list(line.invoices) or [line.customer_id]


@transaction.atomic
def apply(organisation: Organisation, field: str, wanted: Mapping[int, Value], doer: Doer) -> None:
    """Give each target its value through the verb a single one would have gone through."""
    if wanted:
        _APPLY[field](organisation, wanted, doer)


def _apply_plan(organisation: Organisation, wanted: Mapping[int, Value], doer: Doer) -> None:
    groups: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for key, value in wanted.items():
        origin = tuple(value) if isinstance(value, list) else (value, "hand", None)
        groups[origin].append(key)
    plans = Plan.objects.filter(organisation=organisation).in_bulk()
    for (plan, given_by, rule), keys in groups.items():
        customers = list(Customer.objects.filter(organisation=organisation, pk__in=keys))
        assign_plan(
            organisation,
            customers=customers,
            plan=plans.get(plan) if plan else None,
            given_by=given_by,
            **doer._asdict(),
        )
        if rule and PlanRule.objects.filter(organisation=organisation, pk=rule).exists():
            Assignment.objects.filter(customer_id__in=keys).update(rule_id=rule)


def _apply_manager(organisation: Organisation, wanted: Mapping[int, Value], doer: Doer) -> None:
    groups: dict[int | None, list[int]] = defaultdict(list)
    for key, value in wanted.items():
        groups[value].append(key)
    people = User.objects.in_bulk([key for key in groups if key])
    for manager, keys in groups.items():
        who = people.get(manager) if manager else None
        assign_manager(organisation, customers=sorted(keys), manager=who, **doer._asdict())


def _apply_hold(organisation: Organisation, wanted: Mapping[int, Value], doer: Doer) -> None:
    rows = Customer.objects.filter(organisation=organisation, pk__in=wanted).order_by("pk")
    for row in rows:
        until = wanted[row.pk]
        if until and date.fromisoformat(until) >= doer.on:
            ledger.hold(customer=row, until=date.fromisoformat(until), **doer._asdict())
        elif row.hold_until:
            ledger.release(customer=row, **doer._asdict())
    refresh(organisation, sorted(wanted), on=doer.on, now=doer.now)


def _apply_excluded(organisation: Organisation, wanted: Mapping[int, Value], doer: Doer) -> None:
    for row in Customer.objects.filter(organisation=organisation, pk__in=wanted).order_by("pk"):
        verb = ledger.exclude if wanted[row.pk] else ledger.include
        verb(customer=row, **doer._asdict())
    refresh(organisation, sorted(wanted), on=doer.on, now=doer.now)


def _apply_plan_on(organisation: Organisation, wanted: Mapping[int, Value], doer: Doer) -> None:
    rows = list(Invoice.objects.filter(organisation=organisation, pk__in=wanted).order_by("pk"))
    for row in rows:
        ledger.switch_plan_for_invoice(invoice=row, plan_on=wanted[row.pk], **doer._asdict())
    refresh(organisation, sorted({row.customer_id for row in rows}), on=doer.on, now=doer.now)


def _apply_invoice_hold(
    organisation: Organisation, wanted: Mapping[int, Value], doer: Doer
) -> None:
    rows = list(Invoice.objects.filter(organisation=organisation, pk__in=wanted).order_by("pk"))
    for row in rows:
        until = wanted[row.pk]
        if until and date.fromisoformat(until) >= doer.on:
            ledger.hold(invoice=row, until=date.fromisoformat(until), **doer._asdict())
        elif row.hold_until:
            ledger.release(invoice=row, kind=Hold.Kind.HOLD, **doer._asdict())
    refresh(organisation, sorted({row.customer_id for row in rows}), on=doer.on, now=doer.now)


_APPLY: dict[str, Callable[[Organisation, Mapping[int, Value], Doer], None]] = {
    PLAN: _apply_plan,
    MANAGER: _apply_manager,
    HOLD: _apply_hold,
    EXCLUDED: _apply_excluded,
    PLAN_ON: _apply_plan_on,
    INVOICE_HOLD: _apply_invoice_hold,
}
