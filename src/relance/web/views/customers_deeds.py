"""What one does on a client's page: each view is one service, then back with its answer."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from relance.accounts.access import Access
from relance.accounts.models import DunningRole, User
from relance.dunning import services as dunning
from relance.dunning.daily.refreshing import refresh
from relance.dunning.services.managers import follow_manager
from relance.ledger import services as ledger
from relance.ledger.models import Contact, Credit, Customer, Invoice, Site
from relance.ledger.services import LedgerError
from relance.web.requests import enter, moment, today_of, user_of
from relance.web.views.answers import is_piece
from relance.web.views.customers_forms import (
    ContactForm,
    DefinitionForm,
    DisputeForm,
    PlanForm,
    PromiseForm,
    SiteForm,
    UntilForm,
)


def _when(request: HttpRequest, access: Access) -> dict[str, Any]:
    """The three arguments that every verb takes."""
    return {
        "on": today_of(request, access),
        "now": moment(request),
        "actor": user_of(request),
    }


def _home(access: Access, customer_id: int, query: str = "") -> str:
    return reverse("customer_detail", args=[access.organisation.slug, customer_id]) + query


def _do(
    request: HttpRequest, access: Access, customer_id: int, verb: Callable[[], object], done: str
) -> bool:
    """Call a verb, say what happened or why not, and look again at the customer."""
    try:
        verb()
    except (dunning.Refused, LedgerError) as refused:
        messages.error(request, str(refused))
        return False
    _look_again(request, access, customer_id)
    if done:
        messages.success(request, done)
    return True


def _look_again(request: HttpRequest, access: Access, customer_id: int) -> None:
    refresh(access.organisation, [customer_id], on=today_of(request, access), now=moment(request))


def _enter(request: HttpRequest, slug: str) -> Access:
    return enter(request, slug, DunningRole.ACCOUNT_MANAGER)


def _first_error(form: Any) -> str:
    for field, errors in form.errors.items():
        label = form.fields[field].label if field in form.fields else ""
        return f"{label} : {errors[0]}" if label else str(errors[0])
    return _("Formulaire incomplet.")


# --- the customer ---------------------------------------------------------------


@require_POST
def customer_plan(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Assign a plan, or none (S2-10)."""
    access = _enter(request, slug)
    customer = access.get(Customer, pk=pk)
    form = PlanForm(access, request.POST)
    if form.is_valid() and "plan" in request.POST:
        plan = form.cleaned_data["plan"]
        done = _("Plan %(name)s assigné.") % {"name": plan.name} if plan else _("Plus aucun plan.")
        when = _when(request, access)
        _do(
            request,
            access,
            pk,
            lambda: dunning.assign_plan(
                access.organisation, customers=[customer], plan=plan, **when
            ),
            done,
        )
    else:
        messages.error(request, _("Ce plan n’existe pas."))
    if request.POST.get("liste") == "1":
        return redirect(reverse("customer_list", args=[slug]) + f"?client={pk}")
    return redirect(_home(access, pk, "?onglet=definition"))


@require_POST
def customer_hold(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Nothing is sent to this client until a date, included."""
    access = _enter(request, slug)
    customer = access.get(Customer, pk=pk)
    form = UntilForm(request.POST)
    if form.is_valid():
        when = _when(request, access)
        _do(
            request,
            access,
            pk,
            lambda: ledger.hold(customer=customer, **form.cleaned_data, **when),
            _("Rien ne partira jusqu’à cette date incluse."),
        )
    else:
        messages.error(request, _first_error(form))
    return redirect(_home(access, pk, "?onglet=definition"))


@require_POST
def customer_release(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """End the hold of the client."""
    access = _enter(request, slug)
    customer = access.get(Customer, pk=pk)
    when = _when(request, access)
    _do(request, access, pk, lambda: ledger.release(customer=customer, **when), _("Attente levée."))
    return redirect(_home(access, pk))


@require_POST
def customer_exclude(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Never chase this client (`exclu` 1), or again (0)."""
    access = _enter(request, slug)
    customer = access.get(Customer, pk=pk)
    out = request.POST.get("exclu") == "1"
    verb = ledger.exclude if out else ledger.include
    when = _when(request, access)
    done = _("Client exclu des relances.") if out else _("Client de nouveau relancé.")
    _do(request, access, pk, lambda: verb(customer=customer, **when), done)
    return redirect(_home(access, pk))


@require_POST
def customer_reviewed(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """A client that came with a FEC has been looked at: he may be chased."""
    access = _enter(request, slug)
    customer = access.get(Customer, pk=pk)
    when = _when(request, access)
    _do(
        request,
        access,
        pk,
        lambda: ledger.edit_customer(customer=customer, changes={"to_review": False}, **when),
        _("Client vérifié."),
    )
    return redirect(_home(access, pk))


@require_POST
def customer_marked(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Marked as already chased, after a call for instance (S4-23)."""
    access = _enter(request, slug)
    customer = access.get(Customer, pk=pk)
    key = request.POST.get("facture", "")
    invoice = access.get(Invoice, pk=int(key[:18]), customer=customer) if key.isdecimal() else None
    when = _when(request, access)
    _do(
        request,
        access,
        pk,
        lambda: dunning.mark_as_chased(customer, invoice=invoice, **when),
        _("Noté\u00a0: client déjà relancé aujourd’hui."),
    )
    return redirect(_home(access, pk))


@require_POST
def customer_edit(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Save the tab Définition; a wrong value is said beside its field."""
    from relance.web.views.customers import customer_context

    access = _enter(request, slug)
    customer = access.get(Customer, pk=pk)
    form = DefinitionForm(access, request.POST, instance=access.get(Customer, pk=pk))
    if form.is_valid():
        changes = {name: form.cleaned_data[name] for name in form.fields}
        try:
            changed = ledger.edit_customer(
                customer=customer, changes=changes, **_when(request, access)
            )
        except LedgerError as refused:
            form.add_error(refused.field if refused.field in form.fields else None, str(refused))
        else:
            if changed:
                dunning.readdress(access.organisation, [pk])
                _look_again(request, access, pk)
                messages.success(request, _("Définition enregistrée."))
            if "manager" in changed and form.cleaned_data["manager"]:
                _follow(request, access, pk, form.cleaned_data["manager"])
            return redirect(_home(access, pk, "?onglet=definition"))
    context = customer_context(request, access, customer, tab="definition") | {"form": form}
    return render(request, "customers/detail.html", context, status=422)


def _follow(request: HttpRequest, access: Access, customer_id: int, manager: User) -> None:
    """The open actions of the customer become those of his new manager."""
    moved = follow_manager(access.organisation, [customer_id], manager, **_when(request, access))
    if moved:
        words = ngettext(
            "%(n)s action ouverte revient à %(who)s.",
            "%(n)s actions ouvertes reviennent à %(who)s.",
            moved,
        )
        messages.info(request, words % {"n": moved, "who": manager})


# --- contacts and sites -----------------------------------------------------------


@require_POST
def contact_save(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Add a contact, or change the one named `contact`."""
    from relance.web.views.customers import customer_context

    access = _enter(request, slug)
    customer = access.get(Customer, pk=pk)
    key = request.POST.get("contact", "")
    known = access.get(Contact, pk=int(key[:18]), customer=customer) if key.isdecimal() else None
    form = ContactForm(request.POST)
    if form.is_valid():
        try:
            ledger.save_contact(
                customer=customer, contact=known, **form.cleaned_data, **_when(request, access)
            )
        except LedgerError as refused:
            form.add_error(refused.field if refused.field in form.fields else None, str(refused))
        else:
            dunning.readdress(access.organisation, [pk])
            _look_again(request, access, pk)
            messages.success(request, _("Contact enregistré."))
            return redirect(_home(access, pk, "?onglet=contacts"))
    context = customer_context(
        request, access, customer, tab="contacts", chosen=key or "nouveau"
    ) | {"contact_form": form}
    return render(request, "customers/detail.html", context, status=422)


@require_POST
def site_save(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Add a site, or change the one named `chantier`, with its favourites ★ (S4-27)."""
    from relance.web.views.customers import customer_context

    access = _enter(request, slug)
    customer = access.get(Customer, pk=pk)
    key = request.POST.get("chantier", "")
    known = access.get(Site, pk=int(key[:18]), customer=customer) if key.isdecimal() else None
    form = SiteForm(access.all(Contact).filter(customer=customer), request.POST)
    if form.is_valid():
        try:
            ledger.save_site(
                customer=customer,
                site=known,
                name=form.cleaned_data["name"],
                favourites=list(form.cleaned_data["favourites"]),
                **_when(request, access),
            )
        except LedgerError as refused:
            form.add_error(refused.field if refused.field in form.fields else None, str(refused))
        else:
            dunning.readdress(access.organisation, [pk])
            messages.success(request, _("Chantier enregistré."))
            return redirect(_home(access, pk, "?onglet=chantiers"))
    context = customer_context(
        request, access, customer, tab="chantiers", chosen=key or "nouveau"
    ) | {"site_form": form}
    return render(request, "customers/detail.html", context, status=422)


@require_POST
def site_contact(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Attach a contact to a site, star him or not, or take him off it (S4-27 to S4-29)."""
    access = _enter(request, slug)
    site = access.get(Site, pk=pk)
    key = request.POST.get("contact", "")
    home = _home(access, site.customer_id, f"?onglet=chantiers#chantier-{pk}")
    if not key.isdecimal():
        messages.error(request, _("Choisissez un contact à associer."))
        return redirect(home)
    contact = access.get(Contact, pk=int(key[:18]), customer_id=site.customer_id)
    when = _when(request, access)
    star = request.POST.get("favori") == "1"
    verb: Callable[[], object] = lambda: ledger.attach_contact(  # noqa: E731
        site=site, contact=contact, favourite=star, **when
    )
    if request.POST.get("retirer") == "1":
        verb = lambda: ledger.detach_contact(site=site, contact=contact, **when)  # noqa: E731
    if _do(request, access, site.customer_id, verb, ""):
        dunning.readdress(access.organisation, [site.customer_id])
    return redirect(home)


@require_POST
def contact_validity(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Say that the address of a contact does not work, and why, or works again."""
    access = _enter(request, slug)
    contact = access.get(Contact, pk=pk)
    valid = request.POST.get("valide") == "1"
    reason = request.POST.get("motif", "").replace("\0", "").strip()[:300]
    when = _when(request, access)
    done = _("Adresse de nouveau valide.") if valid else _("Adresse marquée invalide.")
    if _do(
        request,
        access,
        contact.customer_id,
        lambda: ledger.judge_address(contact=contact, valid=valid, reason=reason, **when),
        done,
    ):
        dunning.readdress(access.organisation, [contact.customer_id])
    return redirect(_home(access, contact.customer_id, "?onglet=contacts"))


# --- invoices ----------------------------------------------------------------------


@require_GET
def customer_invoice(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """The panel of one invoice beside the client's page."""
    from relance.web.views.customers import invoice_context

    access = enter(request, slug)
    invoice = access.get(Invoice, pk=pk)
    if not is_piece(request):
        return redirect(_home(access, invoice.customer_id, f"?facture={pk}"))
    today = today_of(request, access)
    context = {"access": access, "today": today, "customer": invoice.customer}
    context |= invoice_context(access, invoice, today)
    return render(request, "customers/_invoice.html", context)


def _invoice_deed(
    request: HttpRequest,
    slug: str,
    pk: int,
    verb: Callable[[Invoice, dict[str, Any]], object],
    done: str,
) -> HttpResponse:
    access = _enter(request, slug)
    invoice = access.get(Invoice, pk=pk)
    when = _when(request, access)
    _do(request, access, invoice.customer_id, lambda: verb(invoice, when), done)
    query = f"?facture={pk}" if request.POST.get("panneau") == "1" else ""
    return redirect(_home(access, invoice.customer_id, query))


def _with_form(
    request: HttpRequest,
    slug: str,
    pk: int,
    form: Any,
    verb: Callable[[Invoice, dict[str, Any]], object],
    done: str,
) -> HttpResponse:
    if form.is_valid():
        return _invoice_deed(request, slug, pk, verb, done)
    access = _enter(request, slug)
    invoice = access.get(Invoice, pk=pk)
    messages.error(request, _first_error(form))
    return redirect(_home(access, invoice.customer_id, f"?facture={pk}"))


@require_POST
def invoice_level(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """The diskette: the level chosen in the list is saved (S1-18, S1-19)."""
    level = request.POST.get("niveau", "")

    def verb(invoice: Invoice, when: dict[str, Any]) -> object:
        if not level.isdecimal() or len(level) > 3:
            raise dunning.Refused(_("Choisissez un niveau dans la liste."))
        return dunning.set_level(invoice.customer, invoice=invoice, level=int(level), **when)

    return _invoice_deed(request, slug, pk, verb, _("Niveau enregistré."))


@require_POST
def invoice_promise(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """The customer promised to pay by a date: nothing leaves until then, included."""
    form = PromiseForm(request.POST)
    return _with_form(
        request,
        slug,
        pk,
        form,
        lambda invoice, when: ledger.promise(invoice=invoice, **form.cleaned_data, **when),
        _("Promesse notée."),
    )


@require_POST
def invoice_hold(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """This invoice waits until a date, included."""
    form = UntilForm(request.POST)
    return _with_form(
        request,
        slug,
        pk,
        form,
        lambda invoice, when: ledger.hold(invoice=invoice, **form.cleaned_data, **when),
        _("Facture mise en attente."),
    )


@require_POST
def invoice_release(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """End the promise and the hold of one invoice."""
    return _invoice_deed(
        request,
        slug,
        pk,
        lambda invoice, when: ledger.release(invoice=invoice, **when),
        _("Attente levée."),
    )


@require_POST
def invoice_dispute(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """A dispute stops the chase of this invoice until it is resolved."""
    form = DisputeForm(request.POST)
    return _with_form(
        request,
        slug,
        pk,
        form,
        lambda invoice, when: ledger.open_dispute(invoice=invoice, **form.cleaned_data, **when),
        _("Litige ouvert."),
    )


@require_POST
def invoice_resolve(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """The dispute is over: the invoice may be chased again."""
    return _invoice_deed(
        request,
        slug,
        pk,
        lambda invoice, when: ledger.resolve_dispute(invoice=invoice, **when),
        _("Litige clos."),
    )


@require_POST
def credit_apply(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Imputer: as much of a credit as an invoice still owes (S3-06)."""
    access = _enter(request, slug)
    credit = access.get(Credit, pk=pk)
    key = request.POST.get("facture", "")
    if not key.isdecimal():
        messages.error(request, _("Choisissez la facture à laquelle imputer l’avoir."))
        return redirect(_home(access, credit.customer_id))
    invoice = access.get(Invoice, pk=int(key[:18]), customer_id=credit.customer_id)
    cents = min(credit.left_cents, invoice.balance_cents)
    when = _when(request, access)
    _do(
        request,
        access,
        credit.customer_id,
        lambda: ledger.apply_credit(credit=credit, invoice=invoice, amount_cents=cents, **when),
        _("Avoir %(credit)s imputé sur %(invoice)s.")
        % {"credit": credit.number, "invoice": invoice.number},
    )
    return redirect(_home(access, credit.customer_id))


urlpatterns = [
    path("clients/<int:pk>/plan/", customer_plan, name="customer_plan"),
    path("clients/<int:pk>/attente/", customer_hold, name="customer_hold"),
    path("clients/<int:pk>/reprise/", customer_release, name="customer_release"),
    path("clients/<int:pk>/exclusion/", customer_exclude, name="customer_exclude"),
    path("clients/<int:pk>/verifie/", customer_reviewed, name="customer_reviewed"),
    path("clients/<int:pk>/deja-relance/", customer_marked, name="customer_marked"),
    path("clients/<int:pk>/definition/", customer_edit, name="customer_edit"),
    path("clients/<int:pk>/contact/", contact_save, name="contact_save"),
    path("clients/<int:pk>/chantier/", site_save, name="site_save"),
    path("chantiers/<int:pk>/contact/", site_contact, name="site_contact"),
    path("contacts/<int:pk>/validite/", contact_validity, name="contact_validity"),
    path("factures/<int:pk>/", customer_invoice, name="customer_invoice"),
    path("factures/<int:pk>/niveau/", invoice_level, name="invoice_level"),
    path("factures/<int:pk>/promesse/", invoice_promise, name="invoice_promise"),
    path("factures/<int:pk>/attente/", invoice_hold, name="invoice_hold"),
    path("factures/<int:pk>/reprise/", invoice_release, name="invoice_release"),
    path("factures/<int:pk>/litige/", invoice_dispute, name="invoice_dispute"),
    path("factures/<int:pk>/litige/clos/", invoice_resolve, name="invoice_resolve"),
    path("avoirs/<int:pk>/imputer/", credit_apply, name="credit_apply"),
]
