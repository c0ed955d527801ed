"""Collaborateurs of a firm: who works there, who looks after it; invitations (D-24)."""

from django import forms
from django.contrib import messages as notes
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_GET, require_POST

from relance.accounts.access import FirmAccess
from relance.accounts.firms import remove_accountant, set_accountant
from relance.accounts.models import FirmMembership
from relance.accounts.people import PeopleError
from relance.outbox.invitations import invite_accountant, send_accountant
from relance.web.queries.invitations import invitations
from relance.web.requests import enter_firm, moment, user_of


class InviteAccountantForm(forms.Form):
    """Whom to invite, and whether he looks after the firm too."""

    email = forms.EmailField(label=lazy("Adresse e-mail"), max_length=254)
    full_name = forms.CharField(label=lazy("Nom"), max_length=120, required=False)
    is_admin = forms.BooleanField(
        label=lazy("Administrateur du cabinet"),
        required=False,
        help_text=lazy("Ouvre des dossiers, invite des collaborateurs, règle les relances."),
    )


@require_GET
def firm_people(request: HttpRequest, firm: int) -> HttpResponse:
    """Everybody of the firm; those who do not look after it read why nothing can be changed."""
    return _list(request, enter_firm(request, firm), InviteAccountantForm())


def _list(
    request: HttpRequest,
    access: FirmAccess,
    form: InviteAccountantForm,
    *,
    status: int = 200,
    refusal: str = "",
) -> HttpResponse:
    rows = FirmMembership.objects.filter(firm=access.firm).select_related("user")
    members = list(rows.order_by("user__full_name", "user__email"))
    invited = invitations(
        [row.user for row in members],
        access.firm,
        now=moment(request),
        with_links=access.is_admin,
    )
    context = {
        "firm_access": access,
        "members": [
            {
                "row": row,
                "pending": invited.get(row.user_id),
                "mine": row.user_id == access.user.pk,
            }
            for row in members
        ],
        "form": form,
        "refusal": refusal,
    }
    return render(request, "firm/people.html", context, status=status)


@require_POST
def firm_people_invite(request: HttpRequest, firm: int) -> HttpResponse:
    """Invite a colleague by e-mail; administrators of the firm only."""
    access = enter_firm(request, firm)
    access.require_admin()
    form = InviteAccountantForm(request.POST)
    if not form.is_valid():
        return _list(request, access, form, status=422)
    try:
        member = invite_accountant(
            firm=access.firm,
            **form.cleaned_data,
            actor=user_of(request),
            on=moment(request).date(),
            now=moment(request),
        )
    except PeopleError as refusal:
        form.add_error("email", str(refusal))
        return _list(request, access, form, status=409)
    notes.success(
        request,
        _("Invitation de %(email)s\u00a0: elle part dans un instant.")
        % {"email": member.user.email},
    )
    return redirect("firm_people", firm)


@require_POST
def firm_people_deed(request: HttpRequest, firm: int, pk: int, deed: str) -> HttpResponse:
    """administrateur, simple, retirer or renvoyer: what becomes of one of them."""
    access = enter_firm(request, firm)
    access.require_admin()
    row = FirmMembership.objects.filter(firm=access.firm, pk=pk).select_related("user").first()
    if row is None or deed not in ("administrateur", "simple", "retirer", "renvoyer"):
        raise Http404
    actor, now = user_of(request), moment(request)
    try:
        if deed == "retirer":
            remove_accountant(member=row, actor=actor)
            words = _("%(name)s n’a plus accès au cabinet ni à ses dossiers.")
        elif deed == "renvoyer":
            send_accountant(member=row, actor=actor, on=now.date(), now=now)
            words = _("Nouvelle invitation de %(name)s\u00a0: elle part dans un instant.")
        else:
            set_accountant(member=row, is_admin=deed == "administrateur", actor=actor)
            words = _("Rôle de %(name)s enregistré.")
    except PeopleError as refusal:
        return _list(request, access, InviteAccountantForm(), status=409, refusal=str(refusal))
    notes.success(request, words % {"name": row.user})
    if deed == "retirer" and row.user_id == access.user.pk:
        return redirect("home")
    return redirect("firm_people", firm)


urlpatterns = [
    path("<int:firm>/collaborateurs/", firm_people, name="firm_people"),
    path("<int:firm>/collaborateurs/inviter/", firm_people_invite, name="firm_people_invite"),
    path(
        "<int:firm>/collaborateurs/<int:pk>/<str:deed>/", firm_people_deed, name="firm_people_deed"
    ),
]
