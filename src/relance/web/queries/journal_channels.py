"""French words for what happened with providers, numbers and places; calls and tasks."""

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext as _

from relance.web import channel_words

Told = tuple[str, str, str]
ICONS = {"sms": "sms", "letter": "letter", "registered_letter": "registered"}


def _tracked(data: Mapping[str, Any]) -> Told:
    icon = ICONS.get(str(data.get("channel")), "letter")
    words = channel_words.state(str(data.get("status") or "")) or _("Suivi")
    return icon, words, str(data.get("detail") or "")


def _account(words: Callable[[], tuple[str, str]]) -> Callable[[Mapping[str, Any]], Told]:
    def tell(data: Mapping[str, Any]) -> Told:
        by_sms = data.get("channel") == "sms"
        title = words()[1 if by_sms else 0]
        provider = channel_words.PROVIDERS.get(str(data.get("provider")), "")
        return "sms" if by_sms else "letter", title, str(provider)

    return tell


TELLERS: dict[str, Callable[[Mapping[str, Any]], Told]] = {
    "message_tracked": _tracked,
    "channel_saved": _account(
        lambda: (_("Prestataire des courriers enregistré"), _("Opérateur de SMS enregistré"))
    ),
    "channel_switched_on": _account(
        lambda: (_("Les courriers partent par le prestataire"), _("Les SMS partent tout seuls"))
    ),
    "channel_switched_off": _account(
        lambda: (_("Les courriers ne partent plus par le prestataire"), _("SMS arrêtés"))
    ),
    "channel_removed": _account(
        lambda: (_("Prestataire des courriers retiré"), _("Opérateur de SMS retiré"))
    ),
}
