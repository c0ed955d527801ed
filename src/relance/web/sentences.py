"""Sentences of the morning page, with their counts."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from relance.accounts.models import Organisation
from relance.dunning.models import Action
from relance.engine import model as engine
from relance.web import french
from relance.web.templatetags.relance import level_name


def actions_wait(count: int) -> str:
    """`6 actions vous attendent.`"""
    if not count:
        return _("Aucune action ne vous attend.")
    words = ngettext("%(n)s action vous attend.", "%(n)s actions vous attendent.", count)
    return words % {"n": french.number(count)}


def messages_leave(count: int, when: str, *, customers: bool = False) -> str:
    """`14 messages partent à 08:30.`, or what is known of a departure too large to work out."""
    if not count:
        return ""
    if customers:
        words = ngettext(
            "Des messages pour %(n)s client partent %(when)s.",
            "Des messages pour %(n)s clients partent %(when)s.",
            count,
        )
    else:
        words = ngettext("%(n)s message part %(when)s.", "%(n)s messages partent %(when)s.", count)
    return words % {"n": french.number(count), "when": when}


def departure_when(organisation: Organisation, at: datetime, today: date) -> str:
    """`à 08:30`, `demain à 08:30`, `lundi à 08:30`, `le 4 janv. à 08:30`."""
    local = at.astimezone(ZoneInfo(organisation.timezone))
    hour = _("à %(hour)s") % {"hour": local.strftime("%H:%M")}
    distance = (local.date() - today).days
    if distance == 0:
        return hour
    if distance == 1:
        return _("demain %(hour)s") % {"hour": hour}
    if distance < 7:
        weekday = french.date_text(local.date(), today, "long").split(french.NBSP)[0]
        return f"{weekday} {hour}"
    return _("le %(day)s %(hour)s") % {
        "day": french.date_text(local.date(), today),
        "hour": hour,
    }


def step_words(one: Action | engine.Action) -> str:
    """`Second rappel (2), 2 factures`: the level, and how many invoices when several."""
    if isinstance(one, Action):
        name, count = one.level_name, one.invoice_count
    else:
        name, count = one.name, len(one.invoices)
    words = level_name(one.level, name)
    if count > 1:
        words += ", " + french.counted(count, _("facture"), _("factures"))
    return words


def icon_channel(channel: str) -> str:
    """The name that the icons know a channel by."""
    return "registered" if channel == "registered_letter" else channel
