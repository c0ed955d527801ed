"""The one guarded way to fetch anything: an `Access` is a person inside one organisation.

Pages, API and commands never build a queryset of data from a model's manager: they ask an
access for it, so that another organisation's row is simply not there (a 404, never a 403).
"""

from dataclasses import dataclass
from typing import Any, TypeVar

from django.core.exceptions import PermissionDenied
from django.db.models import Model, Q, QuerySet
from django.http import Http404

from relance.accounts.models import (
    BankRole,
    CollectRole,
    DunningRole,
    Membership,
    Organisation,
    User,
)

M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Access:
    """What one user may do in one organisation."""

    user: User
    organisation: Organisation
    dunning: DunningRole
    bank: BankRole
    collect: CollectRole

    def all(self, model: type[M]) -> QuerySet[M]:
        """The rows of this organisation; `model` has a field `organisation`."""
        return model._default_manager.filter(organisation=self.organisation)

    def get(self, model: type[M], **lookup: Any) -> M:
        """One row of this organisation; Http404 when there is none."""
        found = self.all(model).filter(**lookup).first()
        if found is None:
            raise Http404
        return found

    def require(self, role: DunningRole) -> None:
        """PermissionDenied unless the dunning role is at least `role`."""
        if self.dunning < role:
            raise PermissionDenied(role.label)

    @property
    def can_write(self) -> bool:
        """True from account manager on; a reader sees everything and changes nothing."""
        return self.dunning >= DunningRole.ACCOUNT_MANAGER

    @property
    def is_admin(self) -> bool:
        """True for those who manage plans, owners and settings."""
        return self.dunning >= DunningRole.ADMIN


def organisations_of(user: User) -> QuerySet[Organisation]:
    """Every organisation that the user may open: as a member, or through his firm (D-24)."""
    return (
        Organisation.objects.filter(Q(memberships__user=user) | Q(firm__memberships__user=user))
        .distinct()
        .order_by("name")
    )


def open_organisation(user: User, slug: str, *, at_least: DunningRole = DunningRole.READ) -> Access:
    """The access of `user` to the organisation called `slug`.

    Http404 when the organisation does not exist or is not his (nobody learns which);
    PermissionDenied when he belongs there with a lesser role than `at_least`.
    """
    organisation = organisations_of(user).filter(slug=slug).first()
    if organisation is None:
        raise Http404
    access = _access(user, organisation)
    access.require(at_least)
    return access


def _access(user: User, organisation: Organisation) -> Access:
    membership = Membership.objects.filter(organisation=organisation, user=user).first()
    if membership is None:  # through the firm: an accountant works with every right
        return Access(user, organisation, DunningRole.ADMIN, BankRole.R3, CollectRole.FULL)
    return Access(
        user,
        organisation,
        DunningRole(membership.dunning_role),
        BankRole(membership.bank_role),
        CollectRole(membership.collect_role),
    )
