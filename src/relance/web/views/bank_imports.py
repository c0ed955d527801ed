"""Relevés: drop a statement, see what it would add, import it, read the report."""

from typing import Any

from django.conf import settings as django_settings
from django.contrib import messages as notes
from django.db import transaction as database
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from relance.accounts.access import Access
from relance.accounts.models import BankRole
from relance.bank.models import BankAccount, BankImport
from relance.bank.services import feed, statements
from relance.bank.services.feed import SHEET, Choice
from relance.bank.services.statements import BankFileError
from relance.dunning.daily import refreshing
from relance.formats.bank import sheet
from relance.formats.bank.read import BankFile
from relance.formats.faults import Fault
from relance.formats.tabular import Table
from relance.formats.text import cell_text
from relance.formats.values import currency_of
from relance.web.queries.paging import page_of
from relance.web.requests import enter_bank, moment, today_of
from relance.web.views.bank_access import surroundings

KINDS = {
    "camt": "camt (ISO 20022)",
    "ofx": "OFX",
    "cfonb": "CFONB 120",
    "mt940": "MT940",
    SHEET: gettext_lazy("Tableau"),
}
SHOWN = 8
"""Movements of each statement that the preview shows."""


@require_http_methods(["GET", "POST"])
def bank_imports(request: HttpRequest, slug: str) -> HttpResponse:
    """The statements that came in, the latest first; POST brings one."""
    if request.method == "POST":
        return _receive(request, slug)
    return _list(request, enter_bank(request, slug))


def _list(request: HttpRequest, access: Access, error: str = "", status: int = 200) -> HttpResponse:
    found = access.all(BankImport).filter(done=True).select_related("made_by")
    page = page_of(found.order_by("-made_at", "-id"), request.GET.get("page"))
    rows = [(one, KINDS.get(one.kind, one.kind)) for one in page.object_list]
    context = surroundings(access, "bank_imports") | {
        "page": page,
        "rows": rows,
        "error": error,
        "limit": django_settings.IMPORT_MAX_BYTES // 10**6,
    }
    return render(request, "bank/imports.html", context, status=status)


def _receive(request: HttpRequest, slug: str) -> HttpResponse:
    access = enter_bank(request, slug, BankRole.R2)
    content = request.FILES.get("file")
    if content is None:
        return _list(request, access, _("Choisissez un fichier."), 400)
    if (content.size or 0) > django_settings.IMPORT_MAX_BYTES:
        limit = django_settings.IMPORT_MAX_BYTES // 10**6
        return _list(request, access, _("La limite est de %(n)s Mo.") % {"n": limit}, 413)
    try:
        made = feed.receive(
            organisation=access.organisation,
            raw=content.read(),
            filename=content.name or "",
            now=moment(request),
            actor=access.user,
        )
    except BankFileError as refused:
        return _list(request, access, str(refused), 400)
    return redirect("bank_import", slug, made.pk)


@require_http_methods(["GET", "POST"])
def bank_import(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """What a statement would add, or what it did; POST imports it."""
    post = request.method == "POST"
    access = enter_bank(request, slug, BankRole.R2 if post else BankRole.R1)
    imported = access.get(BankImport, pk=pk)
    if imported.done:
        return _report(request, access, imported)
    found, context = _look(request, access, imported)
    if post and request.POST.get("importer") and found is not None:
        return _import(request, access, imported, found, context)
    context |= surroundings(access, "bank_imports") | {
        "imported": imported,
        "kind": KINDS.get(imported.kind, imported.kind),
        "today": today_of(request, access),
    }
    return render(request, "bank/import.html", context)


def _look(
    request: HttpRequest, access: Access, imported: BankImport
) -> tuple[BankFile | None, dict[str, Any]]:
    """What the file says, as it is read now, beside what the page shows of it."""
    context: dict[str, Any] = {"is_sheet": imported.kind == SHEET, "error": ""}
    found: BankFile | None = None
    try:
        if imported.kind == SHEET:
            table = feed.table_of(imported)
            choice, remembered = _choice(request, imported, table)
            context |= _sheet_context(access, table, choice, remembered)
            found, read = feed.read_table(table, choice)
            context |= {"order": read.order, "certain": read.certain}
        else:
            found = statements.read_file(feed.raw_of(imported), account=_account(request.POST))
        shown = statements.preview_file(organisation=access.organisation, raw=b"", found=found)
        context |= {"preview": shown, "parts": [(one, _first(one)) for one in shown.parts]}
    except BankFileError as refused:
        context["error"] = str(refused)
        if imported.kind != SHEET:
            context["needs_account"] = refused.code == "bank_no_account"
    if imported.kind != SHEET:
        context |= _account_context(access, _account(request.POST))
    return found, context


def _first(part: statements.Part) -> list[Any]:
    return list(part.statement.movements[:SHOWN])


def _choice(request: HttpRequest, imported: BankImport, table: Table) -> tuple[Choice, bool]:
    proposed, remembered = feed.proposed_choice(imported, table)
    given = request.POST
    if request.method != "POST":
        return proposed, remembered
    columns: dict[str, int] = {}
    for index in range(len(table.header)):
        code = given.get(f"colonne_{index}", "")
        if code in sheet.FIELDS and code not in columns:
            columns[code] = index
    return Choice(columns, _account(given), _order(given), _currency(given)), False


def _account(given: QueryDict) -> str:
    """A known account, or the number of a new one."""
    return (given.get("compte") or given.get("nouveau") or "")[:60]


def _order(given: QueryDict) -> Any:
    order = given.get("ordre", "")
    return order if order in ("dmy", "mdy") else None


def _currency(given: QueryDict) -> str:
    return currency_of(given.get("devise", "")) or "EUR"


def _sheet_context(
    access: Access, table: Table, choice: Choice, remembered: bool
) -> dict[str, Any]:
    rows = table.sample(20)
    by_index = {index: code for code, index in choice.columns.items()}
    columns = []
    for index, header in enumerate(table.header):
        texts = [cell_text(row.cells[index]) for row in rows]
        columns.append(
            {
                "name": f"colonne_{index}",
                "header": header or _("(sans titre)"),
                "samples": list(dict.fromkeys(text[:40] for text in texts if text))[:3],
                "code": by_index.get(index, ""),
            }
        )
    return _account_context(access, choice.account) | {
        "columns": columns,
        "fields": list(sheet.FIELDS.items()),
        "currency": choice.currency,
        "forced": choice.order or "",
        "remembered": remembered,
        "table": table,
        "choice": choice,
    }


def _account_context(access: Access, chosen: str) -> dict[str, Any]:
    accounts = list(access.all(BankAccount).filter(closed=False).order_by("name", "number"))
    account = "".join(chosen.split())
    known = {one.number for one in accounts}
    return {
        "accounts": accounts,
        "account": account,
        "new_account": "" if account in known else chosen,
    }


def _import(
    request: HttpRequest,
    access: Access,
    imported: BankImport,
    found: BankFile,
    context: dict[str, Any],
) -> HttpResponse:
    on, now = today_of(request, access), moment(request)
    try:
        with database.atomic():
            taken = feed.take_in(imported=imported, found=found, on=on, now=now, actor=access.user)
            if imported.kind == SHEET:
                feed.remember(imported, context["table"], context["choice"])
    except BankFileError as refused:
        notes.error(request, str(refused))
        return redirect("bank_imports", access.organisation.slug)
    refreshing.refresh(access.organisation, sorted(taken.customers), on=on, now=now)
    return redirect("bank_import", access.organisation.slug, imported.pk)


def _report(request: HttpRequest, access: Access, imported: BankImport) -> HttpResponse:
    remarks = [
        Fault(one["code"], line=one.get("line"), facts=one.get("facts") or {}).message
        for one in imported.remarks[:100]
    ]
    context = surroundings(access, "bank_imports") | {
        "imported": imported,
        "kind": KINDS.get(imported.kind, imported.kind),
        "statements": list(imported.statements.select_related("account").order_by("id")),
        "remarks": remarks,
        "today": today_of(request, access),
    }
    return render(request, "bank/report.html", context)


urlpatterns = [
    path("banque/releves/", bank_imports, name="bank_imports"),
    path("banque/releves/<int:pk>/", bank_import, name="bank_import"),
]
