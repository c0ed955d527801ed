"""The dossiers of a firm: open one, ask to follow one that exists, let one go (D-24)."""

from django import forms
from django.contrib import messages as notes
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_GET, require_POST

from relance.accounts import clock
from relance.accounts.access import FirmAccess
from relance.accounts.people import PeopleError
from relance.formats.values import siren_of
from relance.outbox import following
from relance.web.queries.paging import page_of
from relance.web.requests import enter_firm, moment, user_of


class DossierForm(forms.Form):
    """A company that the firm takes on."""

    name = forms.CharField(label=lazy("Nom de l’entreprise"), max_length=120)
    siren = forms.CharField(label=lazy("SIREN"), max_length=20, required=False)

    def clean_siren(self) -> str:
        """Of a SIREN, a SIRET or a VAT number, the nine digits."""
        found = siren_of(str(self.cleaned_data["siren"]))
        if found is None:
            raise forms.ValidationError(_("Ce SIREN n’est pas valable\u00a0: vérifiez-le."))
        return found


class FollowForm(forms.Form):
    """Whose dossier the firm wants to follow."""

    email = forms.EmailField(label=lazy("Adresse e-mail de son administrateur"), max_length=254)


@require_GET
def firm_dossiers(request: HttpRequest, firm: int) -> HttpResponse:
    """New, asked for, and those that there are."""
    return _page(request, enter_firm(request, firm), DossierForm(), FollowForm())


def _page(
    request: HttpRequest,
    access: FirmAccess,
    new: DossierForm,
    follow: FollowForm,
    *,
    status: int = 200,
    refusal: str = "",
) -> HttpResponse:
    rows = access.organisations.order_by("name", "pk")
    context = {
        "firm_access": access,
        "new": new,
        "follow": follow,
        "page": page_of(rows, request.GET.get("page")),
        "refusal": refusal,
    }
    return render(request, "firm/dossiers.html", context, status=status)


@require_POST
def firm_dossier_open(request: HttpRequest, firm: int) -> HttpResponse:
    """A new dossier; the next thing is to invite the client."""
    access = enter_firm(request, firm)
    access.require_admin()
    form = DossierForm(request.POST)
    if not form.is_valid():
        return _page(request, access, form, FollowForm(), status=422)
    try:
        made = following.open_dossier(
            firm=access.firm,
            name=form.cleaned_data["name"],
            siren=form.cleaned_data["siren"],
            actor=user_of(request),
            now=moment(request),
        )
    except PeopleError as refusal:
        form.add_error("name", str(refusal))
        return _page(request, access, form, FollowForm(), status=409)
    words = _(
        "Le dossier «\u00a0%(name)s\u00a0» est ouvert. Invitez maintenant ceux qui y répondront."
    )
    notes.success(request, words % {"name": made.name})
    return redirect("people_list", made.slug)


@require_POST
def firm_dossier_ask(request: HttpRequest, firm: int) -> HttpResponse:
    """Ask an administrator; the answer is the same whether the address is known or not."""
    access = enter_firm(request, firm)
    access.require_admin()
    form = FollowForm(request.POST)
    if not form.is_valid():
        return _page(request, access, DossierForm(), form, status=422)
    try:
        following.ask(
            firm=access.firm,
            email=form.cleaned_data["email"],
            actor=user_of(request),
            now=moment(request),
        )
    except PeopleError as refusal:
        form.add_error("email", str(refusal))
        return _page(request, access, DossierForm(), form, status=409)
    words = _(
        "Si %(email)s administre un dossier que personne ne suit, la demande vient de lui "
        "être envoyée. Le dossier paraîtra ici dès qu’elle sera acceptée."
    )
    notes.success(request, words % {"email": form.cleaned_data["email"]})
    return redirect("firm_dossiers", firm)


@require_POST
def firm_dossier_part(request: HttpRequest, firm: int, pk: int) -> HttpResponse:
    """Let a dossier go; it keeps its people and its history."""
    access = enter_firm(request, firm)
    access.require_admin()
    dossier = access.organisations.filter(pk=pk).first()
    if dossier is None:
        raise Http404
    now = moment(request)
    try:
        following.part(
            organisation=dossier,
            actor=user_of(request),
            on=clock.local_date(dossier, now),
            now=now,
        )
    except PeopleError as refusal:
        return _page(request, access, DossierForm(), FollowForm(), status=409, refusal=str(refusal))
    notes.success(
        request, _("Le cabinet ne suit plus «\u00a0%(name)s\u00a0».") % {"name": dossier.name}
    )
    return redirect("firm_dossiers", firm)


urlpatterns = [
    path("<int:firm>/dossiers/", firm_dossiers, name="firm_dossiers"),
    path("<int:firm>/dossiers/ouvrir/", firm_dossier_open, name="firm_dossier_open"),
    path("<int:firm>/dossiers/demander/", firm_dossier_ask, name="firm_dossier_ask"),
    path("<int:firm>/dossiers/<int:pk>/detacher/", firm_dossier_part, name="firm_dossier_part"),
]
