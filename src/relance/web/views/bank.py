"""Banque: the transactions of a dossier and the panel of one of them (S0-03 to S0-09, S0-22)."""

from dataclasses import replace
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, path, reverse
from django.views.decorators.http import require_GET

from relance.accounts.access import Access
from relance.bank.models import Transaction
from relance.web.queries import bank
from relance.web.queries.bank_panel import panel
from relance.web.requests import enter_bank, today_of
from relance.web.views import bank_deeds, bank_documents, bank_imports, bank_settings
from relance.web.views.answers import is_piece
from relance.web.views.bank_access import back_to, surroundings


@require_GET
def bank_list(request: HttpRequest, slug: str) -> HttpResponse:
    """The transactions; `operation` opens the panel of one."""
    access = enter_bank(request, slug)
    today = today_of(request, access)
    filters = bank.Filters.read(request.GET)
    strip = bank.strip(access, filters, today)
    number = request.GET.get("page", "1")
    page, rows = bank.rows_page(access, filters, number, missing=strip.count)
    only_missing = filters.state == bank.TO_VALIDATE and not filters.narrowed
    context = surroundings(access, "bank_list") | {
        "today": today,
        "filters": filters,
        "page": page,
        "rows": rows,
        "strip": strip,
        "states": [
            (str(label), filters.address(etat=key if key != bank.TO_VALIDATE else ""), key)
            for key, label in bank.STATES.items()
        ],
        "state_label": bank.STATES[filters.state],
        "accounts": bank.accounts_of(access),
        "without_state": filters.address(etat=bank.EVERYTHING),
        "without_words": replace(filters, text="", amount="").address(),
        "justified": (
            bank.justified_beside(access, filters) if only_missing and filters.has_period else 0
        ),
        "ask_url": _ask_url(access, filters, strip),
        "to_come": bank.to_come(access, filters),
        "nothing_yet": not page.paginator.count and not access.all(Transaction).exists(),
        "sort_urls": _sort_urls(filters),
        "back": filters.address(page=request.GET.get("page", "")),
    }
    chosen = request.GET.get("operation", "")
    if chosen.isdecimal():
        context |= _side(access, access.get(Transaction, pk=int(chosen[:18])))
    return render(request, "bank/list.html", context)


@require_GET
def bank_transaction(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """The panel of one transaction; opened by itself, the list with its panel.

    Whoever follows a link to one that lacks its receipt sees what else does (S0-32).
    """
    access = enter_bank(request, slug)
    row = access.get(Transaction, pk=pk)
    if not is_piece(request):
        return redirect(back_to(slug, "" if row.missing else "etat=tout", pk))
    given = request.headers.get("HX-Current-URL", "").partition("?")[2]
    filters = bank.Filters.read(_values(given))
    context = surroundings(access, "bank_list") | _side(access, row)
    context |= {"today": today_of(request, access), "back": filters.address()}
    return render(request, "bank/_panel.html", context)


def _values(query: str) -> dict[str, str]:
    return {key: str(value) for key, value in QueryDict(query[:500]).items()}


def _side(access: Access, row: Transaction) -> dict[str, Any]:
    return {
        "selected": row.pk,
        "shown": panel(access, row),
        "ask_one_url": _receipts_url(access, {"operation": str(row.pk)}) if row.missing else "",
    }


def _ask_url(access: Access, filters: bank.Filters, strip: bank.Strip) -> str:
    """Where « Demander justificatifs » leads: a period is set and something is missing in it
    (S0-25, S0-36)."""
    if not filters.has_period or not strip.count:
        return ""
    wanted = {"du": filters.first, "au": filters.last, "compte": filters.account or None}
    return _receipts_url(access, {key: str(one) for key, one in wanted.items() if one})


def _receipts_url(access: Access, wanted: dict[str, str]) -> str:
    """The window that asks for receipts; empty for whoever may not ask."""
    if not access.can_ask:
        return ""
    try:
        return reverse("receipts_ask", args=[access.organisation.slug], query=wanted)
    except NoReverseMatch:
        return ""


def _sort_urls(filters: bank.Filters) -> dict[str, str]:
    """Address of each sortable header: the other way round when it sorts already."""
    return {
        key: replace(filters, sort=key if filters.sort == f"-{key}" else f"-{key}").address()
        for key in ("date", "montant")
    }


urlpatterns = [
    path("banque/", bank_list, name="bank_list"),
    path("banque/<int:pk>/", bank_transaction, name="bank_transaction"),
    *bank_deeds.urlpatterns,
    *bank_documents.urlpatterns,
    *bank_imports.urlpatterns,
    *bank_settings.urlpatterns,
]
