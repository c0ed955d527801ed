"""À relancer: encaissements by level, relance by mail one or several, mark as already chased."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages as notes
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from relance.accounts.access import Access
from relance.accounts.models import DunningRole
from relance.dunning.by_hand.gates import Ask
from relance.dunning.daily.refreshing import refresh
from relance.dunning.lots import batch_kinds, batches
from relance.dunning.models import Batch, BatchLine, Plan
from relance.dunning.services import Refused, relances
from relance.dunning.services.marking import mark_listed, unmark
from relance.dunning.services.undo import cancel_message
from relance.ledger import services as ledger
from relance.ledger.models import Invoice
from relance.ledger.services import LedgerError
from relance.outbox.models import Message, Status
from relance.outbox.services import StateConflictError
from relance.web import french
from relance.web.queries import chase_list as listing
from relance.web.queries import views
from relance.web.queries.today import next_due
from relance.web.requests import enter, moment, today_of, user_of
from relance.web.views import chase_letter
from relance.web.views.answers import is_piece


@require_GET
def chase_list(request: HttpRequest, slug: str) -> HttpResponse:
    """The list by level; `niveau` opens one level with its pages (S4-15)."""
    access = enter(request, slug)
    today, now = today_of(request, access), moment(request)
    filters = listing.Filters.read(request.GET)
    found = listing.listing(
        access, filters, today=today, now=now, page=request.GET.get("page", "1")
    )
    nothing = not filters.narrowed and not found.sections
    return render(
        request,
        "chase_list/list.html",
        {
            "access": access,
            "today": today,
            "filters": filters,
            "found": found,
            "tools": views.tools(request, access, "relancer", export="relancer"),
            "named": listing.named(access, filters),
            "plans": access.all(Plan).order_by("name"),
            "nothing_yet": nothing,
            "next_on": next_due(access, today) if nothing else None,
            "ticked": set(_ids(request)),
            "links": {
                "level": filters.address(niveau=""),
                "site": filters.address(chantier=""),
                "customer": filters.address(client=""),
            },
            "toast": _toast(request, access),
        },
    )


def _ids(request: HttpRequest) -> list[int]:
    values = request.POST if request.method == "POST" else request.GET
    return [int(one) for one in values.getlist("ligne") if one.isdecimal() and len(one) < 18]


def _home(request: HttpRequest, access: Access, **more: object) -> str:
    """The list as it was, with what was asked of it."""
    base = reverse("chase_list", args=[access.organisation.slug])
    back = request.POST.get("retour", "")
    kept = back.partition("?")[2] if back.startswith(base) else ""
    query = "&".join(part for part in (kept, urlencode(more, doseq=True)) if part)
    return f"{base}?{query}" if query else base


def _back(request: HttpRequest, access: Access) -> str:
    """The address of the list that opened the window, or that the window was given."""
    given = request.POST.get("retour", "")
    if given:
        return _home(request, access)
    htmx: Any = getattr(request, "htmx", None)
    base = reverse("chase_list", args=[access.organisation.slug])
    at = htmx.current_url_abs_path if htmx else ""
    filters = listing.Filters.read(QueryDict((at or "").partition("?")[2]))
    return base + (filters.address() if filters.narrowed else "")


def _toast(request: HttpRequest, access: Access) -> dict[str, Any] | None:
    """What was just done and may still be taken back."""
    slug = access.organisation.slug
    sent = request.GET.get("parti", "")
    if sent.isdecimal() and len(sent) < 18:
        message = access.all(Message).filter(pk=int(sent), made_by=access.user).first()
        if message is None or message.status != Status.QUEUED:
            return None
        left = round((message.not_before - moment(request)).total_seconds())
        text = _("Message à %(name)s, départ dans") % {"name": message.customer}
        undo = reverse("chase_list_undo", args=[slug, message.pk])
        return {"text": text, "seconds": left, "undo": undo} if left > 0 else None
    marked = [one for one in request.GET.getlist("marque") if one.isdecimal() and len(one) < 18]
    if marked:
        counted = french.counted(len(marked), _("encaissement"), _("encaissements"))
        undo = reverse("chase_list_unmark", args=[slug])
        query = urlencode([("ligne", one) for one in marked])
        text = _("%(count)s déjà relancés, à reprendre d’ici") % {"count": counted}
        if len(marked) == 1:
            text = _("Encaissement déjà relancé, à reprendre d’ici")
        return {"text": text, "seconds": 10, "undo": f"{undo}?{query}"}
    return None


@require_http_methods(["GET", "POST"])
def chase_list_write(request: HttpRequest, slug: str) -> HttpResponse:
    """Relancer par mail: the window with the level's template (S4-16, S4-17), then send."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    today, now = today_of(request, access), moment(request)
    posted = request.POST if request.method == "POST" else None
    letter = chase_letter.read(access, _ids(request), today=today, now=now, data=posted)
    context = {
        "access": access,
        "today": today,
        "letter": letter,
        "back": _back(request, access),
    }
    if request.POST.get("faire") == "lire" and is_piece(request):
        return render(
            request, "chase_list/_sheet.html", context | {"sheet_errors": _errors(letter)}
        )
    if request.POST.get("faire") == "envoyer" and letter.asks and letter.sound:
        try:
            return _send(request, access, letter)
        except (Refused, LedgerError) as no:
            letter.refusals = [str(no)]
    if posted is None and is_piece(request):
        return render(request, "chase_list/window.html", context)
    status = 200 if letter.asks and letter.sound and not letter.refusals else 422
    return render(request, "chase_list/write.html", context, status=status)


def _errors(letter: chase_letter.Letter) -> list[str]:
    found = [f"{group.title} : {group.error}" for group in letter.groups if group.error]
    if letter.form is not None and letter.form.is_bound:
        found += [str(error) for errors in letter.form.errors.values() for error in errors]
    return found + letter.refusals


def _send(request: HttpRequest, access: Access, letter: chase_letter.Letter) -> HttpResponse:
    """Keep the favourites asked for (S4-21), then one message or a batch of one level."""
    organisation = access.organisation
    when: dict[str, Any] = {"on": today_of(request, access), "now": moment(request)}
    for group in letter.groups:
        if group.keep and group.site is not None:
            ledger.keep_recipients(
                site=group.site, emails=group.emails, actor=user_of(request), **when
            )
    form = letter.form
    assert form is not None  # noqa: S101 - `read` made it with the first ask
    asks = chase_letter.asks_of(letter)
    customers = sorted({ask.customer_id for ask in asks})
    if letter.single:
        message = relances.send_one(
            organisation,
            asks[0],
            relances.Sending(
                channel=chase_letter.CHANNEL,
                actor=access.user,
                words=chase_letter.typed_words(letter),
                sender_key=form.cleaned_data["sender"],
                copy_to_me=form.cleaned_data["copy"],
                **when,
            ),
        )
        refresh(organisation, customers, **when)
        return redirect(_home(request, access, parti=message.pk))
    batch = _batch(access, letter, asks, form.cleaned_data, now=when["now"])
    refresh(organisation, customers, **when)
    return redirect("batch_detail", organisation.slug, batch.pk)


def _batch(
    access: Access,
    letter: chase_letter.Letter,
    asks: Sequence[Ask],
    chosen: Mapping[str, Any],
    *,
    now: datetime,
) -> Batch:
    """An Envoi par lot of one level, begun at once; the worker goes on (S4-18, S4-19)."""
    batch = Batch(
        organisation=access.organisation,
        kind=Batch.Kind.RELANCE,
        title=_("À relancer\u00a0: %(level)s") % {"level": letter.level_name},
        channel=chase_letter.CHANNEL,
        options={"sender": chosen["sender"], "copy": chosen["copy"]},
        made_by=access.user,
    )
    lines = [
        BatchLine(
            customer_id=ask.customer_id,
            invoices=list(ask.invoices),
            level=ask.level,
            level_name=letter.level_name.rpartition(" (")[0],
            amount_cents=one.line.amount_cents,
            currency=one.line.currency,
            before={"to": list(ask.recipients), "carriers": list(ask.carriers or ())},
        )
        for one, ask in zip(letter.asks, asks, strict=True)
    ]
    batches.begin(batch, lines, actor=access.user, now=now)
    return batch_kinds.advance(batch, now=now, pace=batches.Pace(seconds=2))


@require_POST
def chase_list_undo(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Call back a message during its ten seconds; its encaissement is to be chased again."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    message = access.get(Message, pk=pk, automatic=False)
    try:
        cancel_message(message, reason="CALLED_BACK", actor=access.user, now=moment(request))
    except StateConflictError:
        notes.error(request, _("Trop tard\u00a0: ce message est déjà parti."))
    else:
        refresh(
            access.organisation,
            [message.debtor_id],
            on=today_of(request, access),
            now=moment(request),
        )
        notes.success(request, _("Message annulé\u00a0: rien n’est parti."))
    return redirect(_home(request, access))


@require_http_methods(["GET", "POST"])
def chase_list_mark(request: HttpRequest, slug: str) -> HttpResponse:
    """Marquer comme déjà relancé, with a note, one or several of a level (S4-23, S4-24)."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    today = today_of(request, access)
    if request.method == "POST":
        return _mark(request, access)
    chosen, gone = chase_letter.chosen_lines(access, _ids(request), today=today)
    first = chosen[0].line if chosen else None
    level = listing.level_of(access, first) if first else None
    context = {
        "access": access,
        "today": today,
        "mark": True,
        "chosen": chosen,
        "gone": gone,
        "refusal": "" if chosen else " ".join(gone),
        "level": f"{first.plan_id}-{first.level}" if first else "",
        "level_name": level or "",
        "back": _back(request, access),
    }
    if is_piece(request):
        return render(request, "chase_list/window.html", context)
    return render(request, "chase_list/write.html", context, status=200 if chosen else 422)


def _mark(request: HttpRequest, access: Access) -> HttpResponse:
    today, now = today_of(request, access), moment(request)
    ids = _ids(request)[: chase_letter.MOST]
    invoices = list(access.all(Invoice).filter(pk__in=ids).select_related("customer"))
    level = request.POST.get("niveau", "").rpartition("-")[2]
    if not invoices or not level.isdecimal() or len(level) > 4:
        notes.error(request, _("Cochez au moins un encaissement."))
        return redirect(_home(request, access))
    marked = mark_listed(
        access.organisation,
        invoices=invoices,
        level=int(level),
        actor=user_of(request),
        on=today,
        now=now,
        note=request.POST.get("note", "").replace("\0", "").strip()[:500],
    )
    for _invoice, why in marked.refused:
        notes.error(request, why)
    return redirect(_home(request, access, marque=[one.pk for one in marked.done]))


@require_POST
def chase_list_unmark(request: HttpRequest, slug: str) -> HttpResponse:
    """Take back the marks just made: these encaissements are to be chased again."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    values = request.GET.getlist("ligne")[: chase_letter.MOST]
    ids = [int(one) for one in values if one.isdecimal() and len(one) < 18]
    undone = 0
    for invoice in access.all(Invoice).filter(pk__in=ids).select_related("customer"):
        try:
            unmark(
                invoice, actor=user_of(request), on=today_of(request, access), now=moment(request)
            )
            undone += 1
        except Refused as no:
            notes.error(request, f"{invoice.number} : {no}")
    if undone:
        notes.success(request, _("Marque annulée\u00a0: à relancer de nouveau."))
    return redirect(_home(request, access))


urlpatterns = [
    path("a-relancer/", chase_list, name="chase_list"),
    path("a-relancer/relancer/", chase_list_write, name="chase_list_write"),
    path("a-relancer/relancer/<int:pk>/annuler/", chase_list_undo, name="chase_list_undo"),
    path("a-relancer/deja-relance/", chase_list_mark, name="chase_list_mark"),
    path("a-relancer/deja-relance/annuler/", chase_list_unmark, name="chase_list_unmark"),
]
