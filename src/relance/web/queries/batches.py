"""Relances clients: all that is unpaid, by client, with what is ticked and what cannot be.

Clients whom the filters found come first, then everybody else who owes something. A page is a
fixed number of queries; nothing is counted beyond what is shown.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Sum
from django.utils.translation import gettext as _

from relance.accounts.access import Access
from relance.dunning.by_hand import gates
from relance.dunning.facts.gather import plans_of, rules_of
from relance.dunning.models import Batch, BatchLine, Plan, Step
from relance.dunning.services import relances
from relance.dunning.wording import methods
from relance.engine import model as engine
from relance.engine.model import Reason
from relance.formats.text import fold
from relance.ledger.models import Contact, Customer, Invoice, PaymentMode
from relance.outbox.models import Message
from relance.web import french

CLIENTS = 25
"""Clients on a page."""

SHOWN = 60
"""Invoices shown of one client; the others keep their ticks."""

_KINDS = {
    "DISPUTED": "dispute",
    "PROMISED": "promise",
    "INVOICE_ON_HOLD": "paused",
    "CUSTOMER_ON_HOLD": "paused",
    "EXCLUDED": "off",
}


class Row(NamedTuple):
    """One invoice: `days` late (negative: to come), `why` it cannot be ticked, `kind` its icon."""

    invoice: Invoice
    days: int
    level: int
    level_name: str
    steps: int
    next_level: int
    next_name: str
    mode: str
    ticked: bool
    kind: str
    why: str


@dataclass
class Group:
    """One client: his unpaid invoices, the level of his batch, and what stands in the way."""

    customer: Customer
    count: int
    sums: list[tuple[int, str]]
    rows: list[Row] = field(default_factory=list)
    no_address: bool = False
    written_to: str = ""
    why: str = ""
    steps: int = 0
    next_level: int = 0
    next_name: str = ""
    no_words: bool = False

    @property
    def rest(self) -> int:
        """Invoices that are not shown."""
        return self.count - len(self.rows)

    @property
    def able(self) -> bool:
        """Whether anything of this client can be ticked."""
        return any(not row.why for row in self.rows)

    @property
    def ticked(self) -> bool:
        """Whether anything of this client is ticked."""
        return any(row.ticked for row in self.rows)


class Shown(NamedTuple):
    """A page of clients; `following` says that there are more."""

    groups: list[Group]
    number: int
    following: bool

    @property
    def previous(self) -> int:
        """Number of the page before."""
        return self.number - 1

    @property
    def next(self) -> int:
        """Number of the page after."""
        return self.number + 1


def mode_word(mode: str) -> str:
    """`PRELEVEMENT`, as the window writes payment modes (S1-07)."""
    return fold(str(PaymentMode(mode).label)).upper() if mode in PaymentMode.values else mode


def levels(access: Access) -> list[tuple[str, str]]:
    """The next levels that can be asked for, as (value, `Second rappel (2)`), in order (S1-20)."""
    found = access.all(Step).order_by("level", "name").values_list("level", "name").distinct()
    return [(f"{level}:{name}", f"{name}{french.NBSP}({level})") for level, name in found]


def plans(access: Access) -> QuerySet[Plan]:
    """Plans by name, for the filter."""
    return access.all(Plan).order_by("name")


def unpaid_count(access: Access) -> int:
    """All that is listed: every open invoice."""
    return access.all(Invoice).filter(balance_cents__gt=0).count()


def page_of(access: Access, batch: Batch, *, page: int, text: str, on: date) -> Shown:
    """A page of clients with their unpaid invoices (S1-09)."""
    found = batch.lines.exclude(before__has_key="by_hand")
    first = _named(access.all(Customer).filter(pk__in=found.values("customer_id")), text)
    owing = Invoice.objects.filter(
        organisation=access.organisation, customer=OuterRef("pk"), balance_cents__gt=0
    )
    others = _named(access.all(Customer).filter(Exists(owing)), text)
    others = others.exclude(pk__in=found.values("customer_id"))
    start, end = (page - 1) * CLIENTS, page * CLIENTS + 1
    keys = list(first.values_list("pk", flat=True)[start:end])
    if len(keys) < CLIENTS + 1:
        before = first.count()
        offset = max(0, start - before)
        keys += others.values_list("pk", flat=True)[offset : offset + CLIENTS + 1 - len(keys)]
    groups = groups_of(access, batch, keys[:CLIENTS], on)
    return Shown(groups, page, len(keys) > CLIENTS)


def _named(customers: QuerySet[Customer], text: str) -> QuerySet[Customer]:
    folded = fold(text)
    if folded:
        customers = customers.filter(search__contains=folded)
    return customers.order_by("search", "pk")


def groups_of(access: Access, batch: Batch, keys: Sequence[int], on: date) -> list[Group]:
    """These clients in this order, with their invoices and ticks."""
    facts = _facts(access, batch, keys, on)
    customers = access.all(Customer).select_related("assignment").in_bulk(keys)
    counts = _counts(access, keys)
    groups = []
    for key in keys:
        count, sums = counts.get(key, (0, []))
        group = Group(customers[key], count, sums)
        _fill(group, facts.invoices.get(key, []), facts)
        groups.append(group)
    return groups


class _Facts(NamedTuple):
    """What the rows of a page are made from."""

    on: date
    batch: Batch
    rules: engine.Rules
    plans: Mapping[int, engine.Plan]
    words: frozenset[tuple[int, int]]
    invoices: Mapping[int, list[Invoice]]
    ticked: frozenset[int]
    taken: Mapping[int, str]
    doers: Mapping[int, str]
    contacts: Mapping[int, str]


def _facts(access: Access, batch: Batch, keys: Sequence[int], on: date) -> _Facts:
    organisation = access.organisation
    known = plans_of(organisation)
    invoices = _invoices(access, keys)
    every = [one for mine in invoices.values() for one in mine]
    ids = [one.pk for one in every]
    lines = BatchLine.objects.filter(batch=batch, customer_id__in=keys)
    ticked = {key for line in lines.values_list("invoices", flat=True) for key in line}
    today = [one.pk for one in every if _chase(one) and one.chase.last_on == on]
    return _Facts(
        on=on,
        batch=batch,
        rules=rules_of(organisation),
        plans=known,
        words=frozenset(methods.words_for(organisation, known, batch.channel)),
        invoices=invoices,
        ticked=frozenset(ticked),
        taken=relances.on_their_way(organisation, ids),
        doers=relances.doers(organisation, today) if today else {},
        contacts=_contacts(access, keys),
    )


def _chase(invoice: Invoice) -> bool:
    return hasattr(invoice, "chase")


def _counts(access: Access, keys: Sequence[int]) -> dict[int, tuple[int, list[tuple[int, str]]]]:
    """How many open invoices each client has, and their sums by currency."""
    rows = (
        access.all(Invoice)
        .filter(customer_id__in=keys, balance_cents__gt=0)
        .order_by("customer_id", "currency")
        .values_list("customer_id", "currency")
        .annotate(count=Count("pk"), cents=Sum("balance_cents"))
    )
    found: dict[int, tuple[int, list[tuple[int, str]]]] = {}
    for customer, currency, count, cents in rows:
        before, sums = found.get(customer, (0, []))
        found[customer] = (before + count, [*sums, (cents, currency)])
    return found


def _invoices(access: Access, keys: Sequence[int]) -> dict[int, list[Invoice]]:
    """The open invoices of these clients by due date; of a large one the first `SHOWN`."""
    counts = _counts(access, keys)
    large = [key for key in keys if counts.get(key, (0, []))[0] > SHOWN]
    usual = [key for key in keys if key not in large]
    open_ones = (
        access.all(Invoice)
        .filter(balance_cents__gt=0)
        .select_related("chase")
        .order_by("due", "pk")
    )
    found: dict[int, list[Invoice]] = defaultdict(list)
    for one in open_ones.filter(customer_id__in=usual):
        found[one.customer_id].append(one)
    for key in large:
        found[key] = list(open_ones.filter(customer_id=key)[:SHOWN])
    return found


def _contacts(access: Access, keys: Sequence[int]) -> dict[int, str]:
    """The name of somebody at the client's who has an address, when Définition has none."""
    rows = (
        access.all(Contact)
        .filter(customer_id__in=keys, invalid_since__isnull=True)
        .exclude(email="")
        .order_by("-is_default", "pk")
    )
    return dict(reversed(list(rows.values_list("customer_id", "name"))))


def _fill(group: Group, invoices: Sequence[Invoice], facts: _Facts) -> None:
    customer = group.customer
    no_own = not customer.email or customer.email_invalid_since is not None
    group.no_address = no_own if facts.batch.channel != "letter" else not customer.postcode
    if facts.batch.channel != "letter":
        group.written_to = facts.contacts.get(customer.pk, "")
    assignment = getattr(customer, "assignment", None)
    plan = facts.plans.get(assignment.plan_id) if assignment else None
    stop = _stop(customer, plan, facts.on)
    group.why = relances.sentence(stop) if stop else ""
    group.rows = [_row(one, customer, plan, stop, facts) for one in invoices]
    if plan is None or not plan.steps or stop:
        return
    group.steps = len(plan.steps)
    able = [row for row in group.rows if not row.why]
    chosen = [row for row in able if row.ticked] or able
    if not chosen:
        return
    top = max(row.next_level for row in chosen)
    if gates.within_plan(plan, top) is None:
        top = len(plan.steps) + 1
    group.next_level, group.next_name = _step(plan, top)
    group.no_words = bool(group.next_level) and any(
        (int(plan.id), row.next_level) not in facts.words for row in chosen if row.next_level
    )


def _stop(customer: Customer, plan: engine.Plan | None, on: date) -> Reason | None:
    """Why no invoice of this client can be ticked."""
    case = engine.Case(
        customer.pk,
        plan,
        (),
        excluded=customer.excluded or customer.to_review,
        hold_until=customer.hold_until,
    )
    return gates.customer_refusal(case, on)


def _step(plan: engine.Plan, level: int) -> tuple[int, str]:
    """Number and name of a level; beyond the last it is 0 and the end of the plan (D-10)."""
    within = gates.within_plan(plan, level)
    return (within, plan.steps[within - 1].name) if within else (0, _("Fin du plan"))


def _row(
    one: Invoice,
    customer: Customer,
    plan: engine.Plan | None,
    stop: Reason | None,
    facts: _Facts,
) -> Row:
    chase = one.chase if _chase(one) else None
    said = engine.Invoice(
        one.pk,
        one.number,
        one.issued,
        one.due,
        one.total_cents,
        one.balance_cents,
        one.currency,
        one.mode,
        one.plan_on,
        one.disputed,
        one.promise_until,
        one.hold_until,
    )
    reason = _invoice_stop(one, said, customer, facts)
    level = chase.level if chase else 0
    next_level, next_name = 0, ""
    if plan is not None and plan.steps:
        to_come = gates.level_to_come(plan, said, level, facts.on, facts.rules.zone)
        next_level, next_name = _step(plan, to_come)
    ended = plan is not None and bool(plan.steps) and not next_level
    why = _short(reason) if reason else ""
    if ended and not why and not stop:
        why = _("Fin du plan")
    return Row(
        invoice=one,
        days=(facts.on - one.due).days,
        level=level,
        level_name=chase.level_name if chase else "",
        steps=len(plan.steps) if plan else 5,
        next_level=next_level,
        next_name=next_name,
        mode=mode_word(one.mode),
        ticked=one.pk in facts.ticked,
        kind=_KINDS.get(reason.code, "") if reason else "",
        why=why or ("–" if stop else ""),
    )


def _invoice_stop(
    one: Invoice, said: engine.Invoice, customer: Customer, facts: _Facts
) -> Reason | None:
    if one.pk in facts.taken:
        return Reason("ALREADY_QUEUED", {"who": facts.taken[one.pk]})
    if one.pk in facts.doers and one.chase.level:
        return Reason("ALREADY_TODAY", {"who": facts.doers[one.pk]})
    return gates.refusal_of(said, facts.on, customer.judgment_on, facts.rules)


def _short(reason: Reason) -> str:
    """Why a box cannot be ticked, in the few words of the row's end."""
    match reason.code:
        case "DISPUTED":
            return _("Litige, ne se coche pas")
        case "PROMISED":
            return _("Promesse au %(day)s") % {"day": french.date_text(_until(reason))}
        case "INVOICE_ON_HOLD":
            return _("En attente jusqu’au %(day)s") % {"day": french.date_text(_until(reason))}
        case "NOT_ISSUED":
            return _("Pas encore émise")
    return relances.sentence(reason)


def _until(reason: Reason) -> date:
    if reason.until is None:
        raise ValueError(reason.code)
    return reason.until


# --- before, while and after ----------------------------------------------------


class PerLevel(NamedTuple):
    """What leaves at one level: messages, invoices, cents by currency."""

    level: int
    name: str
    messages: int
    invoices: int
    sums: list[tuple[int, str]]


class Held(NamedTuple):
    """What does not leave, for one reason: how many messages, and the first clients."""

    code: str
    why: str
    remedy: str
    messages: int
    names: list[str]


def per_level(lines: QuerySet[BatchLine]) -> list[PerLevel]:
    """The messages of a checked draft by level, lowest first."""
    found: dict[tuple[int, str], tuple[int, int, dict[str, int]]] = {}
    rows = lines.filter(level__isnull=False).values_list(
        "level", "level_name", "invoices", "before", "amount_cents", "currency"
    )
    for level, name, ticked, before, cents, currency in rows:
        messages, count, sums = found.get((level or 0, name), (0, 0, {}))
        sums[currency] = sums.get(currency, 0) + cents
        leaving = (before or {}).get("leaving", len(ticked))  # some of the ticked stay behind
        found[level or 0, name] = (messages + 1, count + leaving, sums)
    return [
        PerLevel(level, name, messages, count, [(c, currency) for currency, c in sums.items()])
        for (level, name), (messages, count, sums) in sorted(found.items())
    ]


def together(levels: Sequence[PerLevel]) -> PerLevel:
    """The levels as one sum."""
    sums: dict[str, int] = defaultdict(int)
    for one in levels:
        for cents, currency in one.sums:
            sums[currency] += cents
    return PerLevel(
        0,
        "",
        sum(one.messages for one in levels),
        sum(one.invoices for one in levels),
        [(cents, currency) for currency, cents in sums.items()],
    )


def held_back(lines: QuerySet[BatchLine]) -> list[Held]:
    """The lines that nothing will leave of, by reason, the most frequent first."""
    rows = (
        lines.exclude(reason="")
        .filter(Q(level__isnull=True) | Q(status=BatchLine.Status.REFUSED))
        .order_by()
        .values_list("reason", "detail")
        .annotate(count=Count("pk"))
        .order_by("-count")
    )
    found: dict[str, Held] = {}
    for code, detail, count in rows[:200]:
        names = found[code].names if code in found else []
        if not names:
            mine = lines.filter(reason=code, detail=detail).select_related("customer")
            names = [line.customer.name for line in mine.order_by("id")[:3]]
        total = found[code].messages + count if code in found else count
        why = found[code].why if code in found else (detail.split("\n")[0])
        found[code] = Held(code, why, relances.advice(code), total, names)
    return list(found.values())


class Result(NamedTuple):
    """One line of a batch with what became of its message."""

    line: BatchLine
    message: Any
    remedy: str


def results(batch: Batch, rows: Sequence[BatchLine]) -> list[Result]:
    """The lines of a page with their messages; one query."""
    from_ids = batch_messages(batch, [row.message_id for row in rows if row.message_id])
    return [
        Result(row, from_ids.get(row.message_id or 0), relances.advice(row.reason)) for row in rows
    ]


def batch_messages(batch: Batch, ids: Sequence[int]) -> dict[int, Any]:
    """Messages by id, without their texts."""
    found = Message.objects.filter(organisation_id=batch.organisation_id, pk__in=ids)
    return found.defer("text", "html", "letter").in_bulk()
