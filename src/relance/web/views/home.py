"""The door: logging in, and the way to one's first dossier."""

from django.contrib.auth import views as auth
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _

from relance.accounts.access import organisations_of
from relance.web.requests import user_of


class LoginForm(AuthenticationForm):
    """E-mail and password; one sentence for every failure, so that nobody learns which."""

    error_messages = {
        "invalid_login": _("Cette adresse et ce mot de passe ne vont pas ensemble."),
        "inactive": _("Ce compte est fermé."),
    }


class LoginView(auth.LoginView):
    template_name = "auth/login.html"
    authentication_form = LoginForm
    redirect_authenticated_user = True


def home(request: HttpRequest) -> HttpResponse:
    """To the first dossier of the user; without any, a page that says so."""
    first = organisations_of(user_of(request)).first()
    if first is None:
        return render(request, "auth/no_organisation.html")
    return redirect("today", first.slug)
