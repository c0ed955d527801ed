"""Justificatifs reçus: bring documents, see what they say, correct it; the original as a file."""

from typing import Any

from django import forms
from django.contrib import messages as notes
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from relance.accounts.access import Access
from relance.accounts.models import CollectRole
from relance.bank.models import Document
from relance.bank.previews import preview
from relance.bank.services import documents as services
from relance.bank.services import feed
from relance.bank.services.errors import BankRefused
from relance.formats.amounts import Amount, parse_amount
from relance.formats.document_kind import MAX_BYTES
from relance.outbox.inbound.addresses import own_address
from relance.web import french
from relance.web.queries import bank, bank_documents
from relance.web.requests import enter_bank, moment, today_of
from relance.web.views.bank_access import may_associate, may_upload, surroundings

MOST_FILES = 50
ACCEPTED = ".pdf,.jpg,.jpeg,.png,.heic,.heif,.webp,.xml"
SEALED = "default-src 'none'; sandbox"
"""The policy of what a stranger sent: even opened in a tab it may do nothing."""


class AmountField(forms.CharField):
    """An amount as people write it; its value is integer cents or None."""

    def clean(self, value: Any) -> Any:
        text = str(super().clean(value) or "").strip()
        read = parse_amount(text) if text else None
        if read is None:
            return None
        if not isinstance(read, Amount):
            raise forms.ValidationError(_("Écrivez un montant, par exemple 1 234,56."))
        return read.cents


class DocumentForm(forms.Form):
    """What a document says, as a person reads it."""

    supplier = forms.CharField(
        label=gettext_lazy("Fournisseur"), max_length=140, required=False, strip=True
    )
    on = forms.DateField(
        label=gettext_lazy("Date"),
        required=False,
        widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"),
    )
    amount_cents = AmountField(label=gettext_lazy("Montant TTC"), max_length=30, required=False)
    vat_cents = AmountField(label=gettext_lazy("dont TVA"), max_length=30, required=False)
    number = forms.CharField(label=gettext_lazy("Numéro"), max_length=80, required=False)

    @classmethod
    def of(cls, document: Document) -> "DocumentForm":
        """Filled with what was read."""

        def words(cents: int | None) -> str:
            return "" if cents is None else french.money(cents, "").strip()

        return cls(
            initial={
                "supplier": document.supplier,
                "on": document.on,
                "amount_cents": words(document.amount_cents),
                "vat_cents": words(document.vat_cents),
                "number": document.number,
            }
        )


@require_http_methods(["GET", "POST"])
def bank_documents_page(request: HttpRequest, slug: str) -> HttpResponse:
    """The documents, those without transaction first; POST brings several at once."""
    access = _enter(request, slug)
    if request.method == "POST":
        _take(request, access)
        return redirect("bank_documents", slug)
    shown = bank_documents.documents(
        access,
        view=request.GET.get("vue", ""),
        text=request.GET.get("q", ""),
        page=request.GET.get("page", "1"),
    )
    context = surroundings(access, "bank_documents") | {
        "today": today_of(request, access),
        "shown": shown,
        "accepted": ACCEPTED,
        "limit": 20,
        "by_mail": own_address(access.organisation),
        "views": [
            ("attente", _("Sans opération")),
            ("associes", _("Associés")),
            ("tous", _("Tous")),
        ],
    }
    return render(request, "bank/documents.html", context)


def _enter(request: HttpRequest, slug: str) -> Access:
    access = enter_bank(request, slug)
    if not may_upload(access):
        raise PermissionDenied(CollectRole.OWN.label)
    return access


def _take(request: HttpRequest, access: Access) -> None:
    """Store each file apart: one that is refused keeps none of the others out."""
    kept: list[Document] = []
    now, on = moment(request), today_of(request, access)
    files = request.FILES.getlist("file")
    if not files:
        notes.error(request, _("Choisissez au moins un fichier."))
    if len(files) > MOST_FILES:
        notes.warning(request, _("Les %(n)d premiers fichiers sont pris.") % {"n": MOST_FILES})
    for file in files[:MOST_FILES]:
        name = " ".join((file.name or "").split())[:80]
        try:
            stored = services.store_document(
                organisation=access.organisation,
                raw=file.read(MAX_BYTES + 1),
                filename=file.name or "",
                on=on,
                now=now,
                actor=access.user,
            )
        except BankRefused as refused:
            notes.error(request, f"{name}{french.NBSP}: {refused}")
            continue
        if stored.known:
            if bank.sees(access, stored.document):
                words = _("%(name)s est déjà là\u00a0: rien n’est ajouté.")
            else:  # he would look in vain for a document that is not shown to him (D-22)
                words = _("%(name)s\u00a0: déjà reçu d’un collègue, rien à faire.")
            notes.warning(request, words % {"name": name})
            continue
        kept.append(stored.document)
        if _look_alikes(access, stored.document):
            notes.warning(
                request,
                _("%(name)s ressemble à un justificatif déjà reçu\u00a0: ouvrez-le pour comparer.")
                % {"name": name},
            )
    found = feed.propose_documents(access.organisation, kept, now=now)
    if kept:
        words = ngettext("%(n)d justificatif reçu", "%(n)d justificatifs reçus", len(kept))
        said = words % {"n": len(kept)}
        if found:
            more = ngettext("%(n)d association proposée", "%(n)d associations proposées", found)
            said += ", " + more % {"n": found}
        notes.success(request, said + ".")


def _document(request: HttpRequest, slug: str, pk: int) -> tuple[Access, Document]:
    access = _enter(request, slug)
    document = bank.visible_documents(access).filter(pk=pk).first()
    if document is None:
        raise Http404
    return access, document


@require_http_methods(["GET", "POST"])
def bank_document(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """One document: its picture, what it says (editable), its transactions, its look-alikes."""
    access, document = _document(request, slug, pk)
    form = DocumentForm.of(document)
    if request.method == "POST":
        _may_change(access, document)
        form = DocumentForm(request.POST)
        if form.is_valid():
            changed = services.describe(document, actor=access.user, **form.cleaned_data)
            feed.propose_documents(access.organisation, [changed], now=moment(request))
            notes.success(request, _("Enregistré."))
            return redirect("bank_document", slug, pk)
    context = surroundings(access, "bank_documents") | {
        "today": today_of(request, access),
        "document": document,
        "form": form,
        "may_change": _can_change(access, document),
        "links": bank_documents.links_of(document),
        "duplicates": _look_alikes(access, document),
    }
    return render(request, "bank/document.html", context)


def _look_alikes(access: Access, document: Document) -> list[Document]:
    """Of the look-alikes, those that the person may see (D-22)."""
    found = services.duplicates_of(document)
    seen = bank.visible_documents(access).filter(pk__in=[one.pk for one in found])
    known = set(seen.values_list("pk", flat=True))
    return [one for one in found if one.pk in known]


def _can_change(access: Access, document: Document) -> bool:
    return may_associate(access) or document.made_by_id == access.user.pk


def _may_change(access: Access, document: Document) -> None:
    if not _can_change(access, document):
        raise PermissionDenied


@require_POST
def bank_document_remove(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Take a document away that nothing holds."""
    access, document = _document(request, slug, pk)
    _may_change(access, document)
    try:
        services.remove(
            document, actor=access.user, on=today_of(request, access), now=moment(request)
        )
    except BankRefused as refused:
        notes.error(request, str(refused))
        return redirect("bank_document", slug, pk)
    notes.success(request, _("Justificatif supprimé."))
    return redirect("bank_documents", slug)


@require_GET
def bank_document_preview(request: HttpRequest, slug: str, pk: int) -> FileResponse:
    """The PNG that we drew of a page; `page` counts from 1. 404 when there is none."""
    _access, document = _document(request, slug, pk)
    asked = request.GET.get("page", "1")
    place = preview(document, int(asked[:3]) - 1 if asked.isdecimal() else 0)
    if place is None:
        raise Http404
    answer = FileResponse(place.open("rb"), content_type="image/png")
    answer.headers["Cache-Control"] = "private, max-age=86400"
    return _sealed(answer)


@require_GET
def bank_document_file(request: HttpRequest, slug: str, pk: int) -> FileResponse:
    """The original, unchanged, to be saved: never shown by the browser as ours."""
    _access, document = _document(request, slug, pk)
    return _sealed(
        FileResponse(
            document.file.open("rb"),
            as_attachment=True,
            filename=document.filename,
            content_type="application/octet-stream",
        )
    )


def _sealed(answer: FileResponse) -> FileResponse:
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Content-Security-Policy"] = SEALED
    answer._csp_exempt = True  # type: ignore[attr-defined] # its own is stricter
    return answer


urlpatterns = [
    path("banque/justificatifs/", bank_documents_page, name="bank_documents"),
    path("banque/justificatifs/<int:pk>/", bank_document, name="bank_document"),
    path(
        "banque/justificatifs/<int:pk>/supprimer/",
        bank_document_remove,
        name="bank_document_remove",
    ),
    path(
        "banque/justificatifs/<int:pk>/apercu.png",
        bank_document_preview,
        name="bank_document_preview",
    ),
    path("banque/justificatifs/<int:pk>/original/", bank_document_file, name="bank_document_file"),
]
