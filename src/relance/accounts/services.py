"""Verbs of accounts: found an organisation, add a member."""

from django.db import transaction
from django.utils.text import slugify

from relance.accounts.models import (
    BankRole,
    CollectRole,
    DunningRole,
    Membership,
    Organisation,
    User,
)


def new_organisation(*, name: str, **fields: object) -> Organisation:
    """An organisation without any member yet; the slug is made unique."""
    stem = slugify(name)[:50] or "dossier"
    slug, n = stem, 1
    while Organisation.objects.filter(slug=slug).exists():
        n += 1
        slug = f"{stem}-{n}"
    fields.setdefault("by_hand_modes", ["direct_debit"])
    return Organisation.objects.create(name=name, slug=slug, **fields)


@transaction.atomic
def found_organisation(*, name: str, owner: User, **fields: object) -> Organisation:
    """A new organisation with `owner` as its administrator; the slug is made unique."""
    organisation = new_organisation(name=name, **fields)
    add_member(
        organisation=organisation,
        user=owner,
        dunning_role=DunningRole.ADMIN,
        bank_role=BankRole.R3,
        collect_role=CollectRole.FULL,
    )
    return organisation


def add_member(
    *, organisation: Organisation, user: User, dunning_role: DunningRole, **roles: int
) -> Membership:
    """Give `user` these roles in the organisation, replacing those he had."""
    membership, _created = Membership.objects.update_or_create(
        organisation=organisation,
        user=user,
        defaults={"dunning_role": dunning_role, **roles},
    )
    return membership
