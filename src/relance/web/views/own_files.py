"""Pièces jointes: the files of the organisation's own that its templates may send along."""

from urllib.parse import quote

from django.contrib import messages as notes
from django.db.models import Count
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from relance.accounts.models import DunningRole
from relance.outbox import own_files
from relance.outbox.models import OwnFile
from relance.web.requests import enter, moment, today_of, user_of

MOST_AT_ONCE = 10
SEALED = "default-src 'none'; sandbox"
"""The policy of an uploaded file: even opened in a tab it may do nothing."""


@require_http_methods(["GET", "POST"])
def own_file_list(request: HttpRequest, slug: str) -> HttpResponse:
    """What is kept, who uses it, and the place to add more (administrators)."""
    access = enter(request, slug)
    if request.method == "POST":
        access.require(DunningRole.ADMIN)
        added = 0
        for one in request.FILES.getlist("fichiers")[:MOST_AT_ONCE]:
            name = one.name or ""
            try:
                own_files.add(
                    access.organisation,
                    name=name,
                    raw=one.read(own_files.MOST_BYTES + 1),
                    actor=user_of(request),
                    on=today_of(request, access),
                    now=moment(request),
                )
            except own_files.FileRefusedError as refused:
                why = {"name": name, "why": refusal_words(refused.code)}
                notes.error(request, _("%(name)s : %(why)s") % why)
            else:
                added += 1
        if added:
            said = ngettext("%(n)d fichier ajouté.", "%(n)d fichiers ajoutés.", added)
            notes.success(request, said % {"n": added})
        return redirect("own_file_list", slug)
    rows = own_files.offered(access.organisation).select_related("added_by")
    context = {"access": access, "rows": rows.annotate(uses=Count("templates"))}
    return render(request, "templates/files.html", context)


@require_GET
def own_file_read(request: HttpRequest, slug: str, pk: int) -> FileResponse:
    """The file itself, as an attachment."""
    own = enter(request, slug).get(OwnFile, pk=pk)
    try:
        file = own.file.open("rb")
    except OSError as gone:
        raise Http404 from gone
    answer = FileResponse(file, content_type=own.mime)
    answer.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(own.name)}"
    answer.headers["Content-Security-Policy"] = SEALED
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer


@require_POST
def own_file_retire(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Offer it no more; what left with it keeps it."""
    access = enter(request, slug, DunningRole.ADMIN)
    own = access.get(OwnFile, pk=pk)
    own_files.retire(own, actor=user_of(request), on=today_of(request, access), now=moment(request))
    notes.success(request, _("Fichier retiré : les prochains messages partent sans lui."))
    return redirect("own_file_list", slug)


def refusal_words(code: str) -> str:
    """Why a file is not kept."""
    return {
        "EMPTY": _("le fichier est vide."),
        "TOO_HEAVY": _("il pèse plus de 3 Mo, beaucoup de messageries refuseraient le message."),
        "DAMAGED": _("il est abîmé et ne s’ouvre pas."),
    }.get(code, _("ce n’est ni un PDF, ni une image JPEG ou PNG."))


urlpatterns = [
    path("modeles/fichiers/", own_file_list, name="own_file_list"),
    path("modeles/fichiers/<int:pk>/", own_file_read, name="own_file_read"),
    path("modeles/fichiers/<int:pk>/retirer/", own_file_retire, name="own_file_retire"),
]
