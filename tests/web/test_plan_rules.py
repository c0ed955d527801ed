"""Rules that give plans: tried, ordered, applied, by an administrator; read by the others."""

from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from relance.accounts.models import Organisation, User
from relance.dunning.models import Assignment, Plan, PlanRule
from relance.dunning.plans import rules
from relance.ledger.models import Customer
from tests.conftest import NOW, TODAY, make_customer, make_invoice
from tests.web.test_plans import D, words


@pytest.fixture
def gentle(organisation: Organisation) -> Plan:
    return Plan.objects.create(organisation=organisation, name="Doux")


@pytest.fixture
def brest(organisation: Organisation, plan: Plan) -> PlanRule:
    condition = {"field": "city", "op": "is", "value": ["Brest"]}
    return PlanRule.objects.create(
        organisation=organisation, position=1, plan=plan, conditions=[condition]
    )


def post(client: Client, path: str, **data: Any) -> Any:
    return client.post(f"{D}/plans/regles/{path}", data)


def test_without_a_rule_the_page_says_how_plans_are_given(camille: Client, plan: Plan) -> None:
    text = words(camille.get(f"{D}/plans/regles/"))

    assert "Aucune règle encore" in text
    assert "Nouvelle règle" in text
    assert "Règles d’affectation" in words(camille.get(f"{D}/plans/"))


def test_a_rule_is_tried_before_it_is_kept(
    camille: Client, organisation: Organisation, plan: Plan
) -> None:
    """“Cette règle donnerait ce plan à n clients”."""
    for n in range(3):
        make_customer(organisation, None, f"Client {n}", code=f"C{n}", city="Brest")

    make_customer(organisation, plan, "Choisi", code="M", city="Brest")
    text = words(post(camille, "essai/", plan=plan.pk, city="brest, Quimper"))

    assert "1 autre client y répond, mais son plan a été choisi à la main." in text
    assert "Cette règle donnerait le plan Standard à 3\xa0clients" in text
    assert "dont 3 en changeraient." in text
    assert "Client 0, Client 1, Client 2" in text
    assert not PlanRule.objects.exists()
    assert "donnerait" not in words(post(camille, "essai/", plan="", city="Brest"))


def test_a_rule_is_added_read_back_and_changed(
    camille: Client, plan: Plan, gentle: Plan, owner: User
) -> None:
    answer = post(
        camille,
        "",
        plan=plan.pk,
        code="BRE, ; FIN ,",
        regime="public",
        manager=owner.pk,
        owed_from="1500.5",
        contact="absent",
    )
    assert answer.status_code == 302
    made = PlanRule.objects.get()
    assert made.conditions == [
        {"field": "code", "op": "starts", "value": ["BRE", "FIN"]},
        {"field": "regime", "op": "is", "value": "public"},
        {"field": "manager", "op": "is", "value": owner.pk},
        {"field": "contact", "op": "is", "value": "absent"},
        {"field": "balance", "op": "at_least", "value": 150050},
    ]

    text = words(camille.get(f"{D}/plans/regles/{made.pk}/"))
    assert "code client commençant par BRE ou FIN" in text
    assert "responsable\xa0: Camille Le Goff" in text
    assert "doit au moins 1\u202f500,50\xa0€" in text
    assert 'value="BRE, FIN"' in text
    assert 'value="1500.50"' in text

    post(camille, f"{made.pk}/", plan=gentle.pk, city="Brest")
    made.refresh_from_db()
    assert (made.plan, made.conditions) == (
        gentle,
        [{"field": "city", "op": "is", "value": ["Brest"]}],
    )


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"country": "France"}, "deux lettres"),
        ({"plan": "999999"}, "Sélectionnez un choix valide"),
        ({"owed_from": "beaucoup"}, "nombre"),
        ({"owed_from": "-1"}, "supérieure ou égale à 0"),
        ({"regime": "roi"}, "roi"),
        ({"manager": "999999"}, "999999"),
        ({"name": "n" * 3000}, "au plus 200"),
    ],
)
def test_what_cannot_be_a_rule_is_said_at_its_place(
    camille: Client, plan: Plan, typed: dict[str, str], said: str
) -> None:
    assert said in words(post(camille, "", **{"plan": plan.pk, **typed}))
    assert not PlanRule.objects.exists()
    assert words(post(camille, "essai/", **{"plan": plan.pk, **typed}))


def test_rules_are_moved_by_buttons_and_deleted(
    camille: Client, organisation: Organisation, brest: PlanRule, gentle: Plan
) -> None:
    second = PlanRule.objects.create(organisation=organisation, position=2, plan=gentle)
    assert "Monter la règle 2" in words(camille.get(f"{D}/plans/regles/"))

    post(camille, f"{second.pk}/place/", way="up")
    assert [rule.pk for rule in rules.rules_of(organisation)] == [second.pk, brest.pk]

    post(camille, f"{second.pk}/supprimer/")
    assert [(rule.pk, rule.position) for rule in rules.rules_of(organisation)] == [(brest.pk, 1)]


def test_the_page_says_what_applying_would_do_and_does_it(
    camille: Client, organisation: Organisation, brest: PlanRule, plan: Plan, gentle: Plan
) -> None:
    """A plan chosen by hand stays and is shown (S2-10)."""
    for code in ("A", "B"):
        make_customer(organisation, None, f"Client {code}", code=code, city="Brest")
    make_customer(organisation, gentle, "Choisi", code="C", city="Brest")

    before = words(camille.get(f"{D}/plans/regles/"))
    assert "2\xa0clients changeraient de plan" in before
    assert "1\xa0choix fait à la main reste" in before
    assert "Client A" in words(camille.get(f"{D}/plans/regles/{brest.pk}/clients/"))
    kept = words(camille.get(f"{D}/plans/regles/a-la-main/"))
    assert "Choisi" in kept
    assert "Client A" not in kept

    post(camille, "appliquer/")

    assert Assignment.objects.filter(plan=plan, given_by="rule", rule=brest).count() == 2
    assert Assignment.objects.get(customer__name="Choisi").plan == gentle
    assert "Chaque client a déjà le plan de sa règle." in words(camille.get(f"{D}/plans/regles/"))


def test_the_page_costs_the_same_with_many_rules_and_customers(
    camille: Client,
    organisation: Organisation,
    plan: Plan,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for n in range(30):
        condition = {"field": "code", "op": "starts", "value": [str(n)]}
        PlanRule.objects.create(
            organisation=organisation, position=n + 1, plan=plan, conditions=[condition]
        )
        make_invoice(
            make_customer(organisation, None, f"Client {n}", code=f"{n}-x"), f"F{n}", TODAY
        )

    with django_assert_max_num_queries(23):
        camille.get(f"{D}/plans/regles/")


def test_names_in_rules_are_never_markup(camille: Client, plan: Plan) -> None:
    name = "<script>alert(1)</script>"
    post(camille, "", plan=plan.pk, city=name)
    assert b"<script>alert" not in camille.get(f"{D}/plans/regles/").content


def test_a_reader_sees_the_rules_and_changes_nothing(
    client: Client, colleague: User, brest: PlanRule, customer: Customer
) -> None:
    client.force_login(colleague)

    text = words(client.get(f"{D}/plans/regles/"))
    assert "ville\xa0: Brest" in text
    assert "Seul un administrateur peut les changer." in text
    assert "Appliquer les règles" not in text
    assert words(client.get(f"{D}/plans/regles/{brest.pk}/clients/"))
    for path in ("", "essai/", "appliquer/", f"{brest.pk}/", f"{brest.pk}/place/"):
        assert post(client, path, plan=brest.plan_id).status_code == 403
    assert post(client, f"{brest.pk}/supprimer/").status_code == 403
    assert PlanRule.objects.count() == 1


def test_a_stranger_finds_no_rule(client: Client, stranger: User, brest: PlanRule) -> None:
    client.force_login(stranger)

    assert client.get(f"{D}/plans/regles/").status_code == 404
    for path in (f"{brest.pk}/", f"{brest.pk}/clients/"):
        assert client.get(f"/d/ailleurs/plans/regles/{path}").status_code == 404
    data = {"rule": brest.pk, "plan": brest.plan_id}
    assert client.post("/d/ailleurs/plans/regles/essai/", data).status_code == 404
    client.post("/d/ailleurs/plans/regles/", {"plan": brest.plan_id})
    assert PlanRule.objects.get() == brest


def test_the_client_says_who_gave_him_his_plan(
    camille: Client, organisation: Organisation, brest: PlanRule, gentle: Plan, owner: User
) -> None:
    """S2-10: assigned from the side panel; a rule, a hand, an import, each is named."""
    customer = make_customer(organisation, None, city="Brest")
    panel = f"{D}/clients/?client={customer.pk}"
    definition = f"{D}/clients/{customer.pk}/?onglet=definition"

    def says(sentence: str) -> bool:
        return all(sentence in words(camille.get(page)) for page in (panel, definition))

    post(camille, "appliquer/")
    assert says("Donné par la règle 1 (ville\xa0: Brest).")
    assert "Standard, par la règle 1" in words(camille.get(panel))

    rules.delete_rule(brest, actor=owner, on=TODAY, now=NOW)
    assert says("Donné par une règle supprimée depuis.")

    camille.post(f"{D}/clients/{customer.pk}/plan/", {"plan": gentle.pk, "liste": "1"})
    assert Assignment.objects.get().plan == gentle
    assert says("Choisi à la main")

    Assignment.objects.update(given_by="import")
    assert says("Donné à l’import")
