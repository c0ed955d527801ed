"""Imports: drop a file, say what its columns are, run it, read the report, undo it."""

import io
import logging
import threading
from dataclasses import replace
from typing import Any

from django import forms
from django.conf import settings as django_settings
from django.contrib import messages as notes
from django.core.paginator import Paginator
from django.db import connection, transaction
from django.http import FileResponse, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from relance.accounts import clock
from relance.accounts.access import Access
from relance.accounts.models import DunningRole
from relance.dunning.plans import arrivals
from relance.formats.tabular import Table
from relance.formats.text import cell_text
from relance.formats.values import currency_of
from relance.ledger import imports
from relance.ledger.models import Import, ImportStatus
from relance.web import french
from relance.web.queries.imports import chased
from relance.web.requests import enter, moment, today_of, user_of

log = logging.getLogger(__name__)

AT_ONCE = 1_000
"""Lines up to which an import is done before the page answers."""

_ENVELOPE = 100_000
"""Bytes of a request beside its file."""


class OptionsForm(forms.Form):
    """How to read what the file leaves open."""

    date_order = forms.ChoiceField(
        label=gettext_lazy("Ordre des dates"),
        required=False,
        choices=[
            ("", gettext_lazy("Selon les dates du fichier")),
            ("dmy", gettext_lazy("Jour, mois, année")),
            ("mdy", gettext_lazy("Mois, jour, année")),
        ],
    )
    decimal = forms.ChoiceField(
        label=gettext_lazy("Séparateur décimal"),
        required=False,
        choices=[
            ("", gettext_lazy("Selon les montants du fichier")),
            (",", gettext_lazy("Virgule")),
            (".", gettext_lazy("Point")),
        ],
    )
    currency = forms.CharField(
        label=gettext_lazy("Devise par défaut"), max_length=3, required=False, initial="EUR"
    )
    terms_days = forms.IntegerField(
        label=gettext_lazy("Délai de paiement (jours)"),
        help_text=gettext_lazy("Pour les factures sans échéance."),
        min_value=0,
        max_value=365,
        required=False,
    )
    end_of_month = forms.BooleanField(label=gettext_lazy("Fin de mois"), required=False)

    def clean_currency(self) -> str:
        text = str(self.cleaned_data["currency"] or "EUR")
        found = currency_of(text)
        if found is None:
            raise forms.ValidationError(_("Écrivez un code de trois lettres, par exemple EUR."))
        return found

    def clean_terms_days(self) -> int:
        days = self.cleaned_data["terms_days"]
        return 30 if days is None else int(days)


def start(import_id: int) -> None:
    """Run an import in a thread of this process, once the request's transaction is over."""

    def work() -> None:
        try:
            arrivals.run_import(import_id, clock.now())
        except imports.ImportStateError:
            log.info("import %s is already taken", import_id)
        finally:
            connection.close()

    thread = threading.Thread(target=work, name=f"import-{import_id}", daemon=True)
    transaction.on_commit(thread.start)


@require_GET
def import_list(request: HttpRequest, slug: str) -> HttpResponse:
    """Every import, the latest first."""
    access = enter(request, slug)
    imports.mark_interrupted(moment(request), access.organisation)
    found = access.all(Import).select_related("made_by").order_by("-made_at", "-id")
    page = Paginator(found, 50).get_page(request.GET.get("page"))
    return render(request, "imports/import_list.html", {"access": access, "page": page})


@csrf_exempt
def import_new(request: HttpRequest, slug: str) -> HttpResponse:
    """A file too large is refused by its announced size, before a byte of it is read; only
    then is the form read, and with it the token that protects it."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    limit = django_settings.IMPORT_MAX_BYTES
    length = request.META.get("CONTENT_LENGTH") or "0"
    if length.isdigit() and int(length) > limit + _ENVELOPE:
        error = _(
            "Le fichier pèse %(size)s Mo, la limite est de %(limit)s Mo. "
            "Découpez-le en plusieurs fichiers, par exemple par année."
        ) % {"size": french.number(int(length) // 10**6), "limit": limit // 10**6}
        return _new_page(request, access, error, status=413)
    return _upload(request, slug)


@csrf_protect
@require_http_methods(["GET", "POST"])
def _upload(request: HttpRequest, slug: str) -> HttpResponse:
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    if request.method != "POST":
        return _new_page(request, access)
    content = request.FILES.get("file")
    if content is None:
        return _new_page(request, access, _("Choisissez un fichier."), status=400)
    try:
        made = imports.store_upload(
            organisation=access.organisation,
            content=content,
            filename=content.name or "",
            now=moment(request),
            actor=user_of(request),
        )
    except imports.ImportFileError as refused:
        return _new_page(request, access, refused.message, status=400)
    return redirect("import_mapping", slug, made.pk)


def _new_page(
    request: HttpRequest, access: Access, error: str = "", status: int = 200
) -> HttpResponse:
    context = {
        "access": access,
        "error": error,
        "limit": django_settings.IMPORT_MAX_BYTES // 10**6,
    }
    return render(request, "imports/import_new.html", context, status=status)


@require_http_methods(["GET", "POST"])
def import_mapping(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """The columns and what the first lines become; asked again by htmx at each change."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    imported = access.get(Import, pk=pk)
    if imported.status not in (ImportStatus.UPLOADED, ImportStatus.FAILED) or imported.done_lines:
        return redirect("import_detail", slug, pk)
    if imported.kind == Import.Kind.FEC:
        return _fec_page(request, access, imported)
    given = request.POST if request.method == "POST" else None
    try:
        context = _mapping_context(request, access, imported, given)
    except imports.ImportFileError as refused:
        return _new_page(request, access, refused.message, status=400)
    piece = given is not None and bool(request.headers.get("HX-Request"))
    template = "imports/_preview.html" if piece else "imports/import_mapping.html"
    return render(request, template, {**context, "piece": piece})


def _mapping_context(
    request: HttpRequest, access: Access, imported: Import, given: QueryDict | None
) -> dict[str, Any]:
    source = given if given is not None else request.GET
    imported.kind = _kind_given(source, imported)
    today = today_of(request, access)
    base = replace(imports.settings_of(imported.options, today), sheet=source.get("sheet") or None)
    table = imports.table_of(imported, base)
    error = ""
    if given is None:
        proposed = imports.propose_mapping(imported, table, today)
        columns, chosen = proposed.columns, replace(proposed.settings, sheet=base.sheet)
        remembered, confidence = proposed.remembered, proposed.confidence
        form = OptionsForm(initial=chosen.as_json())
    else:
        remembered, confidence = False, {}
        columns, error = _columns_given(given, imported, table)
        form = OptionsForm(given)
        chosen = _settings_given(form, base)
    preview = imports.preview(imported, table, columns, chosen)
    return {
        "access": access,
        "imported": imported,
        "table": table,
        "form": form,
        "kinds": [
            (Import.Kind.INVOICES, _("Factures et règlements")),
            (Import.Kind.CUSTOMERS, _("Clients")),
        ],
        "columns": _columns_shown(imported, table, columns, confidence),
        "preview": preview,
        "faults": [*([error] if error else []), *preview.faults],
        "remembered": remembered,
        "orders": _orders_shown(imported, preview),
        "separator": _SEPARATORS.get(table.separator or "", ""),
        "encoding": _ENCODINGS.get(table.encoding or "", table.encoding or ""),
    }


def _kind_given(source: QueryDict, imported: Import) -> str:
    kind = str(source.get("kind", ""))
    return kind if kind in (Import.Kind.INVOICES, Import.Kind.CUSTOMERS) else imported.kind


_SEPARATORS = {
    ";": gettext_lazy("point-virgule"),
    ",": gettext_lazy("virgule"),
    "\t": gettext_lazy("tabulation"),
    "|": gettext_lazy("barre verticale"),
}
_ENCODINGS = {
    "utf-8": "UTF-8",
    "utf-8-sig": "UTF-8",
    "utf-16": "UTF-16",
    "cp1252": "Windows-1252",
}


def _columns_given(given: QueryDict, imported: Import, table: Table) -> tuple[dict[str, int], str]:
    """The field chosen for each column; a sentence when one was chosen twice."""
    fields = {field.code: field.label for field in imports.fields_of(imported.kind)}
    columns: dict[str, int] = {}
    error = ""
    for index in range(len(table.header)):
        code = given.get(f"column_{index}", "")
        if code not in fields:
            continue
        if code in columns:
            error = _(
                "«\u00a0%(field)s\u00a0» est choisi pour deux colonnes. Gardez-en une seule."
            ) % {"field": fields[code]}
            continue
        columns[code] = index
    return columns, error


def _settings_given(form: OptionsForm, base: imports.Settings) -> imports.Settings:
    if not form.is_valid():
        return base
    data = form.cleaned_data
    return replace(
        base,
        date_order=data["date_order"] or None,
        decimal=data["decimal"] or None,
        currency=data["currency"],
        terms_days=data["terms_days"],
        end_of_month=data["end_of_month"],
    )


def _columns_shown(
    imported: Import, table: Table, columns: dict[str, int], confidence: dict[str, float]
) -> list[dict[str, Any]]:
    """One line per column of the file: header, three samples, the field it is read as."""
    rows = table.sample(40)
    by_index = {index: code for code, index in columns.items()}
    fields = imports.fields_of(imported.kind)
    shown = []
    for index, header in enumerate(table.header):
        samples = [cell_text(row.cells[index]) for row in rows]
        filled = list(dict.fromkeys(text for text in samples if text))
        code = by_index.get(index, "")
        shown.append(
            {
                "name": f"column_{index}",
                "header": header or _("(sans titre)"),
                "samples": [text[:60] for text in filled[:3]],
                "options": [(field.code, field.label, field.code == code) for field in fields],
                "code": code,
                "doubtful": bool(code) and confidence.get(code, 1.0) < 0.8,
            }
        )
    return shown


def _orders_shown(imported: Import, preview: imports.Preview) -> list[tuple[str, str, bool]]:
    """Date fields with the order found, and whether a date proves it."""
    if preview.profile is None:
        return []
    labels = {field.code: field.label for field in imports.fields_of(imported.kind)}
    words = {"dmy": _("jour, mois, année"), "mdy": _("mois, jour, année")}
    return [
        (labels.get(code, code), words[order.order], order.certain)
        for code, order in preview.profile.orders.items()
    ]


def _fec_page(
    request: HttpRequest,
    access: Access,
    imported: Import,
    form: OptionsForm | None = None,
) -> HttpResponse:
    settings = imports.settings_of(imported.options, today_of(request, access))
    try:
        ledger = imports.ledger_of(imported, settings)
    except imports.ImportFileError as refused:
        return _new_page(request, access, refused.message, status=400)
    context = {
        "access": access,
        "imported": imported,
        "ledger": ledger,
        "customers": [c for c in ledger.customers if c.items or c.balance_cents],
        "form": form or OptionsForm(initial=settings.as_json()),
    }
    return render(request, "imports/import_fec.html", context)


@require_POST
def import_run(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Keep the choices and start; a small file is done when the page answers."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    imported = access.get(Import, pk=pk)
    lines = imported.total_lines
    if not imported.done_lines:  # else it goes on where it stopped, as it was chosen
        form = OptionsForm(request.POST)
        base = imports.settings_of(imported.options, today_of(request, access))
        base = replace(base, sheet=request.POST.get("sheet") or None)
        settings = _settings_given(form, base)
        try:
            columns, error, lines = _choice(request, imported, settings)
            if error or not form.is_valid():
                raise imports.ImportFileError(error or _("Vérifiez les options de lecture."))
            imports.choose_mapping(imported=imported, columns=columns, settings=settings)
        except imports.ImportFileError as refused:
            notes.error(request, refused.message)
            return import_mapping(request, slug, pk)
    if lines <= AT_ONCE:
        try:
            arrivals.run_import(imported.pk, moment(request))
        except imports.ImportStateError as refused:
            notes.error(request, refused.message)
    else:
        start(imported.pk)
    return redirect("import_detail", slug, pk)


def _choice(
    request: HttpRequest, imported: Import, settings: imports.Settings
) -> tuple[dict[str, int], str, int]:
    """The columns chosen, what is wrong with them, and about how many lines there are."""
    if imported.kind == Import.Kind.FEC:
        return {}, "", AT_ONCE
    imported.kind = _kind_given(request.POST, imported)
    table = imports.table_of(imported, settings)
    columns, error = _columns_given(request.POST, imported, table)
    lines = sum(1 for _row in zip(table.rows(), range(AT_ONCE + 1), strict=False))
    return columns, error, lines


@require_GET
def import_progress(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """The bar and its counts; when the work is over, the page asks for the report."""
    access = enter(request, slug)
    imports.mark_interrupted(moment(request), access.organisation)
    imported = access.get(Import, pk=pk)
    answer = render(request, "imports/_progress.html", _progress(access, imported))
    if imported.status not in (ImportStatus.RUNNING, ImportStatus.UPLOADED):
        answer["HX-Refresh"] = "true"
    return answer


def _progress(access: Access, imported: Import) -> dict[str, Any]:
    text = _("%(done)s lignes lues sur %(total)s") % {
        "done": french.number(imported.done_lines),
        "total": french.number(imported.total_lines),
    }
    if not imported.total_lines:
        text = _("Lecture du fichier")
    parts = [text]
    if imported.refused:
        parts.append(french.counted(imported.refused, _("refusée"), _("refusées")))
    return {
        "imported": imported,
        "text": ", ".join(parts) + ".",
        "url": reverse("import_progress", args=[access.organisation.slug, imported.pk]),
        "running": imported.status in (ImportStatus.RUNNING, ImportStatus.UPLOADED),
    }


@require_GET
def import_detail(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """The report: what was created, updated, left, and every refused line with its reason."""
    access = enter(request, slug)
    imports.mark_interrupted(moment(request), access.organisation)
    imported = access.get(Import, pk=pk)
    lines = imported.lines.order_by("line", "id")
    page = Paginator(lines.filter(refused=True), 100).get_page(request.GET.get("page"))
    context = {
        "access": access,
        "page": page,
        "remarks": lines.filter(refused=False)[:200],
        "remark_count": sum(imported.options.get("remarks", {}).values()),
        "control": imported.options.get("control"),
        "undone": imported.options.get("undone"),
        "can_undo": access.can_write
        and imported.status in (ImportStatus.DONE, ImportStatus.FAILED)
        and imported.changes.exists(),
        **_progress(access, imported),
    }
    return render(request, "imports/import_detail.html", context)


@require_GET
def import_refused(request: HttpRequest, slug: str, pk: int) -> FileResponse:
    """The refused lines with their reasons, as a workbook."""
    access = enter(request, slug)
    imported = access.get(Import, pk=pk)
    target = io.BytesIO()
    imports.write_refused(imported, target)
    target.seek(0)
    name = _("lignes-refusees-%(pk)s.xlsx") % {"pk": imported.pk}
    return FileResponse(target, as_attachment=True, filename=name)


@require_http_methods(["GET", "POST"])
def import_undo(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """What undoing will do, then, once confirmed, its doing."""
    access = enter(request, slug, DunningRole.ACCOUNT_MANAGER)
    imported = access.get(Import, pk=pk)
    try:
        if request.method == "POST":
            imports.undo_import(
                imported=imported,
                chased=chased,
                on=today_of(request, access),
                now=moment(request),
                actor=user_of(request),
            )
            imported.refresh_from_db()
            arrivals.touched(imported, on=today_of(request, access), now=moment(request))
            notes.success(request, _("L’import est annulé."))
            return redirect("import_detail", slug, pk)
        plan = imports.plan_undo(imported, chased)
    except imports.ImportStateError as refused:
        notes.error(request, refused.message)
        return redirect("import_detail", slug, pk)
    context = {
        "access": access,
        "imported": imported,
        "plan": plan,
        "deleted": _counted(plan.deleted),
        "restored": _counted(plan.restored),
        "kept": plan.kept[:200],
    }
    return render(request, "imports/import_undo.html", context)


def _counted(numbers: dict[str, int]) -> list[str]:
    words = {
        "invoice": (_("facture"), _("factures")),
        "customer": (_("client"), _("clients")),
        "payment": (_("règlement"), _("règlements")),
        "credit": (_("avoir"), _("avoirs")),
        "contact": (_("contact"), _("contacts")),
        "site": (_("chantier"), _("chantiers")),
    }
    return [french.counted(numbers[key], *words[key]) for key in words if numbers.get(key)]


urlpatterns = [
    path("imports/", import_list, name="import_list"),
    path("imports/nouveau/", import_new, name="import_new"),
    path("imports/<int:pk>/", import_detail, name="import_detail"),
    path("imports/<int:pk>/colonnes/", import_mapping, name="import_mapping"),
    path("imports/<int:pk>/lancer/", import_run, name="import_run"),
    path("imports/<int:pk>/progression/", import_progress, name="import_progress"),
    path("imports/<int:pk>/refusees/", import_refused, name="import_refused"),
    path("imports/<int:pk>/annuler/", import_undo, name="import_undo"),
]
