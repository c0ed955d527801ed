"""Tableau de bord: how much is owed, since when, and every invoice with where its chase stands."""

from collections.abc import Mapping
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from relance.accounts.access import Access
from relance.accounts.models import DunningRole
from relance.dunning.daily.refreshing import refresh
from relance.dunning.models import Plan
from relance.ledger import services as ledger
from relance.ledger.models import Invoice
from relance.web import french
from relance.web.drawing import AgeBand, ageing_bar, sparkline
from relance.web.queries import figures, invoices, journal, views
from relance.web.queries.invoices import BUCKETS, Filters
from relance.web.requests import enter, moment, today_of, user_of
from relance.web.views.answers import is_piece

MOST_TICKED = 200


@require_GET
def dashboard(request: HttpRequest, slug: str) -> HttpResponse:
    """Totals, ageing, DSO and the list; with `facture` or `cochee`, the panel beside it."""
    access = enter(request, slug)
    today = today_of(request, access)
    filters = Filters.read(request.GET)
    on = filters.on or today
    found = figures.figures(
        access.organisation, on, request.GET.get("devise", "").upper(), today=today
    )
    page, rows = invoices.rows_page(access, filters, today=today, page=request.GET.get("page", "1"))
    tools = views.tools(request, access, "dashboard", columns=invoices.columns(), export="factures")
    context: dict[str, Any] = {
        "filters": filters,
        "tools": tools,
        "figures": found,
        "ageing": _ageing(filters, found),
        "spark": _spark(found.dso),
        "page": page,
        "rows": rows,
        "today": today,
        "on": on,
        "as_of": on if on != today else None,
        "states": invoices.STATES,
        "state_label": invoices.STATES[filters.state],
        "bucket_label": BUCKETS[filters.bucket][0] if filters.bucket else "",
        "plans": access.all(Plan).order_by("name"),
        "no_plan": invoices.NO_PLAN,
        "access": access,
        "headers": [one for one in _headers(filters) if tools.show.get(one["key"], True)],
        "links": _links(filters),
        "today_url": filters.address(au="") or "?",
        "dso_change": _change(found.dso),
        "back": filters.address(page=request.GET.get("page", "")),
        "nothing_yet": not page.paginator.count
        and not filters.narrowed
        and not figures.has_invoices(access.organisation),
    }
    chosen = request.GET.get("facture", "")
    if chosen.isdecimal():
        context |= _panel(access, access.get(Invoice, pk=int(chosen[:18])), today)
    elif request.GET.getlist("cochee"):
        context |= _selection(access, request.GET.getlist("cochee"), slug)
    return render(request, "dashboard/dashboard.html", context)


def _links(filters: Filters) -> dict[str, str]:
    """Each total leads to the invoices that it counts."""
    states = {"open": "", "overdue": "retard", "promised": "promises", "disputed": "litiges"}
    return {name: filters.address(etat=state, age="", q="") for name, state in states.items()}


def _change(dso: figures.Dso | None) -> str:
    """`11 j de moins`, over the months shown."""
    if dso is None or dso.change == 0:
        return _("stable") if dso else ""
    words = _("%(days)s de moins") if dso.change < 0 else _("%(days)s de plus")
    return words % {"days": french.days(abs(dso.change))}


def _headers(filters: Filters) -> list[dict[str, str]]:
    """The columns that sort: label, class, the address of a click, and the way it is sorted."""
    columns = [
        ("client", _("Client"), ""),
        ("numero", _("N°"), ""),
        ("echeance", _("Échéance"), ""),
        ("retard", _("Retard"), "num"),
        ("reste", _("Reste dû"), "money"),
        ("niveau", _("Niveau"), ""),
        ("relance", _("Relance"), "num"),
    ]
    first_down = {"retard", "reste", "relance", "niveau"}
    found = []
    for key, label, kind in columns:
        sort = f"-{key}" if key in first_down else key
        if filters.sort.removeprefix("-") == key:
            sort = key if filters.sort.startswith("-") else f"-{key}"
            turned = "descending" if filters.sort.startswith("-") else "ascending"
        else:
            turned = ""
        url = filters.address(tri=sort)
        found.append({"key": key, "label": label, "cls": kind, "url": url, "sorted": turned})
    return found


def _ageing(filters: Filters, found: figures.Figures) -> str:
    bands = [
        AgeBand(
            str(BUCKETS[key][0]),
            sums.cents,
            filters.address(etat="", age="" if filters.bucket == key else key),
        )
        for key, sums in found.ageing.buckets
    ]
    return ageing_bar(bands, _("Âge des créances"), found.currency)


def _spark(dso: figures.Dso | None) -> str:
    if dso is None:
        return ""
    told = _("%(first)d j à la fin du premier mois, %(last)d j aujourd’hui") % {
        "first": round(dso.values[0]),
        "last": dso.now,
    }
    return sparkline(dso.values, _("DSO sur 12 mois"), told)


@require_GET
def invoice_panel(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """The side panel of one invoice, asked for by htmx while the list stays."""
    access = enter(request, slug)
    invoice = access.get(Invoice, pk=pk)
    if not is_piece(request):  # opened by itself: the list with its panel
        return redirect(reverse("dashboard", args=[slug]) + f"?facture={pk}")
    context = _panel(access, invoice, today_of(request, access))
    context |= {"back": _list_of(request.GET)}
    return render(request, "dashboard/_panel.html", context)


def _list_of(values: Mapping[str, str]) -> str:
    """The query of the list behind the panel; another address is not ours to lead to."""
    back = values.get("retour", "")[:300]
    return back if back.startswith("?") else ""


def _panel(access: Access, invoice: Invoice, today: date) -> dict[str, Any]:
    prospect = invoices.prospect(access, invoice, today)
    site = invoice.site
    lines = journal.of_invoice(access, invoice)
    return {
        "access": access,
        "today": today,
        "invoice": invoice,
        "customer": invoice.customer,
        "site": site,
        "favourites": site.favourites.count() if site else 0,
        "days": (today - invoice.due).days,
        "state": invoices.state_of(invoice, today),
        "prospect": prospect,
        "lines": lines,
        "years": journal.other_years((line.on for line in lines), today),
        "panel": "dashboard/_panel.html",
        "selected": invoice.pk,
    }


@require_GET
def dashboard_selection(request: HttpRequest, slug: str) -> HttpResponse:
    """The side menu of what is ticked: one client, or the reason why not (S2-07, S2-08)."""
    access = enter(request, slug)
    ticked = request.GET.getlist("cochee")
    if not is_piece(request):
        query = urlencode([("cochee", one) for one in ticked[:MOST_TICKED]])
        return redirect(reverse("dashboard", args=[slug]) + f"?{query}")
    context = _selection(access, ticked, slug)
    context |= {"access": access, "today": today_of(request, access)}
    shown = request.htmx.current_url_abs_path or ""  # type: ignore[attr-defined]
    context["back"] = f"?{shown.partition('?')[2]}"
    return render(request, "dashboard/_selection.html", context)


def _selection(access: Access, values: list[str], slug: str) -> dict[str, Any]:
    ids = [int(one) for one in values[:MOST_TICKED] if one.isdecimal() and len(one) < 18]
    ticked = list(
        access.all(Invoice).filter(pk__in=ids).select_related("customer").order_by("due", "number")
    )
    customers = {one.customer_id: one.customer for one in ticked}
    owed = [one for one in ticked if one.balance_cents > 0]
    currencies = {one.currency for one in owed}
    refusal = ""
    if len(customers) > 1:
        names = ", ".join(sorted(str(one) for one in customers.values())[:3])
        refusal = _(
            "Une relance groupée s’adresse à un seul client. "
            "Vous avez coché des factures de %(n)d clients\u00a0: %(names)s%(more)s."
        ) % {"n": len(customers), "names": names, "more": "…" if len(customers) > 3 else ""}
    elif len(currencies) > 1:
        refusal = _("Un message ne peut pas mêler deux monnaies.")
    elif ticked and not owed:
        refusal = _("Ces factures sont réglées\u00a0: il n’y a rien à relancer.")
    elif not access.can_write:
        refusal = _("Votre rôle est en lecture seule\u00a0: un chargé de compte peut relancer.")
    customer = next(iter(customers.values()), None)
    url, letter_url = "", ""
    if customer and not refusal:
        query = urlencode([("facture", one.pk) for one in owed])
        url = reverse("customer_write", args=[slug, customer.pk]) + f"?{query}"
        letter_url = f"{url}&canal=courrier"
    return {
        "ticked": ticked,
        "customers": list(customers.values()),
        "customer": customer,
        "sums": [
            french.money(sum(i.balance_cents for i in owed if i.currency == code), code)
            for code in sorted(currencies)
        ],
        "refusal": refusal,
        "write_url": url,
        "letter_url": letter_url,
        "panel": "dashboard/_selection.html" if ticked else "",
        "ticked_ids": {one.pk for one in ticked},
    }


@require_POST
def invoice_plan_switch(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """The box "Plan de relance activée" of one invoice (S2-12)."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    invoice = access.get(Invoice, pk=pk)
    today = today_of(request, access)
    ledger.switch_plan_for_invoice(
        invoice=invoice,
        plan_on=request.POST.get("plan_on") == "1",
        on=today,
        now=moment(request),
        actor=user_of(request),
    )
    refresh(access.organisation, [invoice.customer_id], on=today, now=moment(request))
    if getattr(request, "htmx", False):
        context = _panel(access, invoice, today)
        context |= {"back": _list_of(request.POST)}
        return render(request, "dashboard/_panel.html", context)
    if request.POST.get("fiche") == "1":
        return redirect("customer_detail", slug, invoice.customer_id)
    return redirect(reverse("dashboard", args=[slug]) + f"?facture={invoice.pk}")


@require_GET
def invoice_document(request: HttpRequest, slug: str, pk: int) -> FileResponse:
    """The PDF of an invoice, only to those of its dossier."""
    access = enter(request, slug)
    invoice = access.get(Invoice, pk=pk)
    if not invoice.document:
        raise Http404
    name = "".join(c if c.isalnum() or c in "-_." else "_" for c in invoice.number) + ".pdf"
    return FileResponse(
        invoice.document.open("rb"),
        as_attachment=True,
        filename=name,
        content_type="application/pdf",
    )


urlpatterns = [
    path("tableau-de-bord/", dashboard, name="dashboard"),
    path("tableau-de-bord/selection/", dashboard_selection, name="dashboard_selection"),
    path("factures/<int:pk>/panneau/", invoice_panel, name="invoice_panel"),
    path("factures/<int:pk>/plan/", invoice_plan_switch, name="invoice_plan_switch"),
    path("factures/<int:pk>/document/", invoice_document, name="invoice_document"),
]
