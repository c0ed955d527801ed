"""À relancer: what is to be chased, by level (S4-15). Candidates are stored, the engine answers.

The database filters, sorts and pages the copy that the pass keeps; the engine is asked again about
the customers of the lines shown, so that nothing done meanwhile is offered.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.core.paginator import Page, Paginator
from django.db.models import Count, Q, QuerySet, Sum
from django.urls import reverse
from django.utils.translation import gettext as _

from relance.accounts.access import Access
from relance.dunning import queries as dunning
from relance.dunning.facts import to_chase
from relance.dunning.facts.hours import next_departure
from relance.dunning.models import Channel, Plan, Step, ToChase
from relance.dunning.wording import messages
from relance.dunning.wording.methods import words_for
from relance.engine import model as engine
from relance.formats.text import fold
from relance.ledger.models import Customer, Site
from relance.web import french
from relance.web.queries import sending
from relance.web.sentences import departure_when

PAGE = 50
SHOWN = 12
"""Lines of a level on the page of all levels, when they do not all fit."""
IMPOSSIBLE = ("NO_RECIPIENT", "NO_TEMPLATE")


@dataclass(frozen=True)
class Filters:
    """What the address asks for; anything unknown in it is left aside."""

    text: str = ""
    plan: int = 0
    site: int = 0
    customer: int = 0
    level: int = 0

    @classmethod
    def read(cls, values: Mapping[str, str]) -> "Filters":
        """From the query string; hostile values fall back silently, never fail."""
        plan, _dash, level = values.get("niveau", "").partition("-")
        return cls(
            text=" ".join(values.get("q", "").replace("\0", "").split())[:100],
            plan=_number(plan) or _number(values.get("plan", "")),
            site=_number(values.get("chantier", "")),
            customer=_number(values.get("client", "")),
            level=_number(level) if _number(plan) else 0,
        )

    @property
    def narrowed(self) -> bool:
        """Whether less than everything is asked for."""
        return bool(self.text or self.plan or self.site or self.customer)

    def address(self, **changes: object) -> str:
        """The query string of this list, with `changes`; what is empty is left out."""
        found: dict[str, object] = {
            "q": self.text,
            "plan": "" if self.level else self.plan,
            "niveau": f"{self.plan}-{self.level}" if self.level else "",
            "chantier": self.site,
            "client": self.customer,
        } | changes
        return "?" + urlencode({key: value for key, value in found.items() if value})


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 18 else 0


class State(NamedTuple):
    """What is worth saying at the end of a line: a kind of the tag `status`, words, a repair."""

    kind: str
    words: str
    repair: str = ""
    repair_url: str = ""


@dataclass
class Row:
    """One encaissement to chase; `days` late (negative: before its due date)."""

    line: ToChase
    days: int
    to: list[messages.Recipient]
    starred: bool
    state: State | None
    can_mail: bool
    moved: str = ""

    @property
    def is_error(self) -> bool:
        """Nothing can leave before somebody repairs it (S4-25)."""
        return self.state is not None and self.state.kind == "error"

    @property
    def before(self) -> int:
        """Calendar days until the due date, for a reminder before it (S4-10)."""
        return -self.days

    @property
    def others(self) -> int:
        """Other invoices that the same message asks for."""
        return self.line.invoice_count - 1


@dataclass
class Section:
    """One level of one plan: how much is to be chased at it, and its lines."""

    plan: Plan
    step: Step
    steps: int
    count: int
    sums: list[tuple[int, str]]
    errors: int
    url: str
    mailable: bool
    lines: int = 0
    rows: list[Row] = field(default_factory=list)

    @property
    def key(self) -> str:
        return f"{self.plan.pk}-{self.step.level}"

    @property
    def is_email(self) -> bool:
        return self.step.channel == Channel.EMAIL

    def recount(self) -> None:
        """When all of its lines are shown, they are what is counted."""
        sums: dict[str, int] = {}
        for row in self.rows:
            currency = row.line.currency
            sums[currency] = sums.get(currency, 0) + row.line.amount_cents
        self.sums = [(cents, currency) for currency, cents in sums.items()]
        self.count = sum(row.line.invoice_count for row in self.rows)
        self.errors = sum(row.is_error for row in self.rows)
        self.lines = len(self.rows)

    @property
    def more(self) -> bool:
        """True when not all of its lines are shown."""
        return self.lines > len(self.rows)


@dataclass
class Listing:
    """The page: its sections, or the one asked for with its pages."""

    filters: Filters
    sections: list[Section]
    page: Page[Any] | None
    count: int
    errors: int

    @property
    def lines(self) -> int:
        """The relances to do, which the navigation counts: one may be about several invoices."""
        return sum(one.lines for one in self.sections)


def selection(access: Access, filters: Filters, today: date) -> QuerySet[ToChase]:
    """The stored lines that the filters leave, unpaid only (S4-32), in no order."""
    return _stored(access, filters, today).filter(invoice__balance_cents__gt=0)


def _stored(access: Access, filters: Filters, today: date) -> QuerySet[ToChase]:
    """The same with those paid a moment ago: whoever records a payment looks again at once."""
    found = access.all(ToChase).filter(trigger__lte=today)
    if filters.plan:
        found = found.filter(plan_id=filters.plan)
    if filters.level:
        found = found.filter(level=filters.level)
    if filters.site:
        found = found.filter(invoice__site_id=filters.site)
    if filters.customer:
        found = found.filter(customer_id=filters.customer)
    if filters.text:
        folded = fold(filters.text)
        wanted = Q(invoice__number__icontains=filters.text)
        wanted |= Q(invoice__site__name__icontains=filters.text)
        if folded:
            customers = access.all(Customer).filter(search__contains=folded)
            wanted |= Q(customer__in=customers.values("pk"))
        found = found.filter(wanted)
    return found


def listing(
    access: Access, filters: Filters, *, today: date, now: datetime, page: str = "1"
) -> Listing:
    """Sections by level with their lines, in a fixed number of queries for each level."""
    found = selection(access, filters, today)
    sections = _sections(access, filters, _stored(access, filters, today))
    cut = bool(filters.level) or sum(one.lines for one in sections) > PAGE
    ordered = found.select_related("customer", "invoice", "invoice__site").order_by("trigger", "id")
    shown: Page[Any] | None = None
    lines: list[ToChase] = []
    if filters.level and sections:
        pages = Paginator(ordered, PAGE)
        pages.count = sections[0].lines
        shown = pages.get_page(page)
        lines = list(shown.object_list)
    elif not cut:
        lines = list(ordered)
    else:
        for one in sections:
            mine = ordered.filter(plan_id=one.plan.pk, level=one.step.level)
            lines += list(mine[:SHOWN])
    _fill(access, sections, lines, today, now)
    if not cut:
        for one in sections:
            one.recount()
    sections = [one for one in sections if one.rows or one.lines]
    return Listing(
        filters,
        sections,
        shown,
        sum(one.count for one in sections),
        sum(one.errors for one in sections),
    )


def _sections(access: Access, filters: Filters, found: QuerySet[ToChase]) -> list[Section]:
    counted = found.values("plan_id", "level", "currency").annotate(
        lines=Count("pk"),
        asked=Sum("invoice_count"),
        cents=Sum("amount_cents"),
        errors=Count("pk", filter=Q(code__in=IMPOSSIBLE)),
    )
    plans = access.all(Plan).in_bulk()
    steps = {(one.plan_id, one.level): one for one in access.all(Step).select_related("template")}
    written = words_for(access.organisation, plans, Channel.EMAIL)
    sections: dict[tuple[int, int], Section] = {}
    for one in counted.order_by("plan_id", "level", "currency"):
        key = (one["plan_id"], one["level"])
        if key not in steps:
            continue
        section = sections.setdefault(
            key,
            Section(
                plan=plans[key[0]],
                step=steps[key],
                steps=sum(1 for plan, _level in steps if plan == key[0]),
                count=0,
                sums=[],
                errors=0,
                url=filters.address(plan="", niveau=f"{key[0]}-{key[1]}"),
                mailable=key in written,
            ),
        )
        section.count += one["asked"]
        section.lines += one["lines"]
        section.errors += one["errors"]
        section.sums.append((one["cents"], one["currency"]))
    return sorted(
        sections.values(), key=lambda s: (not s.plan.is_default, s.plan.name, s.step.level)
    )


def _fill(
    access: Access,
    sections: Sequence[Section],
    lines: Sequence[ToChase],
    today: date,
    now: datetime,
) -> None:
    """Put each line in its section as the engine sees it now; what is done is left out."""
    by_key = {(one.plan.pk, one.step.level): one for one in sections}
    fresh = asked_now(access, lines, today)
    book = _book(access, fresh)
    hour = ""
    if sending.stop(access.organisation, today) is None:
        hour = departure_when(access.organisation, next_departure(access.organisation, now), today)
    for line in lines:
        section = by_key.get((line.plan_id, line.level))
        if section is None:
            continue
        known = fresh.get(line.invoice_id)
        if known is None or known.line.trigger > today or known.line.plan != line.plan_id:
            section.lines -= 1
            section.count -= line.invoice_count
            continue
        section.rows.append(_row(access, section, line, known, book, today, hour))


class Now(NamedTuple):
    """What the engine says of one carrier at this moment, and the invoices it would ask for."""

    line: to_chase.Line
    invoices: tuple[int, ...]
    case: engine.Case


def asked_now(access: Access, lines: Iterable[ToChase], today: date) -> dict[int, Now]:
    """The engine's answer about these carriers, by reference invoice, in a few queries."""
    customers = sorted({line.customer_id for line in lines})
    found: dict[int, Now] = {}
    for case, decision in dunning.decisions(access.organisation, customers, today).values():
        told = to_chase.asked(case, decision)
        for line in to_chase.lines(case, decision):
            found[line.invoice] = Now(line, told[line.invoice], case)
    return found


def _book(access: Access, fresh: Mapping[int, Now]) -> messages.Book:
    return messages.open_book(
        access.organisation, [messages.Wanted(action_of(one), one.case) for one in fresh.values()]
    )


def action_of(one: Now) -> engine.Action:
    """The carrier in the shape that the writer of messages takes, to know who receives it."""
    line = one.line
    return engine.Action(
        customer=line.customer,
        currency=line.currency,
        plan=line.plan,
        level=line.level,
        name="",
        channel="email",
        automatic=False,
        reference=line.invoice,
        invoices=one.invoices,
        carriers=(line.invoice,),
        amount=line.amount_cents,
        since=line.trigger,
    )


def _row(
    access: Access,
    section: Section,
    line: ToChase,
    known: Now,
    book: messages.Book,
    today: date,
    hour: str,
) -> Row:
    live = known.line
    line.amount_cents, line.invoice_count = live.amount_cents, live.invoice_count
    starred = bool(book.favourites.get(line.invoice.site_id or 0))
    action = action_of(known)
    functions = book.addressed_first(action)
    moved = ""
    if live.level != line.level:
        moved = _("passe au niveau %(level)s") % {"level": live.level}
    return Row(
        line=line,
        days=(today - line.invoice.due).days,
        to=messages.recipients(book, line.customer_id, known.invoices, functions),
        starred=starred,
        state=_state(access, section, line, live, starred, today, hour),
        can_mail=section.mailable and not moved,
        moved=moved,
    )


def _state(
    access: Access,
    section: Section,
    line: ToChase,
    live: to_chase.Line,
    starred: bool,
    today: date,
    hour: str,
) -> State | None:
    """The one thing worth a word: an error and its repair, when it leaves, from when it may."""
    if live.code == "NO_RECIPIENT":
        return State(
            "error", _("Aucun destinataire par défaut"), _("Choisir"), repair(access, line)
        )
    if live.code == "NO_TEMPLATE":
        url = reverse("plan_detail", args=[access.organisation.slug, section.plan.pk])
        return State("error", _("Aucun modèle pour ce niveau"), _("Choisir"), url)
    if live.automatic and live.possible_on > today:
        return State(
            "auto", _("part le %(day)s") % {"day": french.date_text(live.possible_on, today)}
        )
    if live.automatic and not hour:
        return State("paused", _("envois suspendus"))
    if live.automatic:
        return State("auto", _("part %(when)s") % {"when": hour})
    if live.possible_on > today:
        return State(
            "paused",
            _("possible dès le %(day)s") % {"day": french.date_text(live.possible_on, today)},
        )
    if line.invoice.site_id and not starred:
        return State("doubt", _("chantier sans favori"), _("Choisir"), repair(access, line))
    return None


def repair(access: Access, line: ToChase) -> str:
    """Where a default recipient is chosen: the invoice's site, else the contacts (S4-27)."""
    base = reverse("customer_detail", args=[access.organisation.slug, line.customer_id])
    if line.invoice.site_id:
        return f"{base}?onglet=chantiers&chantier={line.invoice.site_id}"
    return f"{base}?onglet=contacts"


def level_of(access: Access, line: ToChase) -> str:
    """`Second rappel (2)`: the level of a line, by name."""
    step = access.all(Step).filter(plan_id=line.plan_id, level=line.level).first()
    return str(step or "")


def waiting(access: Access, today: date) -> QuerySet[ToChase]:
    """The lines of the list, to be counted by the navigation from the index alone."""
    return access.all(ToChase).filter(trigger__lte=today)


def named(access: Access, filters: Filters) -> dict[str, Any]:
    """The names of what the address narrows the list to, for the chips."""
    return {
        "site": access.all(Site).filter(pk=filters.site).first() if filters.site else None,
        "customer": (
            access.all(Customer).filter(pk=filters.customer).first() if filters.customer else None
        ),
    }
