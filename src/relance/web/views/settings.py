"""Paramètres: what holds for the whole dossier, changed by its administrators (S4-04…06)."""

import re
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages as notes
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from relance.accounts.models import DunningRole, Organisation
from relance.dunning.services.plans import save_settings
from relance.ledger.models import PaymentMode
from relance.web.requests import enter, moment, today_of, user_of

MAX_TOLERANCE = Decimal("1000")
LONGEST_IBAN = 34


class SettingsForm(forms.ModelForm):  # type: ignore[type-arg]
    """Every setting with one line of explanation; `tolerance` is typed in euros."""

    tolerance = forms.DecimalField(
        label=lazy("Tolérance"),
        min_value=0,
        max_value=MAX_TOLERANCE,
        decimal_places=2,
        required=False,
        help_text=lazy("Une facture dont il reste moins que cela n’est pas relancée."),
    )
    by_hand_modes = forms.MultipleChoiceField(
        label=lazy("Modes de paiement relancés à la main"),
        choices=PaymentMode.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=lazy("Une facture payable ainsi n’est jamais relancée automatiquement."),
    )

    class Meta:
        model = Organisation
        fields = [
            "name",
            "iban",
            "signature",
            "email_from",
            "reply_to",
            "sending_on",
            "send_at",
            "zone",
            "by_hand_modes",
        ]
        widgets = {"send_at": forms.TimeInput(format="%H:%M", attrs={"type": "time"})}
        labels = {
            "name": lazy("Nom de l’entreprise"),
            "iban": lazy("IBAN"),
            "signature": lazy("Signature"),
            "email_from": lazy("Adresse d’envoi"),
            "reply_to": lazy("Adresse de réponse"),
            "sending_on": lazy("Envoi automatique"),
            "send_at": lazy("Heure d’envoi"),
            "zone": lazy("Jours fériés"),
        }
        help_texts = {
            "name": lazy("Vos clients le lisent comme expéditeur de chaque message."),
            "iban": lazy("Repris dans les modèles par {{ entreprise.iban }}."),
            "signature": lazy(
                "Au bas des messages automatiques ; un envoi à la main porte votre nom."
            ),
            "email_from": lazy("D’où partent les relances. Vide : l’adresse de l’installation."),
            "reply_to": lazy("Où arrivent les réponses aux messages automatiques."),
            "sending_on": lazy(
                "Coupé, rien ne part tout seul ; on peut toujours envoyer à la main."
            ),
            "send_at": lazy("Les messages du jour partent à cette heure, les jours ouvrés."),
            "zone": lazy("Rien ne part le samedi, le dimanche ni un jour férié de cette zone."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["tolerance"] = f"{self.instance.tolerance_cents / 100:.2f}"

    def clean_name(self) -> str:
        return _one_line(self.cleaned_data["name"])

    def clean_signature(self) -> str:
        return _one_line(self.cleaned_data["signature"])

    def clean_iban(self) -> str:
        """In groups of four, as it is read; the two check digits are verified (ISO 13616)."""
        bare = "".join(str(self.cleaned_data["iban"]).split()).upper()
        if not bare:
            return ""
        if not re.fullmatch(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", bare, re.ASCII) or (
            int("".join(str(int(sign, 36)) for sign in bare[4:] + bare[:4])) % 97 != 1
        ):
            raise forms.ValidationError(_("Cet IBAN n’est pas valide : vérifiez-le."))
        grouped = " ".join(re.findall(".{1,4}", bare))
        return grouped if len(grouped) <= LONGEST_IBAN else bare

    def changes(self) -> dict[str, object]:
        """The value of every setting, as the service takes it; the form is valid."""
        values = dict(self.cleaned_data)
        values["tolerance_cents"] = int((values.pop("tolerance") or 0) * 100)
        return values


def _one_line(value: str) -> str:
    """Both stand in the headers of messages, where a line break would begin another header."""
    return " ".join(value.split())


def settings_detail(request: HttpRequest, slug: str) -> HttpResponse:
    """The settings of the dossier, for its administrators."""
    access = enter(request, slug, DunningRole.ADMIN)
    organisation = access.organisation
    before = Organisation.objects.get(pk=organisation.pk)
    form = SettingsForm(request.POST if request.method == "POST" else None, instance=before)
    if request.method == "POST" and form.is_valid():
        save_settings(
            organisation,
            changes=form.changes(),
            actor=user_of(request),
            on=today_of(request, access),
            now=moment(request),
        )
        notes.success(request, _("Paramètres enregistrés."))
        return redirect("settings_detail", slug)
    return render(request, "settings/detail.html", {"access": access, "form": form})


urlpatterns = [path("parametres/", settings_detail, name="settings_detail")]
