"""What the espace expert reads: every dossier of a firm with what is missing, in few queries."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median
from typing import Any, NamedTuple

from django.core.paginator import Page
from django.db.models import (
    BigIntegerField,
    Case,
    Count,
    DateField,
    DateTimeField,
    F,
    FloatField,
    IntegerField,
    Max,
    Min,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Abs, Cast, Coalesce, Lower
from django.http import QueryDict

from relance.accounts import clock
from relance.accounts.access import FirmAccess
from relance.accounts.models import BankRole, CollectRole, Membership, Organisation
from relance.bank.models import Transaction
from relance.receipts.automatic import Calendar, calendar_from, upcoming
from relance.receipts.models import Answer, Asked, FileSchedule, FirmSchedule, Request
from relance.web.queries.paging import page_of

YEAR = timedelta(days=365)
QUARTER = timedelta(days=90)
MOST_DELAYS = 5000
SORTS = {
    "manquants": "missing",
    "montant": "cents",
    "ancien": "oldest",
    "demande": "asked_at",
    "taux": "rate",
    "dossier": "folded",
}
STATES = ("", "manque", "erreur", "jamais", "silence", "jour")


@dataclass(frozen=True)
class Filters:
    """Of the list: words of the name, a state, the order (`-` down)."""

    text: str = ""
    state: str = ""
    sort: str = "-manquants"

    @classmethod
    def read(cls, data: QueryDict) -> "Filters":
        """From the address; what is unknown is left out."""
        state, sort = data.get("etat", ""), data.get("sort", "-manquants")
        return cls(
            data.get("q", "").strip()[:100],
            state if state in STATES else "",
            sort if sort.removeprefix("-") in SORTS else "-manquants",
        )


def _each(rows: QuerySet[Any], value: Any, field: Any) -> Any:
    """An aggregate of the rows of each dossier."""
    grouped = rows.filter(organisation=OuterRef("pk")).order_by().values("organisation")
    return Subquery(grouped.annotate(found=value).values("found"), output_field=field)


def dossiers(access: FirmAccess, now: datetime) -> QuerySet[Any]:
    """Each dossier with `missing`, `cents` (absolute), `oldest`, `asked_at`, `rate` and `able`.

    `rate`: of what was asked over a year, what wants nothing any more, in percentage points;
    None when nothing was. `able`: its users who may receive a request (S0-37).
    """
    open_ = Transaction.objects.exclude(missing="")
    asked = Asked.objects.filter(request__made_at__gte=now - YEAR)
    able = Membership.objects.filter(
        user__is_active=True,
        bank_role__gte=BankRole.R2,
        collect_role__gte=CollectRole.ALL,
        wants_receipt_mails=True,
    )
    sent = Request.objects.filter(refusal="")
    waiting = Answer.objects.filter(handled_at__isnull=True)
    return access.organisations.annotate(
        folded=Lower("name"),
        missing=Coalesce(_each(open_, Count("pk"), IntegerField()), 0),
        cents=Coalesce(_each(open_, Sum(Abs("amount_cents")), BigIntegerField()), 0),
        oldest=_each(open_, Min("booked"), DateField()),
        asked_at=_each(sent, Max("made_at"), DateTimeField()),
        asked=Coalesce(_each(asked, Count("transaction", distinct=True), IntegerField()), 0),
        settled=Coalesce(
            _each(
                asked,
                Count("transaction", distinct=True, filter=Q(transaction__missing="")),
                IntegerField(),
            ),
            0,
        ),
        able=Coalesce(_each(able, Count("pk"), IntegerField()), 0),
        replies=Coalesce(_each(waiting, Count("pk"), IntegerField()), 0),
    ).annotate(
        rate=Case(
            When(asked=0, then=Value(None)),
            default=Cast(F("settled"), FloatField()) * 100.0 / F("asked"),
            output_field=FloatField(),
        )
    )


def chosen(access: FirmAccess, filters: Filters, now: datetime) -> QuerySet[Any]:
    """The dossiers that the filters keep, in their order."""
    rows = dossiers(access, now)
    for word in filters.text.split():
        rows = rows.filter(name__icontains=word)
    states = {
        "manque": Q(missing__gt=0),
        "erreur": Q(missing__gt=0, able=0),
        "jamais": Q(missing__gt=0, asked_at__isnull=True),
        "silence": Q(missing__gt=0, asked__gt=0, settled=0),
        "jour": Q(missing=0),
    }
    if filters.state:
        rows = rows.filter(states[filters.state])
    field = F(SORTS[filters.sort.removeprefix("-")])
    down = filters.sort.startswith("-")
    return rows.order_by(
        field.desc(nulls_last=True) if down else field.asc(nulls_last=True), "folded", "pk"
    )


class Row(NamedTuple):
    """A line of the list; `next_on` is the local date of its next automatic request, `sums` what is
    missing in absolute cents by currency."""

    dossier: Any
    next_on: date | None
    share: int
    sums: dict[str, int]


def list_page(access: FirmAccess, filters: Filters, number: str | None, now: datetime) -> Page[Any]:
    """A page of dossiers, in a handful of queries however many there are."""
    page = page_of(chosen(access, filters, now), number)
    found = list(page.object_list)
    own = FileSchedule.objects.filter(organisation__in=[one.pk for one in found])
    mine = {row.organisation_id: row for row in own}
    firm = FirmSchedule.objects.filter(firm=access.firm).first()
    missing = missing_of(found, None, None)
    most = max((one.missing for one in found), default=0) or 1
    page.object_list = [
        Row(
            one,
            _next(firm, mine.get(one.pk), one, now),
            round(100 * one.missing / most),
            missing.get(one.pk, (0, {}))[1],
        )
        for one in found
    ]
    return page


def _next(
    firm: FirmSchedule | None, own: FileSchedule | None, dossier: Organisation, now: datetime
) -> date | None:
    calendar = calendar_from(firm, own)
    if calendar is None:
        return None
    days = upcoming(calendar, clock.local_date(dossier, now), dossier.zone)
    return days[0] if days else None


class Figures(NamedTuple):
    """Over all the dossiers: absolute cents by currency, percentage points, days; None when
    nothing tells. `old_percent` is of the euros, or else of the first currency."""

    missing: int
    sums: dict[str, int]
    old_percent: int
    lacking: int
    dossiers: int
    errors: int
    rate: float | None
    delay: float | None
    replies: int

    @property
    def only_euros(self) -> bool:
        """Whether what is ticked may be added up as one sum."""
        return set(self.sums) <= {"EUR"}


def figures(access: FirmAccess, now: datetime, today: date) -> Figures:
    """The strip over the list."""
    rows = access.all(Transaction).exclude(missing="")
    half_year = today - timedelta(days=182)
    sums = {
        currency: (count, cents, old or 0)
        for currency, count, cents, old in rows.order_by()
        .values_list("currency")
        .annotate(
            n=Count("pk"),
            cents=Sum(Abs("amount_cents")),
            old=Sum(Abs("amount_cents"), filter=Q(booked__lt=half_year)),
        )
    }
    counts = dossiers(access, now).aggregate(
        all=Count("pk"),
        lacking=Count("pk", filter=Q(missing__gt=0)),
        errors=Count("pk", filter=Q(missing__gt=0, able=0)),
        total_asked=Sum("asked"),
        total_settled=Sum("settled"),
        replies_waiting=Sum("replies"),
    )
    first = "EUR" if "EUR" in sums else min(sums, default="")
    _count, cents, old = sums.get(first, (0, 0, 0))
    asked = counts["total_asked"] or 0
    return Figures(
        sum(count for count, _cents, _old in sums.values()),
        {currency: of[1] for currency, of in sums.items()},
        round(100 * old / cents) if cents else 0,
        counts["lacking"],
        counts["all"],
        counts["errors"],
        100 * (counts["total_settled"] or 0) / asked if asked else None,
        _delay(access, now),
        counts["replies_waiting"] or 0,
    )


def _delay(access: FirmAccess, now: datetime) -> float | None:
    """The median of days from a request to an answer, over ninety days."""
    rows = access.all(Answer).filter(at__gte=now - QUARTER, door__isnull=False)
    pairs = rows.order_by("-at").values_list("at", "door__request__made_at")[:MOST_DELAYS]
    days = [(at - made).total_seconds() / 86400 for at, made in pairs]
    return median(days) if days else None


class Departure(NamedTuple):
    """A date to come: how many dossiers, people and receipts if it were today."""

    on: date
    dossiers: int
    people: int
    receipts: int


def departures(
    access: FirmAccess, schedule: FirmSchedule | None, now: datetime, count: int = 3
) -> list[Departure]:
    """The next dates of the firm's own calendar and of the exceptions, soonest first."""
    rows = list(dossiers(access, now).filter(missing__gt=0))
    own = {
        row.organisation_id: row
        for row in FileSchedule.objects.filter(organisation__firm=access.firm)
    }
    by_day: dict[date, list[Any]] = {}
    for one in rows:
        calendar: Calendar | None = calendar_from(schedule, own.get(one.pk))
        if calendar is None or not one.able:
            continue
        for day in upcoming(calendar, clock.local_date(one, now), one.zone, count):
            by_day.setdefault(day, []).append(one)
    return [
        Departure(day, len(those), sum(one.able for one in those), sum(o.missing for o in those))
        for day, those in sorted(by_day.items())[:count]
    ]


class Planned(NamedTuple):
    """A dossier of a request to be made: what, of whom, or why not."""

    dossier: Organisation
    number: int
    sums: dict[str, int]
    people: Sequence[str]
    refusal: str


def missing_of(
    organisations: Sequence[Organisation], first: date | None, last: date | None
) -> dict[int, tuple[int, dict[str, int]]]:
    """Count and absolute cents by currency *À valider* over a period, by dossier."""
    rows = Transaction.objects.filter(organisation__in=organisations).exclude(missing="")
    if first:
        rows = rows.filter(booked__gte=first)
    if last:
        rows = rows.filter(booked__lte=last)
    grouped = rows.order_by().values_list("organisation_id", "currency")
    found: dict[int, tuple[int, dict[str, int]]] = {}
    counted = grouped.annotate(n=Count("pk"), cents=Sum(Abs("amount_cents")))
    for pk, currency, number, cents in counted:
        count, sums = found.get(pk, (0, {}))
        found[pk] = (count + number, sums | {currency: cents})
    return found
