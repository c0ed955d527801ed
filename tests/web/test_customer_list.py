"""The list of clients: what it finds, and what it costs."""

from typing import Any

import pytest
from django.test import Client

from relance.accounts.models import Organisation
from relance.dunning.models import Plan
from tests.conftest import make_customer, make_invoice
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

    with django_assert_max_num_queries(28):
        text = camille.get(f"{D}/clients/").content.decode()

    assert "1 à 50 sur 55" in text
