"""Relances clients: search, tick, read what will leave, send or print, and see the result (S1)."""

from typing import Any

from django.contrib import messages as notes
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from relance.accounts.access import Access
from relance.accounts.models import DunningRole
from relance.dunning.lots import batch_kinds, batches, relance_batch, selection
from relance.dunning.lots.batches import Pace
from relance.dunning.lots.selection import Criteria
from relance.dunning.models import Batch, BatchLine
from relance.dunning.services import Refused, relances
from relance.dunning.wording.sheet import fragment
from relance.ledger.models import Customer
from relance.web import french
from relance.web.queries import batches as reading
from relance.web.requests import enter, moment, today_of, user_of
from relance.web.views.batches_forms import FilterForm, initial_of

AT_ONCE = Pace(seconds=1.5)
"""A small batch is done before the answer; the worker does the rest of a large one."""


def _draft(access: Access, pk: int) -> Batch:
    """A draft of the user's own: what another person ticks is his."""
    batch = access.get(Batch, pk=pk)
    if batch.kind != Batch.Kind.RELANCE or batch.made_by_id != access.user.pk:
        raise Http404
    return batch


@require_GET
def batch_relances(request: HttpRequest, slug: str) -> HttpResponse:
    """The window opens on the filters, or on the draft that was left (S1-05)."""
    access = enter(request, slug)
    kept = (
        access.all(Batch)
        .filter(
            kind=Batch.Kind.RELANCE,
            status=Batch.Status.DRAFT,
            made_by=user_of(request),
            options__has_key="criteria",
        )
        .order_by("-id")
        .first()
    )
    if kept and "nouveau" not in request.GET:
        return redirect("batch_selection", slug, kept.pk)
    form = FilterForm(access, initial={"methode": "email", "grouper": True})
    return _start_page(request, access, form)


def _start_page(request: HttpRequest, access: Access, form: FilterForm) -> HttpResponse:
    latest = access.all(Batch).filter(kind=Batch.Kind.RELANCE).exclude(status=Batch.Status.DRAFT)
    context = {
        "access": access,
        "form": form,
        "today": today_of(request, access),
        "unpaid": reading.unpaid_count(access),
        "latest": latest.select_related("made_by").order_by("-id")[:8],
        "batch": None,
    }
    return render(request, "batches/relances.html", context)


@require_POST
def batch_search(request: HttpRequest, slug: str) -> HttpResponse:
    """« Rechercher »: lists all that is unpaid and ticks what the filters find (S1-09)."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    form = FilterForm(access, request.POST)
    if not form.is_valid():
        return _start_page(request, access, form)
    criteria, asked = form.criteria(), form.cleaned_data
    batch = selection.search(
        access.organisation,
        criteria,
        method=asked["methode"],
        grouped=asked["grouper"],
        actor=user_of(request),
        on=today_of(request, access),
        now=moment(request),
        title=_title(criteria),
    )
    return redirect("batch_selection", slug, batch.pk)


def _title(criteria: Criteria) -> str:
    if criteria.level and criteria.level_name:
        return f"{criteria.level_name}{french.NBSP}({criteria.level})"
    return _("Relances clients")


@require_GET
def batch_selection(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """All unpaid invoices by client, those that the filters found ticked (S1-09 to S1-12)."""
    access = enter(request, slug)
    batch = _draft(access, pk)
    if batch.status != Batch.Status.DRAFT:
        return redirect("batch_detail", slug, pk)
    if "criteria" not in batch.options:
        raise Http404  # no selection: what was left of a process that died
    asked = Criteria(**batch.options["criteria"])
    grouped = batch.options["grouped"]
    initial = initial_of(asked, method=batch.channel, grouped=grouped)
    text = " ".join(request.GET.get("q", "").replace("\0", "").split())[:100]
    shown = reading.page_of(
        access,
        batch,
        page=_number(request.GET.get("page")),
        text=text,
        on=today_of(request, access),
    )
    context = {
        "form": FilterForm(access, initial=initial),
        "shown": shown,
        "text": text,
        "unpaid": reading.unpaid_count(access),
        "given": asked.given,
        **_bar(request, access, batch),
    }
    return render(request, "batches/relances.html", context)


def _number(value: str | None) -> int:
    return min(int(value), 100_000) if value and value.isdecimal() and len(value) < 7 else 1


def _bar(request: HttpRequest, access: Access, batch: Batch) -> dict[str, Any]:
    """What the action bar says: how much is ticked, and who will receive nothing (S1-23)."""
    ticked = selection.ticked(batch)
    silent = selection.without_address(batch)
    names = [customer.name for customer in silent[:2]]
    return {
        "access": access,
        "batch": batch,
        "today": today_of(request, access),
        "grouped": batch.options.get("grouped"),
        "ticked": ticked,
        "sums": [(cents, currency) for currency, cents in ticked.cents.items()],
        "silent": _silent_words(names, silent.count() if len(names) > 1 else len(names), batch),
        "most": selection.MOST,
    }


def _silent_words(names: list[str], count: int, batch: Batch) -> str:
    if not count:
        return ""
    why = (
        _("aucune adresse postale dans Définition")
        if batch.channel == "letter"
        else _("aucune adresse dans Définition")
    )
    if count == 1:
        return _("%(name)s ne recevra rien\u00a0: %(why)s.") % {"name": names[0], "why": why}
    return _("%(name)s et %(others)s ne recevront rien\u00a0: %(why)s.") % {
        "name": names[0],
        "others": french.counted(count - 1, _("autre client"), _("autres clients")),
        "why": why,
    }


@require_POST
def batch_tick(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """The boxes of one page as they now stand (S1-10); then on to another page, or to reading."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    batch = _draft(access, pk)
    if batch.status != Batch.Status.DRAFT:
        return redirect("batch_detail", slug, pk)
    shown = _ids(request.POST.get("vues", "").split(","))
    chosen = _ids(request.POST.getlist("facture"))
    then = request.POST.get("suite", "")
    batch = selection.tick(batch, shown=shown, chosen=chosen)
    if then == "rien":
        batch = selection.clear(batch)
    if getattr(request, "htmx", False):
        on = today_of(request, access)
        keys = sorted(_ids(request.POST.get("clients", "").split(",")))
        context = _bar(request, access, batch)
        context["groups"] = reading.groups_of(access, batch, _own(access, keys), on)
        return render(request, "batches/_ticked.html", context)
    if then == "apercu":
        return redirect("batch_preview", slug, pk)
    here = reverse("batch_selection", args=[slug, pk])
    page = _number(then.removeprefix("page-")) if then.startswith("page-") else 1
    return redirect(f"{here}?page={page}")


def _own(access: Access, keys: list[int]) -> list[int]:
    return list(access.all(Customer).filter(pk__in=keys).values_list("pk", flat=True))


def _ids(values: list[str]) -> set[int]:
    return {int(one) for one in values if one.isdecimal() and len(one) < 18}


@require_GET
def batch_preview(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """What will leave, before it does: how many at each level, the texts, and what stays."""
    access = enter(request, slug)
    batch = _draft(access, pk)
    if batch.status != Batch.Status.DRAFT:
        return redirect("batch_detail", slug, pk)
    today = today_of(request, access)
    if batch.options.get("checked") != today.isoformat():
        batch = selection.check(batch, on=today)
    lines = selection.filled(batch)
    going = lines.filter(level__isnull=False).order_by("id")
    number = _number(request.GET.get("n"))
    count = going.count()
    number = max(1, min(number, count))
    levels = reading.per_level(lines)
    context = {
        **_bar(request, access, batch),
        "levels": levels,
        "leaving": reading.together(levels),
        "held": reading.held_back(lines),
        "count": count,
        "number": number,
        "previous": number - 1,
        "next": number + 1,
        "warned": batch.options.get("warned", 0),
        **_sample(request, access, batch, going[number - 1 : number]),
    }
    return render(request, "batches/preview.html", context)


def _sample(request: HttpRequest, access: Access, batch: Batch, lines: Any) -> dict[str, Any]:
    """One message in full, as it would leave."""
    line = lines.select_related("customer").first()
    if line is None:
        return {"sample": None}
    try:
        draft = relances.preview_one(
            access.organisation,
            relance_batch.ask_of(line),
            relances.Sending(
                channel=batch.channel,
                actor=user_of(request),
                on=today_of(request, access),
                now=moment(request),
                words=relance_batch.words_of(batch),
            ),
        )
    except Refused as refused:
        return {"sample": None, "line": line, "moved": str(refused)}
    return {"sample": draft, "line": line, "body": fragment(draft.html)}


@require_POST
def batch_send(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """« Envoyer » or « Imprimer »: the draft is let go (S1-13)."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    batch = _draft(access, pk)
    try:
        batch = selection.confirm(batch, actor=user_of(request), now=moment(request))
    except Refused as refused:
        notes.error(request, str(refused))
        return redirect("batch_detail", slug, pk)
    batch_kinds.advance(batch, now=moment(request), pace=AT_ONCE)
    return redirect("batch_detail", slug, pk)


@require_GET
def batch_detail(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Any batch: how far it is, and the result for each client. One may leave the page."""
    access = enter(request, slug)
    batch = access.get(Batch, pk=pk)
    if batch.status == Batch.Status.DRAFT and batch.kind == Batch.Kind.RELANCE:
        if batch.made_by_id == access.user.pk and "criteria" in batch.options:
            return redirect("batch_selection", slug, pk)
        raise Http404
    wanted = request.GET.get("vue", "")
    lines = batch.lines.select_related("customer").order_by("customer__search", "id")
    if wanted == "refuses":
        lines = lines.filter(status=BatchLine.Status.REFUSED)
    page = Paginator(lines, 50).get_page(request.GET.get("page", "1"))
    context = {
        **_progress(access, batch),
        "today": today_of(request, access),
        "page": page,
        "results": reading.results(batch, list(page.object_list)),
        "wanted": wanted,
        "held": reading.held_back(batch.lines.all()) if batch.refused else [],
    }
    return render(request, "batches/detail.html", context)


@require_GET
def batch_progress(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """The bar alone, asked again while it runs."""
    access = enter(request, slug)
    batch = access.get(Batch, pk=pk)
    answer = render(request, "batches/_progress.html", _progress(access, batch))
    if batch.status not in batches.AT_WORK and request.GET.get("encours"):
        answer["HX-Refresh"] = "true"  # the table of results is complete now
    return answer


def _progress(access: Access, batch: Batch) -> dict[str, Any]:
    gone = batches.departures(batch)
    url = reverse("batch_progress", args=[access.organisation.slug, batch.pk])
    running = batch.status == Batch.Status.RUNNING
    return {
        "access": access,
        "batch": batch,
        "gone": gone,
        "text": _progress_words(batch),
        "handled": batch.done + batch.refused,
        "running": running,
        "leaving": bool(gone.waiting) and batch.channel == "email",
        "url": f"{url}?encours=1" if running else url,
        "can_stop": batch.status in batches.AT_WORK or gone.waiting,
    }


def _progress_words(batch: Batch) -> str:
    """`38 sur 120, 1 refusé` (how far the lines are, whatever each one is)."""
    if batch.status == Batch.Status.SCHEDULED:
        return _("Programmé, %(count)s à traiter") % {"count": french.number(batch.total)}
    words = _("%(done)s sur %(all)s") % {
        "done": french.number(batch.done),
        "all": french.number(batch.total),
    }
    if batch.refused:
        refused = ngettext("%(n)s refusé", "%(n)s refusés", batch.refused)
        words += ", " + refused % {"n": french.number(batch.refused)}
    return words


@require_POST
def batch_cancel(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Stop the rest: lines that wait, and messages that have not left."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    batch = access.get(Batch, pk=pk)
    if batch.status == Batch.Status.DRAFT and batch.made_by_id != access.user.pk:
        raise Http404
    try:
        count = batches.cancel(batch, actor=user_of(request), now=moment(request))
    except Refused as refused:
        notes.error(request, str(refused))
    else:
        words = ngettext("%(n)s envoi arrêté.", "%(n)s envois arrêtés.", count)
        notes.success(request, words % {"n": french.number(count)})
    return redirect("batch_detail", slug, pk)


urlpatterns = [
    path("relances-clients/", batch_relances, name="batch_relances"),
    path("relances-clients/rechercher/", batch_search, name="batch_search"),
    path("relances-clients/<int:pk>/", batch_selection, name="batch_selection"),
    path("relances-clients/<int:pk>/cocher/", batch_tick, name="batch_tick"),
    path("relances-clients/<int:pk>/apercu/", batch_preview, name="batch_preview"),
    path("relances-clients/<int:pk>/envoyer/", batch_send, name="batch_send"),
    path("lots/<int:pk>/", batch_detail, name="batch_detail"),
    path("lots/<int:pk>/avancement/", batch_progress, name="batch_progress"),
    path("lots/<int:pk>/arreter/", batch_cancel, name="batch_cancel"),
]
