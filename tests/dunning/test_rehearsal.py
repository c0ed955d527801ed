"""A plan played again on the last twelve months: real invoices and payments, nothing written."""

import json
from datetime import date, timedelta
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from relance.accounts.models import Organisation, User
from relance.dunning.facts.gather import to_engine
from relance.dunning.models import Entry, Plan
from relance.dunning.plans import rehearsal
from relance.dunning.plans.rehearsal import rehearse, sample
from relance.engine.replay import replay
from relance.ledger import services as ledger
from relance.ledger.models import Customer, Invoice, Payment
from tests.conftest import NOW, TODAY, make_customer, make_invoice

JUNE = date(2026, 6, 1)
"""A Monday."""


@pytest.fixture(autouse=True)
def _every_day_works(organisation: Organisation) -> None:
    organisation.zone = "none"
    organisation.save()


def paid(customer: Customer, number: str, due: date, on: date, cents: int = 100_00) -> Invoice:
    invoice = make_invoice(customer, number, due, cents, balance_cents=0)
    Payment.objects.create(
        organisation=customer.organisation, invoice=invoice, on=on, amount_cents=cents
    )
    return invoice


def played(organisation: Organisation, plan: Plan, **changes: Any) -> rehearsal.Rehearsed:
    engine_plan = to_engine(plan, list(plan.steps.all()))._replace(**changes)
    return rehearse(sample(organisation, plan, on=TODAY), engine_plan)


def test_the_period_is_twelve_months_up_to_today() -> None:
    assert rehearsal.period(date(2026, 11, 24)) == (date(2025, 12, 1), date(2026, 11, 24))
    assert rehearsal.period(date(2026, 12, 31)) == (date(2026, 1, 1), date(2026, 12, 31))


def test_messages_stop_with_the_payment_and_the_delay_is_counted(
    organisation: Organisation, plan: Plan, customer: Customer
) -> None:
    """S3-24: J−3, J+7, then J+12 for the third asked at J+10; paid at J+15, before the call."""
    paid(customer, "F1", JUNE, JUNE + timedelta(days=15))

    found = played(organisation, plan)

    assert (found.messages, found.delayed, found.by_hand) == (3, 1, 0)
    assert [(one.level, one.messages, one.settled, one.delayed) for one in found.levels] == [
        (1, 1, 0, 0),
        (2, 1, 0, 0),
        (3, 1, 1, 1),
        (4, 0, 0, 0),
    ]
    assert {one.first: one.messages for one in found.months if one.messages} == {
        date(2026, 5, 1): 1,
        JUNE: 2,
    }
    assert len(found.months) == 12
    assert [(one.name, one.messages) for one in found.most] == [("Pharmacie Delmas", 3)]


def test_a_shorter_delay_delays_nothing(
    organisation: Organisation, plan: Plan, customer: Customer
) -> None:
    """S3-25: with a DMC of 3 days the third leaves at J+10."""
    paid(customer, "F1", JUNE, JUNE + timedelta(days=15))

    assert played(organisation, plan).delayed == 1
    assert played(organisation, plan, min_contact_days=3).delayed == 0


def test_it_is_the_engine_of_the_replay(
    organisation: Organisation, plan: Plan, customer: Customer
) -> None:
    for n in range(6):
        due = JUNE + timedelta(days=9 * n)
        paid(customer, f"F{n}", due, due + timedelta(days=5 * n + 1))
    make_invoice(customer, "OUVERTE", TODAY - timedelta(days=40))
    found = sample(organisation, plan, on=TODAY)
    asked = to_engine(plan, list(plan.steps.all()))._replace(id=rehearsal.PLAN)

    lines = [
        json.loads(line)
        for line in replay(found.document._replace(plans={rehearsal.PLAN: asked}))
        if json.loads(line)["on"] >= found.first.isoformat()
    ]

    assert rehearse(found, asked).messages == len(lines) > 8


def test_promises_disputes_and_holds_count_as_they_happened(
    organisation: Organisation, plan: Plan, owner: User
) -> None:
    quiet = [make_customer(organisation, plan, name, code=name) for name in ("A", "B", "C")]
    promised, disputed, held = (
        make_invoice(one, f"F-{one.code}", TODAY - timedelta(days=10)) for one in quiet
    )
    when: dict[str, Any] = {"on": TODAY - timedelta(days=9), "now": NOW, "actor": owner}
    ledger.promise(invoice=promised, until=TODAY, **when)
    ledger.open_dispute(invoice=disputed, **when)
    ledger.hold(customer=held.customer, until=TODAY, **when)

    found = played(organisation, plan)

    assert [one.messages for one in found.levels] == [3, 0, 0, 0]


def test_those_who_cannot_be_written_to_or_are_excluded_receive_nothing(
    organisation: Organisation, plan: Plan
) -> None:
    for name, fields in (("A", {"email": ""}), ("B", {"excluded": True})):
        customer = make_customer(organisation, plan, name, code=name, **fields)
        paid(customer, f"F-{name}", JUNE, JUNE + timedelta(days=9))

    assert played(organisation, plan).messages == 0


def test_only_followers_are_played_and_everybody_when_there_are_none(
    organisation: Organisation, plan: Plan, customer: Customer
) -> None:
    other = make_customer(organisation, None, "Autre", code="AUTRE")
    paid(customer, "F1", JUNE, JUNE + timedelta(days=9))
    paid(other, "F2", JUNE, JUNE + timedelta(days=9))

    assert sample(organisation, plan, on=TODAY).invoices == 1
    new = Plan(organisation=organisation, name="Neuf")
    found = sample(organisation, new, on=TODAY)
    assert (found.invoices, found.customers, found.whole) == (2, 2, True)


def test_a_large_ledger_is_sampled_and_says_so(
    organisation: Organisation,
    plan: Plan,
    monkeypatch: pytest.MonkeyPatch,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    """Always the same customers for the same facts; never more invoices than the bound."""
    monkeypatch.setattr(rehearsal, "MOST_INVOICES", 25)
    for n in range(10):
        customer = make_customer(organisation, plan, f"Client {n}", code=f"C{n}")
        for k in range(5):
            paid(customer, f"F{n}-{k}", JUNE + timedelta(days=7 * k), JUNE + timedelta(days=60))

    with django_assert_max_num_queries(12):
        found = sample(organisation, plan, on=TODAY)

    assert (found.customers, found.all_customers, found.invoices) == (5, 10, 25)
    assert not found.whole
    assert found == sample(organisation, plan, on=TODAY)


def test_one_customer_larger_than_the_bound_is_played_on_his_latest(
    organisation: Organisation, plan: Plan, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rehearsal, "MOST_INVOICES", 3)
    for n in range(5):
        paid(customer, f"F{n}", JUNE + timedelta(days=n), JUNE + timedelta(days=60))

    found = sample(organisation, plan, on=TODAY)

    assert [one.number for _customer, one in found.document.invoices] == ["F2", "F3", "F4"]
    assert not found.whole


def test_nothing_is_written(organisation: Organisation, plan: Plan, customer: Customer) -> None:
    paid(customer, "F1", JUNE, JUNE + timedelta(days=15))

    played(organisation, plan)

    assert not Entry.objects.exists()


def test_a_year_without_invoices_is_no_accident(organisation: Organisation, plan: Plan) -> None:
    found = played(organisation, plan)

    assert (found.messages, len(found.months), found.most) == (0, 12, ())
