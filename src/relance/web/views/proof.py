"""Proof: the journal and its chain, its export; the dossier de recouvrement is in `recovery`."""

from collections.abc import Iterator
from typing import Any

from django.contrib import messages as notes
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from relance.accounts.access import Access
from relance.accounts.models import DunningRole
from relance.history import checking, export
from relance.history.models import Event
from relance.web import french
from relance.web.queries import journal_page
from relance.web.requests import enter, moment, today_of
from relance.web.views import recovery
from relance.web.views.answers import is_piece

JSONL = "application/jsonl"


@require_GET
def journal(request: HttpRequest, slug: str) -> HttpResponse:
    """Everything that happened in the dossier, newest first, and the state of its chain."""
    access = enter(request, slug)
    chosen = journal_page.read(request.GET, access)
    context = _beside(request, access) | {
        "chosen": chosen,
        "filters": chosen.form,
        "days": _by_day(chosen.rows),
    }
    return render(request, "journal/journal.html", context)


def _by_day(rows: list[journal_page.Row]) -> list[tuple[Any, list[journal_page.Row]]]:
    """The rows under their local day, in the order of the page."""
    days: list[tuple[Any, list[journal_page.Row]]] = []
    for row in rows:
        day = row.at.date()
        if not days or days[-1][0] != day:
            days.append((day, []))
        days[-1][1].append(row)
    return days


def _beside(request: HttpRequest, access: Access) -> dict[str, Any]:
    """What the panel of the chain says."""
    return {
        "access": access,
        "today": today_of(request, access),
        "chain": checking.state(access.organisation),
    }


@require_GET
def journal_event(request: HttpRequest, slug: str, seq: int) -> HttpResponse:
    """One event with all that its hash covers."""
    access = enter(request, slug)
    piece = journal_page.piece(access, seq)
    if piece is None:
        raise Http404
    context = _beside(request, access) | {"piece": piece, "open": True}
    return render(
        request, "journal/_event.html" if is_piece(request) else "journal/event.html", context
    )


@require_POST
def journal_verify(request: HttpRequest, slug: str) -> HttpResponse:
    """Follow the chain from its first event; what takes long is done by the worker."""
    access = enter(request, slug)
    found = checking.begin(access.organisation, now=moment(request))
    if found.name == "whole":
        notes.success(
            request,
            _("Chaîne intacte\u00a0: %(n)s vérifiés.")
            % {"n": french.counted(found.verified_seq, _("événement"), _("événements"))},
        )
    elif found.name == "broken":
        notes.error(
            request,
            _("La chaîne est rompue à l’événement n°\u00a0%(n)s.")
            % {"n": french.number(found.broken_seq or 0)},
        )
    return redirect(reverse("journal_list", args=[slug]) + "#chaine")


@require_GET
def journal_state(request: HttpRequest, slug: str) -> HttpResponse:
    """The state of the chain alone, asked for again while a verification goes on."""
    access = enter(request, slug)
    return render(request, "journal/_chain.html", _beside(request, access))


@require_GET
def journal_export(request: HttpRequest, slug: str) -> StreamingHttpResponse:
    """The whole journal with its hashes, for a third person; administrators only: it holds
    the settings, the people and the bank."""
    access = enter(request, slug, DunningRole.ADMIN)
    name = f"{slug}-journal-{today_of(request, access).isoformat()}.jsonl"
    return StreamingHttpResponse(
        _lines(access),
        content_type=JSONL,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _lines(access: Access) -> Iterator[bytes]:
    yield from export.lines(access.all(Event), access.organisation)


urlpatterns: list[URLPattern] = [
    path("journal/", journal, name="journal_list"),
    path("journal/<int:seq>/", journal_event, name="journal_event"),
    path("journal/verifier/", journal_verify, name="journal_verify"),
    path("journal/etat/", journal_state, name="journal_state"),
    path("journal/journal.jsonl", journal_export, name="journal_export"),
    *recovery.urlpatterns,
]
