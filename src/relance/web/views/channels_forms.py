"""The forms of Paramètres › Canaux: an account that posts letters, one that sends SMS."""

from dataclasses import replace
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from relance.outbox.channels.base import DeliveryError
from relance.outbox.channels.postal.accounts import (
    FAKE,
    HOOK_KEY,
    MERCI_FACTEUR,
    SECRET_KEY,
    SERVICE_ID,
    USER_ID,
    secrets_of,
    with_secrets,
)
from relance.outbox.channels.sms import accounts as sms_accounts
from relance.outbox.channels.sms.generic import Recipe, RecipeError, check_recipe
from relance.outbox.models import PostalAccount, SmsAccount
from relance.web import channel_words

KEPT = lazy("Enregistré, chiffré. Laissez vide pour le garder.")


class PostalForm(forms.Form):
    """What opens the account; its keys are never shown again."""

    provider = forms.ChoiceField(label=lazy("Prestataire"))
    service_id = forms.CharField(label=lazy("Service ID"), max_length=80, required=False)
    user_id = forms.IntegerField(
        label=lazy("User ID"),
        min_value=1,
        required=False,
        help_text=lazy("L’utilisateur au nom duquel partent les courriers."),
    )
    secret_key = forms.CharField(
        label=lazy("Secret key"),
        max_length=200,
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )
    hook_key = forms.CharField(
        label=lazy("Clé des webhooks"),
        max_length=200,
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )
    service = forms.ChoiceField(
        label=lazy("Courriers simples"),
        choices=[("normal", lazy("Lettre verte")), ("tracked", lazy("Lettre suivie"))],
        help_text=lazy("Les recommandés partent avec un avis de réception numérisé."),
    )
    duplex = forms.BooleanField(label=lazy("Imprimer recto verso"), required=False)

    def __init__(self, account: PostalAccount, data: Any = None) -> None:
        self.account = account
        known = _known(account)
        super().__init__(
            data,
            prefix="courrier",
            initial={
                "provider": account.provider or MERCI_FACTEUR,
                "service_id": known.get(SERVICE_ID, ""),
                "user_id": known.get(USER_ID, ""),
                "service": account.service or "normal",
                "duplex": account.duplex,
            },
        )
        self.kept = bool(known.get(SECRET_KEY))
        _providers(self, (MERCI_FACTEUR, FAKE))
        for name in (SECRET_KEY, HOOK_KEY):
            if known.get(name):
                self.fields[name].help_text = str(KEPT)

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if data.get("provider") == MERCI_FACTEUR:
            for name in (SERVICE_ID, USER_ID):
                if not data.get(name):
                    self.add_error(name, _("Ce champ est obligatoire."))
            if not data.get(SECRET_KEY) and not self.kept:
                self.add_error(SECRET_KEY, _("Ce champ est obligatoire."))
        return data

    def filled(self) -> PostalAccount:
        """The account as typed, not saved; empty keys stay as they were."""
        data, account = self.cleaned_data, self.account
        account.provider, account.service = data["provider"], data["service"]
        account.duplex = data["duplex"]
        typed = {SERVICE_ID: data[SERVICE_ID], USER_ID: str(data[USER_ID] or ""), "token": ""}
        typed |= {name: data[name] for name in (SECRET_KEY, HOOK_KEY) if data[name]}
        with_secrets(account, **typed, token_until="")
        return account


ADVANCED = (
    "ref_path",
    "success",
    "refused",
    "later",
    "account",
    "status_url",
    "status_path",
    "report_ref",
    "delivered",
    "failed",
)


class SmsForm(forms.Form):
    """How the gateway is spoken to; headers are never shown again."""

    provider = forms.ChoiceField(label=lazy("Opérateur"))
    sender = forms.RegexField(
        label=lazy("Expéditeur affiché"),
        regex=r"^[A-Za-z0-9 ]{0,11}$",
        max_length=11,
        required=False,
        help_text=lazy("11 lettres ou chiffres au plus\u202f; on ne peut pas y répondre."),
    )
    url = forms.CharField(
        label=lazy("Adresse de l’API"),
        max_length=300,
        required=False,
        widget=forms.TextInput(attrs={"inputmode": "url", "placeholder": "https://"}),
    )
    method = forms.ChoiceField(
        label=lazy("Méthode"), choices=[(one, one) for one in ("POST", "GET", "PUT")]
    )
    kind = forms.ChoiceField(
        label=lazy("Corps"),
        choices=[
            ("json", "JSON"),
            ("form", lazy("Formulaire (nom=valeur)")),
            ("none", lazy("Aucun\u00a0: tout est dans l’adresse")),
        ],
    )
    headers = forms.CharField(
        label=lazy("En-têtes"),
        max_length=4000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "placeholder": "Authorization: Bearer …"}),
        help_text=lazy("Un par ligne. C’est ici que va la clé\u202f; elle est chiffrée."),
    )
    body = forms.CharField(
        label=lazy("Contenu"),
        max_length=4000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text=lazy("Avec {to}, {text}, {sender} et {reference}."),
    )
    to_plus = forms.BooleanField(label=lazy("Numéros avec leur +"), required=False)
    ref_path = forms.CharField(
        label=lazy("Référence dans la réponse"),
        required=False,
        max_length=80,
        help_text=lazy("Par exemple messages.0.id."),
    )
    success = forms.CharField(label=lazy("Réponses\u00a0: pris"), max_length=60)
    refused = forms.CharField(label=lazy("Refusé pour de bon"), max_length=60, required=False)
    later = forms.CharField(label=lazy("À réessayer"), max_length=60, required=False)
    account = forms.CharField(label=lazy("Compte en cause"), max_length=60, required=False)
    status_url = forms.CharField(
        label=lazy("Adresse de l’état"),
        max_length=300,
        required=False,
        help_text=lazy("Avec {ref}. Vide\u00a0: l’opérateur nous l’annonce, ou personne."),
    )
    status_path = forms.CharField(label=lazy("État dans la réponse"), max_length=80, required=False)
    report_ref = forms.CharField(
        label=lazy("Référence dans un accusé"), max_length=80, required=False
    )
    delivered = forms.CharField(label=lazy("Mots de la remise"), max_length=200, required=False)
    failed = forms.CharField(label=lazy("Mots de l’échec"), max_length=200, required=False)

    def __init__(self, account: SmsAccount, data: Any = None) -> None:
        self.stored = account
        headers, body = _known_sms(account)
        self.before = recipe = Recipe.of({**account.recipe, "url": account.url})
        first = {
            "provider": account.provider or sms_accounts.HTTP,
            "sender": account.sender,
            "body": body or EXAMPLE,
        }
        super().__init__(data, prefix="sms", initial={**recipe.stored(), **first})
        self.kept = headers
        _providers(self, (sms_accounts.HTTP, FAKE))
        if headers:
            self.fields["headers"].help_text = str(KEPT)

    @property
    def advanced(self) -> list[forms.BoundField]:
        """The fields that a usual gateway needs not."""
        return [self[name] for name in ADVANCED]

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if data.get("provider") != sms_accounts.HTTP or self.errors:
            return data
        recipe = self._recipe(data)
        if self.kept and not data.get("headers") and not recipe.stays_with(self.before):
            self.add_error("headers", _("L’adresse change d’hôte\u00a0: saisissez-les de nouveau."))
            return data
        data["headers"] = data.get("headers") or self.kept
        try:
            check_recipe(recipe, headers=data["headers"], body=data.get("body", ""))
        except RecipeError as fault:
            self.add_error(fault.field, RECIPE_WORDS[fault.code])
        return data

    def _recipe(self, data: dict[str, Any]) -> Recipe:
        known = Recipe.of({key: value for key, value in data.items() if key != "provider"})
        return replace(known, url=data.get("url", "").strip())

    def filled(self) -> SmsAccount:
        """The account as typed, not saved."""
        data, account = self.cleaned_data, self.stored
        account.provider, account.sender = data["provider"], data["sender"].strip()
        account.url = data["url"].strip()
        stored = self._recipe(data).stored()
        stored.pop("url")
        account.recipe = stored
        sms_accounts.with_secrets(account, headers=data["headers"] or self.kept, body=data["body"])
        return account


EXAMPLE = '{"recipient": "{to}", "content": "{text}", "sender": "{sender}", "tag": "{reference}"}'
RECIPE_WORDS = {
    "EMPTY": lazy("Ce champ est obligatoire."),
    "WEB": lazy("Une adresse commence par https://."),
    "UNKNOWN": lazy("Cette méthode n’est pas possible."),
    "STATUSES": lazy("Écrivez des codes HTTP, comme 200-299, 409."),
    "HEADERS": lazy("Écrivez un en-tête par ligne, comme Authorization: Bearer …"),
    "JSON": lazy("Ce n’est pas du JSON valable."),
    "NO_PLACE": lazy("Il y manque {to} ou {text}\u202f; {ref} dans l’adresse de l’état."),
}


def _known(account: PostalAccount) -> dict[str, Any]:
    """What is stored, in clear; nothing when its key was lost: then it is typed anew."""
    try:
        return secrets_of(account) if account.pk else {}
    except DeliveryError:
        return {}


def _known_sms(account: SmsAccount) -> tuple[str, str]:
    """Headers and body, likewise."""
    try:
        return sms_accounts.secrets_of(account) if account.pk else ("", "")
    except DeliveryError:
        return "", ""


def _providers(form: forms.Form, names: tuple[str, ...]) -> None:
    field = form.fields["provider"]
    assert isinstance(field, forms.ChoiceField)  # noqa: S101 - tells mypy
    field.choices = [(name, channel_words.PROVIDERS[name]) for name in names]
