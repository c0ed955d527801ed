"""Ordered rules give customers their plan; what a person chose stays."""

import io
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.base import File
from django.db import connection
from django.test.utils import CaptureQueriesContext

from relance.accounts.models import Organisation, User
from relance.dunning.models import Assignment, Outlook, Plan, PlanRule
from relance.dunning.plans import arrivals, rules
from relance.dunning.services import Refused, assign_plan
from relance.dunning.services.plans import delete_plan
from relance.history.models import Event
from relance.ledger import imports
from relance.ledger.models import Contact, Customer
from tests.conftest import NOW, TODAY, make_customer, make_invoice

WHEN: dict[str, Any] = {"on": TODAY, "now": NOW}


@pytest.fixture
def gentle(organisation: Organisation) -> Plan:
    return Plan.objects.create(organisation=organisation, name="Doux")


def rule(plan: Plan, owner: User, *conditions: tuple[str, str, Any]) -> PlanRule:
    asked = [rules.Condition(field=f, op=op, value=value) for f, op, value in conditions]
    return rules.save_rule(PlanRule(), plan=plan, conditions=asked, actor=owner, **WHEN)


def plans(organisation: Organisation) -> dict[str, tuple[str, str]]:
    rows = Assignment.objects.filter(organisation=organisation).select_related("plan", "customer")
    return {row.customer.name: (row.plan.name, row.given_by) for row in rows}


def apply(organisation: Organisation, owner: User) -> rules.Applied:
    return rules.apply_rules(organisation, actor=owner, **WHEN)


def test_the_first_rule_that_fits_wins(
    organisation: Organisation, plan: Plan, gentle: Plan, owner: User
) -> None:
    make_customer(organisation, None, "Mairie", code="PUB1", regime="public")
    make_customer(organisation, None, "Garage", code="GAR1")
    rule(gentle, owner, ("regime", "is", "public"))
    rule(plan, owner)
    rule(gentle, owner, ("code", "starts", ["GAR"]))

    assert apply(organisation, owner) == (2, 0)

    # the rule for all the others stays last, so GAR1 gets the gentle one
    assert plans(organisation) == {"Mairie": ("Doux", "rule"), "Garage": ("Doux", "rule")}
    assert [(r.position, r.plan.name) for r in rules.rules_of(organisation)] == [
        (1, "Doux"),
        (2, "Doux"),
        (3, "Standard"),
    ]


@pytest.mark.parametrize(
    ("condition", "fits"),
    [
        (("code", "starts", ["bre-", "XX"]), True),
        (("code", "starts", ["75"]), False),
        (("name", "contains", ["ecole"]), True),
        (("city", "is", ["évry", "Brest"]), True),
        (("city", "is", ["Brest"]), False),
        (("postcode", "starts", ["91"]), True),
        (("postcode", "starts", ["2A"]), False),
        (("country", "is", ["fr", "BE"]), True),
        (("country", "is", ["BE"]), False),
        (("regime", "is", "public"), True),
        (("regime", "is", "consumer"), False),
        (("language", "is", "fr"), True),
        (("manager", "is", 0), True),
        (("mode", "is", "cheque"), True),
        (("mode", "is", "direct_debit"), False),
        (("contact", "is", "present"), True),
        (("contact", "is", "absent"), False),
        (("balance", "at_least", 150_00), True),
        (("balance", "at_least", 150_01), False),
        (("balance", "below", 150_01), True),
        (("balance", "below", 150_00), False),
    ],
)
def test_each_condition_asks_one_thing(
    organisation: Organisation,
    plan: Plan,
    owner: User,
    condition: tuple[str, str, Any],
    fits: bool,
) -> None:
    customer = make_customer(
        organisation,
        None,
        "École Jules-Ferry",
        code="BRE-12",
        city="ÉVRY",
        postcode="91000",
        regime="public",
    )
    customer.search = "ecole jules ferry bre 12"
    customer.save()
    make_invoice(customer, "F1", TODAY, 100_00, mode="cheque")
    make_invoice(customer, "F2", TODAY, 50_00)
    make_invoice(customer, "F3", TODAY, 999_00, balance_cents=0, mode="direct_debit")
    rule(plan, owner, condition)

    apply(organisation, owner)

    assert Assignment.objects.exists() is fits


@pytest.mark.parametrize(
    ("postcode", "fits"), [("20090", True), ("20137", True), ("20200", False), ("20600", False)]
)
def test_southern_corsica_is_2a(
    organisation: Organisation, plan: Plan, owner: User, postcode: str, fits: bool
) -> None:
    make_customer(organisation, None, postcode=postcode)
    rule(plan, owner, ("postcode", "starts", ["2a"]))

    apply(organisation, owner)

    assert Assignment.objects.exists() is fits


def test_a_contact_whose_address_was_refused_is_no_address(
    organisation: Organisation, plan: Plan, owner: User
) -> None:
    customer = make_customer(organisation, None, email="")
    contact = Contact.objects.create(
        organisation=organisation, customer=customer, name="Anne", email="anne@delmas.example"
    )
    first = rule(plan, owner, ("contact", "is", "absent"))
    assert rules.fits(organisation, [first]) == [(0, 0)]

    contact.invalid_since = TODAY
    contact.save()
    assert rules.fits(organisation, [first]) == [(1, 1)]


def test_all_conditions_of_a_rule_must_hold(
    organisation: Organisation, plan: Plan, owner: User
) -> None:
    make_customer(organisation, None, "Mairie de Brest", code="A", city="Brest", regime="public")
    make_customer(organisation, None, "Garage de Brest", code="B", city="Brest")
    rule(plan, owner, ("city", "is", ["Brest"]), ("regime", "is", "public"))

    apply(organisation, owner)

    assert list(plans(organisation)) == ["Mairie de Brest"]


def test_what_a_person_chose_stays(
    organisation: Organisation, plan: Plan, gentle: Plan, owner: User
) -> None:
    """By hand, and 'no plan' by hand."""
    hand = make_customer(organisation, None, "Main", code="M")
    none = make_customer(organisation, gentle, "Sans", code="S")
    make_customer(organisation, None, "Autre", code="A")
    assign_plan(organisation, customers=[hand], plan=gentle, actor=owner, **WHEN)
    assign_plan(organisation, customers=[none], plan=None, actor=owner, **WHEN)
    everybody = rule(plan, owner)

    assert rules.fits(organisation, [everybody]) == [(1, 1)]
    assert apply(organisation, owner) == (1, 2)
    assert plans(organisation) == {
        "Main": ("Doux", "hand"),
        "Autre": ("Standard", "rule"),
    }
    kept = rules.kept_by_hand(organisation)
    assert [one.name for one in kept] == ["Main", "Sans"]


def test_what_a_person_chooses_while_the_rules_are_applied_stays(
    organisation: Organisation,
    plan: Plan,
    gentle: Plan,
    owner: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Thousands are read first and written by chunks: a choice made in between is a choice."""
    customer = make_customer(organisation, None, "Garage", code="GAR1")
    rule(plan, owner)
    known = rules._wanted

    def wanted(*of: Any) -> Any:
        found = known(*of)
        assign_plan(organisation, customers=[customer], plan=gentle, actor=owner, **WHEN)
        return found

    monkeypatch.setattr(rules, "_wanted", wanted)

    assert apply(organisation, owner) == (0, 1)
    assert plans(organisation) == {"Garage": ("Doux", "hand")}


def test_applying_twice_changes_nothing_more_and_the_journal_says_which_rule(
    organisation: Organisation, plan: Plan, owner: User
) -> None:
    customer = make_customer(organisation, None)
    make_invoice(customer, "F1", TODAY - timedelta(days=3))
    rule(plan, owner)

    assert apply(organisation, owner).changed == 1
    assert apply(organisation, owner).changed == 0

    event = Event.objects.get(kind="plan_assigned")
    assert (event.customer_id, event.data["plan"], event.data["rule"]) == (
        customer.pk,
        "Standard",
        1,
    )
    assert Outlook.objects.get(customer=customer).next_level == 2


def test_a_rule_that_no_longer_fits_leaves_what_it_gave(
    organisation: Organisation, plan: Plan, owner: User
) -> None:
    make_customer(organisation, None, city="Brest")
    made = rule(plan, owner, ("city", "is", ["Brest"]))
    apply(organisation, owner)
    rules.delete_rule(made, actor=owner, **WHEN)

    apply(organisation, owner)

    assert plans(organisation) == {"Pharmacie Delmas": ("Standard", "rule")}
    assert Assignment.objects.get().rule is None


def test_rules_are_moved_and_renumbered(
    organisation: Organisation, plan: Plan, gentle: Plan, owner: User
) -> None:
    a = rule(plan, owner, ("country", "is", ["FR"]))
    b = rule(gentle, owner, ("country", "is", ["FR"]))
    make_customer(organisation, None)

    rules.move_rule(b, up=True, actor=owner, **WHEN)
    rules.move_rule(b, up=True, actor=owner, **WHEN)

    assert [one.pk for one in rules.rules_of(organisation)] == [b.pk, a.pk]
    apply(organisation, owner)
    assert plans(organisation) == {"Pharmacie Delmas": ("Doux", "rule")}
    rules.delete_rule(b, actor=owner, **WHEN)
    assert [one.position for one in rules.rules_of(organisation)] == [1]


def test_a_plan_that_a_rule_gives_is_not_deleted(plan: Plan, owner: User) -> None:
    rule(plan, owner)
    with pytest.raises(Refused, match="Une règle donne ce plan"):
        delete_plan(plan, actor=owner, **WHEN)


def test_many_customers_cost_as_many_questions_as_few(
    organisation: Organisation, plan: Plan, gentle: Plan, owner: User
) -> None:
    rule(gentle, owner, ("code", "starts", ["1"]))
    rule(plan, owner, ("balance", "below", 1))

    def questions(first: int, count: int) -> int:
        Customer.objects.bulk_create(
            Customer(organisation=organisation, code=f"{n}", name=f"Client {n}", search=f"{n}")
            for n in range(first, first + count)
        )
        with CaptureQueriesContext(
            connection,
        ) as asked:
            apply(organisation, owner)
        return len([one for one in asked if one["sql"].lstrip("( ").startswith("SELECT")])

    assert questions(100, 3) == questions(1000, 300)


def test_an_import_gives_new_customers_the_plan_of_their_rule(
    organisation: Organisation, owner: User, plan: Plan, gentle: Plan
) -> None:
    """The balance of a customer is known at the end of the file only."""
    plan.is_default = True
    plan.save()
    rule(gentle, owner, ("balance", "at_least", 200_00))
    due = f"{TODAY - timedelta(days=7):%d/%m/%Y}"
    head = "N° facture;Client;Code client;Date;Échéance;Total TTC;Reste dû"
    lines = [
        f"F-1;Delmas;DEL;01/10/2026;{due};120,00;120,00",
        f"F-2;Petit;PET;01/10/2026;{due};90,00;90,00",
        f"F-3;Delmas;DEL;01/10/2026;{due};120,00;120,00",
    ]
    upload = imports.store_upload(
        organisation=organisation,
        content=File(io.BytesIO("\n".join([head, *lines]).encode()), name="ventes.csv"),
        filename="ventes.csv",
        now=NOW,
        actor=owner,
    )
    settings = imports.settings_of(upload.options, TODAY)
    proposed = imports.propose_mapping(upload, imports.table_of(upload, settings), TODAY)
    imports.choose_mapping(
        imported=upload, columns=dict(proposed.columns), settings=proposed.settings
    )

    arrivals.run_import(upload.pk, NOW)

    assert plans(organisation) == {"Delmas": ("Doux", "rule"), "Petit": ("Standard", "import")}


def test_applying_goes_on_chunk_by_chunk(
    organisation: Organisation, plan: Plan, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "CHUNK", 2)
    for n in range(5):
        make_customer(organisation, None, f"Client {n}", code=f"C{n}")
    rule(plan, owner)

    assert apply(organisation, owner).changed == 5

    assert Assignment.objects.filter(plan=plan, given_by="rule").count() == 5
    assert Event.objects.filter(kind="plan_assigned").count() == 5
    assert Event.objects.get(kind="plan_rules_applied").data == {"changed": 5, "kept": 0}
