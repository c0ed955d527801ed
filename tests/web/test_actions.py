"""Actions: whose they are, since when they wait, and which day they were due."""

from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client

from relance.accounts.models import DunningRole, Organisation, User
from relance.accounts.services import add_member
from relance.dunning.daily import run
from relance.dunning.models import Action, Plan, Step
from tests.conftest import TODAY, at, make_customer, make_invoice
from tests.web.morning import url


@pytest.fixture
def by_hand(plan: Plan) -> Plan:
    Step.objects.filter(plan=plan, level=2).update(automatic=False)
    return plan


@pytest.fixture
def three(organisation: Organisation, by_hand: Plan) -> list[Action]:
    """Due three days ago, yesterday and today: each opened by the pass of its own day."""
    for days, name in ((3, "Ancien"), (1, "Hier"), (0, "Neuf")):
        customer = make_customer(organisation, by_hand, name)
        make_invoice(customer, f"F-{name}", TODAY - timedelta(days=7 + days), 120_00)
    for days in (3, 1, 0):
        day = TODAY - timedelta(days=days)
        run.run(organisation, on=day, now=at(day), spread=False, pause=0)
    return list(Action.objects.order_by("due_on"))


def listed(client: Client, organisation: Organisation, query: str) -> str:
    answer = client.get(url("action_list", organisation) + query)
    assert answer.status_code == 200
    text = unescape(answer.content.decode())
    return text.split("list-table")[-1].split("</table>")[0] if "list-table" in text else ""


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("?vue=toutes&statut=open&echeance=aujourdhui", {"Neuf"}),
        ("?vue=toutes&statut=open&echeance=retard", {"Ancien", "Hier"}),
        (f"?vue=toutes&le={TODAY - timedelta(days=1)}", {"Hier"}),
        ("?vue=toutes&le=pas-une-date", {"Ancien", "Hier", "Neuf"}),
        ("?vue=toutes&statut=open&echeance=aujourdhui&q=neuf", {"Neuf"}),
        ("?vue=toutes&statut=open&echeance=aujourdhui&q=ancien", set()),
        ("?vue=toutes&type=email", {"Ancien", "Hier", "Neuf"}),
        ("?vue=toutes&type=call", set()),
    ],
)
def test_status_due_day_type_and_name_narrow_the_list_together(
    camille: Client, organisation: Organisation, three: list[Action], query: str, names: set[str]
) -> None:
    """S3-12: « À faire » and due today, searched by name, in the section Toutes."""
    text = listed(camille, organisation, query)
    assert {name for name in ("Ancien", "Hier", "Neuf") if name in text} == names


def test_each_says_since_when_and_who_should_have_done_it(
    camille: Client, organisation: Organisation, owner: User, three: list[Action]
) -> None:
    """S3-13: how long it has been pending, and its owners."""
    paul = User.objects.create_user("paul@kerdoncuff.example", "motdepasse1", full_name="Paul Yven")
    add_member(organisation=organisation, user=paul, dunning_role=DunningRole.ACCOUNT_MANAGER)
    three[0].owners.set([paul])
    text = listed(camille, organisation, "?vue=toutes&statut=open&q=ancien")
    assert "3\u00a0j" in text
    assert "Paul Yven" in text
    assert "Camille Le Goff" not in text
    mine = listed(camille, organisation, "")
    assert "Ancien" not in mine
    assert "Hier" in mine
    his = listed(camille, organisation, f"?vue=toutes&responsable={paul.pk}")
    assert "Ancien" in his
    assert "Hier" not in his


def test_a_change_of_facts_takes_it_off_the_list_with_its_reason(
    camille: Client, organisation: Organisation, three: list[Action]
) -> None:
    """S3-12: an action no longer wanted is found among the withdrawn, and says why."""
    action = three[0]
    camille.post(
        f"/d/ateliers-kerdoncuff/factures/{action.reference_id}/litige/",
        {"category": "Prix", "note": ""},
    )
    assert "Ancien" not in listed(camille, organisation, "?vue=toutes&statut=open")
    assert "Ancien" in listed(camille, organisation, "?vue=toutes&statut=withdrawn")
    detail = camille.get(f"/d/ateliers-kerdoncuff/actions/{action.pk}/").content.decode()
    assert "Retirée" in detail
    history = camille.get(
        f"/d/ateliers-kerdoncuff/clients/{action.customer_id}/?onglet=historique"
    ).content.decode()
    assert "Action retirée" in unescape(history)


def test_a_call_is_closed_with_what_was_said(
    camille: Client, organisation: Organisation, by_hand: Plan
) -> None:
    """Calls and tasks keep a note of their result, in the list and in the history."""
    Step.objects.filter(plan=by_hand, level=2).update(channel="call")
    customer = make_customer(organisation, by_hand, "Appelé")
    make_invoice(customer, "F-1", TODAY - timedelta(days=8))
    run.run(organisation, on=TODAY, now=at(TODAY), spread=False, pause=0)
    action = Action.objects.get()
    camille.post(
        f"/d/ateliers-kerdoncuff/actions/{action.pk}/fait/", {"note": "Chèque parti <hier>"}
    )
    action.refresh_from_db()
    assert (action.status, action.note) == ("done", "Chèque parti <hier>")
    history = camille.get(
        f"/d/ateliers-kerdoncuff/clients/{customer.pk}/?onglet=historique"
    ).content.decode()
    assert "Chèque parti &lt;hier&gt;" in history


def test_the_list_costs_the_same_for_one_line_and_for_fifty(
    camille: Client,
    organisation: Organisation,
    by_hand: Plan,
    django_assert_max_num_queries: Callable[[int], Any],
) -> None:
    for n in range(55):
        customer = make_customer(organisation, by_hand, f"Client {n:02}", code=f"C{n}")
        make_invoice(customer, f"F-{n}", TODAY - timedelta(days=8))
    run.run(organisation, on=TODAY, now=at(TODAY), spread=False, pause=0)
    with django_assert_max_num_queries(56):
        assert "Client 07" in listed(camille, organisation, "?vue=toutes&statut=open")


def test_a_reader_and_a_stranger(
    client: Client,
    organisation: Organisation,
    colleague: User,
    stranger: User,
    three: list[Action],
) -> None:
    client.force_login(colleague)
    assert "Ancien" in listed(client, organisation, "?vue=toutes")
    for deed in ("envoyer", "ignorer", "fait"):
        answer = client.post(f"/d/ateliers-kerdoncuff/actions/{three[0].pk}/{deed}/")
        assert answer.status_code == 403
    client.force_login(stranger)
    assert client.get(url("action_list", organisation)).status_code == 404
    assert client.get(f"/d/ailleurs/actions/{three[0].pk}/").status_code == 404
