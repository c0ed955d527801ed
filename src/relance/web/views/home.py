"""The door: logging in, and the way to one's first dossier."""

from typing import Any

from django.contrib.auth import views as auth
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _

from relance.accounts import first_start, throttle
from relance.accounts.access import firms_of, open_organisation, organisations_of
from relance.accounts.models import DunningRole
from relance.web.requests import user_of


class LoginForm(AuthenticationForm):
    """E-mail and password; one sentence for every failure, so that nobody learns which."""

    error_messages = {
        "invalid_login": _("Cette adresse et ce mot de passe ne vont pas ensemble."),
        "inactive": _("Ce compte est fermé."),
        "locked": _(
            "Trop d’essais pour cette adresse. Attendez un quart d’heure, puis réessayez ; "
            "votre mot de passe n’a pas changé."
        ),
    }

    def clean(self) -> dict[str, Any]:
        """Refused without looking at the password once too many were wrong."""
        email = str(self.cleaned_data.get("username") or "")
        where = str(self.request.META.get("REMOTE_ADDR", "")) if self.request else ""
        if throttle.is_locked(email, where):
            raise ValidationError(self.error_messages["locked"], "locked")
        try:
            data: dict[str, Any] = super().clean()
        except ValidationError:
            throttle.failed(email, where)
            raise
        if self.get_user():
            throttle.succeeded(email, where)
        return data


class LoginView(auth.LoginView):
    template_name = "auth/login.html"
    authentication_form = LoginForm
    redirect_authenticated_user = True

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The door; of an installation that nobody has begun, the page that says how."""
        if first_start.is_empty():
            return redirect("first_start")
        return super().get(request, *args, **kwargs)


def home(request: HttpRequest) -> HttpResponse:
    """To the espace expert or the first dossier of the user; without any, a page that says so.

    Whoever has no part in the unpaid invoices of a dossier lands in its bank.
    """
    firm = firms_of(user_of(request)).first()
    if firm is not None:
        return redirect("firm_list", firm.pk)
    first = organisations_of(user_of(request)).first()
    if first is None:
        return render(request, "auth/no_organisation.html")
    access = open_organisation(user_of(request), first.slug, at_least=DunningRole.NONE)
    if access.dunning < DunningRole.READ:
        return redirect("bank_list" if access.bank else "people_list", first.slug)
    return redirect("today", first.slug)
