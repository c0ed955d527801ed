"""Avant l'envoi: read what will leave, approve it, hold it, change its words, or say never (A2)."""

from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages as notes
from django.core.paginator import Page
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from relance.accounts import clock
from relance.accounts.access import Access
from relance.accounts.models import DunningRole
from relance.dunning import services
from relance.dunning.models import Outlook
from relance.dunning.services import departures as deeds
from relance.dunning.wording import messages as writing
from relance.dunning.wording import sheet
from relance.ledger.models import Customer
from relance.ledger.services import LedgerError
from relance.outbox import services as outbox
from relance.outbox.models import WAITING, Message, Status
from relance.web import french
from relance.web.queries import departures as reading
from relance.web.queries import panel as sheets
from relance.web.queries.penalties import no_rate_words
from relance.web.queries.sending import stop_words
from relance.web.requests import enter, moment, today_of
from relance.web.sentences import departure_when
from relance.web.smtp_words import printed_words
from relance.web.views.actions import WordsForm, addresses
from relance.web.views.answers import is_piece
from relance.web.views.customers_forms import day_or_none

VIEWS = ("depart", "approuver", "retenus", "freins")


class TheseWordsForm(WordsForm):
    """The words of a message that leaves by itself: its copies are not one's own to choose."""

    copy = None  # type: ignore[assignment]


class UntilForm(forms.Form):
    """Until when a customer is left alone, that day included."""

    until = forms.DateField(label=gettext_lazy("Jusqu’au"))


class Place:
    """Where one stands on the page: view, day, search and page of it, as the address has them."""

    def __init__(self, request: HttpRequest, access: Access) -> None:
        asked = request.POST if request.method == "POST" else request.GET
        self.start = reading.start_of(access, moment(request))
        day = day_or_none(asked.get("jour", "")) or self.start
        self.day = min(max(day, self.start), self.start + timedelta(days=reading.DAYS))
        view = asked.get("vue", "depart")
        self.view = view if view in VIEWS else "depart"
        self.text = asked.get("q", "")[:80]
        self.page = asked.get("page", "1")
        self.code = asked.get("raison", "")[:30]
        self.rank = int(asked["rang"][:6]) if asked.get("rang", "").isdecimal() else 0

    def query(self, **changes: object) -> str:
        """The address of this place, with changes; what is usual is left out."""
        values: dict[str, object] = {
            "vue": "" if self.view == "depart" else self.view,
            "jour": "" if self.day == self.start else self.day.isoformat(),
            "q": self.text,
            "page": "" if self.page == "1" else self.page,
            "raison": self.code,
        } | changes
        return "?" + urlencode({key: value for key, value in values.items() if value})


@require_GET
def before_list(request: HttpRequest, slug: str) -> HttpResponse:
    """What leaves at the next run, or on a day to come; what waits for consent; what does not."""
    access = enter(request, slug)
    place, now, today = Place(request, access), moment(request), today_of(request, access)
    organisation = access.organisation
    counts = {
        "approuver": reading.written(access, [Status.TO_APPROVE]).count(),
        "retenus": reading.written(access, [Status.DRAFT]).count(),
    }
    strip = reading.days(access, place.start, place.day)
    waiting = reading.queued_for(access, place.day, place.start).count()
    foreseen = reading.foreseen(access, place.day, place.start).count()
    context: dict[str, Any] = {
        "access": access,
        "today": today,
        "place": place,
        "strip": [(day, place.query(vue="", jour=day.on.isoformat(), page="")) for day in strip],
        "tabs": _tabs(place, counts, waiting + foreseen),
        "when": departure_when(organisation, clock.local_moment(organisation, place.day), today),
        "leaving": waiting + foreseen,
        "to_approve": counts["approuver"],
        "stop_words": stop_words(access.organisation, today),
        "here": place.query(),
        "can_write": access.can_write,
    }
    context |= _VIEWS[place.view](request, access, place)
    rows: list[reading.Row] = context.get("rows", [])
    if rows:
        chosen = rows[min(place.rank, len(rows) - 1)]
        context |= {"chosen": chosen.key} | _panel(access, place, chosen, today)
    context["now"] = now
    return render(request, "before/list.html", context)


def _tabs(place: Place, counts: dict[str, int], leaving: int) -> list[dict[str, Any]]:
    labels = {
        "depart": (_("Au départ"), leaving),
        "approuver": (_("À approuver"), counts["approuver"]),
        "retenus": (_("Retenus"), counts["retenus"]),
        "freins": (_("Ce qui ne part pas"), None),
    }
    return [
        {
            "url": place.query(vue="" if key == "depart" else key, page="", raison=""),
            "label": label,
            "count": count,
            "current": key == place.view,
        }
        for key, (label, count) in labels.items()
    ]


def _departing(request: HttpRequest, access: Access, place: Place) -> dict[str, Any]:
    """What is written already, then what the engine foresees."""
    written: list[reading.Row] = []
    page = reading.page_of(reading.foreseen(access, place.day, place.start, place.text), place.page)
    queued = reading.queued_for(access, place.day, place.start, place.text)
    if page.number == 1:
        written = reading.message_rows(access, list(queued[: reading.PAGE]), moment(request))
    rows = reading.foreseen_rows(access, page.object_list, place.day, place.start)
    return {"page": page, "rows": [*written, *rows], "more_written": queued.count() - len(written)}


def _waiting(status: str) -> Any:
    def rows(request: HttpRequest, access: Access, place: Place) -> dict[str, Any]:
        page: Page[Any] = reading.page_of(reading.written(access, [status], place.text), place.page)
        return {
            "page": page,
            "rows": reading.message_rows(access, list(page.object_list), moment(request)),
        }

    return rows


def _brakes(request: HttpRequest, access: Access, place: Place) -> dict[str, Any]:
    today = today_of(request, access)
    brakes = [
        {
            "brake": one,
            "url": place.query(raison=one.code, page=""),
            "remedy": _address(access, one),
        }
        for one in reading.brakes(access)
    ]
    context: dict[str, Any] = {"brakes": brakes}
    if place.code:
        if place.code not in reading.HELD_BACK:
            raise Http404
        page, braked = reading.braked(access, place.code, today, place.page)
        context |= {"page": page, "braked": braked, "label": reading.brake_labels()[place.code]}
    return context


def _address(access: Access, brake: reading.Brake) -> str:
    if not brake.remedy_page:
        return ""
    try:
        address = reverse(brake.remedy_page, args=[access.organisation.slug])
    except NoReverseMatch:
        return ""
    queries = {
        "NO_PLAN": "?etat=sansplan",
        "PENDING_MANUAL": "?vue=toutes&statut=open",
        "NO_RECIPIENT": "?vue=toutes&statut=open",
    }
    return address + queries.get(brake.code, "")


_VIEWS: dict[str, Any] = {
    "depart": _departing,
    "approuver": _waiting(Status.TO_APPROVE),
    "retenus": _waiting(Status.DRAFT),
    "freins": _brakes,
}


# --- one line, in full --------------------------------------------------------------


def _panel(
    access: Access, place: Place, row: reading.Row, today: date, **extra: Any
) -> dict[str, Any]:
    """The very text, what would stop it, who took it in hand and what can be done."""
    message = row.message
    context: dict[str, Any] = {"row": row, "message": message, "customer": row.customer}
    if message is not None:
        attachments = message.lines.exclude(invoice__document="")
        context |= {
            "letters": [],
            "body": sheet.fragment(message.html),
            "attachments": list(attachments.values_list("invoice__number", flat=True)),
            "bare": reading.bare_invoices(message) if message.reason == "MISSING_PDF" else [],
            "why_held": no_rate_words(message, today),
            "may_release": message.status in (Status.DRAFT, Status.TO_APPROVE),
            "may_hold": message.status in (Status.TO_APPROVE, *WAITING),
            "waits": message.status in outbox.NOT_GONE,
        }
    else:
        book = writing.open_book(access.organisation, row.wanted)
        context |= {
            "letters": [
                {
                    "action": one.action,
                    "sheet": sheets.sheet(access, book, one, place.day),
                    "steps": len(one.case.plan.steps) if one.case.plan else 0,
                }
                for one in row.wanted
            ],
            "may_release": False,
            "may_hold": True,
            "waits": True,
        }
    return context | extra


def _show(request: HttpRequest, access: Access, row: reading.Row, **extra: Any) -> HttpResponse:
    place, today = Place(request, access), today_of(request, access)
    context = {
        "access": access,
        "today": today,
        "place": place,
        "here": place.query(rang=place.rank or ""),
        "can_write": access.can_write,
        "open": True,
        **_panel(access, place, row, today, **extra),
    }
    piece = is_piece(request)
    status = 422 if extra.get("refused") else 200
    template = "before/_panel.html" if piece else "before/detail.html"
    return render(request, template, context, status=status)


def _foreseen_row(request: HttpRequest, access: Access, pk: int) -> reading.Row:
    place = Place(request, access)
    outlooks = access.all(Outlook).filter(customer_id=pk)
    rows = reading.foreseen_rows(access, outlooks, place.day, place.start)
    if not rows:
        raise Http404
    return rows[0]


def _message_row(request: HttpRequest, access: Access, message: Message) -> reading.Row:
    return reading.message_rows(access, [message], moment(request))[0]


@require_GET
def before_customer(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Every message that a customer will get on the chosen day, in full."""
    access = enter(request, slug)
    access.get(Customer, pk=pk)
    return _show(request, access, _foreseen_row(request, access, pk))


def _relance(access: Access, pk: int) -> Message:
    found = reading.relances(access).filter(pk=pk).first()
    if found is None:
        raise Http404
    return found


@require_GET
def before_message(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """A message that waits, in full."""
    access = enter(request, slug)
    message = _relance(access, pk)
    if message.status not in reading.WAITING_STATES:
        return redirect("message_detail", slug, pk)
    return _show(request, access, _message_row(request, access, message))


@require_http_methods(["GET", "POST"])
def before_edit(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """The words of a message as fields; saved, they are what leaves."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    message = _relance(access, pk)
    row = _message_row(request, access, message)
    if request.method == "GET":
        words = deeds.words_of(message)
        initial = {"to": ", ".join(message.recipients)} | words._asdict()
        return _show(request, access, row, form=TheseWordsForm(initial=initial))
    form = TheseWordsForm(request.POST)
    if not form.is_valid():
        return _show(request, access, row, form=form, refused=True)
    data = form.cleaned_data
    try:
        deeds.require_waiting(message)
        deeds.reword_message(
            message,
            words=writing.Words(data["subject"], data["body"]),
            recipients=addresses(data["to"]),
            deed=_deed(request, access),
        )
    except services.Refused as no:
        form.add_error("to" if no.code == "BAD_ADDRESS" else None, str(no))
        return _show(request, access, row, form=form, refused=True)
    except outbox.StateConflictError:
        notes.error(request, _too_late(access, message))
    else:
        notes.success(
            request,
            _("Texte enregistré : c’est lui qui partira à %(name)s.") % {"name": message.customer},
        )
    return _back(request, access)


@require_POST
def before_write(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Write now what is foreseen for a customer, to change its words."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    access.get(Customer, pk=pk)
    place = Place(request, access)
    written = deeds.write_ahead(
        access.organisation, [pk], leaves_on=place.day, deed=_deed(request, access)
    )
    if not written:
        notes.error(request, _("Rien ne partira plus tout seul vers ce client ce jour-là."))
        return _back(request, access)
    asked = request.POST.get("niveau", "")
    first = next((one for one in written if str(one.level) == asked), written[0])
    return redirect(reverse("before_edit", args=[slug, first.pk]) + place.query())


# --- deeds --------------------------------------------------------------------------


def _deed(request: HttpRequest, access: Access) -> deeds.Deed:
    return deeds.Deed(access.user, today_of(request, access), moment(request))


def _back(request: HttpRequest, access: Access) -> HttpResponse:
    place = Place(request, access)
    return redirect(
        reverse("before_list", args=[access.organisation.slug]) + place.query(rang=place.rank or "")
    )


def _too_late(access: Access, message: Message) -> str:
    """`Camille Le Goff l'a déjà approuvé`: the second person learns who was faster."""
    message.refresh_from_db()
    if message.print_run and message.status == Status.QUEUED:
        return f"{message.customer} : {printed_words(message.print_run)}"
    who = reading.held_by(access, message)
    state = message.get_status_display().lower()
    if who:
        return _("%(name)s : %(who)s.") % {"name": message.customer, "who": who}
    return _("%(name)s : ce message est déjà à l’état « %(state)s ».") % {
        "name": message.customer,
        "state": state,
    }


def _keys(values: list[str]) -> list[int]:
    return [int(one) for one in values if one.isdecimal() and len(one) < 18]


@require_POST
def before_do(request: HttpRequest, slug: str) -> HttpResponse:
    """Approve, hold, never send, or leave alone until a day: one, several or all."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    verb, place = request.POST.get("faire", ""), Place(request, access)
    deed = _deed(request, access)
    if verb == "approuver" and request.POST.get("tous") == "1":
        count = deeds.approve_all(access.organisation, deed)
        notes.success(request, _said("approuver", count))
        return _back(request, access)
    keys = _keys(request.POST.getlist("message"))
    chosen = list(reading.relances(access).filter(pk__in=keys))
    customers = _keys(request.POST.getlist("client"))[: reading.PAGE]
    if not chosen and not customers:
        notes.error(request, _("Cochez au moins un message."))
    elif verb == "attendre":
        _leave_alone(request, access, chosen, customers, deed)
    elif verb == "approuver":
        released = {
            one.pk
            for one in deeds.release_messages(access.organisation, [one.pk for one in chosen], deed)
        }
        _report(request, access, verb, len(released), [m for m in chosen if m.pk not in released])
    elif verb in ("retenir", "ignorer"):
        own = access.all(Customer).filter(pk__in=customers).values_list("pk", flat=True)
        chosen += deeds.write_ahead(access.organisation, list(own), leaves_on=place.day, deed=deed)
        _each(request, access, verb, chosen, deed)
    else:
        notes.error(request, _("Choisissez ce qu’il faut faire."))
    return _back(request, access)


def _each(
    request: HttpRequest, access: Access, verb: str, chosen: list[Message], deed: deeds.Deed
) -> None:
    one_by_one = deeds.hold_message if verb == "retenir" else deeds.skip_message
    missed, count = [], 0
    for message in chosen:
        try:
            one_by_one(message, deed)
        except outbox.StateConflictError:
            missed.append(message)
        else:
            count += 1
    _report(request, access, verb, count, missed)


def _report(
    request: HttpRequest, access: Access, verb: str, count: int, missed: list[Message]
) -> None:
    if count:
        notes.success(request, _said(verb, count))
    for message in missed[:5]:
        notes.warning(request, _too_late(access, message))


def _said(verb: str, count: int) -> str:
    number = {"n": french.number(count)}
    if verb == "approuver":
        words = ngettext(
            "%(n)s message approuvé : il part dès que son heure est venue.",
            "%(n)s messages approuvés : ils partent dès que leur heure est venue.",
            count,
        )
    elif verb == "retenir":
        words = ngettext(
            "%(n)s message retenu : il attend ici que quelqu’un l’approuve.",
            "%(n)s messages retenus : ils attendent ici que quelqu’un les approuve.",
            count,
        )
    else:
        words = ngettext(
            "%(n)s message ne partira pas : son niveau compte comme passé, sans contact.",
            "%(n)s messages ne partiront pas : leur niveau compte comme passé, sans contact.",
            count,
        )
    return words % number


def _leave_alone(
    request: HttpRequest,
    access: Access,
    chosen: list[Message],
    customers: list[int],
    deed: deeds.Deed,
) -> None:
    form = UntilForm(request.POST)
    if not form.is_valid():
        notes.error(request, _("Dites jusqu’à quel jour ne rien envoyer."))
        return
    ids = {*customers, *(one.debtor_id for one in chosen)}
    people = list(access.all(Customer).filter(pk__in=ids).select_related("organisation"))
    until = form.cleaned_data["until"]
    try:
        for customer in people:
            deeds.hold_customer(customer, until=until, deed=deed)
    except LedgerError as refused:
        notes.error(request, str(refused))
        return
    words = ngettext(
        "%(n)s client mis en attente jusqu’au %(day)s inclus.",
        "%(n)s clients mis en attente jusqu’au %(day)s inclus.",
        len(people),
    )
    day = french.date_text(until)
    notes.success(request, words % {"n": french.number(len(people)), "day": day})


urlpatterns = [
    path("avant-envoi/", before_list, name="before_list"),
    path("avant-envoi/faire/", before_do, name="before_do"),
    path("avant-envoi/client/<int:pk>/", before_customer, name="before_customer"),
    path("avant-envoi/client/<int:pk>/ecrire/", before_write, name="before_write"),
    path("avant-envoi/message/<int:pk>/", before_message, name="before_message"),
    path("avant-envoi/message/<int:pk>/modifier/", before_edit, name="before_edit"),
]
