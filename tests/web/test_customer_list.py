"""The list of clients: what it finds, and what it costs."""

from typing import Any

import pytest
from django.test import Client

from relance.accounts.models import Organisation
from relance.dunning.daily.refreshing import refresh_all
from relance.dunning.models import Plan
from tests.conftest import NOW, TODAY, make_customer, make_invoice
from tests.web.record import D, days_ago


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"Dette", "Vide", "Sans plan"}),
        ("?etat=doivent", {"Dette"}),
        ("?etat=retard", {"Dette"}),
        ("?etat=sansplan", {"Sans plan"}),
        ("?plan=aucun", {"Sans plan"}),
        ("?etat=sansadresse", {"Vide"}),
        ("?q=DÉTTE", {"Dette"}),
        ("?q=%00&etat=zzz&plan=zzz", {"Dette", "Vide", "Sans plan"}),
    ],
)
def test_the_list_filters(
    camille: Client, organisation: Organisation, plan: Plan, query: str, expected: set[str]
) -> None:
    make_invoice(make_customer(organisation, plan, "Dette"), "F1", days_ago(12))
    make_customer(organisation, plan, "Vide", email="")
    make_customer(organisation, None, "Sans plan")

    text = camille.get(f"{D}/clients/{query}").content.decode()

    assert {name for name in ("Dette", "Vide", "Sans plan") if f"Cocher {name}" in text} == expected


def test_the_list_costs_the_same_whatever_its_length(
    camille: Client, organisation: Organisation, plan: Plan, django_assert_max_num_queries: Any
) -> None:
    for n in range(55):
        make_invoice(
            make_customer(organisation, plan, f"Client {n:02}", code=f"K{n}"), f"F{n}", days_ago(n)
        )

    with django_assert_max_num_queries(24):
        text = camille.get(f"{D}/clients/").content.decode()

    assert "1 à 50 sur 55" in text


@pytest.fixture
def debtors(organisation: Organisation, plan: Plan) -> Organisation:
    """Sixty clients who owe 1 to 60 €, every third of it not yet due, and five who owe nothing."""
    for n in range(1, 61):
        customer = make_customer(organisation, plan, f"Client {n:02}", code=f"K{n}")
        make_invoice(customer, f"F{n}", days_ago(-9 if n % 3 == 0 else n), 100 * n)
    for n in range(5):
        make_customer(organisation, plan, f"Rien {n}", code=f"R{n}")
    refresh_all(organisation, on=TODAY, now=NOW)
    return organisation


@pytest.mark.parametrize("column", ["du", "retard"])
@pytest.mark.parametrize("turned", ["", "-"])
def test_the_order_by_an_amount_runs_over_the_pages_and_ends_with_those_who_owe_nothing(
    camille: Client, debtors: Organisation, column: str, turned: str
) -> None:
    amounts: list[int] = []
    names: list[str] = []
    for page in (1, 2):
        rows = camille.get(f"{D}/clients/?tri={turned}{column}&page={page}").context["rows"]
        amounts += [row.owed if column == "du" else row.overdue for row in rows]
        names += [row.customer.name for row in rows]

    owing = [amount for amount in amounts if amount]
    assert len(owing) == (60 if column == "du" else 40)
    assert owing == sorted(owing, reverse=bool(turned))
    assert amounts[len(owing) :] == [0] * (65 - len(owing))
    assert len(set(names)) == 65
    assert names[-5:] == [f"Rien {n}" for n in range(5)]
