"""Plans given by a file: read, shown, then given as changes that can be undone."""

from typing import Any

from django.contrib import messages as notes
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from relance.accounts.models import DunningRole
from relance.dunning.lots import assignment_files, batch_kinds, batches
from relance.dunning.lots.batches import Pace
from relance.dunning.models import Batch, Plan
from relance.dunning.services import Refused
from relance.formats.faults import Fault
from relance.formats.tabular import open_table
from relance.web.requests import enter, moment, today_of, user_of

MEGABYTE = 1024 * 1024
MOST_BYTES = 20 * MEGABYTE
AT_ONCE = Pace(seconds=2)


def assignment_new(request: HttpRequest, slug: str) -> HttpResponse:
    """Choose a file; what cannot be read at all is refused here with the reason."""
    access = enter(request, slug)
    context: dict[str, Any] = {
        "access": access,
        "plans": list(access.all(Plan).order_by("name")),
        "limit": MOST_BYTES // MEGABYTE,
    }
    if request.method == "POST":
        access.require(DunningRole.ACCOUNT_MANAGER)
        try:
            found, name = _read(request, access.organisation)
        except Refused as refused:
            return render(request, "plans/file_new.html", context | {"error": str(refused)})
        drafts = assignment_files.prepare(
            access.organisation,
            found,
            filename=name,
            actor=user_of(request),
            on=today_of(request, access),
            now=moment(request),
        )
        if drafts:
            return redirect("plan_file", slug, drafts[0].pk)
        shown = found.faults[: assignment_files.MOST_SHOWN]
        context |= {"found": found, "faults": shown, "file": name}
    return render(request, "plans/file_new.html", context)


def _read(request: HttpRequest, organisation: Any) -> tuple[assignment_files.Read, str]:
    upload = request.FILES.get("file")
    if upload is None:
        raise Refused(_("Choisissez un fichier."), "NO_FILE")
    name = " ".join((upload.name or "").split())[-80:]
    if (upload.size or 0) > MOST_BYTES:
        text = _("Ce fichier dépasse %(n)d Mo.") % {"n": MOST_BYTES // MEGABYTE}
        raise Refused(text, "TOO_LARGE")
    table = open_table(upload.read(), name)
    if isinstance(table, Fault):
        raise Refused(table.message, table.code)
    return assignment_files.read(organisation, table), name


@require_GET
def assignment_detail(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """What the file would change, or has changed, plan by plan; the lines not taken and why."""
    access = enter(request, slug)
    first = access.get(Batch, pk=pk, kind=Batch.Kind.CHANGE)
    report = first.options.get("report")
    if report is None:
        raise Http404
    drafts = assignment_files.drafts_of(first)
    context = {
        "access": access,
        "first": first,
        "report": report,
        "drafts": drafts,
        "total": sum(one.total for one in drafts),
        "waits": any(one.status == Batch.Status.DRAFT for one in drafts),
        "running": any(one.status == Batch.Status.RUNNING for one in drafts),
        "done": sum(one.done + one.refused for one in drafts),
    }
    piece = bool(getattr(request, "htmx", False))
    return render(request, "plans/_file_drafts.html" if piece else "plans/file.html", context)


@require_POST
def assignment_start(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Give the plans of the file; the worker goes on with what two seconds do not do."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    first = access.get(Batch, pk=pk, kind=Batch.Kind.CHANGE)
    now = moment(request)
    try:
        for batch in assignment_files.drafts_of(first):
            batches.start(batch, actor=user_of(request), now=now)
            batch_kinds.advance(batch, now=now, pace=AT_ONCE)
    except Refused as refused:
        notes.error(request, str(refused))
    return redirect("plan_file", slug, pk)


urlpatterns = [
    path("plans/affectations/", assignment_new, name="plan_file_new"),
    path("plans/affectations/<int:pk>/", assignment_detail, name="plan_file"),
    path("plans/affectations/<int:pk>/donner/", assignment_start, name="plan_file_start"),
]
