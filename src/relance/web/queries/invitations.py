"""What became of the invitations of a dossier or of a firm, for the lists of its people."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.utils import timezone
from django.utils.translation import gettext as _

from relance.accounts.models import Firm, FirmMembership, Membership, Organisation, User
from relance.outbox.invitations import KIND, link_for
from relance.outbox.models import Notice
from relance.web import french


class Invitation(NamedTuple):
    """`kind` is that of a status; `link` is what an administrator may hand over himself."""

    kind: str
    words: str
    link: str = ""


def invitations(
    people: Sequence[User], place: Organisation | Firm, *, now: datetime, with_links: bool
) -> dict[int, Invitation]:
    """By key of those who have no password yet, in one query; three when a mail did not leave.

    The link is a password to choose: it is not given for somebody who is invited elsewhere too,
    so that nobody enters a place that is not his through it.
    """
    waiting = {one.pk: one for one in people if not one.has_usable_password()}
    of = place if isinstance(place, Organisation) else None
    rows = Notice.objects.filter(organisation=of, user__in=waiting, kind=KIND).order_by("pk")
    latest = {row.user_id: row for row in rows.defer("text", "html")}
    found = {key: _state(latest.get(key), now) for key in waiting}
    stuck = [key for key, one in found.items() if one.kind == "error"]
    if stuck and with_links:
        for key in set(stuck) - _elsewhere(stuck, place):
            found[key] = found[key]._replace(link=link_for(waiting[key], now=now))
    return found


def _elsewhere(keys: Sequence[int], place: Organisation | Firm) -> set[int]:
    dossiers = Membership.objects.filter(user__in=keys)
    firms = FirmMembership.objects.filter(user__in=keys)
    if isinstance(place, Organisation):
        dossiers = dossiers.exclude(organisation=place)
    else:
        firms = firms.exclude(firm=place)
    return {*dossiers.values_list("user_id", flat=True), *firms.values_list("user_id", flat=True)}


def _state(notice: Notice | None, now: datetime) -> Invitation:
    if notice is None:  # forgotten after two months
        return Invitation("paused", _("Invitation envoyée"))
    if notice.sent_at is not None:
        day = french.date_text(timezone.localtime(notice.sent_at).date())
        return Invitation("paused", _("Invitation envoyée le %(day)s") % {"day": day})
    if not notice.error and notice.useful_until > now:
        return Invitation("info", _("Invitation\u00a0: part dans un instant"))
    return Invitation("error", _why(notice))


def _why(notice: Notice) -> str:
    if not notice.error:
        return _("Invitation\u00a0: n’est pas partie à temps")
    if notice.handed_at is None and not notice.attempts:  # nothing was tried on it
        return _("Invitation\u00a0: n’est pas partie, le serveur d’envoi ne répond pas")
    return _("Invitation\u00a0: n’est pas partie (%(error)s)") % {"error": notice.error[:200]}
