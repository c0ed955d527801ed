"""Paramètres: what holds for the whole dossier, in four parts, changed by its administrators.

Entreprise, Mails (S4-04…06), Horaires, Ce qui n’est pas relancé: each is an address of its own.
"""

import re
from decimal import Decimal
from typing import Any, ClassVar
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.contrib import messages as notes
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from relance.accounts.access import Access
from relance.accounts.models import DunningRole, Organisation
from relance.dunning.services.plans import save_settings
from relance.ledger.models import PaymentMode
from relance.outbox.mailboxes import automatic_sender, readers_of, system_address
from relance.outbox.models import Mailbox
from relance.web.domain_words import look_of
from relance.web.mailbox_words import trouble_of
from relance.web.queries.penalties import rates_shown
from relance.web.requests import enter, moment, today_of, user_of

MAX_TOLERANCE = Decimal("1000")
LONGEST_IBAN = 34
TIMEZONES = (
    ("Europe/Paris", lazy("Paris")),
    ("America/Guadeloupe", lazy("Guadeloupe")),
    ("America/Martinique", lazy("Martinique")),
    ("America/Cayenne", lazy("Guyane")),
    ("America/Miquelon", lazy("Saint-Pierre-et-Miquelon")),
    ("Indian/Reunion", lazy("La Réunion")),
    ("Indian/Mayotte", lazy("Mayotte")),
    ("Pacific/Noumea", lazy("Nouvelle-Calédonie")),
    ("Pacific/Tahiti", lazy("Polynésie française")),
    ("Pacific/Wallis", lazy("Wallis-et-Futuna")),
    ("Europe/Brussels", lazy("Bruxelles")),
    ("Europe/Luxembourg", lazy("Luxembourg")),
    ("Europe/Zurich", lazy("Zurich")),
    ("Europe/London", lazy("Londres")),
)


class _PartForm(forms.ModelForm):  # type: ignore[type-arg]
    """One part of the settings."""

    def changes(self) -> dict[str, object]:
        """The value of every setting, as the service takes it; the form is valid."""
        return dict(self.cleaned_data)


class CompanyForm(_PartForm):
    """Who the customers hear from."""

    siren = forms.CharField(
        label=lazy("SIREN"),
        max_length=20,
        required=False,
        help_text=lazy("Neuf chiffres, au pied de vos courriers."),
    )

    class Meta:
        model = Organisation
        fields = ["name", "address", "siren", "iban", "bic"]
        widgets = {"address": forms.Textarea(attrs={"rows": 4})}
        labels = {
            "name": lazy("Nom de l’entreprise"),
            "address": lazy("Adresse postale"),
            "iban": lazy("IBAN"),
            "bic": lazy("BIC"),
        }
        help_texts = {
            "name": lazy("Vos clients le lisent comme expéditeur de chaque message."),
            "address": lazy("En tête de vos courriers, une ligne par ligne."),
            "iban": lazy("Repris dans les modèles par {{ entreprise.iban }}."),
            "bic": lazy("Avec l’IBAN, sur le RIB que vos mails peuvent joindre."),
        }

    def clean_name(self) -> str:
        return _one_line(self.cleaned_data["name"])

    def clean_siren(self) -> str:
        """Nine digits whose last is their check digit (Luhn)."""
        bare = "".join(str(self.cleaned_data["siren"]).split())
        if not bare:
            return ""
        if not re.fullmatch(r"[0-9]{9}", bare, re.ASCII) or _luhn(bare) % 10:
            raise forms.ValidationError(_("Ce SIREN n’est pas valable : vérifiez-le."))
        return bare

    def clean_bic(self) -> str:
        """Eight or eleven signs (ISO 9362)."""
        bare = "".join(str(self.cleaned_data["bic"]).split()).upper()
        if bare and not re.fullmatch(r"[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?", bare, re.ASCII):
            raise forms.ValidationError(_("Ce BIC n’est pas valable : vérifiez-le."))
        return bare

    def clean_iban(self) -> str:
        """In groups of four, as it is read; the two check digits are verified (ISO 13616)."""
        bare = "".join(str(self.cleaned_data["iban"]).split()).upper()
        if not bare:
            return ""
        if not re.fullmatch(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", bare, re.ASCII) or (
            int("".join(str(int(sign, 36)) for sign in bare[4:] + bare[:4])) % 97 != 1
        ):
            raise forms.ValidationError(_("Cet IBAN n’est pas valide : vérifiez-le."))
        grouped = " ".join(re.findall(".{1,4}", bare))
        return grouped if len(grouped) <= LONGEST_IBAN else bare


class MailsForm(_PartForm):
    """Relances d’encaissements: from where, with replies to whom, signed how (S4-04, S4-05)."""

    class Meta:
        model = Organisation
        fields = ["email_from", "reply_to", "signature"]
        labels = {
            "email_from": lazy("Adresse d’envoi"),
            "reply_to": lazy("Adresse de réponse"),
            "signature": lazy("Signature"),
        }
        help_texts = {
            "email_from": lazy(
                "L’expéditeur par défaut de toutes les relances. Le serveur de l’installation doit "
                "avoir le droit d’envoyer pour ce domaine (SPF, DKIM) ; sinon, connectez une boîte."
            ),
            "reply_to": lazy(
                "Où arrivent les réponses aux messages automatiques. À la main, elles reviennent à "
                "la personne qui envoie."
            ),
            "signature": lazy(
                "Au bas des messages automatiques ; un envoi à la main porte votre nom."
            ),
        }

    def clean_signature(self) -> str:
        return _one_line(self.cleaned_data["signature"])


class HoursForm(_PartForm):
    """When things leave by themselves."""

    timezone = forms.CharField(
        label=lazy("Fuseau horaire"),
        widget=forms.Select,
        help_text=lazy("Toutes les heures et toutes les dates du dossier sont de ce fuseau."),
    )

    class Meta:
        model = Organisation
        fields = ["sending_on", "send_at", "timezone", "zone"]
        widgets = {"send_at": forms.TimeInput(format="%H:%M", attrs={"type": "time"})}
        labels = {
            "sending_on": lazy("Envoi automatique"),
            "send_at": lazy("Heure d’envoi"),
            "zone": lazy("Jours fériés"),
        }
        help_texts = {
            "sending_on": lazy(
                "Coupé, rien ne part tout seul ; on peut toujours envoyer à la main."
            ),
            "send_at": lazy("Les messages du jour partent à cette heure, les jours ouvrés."),
            "zone": lazy("Rien ne part le samedi, le dimanche ni un jour férié de cette zone."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known: list[tuple[str, Any]] = list(TIMEZONES)
        if self.instance.timezone not in dict(known):
            known.append((self.instance.timezone, self.instance.timezone))
        self.fields["timezone"].widget.choices = known

    def clean_timezone(self) -> str:
        """A zone that the machine knows, so that no hour becomes impossible to tell."""
        chosen = str(self.cleaned_data["timezone"])
        if chosen not in available_timezones():
            raise forms.ValidationError(_("Ce fuseau horaire est inconnu."))
        return chosen


class PenaltiesForm(_PartForm):
    """What late customers are charged; `rate` is typed in percent a year."""

    rate = forms.DecimalField(
        label=lazy("Taux de vos conditions de vente"),
        min_value=0,
        max_value=100,
        decimal_places=2,
        required=False,
        localize=True,
        help_text=lazy(
            "En pourcentage par an, pour les professionnels. Vide : taux de la BCE plus 10 points. "
            "Jamais moins de trois fois le taux légal."
        ),
    )
    interest_first = forms.TypedChoiceField(
        label=lazy("Un acompte paie d’abord"),
        choices=(("", lazy("le principal")), ("1", lazy("les intérêts"))),
        coerce=bool,
        required=False,
        help_text=lazy(
            "La loi prévoit les intérêts (C. civ. 1343-1) ; la comptabilité, le plus souvent, le "
            "principal."
        ),
    )

    class Meta:
        model = Organisation
        fields: ClassVar[list[str]] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        points = self.instance.contract_rate_bp
        if points is not None:
            self.initial["rate"] = f"{points // 100},{points % 100:02d}"
        self.initial["interest_first"] = "1" if self.instance.interest_first else ""

    def changes(self) -> dict[str, object]:
        """The rate in hundredths of a percent."""
        rate = self.cleaned_data["rate"]
        return {
            "contract_rate_bp": None if rate is None else int(rate * 100),
            "interest_first": bool(self.cleaned_data["interest_first"]),
        }


class RulesForm(_PartForm):
    """What is not chased; `tolerance` is typed in euros."""

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
        fields = ["by_hand_modes"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["tolerance"] = f"{self.instance.tolerance_cents / 100:.2f}"

    def changes(self) -> dict[str, object]:
        """The tolerance in cents."""
        values = super().changes()
        cents = int((self.cleaned_data["tolerance"] or 0) * 100)
        values.pop("tolerance")
        return values | {"tolerance_cents": cents}


PARTS: dict[str, tuple[str, type[_PartForm]]] = {
    "": ("settings/detail.html", CompanyForm),
    "mails": ("settings/mails.html", MailsForm),
    "horaires": ("settings/hours.html", HoursForm),
    "exclusions": ("settings/rules.html", RulesForm),
    "penalites": ("settings/penalties.html", PenaltiesForm),
}


def _one_line(value: str) -> str:
    """Both stand in the headers of messages, where a line break would begin another header."""
    return " ".join(value.split())


def _luhn(digits: str) -> int:
    doubled = [int(d) * (2 - n % 2) for n, d in enumerate(reversed(digits), 1) if n % 2 == 0]
    plain = [int(d) for n, d in enumerate(reversed(digits), 1) if n % 2]
    return sum(plain) + sum(value - 9 if value > 9 else value for value in doubled)


def settings_part(request: HttpRequest, slug: str, part: str = "") -> HttpResponse:
    """One part of the settings of the dossier, for its administrators."""
    access = enter(request, slug, DunningRole.ADMIN)
    if part not in PARTS:
        raise Http404
    template, kind = PARTS[part]
    before = Organisation.objects.get(pk=access.organisation.pk)
    form = kind(request.POST if request.method == "POST" else None, instance=before)
    if request.method == "POST" and form.is_valid():
        save_settings(
            access.organisation,
            changes=form.changes(),
            actor=user_of(request),
            on=today_of(request, access),
            now=moment(request),
        )
        notes.success(request, _("Paramètres enregistrés."))
        return redirect(request.path)
    context = {"access": access, "form": form, "tabs": tabs_of(access, part)}
    if part == "mails":
        context |= _mails(access)
    if part == "penalites":
        context |= rates_shown(today_of(request, access))
    return render(request, template, context)


def tabs_of(access: Access, part: str) -> list[dict[str, object]]:
    """The parts of the settings, `part` being the present one."""
    slug = access.organisation.slug
    labels = {
        "": (_("Entreprise"), "settings_detail"),
        "mails": (_("Mails"), "settings_mails"),
        "reception": (_("Réception"), "settings_inbound"),
        "modeles": (_("Modèle d’e-mail/SMS"), "template_list"),
        "courriers": (_("Courriers"), "settings_letters"),
        "canaux": (_("Canaux"), "settings_channels"),
        "horaires": (_("Horaires"), "settings_hours"),
        "exclusions": (_("Exclusions"), "settings_rules"),
        "penalites": (_("Pénalités"), "settings_penalties"),
        "garde-fous": (_("Garde-fous"), "settings_guard"),
        "utilisateurs": (_("Utilisateurs"), "people_list"),
    }
    return [
        {"url": reverse(name, args=[slug]), "label": label, "current": key == part}
        for key, (label, name) in labels.items()
    ]


def _mails(access: Access) -> dict[str, object]:
    """From where relances leave now, and the mailboxes of the organisation."""
    organisation = access.organisation
    sender = automatic_sender(organisation)
    replies = sender.reply_to
    if not replies:
        replies = sender.address if sender.key != "system" else readers_of(organisation, [])[None]
    boxes = access.all(Mailbox).filter(owner=None, retired_at=None).order_by("-is_default", "pk")
    return {
        "sender": sender,
        "look": look_of(organisation, sender.address, sender.mailbox),
        "demo": settings.DEMO,
        "replies": replies,
        "manager_first": sender.key == "system" and not organisation.reply_to,
        "system": system_address(),
        "boxes": [{"box": box, "trouble": trouble_of(box)} for box in boxes],
    }


urlpatterns = [
    path("parametres/", settings_part, name="settings_detail"),
    path("parametres/mails/", settings_part, {"part": "mails"}, name="settings_mails"),
    path("parametres/horaires/", settings_part, {"part": "horaires"}, name="settings_hours"),
    path("parametres/exclusions/", settings_part, {"part": "exclusions"}, name="settings_rules"),
    path("parametres/penalites/", settings_part, {"part": "penalites"}, name="settings_penalties"),
]
