"""Nobody raises rights roundabout: who may give what, over every pair of roles (D-22, S0-35)."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from relance.accounts.access import firms_of, open_firm, open_organisation
from relance.accounts.firms import add_accountant, found_company, found_firm, set_accountant
from relance.accounts.models import (
    BankRole,
    CollectRole,
    DunningRole,
    FirmMembership,
    Membership,
    Organisation,
    User,
)
from relance.accounts.people import PeopleError, Roles, add_person, rights_in, set_roles

ROLES = st.builds(
    Roles,
    st.sampled_from(DunningRole.values),
    st.sampled_from(BankRole.values),
    st.sampled_from(CollectRole.values),
)
DEEDS = st.lists(
    st.tuples(st.sampled_from(["invite", "change"]), st.integers(0, 4), st.integers(0, 4), ROLES),
    max_size=12,
)


class NobodyRises(TestCase):
    @settings(max_examples=60)
    @given(first=ROLES, second=ROLES, deeds=DEEDS)
    def test_whatever_they_do_nobody_gets_past_those_who_gave(
        self, first: Roles, second: Roles, deeds: list[tuple[str, int, int, Roles]]
    ) -> None:
        """Two members and whomever they invite, even at second addresses of their own: no ladder
        ever rises above the highest that an administrator among them had, and without an
        administrator nothing moves at all."""
        organisation = Organisation.objects.create(name="Dossier", slug="dossier")
        for number, roles in enumerate((first, second)):
            user = User.objects.create_user(f"u{number}@x.example", "motdepasse1")
            Membership.objects.create(
                organisation=organisation,
                user=user,
                dunning_role=roles.dunning,
                bank_role=roles.bank,
                collect_role=roles.collect,
            )
        before = _tops(organisation)
        for deed, who, whom, roles in deeds:
            people = list(User.objects.order_by("pk"))
            actor = people[who % len(people)]
            try:
                if deed == "invite":
                    email = f"n{User.objects.count()}@x.example"
                    add_person(
                        organisation=organisation,
                        email=email,
                        full_name="",
                        roles=roles,
                        actor=actor,
                    )
                else:
                    member = Membership.objects.get(user=people[whom % len(people)])
                    set_roles(member=member, roles=roles, actor=actor)
            except PeopleError:
                pass
        after = _tops(organisation)
        assert all(new <= old for new, old in zip(after, before, strict=True))
        assert Membership.objects.filter(dunning_role=DunningRole.ADMIN).exists() == (
            before.dunning == DunningRole.ADMIN
        )


def _tops(organisation: Organisation) -> Roles:
    """The highest of each ladder that anybody has there."""
    rows = Membership.objects.filter(organisation=organisation)
    every = list(rows.values_list("dunning_role", "bank_role", "collect_role"))
    return Roles(*(max(column) for column in zip(*every, strict=True)))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("theirs", "given"), list(product([0, 10, 20, 30, 40], [BankRole.R0, BankRole.R3]))
)
def test_only_administrators_invite_and_within_their_own_ladders(
    theirs: int, given: BankRole
) -> None:
    """An administrator at R0 of the bank does not invite his second address as R3."""
    organisation = Organisation.objects.create(name="Dossier", slug="dossier")
    actor = User.objects.create_user("a@x.example", "motdepasse1")
    Membership.objects.create(organisation=organisation, user=actor, dunning_role=theirs)
    code = "" if theirs == 40 and given == BankRole.R0 else "BEYOND_OWN"
    code = code if theirs == 40 else "NOT_ADMIN"

    def invite() -> None:
        add_person(
            organisation=organisation,
            email="moi@ailleurs.example",
            full_name="",
            roles=Roles(0, given, 0),
            actor=actor,
        )

    if not code:
        invite()
        return
    with pytest.raises(PeopleError) as refused:
        invite()
    assert refused.value.code == code
    assert not User.objects.filter(email="moi@ailleurs.example").exists()


@pytest.mark.django_db
def test_an_accountant_gives_every_right_in_a_dossier_and_none_in_his_firm() -> None:
    """D-24: with every right in the dossiers; the firm itself is its administrators'."""
    firm = found_firm(name="Cabinet", email="anne@c.example", full_name="Anne").firm
    anne = User.objects.get(email="anne@c.example")
    zoe = add_accountant(
        firm=firm, email="zoe@c.example", full_name="Zoé", is_admin=False, actor=anne
    )
    dossier = Organisation.objects.create(name="D", slug="d", firm=firm)
    assert rights_in(zoe.user, dossier) == Roles(40, 3, 3)
    for admin in (True, False):
        with pytest.raises(PeopleError, match="Seul un administrateur du cabinet"):
            add_accountant(
                firm=firm, email="x@c.example", full_name="", is_admin=admin, actor=zoe.user
            )
    with pytest.raises(PeopleError):
        set_accountant(member=zoe, is_admin=True, actor=zoe.user)
    assert not open_firm(zoe.user, firm.pk).is_admin
    elsewhere = found_firm(name="Autre", email="zoe@c.example", full_name="").firm
    assert open_firm(zoe.user, elsewhere.pk).is_admin
    with pytest.raises(PeopleError):
        set_accountant(member=zoe, is_admin=True, actor=zoe.user)
    assert set(firms_of(zoe.user)) == {firm, elsewhere}


@pytest.mark.django_db
def test_a_lesser_membership_does_not_narrow_the_people_of_the_firm() -> None:
    """D-24: who joined the dossier before his firm followed it works in it as the others do."""
    firm = found_firm(name="Cabinet", email="anne@c.example", full_name="Anne").firm
    anne = User.objects.get(email="anne@c.example")
    row = found_company(name="SARL", email="yann@s.example", full_name="Yann")
    Membership.objects.create(organisation=row.organisation, user=anne, dunning_role=10)
    assert not open_organisation(anne, "sarl").is_admin
    row.organisation.firm = firm
    row.organisation.save()
    assert open_organisation(anne, "sarl").is_admin
    FirmMembership.objects.all().delete()
    assert not open_organisation(anne, "sarl").is_admin
