"""Aujourd'hui: what waits for me, what leaves by itself, what went wrong."""

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from relance.accounts import clock
from relance.accounts.access import Access
from relance.accounts.models import User
from relance.dunning import queries as dunning
from relance.dunning.facts import hours
from relance.dunning.models import Action
from relance.dunning.wording import messages
from relance.ledger.models import Customer
from relance.web import french
from relance.web.queries import campaigns
from relance.web.queries import inbound as arrivals
from relance.web.queries import panel as reading
from relance.web.queries import today as morning
from relance.web.queries.sending import stop_words
from relance.web.requests import enter, moment, today_of
from relance.web.sentences import (
    actions_wait,
    departure_when,
    icon_channel,
    messages_leave,
    step_words,
)
from relance.web.smtp_words import trouble_words
from relance.web.views import actions
from relance.web.views.answers import is_piece
from relance.web.views.inbound import row_of

AUTOMATIC_SHOWN = 3
SECTION_SHOWN = 12


def today(request: HttpRequest, slug: str) -> HttpResponse:
    """The page of every morning, with the panel of the first action beside it."""
    access = enter(request, slug)
    now, on = moment(request), today_of(request, access)
    mine = morning.my_actions(access, access.user, on)
    to_do = list(mine[: morning.SHOWN])
    total = morning.summed(mine)
    departure = morning.departure(access, now)
    when = departure_when(access.organisation, departure.at, on)
    zone = ZoneInfo(access.organisation.timezone)
    all_shown = "depart" in request.GET
    selected = _selected(request, access, to_do)
    promises = _promises(access, on)
    context: dict[str, Any] = {
        "today": on,
        "to_do": [_action_row(slug, one) for one in to_do],
        "to_do_total": total,
        "to_do_more": total.lines - len(to_do),
        "todo_sentence": actions_wait(total.lines),
        "leave_sentence": messages_leave(departure.count, when, customers=not departure.complete),
        "departure": departure,
        "departure_when": when,
        "departure_hour": departure.at.astimezone(zone).strftime("%H:%M"),
        "departing": [
            row | {"words": step_words(row["action"])}
            for row in departure.lines(None if all_shown else AUTOMATIC_SHOWN)
        ],
        "departing_more": 0 if all_shown else max(0, departure.count - AUTOMATIC_SHOWN),
        "stop_words": stop_words(access.organisation, on),
        "leaving": _leaving(access, on),
        "errors": _errors(slug, access, on),
        "mentions": _mentions(slug, access),
        "replies": _replies(slug, access),
        "to_approve": morning.to_approve(access).count(),
        "promises": promises,
        "promises_cents": sum(row["cents"] for row in promises),
        "action": selected,
        "shown": reading.panel(access, selected, on=on) if selected else None,
        "can_write": access.can_write,
        "toasts": _toasts(access, access.user, now),
    }
    context["nothing"] = not (
        context["to_do"]
        or departure.count
        or context["errors"]["rows"]
        or context["promises"]
        or context["leaving"]["rows"]
        or context["mentions"]["rows"]
        or context["replies"]["rows"]
        or context["to_approve"]
    )
    if context["nothing"]:
        context["next_due"] = morning.next_due(access, on)
        context["unplanned"] = morning.unplanned(access)
    return render(request, "today/today.html", context)


def _selected(request: HttpRequest, access: Access, to_do: list[Action]) -> Action | None:
    """The action asked for in the address, else the first of the list."""
    asked = request.GET.get("action", "")
    if asked.isdecimal():
        key = int(asked[:18])
        found = next((one for one in to_do if one.pk == key), None)
        if found is None:
            found = access.all(Action).filter(pk=key).select_related("customer").first()
        if found is not None:
            return found
    return to_do[0] if to_do else None


def _action_row(slug: str, action: Action) -> dict[str, Any]:
    return {
        "id": f"action-{action.pk}",
        "pk": action.pk,
        "url": reverse("action_detail", args=[slug, action.pk]),
        "when": action.due_on,
        "channel": icon_channel(action.channel),
        "channel_label": action.get_channel_display(),
        "name": action.customer.name,
        "context": step_words(action),
        "cents": action.amount_cents,
        "currency": action.currency,
    }


def _errors(slug: str, access: Access, on: Any) -> dict[str, Any]:
    """Actions that cannot leave and messages that did not, each with its remedy (S3-14, S4-25)."""
    blocked = morning.blocked_actions(access)
    troubled = morning.troubled_messages(access, on)
    rows = []
    shown = list(blocked[:SECTION_SHOWN])
    refused = morning.refused_for(access, shown)
    for action in shown:
        row = _action_row(slug, action)
        if action.reason == "NO_TEMPLATE":
            row |= {"icon": "template", "context": _("Aucun modèle pour ce niveau")}
            row |= {"remedy": _("Choisir"), "remedy_url": reverse("plan_list", args=[slug])}
        else:
            message = refused.get(action.pk)
            words = trouble_words(message) if message else _("Aucune adresse e-mail valable")
            row |= {"icon": "error" if message else "users", "context": words}
            row |= {
                "remedy": _("Corriger") if message else _("Compléter"),
                "remedy_url": row["url"],
            }
        rows.append(row | {"tone": "is-late"})
    for message in troubled[:SECTION_SHOWN]:
        uncertain = message.status == "uncertain"
        url = reverse("message_detail", args=[slug, message.pk])
        rows.append(
            {
                "id": f"message-{message.pk}",
                "url": url,
                "when": message.ended_at or message.made_at,
                "icon": "triangle" if uncertain else "error",
                "tone": "is-warn" if uncertain else "is-late",
                "name": message.whom,
                "context": trouble_words(message),
                "cents": message.amount_cents,
                "currency": message.currency,
                "remedy": _("Vérifier") if uncertain else _("Corriger"),
                "remedy_url": url,
            }
        )
    missed = [_campaign_row(slug, one) for one in campaigns.to_repair(access, on)]
    count = len(rows)
    if count >= SECTION_SHOWN:
        count = blocked.count() + troubled.count()
    cents = sum(row["cents"] for row in rows)
    return {"rows": [*missed, *rows], "count": count + len(missed), "cents": cents}


def _campaign_row(slug: str, one: campaigns.ToRepair) -> dict[str, Any]:
    """A campaign some of whose clients got nothing; its own page says who and repairs it."""
    words = ngettext("%(n)s client n’a rien reçu", "%(n)s clients n’ont rien reçu", one.clients)
    url = reverse("campaign_detail", args=[slug, one.batch.pk])
    return {
        "id": f"campaign-{one.batch.pk}",
        "url": url,
        "whole_page": True,
        "when": one.batch.finished_at or one.batch.made_at,
        "icon": "megaphone",
        "tone": "is-late",
        "name": one.batch.title,
        "context": words % {"n": french.number(one.clients)},
        "cents": None,
        "remedy": _("Corriger"),
        "remedy_url": f"{url}?voir=rien",
    }


def _leaving(access: Access, on: date) -> dict[str, Any]:
    """What is written and waits for its minute; mine in their ten seconds are in the toast."""
    rows = morning.leaving(access).filter(automatic=True, on__lte=on)
    return {"rows": list(rows[:AUTOMATIC_SHOWN]), "count": rows.count()}


def _mentions(slug: str, access: Access) -> dict[str, Any]:
    """The notes in which a colleague names me, until I have read them."""
    found = morning.mentions(access)
    rows = [
        {
            "mention": one,
            "url": reverse("customer_detail", args=[slug, one.customer_id])
            + (f"?facture={one.invoice_id}" if one.invoice_id else "?onglet=historique"),
        }
        for one in found[:SECTION_SHOWN]
    ]
    return {"rows": rows, "count": found.count() if len(rows) == SECTION_SHOWN else len(rows)}


def _replies(slug: str, access: Access) -> dict[str, Any]:
    """What customers and their servers answered, until somebody has seen it."""
    found = arrivals.lines(arrivals.unseen(access))
    rows = [row_of(slug, one) for one in found[:SECTION_SHOWN]]
    return {"rows": rows, "count": found.count() if len(rows) == SECTION_SHOWN else len(rows)}


def _promises(access: Access, on: Any) -> list[dict[str, Any]]:
    """`Promis pour le 20, rien reçu`, `Reçu 200,00 € sur 415,80 €`."""
    found = []
    for hold in morning.broken_promises(access, on)[:SECTION_SHOWN]:
        invoice = hold.invoice
        if invoice is None:
            continue
        received = getattr(hold, "received_cents", 0)
        if received > 0:
            promised = hold.amount_cents or received + invoice.balance_cents
            context = _("Reçu %(got)s sur %(promised)s") % {
                "got": french.money(received, invoice.currency),
                "promised": french.money(promised, invoice.currency),
            }
        else:
            context = _("Promis pour le %(day)s, rien reçu") % {
                "day": french.date_text(hold.until, on)
            }
        found.append(
            {
                "hold": hold,
                "name": hold.customer.name,
                "context": context,
                "cents": invoice.balance_cents,
                "currency": invoice.currency,
            }
        )
    return found


def _toasts(access: Access, user: User, now: datetime) -> list[dict[str, Any]]:
    """My messages that can still be called back, with the seconds that are left."""
    return [
        {
            "said": _("Message à %(name)s, départ dans") % {"name": message.whom},
            "seconds": max(1, int((message.not_before - now).total_seconds())),
            "undo": reverse("message_undo", args=[access.organisation.slug, message.pk]),
        }
        for message in morning.callable_back(access, user, now)
    ]


def departure_detail(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Every message that a customer will get at the next departure, in full."""
    access = enter(request, slug)
    customer = access.get(Customer, pk=pk)
    organisation = access.organisation
    at = hours.next_departure(organisation, moment(request))
    on = clock.local_date(organisation, at)
    found = dunning.decisions(organisation, [customer.pk], on)
    if customer.pk not in found:
        raise Http404
    case, decision = found[customer.pk]
    wanted = [messages.Wanted(action, case) for action in decision.automatic]
    book = messages.open_book(organisation, wanted)
    context = {
        "customer": customer,
        "today": today_of(request, access),
        "when": departure_when(organisation, at, today_of(request, access)),
        "letters": [
            {
                "action": one.action,
                "sheet": reading.sheet(access, book, one, on),
                "steps": len(case.plan.steps) if case.plan else 0,
            }
            for one in wanted
        ],
        "cents": sum(one.action.amount for one in wanted),
        "open": True,
    }
    piece = is_piece(request)
    return render(request, "today/_departure.html" if piece else "today/departure.html", context)


urlpatterns = [
    path("", today, name="today"),
    path("depart/<int:pk>/", departure_detail, name="departure_detail"),
    *actions.urlpatterns,
]
