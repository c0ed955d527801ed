"""Changes to many from the list of clients and from the dashboard: seen before, done, undone."""

from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client

from relance.accounts.models import DunningRole, Organisation, User
from relance.accounts.services import add_member
from relance.dunning.daily import run
from relance.dunning.models import Action, Assignment, Batch, Plan
from relance.history.models import Event
from relance.ledger.models import Customer
from tests.conftest import NOW, TODAY, make_customer, make_invoice
from tests.web.record import D, days_ago

CLIENTS = f"{D}/modifications/clients/"
INVOICES = f"{D}/modifications/factures/"


def text_of(answer: Any) -> str:
    return unescape(answer.content.decode()).replace("\xa0", " ").replace("\u202f", " ")


@pytest.fixture
def three(organisation: Organisation, plan: Plan) -> list[Customer]:
    """Two without a plan, one who follows Standard."""
    return [
        make_customer(organisation, None, "Armor"),
        make_customer(organisation, None, "Bihan"),
        make_customer(organisation, plan, "Crozon"),
    ]


def plans() -> dict[str, str]:
    return dict(Assignment.objects.values_list("customer__name", "plan__name"))


def test_the_ticked_clients_get_a_plan_after_it_was_shown(
    camille: Client, plan: Plan, three: list[Customer]
) -> None:
    """S2-10 for many: who changes, who has it already, then one click."""
    form = {"client": [one.pk for one in three], "quoi": "plan"}
    asked = text_of(camille.post(CLIENTS, form))
    assert "Choisissez la nouvelle valeur" in asked
    assert "Modifier</button>" not in asked

    shown = text_of(camille.post(CLIENTS, {**form, "valeur": plan.pk, "faire": "prevoir"}))
    assert "2 clients : plan Standard." in shown
    assert "1 est déjà ainsi." in shown
    assert plans() == {"Crozon": "Standard"}

    done = camille.post(CLIENTS, {**form, "valeur": plan.pk, "faire": "appliquer"}, follow=True)
    assert plans() == {"Armor": "Standard", "Bihan": "Standard", "Crozon": "Standard"}
    assert "2 clients modifiés" in text_of(done)
    assert "Défaire" in text_of(done)


def test_all_the_clients_of_the_list_are_meant_when_asked(
    camille: Client, organisation: Organisation, plan: Plan, three: list[Customer]
) -> None:
    """Thousands, not only the fifty of the page: the filters say who."""
    for n in range(60):
        make_customer(organisation, None, f"Zoé {n:02}", code=f"Z{n}")
    form = {"tous": "1", "retour": "?etat=sansplan", "quoi": "plan", "valeur": plan.pk}

    shown = text_of(camille.post(CLIENTS, form))
    assert "62 clients : plan Standard." in shown
    camille.post(CLIENTS, {**form, "faire": "appliquer"})

    assert Assignment.objects.count() == 63


def test_one_click_takes_it_back_and_leaves_what_was_changed_since(
    camille: Client, organisation: Organisation, plan: Plan, three: list[Customer]
) -> None:
    form = {"client": [one.pk for one in three], "quoi": "plan", "valeur": plan.pk}
    camille.post(CLIENTS, {**form, "faire": "appliquer"})
    batch = Batch.objects.get()
    other = Plan.objects.create(organisation=organisation, name="Doux")
    camille.post(f"{D}/clients/{three[1].pk}/plan/", {"plan": other.pk})

    answer = camille.post(f"{D}/modifications/{batch.pk}/defaire/", follow=True)

    assert plans() == {"Bihan": "Doux", "Crozon": "Standard"}
    assert "1 client" in text_of(answer)
    assert "Modifié depuis par quelqu’un : laissé tel quel." in text_of(answer)
    again = camille.post(f"{D}/modifications/{batch.pk}/defaire/", follow=True)
    assert "déjà défaite" in text_of(again)
    assert plans() == {"Bihan": "Doux", "Crozon": "Standard"}


@pytest.mark.parametrize(
    ("deed", "value", "field", "expected"),
    [
        ("hold", "2026-12-01", "hold_until", "2026-12-01"),
        ("exclude", "", "excluded", "True"),
    ],
)
def test_many_are_held_or_excluded(
    camille: Client,
    three: list[Customer],
    deed: str,
    value: str,
    field: str,
    expected: str,
) -> None:
    form = {"client": [three[0].pk], "quoi": deed, "valeur": value, "faire": "appliquer"}
    camille.post(CLIENTS, form)

    assert str(getattr(Customer.objects.get(pk=three[0].pk), field)) == expected
    back = {"hold": "release", "exclude": "include"}[deed]
    camille.post(CLIENTS, {"client": [three[0].pk], "quoi": back, "faire": "appliquer"})
    assert getattr(Customer.objects.get(pk=three[0].pk), field) in (None, False)


@pytest.mark.parametrize("value", ["2026-11-01", "demain", ""])
def test_a_day_that_cannot_be_is_said_and_nothing_changes(
    camille: Client, three: list[Customer], value: str
) -> None:
    form = {"client": [three[0].pk], "quoi": "hold", "valeur": value, "faire": "appliquer"}

    answer = camille.post(CLIENTS, form)

    assert answer.status_code == 200
    assert not Batch.objects.exists()
    assert "déjà passée" in text_of(answer) or "errorlist" in text_of(answer)


def test_a_new_manager_takes_over_the_open_actions(
    camille: Client, organisation: Organisation, plan: Plan, owner: User
) -> None:
    """S3-08: said before, done with the change; S3-11 stays for single actions."""
    lea = User.objects.create_user("lea@kerdoncuff.example", "x", full_name="Léa Kervella")
    add_member(organisation=organisation, user=lea, dunning_role=DunningRole.ACCOUNT_MANAGER)
    customer = make_customer(organisation, plan, email="")
    make_invoice(customer, "F1", days_ago(7))
    run.run(organisation, on=TODAY, now=NOW)
    form = {"client": [customer.pk], "quoi": "manager", "valeur": lea.pk}

    shown = text_of(camille.post(CLIENTS, form))
    assert "Leurs actions ouvertes lui reviennent aussitôt." in shown
    camille.post(CLIENTS, {**form, "faire": "appliquer"})

    assert list(Action.objects.get(customer=customer).owners.all()) == [lea]
    listed = text_of(camille.get(f"{D}/clients/?charge={lea.pk}"))
    assert "Cocher Pharmacie Delmas" in listed


def test_the_manager_of_one_client_is_chosen_on_his_page(
    camille: Client, organisation: Organisation, plan: Plan, owner: User
) -> None:
    lea = User.objects.create_user("lea@kerdoncuff.example", "x", full_name="Léa Kervella")
    add_member(organisation=organisation, user=lea, dunning_role=DunningRole.ACCOUNT_MANAGER)
    customer = make_customer(organisation, plan, email="")
    make_invoice(customer, "F1", days_ago(7))
    run.run(organisation, on=TODAY, now=NOW)
    tab = f"{D}/clients/{customer.pk}/"
    assert "Léa Kervella" in text_of(camille.get(f"{tab}?onglet=definition"))

    form = {"name": customer.name, "country": "FR", "regime": "unknown", "language": "fr"}
    answer = camille.post(f"{tab}definition/", {**form, "manager": lea.pk}, follow=True)

    assert list(Action.objects.get(customer=customer).owners.all()) == [lea]
    assert "1 action ouverte revient à Léa Kervella." in text_of(answer)


def test_ticked_invoices_leave_their_plan_together(
    camille: Client, organisation: Organisation, plan: Plan
) -> None:
    """S2-12 for several invoices, of several clients; the paid one is left and said."""
    first = make_invoice(make_customer(organisation, plan, "Armor"), "F1", days_ago(9))
    second = make_invoice(make_customer(organisation, plan, "Bihan"), "F2", days_ago(9))
    paid = make_invoice(first.customer, "F3", days_ago(9), balance_cents=0)
    ticked = {"cochee": [first.pk, second.pk, paid.pk], "quoi": "plan_off"}

    shown = text_of(camille.post(INVOICES, ticked))
    assert "2 factures : plan de relance désactivé." in shown
    assert "1 facture réglée : rien à changer." in shown
    camille.post(INVOICES, {**ticked, "faire": "appliquer"})

    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.plan_on, second.plan_on) == (False, False)
    assert Event.objects.filter(kind="plan_switched").count() == 2
    batch = Batch.objects.get()
    camille.post(f"{D}/modifications/{batch.pk}/defaire/")
    first.refresh_from_db()
    assert first.plan_on is True


def test_the_menu_of_ticked_invoices_offers_what_can_be_done_to_them(
    camille: Client, organisation: Organisation, plan: Plan
) -> None:
    """Several clients may be ticked here: only a message needs one client (S2-08)."""
    first = make_invoice(make_customer(organisation, plan, "Armor"), "F1", days_ago(9))
    second = make_invoice(make_customer(organisation, plan, "Bihan"), "F2", days_ago(9))

    text = text_of(
        camille.get(
            f"{D}/tableau-de-bord/selection/",
            {"cochee": [first.pk, second.pk]},
            headers={
                "HX-Request": "true",
                "HX-Current-URL": f"http://testserver{D}/tableau-de-bord/?etat=retard",
            },
        )
    )

    assert 'name="retour" value="?etat=retard"' in text
    for label in ("Écrire une campagne", "Désactiver le plan", "Mettre en attente"):
        assert label in text


def test_invoices_of_the_whole_list_are_held(
    camille: Client, organisation: Organisation, plan: Plan
) -> None:
    customer = make_customer(organisation, plan)
    late = make_invoice(customer, "F1", days_ago(9))
    coming = make_invoice(customer, "F2", TODAY + timedelta(days=9))
    form = {"toutes": "1", "retour": "?etat=retard", "quoi": "invoice_hold"}

    camille.post(INVOICES, {**form, "valeur": "2026-12-01", "faire": "appliquer"})

    late.refresh_from_db()
    coming.refresh_from_db()
    assert (str(late.hold_until), coming.hold_until) == ("2026-12-01", None)


@pytest.mark.parametrize(
    "form",
    [
        {"quoi": "plan"},
        {"client": ["x", "9" * 40], "quoi": "plan"},
        {"client": ["1"], "quoi": "tout-effacer"},
    ],
)
def test_nothing_ticked_or_nothing_meant_is_told_on_the_list(
    camille: Client, three: list[Customer], form: dict[str, Any]
) -> None:
    if form.get("client") == ["1"]:
        form = {**form, "client": [three[0].pk]}

    answer = camille.post(CLIENTS, form, follow=True)

    assert "Cochez au moins une ligne." in text_of(answer) or "doit changer" in text_of(answer)
    assert not Batch.objects.exists()


def test_a_reader_sees_what_was_done_and_may_not_do_it(
    camille: Client, client: Client, plan: Plan, colleague: User, three: list[Customer]
) -> None:
    form = {"client": [three[0].pk], "quoi": "plan", "valeur": plan.pk, "faire": "appliquer"}
    camille.post(CLIENTS, form)
    batch = Batch.objects.get()
    client.force_login(colleague)

    page = client.get(f"{D}/modifications/{batch.pk}/")

    assert "Lecture seule" in text_of(page)
    assert client.post(CLIENTS, form).status_code == 403
    assert client.post(INVOICES, form).status_code == 403
    assert client.post(f"{D}/modifications/{batch.pk}/defaire/").status_code == 403


def test_a_stranger_reaches_neither_clients_nor_changes(
    client: Client, stranger: User, owner: User, plan: Plan, three: list[Customer]
) -> None:
    client.force_login(owner)
    form = {"client": [three[0].pk], "quoi": "exclude", "faire": "appliquer"}
    client.post(CLIENTS, form)
    batch = Batch.objects.get()
    client.force_login(stranger)

    assert client.post(CLIENTS, form).status_code == 404
    assert client.get(f"/d/ailleurs/modifications/{batch.pk}/").status_code == 404
    assert client.post(f"/d/ailleurs/modifications/{batch.pk}/defaire/").status_code == 404
    client.post("/d/ailleurs/modifications/clients/", {**form, "client": [three[1].pk]})
    assert not Customer.objects.get(pk=three[1].pk).excluded
