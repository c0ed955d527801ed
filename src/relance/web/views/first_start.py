"""Premier démarrage: an empty installation is begun by whoever reads its server's terminal."""

from typing import Any

from django import forms
from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods

from relance.accounts import first_start
from relance.accounts.models import User
from relance.accounts.people import PeopleError
from relance.web.views.people import chosen_password, new_password

FIRM, COMPANY = "cabinet", "entreprise"


class FirstForm(forms.Form):
    """Who begins, and with what."""

    kind = forms.ChoiceField(
        label=lazy("Vous êtes"),
        choices=[
            (FIRM, lazy("un cabinet d’expertise comptable, qui suit plusieurs dossiers")),
            (COMPANY, lazy("une entreprise, qui suit ses propres factures")),
        ],
        widget=forms.RadioSelect,
        initial=FIRM,
    )
    name = forms.CharField(label=lazy("Nom du cabinet ou de l’entreprise"), max_length=120)
    full_name = forms.CharField(label=lazy("Votre nom"), max_length=120)
    email = forms.EmailField(label=lazy("Votre adresse e-mail"), max_length=254)
    password = new_password()

    def clean(self) -> dict[str, Any]:
        """The password as Django's validators wish, for this name and address."""
        data: dict[str, Any] = super().clean() or {}
        said = User(email=data.get("email", ""), full_name=data.get("full_name", ""))
        chosen_password(self, said)
        return data


@login_not_required
@require_GET
def waiting(request: HttpRequest) -> HttpResponse:
    """Nobody exists yet: where the link that begins is to be read."""
    if not first_start.is_empty():
        return redirect("login")
    return render(request, "auth/first_start_waiting.html")


@login_not_required
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def begin(request: HttpRequest, token: str) -> HttpResponse:
    """The first administrator, by the link of the terminal; once there is one, the login."""
    if not first_start.is_empty():
        return redirect("login")
    if not first_start.opens(token):
        return render(request, "auth/first_start_waiting.html", {"wrong": True}, status=404)
    form = FirstForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            user = first_start.begin(
                is_firm=said["kind"] == FIRM,
                name=said["name"],
                email=said["email"],
                full_name=said["full_name"],
                password=said["password"],
            )
        except PeopleError as refusal:
            form.add_error(None, str(refusal))
        else:
            login(request, user)
            return redirect("home")
    status = 422 if form.is_bound else 200
    return render(request, "auth/first_start.html", {"form": form}, status=status)


door_urlpatterns = [
    path("premier-demarrage/", waiting, name="first_start"),
    path("premier-demarrage/<str:token>/", begin, name="first_start_token"),
]
