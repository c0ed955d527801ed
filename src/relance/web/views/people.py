"""Utilisateurs of a dossier and their roles, invitations, and the page that explains the roles."""

from typing import Any

from django import forms
from django.contrib import messages as notes
from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.password_validation import validate_password
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from relance.accounts.access import Access, organisations_of
from relance.accounts.models import (
    BankRole,
    CollectRole,
    DunningRole,
    FollowRequest,
    Membership,
    User,
)
from relance.accounts.people import (
    LIFE,
    PeopleError,
    Roles,
    accept_invitation,
    invited,
)
from relance.outbox import following
from relance.outbox.invitations import change_roles, dismiss, invite, send_invitation
from relance.receipts.services.asking import readers
from relance.web.queries.invitations import invitations
from relance.web.requests import enter, moment, today_of, user_of


class RolesForm(forms.Form):
    """One level of each ladder (D-22)."""

    dunning = forms.TypedChoiceField(
        label=lazy("Impayés"), choices=DunningRole.choices, coerce=int, initial=DunningRole.NONE
    )
    bank = forms.TypedChoiceField(
        label=lazy("Banque"), choices=BankRole.choices, coerce=int, initial=BankRole.R2
    )
    collect = forms.TypedChoiceField(
        label=lazy("Collecte"), choices=CollectRole.choices, coerce=int, initial=CollectRole.ALL
    )

    def roles(self) -> Roles:
        """Those chosen; the form is valid."""
        chosen = self.cleaned_data
        return Roles(chosen["dunning"], chosen["bank"], chosen["collect"])


class InviteForm(RolesForm):
    """Whom to invite, and as what."""

    email = forms.EmailField(label=lazy("Adresse e-mail"), max_length=254)
    full_name = forms.CharField(label=lazy("Nom"), max_length=120, required=False)
    field_order = ("email", "full_name", "dunning", "bank", "collect")


def new_password() -> forms.CharField:
    """The field of a password that is being chosen."""
    return forms.CharField(
        label=lazy("Mot de passe"),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        max_length=256,
        help_text=lazy("Dix caractères au moins, que l’on ne devine pas."),
    )


def chosen_password(form: forms.Form, user: User) -> None:
    """What Django's validators say of the password of `form`, beside its field."""
    password = form.cleaned_data.get("password")
    if password is None:
        return
    try:
        validate_password(str(password), user)
    except forms.ValidationError as weak:
        form.add_error("password", weak)


class PasswordForm(forms.Form):
    """What a person invited says of himself."""

    full_name = forms.CharField(label=lazy("Votre nom"), max_length=120)
    password = new_password()
    wants_receipt_mails = forms.BooleanField(
        label=lazy("Recevoir les demandes de justificatifs"),
        required=False,
        initial=True,
        help_text=lazy("Par e-mail, quand il en manque. Vous pourrez changer d’avis."),
    )

    def __init__(self, *args: Any, user: User, has_dossiers: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        if not has_dossiers:  # an accountant asks, and is not asked
            del self.fields["wants_receipt_mails"]

    def clean(self) -> dict[str, Any]:
        """The password as Django's validators wish."""
        data: dict[str, Any] = super().clean() or {}
        chosen_password(self, self.user)
        return data


@require_GET
def people_list(request: HttpRequest, slug: str) -> HttpResponse:
    """Who belongs to the dossier, with which roles, and who may be asked for receipts."""
    return _list(request, enter(request, slug, DunningRole.NONE), InviteForm())


def _list(
    request: HttpRequest, access: Access, form: InviteForm, *, status: int = 200, refusal: str = ""
) -> HttpResponse:
    why = {reader.user.pk: reader.why_not for reader in readers(access.organisation)}
    rows = access.all(Membership).select_related("user")
    members = list(rows.order_by("user__full_name", "user__email"))
    sent = invitations(
        [row.user for row in members],
        access.organisation,
        now=moment(request),
        with_links=access.is_admin,
    )
    firm = access.organisation.firm
    context = {
        "access": access,
        "members": [
            {
                "row": member,
                "pending": sent.get(member.user_id),
                "why_not": why.get(member.user_id, ""),
                "mine": member.user_id == access.user.pk,
                "form": RolesForm(
                    auto_id=f"m{member.pk}_%s",
                    initial={
                        "dunning": member.dunning_role,
                        "bank": member.bank_role,
                        "collect": member.collect_role,
                    },
                ),
            }
            for member in members
        ],
        "firm": firm,
        "accountants": firm.memberships.select_related("user").order_by("user__full_name")
        if firm
        else [],
        "form": form,
        "refusal": refusal,
        "asking": FollowRequest.objects.filter(organisation=access.organisation)
        .select_related("firm", "made_by")
        .order_by("made_at"),
    }
    return render(request, "people/list.html", context, status=status)


@require_POST
def people_follow(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Let a firm in that asks to follow the dossier, or not; administrators only (D-24)."""
    access = enter(request, slug, DunningRole.ADMIN)
    asked = access.get(FollowRequest, pk=pk)
    accepted = request.POST.get("reponse") == "accepter"
    try:
        following.answer(
            request=asked,
            accepted=accepted,
            actor=user_of(request),
            on=today_of(request, access),
            now=moment(request),
        )
    except PeopleError as refusal:
        return _list(request, access, InviteForm(), status=409, refusal=str(refusal))
    words = _("%(firm)s suit maintenant le dossier.") if accepted else _("%(firm)s\u00a0: refusé.")
    notes.success(request, words % {"firm": asked.firm})
    return redirect("people_list", slug)


@require_POST
def people_part(request: HttpRequest, slug: str) -> HttpResponse:
    """The dossier leaves its firm; its own administrators, and those of the firm."""
    access = enter(request, slug, DunningRole.ADMIN)
    try:
        firm = following.part(
            organisation=access.organisation,
            actor=user_of(request),
            on=today_of(request, access),
            now=moment(request),
        )
    except PeopleError as refusal:
        return _list(request, access, InviteForm(), status=409, refusal=str(refusal))
    notes.success(request, _("%(firm)s n’a plus accès au dossier.") % {"firm": firm})
    if organisations_of(user_of(request)).filter(slug=slug).exists():
        return redirect("people_list", slug)
    return redirect("home")


@require_POST
def people_invite(request: HttpRequest, slug: str) -> HttpResponse:
    """Invite somebody by e-mail; administrators only."""
    access = enter(request, slug, DunningRole.ADMIN)
    form = InviteForm(request.POST)
    if not form.is_valid():
        return _list(request, access, form, status=422)
    try:
        member = invite(
            organisation=access.organisation,
            email=form.cleaned_data["email"],
            full_name=form.cleaned_data["full_name"],
            roles=form.roles(),
            actor=user_of(request),
            on=today_of(request, access),
            now=moment(request),
        )
    except PeopleError as refusal:
        form.add_error("email", str(refusal))
        return _list(request, access, form, status=409)
    words = _("Invitation de %(email)s\u00a0: elle part dans un instant.") % {
        "email": member.user.email
    }
    notes.success(request, words)
    return redirect("people_list", slug)


@require_POST
def people_roles(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Change the roles of a member; nobody raises his own."""
    access = enter(request, slug, DunningRole.ADMIN)
    member = access.get(Membership, pk=pk)
    form = RolesForm(request.POST)
    if not form.is_valid():
        return _list(request, access, InviteForm(), status=422, refusal=_("Ce rôle n’existe pas."))
    try:
        change_roles(
            member=member,
            roles=form.roles(),
            actor=user_of(request),
            on=today_of(request, access),
            now=moment(request),
        )
    except PeopleError as refusal:
        return _list(request, access, InviteForm(), status=409, refusal=str(refusal))
    notes.success(request, _("Rôles de %(name)s enregistrés.") % {"name": member.user})
    return redirect("people_list", slug)


@require_POST
def people_remove(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Take a member out of the dossier."""
    access = enter(request, slug, DunningRole.ADMIN)
    member = access.get(Membership, pk=pk)
    try:
        dismiss(
            member=member,
            actor=user_of(request),
            on=today_of(request, access),
            now=moment(request),
        )
    except PeopleError as refusal:
        return _list(request, access, InviteForm(), status=409, refusal=str(refusal))
    notes.success(request, _("%(name)s n’a plus accès au dossier.") % {"name": member.user})
    if member.user_id == access.user.pk:
        return redirect("home")
    return redirect("people_list", slug)


@require_POST
def people_resend(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Send the invitation again, with a new link."""
    access = enter(request, slug, DunningRole.ADMIN)
    member = access.get(Membership, pk=pk)
    send_invitation(
        member=member,
        actor=user_of(request),
        on=today_of(request, access),
        now=moment(request),
    )
    words = _("Nouvelle invitation de %(email)s\u00a0: elle part dans un instant.") % {
        "email": member.user.email
    }
    notes.success(request, words)
    return redirect("people_list", slug)


@login_not_required
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Choose a password from the link of the mail; a link used or ended says so."""
    user = invited(token, now=moment(request))
    if user is None:
        return render(request, "people/invitation_over.html", {"days": LIFE.days}, status=404)
    memberships = user.memberships.select_related("organisation")
    form = PasswordForm(
        request.POST if request.method == "POST" else None,
        user=user,
        has_dossiers=memberships.exists(),
        initial={"full_name": user.full_name},
    )
    if request.method == "POST" and form.is_valid():
        accept_invitation(
            user,
            password=form.cleaned_data["password"],
            full_name=form.cleaned_data["full_name"],
            wants_receipt_mails=form.cleaned_data.get("wants_receipt_mails", False),
        )
        login(request, user)
        return redirect("home")
    context = {
        "form": form,
        "person": user,
        "places": [
            *(row.firm.name for row in user.firm_memberships.select_related("firm")),
            *(row.organisation.name for row in memberships),
        ],
    }
    return render(request, "people/invitation.html", context)


@require_GET
def roles_help(request: HttpRequest) -> HttpResponse:
    """What each level of the three ladders allows, exactly (S0-35, D-22)."""
    return render(request, "people/roles.html")


urlpatterns = [
    path("parametres/utilisateurs/", people_list, name="people_list"),
    path("parametres/utilisateurs/inviter/", people_invite, name="people_invite"),
    path("parametres/utilisateurs/cabinet/<int:pk>/", people_follow, name="people_follow"),
    path("parametres/utilisateurs/cabinet/quitter/", people_part, name="people_part"),
    path("parametres/utilisateurs/<int:pk>/roles/", people_roles, name="people_roles"),
    path("parametres/utilisateurs/<int:pk>/retirer/", people_remove, name="people_remove"),
    path("parametres/utilisateurs/<int:pk>/renvoyer/", people_resend, name="people_resend"),
]
door_urlpatterns = [
    path("invitation/<str:token>/", invitation, name="invitation"),
    path("aide/roles/", roles_help, name="roles_help"),
]
