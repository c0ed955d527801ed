"""What one does with a transaction: associate, confirm, deny, waive, settle invoices."""

from collections.abc import Callable

from django.contrib import messages as notes
from django.core.exceptions import PermissionDenied
from django.db import transaction as database
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from relance.accounts.access import Access
from relance.accounts.models import BankRole, CollectRole
from relance.bank.models import Document, Link, Transaction
from relance.bank.services import links, settlement
from relance.bank.services.documents import store_document
from relance.bank.services.errors import BankRefused
from relance.dunning.daily import refreshing
from relance.engine.wording import money_words
from relance.formats.amounts import Amount, parse_amount
from relance.formats.document_kind import MAX_BYTES
from relance.ledger.models import Invoice
from relance.ledger.services import LedgerError
from relance.web.queries import bank
from relance.web.requests import enter_bank, moment, today_of
from relance.web.views.bank_access import back_to, may_upload

Deed = Callable[[HttpRequest, Access, Transaction], str]
MOST_FILES = 20


def _deed(name: str, route: str, do: Deed) -> URLPattern:
    """An address that answers POST only: does `do` and comes back to the panel; what is refused
    is said there."""

    @require_POST
    def view(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
        access = enter_bank(request, slug, BankRole.R2)
        row = access.get(Transaction, pk=pk)
        try:
            said = do(request, access, row)
            if said:
                notes.success(request, said)
        except (BankRefused, LedgerError) as refused:
            notes.error(request, str(refused))
        return redirect(back_to(slug, request.POST.get("retour", ""), row.pk))

    view.__doc__ = do.__doc__
    return path(f"banque/<int:pk>/{route}/", view, name=name)


def _link(request: HttpRequest, access: Access, row: Transaction) -> Link:
    key = request.POST.get("lien", "")
    found = Link.objects.filter(transaction=row, pk=int(key[:18]) if key.isdecimal() else 0)
    link = found.select_related("document").first()
    if link is None:
        raise BankRefused(_("Cette association n’existe plus. Rechargez la page."))
    if link.document is not None and not bank.sees(access, link.document):
        raise BankRefused(
            _("Ce justificatif n’est pas le vôtre\u00a0: votre accès ne permet pas d’en juger.")
        )
    return link


def _cents(text: str) -> int | None:
    """Positive cents, None when the field is empty. BankRefused when it is no amount."""
    read = parse_amount(" ".join(text.split())[:40]) if text.strip() else None
    if read is None:
        return None
    if not isinstance(read, Amount) or read.cents <= 0:
        raise BankRefused(
            _("«\u00a0%(text)s\u00a0» n’est pas un montant.") % {"text": text.strip()[:40]}
        )
    return read.cents


def confirm(request: HttpRequest, access: Access, row: Transaction) -> str:
    """« Confirmer » : the receipt found is this transaction's (S0-08)."""
    on, now = today_of(request, access), moment(request)
    links.confirm_found(link=_link(request, access, row), actor=access.user, on=on, now=now)
    return _("Justificatif associé.")


def deny(request: HttpRequest, access: Access, row: Transaction) -> str:
    """« Ce n'est pas ça » : it is not, and will not be proposed again."""
    on, now = today_of(request, access), moment(request)
    links.deny(link=_link(request, access, row), actor=access.user, on=on, now=now)
    return _("Ce justificatif ne sera plus proposé pour cette opération.")


def attach(request: HttpRequest, access: Access, row: Transaction) -> str:
    """Documents dropped here, or chosen among those received; one amount when there is one."""
    on, now = today_of(request, access), moment(request)
    files = request.FILES.getlist("file")[:MOST_FILES]
    keys = [int(key[:18]) for key in request.POST.getlist("justificatif") if key.isdecimal()]
    cents = _cents(request.POST.get("montant", ""))
    if not files and not keys:
        raise BankRefused(_("Déposez un fichier, ou choisissez un justificatif reçu."))
    if cents is not None and len(files) + len(keys) > 1:
        raise BankRefused(_("Un montant partiel se donne pour un justificatif à la fois."))
    if files and not may_upload(access):
        raise PermissionDenied(CollectRole.OWN.label)
    papers = list(bank.visible_documents(access).filter(pk__in=keys))
    for file in files:  # before anything is locked: reading a photograph takes seconds
        stored = store_document(
            organisation=access.organisation,
            raw=file.read(MAX_BYTES + 1),
            filename=file.name or "",
            on=on,
            now=now,
            actor=access.user,
        )
        papers.append(stored.document)
    with database.atomic():
        made = [_associate(access, row, paper, cents, request) for paper in papers]
    for link in made:
        _tell_of_currency(access, link, request)
    return ngettext("%(n)d justificatif associé.", "%(n)d justificatifs associés.", len(papers)) % {
        "n": len(papers)
    }


def _associate(
    access: Access, row: Transaction, paper: Document, cents: int | None, request: HttpRequest
) -> Link:
    """A document without an amount covers what is lacking."""
    return links.associate(
        row=row,
        document=paper,
        actor=access.user,
        on=today_of(request, access),
        now=moment(request),
        amount_cents=cents,
    )


def _tell_of_currency(access: Access, link: Link, request: HttpRequest) -> None:
    """A document in another currency was taken for an amount of the account: which, and why."""
    paper, row = link.document, link.transaction
    if paper is None or link.paper_cents is None:
        return
    notes.info(
        request,
        _(
            "«\u00a0%(name)s\u00a0» est en %(currency)s\u00a0: %(cents)s retenus dans "
            "la devise du compte. Pour "
            "un autre montant, dissociez-le et donnez le vôtre."
        )
        % {
            "name": bank.paper_name(access, paper),
            "currency": paper.currency,
            "cents": money_words(abs(link.amount_cents), row.currency),
        },
    )


def detach(request: HttpRequest, access: Access, row: Transaction) -> str:
    """« Dissocier »."""
    link = _link(request, access, row)
    on, now = today_of(request, access), moment(request)
    links.dissociate(link=link, actor=access.user, on=on, now=now)
    return _("Justificatif dissocié. Il reste dans les justificatifs reçus.")


def expense(request: HttpRequest, access: Access, row: Transaction) -> str:
    """Associate with a kind of expense, or with none any more; the receipt is still wanted."""
    on, now = today_of(request, access), moment(request)
    label = request.POST.get("nature", "")
    links.name_expense(row=row, label=label, actor=access.user, on=on, now=now)
    return ""


def waive(request: HttpRequest, access: Access, row: Transaction) -> str:
    """Ignorer, Sans justificatif, Perdu, Forcer; or ask for it again."""
    waiver = request.POST.get("choix", "")
    offered = set(Transaction.Waiver.values) - {Transaction.Waiver.REVERSED}
    if waiver and waiver not in offered:
        raise BankRefused(_("Choisissez ce qu’il faut en faire."))
    note = " ".join(request.POST.get("note", "").split())
    needs_note = waiver in (Transaction.Waiver.LOST, Transaction.Waiver.FORCED)
    if needs_note and not note:
        raise BankRefused(
            _("Écrivez en quelques mots pourquoi\u00a0: la note reste dans le dossier.")
        )
    on, now = today_of(request, access), moment(request)
    links.waive(rows=[row], waiver=waiver, actor=access.user, on=on, now=now, note=note)
    if not waiver:
        return _("Le justificatif de cette opération est de nouveau demandé.")
    return _("Plus rien n’est demandé pour cette opération.")


def settle(request: HttpRequest, access: Access, row: Transaction) -> str:
    """The credit pays these invoices, each by its amount: the chase stops at once."""
    shares = []
    for name, text in request.POST.items():
        key = name.removeprefix("facture_")
        if key == name or not key.isdecimal():
            continue
        cents = _cents(str(text))
        if cents is not None:
            shares.append((int(key[:18]), cents))
    number = " ".join(request.POST.get("numero", "").split())[:80]
    if number:
        shares.append(_numbered(access, row, number, request.POST.get("montant", "")))
    on, now = today_of(request, access), moment(request)
    done = settlement.confirm(row=row, shares=shares, actor=access.user, on=on, now=now)
    _renew(access, done.customers, request)
    return _("Règlement enregistré. Ce client n’est plus relancé pour ce qu’il a payé.")


def _numbered(access: Access, row: Transaction, number: str, text: str) -> tuple[int, int]:
    invoice = access.all(Invoice).filter(number__iexact=number, balance_cents__gt=0).first()
    if invoice is None:
        raise BankRefused(
            _("Aucune facture ouverte ne porte le numéro «\u00a0%(number)s\u00a0».")
            % {"number": number}
        )
    return invoice.pk, _cents(text) or min(invoice.balance_cents, row.amount_cents)


def not_these(request: HttpRequest, access: Access, row: Transaction) -> str:
    """None of the proposed invoices is meant."""
    settlement.reject(row=row)
    return _("Ces factures ne sont plus proposées pour cette opération.")


def unsettle(request: HttpRequest, access: Access, row: Transaction) -> str:
    """Take the settlement back: the invoices are open again, at their level."""
    on, now = today_of(request, access), moment(request)
    done = settlement.undo(row=row, actor=access.user, on=on, now=now)
    _renew(access, done.customers, request)
    return _("Règlement annulé\u00a0: la facture est de nouveau ouverte, à son niveau.")


def _renew(access: Access, customers: set[int], request: HttpRequest) -> None:
    on, now = today_of(request, access), moment(request)
    refreshing.refresh(access.organisation, sorted(customers), on=on, now=now)


urlpatterns = [
    _deed("bank_confirm", "confirmer", confirm),
    _deed("bank_deny", "ecarter", deny),
    _deed("bank_attach", "associer", attach),
    _deed("bank_detach", "dissocier", detach),
    _deed("bank_expense", "nature", expense),
    _deed("bank_waive", "dispenser", waive),
    _deed("bank_settle", "regler", settle),
    _deed("bank_not_these", "factures-ecarter", not_these),
    _deed("bank_unsettle", "regler-annuler", unsettle),
]
