"""What surrounds every page of a dossier: places with their counts, next departure, the user."""

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from relance.accounts import clock
from relance.accounts.access import Access, FirmAccess, firms_of, organisations_of
from relance.accounts.models import BankRole, DunningRole
from relance.dunning.facts import hours
from relance.dunning.models import Outlook, Plan, Run
from relance.outbox.models import Message, Status
from relance.web import french
from relance.web.banners import banners
from relance.web.firm_context import firm_shell
from relance.web.queries import bank, chase_list, inbound, receipts, sending
from relance.web.queries import departures as before
from relance.web.queries import today as morning
from relance.web.queries.counting import counts

PLACES = {
    "message": "outbox",
    "departure": "today",
    "sending": "outbox",
    "mailbox": "settings",
    "inbox": "settings",
    "people": "settings",
    "receipts": "bank",
    "penalty": "customer",
    "recovery": "customer",
}
"""First word of a page's name, when it is not that of its place in the navigation."""


def shell(request: HttpRequest) -> dict[str, Any]:
    """The navigation and its foot; only the date and the user outside a dossier.

    Nothing is read for the pieces of a page that htmx asks for.
    """
    access: Access | None = getattr(request, "access", None)
    firm: FirmAccess | None = getattr(request, "firm_access", None)
    if firm is not None:
        return {"shell": firm_shell(request, firm)}
    if access is None:
        user = getattr(request, "user", None)
        return {"shell": {"user": user if user and user.is_authenticated else None}}
    now: datetime = getattr(request, "now", None) or clock.now()
    today = clock.local_date(access.organisation, now)
    htmx = getattr(request, "htmx", None)
    if htmx and not htmx.boosted and not htmx.history_restore_request:
        return {"shell": {"organisation": access.organisation, "today": today}}
    return {
        "shell": {
            "organisation": access.organisation,
            "organisations": _places(access),
            "nav": _nav(request, access, now),
            "foot": _foot(access, now) if access.dunning >= DunningRole.READ else None,
            "banners": banners(access, today),
            "user": access.user,
            "preferences_url": reverse("preferences_detail", args=[access.organisation.slug]),
            "today": today,
        }
    }


def _places(access: Access) -> list[dict[str, Any]]:
    """Where else the user may go: his firms, then his dossiers."""
    first = "today" if access.dunning >= DunningRole.READ else "bank_list"
    firms = [
        {"name": one.name, "url": reverse("firm_list", args=[one.pk]), "current": False}
        for one in firms_of(access.user)
    ]
    return firms + [
        {
            "name": one.name,
            "url": reverse(first, args=[one.slug]),
            "current": one == access.organisation,
        }
        for one in organisations_of(access.user)
    ]


def _nav(request: HttpRequest, access: Access, now: datetime) -> list[dict[str, Any]]:
    slug = access.organisation.slug
    sections: list[list[tuple[str, str, str, str, int]]] = []
    today = clock.local_date(access.organisation, now)
    count = counts(access, **_counted(access, today))
    if access.dunning >= DunningRole.READ:
        sections = _dunning_places(access, today, count)
    if access.bank >= BankRole.R1:
        sections.insert(
            1,
            [
                ("bank_list", "bank", _("Banque"), "", count["missing"]),
                ("reply_list", "reply", _("Réponses"), "", count["answers"]),
                ("request_list", "send", _("Demandes"), "", 0),
            ],
        )
    if settings.DEMO and access.dunning >= DunningRole.READ:
        sections.append([("mail_list", "inbox", _("Courrier reçu"), "", 0)])
    match = request.resolver_match
    here = (match.view_name if match else "").split("_")[0]
    here = PLACES.get(here, here)
    return [
        {
            "items": [
                {
                    "url": reverse(name, args=[slug]),
                    "icon": icon,
                    "label": label,
                    "phone": phone,
                    "count": number,
                    "current": here == name.split("_")[0],
                }
                for name, icon, label, phone, number in section
            ]
        }
        for section in sections
    ]


def _counted(access: Access, today: date) -> dict[str, QuerySet[Any]]:
    """What the places count that the user may see; the errors of the morning come apart."""
    rows: dict[str, QuerySet[Any]] = {}
    if access.dunning >= DunningRole.READ:
        rows = {
            "actions": morning.my_actions(access, access.user, today),
            "mentions": morning.mentions(access),
            "to_chase": chase_list.waiting(access, today),
            "to_approve": morning.to_approve(access),
            "came_in": inbound.unseen(access),
        }
    if access.bank >= BankRole.R1:
        rows |= {"missing": bank.missing(access), "answers": receipts.replies(access)}
    return rows


def _dunning_places(
    access: Access, today: date, count: dict[str, int]
) -> list[list[tuple[str, str, str, str, int]]]:
    """Name of the address, icon, label, label on a phone and count of each, in sections."""
    trouble = morning.trouble(access, today)
    mine = count["actions"]
    here = mine + trouble.all + count["mentions"]
    return [
        [
            ("today", "today", _("Aujourd’hui"), _("Aujourd’hui"), here),
            ("dashboard", "dashboard", _("Tableau de bord"), _("Tableau"), 0),
            ("chase_list", "loop", _("À relancer"), "", count["to_chase"]),
            ("customer_list", "clients", _("Clients"), _("Clients"), 0),
            ("batch_relances", "table", _("Relances clients"), "", 0),
            ("action_list", "actions", _("Actions"), _("Actions"), mine + trouble.mine),
            ("before_list", "eye", _("Avant l’envoi"), "", count["to_approve"]),
            ("campaign_list", "megaphone", _("Campagnes"), "", 0),
        ],
        [
            ("plan_list", "plan", _("Plans de relance"), "", 0),
            ("template_list", "template", _("Modèles"), "", 0),
        ],
        [
            ("outbox_list", "outbox", _("Envois"), "", trouble.messages),
            ("inbound_list", "inbox", _("Réponses clients"), "", count["came_in"]),
            ("letter_list", "letter", _("Courriers"), "", 0),
            ("import_list", "import", _("Imports"), "", 0),
            ("journal_list", "note", _("Journal"), "", 0),
            *([("settings_detail", "settings", _("Paramètres"), "", 0)] if access.is_admin else []),
        ],
    ]


def _foot(access: Access, now: datetime) -> dict[str, Any]:
    """The first question of the morning, answered on every page: what leaves, and when."""
    organisation = access.organisation
    if access.dunning < DunningRole.READ:
        return {}
    url = reverse("outbox_list", args=[organisation.slug])
    if not organisation.sending_on:
        detail = [_("Rien ne part tout seul.")]
        return {"state": "suspended", "title": _("Envois suspendus"), "detail": detail, "url": url}
    zone = ZoneInfo(organisation.timezone)
    today = clock.local_date(organisation, now)
    if sending.stop(organisation, today):
        detail = [_("Le dernier import est trop ancien.")]
        title = _("Envois en pause")
        return {"state": "suspended", "title": title, "detail": detail, "url": url}
    departure = hours.next_departure(organisation, now).astimezone(zone)
    hour = departure.strftime("%H:%M")
    if departure.date() == today:
        return {
            "state": "ready",
            "title": _("Départ à %(hour)s") % {"hour": hour},
            "detail": [_ready(access, departure)],
            "url": url,
        }
    next_day = f"{french.weekday_short(departure.date())} {hour}"
    latest = access.all(Run).filter(on=today).first()
    if latest is None:
        return {
            "state": "none",
            "title": _("Départ %(day)s") % {"day": next_day},
            "detail": [_ready(access, departure)],
            "url": url,
        }
    sent, every = _gone(access, latest)
    gone = _("%(messages)s sur %(all)s") % {
        "messages": french.counted(sent, _("message"), _("messages")),
        "all": french.number(every),
    }
    return {
        "state": "sent",
        "title": _("Parti à %(hour)s") % {"hour": organisation.send_at.strftime("%H:%M")},
        "detail": [
            gone if every else _("Rien n’était à envoyer."),
            _("Prochain : %(day)s") % {"day": next_day},
        ],
        "url": url,
    }


def _gone(access: Access, latest: Run) -> tuple[int, int]:
    """How many messages of the day's run have left, of how many that still had to.

    Only the newest rows of a status are looked at, so that it costs the same after ten years.
    """

    def newest(status: str) -> int:
        rows = access.all(Message).filter(status=status).order_by("-id")[: latest.queued + 200]
        found = rows.values_list("on", "automatic")
        return sum(1 for on, automatic in found if automatic and on == latest.on)

    if not latest.queued:
        return 0, 0
    return newest(Status.SENT), latest.queued - newest(Status.CANCELLED)


def _ready(access: Access, departure: datetime) -> str:
    """`14 messages prêts`; where one customer may get several, the customers are counted."""
    on = departure.date()
    ready = access.all(Outlook).filter(next_automatic=True, next_on__lte=on)
    customers = before.not_written(access, ready, on).count()
    customers += before.queued_for(access, on, on).count()
    one_by_one = access.all(Plan).filter(
        scope=Plan.Scope.INVOICE, grouping=Plan.Grouping.NONE, paused=False
    )
    if customers and one_by_one.exists():
        words = ngettext("messages pour %(n)s client", "messages pour %(n)s clients", customers)
    else:
        return french.counted(customers, _("message prêt"), _("messages prêts"))
    return words % {"n": french.number(customers)}
