"""Who belongs to a dossier and with which roles (D-22): change, remove, invite.

Nobody raises his own rights, and somebody stays who can look after the dossier.
"""

import hashlib
from datetime import datetime, timedelta
from typing import NamedTuple

from django.core import signing
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils.translation import gettext as _

from relance.accounts.access import EVERY_RIGHT, works_for
from relance.accounts.models import (
    BankRole,
    CollectRole,
    DunningRole,
    FirmMembership,
    Membership,
    Organisation,
    User,
)

LIFE = timedelta(days=14)
_SALT = "accounts.invitation"


class PeopleError(Exception):
    """It was not done; the French sentence says why, `code` names it."""

    def __init__(self, sentence: str, code: str) -> None:
        super().__init__(sentence)
        self.code = code


class Roles(NamedTuple):
    """The three ladders of a member: unpaid invoices, Banque, collection of documents."""

    dunning: int = DunningRole.NONE
    bank: int = BankRole.R0
    collect: int = CollectRole.NONE


def roles_of(member: Membership) -> Roles:
    """Those he has now."""
    return Roles(member.dunning_role, member.bank_role, member.collect_role)


def rights_in(user: User, organisation: Organisation) -> Roles:
    """What a person may do in a dossier: everything for the people of its firm (D-24)."""
    if works_for(user, organisation):
        return Roles(*EVERY_RIGHT)
    member = Membership.objects.filter(user=user, organisation=organisation).first()
    return roles_of(member) if member else Roles()


def _within(own: Roles, before: Roles, wanted: Roles) -> None:
    """Nobody hands out what he has not, not even to a second address of his own."""
    ladders = zip(own, before, wanted, strict=True)
    if any(new > max(mine, old) for mine, old, new in ladders):
        raise PeopleError(
            _("Personne ne donne plus de droits qu’il n’en a\u00a0: demandez-le à qui les a."),
            "BEYOND_OWN",
        )


@transaction.atomic
def set_roles(*, member: Membership, roles: Roles, actor: User) -> Roles:
    """Give these roles instead; those he had. PeopleError: NOT_ADMIN, OWN_RIGHTS, BEYOND_OWN
    (more than `actor` has himself) or LAST_ADMIN.
    """
    own = _looked_after_by(actor, member.organisation)
    locked = Membership.objects.select_for_update().get(pk=member.pk)
    before = roles_of(locked)
    if locked.user_id == actor.pk and any(
        new > old for new, old in zip(roles, before, strict=True)
    ):
        raise PeopleError(
            _(
                "Personne n’augmente ses propres droits\u00a0: demandez-le à un autre "
                "administrateur."
            ),
            "OWN_RIGHTS",
        )
    _within(own, before, roles)
    if roles.dunning < DunningRole.ADMIN:
        _keep_an_admin(locked)
    locked.dunning_role, locked.bank_role, locked.collect_role = roles
    locked.save(update_fields=["dunning_role", "bank_role", "collect_role"])
    return before


def _looked_after_by(actor: User, organisation: Organisation) -> Roles:
    """The rights of `actor`, who must be an administrator there."""
    own = rights_in(actor, organisation)
    if own.dunning < DunningRole.ADMIN:
        raise PeopleError(
            _("Seul un administrateur du dossier change les rôles et invite."), "NOT_ADMIN"
        )
    return own


@transaction.atomic
def remove_member(*, member: Membership) -> None:
    """He does not see this dossier any more; his past deeds keep his name. LAST_ADMIN."""
    locked = Membership.objects.select_for_update().get(pk=member.pk)
    _keep_an_admin(locked)
    locked.delete()


def _keep_an_admin(member: Membership) -> None:
    """The last administrator stays, unless the firm's people look after the dossier (D-24)."""
    if member.dunning_role < DunningRole.ADMIN:
        return
    others = (
        Membership.objects.select_for_update()
        .filter(
            organisation=member.organisation_id,
            dunning_role=DunningRole.ADMIN,
            user__is_active=True,
        )
        .exclude(pk=member.pk)
    )
    firm = FirmMembership.objects.filter(
        firm__organisations=member.organisation_id, user__is_active=True
    )
    if not others.exists() and not firm.exists():
        raise PeopleError(
            _("C’est le dernier administrateur du dossier\u00a0: nommez-en un autre d’abord."),
            "LAST_ADMIN",
        )


@transaction.atomic
def account_of(email: str, full_name: str) -> User:
    """The user of an address; someone unknown gets an account that a password opens later.

    PeopleError: BAD_ADDRESS.
    """
    address = email.strip().lower()
    try:
        validate_email(address)
    except ValidationError:
        raise PeopleError(
            _("«\u00a0%(address)s\u00a0» n’est pas une adresse e-mail.")
            % {"address": email.strip()[:80]},
            "BAD_ADDRESS",
        ) from None
    user = User.objects.filter(email=address).first()
    name = " ".join(full_name.split())[:120]
    return user or User.objects.create_user(address, None, full_name=name)


@transaction.atomic
def add_person(
    *, organisation: Organisation, email: str, full_name: str, roles: Roles, actor: User
) -> Membership:
    """A member with these roles, invited by `actor`.

    PeopleError: NOT_ADMIN, BEYOND_OWN (more than `actor` has himself), BAD_ADDRESS,
    ALREADY_MEMBER, or OF_THE_FIRM (he has every right already).
    """
    _within(_looked_after_by(actor, organisation), Roles(), roles)
    user = account_of(email, full_name)
    if works_for(user, organisation):
        raise PeopleError(
            _("Cette personne travaille au cabinet\u00a0: elle a déjà accès au dossier."),
            "OF_THE_FIRM",
        )
    member, created = Membership.objects.get_or_create(
        organisation=organisation,
        user=user,
        defaults={
            "dunning_role": roles.dunning,
            "bank_role": roles.bank,
            "collect_role": roles.collect,
        },
    )
    if not created:
        raise PeopleError(_("Cette personne fait déjà partie du dossier."), "ALREADY_MEMBER")
    return member


def invitation_token(user: User, *, now: datetime) -> str:
    """Good for fourteen days and until a password is chosen; it opens this account alone."""
    until = int((now + LIFE).timestamp())
    return signing.dumps([user.pk, _state(user), until], salt=_SALT, compress=True)


def invited(token: str, *, now: datetime) -> User | None:
    """Whom a token invites now; None when it is not ours, has ended or was used."""
    try:
        key, state, until = signing.loads(token, salt=_SALT)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    user = User.objects.filter(pk=key, is_active=True).first()
    if user is None or _state(user) != state or now.timestamp() >= until:
        return None
    return user


def accept_invitation(
    user: User, *, password: str, full_name: str, wants_receipt_mails: bool
) -> None:
    """He chooses his password and name, and says whether requests may reach him (S0-14)."""
    user.set_password(password)
    user.full_name = " ".join(full_name.split())[:120]
    user.save(update_fields=["password", "full_name"])
    Membership.objects.filter(user=user).update(wants_receipt_mails=wants_receipt_mails)


def want_receipt_mails(*, organisation: Organisation, user: User, wanted: bool) -> None:
    """His own choice for this dossier, nobody else's (S0-14)."""
    Membership.objects.filter(organisation=organisation, user=user).update(
        wants_receipt_mails=wanted
    )


def _state(user: User) -> str:
    """Changes with the password, so that a token serves once."""
    return hashlib.sha256(f"{user.pk} {user.password}".encode()).hexdigest()[:16]
