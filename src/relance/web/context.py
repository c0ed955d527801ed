"""What surrounds every page of a dossier: places with their counts, next departure, the user."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from relance.accounts import clock
from relance.accounts.access import Access, organisations_of
from relance.dunning import run
from relance.dunning.models import Action, Outlook, Run
from relance.outbox.models import Message, Status
from relance.web.middleware import ClockedRequest


def shell(request: HttpRequest) -> dict[str, Any]:
    """The navigation and its foot; only the date and the user outside a dossier."""
    access: Access | None = getattr(request, "access", None)
    if access is None:
        user = getattr(request, "user", None)
        return {"shell": {"user": user if user and user.is_authenticated else None}}
    now: datetime = request.now if isinstance(request, ClockedRequest) else clock.now()
    return {
        "shell": {
            "organisation": access.organisation,
            "organisations": [
                {
                    "name": one.name,
                    "url": reverse("today", args=[one.slug]),
                    "current": one == access.organisation,
                }
                for one in organisations_of(access.user)
            ],
            "nav": _nav(request, access),
            "foot": _foot(access, now),
            "user": access.user,
            "today": clock.local_date(access.organisation, now),
        }
    }


def _nav(request: HttpRequest, access: Access) -> list[dict[str, Any]]:
    slug = access.organisation.slug
    to_do = Action.objects.filter(
        organisation=access.organisation, status=Action.Status.OPEN, owners=access.user
    ).count()
    trouble = Message.objects.filter(
        organisation=access.organisation, status__in=[Status.FAILED, Status.UNCERTAIN]
    ).count()
    sections = [
        [
            ("today", "today", _("Aujourd’hui"), to_do),
            ("dashboard", "dashboard", _("Tableau de bord"), 0),
            ("customer_list", "clients", _("Clients"), 0),
        ],
        [
            ("outbox_list", "mail", _("Envois"), trouble),
            ("import_list", "import", _("Imports"), 0),
        ],
        [
            ("plan_list", "plan", _("Plans de relance"), 0),
            ("template_list", "template", _("Modèles"), 0),
        ],
    ]
    here = request.resolver_match.view_name if request.resolver_match else ""
    return [
        {
            "items": [
                {
                    "url": reverse(name, args=[slug]),
                    "icon": icon,
                    "label": label,
                    "count": count,
                    "current": here.split("_")[0] == name.split("_")[0],
                }
                for name, icon, label, count in section
            ]
        }
        for section in sections
    ]


def _foot(access: Access, now: datetime) -> dict[str, Any]:
    """The first question of the morning, answered on every page: what leaves, and when."""
    organisation = access.organisation
    if not organisation.sending_on:
        return {
            "state": "suspended",
            "title": _("Envois suspendus"),
            "detail": [_("Rien ne part tout seul.")],
        }
    zone = ZoneInfo(organisation.timezone)
    today = clock.local_date(organisation, now)
    latest = Run.objects.filter(organisation=organisation, on=today).first()
    departure = run.next_departure(organisation, now).astimezone(zone)
    ready = Outlook.objects.filter(
        organisation=organisation, next_automatic=True, next_on__lte=departure.date()
    ).count()
    next_line = ngettext("%(n)d client prêt", "%(n)d clients prêts", ready) % {"n": ready}
    if latest is None or departure.date() == today:
        when = departure.strftime("%H:%M")
        title = _("Départ à %(hour)s") % {"hour": when}
        if departure.date() != today:
            title = _("Prochain départ le %(day)s") % {"day": departure.strftime("%d/%m à %H:%M")}
        return {"state": "ready", "title": title, "detail": [next_line]}
    counts = Message.objects.filter(organisation=organisation, on=today, automatic=True).aggregate(
        all=Count("id", filter=~Q(status=Status.CANCELLED)),
        sent=Count("id", filter=Q(status=Status.SENT)),
    )
    return {
        "state": "sent",
        "title": _("Parti à %(hour)s") % {"hour": organisation.send_at.strftime("%H:%M")},
        "detail": [
            ngettext("%(sent)d message sur %(all)d", "%(sent)d messages sur %(all)d", counts["all"])
            % counts,
            _("Prochain : %(day)s") % {"day": departure.strftime("%d/%m à %H:%M")},
        ],
    }
