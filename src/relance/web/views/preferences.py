"""Mes préférences: what a user chose for himself: language, copy, regular mails (D-13, D-16)."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages as notes
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import override
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from relance.accounts.models import DunningRole, Membership, Subscription, User
from relance.accounts.people import want_receipt_mails
from relance.dunning.recaps import recaps
from relance.outbox.models import Mailbox
from relance.web.requests import enter, moment, user_of

Kind = Subscription.Kind


class PreferencesForm(forms.ModelForm):  # type: ignore[type-arg]
    """A user's own choices; the regular e-mails are those of one dossier."""

    weekly = forms.BooleanField(
        label=lazy("Le lundi à 8 h : les impayés et les relances à faire"),
        required=False,
        help_text=lazy("Les impayés par niveau atteint, ce qui reste à relancer, vos actions."),
    )
    daily = forms.BooleanField(
        label=lazy("Les jours ouvrés : ce que vous avez à traiter"),
        required=False,
        help_text=lazy("Le matin, après le départ du jour. Rien à faire : pas de message."),
    )
    forewarning = forms.BooleanField(
        label=lazy("La veille à 16 h : ce qui partira au prochain départ"),
        required=False,
        help_text=lazy("Clients, niveaux et montants, avec de quoi retenir une relance."),
    )

    receipts = forms.BooleanField(
        label=lazy("Recevoir les demandes de justificatifs"),
        required=False,
        help_text=lazy("Un e-mail quand il manque des justificatifs à ce dossier."),
    )

    class Meta:
        model = User
        fields = ["full_name", "language", "receives_copy"]
        labels = {
            "full_name": lazy("Votre nom"),
            "language": lazy("Langue"),
            "receives_copy": lazy("Recevoir une copie"),
        }
        help_texts = {
            "full_name": lazy("Il signe les messages que vous envoyez à la main."),
            "language": lazy("Celle des pages et de vos e-mails ; vos clients ont la leur."),
            "receives_copy": lazy(
                "La case est cochée d’avance quand vous envoyez une relance à la main."
            ),
        }
        widgets = {"language": forms.Select(choices=settings.LANGUAGES)}

    def __init__(
        self, *args: Any, have: set[str], asked: bool | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        if asked is None:
            del self.fields["receipts"]
        else:
            self.initial["receipts"] = asked
        for kind in Kind.values:
            self.initial[kind] = kind in have

    def clean_full_name(self) -> str:
        """On one line, for it stands in the headers of messages."""
        return " ".join(str(self.cleaned_data["full_name"]).split())

    def clean_language(self) -> str:
        """One that the pages speak."""
        chosen = str(self.cleaned_data["language"])
        if chosen not in dict(settings.LANGUAGES):
            raise forms.ValidationError(_("Cette langue n’existe pas ici."))
        return chosen

    def kinds(self) -> set[str]:
        """The regular e-mails ticked; the form is valid."""
        return {kind for kind in Kind.values if self.cleaned_data[kind]}


@require_http_methods(["GET", "POST"])
def preferences_detail(request: HttpRequest, slug: str) -> HttpResponse:
    """One's own choices, in every dossier one belongs to (S0-14, S4-30)."""
    access = enter(request, slug, DunningRole.NONE)
    user = User.objects.get(pk=user_of(request).pk)
    member = access.all(Membership).filter(user=user).first()
    mine = access.all(Subscription).filter(user=user)
    form = PreferencesForm(
        request.POST if request.method == "POST" else None,
        instance=user,
        have=set(mine.values_list("kind", flat=True)),
        asked=member.wants_receipt_mails if member else None,
    )
    if request.method == "POST" and form.is_valid():
        form.save()
        if access.dunning >= DunningRole.READ:
            recaps.subscribe(
                organisation=access.organisation, user=user, kinds=form.kinds(), now=moment(request)
            )
        if "receipts" in form.cleaned_data:
            want_receipt_mails(
                organisation=access.organisation, user=user, wanted=form.cleaned_data["receipts"]
            )
        with override(user.language):
            notes.success(request, _("Préférences enregistrées."))
        return redirect("preferences_detail", slug)
    context = {
        "access": access,
        "form": form,
        "own": access.all(Mailbox).filter(owner=user, retired_at=None).order_by("pk").first(),
    }
    return render(request, "preferences/detail.html", context)


@login_not_required
@csrf_exempt
@require_http_methods(["GET", "POST"])
def subscription_stop(request: HttpRequest, token: str) -> HttpResponse:
    """End one regular e-mail from a link in it, without logging in; a mail program posts alone.

    Reading the link changes nothing: programs follow links before people do (RFC 8058).
    """
    if not recaps.is_genuine(token):
        raise Http404
    found = recaps.subscription_of(token)
    if request.method == "POST":
        recaps.stop(token)
    language = found.user.language if found else settings.LANGUAGE_CODE
    with override(language):
        return render(
            request,
            "preferences/stop.html",
            {"subscription": found, "stopped": request.method == "POST" or found is None},
        )


urlpatterns = [path("preferences/", preferences_detail, name="preferences_detail")]
door_urlpatterns = [
    path("abonnements/<str:token>/", subscription_stop, name="subscription_stop"),
]
