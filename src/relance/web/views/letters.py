"""Courriers: what waits to be printed, the print itself, and its confirmation (D-07)."""

from django.contrib import messages as notes
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from relance.accounts.access import Access
from relance.accounts.models import DunningRole
from relance.dunning.daily.hooks import hooks
from relance.outbox import print_runs
from relance.outbox.models import Message, PrintRun
from relance.outbox.services import POSTED
from relance.outbox.verdicts import Cancel, Hooks
from relance.web import french
from relance.web.queries import letters as reading
from relance.web.requests import enter, moment, today_of, user_of
from relance.web.smtp_words import cancelled_words
from relance.web.views import letter_settings

NAMED = 3


@require_GET
def letter_list(request: HttpRequest, slug: str) -> HttpResponse:
    """The letters that wait, all ticked; above them the prints not confirmed yet."""
    access = enter(request, slug)
    done = request.GET.get("vue") == "tirages"
    page = request.GET.get("page", "1")
    waiting = reading.waiting(access, batch=request.GET.get("lot", ""), page=page)
    runs = reading.to_confirm(access)
    address = reverse("letter_list", args=[slug])
    context = {
        "access": access,
        "today": today_of(request, access),
        "tabs": [
            {
                "url": address,
                "label": _("À imprimer"),
                "count": waiting.every + len(runs),
                "current": not done,
            },
            {
                "url": f"{address}?vue=tirages",
                "label": _("Imprimés"),
                "count": None,
                "current": done,
            },
        ],
        "done": done,
        "waiting": waiting,
        "runs": runs,
        "past": reading.confirmed(access, page) if done else None,
        "most": print_runs.MOST_LETTERS,
    }
    return render(request, "letters/list.html", context)


@require_POST
def letter_print(request: HttpRequest, slug: str) -> HttpResponse:
    """« Imprimer »: the ticked letters become one PDF, which waits for its confirmation."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    return print_letters(request, access, _asked(request, access))


def _asked(request: HttpRequest, access: Access) -> list[int]:
    """The letters ticked on the page and, with `reste`, those of the other pages."""
    ticked = {int(one) for one in request.POST.getlist("lettre") if one.isdecimal()}
    if not request.POST.get("reste"):
        return sorted(ticked)
    shown = {int(one) for one in request.POST.get("vues", "").split(",") if one.isdecimal()}
    lot = request.POST.get("lot", "")
    batch = int(lot[:18]) if lot.isdecimal() else None
    every = reading.of_batch(access, batch).values_list("pk", flat=True)
    return [pk for pk in every if pk in ticked or pk not in shown]


def print_letters(request: HttpRequest, access: Access, asked: list[int]) -> HttpResponse:
    """Make the print and show it; what could not be printed is said with its reason."""
    now, slug = moment(request), access.organisation.slug
    try:
        made = print_runs.make(
            organisation=access.organisation,
            message_ids=asked,
            actor=user_of(request),
            now=now,
            hooks=hooks(lambda: now),
        )
    except print_runs.InTestError:
        words = _("Mode test : rien ne s’imprime. Les courriers d’essai arrivent en PDF à %(to)s.")
        notes.warning(request, words % {"to": access.organisation.test_to})
        return redirect("letter_list", slug)
    except print_runs.NothingToPrintError as nothing:
        _tell_dropped(request, nothing.dropped)
        if nothing.taken:
            notes.error(request, _taken_words(nothing.taken))
        elif not nothing.dropped:
            notes.error(request, _("Cochez au moins un courrier qui attend encore."))
        return redirect("letter_list", slug)
    _tell_dropped(request, made.dropped)
    if made.taken:
        notes.warning(request, _taken_words(made.taken))
    if len(asked) > print_runs.MOST_LETTERS:
        words = _(
            "Un tirage compte au plus %(most)s courriers\u00a0: les autres attendent le suivant."
        )
        notes.info(request, words % {"most": french.number(print_runs.MOST_LETTERS)})
    return redirect("letter_run", slug, made.run.pk)


def _tell_dropped(request: HttpRequest, dropped: list[Message]) -> None:
    """One sentence for each reason, with the names of the first customers."""
    by_reason: dict[str, list[str]] = {}
    for message in dropped:
        by_reason.setdefault(message.reason, []).append(str(message.customer))
    for reason, names in by_reason.items():
        words = ngettext(
            "%(n)s courrier n’a pas été imprimé (%(names)s). %(why)s",
            "%(n)s courriers n’ont pas été imprimés (%(names)s). %(why)s",
            len(names),
        )
        said = {"n": len(names), "names": _some(names), "why": cancelled_words(reason)}
        notes.warning(request, words % said)


def _taken_words(taken: list[Message]) -> str:
    """Who holds these letters already (two people on the same list)."""
    people = {str(one.print_run.made_by or "–") for one in taken if one.print_run}
    words = ngettext(
        "%(n)s courrier est déjà dans un tirage de %(who)s\u00a0: il n’est pas imprimé deux fois.",
        "%(n)s courriers sont déjà dans un tirage de %(who)s\u00a0: aucun n’est imprimé deux fois.",
        len(taken),
    )
    return words % {"n": french.number(len(taken)), "who": ", ".join(sorted(people))}


def _some(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + ("…" if len(names) > NAMED else "")


@require_GET
def letter_run(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """One print: its letters, the PDF, and what remains to be done with it."""
    access = enter(request, slug)
    run = access.get(PrintRun, pk=pk)
    now = moment(request)
    context = {
        "access": access,
        "today": today_of(request, access),
        "run": run,
        "stale": _stale(run, hooks(lambda: now)),
        "registered": run.messages.filter(channel="registered_letter").count(),
        "page": reading.of_run(run, request.GET.get("page", "1")),
        "sums": [french.money(cents, code) for code, cents in reading.sum_of(run).items()],
    }
    return render(request, "letters/run.html", context)


@require_GET
def letter_run_pdf(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """The print as one PDF."""
    access = enter(request, slug)
    run = access.get(PrintRun, pk=pk)
    if not run.file:
        raise Http404
    with run.file.open("rb") as file:
        return _pdf(file.read(), f"courriers-{run.pk}.pdf", download="enregistrer" in request.GET)


def _stale(run: PrintRun, told: Hooks) -> list[dict[str, object]]:
    """The letters to take out of the pile before it is posted: page of the PDF, name, why."""
    if run.confirmed_at or not run.file:
        return []
    partly = _("Une partie a été réglée depuis : réécrit, il attendra le prochain tirage.")
    return [
        {
            "pk": message.pk,
            "name": str(message.customer),
            "page": (message.letter or {}).get("pages", [0])[0] + 1,
            "why": cancelled_words(verdict.reason) if isinstance(verdict, Cancel) else partly,
        }
        for message, verdict in print_runs.stale(run, told)
    ]


@require_POST
def letter_reprint(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """« Réimprimer »: the same file once more; the journal notes who asked for it."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    run = access.get(PrintRun, pk=pk)
    try:
        print_runs.reprint(
            run=run, actor=user_of(request), on=today_of(request, access), now=moment(request)
        )
    except print_runs.NotPrintedError as nothing:
        raise Http404 from nothing
    return redirect("letter_run_pdf", slug, pk)


@require_POST
def letter_confirm(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """« Confirmer l’impression »: from now on the letters have left, and their levels rise."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    run, now = access.get(PrintRun, pk=pk), moment(request)
    try:
        sent = print_runs.confirm(
            run=run,
            actor=user_of(request),
            now=now,
            hooks=hooks(lambda: now),
            seen=_numbers(request, "vu"),
            taken_out=_numbers(request, "retirer"),
        )
    except print_runs.AlreadyConfirmedError as first:
        notes.info(request, _confirmed_words(first.run))
    except print_runs.StaleLettersError:
        words = _("Rien n’est confirmé : des courriers ne sont plus à poster, voyez lesquels.")
        notes.warning(request, words)
    except print_runs.NotPrintedError:
        words = _(
            "Cette impression n’a pas de PDF\u00a0: rien n’est parti. Reprenez ses courriers."
        )
        notes.error(request, words)
        return redirect("letter_list", slug)
    else:
        words = ngettext(
            "%(n)s courrier parti, son historique le note.",
            "%(n)s courriers partis, leur historique le note.",
            sent,
        )
        notes.success(request, words % {"n": french.number(sent)})
    return redirect("letter_run", slug, pk)


def _numbers(request: HttpRequest, name: str) -> list[int]:
    return [int(one[:18]) for one in request.POST.getlist(name) if one.isdecimal()]


@require_POST
def letter_put_back(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """« Pas imprimé »: the letters wait again, nothing has left."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    run = access.get(PrintRun, pk=pk)
    try:
        back = print_runs.put_back(run=run)
    except print_runs.AlreadyConfirmedError as first:
        notes.info(request, _confirmed_words(first.run))
        return redirect("letter_run", slug, pk)
    words = ngettext(
        "%(n)s courrier attend de nouveau d’être imprimé.",
        "%(n)s courriers attendent de nouveau d’être imprimés.",
        back,
    )
    notes.success(request, words % {"n": french.number(back)})
    return redirect("letter_list", slug)


def _confirmed_words(run: PrintRun) -> str:
    """Who was first, and when; the second click has done nothing."""
    if run.confirmed_at is None:
        return ""
    at = timezone.localtime(run.confirmed_at)
    words = _("%(who)s a déjà confirmé cette impression le %(day)s à %(hour)s.")
    day = french.date_text(at.date(), at.date())
    return words % {"who": run.confirmed_by or "–", "day": day, "hour": at.strftime("%H:%M")}


@require_GET
def letter_pdf(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """One letter: the pages that were printed, or what the printer would give (S2-17)."""
    access = enter(request, slug)
    message = access.get(Message, pk=pk)
    if message.channel not in POSTED or not message.letter:
        raise Http404
    pdf = print_runs.as_sent(message, now=moment(request))
    return _pdf(pdf, f"courrier-{message.pk}.pdf", download=False)


def _pdf(content: bytes, name: str, *, download: bool) -> HttpResponse:
    how = "attachment" if download else "inline"
    headers = {"Content-Disposition": f'{how}; filename="{name}"'}
    return HttpResponse(content, content_type="application/pdf", headers=headers)


urlpatterns = [
    path("courriers/", letter_list, name="letter_list"),
    path("courriers/imprimer/", letter_print, name="letter_print"),
    path("courriers/<int:pk>/pdf/", letter_pdf, name="letter_pdf"),
    path("courriers/tirages/<int:pk>/", letter_run, name="letter_run"),
    path("courriers/tirages/<int:pk>/pdf/", letter_run_pdf, name="letter_run_pdf"),
    path("courriers/tirages/<int:pk>/reimprimer/", letter_reprint, name="letter_reprint"),
    path("courriers/tirages/<int:pk>/confirmer/", letter_confirm, name="letter_confirm"),
    path("courriers/tirages/<int:pk>/reprendre/", letter_put_back, name="letter_put_back"),
    *letter_settings.urlpatterns,
]
