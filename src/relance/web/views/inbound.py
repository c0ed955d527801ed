"""Réponses: what came in, what it did, and whose it is."""

from typing import Any

from django.contrib import messages as notes
from django.core.files.base import ContentFile
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import trigger_client_event

from relance.accounts.access import Access
from relance.accounts.models import DunningRole
from relance.dunning.daily import bounces
from relance.ledger.models import Customer
from relance.outbox.inbound import services
from relance.outbox.models import Inbound
from relance.receipts import incoming
from relance.web import french
from relance.web.inbound_words import ICONS, TONES, consequence, kind_words, summary, whom
from relance.web.queries import inbound as reading
from relance.web.requests import enter, moment, today_of, user_of
from relance.web.views import inboxes
from relance.web.views.answers import is_piece

SEALED = "default-src 'none'; sandbox"


@require_GET
def inbound_list(request: HttpRequest, slug: str) -> HttpResponse:
    """What came in, those to look at first, with the first in the panel."""
    access = enter(request, slug)
    chosen = reading.read(request.GET, access)
    rows = [row_of(slug, one) for one in chosen.page.object_list]
    address = reverse("inbound_list", args=[slug])
    context: dict[str, Any] = {
        "access": access,
        "chosen": chosen,
        "rows": rows,
        "natures": [(key, label) for key, (label, _kinds) in reading.NATURES.items()],
        "tabs": [
            {
                "url": address,
                "label": _("À voir"),
                "count": reading.unseen(access).count(),
                "current": chosen.unseen,
            },
            {"url": f"{address}?etat=tout", "label": _("Tout"), "current": not chosen.unseen},
        ],
        "received": chosen.unseen and not access.all(Inbound).exists(),
    }
    if rows:
        first = access.get(Inbound, pk=rows[0]["pk"])
        context |= _about(access, first)
    return render(request, "inbound/list.html", context)


def row_of(slug: str, one: Inbound) -> dict[str, Any]:
    """One line of a list of mails."""
    kind = Inbound.Kind(one.kind)
    return {
        "id": f"inbound-{one.pk}",
        "pk": one.pk,
        "url": reverse("inbound_detail", args=[slug, one.pk]),
        "when": one.received_at,
        "icon": ICONS[kind],
        "tone": TONES.get(kind, ""),
        "kind": kind_words(one),
        "name": whom(one),
        "known": one.customer is not None,
        "context": summary(one, getattr(one, "beginning", "")).removeprefix(
            f"{whom(one)}{french.NBSP}: "
        ),
        "seen": one.seen_at is not None or one.kind not in reading.ASKS,
    }


@require_GET
def inbound_detail(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """One mail: its words, its files, what it did."""
    access = enter(request, slug)
    return _show(request, access, access.get(Inbound, pk=pk))


def _show(
    request: HttpRequest, access: Access, inbound: Inbound, *, refusal: str = ""
) -> HttpResponse:
    asked = request.GET.get("client", "")
    context = _about(access, inbound, asked) | {"refusal": refusal, "open": True}
    piece = is_piece(request)
    return render(request, "inbound/_panel.html" if piece else "inbound/detail.html", context)


def _about(access: Access, inbound: Inbound, asked: str = "") -> dict[str, Any]:
    shown = reading.shown(access, inbound, asked)
    kind = Inbound.Kind(inbound.kind)
    judges = kind in (Inbound.Kind.HARD, Inbound.Kind.COMPLAINT) and not shown.refusals
    return {
        "access": access,
        "inbound": inbound,
        "shown": shown,
        "kind_label": kind_words(inbound),
        "icon": ICONS[kind],
        "tone": TONES.get(kind, ""),
        "summary": summary(inbound),
        "consequence": consequence(inbound, shown.refusals),
        "asks": kind in reading.ASKS,
        "became": incoming.became_of(access.organisation, inbound.pk),
        "judges": judges and bool(inbound.address) and inbound.customer_id is not None,
    }


def _after(request: HttpRequest, access: Access, inbound: Inbound, said: str) -> HttpResponse:
    """The mail as it is now; its line folds away from a list of those to look at."""
    fresh = access.get(Inbound, pk=inbound.pk)
    if not is_piece(request):
        notes.success(request, said)
        return redirect("inbound_detail", access.organisation.slug, inbound.pk)
    answer = _show(request, access, fresh)
    if fresh.seen_at is None:
        return answer
    return trigger_client_event(answer, "relance:done", {"row": f"inbound-{fresh.pk}"})


@require_POST
def inbound_seen(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Somebody has looked at it, or (`vu=0`) wants it among those to look at again."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    inbound = access.get(Inbound, pk=pk)
    seen = request.POST.get("vu") != "0"
    services.mark_seen(inbound, seen=seen, actor=user_of(request), now=moment(request))
    said = _("C’est vu.") if seen else _("De nouveau à voir.")
    return _after(request, access, inbound, said)


@require_POST
def inbound_assign(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Say whose mail it is."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    inbound = access.get(Inbound, pk=pk)
    chosen = request.POST.get("client", "")
    key = int(chosen) if chosen.isdecimal() and len(chosen) < 19 else 0
    customer = access.get(Customer, pk=key)
    services.assign(
        inbound,
        customer,
        actor=user_of(request),
        on=today_of(request, access),
        now=moment(request),
    )
    said = _("Ce mail est maintenant dans l’historique de %(name)s.") % {"name": customer.name}
    return _after(request, access, inbound, said)


@require_POST
def inbound_refuse(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Trust a refusal that could not be tied to a message: its address gets no mail any more."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    inbound = access.get(Inbound, pk=pk)
    now = moment(request)
    done = services.believe_refusal(
        inbound, actor=user_of(request), on=today_of(request, access), now=now
    )
    if not done or inbound.customer_id is None:
        refusal = _("Dites d’abord de quel client il s’agit.")
        return _show(request, access, inbound, refusal=refusal)
    bounces.changed(access.organisation, [inbound.customer_id], now)
    return _after(request, access, inbound, _("Plus rien n’est envoyé à cette adresse."))


@require_GET
def inbound_file(request: HttpRequest, slug: str, pk: int, number: int) -> FileResponse:
    """A file of the mail, to be saved: never shown by the browser as ours."""
    access = enter(request, slug)
    files = reading.files_of(access.get(Inbound, pk=pk))
    if not 1 <= number <= len(files):
        raise Http404
    one = files[number - 1]
    return _sealed(ContentFile(one.content), one.name)


@require_GET
def inbound_eml(request: HttpRequest, slug: str, pk: int) -> FileResponse:
    """The mail as it came."""
    access = enter(request, slug)
    inbound = access.get(Inbound, pk=pk)
    try:
        return _sealed(inbound.raw.open("rb"), f"reponse-{inbound.pk}.eml")
    except OSError as gone:
        raise Http404 from gone


def _sealed(file: Any, name: str) -> FileResponse:
    answer = FileResponse(
        file, as_attachment=True, filename=name, content_type="application/octet-stream"
    )
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Content-Security-Policy"] = SEALED
    answer._csp_exempt = True  # type: ignore[attr-defined] # its own is stricter
    return answer


urlpatterns = [
    path("reponses/", inbound_list, name="inbound_list"),
    path("reponses/<int:pk>/", inbound_detail, name="inbound_detail"),
    path("reponses/<int:pk>/vu/", inbound_seen, name="inbound_seen"),
    path("reponses/<int:pk>/client/", inbound_assign, name="inbound_assign"),
    path("reponses/<int:pk>/adresse/", inbound_refuse, name="inbound_refuse"),
    path("reponses/<int:pk>/pieces/<int:number>/", inbound_file, name="inbound_file"),
    path("reponses/<int:pk>/eml/", inbound_eml, name="inbound_eml"),
    *inboxes.urlpatterns,
]
