"""Clients and the page of one client: what he owes, what comes next, and why."""

from datetime import date, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from relance.accounts.access import Access
from relance.dunning.models import Plan
from relance.dunning.queries import Look, look_at
from relance.dunning.recovery import handing
from relance.dunning.services.managers import possible_managers
from relance.dunning.wording import letters
from relance.ledger.models import Contact, Customer, Invoice, Site
from relance.outbox.models import Message, Status
from relance.web import french
from relance.web.drawing import legend
from relance.web.queries import (
    customers,
    drawings,
    journal,
    penalties,
    record,
    status,
    views,
)
from relance.web.queries import why as why_reads
from relance.web.requests import enter, moment, today_of
from relance.web.views import customers_deeds, customers_write, notes
from relance.web.views.answers import is_piece
from relance.web.views.customers_forms import (
    ContactForm,
    DefinitionForm,
    DisputeForm,
    PlanForm,
    PromiseForm,
    SiteForm,
    UntilForm,
    day_or_none,
    initial_contact,
)

SHORT_HISTORY = 6
_NOTED = {"factures", "pourquoi", "historique"}
"""Tabs on which one may write a note."""
FURTHEST_DAYS = 366


@require_GET
def customer_list(request: HttpRequest, slug: str) -> HttpResponse:
    """Every client with what he owes and what comes next; `client` opens the panel."""
    access = enter(request, slug)
    today = today_of(request, access)
    filters = customers.Filters.read(request.GET)
    page, rows = customers.rows_page(
        access, filters, today=today, page=request.GET.get("page", "1")
    )
    context: dict[str, Any] = {
        "access": access,
        "today": today,
        "filters": filters,
        "tools": views.tools(
            request, access, "clients", columns=views.client_columns(), export="clients"
        ),
        "page": page,
        "rows": rows,
        "states": customers.STATES,
        "plans": access.all(Plan).order_by("name"),
        "no_plan": customers.NO_PLAN,
        "managers": possible_managers(access.organisation),
        "nobody": customers.NOBODY,
        "mails": customers.MAILS,
        "back": filters.address(page=request.GET.get("page", "")),
        "nothing_yet": not filters.narrowed and not page.paginator.count,
    }
    chosen = request.GET.get("client", "")
    if chosen.isdecimal():
        customer = access.get(Customer, pk=int(chosen[:18]))
        context |= _side(request, access, customer, today)
    return render(request, "customers/list.html", context)


@require_GET
def customer_panel(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """The side panel of one client: plan, what he owes, what comes next (S2-10)."""
    access = enter(request, slug)
    customer = access.get(Customer, pk=pk)
    if not is_piece(request):  # opened by itself: the list with its panel
        return redirect(reverse("customer_list", args=[slug]) + f"?client={pk}")
    context = _side(request, access, customer, today_of(request, access))
    return render(request, "customers/_panel.html", context)


def _side(request: HttpRequest, access: Access, customer: Customer, today: date) -> dict[str, Any]:
    look = look_at(access.organisation, customer.pk, on=today, today=today, days=60)
    actions = status.open_actions(access, customer)
    plan = look.now.case.plan
    lines = journal.of_customer(access, customer.pk, limit=5)[0]
    return {
        "access": access,
        "today": today,
        "customer": customer,
        "selected": customer.pk,
        "years": journal.other_years((line.on for line in lines), today),
        "state": status.state_of(access, customer, look, actions, now=moment(request)),
        "sums": record.sums(access, customer, today),
        "plan_form": PlanForm(access, initial={"plan": plan.id if plan else None}),
        "lines": lines,
        "panel": "customers/_panel.html",
    }


@require_GET
def customer_detail(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """The page of one client; `onglet` chooses the tab, `le` the day of Pourquoi ?"""
    access = enter(request, slug)
    customer = access.get(Customer, pk=pk)
    context = customer_context(request, access, customer)
    if _wants(request, "reason"):
        return render(request, "customers/_why.html", context)
    return render(request, "customers/detail.html", context)


def customer_context(
    request: HttpRequest, access: Access, customer: Customer, *, tab: str = "", chosen: str = ""
) -> dict[str, Any]:
    """What every tab shows, then what the chosen one does; a refused form names its own tab."""
    today = today_of(request, access)
    tab = tab or request.GET.get("onglet", "factures")
    if tab not in _TABS:
        tab = "factures"
    on = day_or_none(request.GET.get("le", "")) or today
    on = min(on, today + timedelta(days=FURTHEST_DAYS))
    look = look_at(access.organisation, customer.pk, on=on, today=today)
    actions = status.open_actions(access, customer)
    return {
        "access": access,
        "customer": customer,
        "today": today,
        "tab": tab,
        "tabs": _tabs(access, customer, tab),
        "state": status.state_of(access, customer, look, actions, now=moment(request)),
        "plan": look.now.case.plan,
        "look": look,
        "note_form": notes.note_form(request, access, customer) if tab in _NOTED else None,
        **_why(access, customer, look, today, actions),
        **_toast(request, access, customer),
        **_TABS[tab](request, access, customer, look, today, chosen),
    }


def _wants(request: HttpRequest, target: str) -> bool:
    htmx: Any = getattr(request, "htmx", None)
    return bool(htmx) and htmx.target == target


def _tabs(access: Access, customer: Customer, tab: str) -> list[dict[str, Any]]:
    base = reverse("customer_detail", args=[access.organisation.slug, customer.pk])
    counts = {
        "factures": Invoice.objects.filter(customer=customer, balance_cents__gt=0).count(),
        "contacts": access.all(Contact).filter(customer=customer).count(),
        "chantiers": access.all(Site).filter(customer=customer).count(),
    }
    labels = {
        "factures": _("Factures"),
        "contacts": _("Contacts"),
        "chantiers": _("Chantiers"),
        "historique": _("Historique"),
        "definition": _("Définition"),
    }
    return [
        {
            "url": base if key == "factures" else f"{base}?onglet={key}",
            "label": label,
            "count": counts.get(key),
            "current": key == tab or (tab == "pourquoi" and key == "factures"),
        }
        for key, label in labels.items()
    ]


def _why(
    access: Access, customer: Customer, look: Look, today: date, actions: list[Any]
) -> dict[str, Any]:
    base = reverse("customer_detail", args=[access.organisation.slug, customer.pk])
    on = look.asked.on
    answer = why_reads.why(access, customer, look, today=today, actions=actions)
    return {
        "why": answer,
        "why_years": journal.other_years((fact.when for fact in answer.facts), today),
        "why_day": french.date_text(on, None, "weekday"),
        "why_previous": f"{base}?le={on - timedelta(days=1)}",
        "why_next": f"{base}?le={on + timedelta(days=1)}",
        "why_picture": drawings.reason_picture(access.organisation, look, today=today),
    }


def _toast(request: HttpRequest, access: Access, customer: Customer) -> dict[str, Any]:
    """The message just written, while it may still be called back."""
    key = request.GET.get("parti", "")
    if not key.isdecimal():
        return {}
    message = access.all(Message).filter(pk=int(key[:18]), customer=customer).first()
    if message is None or message.status != Status.QUEUED:
        return {}
    left = round((message.not_before - moment(request)).total_seconds())
    return {"leaving": message, "leaving_seconds": left} if left > 0 else {}


def _invoices_tab(
    request: HttpRequest,
    access: Access,
    customer: Customer,
    look: Look,
    today: date,
    chosen: str,
) -> dict[str, Any]:
    settled = request.GET.get("reglees") == "1"
    edited = request.GET.get("niveau", "")
    lines, more = journal.of_customer(access, customer.pk, limit=SHORT_HISTORY)
    found: dict[str, Any] = {
        "record": record.record(
            access, customer, look, today=today, page=request.GET.get("page", "1"), settled=settled
        ),
        "penalties": penalties.shown(access, customer, on=today),
        "settled": settled,
        "edited": int(edited[:18]) if edited.isdecimal() else None,
        "coming": drawings.coming_picture(access.organisation, look, today=today),
        "legend": legend(
            [
                ("auto", _("automatique")),
                ("manual", _("à faire par vous")),
                ("guard", _("délai minimum")),
            ]
        ),
        "lines": lines[:SHORT_HISTORY],
        "years": journal.other_years((line.on for line in lines[:SHORT_HISTORY]), today),
        "more_lines": more is not None or len(lines) > SHORT_HISTORY,
    }
    asked = request.GET.get("facture", "")
    if asked.isdecimal():
        invoice = access.get(Invoice, pk=int(asked[:18]), customer=customer)
        found |= invoice_context(access, invoice, today)
    return found


def invoice_context(access: Access, invoice: Invoice, today: date) -> dict[str, Any]:
    """The panel of one invoice on the client's page: its forms and its history."""
    lines = journal.of_invoice(access, invoice, limit=20)
    return {
        "chosen": invoice,
        "chosen_lines": lines,
        "chosen_years": journal.other_years((line.on for line in lines), today),
        "chosen_days": (today - invoice.due).days,
        "promise_form": PromiseForm(initial={"until": invoice.promise_until}, auto_id="p_%s"),
        "hold_form": UntilForm(initial={"until": invoice.hold_until}, auto_id="h_%s"),
        "dispute_form": DisputeForm(auto_id="d_%s"),
        "invoice_note_form": notes.NoteForm(access, auto_id="n_%s"),
    }


def _contacts_tab(
    request: HttpRequest,
    access: Access,
    customer: Customer,
    look: Look,
    today: date,
    chosen: str,
) -> dict[str, Any]:
    contacts = list(
        access.all(Contact)
        .filter(customer=customer)
        .prefetch_related("favourite_of")
        .order_by("-is_default", "name")
    )
    chosen = chosen or request.GET.get("contact", "")
    edited = next((c for c in contacts if str(c.pk) == chosen), None)
    return {
        "contacts": contacts,
        "edited": edited,
        "adding": chosen == "nouveau" or not contacts,
        "contact_form": ContactForm(initial=initial_contact(edited)),
    }


def _sites_tab(
    request: HttpRequest,
    access: Access,
    customer: Customer,
    look: Look,
    today: date,
    chosen: str,
) -> dict[str, Any]:
    sites = list(
        access.all(Site)
        .filter(customer=customer)
        .prefetch_related("favourites", "contacts")
        .order_by("name")
    )
    chosen = chosen or request.GET.get("chantier", "")
    edited = next((s for s in sites if str(s.pk) == chosen), None)
    initial = {"name": edited.name, "favourites": list(edited.favourites.all())} if edited else {}
    contacts = access.all(Contact).filter(customer=customer).order_by("name")
    return {
        "sites": sites,
        "edited": edited,
        "adding": chosen == "nouveau" or not sites,
        "site_form": SiteForm(contacts, initial=initial),
        "has_contacts": bool(contacts),
        "attached": [_attached(site, contacts) for site in sites],
    }


def _attached(site: Site, contacts: Any) -> dict[str, Any]:
    """A site with those attached to it, the starred first, and who else could be (S4-27)."""
    stars = {contact.pk for contact in site.favourites.all()}
    here = stars | {contact.pk for contact in site.contacts.all()}
    mine = [one for one in contacts if one.pk in here]
    return {
        "site": site,
        "contacts": [
            (one, one.pk in stars) for one in sorted(mine, key=lambda c: c.pk not in stars)
        ],
        "others": [one for one in contacts if one.pk not in here],
        "starred": bool(stars),
    }


def _history_tab(
    request: HttpRequest,
    access: Access,
    customer: Customer,
    look: Look,
    today: date,
    chosen: str,
) -> dict[str, Any]:
    before = request.GET.get("avant", "")
    lines, more = journal.of_customer(
        access, customer.pk, before=int(before[:18]) if before.isdecimal() else None
    )
    years = journal.other_years((line.on for line in lines), today)
    return {"lines": lines, "more": more, "years": years}


def _definition_tab(
    request: HttpRequest,
    access: Access,
    customer: Customer,
    look: Look,
    today: date,
    chosen: str,
) -> dict[str, Any]:
    plan = look.now.case.plan
    return {
        "form": DefinitionForm(access, instance=customer),
        "plan_form": PlanForm(access, initial={"plan": plan.id if plan else None}),
        "hold_form": UntilForm(auto_id="h_%s"),
        "handed": handing.handed(customer),
        "letter_fault": letters.why_no_letter(customer),
    }


_TABS: dict[str, Any] = {
    "factures": _invoices_tab,
    "pourquoi": _invoices_tab,
    "contacts": _contacts_tab,
    "chantiers": _sites_tab,
    "historique": _history_tab,
    "definition": _definition_tab,
}

urlpatterns = [
    path("clients/", customer_list, name="customer_list"),
    path("clients/<int:pk>/", customer_detail, name="customer_detail"),
    path("clients/<int:pk>/panneau/", customer_panel, name="customer_panel"),
    *customers_deeds.urlpatterns,
    *customers_write.urlpatterns,
    *notes.urlpatterns,
]
