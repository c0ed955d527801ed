"""Demander justificatifs, the requests made, and what the clients answered (S0-21 to S0-37)."""

from datetime import date
from typing import Any

from django.contrib import messages as notes
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from relance.accounts import clock
from relance.accounts.access import Access
from relance.accounts.models import BankRole, CollectRole
from relance.bank.services.errors import BankRefused
from relance.outbox import services as outbox
from relance.outbox.models import Message
from relance.receipts import doors
from relance.receipts.models import Answer, Request
from relance.receipts.services import answers
from relance.receipts.services.asking import prepare, readers, workbook_name
from relance.receipts.services.sending import XLSX, last_request, send_request
from relance.receipts.workbook import write_request_workbook
from relance.web.queries import receipts as reads
from relance.web.queries.paging import page_of
from relance.web.requests import enter_bank, moment, today_of, user_of

MOST_NOTE = 2000
MAIL_CSP = {
    "default-src": ["'none'"],
    "style-src": ["'unsafe-inline'"],
    "img-src": ["'none'"],
    "form-action": ["'none'"],
    "frame-ancestors": ["'self'"],
    "sandbox": True,
}
"""A mail styles itself inside its tags; nothing else of it works here."""


@require_http_methods(["GET", "POST"])
def receipts_ask(request: HttpRequest, slug: str) -> HttpResponse:
    """The window: what is asked, of whom, the mail as it will leave; then it leaves (S0-26)."""
    access = enter_bank(request, slug)
    if request.method == "POST":
        return _ask(request, access)
    chosen = {reader.user.pk for reader in readers(access.organisation) if reader.eligible}
    note = request.GET.get("note", "")[:MOST_NOTE]
    copy = user_of(request).receives_copy
    return _window(request, access, chosen=chosen, note=note, copy=copy)


def _window(
    request: HttpRequest,
    access: Access,
    *,
    chosen: set[int],
    note: str,
    copy: bool,
    refusal: str = "",
) -> HttpResponse:
    wish = reads.Wish.read(request.GET)
    everybody = readers(access.organisation)
    rows = wish.rows(access)
    totals = reads.totals(rows)
    address = request.GET.copy()
    address["note"] = note
    context = {
        "access": access,
        "wish": wish,
        "single": rows.first() if wish.operation else None,
        "totals": totals,
        "readers": everybody,
        "eligible": [reader for reader in everybody if reader.eligible],
        "chosen": chosen,
        "note": note,
        "copy": copy,
        "seen": last_request(access.organisation),
        "latest": reads.made(
            access.all(Request)
            .select_related("made_by", "door")
            .prefetch_related("users")
            .order_by("-pk")[:1],
            moment=moment(request),
        ),
        "refusal": refusal,
        "filename": workbook_name(access.organisation),
        "address": request.GET.urlencode(),
        "preview": address.urlencode(),
    }
    status = 409 if refusal else 200
    return render(request, "receipts_pages/ask.html", context, status=status)


def _ask(request: HttpRequest, access: Access) -> HttpResponse:
    access.require_bank(BankRole.R3)
    wish = reads.Wish.read(request.GET)
    ticked = {int(key) for key in request.POST.getlist("vers") if key.isdecimal()}
    note = request.POST.get("note", "").strip()[:MOST_NOTE]
    copy = "copie" in request.POST
    users = [one.user for one in readers(access.organisation) if one.user.pk in ticked]
    seen = request.POST.get("seen", "")
    user = user_of(request)
    try:
        made = send_request(
            organisation=access.organisation,
            kind=Request.Kind.SINGLE if wish.operation else Request.Kind.MANUAL,
            rows=list(wish.rows(access)),
            users=users,
            on=today_of(request, access),
            now=moment(request),
            actor=user,
            first=wish.first,
            last=wish.last,
            note=note,
            copies=[user.email] if copy else [],
            seen=int(seen) if seen.isdecimal() and len(seen) < 19 else 0,
        )
    except BankRefused as refusal:
        return _window(request, access, chosen=ticked, note=note, copy=copy, refusal=str(refusal))
    said = ngettext(
        "La demande part dans dix secondes à %(n)s personne.",
        "La demande part dans dix secondes à %(n)s personnes.",
        len(users),
    )
    notes.success(request, said % {"n": len(users)})
    return redirect("request_detail", access.organisation.slug, made.pk)


@require_GET
@xframe_options_sameorigin
def receipts_preview(request: HttpRequest, slug: str) -> HttpResponse:
    """The mail exactly as it would leave, for its frame; its links open nothing."""
    access = enter_bank(request, slug)
    wish = reads.Wish.read(request.GET)
    rows = list(wish.rows(access))
    if not rows:
        raise Http404
    note = request.GET.get("note", "")[:MOST_NOTE]
    letter = prepare(
        access.organisation,
        rows,
        actor=user_of(request),
        note=note,
        first=wish.first,
        last=wish.last,
    )
    answer = HttpResponse(letter.html)
    answer._csp_replace = MAIL_CSP  # type: ignore[attr-defined]
    return answer


@require_GET
def receipts_excel(request: HttpRequest, slug: str) -> HttpResponse:
    """The workbook that will be attached (S0-33)."""
    access = enter_bank(request, slug)
    rows = list(reads.Wish.read(request.GET).rows(access))
    answer = HttpResponse(write_request_workbook(rows), content_type=XLSX)
    name = workbook_name(access.organisation)
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


@require_GET
def request_list(request: HttpRequest, slug: str) -> HttpResponse:
    """Every request of the dossier: what, to whom, when, opened, answered."""
    access = enter_bank(request, slug)
    now = moment(request)
    page = reads.requests_page(access, request.GET.get("page"), moment=now)
    return render(request, "receipts_pages/requests.html", {"access": access, "page": page})


@require_GET
def request_detail(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """One request, its transactions with what was answered, and its link."""
    access = enter_bank(request, slug)
    access.get(Request, pk=pk)
    rows = access.all(Request).filter(pk=pk).select_related("made_by", "door", "organisation")
    [made] = reads.made(rows.prefetch_related("users"), moment=moment(request))
    context = {
        "access": access,
        "made": made,
        "one": made.request,
        "door": getattr(made.request, "door", None),
        "page": reads.asked_of(access, made.request, request.GET.get("page")),
        "waiting": made.message is not None and made.message.status in ("queued", "retrying"),
    }
    return render(request, "receipts_pages/request.html", context)


@require_POST
def request_revoke(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Close the link for good; a message that still waits does not leave either."""
    access = enter_bank(request, slug, BankRole.R3)
    found = access.get(Request, pk=pk)
    message = access.all(Message).filter(pk=found.message_id or 0).first()
    stopped = False
    if message is not None and message.status in ("queued", "retrying"):
        try:
            outbox.cancel(message=message, now=moment(request), reason="BY_HAND")
            stopped = True
        except outbox.StateConflictError:
            stopped = False
    doors.revoke(found, now=moment(request))
    if stopped:
        notes.success(request, _("La demande ne partira pas."))
    else:
        notes.success(request, _("Le lien est fermé\u00a0: il n’ouvre plus rien."))
    return redirect("request_detail", slug, pk)


@require_GET
def reply_list(request: HttpRequest, slug: str) -> HttpResponse:
    """What the client answered: to accept, or to ask again."""
    access = enter_bank(request, slug)
    handled = request.GET.get("vues") == "1"
    page = page_of(reads.replies(access, handled=handled), request.GET.get("page"))
    context = {
        "access": access,
        "page": page,
        "handled": handled,
        "tabs": reply_tabs(
            reverse("reply_list", args=[slug]), handled, reads.replies(access).count()
        ),
        "deed_url": reverse("reply_deed", args=[slug]),
        "can_ask": access.can_ask,
        "restricted": access.collect < CollectRole.ALL,
    }
    return render(request, "receipts_pages/replies.html", context)


def reply_tabs(url: str, handled: bool, waiting: int) -> list[dict[str, Any]]:
    """Those to look at, and those looked at."""
    return [
        {"url": url, "label": _("À examiner"), "count": waiting, "current": not handled},
        {"url": f"{url}?vues=1", "label": _("Examinées"), "count": None, "current": handled},
    ]


@require_POST
def reply_deed(request: HttpRequest, slug: str) -> HttpResponse:
    """Accept the answers ticked (or one), or ask again; what another did first stays."""
    access = enter_bank(request, slug, BankRole.R3)
    chosen = reads.replies(access).filter(pk__in=ticked_keys(request))
    do_replies(request, list(chosen))
    return redirect("reply_list", slug)


def ticked_keys(request: HttpRequest) -> list[int]:
    """The rows ticked, or the one of the button pressed."""
    one = request.POST.get("une", "")
    keys = [one] if one else request.POST.getlist("cochee")
    return [int(key) for key in keys if key.isdecimal() and len(key) < 19]


def do_replies(request: HttpRequest, chosen: list[Answer]) -> None:
    """Do to the answers what the button says, and tell how many were done."""
    user, now = user_of(request), moment(request)
    again = request.POST.get("geste") == "redemander"
    done = 0
    for answer in chosen:
        if answer.handled_at is not None:
            continue
        if again and answer.kind != Answer.Kind.DOCUMENT:
            on = answer_day(request, answer)
            answers.ask_again(answer=answer, actor=user, on=on, now=now)
        else:
            answers.accept(answer=answer, actor=user, now=now)
        done += 1
    if not done:
        notes.error(request, _("Cochez au moins une réponse qui attend encore."))
    elif again:
        words = ngettext(
            "%(n)s opération est de nouveau à valider\u00a0: elle sera dans la prochaine demande.",
            "%(n)s opérations sont de nouveau à valider\u00a0: elles seront dans la "
            "prochaine demande.",
            done,
        )
        notes.success(request, words % {"n": done})
    else:
        words = ngettext("%(n)s réponse acceptée.", "%(n)s réponses acceptées.", done)
        notes.success(request, words % {"n": done})


def answer_day(request: HttpRequest, answer: Answer) -> date:
    """The local date in the dossier of an answer."""
    return clock.local_date(answer.organisation, moment(request))


urlpatterns = [
    path("banque/demander/", receipts_ask, name="receipts_ask"),
    path("banque/demander/apercu/", receipts_preview, name="receipts_preview"),
    path("banque/demander/excel/", receipts_excel, name="receipts_excel"),
    path("banque/demandes/", request_list, name="request_list"),
    path("banque/demandes/<int:pk>/", request_detail, name="request_detail"),
    path("banque/demandes/<int:pk>/fermer/", request_revoke, name="request_revoke"),
    path("banque/reponses/", reply_list, name="reply_list"),
    path("banque/reponses/geste/", reply_deed, name="reply_deed"),
]
