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
    Firm,
    FirmMembership,
    Membership,
    Organisation,
    User,
)

M = TypeVar("M", bound=Model)
EVERY_RIGHT = (DunningRole.ADMIN, BankRole.R3, CollectRole.FULL)
"""Of an accountant in the dossiers of his firm (D-24)."""


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

    def require_bank(self, role: BankRole) -> None:
        """PermissionDenied unless the bank role is at least `role` (D-22)."""
        if self.bank < role:
            raise PermissionDenied(role.label)

    @property
    def can_ask(self) -> bool:
        """May ask for receipts and judge the answers: his firm's people and the dossier's R3."""
        return self.bank >= BankRole.R3

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


def works_for(user: User, organisation: Organisation) -> bool:
    """He is one of the people of the firm that the dossier belongs to."""
    return (
        organisation.firm_id is not None
        and FirmMembership.objects.filter(user=user, firm=organisation.firm_id).exists()
    )


def _access(user: User, organisation: Organisation) -> Access:
    membership = Membership.objects.filter(organisation=organisation, user=user).first()
    if membership is None or works_for(user, organisation):
        return Access(user, organisation, *EVERY_RIGHT)
    return Access(
        user,
        organisation,
        DunningRole(membership.dunning_role),
        BankRole(membership.bank_role),
        CollectRole(membership.collect_role),
    )


@dataclass(frozen=True)
class FirmAccess:
    """What one accountant may do in his firm; `is_admin`: also its settings and its people."""

    user: User
    firm: Firm
    is_admin: bool

    @property
    def organisations(self) -> QuerySet[Organisation]:
        """The dossiers of the firm (D-24)."""
        return Organisation.objects.filter(firm=self.firm)

    def all(self, model: type[M]) -> QuerySet[M]:
        """The rows of every dossier of the firm; `model` has a field `organisation`."""
        return model._default_manager.filter(organisation__firm=self.firm)

    def get(self, model: type[M], **lookup: Any) -> M:
        """One of them; Http404 when there is none."""
        found = self.all(model).filter(**lookup).first()
        if found is None:
            raise Http404
        return found

    def require_admin(self) -> None:
        """PermissionDenied unless he looks after the firm itself."""
        if not self.is_admin:
            raise PermissionDenied("firm")


def firms_of(user: User) -> QuerySet[Firm]:
    """The firms that the user works for."""
    return Firm.objects.filter(memberships__user=user).order_by("name", "pk")


def open_firm(user: User, pk: int) -> FirmAccess:
    """The access of `user` to a firm; Http404 when he does not work there."""
    membership = FirmMembership.objects.select_related("firm").filter(user=user, firm_id=pk).first()
    if membership is None:
        raise Http404
    return FirmAccess(user, membership.firm, membership.is_admin)
