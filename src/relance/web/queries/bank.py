"""Banque: the transactions of a dossier, what is missing month by month, in how many queries.

The database filters, sorts and pages; counts stop at ten thousand or run over the index of what
is missing. `À valider` is the stored copy of what the engine says (S0-05 to S0-09).
"""

from calendar import monthrange
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.core.paginator import Page
from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import Abs
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from relance.accounts.access import Access
from relance.accounts.models import CollectRole
from relance.bank.models import BankAccount, Document, Link, Missing, Pending, Transaction
from relance.formats.amounts import Amount, parse_amount
from relance.formats.dates import parse_date
from relance.formats.text import fold
from relance.web import french
from relance.web.queries.paging import MOST, page_of

TO_VALIDATE = "valider"
EVERYTHING = "tout"
STATES: dict[str, Any] = {
    TO_VALIDATE: gettext_lazy("À valider"),
    "aucune": gettext_lazy("Sans association"),
    "sans": gettext_lazy("Justificatif manquant"),
    "partie": gettext_lazy("Justifiées en partie"),
    "trouve": gettext_lazy("Justificatif trouvé, à confirmer"),
    "fait": gettext_lazy("Justifiées"),
    "dispense": gettext_lazy("Ignorées ou sans justificatif"),
    EVERYTHING: gettext_lazy("Toutes les opérations"),
}
"""Values of the filter « Filtres » (S0-04), as in the address."""

_MISSING = {
    "aucune": Missing.NOT_ASSOCIATED,
    "sans": Missing.WITHOUT_DOCUMENT,
    "partie": Missing.PARTIAL,
    "trouve": Missing.POTENTIAL,
}
SORTS = {
    "-date": ("-booked", "-id"),
    "date": ("booked", "id"),
    "-montant": ("-amount_cents", "-booked", "-id"),
    "montant": ("amount_cents", "booked", "id"),
}
MOST_YEARS = 3
SHOWN_TO_COME = 50
SAID = 16
BAR = 46
"""Height of the highest bar of the strip, in the units of its drawing."""


@dataclass(frozen=True)
class Filters:
    """What the address asks for; anything unknown in it is left aside."""

    state: str = TO_VALIDATE
    first: date | None = None
    last: date | None = None
    account: int = 0
    text: str = ""
    amount: str = ""
    sort: str = "-date"

    @classmethod
    def read(cls, values: Mapping[str, str]) -> "Filters":
        """From the query string; hostile values fall back silently, never fail."""
        state, sort = values.get("etat", ""), values.get("tri", "")
        first, last = _day(values.get("du", "")), _day(values.get("au", ""))
        if first and last and first > last:
            first, last = last, first
        return cls(
            state=state if state in STATES else TO_VALIDATE,
            first=first,
            last=last,
            account=_number(values.get("compte", "")),
            text=" ".join(values.get("q", "").replace("\0", "").split())[:100],
            amount=" ".join(values.get("montant", "").replace("\0", "").split())[:30],
            sort=sort if sort in SORTS else "-date",
        )

    @property
    def has_period(self) -> bool:
        """Whether the person has set dates (S0-22)."""
        return self.first is not None or self.last is not None

    @property
    def narrowed(self) -> bool:
        """Whether words or an amount are sought beside the period and the account."""
        return bool(self.text or self.amount)

    @property
    def cents(self) -> int | None:
        """The absolute amount that is sought, None when there is none or it is no amount."""
        read = parse_amount(self.amount) if self.amount else None
        return abs(read.cents) if isinstance(read, Amount) else None

    def address(self, **changes: object) -> str:
        """The query string of this list with `changes`; what is usual or empty is left out."""
        found: dict[str, object] = {
            "etat": "" if self.state == TO_VALIDATE else self.state,
            "du": self.first.isoformat() if self.first else "",
            "au": self.last.isoformat() if self.last else "",
            "compte": self.account,
            "q": self.text,
            "montant": self.amount,
            "tri": "" if self.sort == "-date" else self.sort,
        } | changes
        return "?" + urlencode({key: value for key, value in found.items() if value})


def _day(text: str) -> date | None:
    read = parse_date(text[:10]) if text else None
    return read if isinstance(read, date) else None


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 18 else 0


class Association(NamedTuple):
    """The first pictogram: `kind` is empty, half or full; `words` name what it holds."""

    kind: str
    words: str
    cents: int | None = None


class Receipt(NamedTuple):
    """The second pictogram: `kind` is missing, part, found, given or waived."""

    kind: str
    words: str
    cents: int | None = None


@dataclass
class Row:
    """One transaction of the list with its two pictograms."""

    transaction: Transaction
    association: Association
    receipt: Receipt
    under: str


def selection(access: Access, filters: Filters) -> QuerySet[Transaction]:
    """The transactions that the filters leave, in their order."""
    rows = _within(access.all(Transaction), filters)
    if filters.state == TO_VALIDATE:
        rows = rows.exclude(missing="")
    elif filters.state in _MISSING:
        rows = rows.exclude(missing="").filter(missing=_MISSING[filters.state])
    elif filters.state == "fait":
        rows = rows.filter(missing="", waiver="")
    elif filters.state == "dispense":
        rows = rows.exclude(waiver="")
    if filters.text:
        rows = rows.filter(search__contains=fold(filters.text))
    if filters.amount:
        cents = filters.cents
        wanted = Q(amount_cents=cents) | Q(amount_cents=-cents) if cents is not None else Q(pk=0)
        rows = rows.filter(wanted)
    return rows.order_by(*SORTS[filters.sort])


def _within(rows: QuerySet[Transaction], filters: Filters) -> QuerySet[Transaction]:
    if filters.first is not None:
        rows = rows.filter(booked__gte=filters.first)
    if filters.last is not None:
        rows = rows.filter(booked__lte=filters.last)
    if filters.account:
        rows = rows.filter(account_id=filters.account)
    return rows


def rows_page(
    access: Access, filters: Filters, page: str, *, missing: int
) -> tuple[Page[Any], list[Row]]:
    """One page of the list: its transactions and their links, in two queries after the count.

    `missing` is how many the strip has counted in the period: À valider is not counted again.
    """
    counted = filters.state == TO_VALIDATE and not filters.narrowed
    rows = selection(access, filters)
    if filters.text:  # words are sought once, not for the count and for the page
        keys = list(rows.values_list("pk", flat=True)[: MOST + 1])
        shown = page_of(keys, page, known=len(keys))
        known = access.all(Transaction).in_bulk(shown.object_list)
        found = [known[key] for key in shown.object_list if key in known]
    else:
        shown = page_of(rows, page, known=missing if counted else None)
        found = list(shown.object_list)
    links = _links(found)
    accounts = {one.pk: str(one) for one in accounts_of(access)}
    return shown, [_row(access, one, links.get(one.pk, []), accounts) for one in found]


def accounts_of(access: Access) -> list[BankAccount]:
    """The accounts of the dossier, open ones first."""
    return list(access.all(BankAccount).order_by("closed", "name", "number"))


def _links(rows: list[Transaction]) -> Mapping[int, list[Link]]:
    found: dict[int, list[Link]] = defaultdict(list)
    wanted = Link.objects.filter(transaction_id__in=[row.pk for row in rows])
    for link in wanted.select_related("document", "invoice").order_by("id"):
        found[link.transaction_id].append(link)
    return found


def _row(access: Access, row: Transaction, links: list[Link], accounts: Mapping[int, str]) -> Row:
    several = len(accounts) > 1
    name = row.name if fold(row.name) not in fold(row.label) else ""
    under = name or (accounts.get(row.account_id, "") if several else row.reference)
    return Row(row, association(access, row, links), receipt(row, links), under)


def association(access: Access, row: Transaction, links: list[Link]) -> Association:
    """Empty, half or full circle, with what it is associated to."""
    confirmed = [link for link in links if link.confirmed]
    if not confirmed:
        return Association("empty", pgettext("association", "Aucune"))
    linked = max(abs(row.linked_cents), abs(row.covered_cents))
    if linked < abs(row.amount_cents):
        return Association("half", "", linked)
    names = list(dict.fromkeys(name_of(access, link) for link in confirmed))
    return Association("full", ", ".join(names[:2]) + ("…" if len(names) > 2 else ""))


def name_of(access: Access, link: Link) -> str:
    """What a link associates with: a kind of expense, an invoice, or the paper's supplier."""
    if link.label:
        return link.label
    if link.invoice is not None:
        return _("Facture %(number)s") % {"number": link.invoice.number}
    if link.credit_id is not None:
        return _("Trop-perçu, avoir du client")
    if link.document is not None:
        return paper_name(access, link.document)
    return pgettext("association", "Complète")


def receipt(row: Transaction, links: list[Link]) -> Receipt:
    """Red when something is to be provided, amber when it was found, green when it is there."""
    if row.waiver:
        return Receipt("waived", str(Transaction.Waiver(row.waiver).label))
    if not row.missing:
        return Receipt("given", pgettext("receipt", "Fourni"))
    if row.missing == Missing.POTENTIAL:
        waiting = [link for link in links if not link.confirmed]
        papers = sum(1 for link in waiting if link.document_id)
        if papers:
            words = french.counted(papers, _("document trouvé"), _("documents trouvés"))
        else:
            words = french.counted(len(waiting), _("facture trouvée"), _("factures trouvées"))
        return Receipt("found", words)
    if row.missing == Missing.PARTIAL:
        return Receipt("part", "", row.lacking_cents)
    return Receipt("missing", pgettext("receipt", "Manquant"))


def to_come(access: Access, filters: Filters) -> list[Pending]:
    """What the bank announces and has not booked, soonest first; of one account when filtered."""
    rows = access.all(Pending).select_related("account")
    if filters.account:
        rows = rows.filter(account_id=filters.account)
    return list(rows.order_by("on", "id")[:SHOWN_TO_COME])


# --- the strip of months -------------------------------------------------------


@dataclass(frozen=True)
class Month:
    """One month of the strip: `height` of its bar in `BAR` units, `chosen` when framed."""

    first: date
    last: date
    count: int
    height: int
    chosen: bool
    url: str

    @property
    def letter(self) -> str:
        """The initial of the month, under its bar."""
        return french.month_name(self.first)[0]

    @property
    def words(self) -> str:
        """« octobre 2024 »."""
        return f"{french.month_name(self.first)}{french.NBSP}{self.first.year}"

    @property
    def top(self) -> int:
        """Where the bar begins, from above; its count stands over it."""
        return SAID + BAR - self.height

    @property
    def said_at(self) -> int:
        """Foot of the count."""
        return self.top - 5


@dataclass(frozen=True)
class Year:
    """Twelve months, and the address of the whole year."""

    year: int
    count: int
    months: list[Month]
    url: str


@dataclass
class Strip:
    """What is missing, by month, and the sentence above: `count` in the chosen period (S0-23)."""

    years: list[Year]
    count: int
    every: int
    period: str
    wide: str
    wide_url: str
    earlier: int = 0
    earlier_url: str = ""


def strip(access: Access, filters: Filters, today: date) -> Strip:
    """The months of the last years in which something is missing; one query (S0-22 to S0-24)."""
    open_period = replace(filters, first=None, last=None)
    missing = _within(access.all(Transaction).exclude(missing=""), open_period)
    days = dict(missing.order_by().values_list("booked").annotate(Count("pk")))
    every = sum(days.values())
    latest = max((day.year for day in days), default=today.year)
    oldest = min((day.year for day in days if day.year > latest - MOST_YEARS), default=latest)
    counts: dict[tuple[int, int], int] = defaultdict(int)
    for day, count in days.items():
        counts[day.year, day.month] += count
    most = max(counts.values(), default=1)
    years = [_year(filters, year, counts, most) for year in range(oldest, latest + 1)]
    earlier = sum(count for day, count in days.items() if day.year < oldest)
    inside = sum(count for day, count in days.items() if _in_period(day, filters))
    before = date(oldest - 1, 12, 31)
    return Strip(
        years=years if every else [],
        count=inside,
        every=every,
        period=period_words(filters.first, filters.last),
        wide=_years_words(min((day.year for day in days), default=latest), latest),
        wide_url=open_period.address(),
        earlier=earlier,
        earlier_url=replace(open_period, last=before).address(),
    )


def _in_period(day: date, filters: Filters) -> bool:
    return (filters.first is None or day >= filters.first) and (
        filters.last is None or day <= filters.last
    )


def _year(filters: Filters, year: int, counts: Mapping[tuple[int, int], int], most: int) -> Year:
    months = []
    for month in range(1, 13):
        first, last = date(year, month, 1), date(year, month, monthrange(year, month)[1])
        count = counts.get((year, month), 0)
        inside = filters.has_period and _in_period(first, filters) and _in_period(last, filters)
        height = max(8, round(BAR * count / most)) if count else 1
        months.append(Month(first, last, count, height, inside, _of(filters, first, last)))
    start, end = date(year, 1, 1), date(year, 12, 31)
    return Year(year, sum(one.count for one in months), months, _of(filters, start, end))


def _of(filters: Filters, first: date, last: date) -> str:
    if (filters.first, filters.last) == (first, last):
        return replace(filters, first=None, last=None).address()
    return replace(filters, first=first, last=last).address()


def _years_words(first: int, last: int) -> str:
    if first == last:
        return _("sur %(year)s") % {"year": first}
    if last == first + 1:
        return _("sur %(first)s et %(last)s") % {"first": first, "last": last}
    return _("de %(first)s à %(last)s") % {"first": first, "last": last}


def period_words(first: date | None, last: date | None) -> str:
    """« en octobre 2024 », « en 2024 », « sur 2024 et 2025 », « du 3 oct. au 4 nov. 2024 »."""
    if first is None and last is None:
        return ""
    if first is None and last is not None:
        return _("jusqu’au %(day)s") % {"day": french.date_text(last)}
    if last is None and first is not None:
        return _("depuis le %(day)s") % {"day": french.date_text(first)}
    if first is None or last is None:
        return ""
    whole_months = first.day == 1 and last.day == monthrange(last.year, last.month)[1]
    if whole_months and (first.year, first.month) == (last.year, last.month):
        return _("en %(month)s") % {"month": f"{french.month_name(first)}{french.NBSP}{first.year}"}
    if whole_months and (first.month, last.month) == (1, 12):
        if first.year == last.year:
            return _("en %(year)s") % {"year": first.year}
        return _years_words(first.year, last.year)
    return _("du %(first)s au %(last)s") % {
        "first": french.date_text(first),
        "last": french.date_text(last),
    }


def missing(access: Access) -> QuerySet[Transaction]:
    """What is to be validated in the whole dossier, as far as the navigation counts it."""
    return access.all(Transaction).exclude(missing="").order_by()[:10_000]


def justified_beside(access: Access, filters: Filters) -> int:
    """Transactions of the period that want nothing, hidden by À valider; counted up to a cap."""
    rows = _within(access.all(Transaction).filter(missing=""), filters)
    return rows.order_by().values("pk")[:10_000].count()


def documents_to_file(access: Access) -> int:
    """Documents that no transaction holds yet, for the tab; counted up to a cap."""
    waiting = unassociated(visible_documents(access))
    return waiting.order_by().values("pk")[:1_000].count()


def visible_documents(access: Access) -> QuerySet[Document]:
    """The documents that the person may see: all, his own, or none (D-22)."""
    rows = access.all(Document)
    if access.collect >= CollectRole.ALL:
        return rows
    if access.collect == CollectRole.OWN:
        return rows.filter(made_by=access.user)
    return rows.none()


def sees(access: Access, document: Document) -> bool:
    """Whether a document is one of `visible_documents`, without a query (D-22)."""
    if access.collect == CollectRole.OWN:
        return document.made_by_id == access.user.pk
    return access.collect >= CollectRole.ALL


def paper_name(access: Access, document: Document) -> str:
    """Its supplier or its file; « un document » to whoever may not see it (D-22)."""
    if not sees(access, document):
        return _("un document")
    return document.supplier or document.filename


def unassociated(rows: QuerySet[Document]) -> QuerySet[Document]:
    """Those of which something is left, or whose amount nobody knows and no transaction holds."""
    held = Link.objects.filter(confirmed=True, document__isnull=False).values("document_id")
    return rows.filter(Q(left_cents__gt=0) | Q(left_cents=None) & ~Q(pk__in=held))


def missing_cents(access: Access, filters: Filters) -> int:
    """Absolute amount of what is missing in the period."""
    rows = _within(access.all(Transaction).exclude(missing=""), filters)
    return rows.aggregate(cents=Sum(Abs("amount_cents")))["cents"] or 0
