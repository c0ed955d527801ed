"""Forms of a customer's page; the rules stay in the services."""

from datetime import date
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from relance.accounts.access import Access
from relance.dunning.models import Plan
from relance.dunning.services.managers import possible_managers
from relance.ledger.models import Contact, Customer, Regime


def _day(label: Any, *, required: bool = True) -> forms.DateField:
    return forms.DateField(
        label=label,
        required=required,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )


class DefinitionForm(forms.ModelForm):  # type: ignore[type-arg]
    """Tab Définition: who he is, where he is written to, what the law says of him."""

    judgment_on = _day(_("Jugement d’ouverture"), required=False)

    class Meta:
        model = Customer
        fields = (
            "name", "email", "phone", "address", "postcode", "city", "country",
            "siren", "regime", "language", "judgment_on", "manager",
        )  # fmt: skip
        labels = {
            "name": _("Nom"),
            "email": _("Adresse e-mail"),
            "phone": _("Téléphone"),
            "address": _("Adresse"),
            "postcode": _("Code postal"),
            "city": _("Ville"),
            "country": _("Pays"),
            "siren": _("SIREN ou SIRET"),
            "regime": _("Régime"),
            "language": _("Langue des messages"),
            "manager": _("Chargé de compte"),
        }
        help_texts = {
            "email": _("Destinataire quand aucun contact n’est choisi par défaut."),
            "regime": _("Un particulier ne reçoit ni indemnité ni frais."),
        }
        widgets = {
            "address": forms.Textarea(attrs={"rows": 2}),
            "language": forms.Select(choices=[("fr", _("Français")), ("en", _("Anglais"))]),
        }

    def __init__(self, access: Access, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["regime"].choices = Regime.choices  # type: ignore[attr-defined]
        # He will own the actions (S3-08): a reader could not do them.
        able = possible_managers(access.organisation)
        self.fields["manager"].queryset = able  # type: ignore[attr-defined]
        self.fields["manager"].help_text = _("Ses actions ouvertes lui reviennent aussitôt.")
        self.fields["manager"].empty_label = _("Personne en particulier")  # type: ignore[attr-defined]
        if not access.can_write:
            for one in self.fields.values():
                one.disabled = True


class PlanForm(forms.Form):
    """Which plan a customer follows (S2-10)."""

    plan = forms.ModelChoiceField(Plan.objects.none(), label=_("Plan de relance"), required=False)

    def __init__(self, access: Access, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["plan"]
        field.queryset = access.all(Plan).order_by("name")
        field.empty_label = _("Aucun plan de relance")
        field.disabled = not access.can_write


class UntilForm(forms.Form):
    """A hold: until when (inclusive), and why."""

    until = _day(_("Jusqu’au (inclus)"))
    note = forms.CharField(label=_("Note"), required=False, max_length=500)


class PromiseForm(UntilForm):
    """A promise to pay: by when."""

    until = _day(_("Promis pour le"))


class DisputeForm(forms.Form):
    """Why the customer contests an invoice."""

    category = forms.CharField(
        label=_("Motif"),
        max_length=60,
        required=False,
        widget=forms.TextInput(attrs={"list": "dispute-reasons", "autocomplete": "off"}),
    )
    note = forms.CharField(label=_("Note"), required=False, max_length=500)


class ContactForm(forms.Form):
    """A person at the customer's, with a function (S4-27 to S4-29)."""

    name = forms.CharField(label=_("Nom"), max_length=120)
    role = forms.CharField(
        label=_("Fonction"),
        max_length=60,
        required=False,
        widget=forms.TextInput(attrs={"list": "contact-roles", "autocomplete": "off"}),
    )
    email = forms.EmailField(label=_("Adresse e-mail"), required=False)
    phone = forms.CharField(label=_("Téléphone"), max_length=40, required=False)
    is_default = forms.BooleanField(
        label=_("Destinataire par défaut"),
        required=False,
        help_text=_("Reçoit les relances à la place de l’adresse de l’onglet Définition."),
    )


class SiteForm(forms.Form):
    """A chantier and its favourite recipients ★."""

    name = forms.CharField(label=_("Chantier"), max_length=120)
    favourites = forms.ModelMultipleChoiceField(
        Contact.objects.none(),
        label=_("Destinataires favoris"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, contacts: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["favourites"]
        field.queryset = contacts
        field.label_from_instance = lambda one: (
            f"{one.name}, {one.email}" if one.email else one.name
        )


class CreditForm(forms.Form):
    """How much of a credit goes to which invoice; empty amount: as much as possible."""

    credit = forms.IntegerField()
    invoice = forms.IntegerField()


def initial_contact(contact: Contact | None) -> dict[str, Any]:
    """The values of the form for this contact."""
    if contact is None:
        return {}
    names = ("name", "role", "email", "phone", "is_default")
    return {name: getattr(contact, name) for name in names}


def day_or_none(text: str) -> date | None:
    """An ISO date of the address, or None when it is none or too far away to mean anything."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if 1990 <= found.year <= 2100 else None
