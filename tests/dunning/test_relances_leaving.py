"""Relances by hand on their way out: what is paid meanwhile, the to-do, letters, own words."""

import pytest
from pytest_django import DjangoAssertNumQueries

from relance.accounts.models import Organisation, User
from relance.dunning import services
from relance.dunning.by_hand.gates import Ask
from relance.dunning.daily import run
from relance.dunning.daily.hooks import hooks
from relance.dunning.models import Action, Plan, Step, Template
from relance.dunning.services import relances
from relance.ledger import services as ledger
from relance.ledger.models import Customer, Invoice
from relance.outbox import print_runs
from relance.outbox.models import Message, Status
from tests.conftest import TODAY, at, make_customer, make_invoice
from tests.dunning.by_hand import (
    LATE,
    ask,
    deliver,
    send,
    two,
)

__all__ = ["two"]


def test_the_to_do_of_that_level_is_done_by_the_message(
    two: tuple[Invoice, Invoice], plan: Plan, organisation: Organisation, owner: User
) -> None:
    Step.objects.filter(plan=plan, level=2).update(automatic=False)
    run.run(organisation, on=TODAY, now=at(TODAY), spread=False, pause=0)
    action = Action.objects.get(level=2, status=Action.Status.OPEN)
    send(organisation, [ask(*two)], owner)
    deliver()
    action.refresh_from_db()
    assert (action.status, action.closed_by) == (Action.Status.DONE, owner)


def test_a_payment_in_between_stops_the_message(
    customer: Customer, organisation: Organisation, owner: User
) -> None:
    """Engine 3.11: asked again just before it leaves."""
    invoice = make_invoice(customer, "F-1", LATE)
    send(organisation, [ask(invoice)], owner)
    ledger.record_payment(
        invoice=invoice, amount_cents=100_00, on=TODAY, actor=owner, now=at(TODAY)
    )
    deliver()
    message = Message.objects.get()
    assert (message.status, message.reason) == (Status.CANCELLED, "SETTLED")


def test_a_message_of_a_batch_is_written_again_without_what_was_paid(
    two: tuple[Invoice, Invoice], organisation: Organisation, owner: User
) -> None:
    """Engine 3.11."""
    relances.send(
        organisation,
        [ask(*two)],
        relances.Sending(channel="email", actor=owner, on=TODAY, now=at(TODAY), batch_id=1),
    )
    ledger.record_payment(invoice=two[1], amount_cents=784_80, on=TODAY, actor=owner, now=at(TODAY))
    deliver()
    message = Message.objects.get()
    assert (message.status, message.amount_cents) == (Status.SENT, 948_72)
    assert "F-2" not in message.text


def test_a_message_of_the_former_plan_does_not_leave_under_another(
    two: tuple[Invoice, Invoice], organisation: Organisation, owner: User
) -> None:
    """Engine 3.11: its level is none of the plan that the customer follows now."""
    send(organisation, [ask(*two)], owner)
    other = Plan.objects.create(organisation=organisation, name="Doux")
    Step.objects.create(organisation=organisation, plan=other, level=1, name="Rappel", days=5)
    services.assign_plan(
        organisation,
        customers=[two[0].customer],
        plan=other,
        actor=owner,
        on=TODAY,
        now=at(TODAY),
    )
    deliver()
    message = Message.objects.get()
    assert (message.status, message.reason) == (Status.CANCELLED, "REPLACED")


def test_the_second_of_two_who_send_at_once_learns_who_was_first(
    two: tuple[Invoice, Invoice],
    organisation: Organisation,
    owner: User,
    colleague: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both had looked before either had sent: the outbox refuses, and the refusal has a name."""
    seen = relances.prepare(
        organisation,
        [ask(*two)],
        relances.Sending(channel="email", actor=colleague, on=TODAY, now=at(TODAY)),
    )
    send(organisation, [ask(*two)], owner)
    monkeypatch.setattr(relances, "prepare", lambda *_of, **_more: seen)
    [second] = send(organisation, [ask(*two)], colleague)
    assert second.message is None
    assert relances.sentence(second.refusals[0]) == (
        "Une relance est déjà en route, envoyée par Camille Le Goff."
    )


def test_a_letter_of_a_batch_is_printed_without_what_was_paid_before_the_print(
    two: tuple[Invoice, Invoice], organisation: Organisation, owner: User
) -> None:
    """Engine 3.11: it may wait for days; asking for what was paid would be wrong on paper too."""
    Customer.objects.update(address="12 rue des Halles", postcode="29000", city="Quimper")
    Template.objects.create(
        organisation=organisation,
        name="Rappel",
        channel="letter",
        subject="Vos factures",
        body="Bonjour,\n\n{{ tableau_factures }}",
    )
    relances.send(
        organisation,
        [ask(*two)],
        relances.Sending(channel="letter", actor=owner, on=TODAY, now=at(TODAY), batch_id=1),
    )
    ledger.record_payment(invoice=two[1], amount_cents=784_80, on=TODAY, actor=owner, now=at(TODAY))

    made = print_runs.make(
        organisation=organisation,
        message_ids=[Message.objects.get().pk],
        actor=owner,
        now=at(TODAY),
        hooks=hooks(lambda: at(TODAY)),
    )

    message = Message.objects.get()
    assert (made.run.letters, message.amount_cents) == (1, 948_72)
    assert [row[0] for row in (message.letter or {})["rows"]] == ["F-1"]
    assert [line.invoice_id for line in message.lines.all()] == [two[0].pk]


def test_a_carrier_of_the_plan_tells_of_all_that_is_overdue_and_rises_alone(
    two: tuple[Invoice, Invoice], organisation: Organisation, owner: User
) -> None:
    """S4-16 in customer scope: the same message as the plan would send."""
    asked = relances.carrier_ask(organisation, two[0], on=TODAY, level=2)
    message = relances.send_one(
        organisation, asked, relances.Sending(channel="email", actor=owner, on=TODAY, now=at(TODAY))
    )
    lines = list(message.lines.order_by("id").values_list("invoice_id", "carrier"))
    assert lines == [(two[0].pk, True), (two[1].pk, False)]


def test_own_words_sender_and_addresses_replace_the_usual_ones(
    two: tuple[Invoice, Invoice], organisation: Organisation, owner: User
) -> None:
    """S4-06, S4-17, S4-20."""
    draft = relances.preview_one(
        organisation,
        Ask(two[0].customer_id, (two[0].pk,), recipients=("chantier@delmas.example",)),
        relances.Sending(
            channel="email",
            actor=owner,
            on=TODAY,
            now=at(TODAY),
            words=relances.messages.Words("Un mot", "Bonjour"),
            sender_key="system",
        ),
    )
    assert (draft.subject, list(draft.recipients)) == ("Un mot", ["chantier@delmas.example"])
    assert draft.reply_to == owner.email
    assert Message.objects.count() == 0


def test_a_thousand_asks_cost_a_fixed_number_of_queries(
    organisation: Organisation,
    plan: Plan,
    owner: User,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    asks = []
    for number in range(60):
        customer = make_customer(organisation, plan, f"Client {number}", code=f"C{number}")
        asks.append(ask(make_invoice(customer, f"F-{number}", LATE)))
    with django_assert_max_num_queries(45):
        outcomes = send(organisation, asks, owner)
    assert all(outcome.message for outcome in outcomes)
