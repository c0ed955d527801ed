"""What the forms of both kinds of mail servers share: a host, a port, and a password kept."""

from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from relance.outbox.models import Mailbox


class ServerForm(forms.ModelForm):  # type: ignore[type-arg]
    """The password is typed, kept encrypted, and never shown again."""

    password = forms.CharField(
        label=lazy("Mot de passe"),
        max_length=200,
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def say_what_is_kept(self) -> None:
        """Beside the password: that there is one already, or what becomes of it."""
        self.fields["password"].help_text = (
            _("Il est enregistré, chiffré. Laissez vide pour le garder.")
            if self.instance.secret
            else _("Il est chiffré aussitôt et ne sera plus jamais montré.")
        )

    def clean_host(self) -> str:
        """A bare name: no scheme, no path, nothing around it."""
        host = str(self.cleaned_data["host"]).strip().rstrip(".").lower()
        if not host or any(sign.isspace() or sign in "/@:?#\\" for sign in host.replace("::", "")):
            raise forms.ValidationError(_("Écrivez seulement le nom du serveur."))
        return host

    def clean_port(self) -> int:
        """Of TCP."""
        port = int(self.cleaned_data["port"])
        if not 1 <= port <= 65535:
            raise forms.ValidationError(_("Un port va de 1 à 65535."))
        return port

    def require_encryption(self, data: dict[str, Any], *, with_password: bool) -> None:
        """No password over a line in clear, but to one's own network."""
        in_clear = data.get("security") == Mailbox.Security.NONE and with_password
        if in_clear and not settings.SMTP_PRIVATE_NETWORKS:
            self.add_error(
                "security", _("Sans chiffrement, le mot de passe voyagerait à découvert.")
            )
