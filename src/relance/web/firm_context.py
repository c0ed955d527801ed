"""What surrounds the pages of a firm: its places, its dossiers, its next requests."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from relance.accounts.access import FirmAccess, firms_of
from relance.receipts.models import FirmSchedule
from relance.web.queries import receipts

PARTS = {"firm_file": "firm_settings", "firm_ask": "firm_list", "firm_round": "firm_list"}
"""The place in the navigation of a page that has none of its own."""


def firm_shell(request: HttpRequest, access: FirmAccess) -> dict[str, Any]:
    """The navigation of the espace expert and its foot."""
    match = request.resolver_match
    name = match.view_name if match else ""
    here = PARTS.get(name, name)
    waiting = receipts.replies(access).count()
    places = [
        [
            ("firm_list", "folder", _("Espace expert"), _("Dossiers"), 0),
            ("firm_replies", "reply", _("Réponses"), _("Réponses"), waiting),
            ("firm_requests", "send", _("Demandes"), _("Demandes"), 0),
        ],
        [
            ("firm_dossiers", "plus", _("Gérer les dossiers"), "", 0),
            ("firm_people", "users", _("Collaborateurs"), "", 0),
            ("firm_settings", "settings", _("Paramètres"), _("Paramètres"), 0),
        ],
    ]
    firms = [
        {
            "name": one.name,
            "url": reverse("firm_list", args=[one.pk]),
            "current": one == access.firm,
        }
        for one in firms_of(access.user)
    ]
    dossiers = [
        {"name": name, "url": reverse("bank_list", args=[slug]), "current": False}
        for name, slug in access.organisations.order_by("name").values_list("name", "slug")
    ]
    return {
        "firm": access.firm,
        "organisations": firms + dossiers,
        "nav": [
            {
                "items": [
                    {
                        "url": reverse(place, args=[access.firm.pk]),
                        "icon": icon,
                        "label": label,
                        "phone": phone,
                        "count": count,
                        "current": here == place,
                    }
                    for place, icon, label, phone, count in section
                ]
            }
            for section in places
        ],
        "foot": _foot(access),
        "user": access.user,
        "today": request.now.date(),  # type: ignore[attr-defined]
    }


def _foot(access: FirmAccess) -> dict[str, Any]:
    url = reverse("firm_settings", args=[access.firm.pk])
    row = FirmSchedule.objects.filter(firm=access.firm, enabled=True).first()
    title = _("Relances automatiques")
    if row is None:
        detail = _("Arrêtées\u00a0: rien ne part seul.")
        return {"state": "suspended", "title": title, "detail": [detail], "url": url}
    if row.second_day:
        detail = _("le %(first)s et le %(second)s du mois")
    else:
        detail = _("le %(first)s du mois")
    words = detail % {"first": row.first_day, "second": row.second_day}
    return {"state": "sent", "title": title, "detail": [words], "url": url}
