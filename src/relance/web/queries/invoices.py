"""The list of invoices of the dashboard: filtered, sorted and paged by the database.

One page costs a fixed number of queries. On a past day balances, disputes and promises are those
of that day; on the day itself the copies that the ledger keeps are read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.core.paginator import Page
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from relance.accounts.access import Access
from relance.dunning import queries as dunning
from relance.dunning.models import Assignment, Plan
from relance.engine import wording
from relance.formats.text import fold
from relance.ledger.expressions import Minus
from relance.ledger.models import Customer, Dispute, Hold, Invoice, Payment
from relance.web import french
from relance.web.queries.paging import PAGE, in_turn, page_of
from relance.web.queries.search import numbered

NO_PLAN = "aucun"

STATES: dict[str, Any] = {
    "impayees": _("Impayées"),
    "retard": _("En retard"),
    "echoir": _("À échoir"),
    "promises": _("Promises"),
    "litiges": _("En litige"),
    "reglees": _("Réglées"),
    "toutes": _("Toutes"),
}
BUCKETS: dict[str, tuple[Any, int | None, int | None]] = {
    "not_due": (_("Non échu"), None, 0),
    "d1_30": (_("1 à 30 j"), 1, 30),
    "d31_60": (_("31 à 60 j"), 31, 60),
    "d61_90": (_("61 à 90 j"), 61, 90),
    "over_90": (_("plus de 90 j"), 91, None),
}
"""Label, fewest and most calendar days late."""

SORTS: dict[str, tuple[str, ...]] = {
    "client": ("customer__search", "customer", "due", "id"),
    "numero": ("number",),
    "echeance": ("due", "id"),
    "retard": ("-due", "-id"),
    "reste": ("left", "id"),
    "relance": ("chase__last_on", "id"),
    "niveau": ("chase__level", "due", "id"),
}
DEFAULT_SORT = "-retard"
BY_CHASE = {"relance": "last_on", "niveau": "level"}
CHASE_ORDER = {"last_on": ["last_on", "invoice"], "level": ["level", "last_on", "invoice"]}
"""Orders of what was last done, as its indexes have them."""
FEW = 400
"""Clients that are named one by one in the question; more of them are asked about each invoice."""


def columns() -> dict[str, str]:
    """The columns of the list that may be hidden, in their order."""
    return {
        "numero": gettext("N°"),
        "echeance": gettext("Échéance"),
        "retard": gettext("Retard"),
        "reste": gettext("Reste dû"),
        "niveau": gettext("Niveau"),
        "relance": gettext("Relance"),
    }


@dataclass(frozen=True)
class Filters:
    """What the address says, with anything unknown put back to its usual value."""

    text: str = ""
    state: str = "impayees"
    bucket: str = ""
    plan: str = ""
    sort: str = DEFAULT_SORT
    on: date | None = None

    @classmethod
    def read(cls, values: Mapping[str, str]) -> "Filters":
        """From the query string; hostile values fall back silently, never fail."""
        state, bucket = values.get("etat", ""), values.get("age", "")
        sort = values.get("tri", "")
        plan = values.get("plan", "")
        try:
            on = date.fromisoformat(values.get("au", ""))
        except ValueError:
            on = None
        return cls(
            text=" ".join(values.get("q", "").replace("\0", "").split())[:100],
            state=state if state in STATES else "impayees",
            bucket=bucket if bucket in BUCKETS else "",
            plan=plan if plan == NO_PLAN or (plan.isdecimal() and len(plan) < 18) else "",
            sort=sort if sort.removeprefix("-") in SORTS else DEFAULT_SORT,
            on=on if on and 1990 <= on.year <= 2100 else None,
        )

    @property
    def narrowed(self) -> bool:
        """Whether the list shows less than the unpaid invoices."""
        return bool(self.text or self.bucket or self.plan or self.state != "impayees")

    def address(self, **changes: str) -> str:
        """The query string of this list, with `changes`; usual values are left out."""
        found = {
            "q": self.text,
            "etat": "" if self.state == "impayees" else self.state,
            "age": self.bucket,
            "plan": self.plan,
            "tri": "" if self.sort == DEFAULT_SORT else self.sort,
            "au": self.on.isoformat() if self.on else "",
        } | changes
        return "?" + urlencode({key: value for key, value in found.items() if value})


class Row(NamedTuple):
    """One line: `days` late (negative: to come), `left` in cents, `state` a kind of the tag."""

    invoice: Invoice
    days: int
    left: int
    level: int
    level_name: str
    steps: int
    last_on: date | None
    state: str
    bolt: bool


def rows_page(
    access: Access, filters: Filters, *, today: date, page: str
) -> tuple[Page[Any], list[Row]]:
    """The page of the list, and its lines with their ⚡ (S2-13, S2-14)."""
    on = filters.on or today
    found = selection(access, filters, on=on, today=today)
    # The database sorts and skips numbers only; the lines of the page are read afterwards.
    shown = page_of(found, page)
    first = (shown.number - 1) * PAGE
    if getattr(shown.paginator, "capped", False) and filters.sort.removeprefix("-") == "client":
        keys = _by_client(access, found, filters.sort, first, first + PAGE)
    else:
        keys = _keys(found, filters.sort, first, first + PAGE)
    known = {one.pk: one for one in _read(access, keys, on=on, today=today)}
    invoices = [known[key] for key in keys if key in known]
    bolts = automatic(access, invoices, today) if on == today else set()
    steps = _step_counts(access, invoices)
    return shown, [_row(one, on, steps, bolts) for one in invoices]


def _by_client(access: Access, found: QuerySet[Any], sort: str, first: int, last: int) -> list[int]:
    """The keys of one page of a long list in the order of the clients, some clients at a time.

    The databases would sort a million rows by a name of another table to show fifty.
    """
    down = sort.startswith("-")
    order = ("-search", "-id") if down else ("search", "id")
    clients = access.all(Customer).order_by(*order).values_list("pk", flat=True)
    rows = found.order_by().values_list("customer_id", "due", "pk")
    keys: list[int] = []
    start = 0
    while len(keys) < last and (some := list(clients[start : start + FEW])):
        start += FEW
        place = {key: (-rank if down else rank) for rank, key in enumerate(some)}
        mine = sorted(
            ((place[client], due, key) for client, due, key in rows.filter(customer_id__in=some)),
            reverse=down,
        )
        keys += [key for _place, _due, key in mine]
    return keys[first:last]


def _keys(found: QuerySet[Any], sort: str, first: int, last: int) -> list[int]:
    """The keys of one page. Those never chased have no row to be sorted by: they come apart.

    So the database walks the index of what was last done, instead of sorting every invoice.
    """
    if sort.removeprefix("-") not in BY_CHASE:
        return list(found.values_list("pk", flat=True)[first:last])
    name, down = BY_CHASE[sort.removeprefix("-")], sort.startswith("-")
    chased = found.filter(
        chase__organisation=F("organisation"), **{f"chase__{name}__isnull": False}
    )
    order = [f"chase__{one}" for one in CHASE_ORDER[name]]
    chased = chased.order_by(*(f"-{one}" if down else one for one in order))
    never = found.filter(**{f"chase__{name}__isnull": True}).order_by("due", "id")
    parts = [rows.values_list("pk", flat=True) for rows in (chased, never)]
    return in_turn(parts if down else parts[::-1], first, last)


def _read(access: Access, keys: list[int], *, on: date, today: date) -> Any:
    found: QuerySet[Any] = access.all(Invoice).filter(pk__in=keys)
    found = found.select_related("customer", "chase")
    return _as_of(found, on) if on < today else found.annotate(left=F("balance_cents"))


def selection(access: Access, filters: Filters, *, on: date, today: date) -> QuerySet[Any]:
    """The invoices that the filters leave, in their order, with `left` (cents) on `on`."""
    found: QuerySet[Any] = access.all(Invoice)
    found = _as_of(found, on) if on < today else found.annotate(left=F("balance_cents"))
    if on < today:
        found = found.filter(issued__lte=on)
    owed = Q(left__gt=0) if on < today else Q(balance_cents__gt=0)
    match filters.state:
        case "reglees":
            found = found.exclude(owed)
        case "toutes":
            pass
        case _:
            found = found.filter(owed)
    match filters.state:
        case "retard":
            found = found.filter(due__lt=on)
        case "echoir":
            found = found.filter(due__gte=on)
        case "promises":
            found = (
                found.filter(promised__isnull=False)
                if on < today
                else found.filter(promise_until__isnull=False)
            )
        case "litiges":
            found = found.filter(in_dispute=True) if on < today else found.filter(disputed=True)
    if filters.bucket:
        _label, least, most = BUCKETS[filters.bucket]
        if least is not None:
            found = found.filter(due__lte=on - timedelta(days=least))
        if most is not None:
            found = found.filter(due__gte=on - timedelta(days=most))
    if filters.plan == NO_PLAN:
        found = found.filter(customer__assignment__isnull=True)
    elif filters.plan:
        followers = access.all(Assignment).filter(plan_id=int(filters.plan))
        found = _of_customers(found, followers, "customer_id")
    if filters.text:
        found = _matching(access, found, filters.text)
    now_owed = on == today and filters.state not in ("reglees", "toutes")
    return found.order_by(*_order(filters.sort, now_owed))


def _as_of(found: Any, on: date) -> Any:
    """Balances, disputes and promises as they stood on a past day."""
    later = (
        Payment.objects.filter(invoice=OuterRef("pk"), on__gt=on)
        .order_by()
        .values("invoice")
        .annotate(cents=Sum("amount_cents"))
        .values("cents")
    )
    disputes = Dispute.objects.filter(
        Q(resolved_on__isnull=True) | Q(resolved_on__gt=on),
        invoice=OuterRef("pk"),
        opened_on__lte=on,
    )
    promises = Hold.objects.filter(
        Q(ended_on__isnull=True) | Q(ended_on__gt=on),
        invoice=OuterRef("pk"),
        kind=Hold.Kind.PROMISE,
        made_on__lte=on,
    )
    return found.annotate(
        left=F("balance_cents") + Coalesce(Subquery(later), 0),
        in_dispute=Exists(disputes),
        promised=Subquery(promises.values("until")[:1]),
    )


def _of_customers(found: QuerySet[Any], rows: QuerySet[Any], key: str) -> QuerySet[Any]:
    """The invoices of these customers: few are named, many are asked for beside each invoice.

    A database that mistakes one for the other sorts a million rows to show fifty.
    """
    few = list(rows.order_by().values_list(key, flat=True)[: FEW + 1])
    if len(few) <= FEW:
        return found.filter(customer_id__in=few)
    name = {"pk": "pk", "customer_id": "customer"}[key]
    return found.filter(Exists(rows.filter(**{name: OuterRef("customer_id")})))


def _matching(access: Access, found: QuerySet[Any], text: str) -> QuerySet[Any]:
    """Number of the invoice, or name and code of the customer without accents or case."""
    numbers = numbered(access.all(Invoice), text, FEW)
    folded = fold(text)
    if not folded:
        return found.filter(pk__in=numbers)
    customers = access.all(Customer).filter(search__contains=folded)
    few = list(customers.order_by().values_list("pk", flat=True)[: FEW + 1])
    if len(few) <= FEW:
        return found.filter(Q(pk__in=numbers) | Q(customer_id__in=few))
    return found.filter(Q(pk__in=numbers) | Exists(customers.filter(pk=OuterRef("customer_id"))))


def _order(sort: str, owed: bool) -> list[Any]:
    """`-retard` is the oldest due date first: it is the order of the index of open invoices."""
    down = sort.startswith("-")
    fields = SORTS[sort.removeprefix("-")]
    order: list[Any] = []
    for field in fields:
        name, turned = field.removeprefix("-"), field.startswith("-") != down
        if name == "left" and owed:
            # as the index of open balances has it
            order.append(Minus("balance_cents").asc() if turned else Minus("balance_cents").desc())
        elif "chase__" in name:
            column = F(name)
            order.append(column.desc(nulls_last=True) if turned else column.asc(nulls_first=True))
        else:
            order.append(f"-{name}" if turned else name)
    return order


def automatic(access: Access, invoices: list[Invoice], today: date) -> set[int]:
    """Of these invoices, those that the plan of their customer would chase by itself."""
    customers = sorted({one.customer_id for one in invoices if one.balance_cents > 0})
    found: set[int] = set()
    for case, decision in dunning.decisions(access.organisation, customers, today).values():
        found.update(int(key) for key in dunning.automatic_invoices(decision, case))
    return found


class Prospect(NamedTuple):
    """What the plan will do about one invoice, in words; `bolt` when it leaves by itself."""

    bolt: bool
    words: str


def prospect(access: Access, invoice: Invoice, today: date) -> Prospect:
    """Under the box of the panel: the next step and its day, or why there is none (S2-12)."""
    found = dunning.decisions(access.organisation, [invoice.customer_id], today)
    case, decision = found[invoice.customer_id]
    bolt = invoice.pk in dunning.automatic_invoices(decision, case)
    refusals = [r for r in decision.invoice_reasons if r.invoice == invoice.pk]
    refusal = next(iter(refusals), next(iter(decision.reasons), None))
    plan = case.plan
    if invoice.balance_cents <= 0:
        return Prospect(False, gettext("Cette facture est réglée."))
    if refusal is not None:
        return Prospect(False, wording.sentence(refusal, gettext))
    for carrier in decision.carriers:
        mine = carrier.reference.id == invoice.pk
        if plan is None or carrier.currency != invoice.currency:
            continue
        if not mine and plan.scope == "invoice":
            continue
        if carrier.step is None or carrier.leaves is None:
            return Prospect(False, gettext("Plan %(plan)s terminé.") % {"plan": plan.name})
        words = gettext("%(plan)s, prochaine étape\u00a0: %(step)s, %(day)s") % {
            "plan": plan.name,
            "step": f"{carrier.step.name}{french.NBSP}({carrier.step.level})",
            "day": french.date_text(carrier.leaves, today, "weekday"),
        }
        return Prospect(bolt, words)
    return Prospect(bolt, gettext("Rien n’est prévu."))


def _step_counts(access: Access, invoices: list[Invoice]) -> dict[int, int]:
    """Number of levels of each customer's plan, for the ladder."""
    ids = {one.customer_id for one in invoices}
    rows = (
        access.all(Plan)
        .filter(assignments__customer_id__in=ids)
        .values_list("assignments__customer_id", "steps__level")
    )
    counts: dict[int, int] = {}
    for customer, level in rows:
        counts[customer] = max(counts.get(customer, 0), level or 0)
    return counts


def _row(invoice: Any, on: date, steps: dict[int, int], bolts: set[int]) -> Row:
    chase = getattr(invoice, "chase", None)
    level = chase.level if chase else 0
    return Row(
        invoice=invoice,
        days=(on - invoice.due).days,
        left=invoice.left,
        level=level,
        level_name=chase.level_name if chase else "",
        steps=max(steps.get(invoice.customer_id, 0), level, 1),
        last_on=chase.last_on if chase else None,
        state=state_of(invoice, on),
        bolt=invoice.pk in bolts,
    )


def state_of(invoice: Any, on: date) -> str:
    """done, dispute, promise, broken, paused, off, late or due: what is worth a word first."""
    left = getattr(invoice, "left", invoice.balance_cents)
    promised = getattr(invoice, "promised", invoice.promise_until)
    if left <= 0:
        return "done"
    if getattr(invoice, "in_dispute", invoice.disputed):
        return "dispute"
    if promised is not None:
        return "promise" if promised >= on else "broken"
    if invoice.hold_until is not None and invoice.hold_until >= on:
        return "paused"
    if not invoice.plan_on:
        return "off"
    return "late" if invoice.due < on else "due"
