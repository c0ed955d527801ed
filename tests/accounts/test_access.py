"""The one guarded way in: an owner, a colleague with fewer rights, a stranger, a firm."""

from datetime import date

import pytest
from django.core.exceptions import PermissionDenied
from django.http import Http404

from relance.accounts.access import open_organisation, organisations_of
from relance.accounts.models import DunningRole, Firm, FirmMembership, Organisation, User
from relance.accounts.services import add_member, found_organisation
from relance.ledger.models import Customer, Invoice
from tests.conftest import make_customer, make_invoice


def test_an_owner_reads_and_writes_his_own_rows_only(
    organisation: Organisation, owner: User, stranger: User
) -> None:
    mine = make_customer(organisation, None)
    elsewhere = organisations_of(stranger).get()
    theirs = make_invoice(make_customer(elsewhere, None, "Autre"), "F-9", date(2026, 11, 1))
    access = open_organisation(owner, organisation.slug)
    assert access.is_admin
    assert access.can_write
    assert list(access.all(Customer)) == [mine]
    with pytest.raises(Http404):
        access.get(Invoice, pk=theirs.pk)


def test_a_colleague_who_reads_may_not_write(organisation: Organisation, colleague: User) -> None:
    access = open_organisation(colleague, organisation.slug)
    assert not access.can_write
    with pytest.raises(PermissionDenied):
        open_organisation(colleague, organisation.slug, at_least=DunningRole.ACCOUNT_MANAGER)


@pytest.mark.parametrize("slug", ["ateliers-kerdoncuff", "nowhere"])
def test_a_stranger_cannot_tell_a_foreign_dossier_from_none(
    organisation: Organisation, stranger: User, slug: str
) -> None:
    with pytest.raises(Http404):
        open_organisation(stranger, slug)


def test_a_member_without_any_role_is_refused(organisation: Organisation, stranger: User) -> None:
    add_member(organisation=organisation, user=stranger, dunning_role=DunningRole.NONE)
    with pytest.raises(PermissionDenied):
        open_organisation(stranger, organisation.slug)


def test_an_accountant_opens_every_dossier_of_the_firm(
    organisation: Organisation, db: None
) -> None:
    """D-24: a cabinet sees all its dossiers."""
    firm = Firm.objects.create(name="Cabinet Morvan")
    organisation.firm = firm
    organisation.save()
    accountant = User.objects.create_user("a@morvan.example", "motdepasse1")
    FirmMembership.objects.create(firm=firm, user=accountant)
    assert list(organisations_of(accountant)) == [organisation]
    assert open_organisation(accountant, organisation.slug).is_admin


def test_two_dossiers_of_one_name_have_two_addresses(owner: User) -> None:
    first = found_organisation(name="Café de la Poste", owner=owner)
    second = found_organisation(name="Café de la Poste", owner=owner)
    assert (first.slug, second.slug) == ("cafe-de-la-poste", "cafe-de-la-poste-2")


def test_an_address_logs_in_whatever_its_case(db: None) -> None:
    user = User.objects.create_user("Camille@Kerdoncuff.example", "motdepasse1")
    assert User.objects.get_by_natural_key("CAMILLE@kerdoncuff.EXAMPLE") == user
