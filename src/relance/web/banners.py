"""What every page of a dossier says above all else: a test, a switch that is off, old facts."""

from datetime import date
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.urls import reverse
from django.utils.translation import gettext as _

from relance.accounts.access import Access
from relance.accounts.models import DunningRole
from relance.engine import wording
from relance.web import french
from relance.web.queries import sending


class Banner(NamedTuple):
    """One strip over the page: `kind` as of a note; `url` only for those who may act on it."""

    kind: str
    strong: str
    text: str
    url: str = ""
    action: str = ""


def banners(access: Access, today: date) -> list[Banner]:
    """The strips of a dossier on local date `today`, the gravest first; two queries at most."""
    found = []
    if access.organisation.test_to:
        found.append(_test(access))
    stop = sending.stop(access.organisation, today)
    if stop is not None and stop.code == "SENDING_OFF":
        found.append(_off(access, today))
    elif stop is not None and access.dunning >= DunningRole.READ:
        found.append(
            Banner(
                "warn",
                _("Envois automatiques en pause."),
                wording.sentence(stop, _),
                _link(access, "import_list", DunningRole.ACCOUNT_MANAGER),
                _("Importer"),
            )
        )
    return found


def _test(access: Access) -> Banner:
    text = _("Tout part à %(to)s et à personne d’autre.") % {"to": access.organisation.test_to}
    url = _link(access, "settings_guard", DunningRole.ADMIN)
    return Banner("promise", _("Mode test."), text, url, _("Quitter le mode test"))


def _off(access: Access, today: date) -> Banner:
    organisation = access.organisation
    text = _("Rien ne part tout seul.")
    if organisation.switched_at is not None:
        at = organisation.switched_at.astimezone(ZoneInfo(organisation.timezone))
        when = {
            "day": french.date_text(at.date(), today, "long"),
            "hour": at.strftime("%H:%M"),
            "who": organisation.switched_by,
        }
        said = (
            _("Suspendus par %(who)s le %(day)s à %(hour)s.")
            if organisation.switched_by
            else _("Suspendus le %(day)s à %(hour)s.")
        )
        text = f"{said % when} {text}"
    url = _link(access, "settings_guard", DunningRole.ADMIN)
    return Banner("warn", _("Envois automatiques suspendus."), text, url, _("Garde-fous"))


def _link(access: Access, name: str, role: DunningRole) -> str:
    return reverse(name, args=[access.organisation.slug]) if access.dunning >= role else ""
