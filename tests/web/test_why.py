"""The answer to Pourquoi ? on the page of a client, for any date (A1, S3-24, S3-26)."""

from datetime import date, timedelta

import pytest
from django.test import Client

from relance.accounts.models import Organisation, User
from relance.dunning.models import Entry, Plan
from relance.ledger.models import Contact, Customer
from tests.conftest import TODAY, make_invoice
from tests.web.record import D, days_ago, freeze, page


def test_why_says_what_holds_a_step_back_and_when_it_leaves(
    camille: Client, organisation: Organisation, customer: Customer, plan: Plan, owner: User
) -> None:
    """S3-22, S3-24, S3-25: J+10 wanted the 23rd, a contact on the 20th, five days."""
    invoice = make_invoice(customer, "F1", date(2026, 11, 13), 2000_00)
    Entry.objects.create(
        organisation=organisation,
        customer=customer,
        on=date(2026, 11, 20),
        kind="sent",
        plan=plan,
        reference=invoice,
        level=2,
        by_run=True,
    )

    text = page(camille, customer)

    assert "Rien n’est parti aujourd’hui" in text
    assert "cinq jours doivent séparer deux messages" in text
    assert "«\u00a0Dernier rappel\u00a0(3)\u00a0» partira demain à 08:30." in text
    assert "F1 est la facture porteuse" in text
    assert "Délai minimum de contact" in text
    assert "MIN_CONTACT_DELAY 25/11" in text
    assert "Laisser faire" in text
    assert "Le niveau 3 glissera au" in text
    assert "Changer le plan Standard" in text
    assert "J+12 ou DMC de 3\u00a0j" in text


def test_why_never_denies_a_relance_that_a_person_sent_the_same_day(
    camille: Client, organisation: Organisation, customer: Customer, plan: Plan
) -> None:
    """S3-26, D-18: a message by hand is a contact and no step, so only the plan sent nothing."""
    invoice = make_invoice(customer, "F1", date(2026, 11, 13), 2000_00)
    Entry.objects.create(
        organisation=organisation, customer=customer, on=TODAY, kind="ad_hoc", reference=invoice
    )

    text = page(camille, customer)

    assert "Rien n’est parti" not in text
    assert "Le plan n’a rien envoyé aujourd’hui" in text


def test_why_never_calls_a_working_day_a_day_off(
    camille: Client, customer: Customer, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ready on Friday the 20th, asked on Saturday: Saturday is the day off."""
    make_invoice(customer, "F1", date(2026, 11, 13), 2000_00)
    freeze(monkeypatch, date(2026, 11, 21))

    text = page(camille, customer).replace("\u00a0", " ")

    assert "Samedi 21 novembre n’est pas un jour ouvré" in text
    assert "Vendredi 20 novembre n’est pas" not in text


def test_why_does_not_promise_a_departure_without_recipient(
    camille: Client, customer: Customer, plan: Plan
) -> None:
    """S3-14, S4-25: the coming step falls to a person."""
    Customer.objects.update(email="")
    Contact.objects.all().delete()
    make_invoice(customer, "F1", TODAY - timedelta(days=1), 2000_00)

    text = page(camille, customer)

    assert "Second rappel\u00a0(2)\u00a0» sera à faire" in text
    assert "Second rappel\u00a0(2)\u00a0» partira" not in text


@pytest.mark.parametrize(
    "day", ["2020-02-29", "2026-11-22", "2027-06-01", "2099-12-31", "rien", "0001-01-01"]
)
def test_why_answers_for_any_day(camille: Client, customer: Customer, day: str) -> None:
    make_invoice(customer, "F1", days_ago(12))

    text = page(camille, customer, f"?le={day}")

    assert "Que faire" in text


def test_why_of_a_day_to_come_supposes_nothing_is_paid(camille: Client, customer: Customer) -> None:
    make_invoice(customer, "F1", date(2026, 12, 10), 700_00)

    text = page(camille, customer, "?le=2026-12-07")

    assert "partira" in text
    assert "Si rien n’est réglé d’ici là." in text


def test_the_stepper_fetches_the_reason_alone(camille: Client, customer: Customer) -> None:
    answer = camille.get(
        f"{D}/clients/{customer.pk}/?le=2026-11-20",
        headers={"HX-Request": "true", "HX-Target": "reason"},
    )

    assert "<html" not in answer.content.decode()
    assert "20" in answer.content.decode()
