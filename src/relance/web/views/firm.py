"""Espace expert: every dossier of the firm, one request or many, the answers (S0-01 to S0-37)."""

from datetime import date
from typing import Any

from django.contrib import messages as notes
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from relance.accounts.access import FirmAccess, firms_of
from relance.accounts.models import Organisation
from relance.bank.services.errors import BankRefused
from relance.receipts.models import Answer, FirmSchedule, Round, RoundLine
from relance.receipts.services import rounds
from relance.receipts.services.asking import prepare, readers_of_all, to_validate
from relance.web.queries import firm as reads
from relance.web.queries import receipts
from relance.web.queries.paging import page_of
from relance.web.requests import enter_firm, moment, user_of
from relance.web.views.receipts import do_replies, reply_tabs, ticked_keys

MOST_NOTE = 2000


@require_GET
def firm_home(request: HttpRequest) -> HttpResponse:
    """To the firm of the user; Http404 for those who work in none."""
    firm = firms_of(user_of(request)).first()
    if firm is None:
        raise Http404
    return redirect("firm_list", firm.pk)


@require_GET
def firm_list(request: HttpRequest, firm: int) -> HttpResponse:
    """All the dossiers, filtered and sorted by the database."""
    access = enter_firm(request, firm)
    now = moment(request)
    filters = reads.Filters.read(request.GET)
    states = [
        ("", _("Tous")),
        ("manque", _("À demander")),
        ("erreur", _("Aucun destinataire")),
        ("jamais", _("Jamais demandés")),
        ("silence", _("Sans réponse")),
        ("jour", _("À jour")),
    ]
    context = {
        "firm_access": access,
        "filters": filters,
        "states": states,
        "page": reads.list_page(access, filters, request.GET.get("page"), now),
        "figures": reads.figures(access, now, now.date()),
        "schedule": FirmSchedule.objects.filter(firm=access.firm, enabled=True).first(),
    }
    return render(request, "firm/list.html", context)


def _chosen(access: FirmAccess, data: QueryDict) -> list[Organisation]:
    keys = [int(key) for key in data.getlist("dossier") if key.isdecimal() and len(key) < 19]
    return list(access.organisations.filter(pk__in=keys).select_related("firm").order_by("name"))


def _period(data: QueryDict) -> tuple[date | None, date | None]:
    wish = receipts.Wish.read(data)
    return wish.first, wish.last


@require_GET
def firm_ask(request: HttpRequest, firm: int) -> HttpResponse:
    """What would leave: n e-mails to n people, dossier by dossier, and one of them as it reads."""
    access = enter_firm(request, firm)
    first, last = _period(request.GET)
    organisations = _chosen(access, request.GET)
    plan = planned(organisations, first, last)
    ready = [one for one in plan if not one.refusal]
    note = request.GET.get("note", "")[:MOST_NOTE]
    letter = None
    if ready:
        sample = ready[0].dossier
        rows = list(to_validate(sample, first, last))
        letter = prepare(sample, rows, actor=user_of(request), note=note, first=first, last=last)
    context = {
        "firm_access": access,
        "plan": plan,
        "ready": ready,
        "people": sum(len(one.people) for one in ready),
        "receipts": sum(one.number for one in ready),
        "first": first,
        "last": last,
        "note": note,
        "letter": letter,
        "newest": rounds.newest(access.firm),
        "sample_url": _sample(ready[0].dossier, first, last, note) if ready else "",
    }
    return render(request, "firm/ask.html", context)


def _sample(organisation: Organisation, first: date | None, last: date | None, note: str) -> str:
    query = QueryDict(mutable=True)
    for key, value in (("du", first), ("au", last), ("note", note)):
        if value:
            query[key] = str(value)
    return reverse("receipts_preview", args=[organisation.slug]) + "?" + query.urlencode()


def planned(
    organisations: list[Organisation], first: date | None, last: date | None
) -> list[reads.Planned]:
    """What a request to these dossiers would do, in two queries."""
    missing = reads.missing_of(organisations, first, last)
    readers = readers_of_all([one.pk for one in organisations])
    found = []
    for one in organisations:
        count, sums = missing.get(one.pk, (0, {}))
        people = [str(reader.user) for reader in readers[one.pk] if reader.eligible]
        refusal = ""
        if not count:
            refusal = _("Rien ne manque sur cette période.")
        elif not people:
            refusal = _("Aucun destinataire.")
        found.append(reads.Planned(one, count, sums, people, refusal))
    return found


@require_POST
def firm_round_start(request: HttpRequest, firm: int) -> HttpResponse:
    """Let it leave; the page that follows shows its progress."""
    access = enter_firm(request, firm)
    first, last = _period(request.POST)
    newest = request.POST.get("newest", "")
    try:
        made = rounds.open_round(
            firm=access.firm,
            organisations=_chosen(access, request.POST),
            actor=user_of(request),
            now=moment(request),
            first=first,
            last=last,
            note=request.POST.get("note", "").strip(),
            newest=int(newest) if newest.isdecimal() and len(newest) < 19 else None,
        )
    except BankRefused as refusal:
        running = _begun_by(request, access, refusal)
        if running is not None:
            return redirect("firm_round", firm, running.pk)
        notes.error(request, str(refusal))
        return redirect("firm_list", firm)
    return redirect("firm_round", firm, made.pk)


def _begun_by(request: HttpRequest, access: FirmAccess, refusal: BankRefused) -> Round | None:
    """The round that a double click began: the same person's, of the same dossiers."""
    if refusal.code != "ALREADY_STARTED":
        return None
    newest = Round.objects.filter(firm=access.firm).order_by("-pk").first()
    if newest is None or newest.made_by != user_of(request):
        return None
    asked = set(newest.lines.values_list("organisation", flat=True))
    chosen = {one.pk for one in _chosen(access, request.POST)}
    return newest if asked == chosen else None


@require_GET
def firm_round(request: HttpRequest, firm: int, pk: int) -> HttpResponse:
    """Progress while it runs, then what became of each dossier."""
    access = enter_firm(request, firm)
    found = Round.objects.filter(firm=access.firm, pk=pk).first()
    if found is None:
        raise Http404
    if found.status == Round.Status.RUNNING:
        rounds.advance(found, now=moment(request))
        found.refresh_from_db()
    lines = list(found.lines.select_related("organisation", "request").order_by("pk"))
    done = sum(line.status != RoundLine.Status.WAITING for line in lines)
    context = {
        "firm_access": access,
        "round": found,
        "lines": lines,
        "done": done,
        "sent": sum(line.status == RoundLine.Status.SENT for line in lines),
        "refused": sum(line.status == RoundLine.Status.REFUSED for line in lines),
        "running": found.status == Round.Status.RUNNING,
    }
    htmx: Any = getattr(request, "htmx", None)
    piece = htmx and not htmx.boosted
    return render(request, "firm/_round.html" if piece else "firm/round.html", context)


@require_POST
def firm_round_stop(request: HttpRequest, firm: int, pk: int) -> HttpResponse:
    """« Arrêter » : the dossiers whose turn has not come are spared."""
    access = enter_firm(request, firm)
    found = Round.objects.filter(firm=access.firm, pk=pk).first()
    if found is None:
        raise Http404
    spared = rounds.stop(found)
    if spared:
        notes.success(
            request,
            ngettext(
                "%(n)d dossier n’est pas demandé.", "%(n)d dossiers ne sont pas demandés.", spared
            )
            % {"n": spared},
        )
    else:
        notes.info(request, _("Tout était déjà fait\u00a0: rien n’a pu être arrêté."))
    return redirect("firm_round", firm, pk)


@require_GET
def firm_requests(request: HttpRequest, firm: int) -> HttpResponse:
    """Every request of every dossier, newest first."""
    access = enter_firm(request, firm)
    page = receipts.requests_page(access, request.GET.get("page"), moment=moment(request))
    return render(request, "firm/requests.html", {"firm_access": access, "page": page})


@require_GET
def firm_replies(request: HttpRequest, firm: int) -> HttpResponse:
    """What clients of all dossiers answered."""
    access = enter_firm(request, firm)
    handled = request.GET.get("vues") == "1"
    url = reverse("firm_replies", args=[firm])
    context = {
        "firm_access": access,
        "firm": access.firm,
        "can_ask": True,
        "handled": handled,
        "page": page_of(receipts.replies(access, handled=handled), request.GET.get("page")),
        "tabs": reply_tabs(url, handled, receipts.replies(access).count()),
        "deed_url": reverse("firm_reply_deed", args=[firm]),
    }
    return render(request, "receipts_pages/replies.html", context)


@require_POST
def firm_reply_deed(request: HttpRequest, firm: int) -> HttpResponse:
    """Accept, or ask again, in any dossier of the firm."""
    access = enter_firm(request, firm)
    chosen = access.all(Answer).select_related("organisation")
    do_replies(request, list(chosen.filter(pk__in=ticked_keys(request))))
    return redirect("firm_replies", firm)


urlpatterns = [
    path("", firm_home, name="firm_home"),
    path("<int:firm>/", firm_list, name="firm_list"),
    path("<int:firm>/demander/", firm_ask, name="firm_ask"),
    path("<int:firm>/demander/envoi/", firm_round_start, name="firm_round_start"),
    path("<int:firm>/envois/<int:pk>/", firm_round, name="firm_round"),
    path("<int:firm>/envois/<int:pk>/arreter/", firm_round_stop, name="firm_round_stop"),
    path("<int:firm>/demandes/", firm_requests, name="firm_requests"),
    path("<int:firm>/reponses/", firm_replies, name="firm_replies"),
    path("<int:firm>/reponses/geste/", firm_reply_deed, name="firm_reply_deed"),
]
