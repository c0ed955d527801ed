"""The views and columns that each user keeps for himself; a reader has his own like everybody."""

from collections.abc import Callable

from django.contrib import messages as notes
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from relance.accounts.access import Access
from relance.web.queries import views
from relance.web.requests import enter


def _back(request: HttpRequest, access: Access, deed: Callable[[], str]) -> HttpResponse:
    """Do it, then the same list again, with what was refused said above it."""
    page, query = request.POST.get("page", ""), request.POST.get("query", "")[:4000]
    try:
        said = deed()
    except views.ViewError as refusal:
        notes.warning(request, str(refusal))
    else:
        notes.success(request, said)
    page = page if page in views.LISTS else "dashboard"
    return redirect(views.address(access, page, query.removeprefix("?")))


@require_POST
def view_save(request: HttpRequest, slug: str) -> HttpResponse:
    """Keep the present filters under a name."""
    access = enter(request, slug)

    def deed() -> str:
        view = views.save_view(
            access,
            request.POST.get("page", ""),
            name=request.POST.get("name", ""),
            query=request.POST.get("query", ""),
        )
        return _("Vue «\u00a0%(name)s\u00a0» enregistrée.") % {"name": view.name}

    return _back(request, access, deed)


@require_POST
def view_change(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Rename or delete one of my views."""
    access = enter(request, slug)
    views.own_view(access, pk)

    def deed() -> str:
        if request.POST.get("delete") == "1":
            gone = views.own_view(access, pk)
            gone.delete()
            return _("Vue «\u00a0%(name)s\u00a0» supprimée.") % {"name": gone.name}
        renamed = views.rename_view(access, pk, request.POST.get("name", ""))
        return _("La vue s’appelle maintenant «\u00a0%(name)s\u00a0».") % {"name": renamed.name}

    return _back(request, access, deed)


@require_POST
def view_columns(request: HttpRequest, slug: str) -> HttpResponse:
    """Which columns this list shows me."""
    access = enter(request, slug)

    def deed() -> str:
        views.choose_columns(
            access,
            request.POST.get("page", ""),
            request.POST.getlist("column"),
            request.POST.get("query", ""),
        )
        return _("Colonnes enregistrées.")

    return _back(request, access, deed)


urlpatterns = [
    path("vues/", view_save, name="view_save"),
    path("vues/colonnes/", view_columns, name="view_columns"),
    path("vues/<int:pk>/", view_change, name="view_change"),
]
