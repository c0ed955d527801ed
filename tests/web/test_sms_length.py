"""What an SMS costs is shown while one writes it, with an offer to write it plainer (B4)."""

from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client

from relance.dunning.models import Template
from relance.ledger.models import Customer
from tests.conftest import TODAY, make_invoice

D = "/d/ateliers-kerdoncuff/modeles/"


@pytest.fixture
def late(customer: Customer) -> Customer:
    make_invoice(customer, "F-1", TODAY - timedelta(days=20))
    return customer


def typed(body: str) -> dict[str, Any]:
    return {"name": "Rappel", "channel": "sms", "language": "fr", "subject": "x", "body": body}


def words(answer: Any) -> str:
    return " ".join(unescape(answer.content.decode()).split())


def sheet(camille: Client, body: str) -> str:
    answer = camille.post(f"{D}apercu/", typed(body), headers={"HX-Request": "true"})
    return words(answer)


def test_the_parts_are_counted_as_they_will_be_paid(camille: Client, late: Customer) -> None:
    """With the names filled in, and our amounts' no-break spaces made plain."""
    page = sheet(camille, "Il reste {{ montant }}.")
    assert "1 SMS, 19 signes" in page
    assert "141 signes restent avant un deuxième." in page
    assert "signes simples" not in page
    page = sheet(camille, "a" * 161)
    assert "2 SMS, 161 signes" in page
    assert "Il part entier, et compte 2 fois chez l’opérateur." in page


def test_signs_that_cost_a_part_are_named_and_may_be_replaced(
    camille: Client, late: Customer
) -> None:
    body = "L’échéance est passée : réglez dès que possible. " + "a" * 60
    page = sheet(camille, body)
    assert "2 SMS, 109 signes" in page
    assert "à cause de ’" in page
    assert "Écrire avec des signes simples" in page
    answer = words(camille.post(f"{D}nouveau/", typed(body) | {"plainer": "1"}))
    assert "L'échéance est passée" in answer
    assert "1 SMS, 109 signes" in answer
    assert Template.objects.filter(name="Rappel", channel="sms").count() == 0
