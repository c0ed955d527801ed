"""`{{ penalites }}`, `{{ indemnite }}`, `{{ total_avec_penalites }}` in the words of a message."""

from datetime import date, timedelta
from typing import Any

import pytest

from relance.accounts.models import Organisation, User
from relance.dunning.daily import run
from relance.dunning.models import Plan, Template
from relance.dunning.services.writing import preview_to
from relance.dunning.wording import templating
from relance.dunning.wording.messages import Words
from relance.ledger.models import Customer
from relance.outbox.models import Message, Status
from tests.conftest import NOW, TODAY, at, make_customer, make_invoice

BODY = (
    "Bonjour,\n\nVous restez devoir {{ montant }}.\nPénalités : {{ penalites }}\n"
    "Indemnité : {{ indemnite }}\nTotal : {{ total_avec_penalites }}\n\n{{ signature }}"
)
DUE = date(2026, 5, 31)


def written(
    customer: Customer, owner: User, on: date = date(2026, 11, 21), body: str = BODY
) -> str:
    draft = preview_to(
        customer,
        invoices=list(customer.invoices.all()),
        words=Words("Relance", body),
        actor=owner,
        on=on,
        now=NOW,
    )
    return draft.text.replace("\u00a0", " ").replace("\u202f", " ")


@pytest.fixture
def late(customer: Customer) -> Customer:
    Customer.objects.update(regime="business")
    make_invoice(customer, "F-7", DUE, 3600_00)
    customer.refresh_from_db()
    return customer


def test_the_amounts_of_the_law_stand_where_the_template_asks_for_them(
    late: Customer, owner: User
) -> None:
    """Example 7, to the cent."""
    text = written(late, owner)
    assert "Pénalités : 212,06 €\nIndemnité : 40,00 €\nTotal : 3 852,06 €" in text


def test_they_are_optional_and_cost_nothing_where_nobody_asks(
    late: Customer, owner: User, django_assert_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relance.dunning.facts.legal.statements", None)
    assert "212,06" not in written(late, owner, body="Vous devez {{ montant }}.")


def test_a_consumer_is_never_asked_for_an_indemnity_and_its_line_is_left_out(
    late: Customer, owner: User
) -> None:
    """CPCE L111-8: not 0,00 €, not a hole in a sentence: the line is not there."""
    Customer.objects.update(regime="consumer")
    text = written(late, owner)
    assert "Indemnité" not in text
    assert "Pénalités" not in text  # no mise en demeure was received
    assert "Total : 3 600,00 €" in text


def test_an_unknown_regime_leaves_all_of_it_out(late: Customer, owner: User) -> None:
    """D-26."""
    Customer.objects.update(regime="unknown")
    text = written(late, owner)
    assert "Vous restez devoir 3 600,00 €." in text
    for words in ("Pénalités", "Indemnité", "Total"):
        assert words not in text


def test_a_paragraph_that_says_nothing_else_leaves_no_gap(late: Customer, owner: User) -> None:
    Customer.objects.update(regime="unknown")
    body = "Bonjour,\n\nPénalités de {{ penalites }}.\n\n{{ signature }}"
    assert written(late, owner, body=body) == "Bonjour,\n\nCamille Le Goff\n"


def test_a_missing_rate_holds_an_automatic_message_for_a_person_without_any_hole(
    organisation: Organisation, plan: Plan, template: Template
) -> None:
    """The rate of 2027 S1 is not known: nothing wrong is written, nothing leaves by itself."""
    Template.objects.update(body=BODY)
    customer = make_customer(organisation, plan, regime="business")
    due = date(2027, 1, 4)
    make_invoice(customer, "F-1", due)
    on = due + timedelta(days=7)
    run.run(organisation, on=on, now=at(on), spread=False, pause=0)
    message = Message.objects.get()
    assert (message.status, message.reason) == (Status.TO_APPROVE, "MISSING_RATE")
    assert "Pénalités" not in message.text
    assert "Total" not in message.text


def test_many_messages_count_their_amounts_in_the_queries_of_one(
    organisation: Organisation, plan: Plan, django_assert_max_num_queries: Any
) -> None:
    Template.objects.update(body=BODY)
    for n in range(20):
        customer = make_customer(organisation, plan, f"Client {n}", regime="business")
        make_invoice(customer, f"F-{n}", TODAY - timedelta(days=8))
    with django_assert_max_num_queries(75):
        run.run(organisation, on=TODAY, now=at(TODAY), spread=False, pause=0)
    assert Message.objects.filter(text__contains="Indemnité : 40,00").count() == 20


def test_the_names_are_offered_and_others_refused_with_a_suggestion() -> None:
    assert templating.faults(BODY) == []
    [fault] = templating.faults("{{ penalite }}")
    assert "penalites" in fault.message
