"""One search over everything of the dossier: a page, and the list under the field as one types."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_GET

from relance.web.queries import search as reads
from relance.web.requests import enter, today_of
from relance.web.views.answers import is_piece


@require_GET
def search(request: HttpRequest, slug: str) -> HttpResponse:
    """What answers `q`, in groups; htmx gets the short list that opens under the field."""
    access = enter(request, slug)
    text = reads.cleaned(request.GET.get("q", ""))
    piece = is_piece(request)
    groups = reads.search(access, text, limit=reads.SHORT if piece else reads.FULL)
    context = {
        "access": access,
        "today": today_of(request, access),
        "text": text,
        "groups": groups,
        "count": sum(len(group.hits) for group in groups),
    }
    return render(request, "search/_results.html" if piece else "search/search.html", context)


urlpatterns = [path("recherche/", search, name="search")]
