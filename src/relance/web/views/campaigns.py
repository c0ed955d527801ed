"""Campagnes: a message to any selection of customers, with or without due invoices (S3-04)."""

from collections.abc import Mapping
from datetime import datetime, time
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages as notes
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from relance.accounts.access import Access
from relance.accounts.models import DunningRole
from relance.dunning.lots import batch_kinds, batches, campaigns
from relance.dunning.lots.batches import Pace
from relance.dunning.lots.campaigns import Item, Wish
from relance.dunning.models import Batch, Plan, Template
from relance.dunning.services import Refused
from relance.dunning.services.managers import possible_managers
from relance.dunning.wording import sheet, templating
from relance.ledger.models import Customer, Invoice
from relance.outbox.channels.base import DeliveryError
from relance.outbox.mailboxes import UnknownSenderError
from relance.outbox.services import Draft
from relance.outbox.trial import send_trial
from relance.web import french
from relance.web.queries import campaigns as reads
from relance.web.queries import customers as clients
from relance.web.queries import views
from relance.web.requests import enter, moment, today_of, user_of
from relance.web.views.bulk import invoices_of
from relance.web.views.campaigns_forms import CampaignForm, LaunchForm

AT_ONCE_SECONDS = 2
SENDER_GONE = lazy("Cette adresse d’envoi n’existe plus : choisissez-en une autre.")


@require_GET
def campaign_list(request: HttpRequest, slug: str) -> HttpResponse:
    """Every campaign with its state: drafts, scheduled, at work, done."""
    access = enter(request, slug)
    page = reads.list_page(access, request.GET.get("page", "1"))
    tools = views.tools(request, access, "campagnes", export="campagnes")
    context = {"access": access, "page": page, "tools": tools}
    return render(request, "campaigns/list.html", context)


@require_GET
def campaign_new(request: HttpRequest, slug: str) -> HttpResponse:
    """To whom: "tous ceux qui ont …", or one client when his page leads here (S3-04, S3-05)."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    filters = clients.Filters.read(request.GET)
    chosen = request.GET.get("client", "")
    customer = access.get(Customer, pk=int(chosen[:18])) if chosen.isdecimal() else None
    found = clients.selection(access, filters, today=today_of(request, access))
    context = {
        "access": access,
        "customer": customer,
        "filters": filters,
        "count": 1 if customer else found.count(),
        "first": [customer] if customer else list(found[:12]),
        "states": clients.STATES,
        "plans": access.all(Plan).order_by("name"),
        "no_plan": clients.NO_PLAN,
        "managers": possible_managers(access.organisation),
        "nobody": clients.NOBODY,
        "mails": clients.MAILS,
        "back": filters.address(),
    }
    return render(request, "campaigns/new.html", context)


@require_POST
def campaign_start(request: HttpRequest, slug: str) -> HttpResponse:
    """A draft for the clients ticked, all of a list, or the clients of the invoices ticked."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    today = today_of(request, access)
    options: dict[str, Any]
    if request.POST.get("source") == "factures":
        keys = invoices_of(request, access)
        chosen: dict[str, list[int]] = {}
        rows = access.all(Invoice).filter(pk__in=keys).order_by("due", "pk")
        for key, customer in rows.values_list("pk", "customer_id"):
            chosen.setdefault(str(customer), []).append(key)
        options = {
            "customers": [int(key) for key in chosen],
            "chosen": chosen,
            "about": campaigns.CHOSEN,
        }
        back = "dashboard"
    else:
        keys = clients.chosen_customers(access, request.POST, today=today)
        options = {"customers": keys, "about": campaigns.NONE}
        back = "customer_list"
    if not options["customers"]:
        notes.error(request, _("Cochez au moins une ligne."))
        return redirect(back, slug)
    title = _("Campagne du %(day)s") % {"day": french.date_text(today)}
    batch = campaigns.save(
        access.organisation,
        None,
        values={"title": title, "channel": "email", "options": options},
        actor=user_of(request),
        now=moment(request),
    )
    return redirect("campaign_detail", slug, batch.pk)


@require_http_methods(["GET", "POST"])
def campaign_detail(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """A draft is written here; once launched, what became of each client."""
    access = enter(request, slug)
    batch = access.get(Batch, pk=pk, kind=Batch.Kind.CAMPAIGN)
    if request.method == "POST":
        access.require(DunningRole.ACCOUNT_MANAGER)
        return _posted(request, access, batch)
    if batch.status == Batch.Status.DRAFT:
        return _edit(request, access, batch, CampaignForm(access, batch, initial=_initial(batch)))
    return _result(request, access, batch)


def _initial(batch: Batch) -> dict[str, Any]:
    options = batch.options
    return {
        "title": batch.title,
        "about": options.get("about", campaigns.NONE),
        "channel": batch.channel,
        "subject": batch.subject,
        "body": batch.body,
        "recent_days": options.get("recent_days") or None,
        "once": options.get("once", False),
        "sender": options.get("sender", ""),
    }


def _posted(request: HttpRequest, access: Access, batch: Batch) -> HttpResponse:
    """Save the draft, then what the button says: check it, try it on oneself, stay."""
    form = CampaignForm(access, batch, request.POST)
    deed = request.POST.get("faire", "enregistrer")
    if deed == "modele":
        key = request.POST.get("modele", "")
        template = access.get(Template, pk=int(key[:18]) if key.isdecimal() else 0)
        form = form.with_template(template)
        return _edit(request, access, batch, form)
    if not form.is_valid():
        return _edit(request, access, batch, form, status=422)
    try:
        batch = campaigns.save(
            access.organisation,
            batch,
            values=form.values(),
            actor=user_of(request),
            now=moment(request),
        )
    except Refused as refused:
        notes.error(request, str(refused))
        return redirect("campaign_detail", access.organisation.slug, batch.pk)
    if deed == "verifier":
        return redirect("campaign_check", access.organisation.slug, batch.pk)
    if deed == "essai":
        return _edit(request, access, batch, form, told=_trial(request, access, batch))
    notes.success(request, _("Brouillon enregistré."))
    return redirect("campaign_detail", access.organisation.slug, batch.pk)


def _trial(request: HttpRequest, access: Access, batch: Batch) -> dict[str, str]:
    """The message to oneself, as the client shown would get it; counted nowhere."""
    wish = campaigns.wish_of(batch)
    customer, _count = reads.neighbours(access, wish.customers, _place(request.POST))
    if customer is None:
        return {"refusal": _("Cette campagne n’a aucun client.")}
    try:
        found = _written(request, access, batch, wish, customer)
        if found is None:
            return {"refusal": _("Ce client n’existe plus.")}
        subject = _("[Essai] %(subject)s") % {"subject": found[1].subject}
        to = send_trial(found[1], to=access.user.email, subject=subject, now=moment(request))
    except UnknownSenderError:
        return {"refusal": str(SENDER_GONE)}
    except DeliveryError as fault:
        return {
            "refusal": _("L’essai n’est pas parti. Réponse du serveur : %(answer)s")
            % {"answer": fault.answer}
        }
    return {
        "tried": _("Essai envoyé à %(to)s, comme le lirait %(client)s.")
        % {"to": to, "client": customer.name}
    }


def _written(
    request: HttpRequest, access: Access, batch: Batch, wish: Wish, customer: Customer
) -> tuple[Item, Draft] | None:
    return campaigns.written(
        access.organisation,
        wish,
        customer.pk,
        on=today_of(request, access),
        now=moment(request),
        actor=access.user,
        sender_key=str(batch.options.get("sender", "")),
    )


def _place(values: QueryDict) -> int:
    text = values.get("n", "0")
    return int(text[:6]) if text.isdecimal() else 0


def _edit(
    request: HttpRequest,
    access: Access,
    batch: Batch,
    form: CampaignForm,
    *,
    status: int = 200,
    told: Mapping[str, str] = MappingProxyType({}),
) -> HttpResponse:
    if not access.can_write:
        for field in form.fields.values():
            field.disabled = True
    context = {
        "access": access,
        "batch": batch,
        "form": form,
        "count": len(batch.options.get("customers", [])),
        "invoices": sum(len(keys) for keys in batch.options.get("chosen", {}).values()),
        "templates": access.all(Template)
        .filter(channel__in=campaigns.CHANNELS)
        .order_by("channel", "name"),
        "variables": {
            name: label for name, label in templating.VARIABLES.items() if name != "niveau"
        },
        "blocks": templating.BLOCKS,
        **_sheet(request, access, batch, form),
        **told,
    }
    return render(request, "campaigns/edit.html", context, status=status)


@require_POST
def campaign_sheet(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """The sheet as a real client of the selection would read it, from the words being typed."""
    access = enter(request, slug)
    batch = access.get(Batch, pk=pk, kind=Batch.Kind.CAMPAIGN)
    form = CampaignForm(access, batch, request.POST)
    context = {"access": access, "batch": batch, **_sheet(request, access, batch, form)}
    return render(request, "campaigns/_sheet.html", context)


def _sheet(
    request: HttpRequest, access: Access, batch: Batch, form: CampaignForm
) -> dict[str, Any]:
    place = _place(request.POST if request.method == "POST" else request.GET)
    wish = form.wish()
    customer, count = reads.neighbours(access, wish.customers, place)
    place = max(0, min(place, count - 1))
    shown: dict[str, Any] = {
        "customer": customer,
        "place": place,
        "number": place + 1,
        "of": count,
        "previous": place - 1 if place else None,
        "next": place + 1 if place + 1 < count else None,
        "faults": campaigns.faults(wish.words, wish.about),
        "by_post": wish.channel == "letter",
        "empty": not wish.words.body.strip(),
    }
    if customer is None or shown["faults"] or shown["empty"]:
        return shown
    try:
        return shown | _read(_written(request, access, batch, wish, customer))
    except UnknownSenderError:
        return shown | {"refusal": SENDER_GONE}


def _read(found: tuple[Item, Draft] | None) -> dict[str, Any]:
    """One message as it lies on the sheet, and why its client would not get it."""
    if found is None:
        return {}
    item, draft = found
    return {
        "item": item,
        "why": reads.reason_words(item.code, item.detail) if item.code else "",
        "draft": draft,
        "text": sheet.fragment(draft.html),
    }


# --- checked, launched ----------------------------------------------------------


@require_http_methods(["GET", "POST"])
def campaign_check(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """What will leave and what will not, with the reasons; then now, or at an hour."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    batch = access.get(Batch, pk=pk, kind=Batch.Kind.CAMPAIGN)
    if batch.status != Batch.Status.DRAFT and request.method == "GET":
        return redirect("campaign_detail", slug, pk)
    today, now = today_of(request, access), moment(request)
    form = LaunchForm(today, request.POST if request.method == "POST" else None)
    refusal = ""
    if request.method == "POST" and form.is_valid():
        try:
            batch = campaigns.launch(
                batch,
                actor=user_of(request),
                on=today,
                now=now,
                not_before=_when(access, form),
            )
            batch_kinds.advance(batch, now=now, pace=Pace(seconds=AT_ONCE_SECONDS))
        except Refused as refused:
            if refused.code == "ALREADY_STARTED":
                notes.error(request, str(refused))
                return redirect("campaign_detail", slug, pk)
            refusal = str(refused)
        else:
            return redirect("campaign_detail", slug, pk)
    context = _foreseen(request, access, batch)
    context |= {"form": form, "refusal": refusal or context["refusal"]}
    htmx: Any = getattr(request, "htmx", None)
    if htmx and htmx.target == "sheet":
        return render(request, "campaigns/_sheet.html", context)
    return render(request, "campaigns/check.html", context, status=422 if form.errors else 200)


def _when(access: Access, form: LaunchForm) -> datetime | None:
    """The moment chosen, said in the dossier's time, as UTC; None for now."""
    if form.cleaned_data["quand"] != "plus-tard":
        return None
    day, hour = form.cleaned_data["jour"], form.cleaned_data["heure"] or time(9)
    return datetime.combine(day, hour, ZoneInfo(access.organisation.timezone))


def _foreseen(request: HttpRequest, access: Access, batch: Batch) -> dict[str, Any]:
    wish = campaigns.wish_of(batch)
    faults = campaigns.faults(wish.words, wish.about)
    today = today_of(request, access)
    leafing = request.method == "GET" and bool({"page", "lire"} & request.GET.keys())
    items = [] if faults else reads.surveyed(access, batch, on=today, anew=not leafing)
    leaving = [item for item in items if not item.code]
    page = Paginator(leaving, reads.PAGE).get_page(request.GET.get("page", "1"))
    key = request.GET.get("lire", "")
    asked = int(key[:18]) if key.isdecimal() else (leaving[0].customer if leaving else 0)
    at = next((n for n, item in enumerate(leaving) if item.customer == asked), 0)
    shown: dict[str, Any] = {}
    gone: Any = ""
    if leaving:
        customer = access.get(Customer, pk=leaving[at].customer)
        shown = {"customer": customer, "by_post": wish.channel == "letter"}
        shown |= {"number": at + 1, "of": len(leaving)}
        try:
            shown |= _read(_written(request, access, batch, wish, customer))
        except UnknownSenderError:
            gone = SENDER_GONE
        shown |= {
            "previous_key": leaving[at - 1].customer if at else None,
            "next_key": leaving[at + 1].customer if at + 1 < len(leaving) else None,
        }
    empty = "" if wish.words.body.strip() else _("Le message est vide : écrivez-le d’abord.")
    return {
        "access": access,
        "batch": batch,
        "page": page,
        "leaving": len(leaving),
        "kept": len(items) - len(leaving),
        "groups": reads.groups(items),
        "sums": reads.sums(leaving),
        "shared": reads.several_at_one_address(leaving),
        "about": reads.ABOUT[wish.about],
        "refusal": faults[0].message if faults else empty or gone,
        "checking": True,
        **shown,
    }


# --- at work --------------------------------------------------------------------


def _result(request: HttpRequest, access: Access, batch: Batch) -> HttpResponse:
    tab = request.GET.get("voir", "")
    tab = tab if tab in reads.TABS else ""
    score = reads.score(batch)
    base = reverse("campaign_detail", args=[access.organisation.slug, batch.pk])
    counts = {"": score.total, "partis": score.sent, "route": score.waiting}
    counts["rien"] = score.failed + score.refused
    kind, words = reads.STATES.get(batch.status, ("off", batch.get_status_display()))
    going = batch.status in (Batch.Status.RUNNING, Batch.Status.SCHEDULED)
    leaving = batch.channel == "email" and score.waiting > 0
    if batch.status == Batch.Status.DONE and leaving:  # written, and not all gone
        kind, words = reads.STATES[Batch.Status.RUNNING]
    context: dict[str, Any] = {
        "access": access,
        "batch": batch,
        "score": score,
        "state": kind,
        "state_words": words,
        "running": batch.status == Batch.Status.RUNNING
        or (leaving and batch.status == Batch.Status.DONE),
        "progress_url": base,
        "can_stop": going or score.waiting > 0,
    }
    htmx: Any = getattr(request, "htmx", None)
    if htmx and htmx.target == "campaign-progress":
        return render(request, "campaigns/_progress.html", context)
    page, rows = reads.lines_page(access, batch, tab, request.GET.get("page", "1"))
    lost = reads.failures([batch.pk], access).get(batch.pk, 0)
    context |= {
        "page": page,
        "rows": rows,
        "tab": tab,
        "tabs": [
            {
                "url": base + (f"?voir={key}" if key else ""),
                "label": label,
                "count": counts[key],
                "current": key == tab,
            }
            for key, label in reads.TABS.items()
        ],
        "lost": lost,
        "settled": "settled" in batch.options,
        "over": batch.status == Batch.Status.DONE,
    }
    return render(request, "campaigns/detail.html", context)


@require_POST
def campaign_stop(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Nothing more leaves; what has left has left."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    batch = access.get(Batch, pk=pk, kind=Batch.Kind.CAMPAIGN)
    try:
        if batch.status == Batch.Status.DRAFT:
            campaigns.discard(batch)
            notes.success(request, _("Brouillon supprimé : rien n’est parti."))
            return redirect("campaign_list", slug)
        stopped = batches.cancel(batch, actor=user_of(request), now=moment(request))
    except Refused as refused:
        notes.error(request, str(refused))
    else:
        words = french.counted(stopped, _("message"), _("messages"))
        notes.success(request, _("Campagne arrêtée : %(count)s de moins.") % {"count": words})
    return redirect("campaign_detail", slug, pk)


@require_POST
def campaign_take_up(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Try again those whose address has been repaired."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    batch = access.get(Batch, pk=pk, kind=Batch.Kind.CAMPAIGN)
    try:
        again = campaigns.take_up(batch, actor=user_of(request), now=moment(request))
    except Refused as refused:
        notes.error(request, str(refused))
    else:
        batch.refresh_from_db()
        batch_kinds.advance(batch, now=moment(request), pace=Pace(seconds=AT_ONCE_SECONDS))
        words = french.counted(again, _("client repris"), _("clients repris"))
        notes.success(request, f"{words}.")
    return redirect("campaign_detail", slug, pk)


@require_POST
def campaign_settle(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """The failures have been seen to: they leave Aujourd'hui."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    batch = access.get(Batch, pk=pk, kind=Batch.Kind.CAMPAIGN)
    campaigns.settle(batch, actor=user_of(request), now=moment(request))
    return redirect("campaign_detail", slug, pk)


urlpatterns = [
    path("campagnes/", campaign_list, name="campaign_list"),
    path("campagnes/nouvelle/", campaign_new, name="campaign_new"),
    path("campagnes/commencer/", campaign_start, name="campaign_start"),
    path("campagnes/<int:pk>/", campaign_detail, name="campaign_detail"),
    path("campagnes/<int:pk>/apercu/", campaign_sheet, name="campaign_sheet"),
    path("campagnes/<int:pk>/verifier/", campaign_check, name="campaign_check"),
    path("campagnes/<int:pk>/arreter/", campaign_stop, name="campaign_stop"),
    path("campagnes/<int:pk>/reprendre/", campaign_take_up, name="campaign_take_up"),
    path("campagnes/<int:pk>/vu/", campaign_settle, name="campaign_settle"),
]
