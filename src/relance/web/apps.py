import gettext

from django.apps import AppConfig
from django.utils.translation import trans_real


class _SourceIsFrench(gettext.NullTranslations):
    """The words of the source are French and have no catalogue: without one, Django would count
    them as English is counted, and say "0 justificatifs"."""

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        """Zero and one are singular."""
        return msgid1 if abs(n) < 2 else msgid2


class WebConfig(AppConfig):
    name = "relance.web"
    label = "web"

    def ready(self) -> None:
        """French plurals wherever a sentence of the source is counted."""
        trans_real.translation("fr").add_fallback(_SourceIsFrench())
