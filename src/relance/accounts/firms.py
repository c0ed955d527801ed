"""Firms (cabinets): founded, their people, and the dossiers they open, follow and let go (D-24).

A dossier that exists already joins a firm by the consent of its own administrator alone.
"""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from relance.accounts.models import (
    DunningRole,
    Firm,
    FirmMembership,
    FollowRequest,
    Membership,
    Organisation,
    User,
)
from relance.accounts.people import PeopleError, account_of, rights_in
from relance.accounts.services import found_organisation, new_organisation


@transaction.atomic
def found_firm(*, name: str, email: str, full_name: str) -> FirmMembership:
    """A firm and its first administrator. PeopleError: NO_NAME, BAD_ADDRESS."""
    user = account_of(email, full_name)
    firm = Firm.objects.create(name=_name(name))
    return FirmMembership.objects.create(firm=firm, user=user, is_admin=True)


@transaction.atomic
def found_company(*, name: str, email: str, full_name: str, siren: str = "") -> Membership:
    """The dossier of a company without accountant, and its first administrator, with every right.

    PeopleError: NO_NAME, BAD_ADDRESS.
    """
    owner = account_of(email, full_name)
    organisation = found_organisation(name=_name(name), owner=owner, siren=siren)
    return Membership.objects.get(organisation=organisation, user=owner)


@transaction.atomic
def new_dossier(*, firm: Firm, name: str, siren: str, actor: User | None) -> Organisation:
    """A dossier of the firm, whose people have every right in it.

    `actor` None: the command line. PeopleError: NOT_ADMIN, NO_NAME, or KNOWN when the firm has
    one of this name or SIREN.
    """
    if actor is not None:
        require_admin(firm, actor)
    Firm.objects.select_for_update().get(pk=firm.pk)  # the same form sent twice
    asked = _name(name)
    same = firm.organisations.filter(name__iexact=asked).first()
    same = same or (firm.organisations.filter(siren=siren).first() if siren else None)
    if same is not None:
        raise PeopleError(
            _("Le cabinet suit déjà ce dossier\u00a0: «\u00a0%(name)s\u00a0».")
            % {"name": same.name},
            "KNOWN",
        )
    return new_organisation(name=asked, firm=firm, siren=siren)


def require_admin(firm: Firm, actor: User) -> None:
    """PeopleError NOT_ADMIN unless `actor` looks after the firm itself."""
    if not FirmMembership.objects.filter(firm=firm, user=actor, is_admin=True).exists():
        raise PeopleError(_("Seul un administrateur du cabinet peut le faire."), "NOT_ADMIN")


@transaction.atomic
def add_accountant(
    *, firm: Firm, email: str, full_name: str, is_admin: bool, actor: User
) -> FirmMembership:
    """One more of the firm's people. PeopleError: NOT_ADMIN, BAD_ADDRESS, ALREADY_MEMBER."""
    require_admin(firm, actor)
    user = account_of(email, full_name)
    row, created = FirmMembership.objects.get_or_create(
        firm=firm, user=user, defaults={"is_admin": is_admin}
    )
    if not created:
        raise PeopleError(_("Cette personne fait déjà partie du cabinet."), "ALREADY_MEMBER")
    return row


@transaction.atomic
def set_accountant(*, member: FirmMembership, is_admin: bool, actor: User) -> None:
    """Make him an administrator of the firm, or not. PeopleError: NOT_ADMIN, LAST_ADMIN."""
    require_admin(member.firm, actor)
    if not is_admin:
        _keep_an_admin(member)
    FirmMembership.objects.filter(pk=member.pk).update(is_admin=is_admin)


@transaction.atomic
def remove_accountant(*, member: FirmMembership, actor: User) -> None:
    """He sees the firm and its dossiers no more. PeopleError: NOT_ADMIN, LAST_ADMIN."""
    require_admin(member.firm, actor)
    _keep_an_admin(member)
    member.delete()


def _keep_an_admin(member: FirmMembership) -> None:
    """The last administrator of a firm stays; one who never chose a password does not count."""
    rows = FirmMembership.objects.select_for_update().filter(
        firm=member.firm_id, is_admin=True, user__is_active=True
    )
    others = [row for row in rows.select_related("user") if row.pk != member.pk]
    if member.is_admin and not any(row.user.has_usable_password() for row in others):
        raise PeopleError(
            _("C’est le dernier administrateur du cabinet\u00a0: nommez-en un autre d’abord."),
            "LAST_ADMIN",
        )


@transaction.atomic
def ask_to_follow(
    *, firm: Firm, email: str, actor: User, now: datetime
) -> list[tuple[FollowRequest, User]]:
    """Ask the administrator with this address for the dossiers without firm that he looks after.

    The requests that are new, with whom to write to; nobody learns from it whether an address is
    known. PeopleError: NOT_ADMIN.
    """
    require_admin(firm, actor)
    rows = Membership.objects.filter(
        user__email=email.strip().lower(),
        user__is_active=True,
        dunning_role=DunningRole.ADMIN,
        organisation__firm__isnull=True,
    ).select_related("organisation", "user")
    made = []
    for row in rows:
        request, created = FollowRequest.objects.get_or_create(
            organisation=row.organisation,
            firm=firm,
            defaults={"made_by": actor, "made_at": now},
        )
        if created:
            made.append((request, row.user))
    return made


@transaction.atomic
def answer_follow(*, request: FollowRequest, accepted: bool, actor: User) -> Organisation:
    """The administrator of the dossier lets the firm in, or not. PeopleError: NOT_ADMIN, TAKEN."""
    organisation = Organisation.objects.select_for_update().get(pk=request.organisation_id)
    if rights_in(actor, organisation).dunning < DunningRole.ADMIN:
        raise PeopleError(_("Seul un administrateur du dossier peut répondre."), "NOT_ADMIN")
    if not FollowRequest.objects.filter(pk=request.pk).delete()[0]:
        raise PeopleError(_("Cette demande n’est plus en attente."), "OVER")
    if accepted:
        if organisation.firm_id is not None:
            raise PeopleError(_("Un cabinet suit déjà ce dossier."), "TAKEN")
        organisation.firm = request.firm
        organisation.save(update_fields=["firm"])
        FollowRequest.objects.filter(organisation=organisation).delete()
    return organisation


@transaction.atomic
def let_go(*, organisation: Organisation, actor: User) -> Firm:
    """The dossier leaves its firm, asked by an administrator of either; the firm it left.

    PeopleError: NOT_ADMIN, NO_FIRM, or LAST_ADMIN when nobody of the dossier could look after it.
    """
    locked = Organisation.objects.select_for_update().get(pk=organisation.pk)
    firm = locked.firm
    if firm is None:
        raise PeopleError(_("Aucun cabinet ne suit ce dossier."), "NO_FIRM")
    admins = [
        row.user
        for row in Membership.objects.filter(
            organisation=locked, dunning_role=DunningRole.ADMIN, user__is_active=True
        ).select_related("user")
    ]
    if actor not in admins:
        require_admin(firm, actor)
    outside = FirmMembership.objects.filter(firm=firm).values_list("user_id", flat=True)
    theirs = set(outside)
    if not any(one.has_usable_password() and one.pk not in theirs for one in admins):
        raise PeopleError(
            _(
                "Personne, hors du cabinet, n’administre encore ce dossier\u00a0: invitez d’abord "
                "un administrateur du client, et attendez qu’il ait choisi son mot de passe."
            ),
            "LAST_ADMIN",
        )
    locked.firm = None
    locked.save(update_fields=["firm"])
    return firm


def _name(text: str) -> str:
    name = " ".join(text.split())[:120]
    if not name:
        raise PeopleError(_("Donnez un nom."), "NO_NAME")
    return name
