"""The list of customers: what each owes, his plan, what comes next. One page, few queries."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.core.paginator import Page
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Sum
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from relance.accounts.access import Access
from relance.dunning.models import Action, Outlook
from relance.engine import model as engine
from relance.formats.text import fold
from relance.ledger.models import Contact, Customer, Invoice
from relance.web import french
from relance.web.queries.paging import in_turn, page_of
from relance.web.queries.status import pending_title

PAGE = 50
MOST_TICKED = 500
NO_PLAN = "aucun"
STATES: dict[str, Any] = {
    "": lazy("Tous les clients"),
    "doivent": lazy("Doivent quelque chose"),
    "retard": lazy("En retard"),
    "afaire": lazy("Action à faire"),
    "part": lazy("Relance automatique prévue"),
    "sansplan": lazy("Sans plan"),
    "sansadresse": lazy("Sans adresse e-mail"),
    "attente": lazy("En attente ou exclus"),
}
SHORT: dict[str, Any] = {
    "EXCLUDED": lazy("Exclu des relances"),
    "NO_PLAN": lazy("Aucun plan"),
    "EMPTY_PLAN": lazy("Plan sans niveau"),
    "PLAN_PAUSED": lazy("Plan en pause"),
    "NO_OPEN_INVOICE": lazy("Rien n’est dû"),
    "NOTHING_CHASEABLE": lazy("Aucune facture relançable"),
    "CUSTOMER_ON_HOLD": lazy("En attente"),
    "BALANCE_NOT_POSITIVE": lazy("Solde nul ou négatif"),
    "BELOW_MINIMUM": lazy("Sous le minimum du plan"),
    "END_OF_PLAN": lazy("Fin du plan"),
}


NOBODY = "personne"
MAILS: dict[str, Any] = {
    "": lazy("Avec ou sans adresse"),
    "avec": lazy("Avec adresse e-mail"),
    "sans": lazy("Sans adresse e-mail"),
}
SORTS = ("nom", "du", "retard", "plan", "charge", "action")
BY_AMOUNT = {"du": "owed_cents", "retard": "overdue_cents"}
"""Orders that walk an index of the outlooks, copies of what each customer owes."""


@dataclass(frozen=True)
class Filters:
    """What the address says; unknown values are put back to the usual ones.

    `manager` is the id of a user, or NOBODY; `sort` a key of SORTS, with a minus to turn it.
    """

    text: str = ""
    state: str = ""
    plan: str = ""
    manager: str = ""
    mail: str = ""
    sort: str = "nom"

    @classmethod
    def read(cls, values: Mapping[str, str]) -> "Filters":
        """From the query string; never fails."""
        state, mail, sort = values.get("etat", ""), values.get("email", ""), values.get("tri", "")
        return cls(
            text=" ".join(values.get("q", "").replace("\0", "").split())[:100],
            state=state if state in STATES else "",
            plan=_key(values.get("plan", ""), NO_PLAN),
            manager=_key(values.get("charge", ""), NOBODY),
            mail=mail if mail in MAILS else "",
            sort=sort if sort.removeprefix("-") in SORTS else "nom",
        )

    @property
    def narrowed(self) -> bool:
        """Whether some customers are left out."""
        return bool(self.text or self.state or self.plan or self.manager or self.mail)

    def address(self, **changes: str) -> str:
        """The query string of this list, with `changes`."""
        found = {
            "q": self.text,
            "etat": self.state,
            "plan": self.plan,
            "charge": self.manager,
            "email": self.mail,
            "tri": "" if self.sort == "nom" else self.sort,
        } | changes
        return "?" + urlencode({key: value for key, value in found.items() if value})


def _key(value: str, nothing: str) -> str:
    """The id of a row as typed in an address, or the word for none of them; else no filter."""
    return value if value == nothing or (value.isdecimal() and len(value) < 18) else ""


class Row(NamedTuple):
    """One customer; amounts in cents of `currency`, the others of `more` as ready text."""

    customer: Customer
    currency: str
    owed: int
    overdue: int
    more: str
    plan: str
    manager: str
    next: str
    icon: str
    tone: str
    no_address: bool


def rows_page(
    access: Access, filters: Filters, *, today: date, page: str
) -> tuple[Page[Any], list[Row]]:
    """The page of the list and its lines."""
    found = selection(access, filters, today=today)
    shown = page_of(found, page)
    customers: list[Any] = list(shown.object_list)
    if filters.sort.removeprefix("-") in BY_AMOUNT:
        customers = _by_amount(found, filters.sort, (shown.number - 1) * PAGE)
    ids = [one.pk for one in customers]
    owed: dict[int, list[tuple[str, int, int]]] = {}
    for key, currency, whole, late in (
        access.all(Invoice)
        .filter(customer_id__in=ids, balance_cents__gt=0)
        .values_list("customer_id", "currency")
        .annotate(all=Sum("balance_cents"), late=Sum("balance_cents", filter=Q(due__lt=today)))
        .order_by()
    ):
        owed.setdefault(key, []).append((currency, int(whole), int(late or 0)))
    to_do = dict(
        access.all(Action)
        .filter(customer_id__in=ids, status=Action.Status.OPEN)
        .order_by("-due_on")
        .values_list("customer_id", "channel")
    )
    reached = set(
        access.all(Contact)
        .filter(customer_id__in=ids, invalid_since__isnull=True)
        .exclude(email="")
        .values_list("customer_id", flat=True)
    )
    return shown, [
        _row(
            one,
            sorted(owed.get(one.pk, []), key=lambda s: (s[0] != "EUR", s[0])),
            to_do.get(one.pk),
            reached,
            today,
        )
        for one in customers
    ]


def selection(access: Access, filters: Filters, *, today: date) -> QuerySet[Any]:
    """The customers that the filters leave, by name."""
    found: QuerySet[Any] = access.all(Customer).select_related(
        "assignment__plan", "outlook", "manager"
    )
    open_ones = access.all(Invoice).filter(customer=OuterRef("pk"), balance_cents__gt=0)
    outlooks = access.all(Outlook).filter(customer=OuterRef("pk"))
    match filters.state:
        case "doivent":
            found = found.filter(Exists(open_ones))
        case "retard":
            found = found.filter(Exists(open_ones.filter(due__lt=today)))
        case "afaire":
            to_do = access.all(Action).filter(customer=OuterRef("pk"), status=Action.Status.OPEN)
            found = found.filter(Exists(to_do))
        case "part":
            found = found.filter(
                Exists(outlooks.filter(next_on__isnull=False, next_automatic=True))
            )
        case "sansplan":
            found = found.filter(assignment__isnull=True)
        case "sansadresse":
            found = _by_mail(access, found, reachable=False)
        case "attente":
            found = found.filter(Q(excluded=True) | Q(to_review=True) | Q(hold_until__gte=today))
    if filters.plan == NO_PLAN:
        found = found.filter(assignment__isnull=True)
    elif filters.plan:
        found = found.filter(assignment__plan_id=int(filters.plan))
    if filters.manager == NOBODY:
        found = found.filter(manager__isnull=True)
    elif filters.manager:
        found = found.filter(manager_id=int(filters.manager))
    if filters.mail:
        found = _by_mail(access, found, reachable=filters.mail == "avec")
    if filters.text:
        folded = fold(filters.text)
        found = found.filter(search__contains=folded) if folded else found.none()
    return _sorted(found, filters.sort)


def _by_mail(access: Access, found: QuerySet[Any], *, reachable: bool) -> QuerySet[Any]:
    """Those who have an address that can be written to, or those who have none."""
    contacts = (
        access.all(Contact)
        .filter(customer=OuterRef("pk"), invalid_since__isnull=True)
        .exclude(email="")
    )
    own = ~Q(email="") & Q(email_invalid_since__isnull=True)
    reached = own | Exists(contacts)
    return found.filter(reached) if reachable else found.exclude(reached)


def _by_amount(found: QuerySet[Any], sort: str, first: int) -> list[Any]:
    """A page by what is owed: those who owe by the index, then the others by name."""
    column, down = f"outlook__{BY_AMOUNT[sort.removeprefix('-')]}", "-" if sort[0] == "-" else ""
    owing = found.filter(**{f"{column}__gt": 0, "outlook__organisation": F("organisation")})
    owing = owing.order_by(f"{down}{column}", f"{down}outlook__customer")
    others = found.exclude(**{f"{column}__gt": 0}).order_by("search", "id")
    return in_turn([owing, others], first, first + PAGE)


def _sorted(found: QuerySet[Any], sort: str) -> QuerySet[Any]:
    """In the order of a column, then by name; amounts of several currencies count as one sum."""
    key, down = sort.removeprefix("-"), sort.startswith("-")
    column = {
        "nom": "search",
        "du": "outlook__owed_cents",
        "retard": "outlook__overdue_cents",
        "plan": "assignment__plan__name",
        "charge": "manager__full_name",
        "action": "outlook__next_on",
    }[key]
    order = F(column).desc(nulls_last=True) if down else F(column).asc(nulls_last=True)
    if key == "nom":
        return found.order_by("-search" if down else "search", "id")
    return found.order_by(order, "search", "id")


def chosen_customers(
    access: Access, values: QueryDict, *, today: date, most: int = MOST_TICKED
) -> list[int]:
    """Ids of the clients that a form of the list names: those ticked, or all that it shows.

    `tous` says that every client of the filters in `retour` is meant, thousands if need be.
    """
    if values.get("tous") == "1":
        query = QueryDict(values.get("retour", "").removeprefix("?")[:500])
        filters = Filters.read({key: query.get(key, "") for key in query})
        return list(selection(access, filters, today=today).values_list("pk", flat=True))
    ids = [int(one) for one in values.getlist("client") if one.isdecimal() and len(one) < 18]
    found = access.all(Customer).filter(pk__in=ids[:most])
    return list(found.order_by("search", "id").values_list("pk", flat=True))


def _row(
    customer: Any,
    owed: list[tuple[str, int, int]],
    channel: str | None,
    reached: set[int],
    today: date,
) -> Row:
    first = owed[0] if owed else ("EUR", 0, 0)
    assignment = getattr(customer, "assignment", None)
    address = bool(customer.email) and customer.email_invalid_since is None
    reachable = address or customer.pk in reached
    text, icon, tone = next_words(customer, channel, today, reachable=reachable)
    return Row(
        customer,
        *first,
        more=", ".join(french.money(whole, code) for code, whole, _late in owed[1:]),
        plan=assignment.plan.name if assignment else "",
        manager=str(customer.manager) if customer.manager else "",
        next=text,
        icon=icon,
        tone=tone,
        no_address=not reachable,
    )


def next_words(
    customer: Any, channel: str | None, today: date, *, reachable: bool
) -> tuple[str, str, str]:
    """(words, icon, tone) of what comes next, from the last stored decision."""
    if channel:
        return pending_title(channel), "actions", "accent"
    if customer.to_review and not customer.excluded:
        return _("À vérifier (FEC)"), "pause", "warn"
    outlook = getattr(customer, "outlook", None)
    if outlook is None:
        return _("Au prochain départ"), "clock", ""
    if outlook.next_on is not None:
        day = french.date_text(max(outlook.next_on, today), today)
        if outlook.next_automatic and not reachable:
            return _("Sans adresse, à faire le %(day)s") % {"day": day}, "triangle", "warn"
        if outlook.next_automatic:
            return _("Automatique le %(day)s") % {"day": day}, "bolt", "accent"
        return _("À faire le %(day)s") % {"day": day}, "calendar", ""
    if outlook.code in SHORT:
        held = outlook.code in {"EXCLUDED", "CUSTOMER_ON_HOLD", "PLAN_PAUSED"}
        return str(SHORT[outlook.code]), "pause" if held else "minus", "warn" if held else ""
    return (
        (
            _("Rien de prévu")
            if outlook.code in engine.REASON_CODES or not outlook.code
            else outlook.code
        ),
        "minus",
        "",
    )
