"""Avant l'envoi: what leaves on a day to come, what waits for consent, what is held back and why.

Counts come from the stored outlooks and messages; only the page shown is worked out in full.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from django.core.paginator import Page, Paginator
from django.db.models import Count, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from relance.accounts import clock
from relance.accounts.access import Access
from relance.dunning import queries as dunning
from relance.dunning.daily.hooks import recheck
from relance.dunning.models import Outlook
from relance.dunning.wording import messages
from relance.engine import wording
from relance.engine.calendar import is_working_day
from relance.engine.model import CUSTOMER_CODES, Reason
from relance.formats.text import fold
from relance.history.models import Event
from relance.ledger.models import Customer, Invoice
from relance.outbox.delivery import Cancel, Rewrite
from relance.outbox.models import Message, MessageInvoice, Status
from relance.web import french
from relance.web.queries import sending
from relance.web.queries.why_words import set_aside_words
from relance.web.sentences import step_words
from relance.web.smtp_words import cancelled_words
from relance.web.templatetags.relance import level_name

PAGE = 50
DAYS = 30
HELD_BACK = (
    *CUSTOMER_CODES,
    "MIN_CONTACT_DELAY",
    "NOT_A_WORKING_DAY",
    "PENDING_MANUAL",
    "NO_RECIPIENT",
    "NO_TEMPLATE",
    "END_OF_PLAN",
)
"""Codes of an outlook that keep something from leaving: all but a step not yet triggered."""


class Day(NamedTuple):
    """One day of the strip: how many customers get their next message on it."""

    on: date
    clients: int
    rest: bool
    current: bool

    @property
    def weekday(self) -> str:
        """`lun.`"""
        return french.weekday_short(self.on)


class Grip(NamedTuple):
    """Who last took a message in hand, and how: `Retenu par Camille Le Goff à 08:12`."""

    kind: str
    name: str
    at: datetime

    @property
    def words(self) -> str:
        at = timezone.localtime(self.at)
        return _("%(deed)s par %(name)s, %(day)s à %(hour)s") % {
            "deed": _DEEDS()[self.kind],
            "name": self.name or _("le programme"),
            "day": french.date_text(at.date()),
            "hour": at.strftime("%H:%M"),
        }


def _DEEDS() -> dict[str, str]:  # noqa: N802 - words of the active language
    return {
        "message_held": _("Retenu"),
        "message_released": _("Approuvé"),
        "message_edited": _("Modifié"),
        "message_written": _("Écrit d’avance"),
        "message_cancelled": _("Annulé"),
    }


@dataclass
class Row:
    """One line: a message already written, or what is foreseen for a customer."""

    key: str
    customer: Customer
    words: str
    to: list[str]
    cents: int
    currency: str
    message: Message | None = None
    wanted: list[messages.Wanted] = field(default_factory=list)
    stop: str = ""
    rewritten: bool = False
    grip: Grip | None = None

    @property
    def letters(self) -> int:
        """How many messages the line stands for."""
        return max(1, len(self.wanted))


def start_of(access: Access, now: datetime) -> date:
    """The local date of the next departure."""
    return dunning.departure_day(access.organisation, now)


def days(access: Access, start: date, chosen: date) -> list[Day]:
    """The strip: the next departure and the days after it, with their counts."""
    last = start + timedelta(days=DAYS)
    found: dict[date, int] = {}
    if sending.stop(access.organisation, start) is None:
        rows = (
            not_written(access, access.all(Outlook), start)
            .filter(next_automatic=True, next_on__isnull=False, next_on__lte=last)
            .values_list("next_on")
            .annotate(n=Count("pk"))
            .order_by()
        )
        for day, count in rows:
            key = max(day, start)
            found[key] = found.get(key, 0) + count
    zone = access.organisation.zone
    return [
        Day(day, found.get(day, 0), not is_working_day(zone, day), day == chosen)
        for day in (start + timedelta(days=n) for n in range(DAYS + 1))
    ]


def foreseen(access: Access, on: date, start: date, text: str = "") -> QuerySet[Outlook]:
    """The customers whose next message leaves on `on`, as their outlooks have it."""
    rows = access.all(Outlook).filter(next_automatic=True)
    rows = rows.filter(next_on__lte=on) if on == start else rows.filter(next_on=on)
    if sending.stop(access.organisation, start):
        return rows.none()
    for word in fold(text).split():
        rows = rows.filter(customer__search__contains=word)
    return not_written(access, rows, start).order_by("customer_id")


def not_written(access: Access, rows: QuerySet[Outlook], start: date) -> QuerySet[Outlook]:
    """Without the customers whose message of the next departure, or later, is written already."""
    ahead = relances(access).filter(status__in=WAITING_STATES, on__gte=start)
    return rows.exclude(customer__in=ahead.values("customer_id"))


WAITING_STATES = [Status.QUEUED, Status.RETRYING, Status.DRAFT, Status.TO_APPROVE]


def relances(access: Access) -> QuerySet[Message]:
    """The messages that the plan wrote; a request for receipts chases no customer."""
    return access.all(Message).filter(automatic=True, purpose=Message.Purpose.STEP)


def written(access: Access, statuses: Collection[str], text: str = "") -> QuerySet[Message]:
    """Automatic relances in these states, the first to leave first."""
    rows = relances(access).filter(status__in=statuses)
    for word in fold(text).split():
        rows = rows.filter(customer__search__contains=word)
    return rows.select_related("customer", "organisation").order_by("not_before", "id")


def queued_for(access: Access, on: date, start: date, text: str = "") -> QuerySet[Message]:
    """Messages written that leave by the day `on`: all that wait, for the next departure."""
    rows = written(access, [Status.QUEUED, Status.RETRYING], text)
    return rows.filter(on__lte=on) if on == start else rows.filter(on=on)


def page_of(rows: QuerySet[Any], number: str) -> Page[Any]:
    """Fifty of them."""
    return Paginator(rows, PAGE).get_page(number)


def foreseen_rows(access: Access, outlooks: Iterable[Outlook], on: date, start: date) -> list[Row]:
    """The lines of these customers, worked out by the engine; the largest amount first."""
    ids = [one.customer_id for one in outlooks]
    wanted = dunning.leaving_on(access.organisation, ids, on=on, start=start)
    book = messages.open_book(access.organisation, wanted)
    by_customer: dict[int, list[messages.Wanted]] = {}
    for one in wanted:
        by_customer.setdefault(int(one.action.customer), []).append(one)
    rows = []
    for key, mine in by_customer.items():
        first = mine[0].action
        words = step_words(first)
        if len(mine) > 1:
            words = french.counted(len(mine), _("message"), _("messages"))
        to = {
            one.email: one
            for w in mine
            for one in messages.recipients(book, key, [int(i) for i in w.action.invoices])
        }
        rows.append(
            Row(
                key=f"c{key}",
                customer=book.customers[key],
                words=words,
                to=list(to),
                cents=sum(w.action.amount for w in mine if w.action.currency == first.currency),
                currency=first.currency,
                wanted=mine,
            )
        )
    return sorted(rows, key=lambda row: -row.cents)


def message_rows(access: Access, found: Sequence[Message], now: datetime) -> list[Row]:
    """The lines of these messages, with what would stop them and who took them in hand."""
    verdicts = verdicts_of(found, now)
    grips = grips_of(access, found)
    counts = dict(
        MessageInvoice.objects.filter(message__in=[one.pk for one in found])
        .values_list("message_id")
        .annotate(n=Count("pk"))
        .order_by()
    )
    rows = []
    for one in found:
        words = level_name(one.level, one.level_name) if one.level else one.get_purpose_display()
        if counts.get(one.pk, 0) > 1:
            words += ", " + french.counted(counts[one.pk], _("facture"), _("factures"))
        verdict = verdicts.get(one.pk)
        rows.append(
            Row(
                key=f"m{one.pk}",
                customer=one.debtor,
                words=words,
                to=list(one.recipients),
                cents=one.amount_cents,
                currency=one.currency,
                message=one,
                stop=cancelled_words(verdict.reason) if isinstance(verdict, Cancel) else "",
                rewritten=isinstance(verdict, Rewrite),
                grip=grips.get(one.pk),
            )
        )
    return rows


def verdicts_of(found: Sequence[Message], now: datetime) -> dict[int, Any]:
    """What the re-check would say if these left now, or on their day when that is to come."""
    moments: dict[date, tuple[datetime, list[Message]]] = {}
    for one in found:
        today = clock.local_date(one.organisation, now)
        key = max(one.on, today)
        moments.setdefault(key, (now if key == today else one.not_before, []))[1].append(one)
    verdicts: dict[int, Any] = {}
    for moment, batch in moments.values():
        verdicts |= recheck(batch, moment)
    return verdicts


def grips_of(access: Access, found: Sequence[Message]) -> dict[int, Grip]:
    """The last deed of a person about each of these messages."""
    ids = {one.pk for one in found}
    if not ids:
        return {}
    events = (
        access.all(Event)
        .filter(
            customer_id__in={one.customer_id for one in found},
            message_id__in=ids,
            kind__in=list(_DEEDS()),
        )
        .order_by("seq")
    )
    return {one.message_id or 0: Grip(one.kind, one.actor_name, one.at) for one in events}


def held_by(access: Access, message: Message) -> str:
    """`Retenu par Camille Le Goff, 24 nov. à 08:12`; empty when nobody touched it."""
    grip = grips_of(access, [message]).get(message.pk)
    return grip.words if grip else ""


class Brake(NamedTuple):
    """Why some customers get nothing at the next departure, and what to do about it."""

    code: str
    clients: int
    label: str
    advice: str
    remedy: str
    remedy_page: str


def brakes(access: Access) -> list[Brake]:
    """The reasons of all customers to whom nothing leaves by itself, the most frequent first."""
    rows = (
        access.all(Outlook)
        .filter(code__in=HELD_BACK)
        .values_list("code")
        .annotate(n=Count("pk"))
        .order_by("-n")
    )
    labels, remedies = brake_labels(), _remedies()
    return [
        Brake(
            code,
            count,
            labels.get(code, code),
            wording.advice(Reason(code), _),
            *remedies.get(code, ("", "")),
        )
        for code, count in rows
    ]


def brake_labels() -> dict[str, str]:
    """Each reason in three words, for a heading that counts customers."""
    return {
        "EXCLUDED": _("exclu des relances"),
        "NO_PLAN": _("aucun plan de relance"),
        "EMPTY_PLAN": _("plan sans niveau"),
        "PLAN_PAUSED": _("plan en pause"),
        "NO_OPEN_INVOICE": _("rien à régler"),
        "NOTHING_CHASEABLE": _("toutes les factures sont mises à part"),
        "CUSTOMER_ON_HOLD": _("mis en attente"),
        "BALANCE_NOT_POSITIVE": _("les avoirs couvrent les factures"),
        "BELOW_MINIMUM": _("solde sous le minimum du plan"),
        "MIN_CONTACT_DELAY": _("délai minimum de contact"),
        "NOT_A_WORKING_DAY": _("jour non ouvré"),
        "PENDING_MANUAL": _("une action attend d’être faite à la main"),
        "NO_RECIPIENT": _("aucun destinataire valable"),
        "NO_TEMPLATE": _("niveau sans modèle"),
        "END_OF_PLAN": _("plan terminé"),
    }


def _remedies() -> dict[str, tuple[str, str]]:
    """Where one can do something about a reason: words and the name of a page."""
    return {
        "NO_PLAN": (_("Assigner un plan"), "customer_list"),
        "EMPTY_PLAN": (_("Ouvrir les plans"), "plan_list"),
        "PLAN_PAUSED": (_("Ouvrir les plans"), "plan_list"),
        "BELOW_MINIMUM": (_("Ouvrir les plans"), "plan_list"),
        "MIN_CONTACT_DELAY": (_("Ouvrir les plans"), "plan_list"),
        "NO_TEMPLATE": (_("Ouvrir les modèles"), "template_list"),
        "PENDING_MANUAL": (_("Ouvrir les actions"), "action_list"),
        "NO_RECIPIENT": (_("Ouvrir les actions"), "action_list"),
        "NO_OPEN_INVOICE": (_("Écrire par une campagne"), "campaign_new"),
        "END_OF_PLAN": (_("Écrire par une campagne"), "campaign_new"),
    }


class Braked(NamedTuple):
    """One customer to whom nothing leaves, with the sentence of his reason."""

    customer: Customer
    sentence: str
    until: date | None


def braked(access: Access, code: str, today: date, number: str) -> tuple[Page[Any], list[Braked]]:
    """The customers of one reason, a page of them, each with his own facts."""
    rows = access.all(Outlook).filter(code=code).select_related("customer").order_by("customer_id")
    page = page_of(rows, number)
    customers = [one.customer for one in page.object_list]
    decided = dunning.decisions(access.organisation, [one.pk for one in customers], today)
    found = []
    for customer in customers:
        reasons = wording.all_reasons(decided[customer.pk][1])
        reason = next((one for one in reasons if one.code == code), None) or next(
            iter(reasons), None
        )
        sentence = wording.sentence(reason, _) if reason else ""
        if code == "NOTHING_CHASEABLE":
            sentence = set_aside_words(decided[customer.pk][1])
        found.append(Braked(customer, sentence, reason.until if reason else None))
    return page, found


def bare_invoices(message: Message) -> list[str]:
    """The numbers of its invoices that have no PDF (D-15)."""
    rows = Invoice.objects.filter(pk__in=message.lines.values("invoice_id"), document="")
    return list(rows.order_by("number").values_list("number", flat=True))
