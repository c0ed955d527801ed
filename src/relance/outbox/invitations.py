"""A person is invited into a dossier or a firm: his account, what the journal says, the mail."""

from datetime import date, datetime

from django.conf import settings
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import override

from relance.accounts.firms import add_accountant, require_admin
from relance.accounts.models import Firm, FirmMembership, Membership, Organisation, User
from relance.accounts.people import (
    LIFE,
    Roles,
    add_person,
    invitation_token,
    remove_member,
    set_roles,
)
from relance.history.services import Fact, append
from relance.outbox.models import Notice
from relance.outbox.notices import Sheet, write_down

KIND = "invitation"


@transaction.atomic
def invite(
    *,
    organisation: Organisation,
    email: str,
    full_name: str,
    roles: Roles,
    actor: User,
    on: date,
    now: datetime,
) -> Membership:
    """Add the person and queue the mail; PeopleError as `add_person`."""
    member = add_person(
        organisation=organisation, email=email, full_name=full_name, roles=roles, actor=actor
    )
    data = {"user": member.user.email, "roles": list(roles)}
    append(organisation, [Fact("member_invited", now, on, data=data, actor=actor)])
    send_invitation(member=member, actor=actor, on=on, now=now)
    return member


@transaction.atomic
def send_invitation(*, member: Membership, actor: User, on: date, now: datetime) -> None:
    """Write the mail, again when it was written before: a new link, the old one stays good."""
    _write(
        member.user,
        place=member.organisation.name,
        organisation=member.organisation,
        actor=actor,
        on=on,
        now=now,
    )


def link_for(user: User, *, now: datetime) -> str:
    """Where a person invited begins: choosing a password, or the door when he has one."""
    if user.has_usable_password():
        return str(settings.PUBLIC_URL + reverse("home"))
    token = invitation_token(user, now=now)
    return str(settings.PUBLIC_URL + reverse("invitation", args=[token]))


@transaction.atomic
def invite_accountant(
    *,
    firm: Firm,
    email: str,
    full_name: str,
    is_admin: bool,
    actor: User,
    on: date,
    now: datetime,
) -> FirmMembership:
    """One more of the firm's people, who gets a mail; PeopleError as `add_accountant`."""
    member = add_accountant(
        firm=firm, email=email, full_name=full_name, is_admin=is_admin, actor=actor
    )
    send_accountant(member=member, actor=actor, on=on, now=now)
    return member


@transaction.atomic
def send_accountant(*, member: FirmMembership, actor: User, on: date, now: datetime) -> None:
    """Write the mail of a firm, again when it was written before. PeopleError: NOT_ADMIN."""
    require_admin(member.firm, actor)
    _write(member.user, place=member.firm.name, organisation=None, actor=actor, on=on, now=now)


def _write(
    user: User,
    *,
    place: str,
    organisation: Organisation | None,
    actor: User,
    on: date,
    now: datetime,
) -> None:
    """Queue the mail that lets `user` into a dossier; into a firm when it is None."""
    Notice.objects.filter(organisation=organisation, user=user, kind=KIND).delete()
    with override(user.language):
        context = {
            "actor": actor,
            "place": place,
            "of_firm": organisation is None,
            "link": link_for(user, now=now),
            "is_new": not user.has_usable_password(),
            "days": LIFE.days,
        }
        subject = _("%(actor)s vous invite dans %(dossier)s") % {"actor": actor, "dossier": place}
        sheet = Sheet(
            subject,
            render_to_string("outbox/invitation_mail.txt", context).strip() + "\n",
            render_to_string("outbox/invitation_mail.html", context),
        )
    write_down(
        organisation=organisation,
        user=user,
        kind=KIND,
        on=on,
        sheet=sheet,
        unsubscribe="",
        useful_until=now + LIFE,
        now=now,
    )


@transaction.atomic
def change_roles(*, member: Membership, roles: Roles, actor: User, on: date, now: datetime) -> None:
    """Give other roles and tell the journal; PeopleError as `set_roles`."""
    before = set_roles(member=member, roles=roles, actor=actor)
    if before != roles:
        data = {"user": member.user.email, "roles": list(roles), "before": list(before)}
        fact = Fact("member_roles", now, on, data=data, actor=actor)
        append(member.organisation, [fact])


@transaction.atomic
def dismiss(*, member: Membership, actor: User, on: date, now: datetime) -> None:
    """Take him out and tell the journal; PeopleError as `remove_member`."""
    data = {"user": member.user.email}
    append(member.organisation, [Fact("member_removed", now, on, data=data, actor=actor)])
    remove_member(member=member)
