"""The dossier de recouvrement of a customer: what will happen, the deed, the file, the way back."""

from typing import Any

from django.contrib import messages as notes
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from relance.accounts.access import Access
from relance.accounts.models import DunningRole
from relance.dunning.models import Recovery
from relance.dunning.recovery import building, handing
from relance.dunning.services import Refused
from relance.ledger.models import Customer
from relance.web import french
from relance.web.requests import enter, moment, today_of

SHOWN = 10
"""Dossiers of a customer shown, the newest first."""


@require_http_methods(["GET", "HEAD", "POST"])
def recovery(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """What the deed will do, and the dossiers made before; posted, it is done."""
    access = enter(request, slug)
    customer = access.get(Customer, pk=pk)
    if request.method != "POST":
        return _show(request, access, customer)
    access.require(DunningRole.FINANCE)
    leaves, seen = request.POST.get("sortir") == "1", request.POST.get("vu", "")
    try:
        handing.ask(
            customer=customer,
            leaves=leaves,
            with_notes=request.POST.get("notes") == "1",
            handed_to=request.POST.get("a", ""),
            actor=access.user,
            on=today_of(request, access),
            now=moment(request),
            seen=int(seen[:18]) if seen.isdecimal() else None,
        )
    except Refused as no:
        return _show(request, access, customer, refusal=str(no))
    if leaves:
        notes.success(request, _("Ce client n’est plus relancé. Le dossier se prépare."))
    else:
        notes.success(request, _("Le dossier se prépare. Les relances continuent."))
    return redirect("recovery_customer", slug, pk)


def _show(
    request: HttpRequest, access: Access, customer: Customer, *, refusal: str = ""
) -> HttpResponse:
    found = list(handing.recoveries(customer)[:SHOWN])
    told = handing.preview(customer)
    context = {
        "access": access,
        "today": today_of(request, access),
        "customer": customer,
        "told": told,
        "owed": [(french.money(cents, currency), n) for currency, cents, n in told.owed],
        "handed": handing.handed(customer),
        "rows": [_row(access, one) for one in found],
        "newest": found[0].pk if found else 0,
        "at_work": any(_is_at_work(one) for one in found),
        "may": access.dunning >= DunningRole.FINANCE,
        "refusal": refusal,
    }
    return render(request, "recovery/page.html", context, status=409 if refusal else 200)


def _is_at_work(one: Recovery) -> bool:
    return one.status in (Recovery.Status.ASKED, Recovery.Status.RUNNING)


def _row(access: Access, one: Recovery) -> dict[str, Any]:
    """A dossier, what its progress says, and whether this person may take it."""
    if one.status == Recovery.Status.ASKED:
        text = _("Il commence dans quelques secondes.")
    else:
        text = ngettext("%(done)s pièce sur %(total)s", "%(done)s pièces sur %(total)s", one.total)
        text %= {"done": french.number(one.done), "total": french.number(one.total)}
    return {
        "one": one,
        "running": _is_at_work(one),
        "text": text,
        "name": building.filename(one),
        "may": access.dunning >= DunningRole.FINANCE,
    }


@require_GET
def recovery_state(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """One dossier of the list, asked for again while it is being gathered."""
    access = enter(request, slug)
    one = access.get(Recovery, pk=pk)
    return render(request, "recovery/_row.html", {"access": access, "row": _row(access, one)})


@require_POST
def recovery_take_back(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Chase him again."""
    access = enter(request, slug, DunningRole.FINANCE)
    customer = access.get(Customer, pk=pk)
    try:
        handing.take_back(
            customer=customer,
            actor=access.user,
            on=today_of(request, access),
            now=moment(request),
        )
    except Refused as no:
        return _show(request, access, customer, refusal=str(no))
    if customer.excluded:
        notes.success(request, _("Repris. Il était déjà exclu des relances avant : il le reste."))
    else:
        notes.success(request, _("Repris : ce client est de nouveau relancé, là où il en était."))
    return redirect("recovery_customer", slug, pk)


@require_GET
def recovery_file(request: HttpRequest, slug: str, pk: int) -> FileResponse:
    """The file itself; the journal says who took it."""
    access = enter(request, slug, DunningRole.FINANCE)
    one = access.get(Recovery, pk=pk, status=Recovery.Status.DONE)
    try:
        file = one.file.open("rb")
    except (OSError, ValueError) as gone:
        raise Http404 from gone
    name = building.filename(one)
    handing.tell(
        "recovery_downloaded",
        one,
        {"recovery": one.pk, "name": name, "sha256": one.sha256},
        actor=access.user,
        on=today_of(request, access),
        now=moment(request),
    )
    return FileResponse(file, as_attachment=True, filename=name, content_type="application/zip")


urlpatterns: list[URLPattern] = [
    path("clients/<int:pk>/recouvrement/", recovery, name="recovery_customer"),
    path("clients/<int:pk>/recouvrement/reprendre/", recovery_take_back, name="recovery_take_back"),
    path("recouvrement/<int:pk>/etat/", recovery_state, name="recovery_state"),
    path("recouvrement/<int:pk>/dossier.zip", recovery_file, name="recovery_file"),
]
