"""Chasing chosen invoices at their next level: which level, what leaves, what does not and why."""

from datetime import timedelta

import pytest

from relance.accounts.models import Organisation, User
from relance.dunning import services
from relance.dunning.daily import run
from relance.dunning.models import Entry, InvoiceChase, Plan, Step, Template
from relance.dunning.services import relances
from relance.ledger import services as ledger
from relance.ledger.models import Customer, Invoice
from relance.outbox.models import Message, Status
from tests.conftest import TODAY, at, make_customer, make_invoice
from tests.dunning.by_hand import (
    LATE,
    LATER,
    ask,
    chased_before,
    codes,
    deliver,
    reached,
    send,
    two,
)

__all__ = ["two"]


@pytest.mark.parametrize("scope", ["customer", "invoice"])
def test_grouped_relances_take_the_highest_level_and_give_it_to_every_invoice(
    two: tuple[Invoice, Invoice], plan: Plan, organisation: Organisation, owner: User, scope: str
) -> None:
    """S1-15, S1-16: one had a first relance, the other none: both move to Second rappel (2)."""
    Plan.objects.filter(pk=plan.pk).update(scope=scope)
    [outcome] = send(organisation, [ask(*two)], owner)
    assert outcome.message is not None
    assert (outcome.message.level, outcome.message.level_name) == (2, "Second rappel")
    assert outcome.message.amount_cents == 948_72 + 784_80
    deliver()
    done = Entry.objects.filter(on=TODAY, kind="sent").values_list("reference_id", "level")
    assert set(done) == {(two[0].pk, 2), (two[1].pk, 2)}
    assert set(InvoiceChase.objects.values_list("level", "level_name")) == {(2, "Second rappel")}
    assert reached(two[0]) == 2
    if scope == "invoice":
        assert reached(two[1]) == 2


@pytest.mark.parametrize("scope", ["customer", "invoice"])
def test_the_plan_does_not_send_again_what_was_sent_by_hand(
    two: tuple[Invoice, Invoice], plan: Plan, organisation: Organisation, owner: User, scope: str
) -> None:
    """S1-16, engine 3.8: neither while the message waits, nor once it has left."""
    Plan.objects.filter(pk=plan.pk).update(scope=scope)
    send(organisation, [ask(*two)], owner)
    run.run(organisation, on=TODAY, now=at(TODAY), spread=False, pause=0)
    assert Message.objects.count() == 1
    deliver()
    for days in (0, 1, 2):
        on = TODAY + timedelta(days=days)
        run.run(organisation, on=on, now=at(on), spread=False, pause=0)
    assert [m.level for m in Message.objects.order_by("id")] == [2]


def test_in_customer_scope_the_next_invoice_carries_on_from_the_level_it_was_given(
    two: tuple[Invoice, Invoice], organisation: Organisation, owner: User
) -> None:
    """S1-16 and D-05: the first is paid, the second carries, already at Second rappel (2)."""
    send(organisation, [ask(*two)], owner)
    deliver()
    ledger.record_payment(invoice=two[0], amount_cents=948_72, on=TODAY, actor=owner, now=at(TODAY))
    assert reached(two[1]) == 2


def test_ungrouped_relances_are_one_message_per_invoice_each_at_its_own_level(
    two: tuple[Invoice, Invoice], plan: Plan, organisation: Organisation, owner: User
) -> None:
    """S1-22."""
    Plan.objects.filter(pk=plan.pk).update(scope="invoice")
    Step.objects.filter(plan=plan, level=1).update(days=2)
    asks = relances.asks_of(organisation, list(two), grouped=False)
    outcomes = send(organisation, asks, owner)
    assert [o.message.level for o in outcomes if o.message] == [2, 1]
    deliver()
    assert Message.objects.filter(status=Status.SENT).count() == 2
    assert (reached(two[0]), reached(two[1])) == (2, 1)


def test_grouping_makes_one_message_per_customer_and_currency(
    customer: Customer, plan: Plan, organisation: Organisation
) -> None:
    """S1-14: two currencies never share a message."""
    other = make_customer(organisation, plan, "Garage Le Roux")
    invoices = [
        make_invoice(customer, "F-1", LATE),
        make_invoice(other, "F-2", LATE),
        make_invoice(customer, "F-3", LATE),
        make_invoice(customer, "F-4", LATE, currency="USD"),
    ]
    asks = relances.asks_of(organisation, invoices, grouped=True)
    assert [len(one.invoices) for one in asks] == [2, 1, 1]


def test_the_first_relance_is_level_one(
    customer: Customer, plan: Plan, organisation: Organisation, owner: User
) -> None:
    """S1-21: never chased is level 0, and the next is 1."""
    Step.objects.filter(plan=plan, level=1).update(days=2)
    invoice = make_invoice(customer, "F-1", LATER)
    [outcome] = send(organisation, [ask(invoice)], owner)
    assert outcome.message is not None
    assert outcome.message.level == 1


def test_a_reminder_before_the_due_date_is_passed_once_overdue(
    customer: Customer, organisation: Organisation, owner: User
) -> None:
    """D-06, engine 3.5: J−3 makes no sense any more, the next level is the second."""
    [outcome] = send(organisation, [ask(make_invoice(customer, "F-1", LATE))], owner)
    assert outcome.message is not None
    assert outcome.message.level == 2


def test_by_age_the_next_level_is_the_one_its_age_has_brought(
    customer: Customer, plan: Plan, organisation: Organisation, owner: User
) -> None:
    """Engine 3.6: eleven days late and never chased, it is Dernier rappel (3)."""
    Plan.objects.filter(pk=plan.pk).update(progression="age")
    invoice = make_invoice(customer, "F-1", TODAY - timedelta(days=11))
    [outcome] = send(organisation, [ask(invoice)], owner)
    assert outcome.message is not None
    assert outcome.message.level == 3


def test_the_level_stays_until_the_message_has_really_left(
    two: tuple[Invoice, Invoice], organisation: Organisation, owner: User
) -> None:
    """D-07: queued changes nothing, refused by the server changes nothing."""
    send(organisation, [ask(*two)], owner)
    assert InvoiceChase.objects.filter(level=2).count() == 0
    deliver(error=two[0].customer.email)
    assert Message.objects.get().status == Status.FAILED
    assert InvoiceChase.objects.filter(level=2).count() == 0
    assert not Entry.objects.filter(on=TODAY).exists()


def test_a_customer_without_any_address_is_refused_and_says_so(
    organisation: Organisation, plan: Plan, owner: User
) -> None:
    """S1-23."""
    silent = make_customer(organisation, plan, "Ferme de Kerloc’h", email="")
    [outcome] = send(organisation, [ask(make_invoice(silent, "F-1", LATE))], owner)
    assert outcome.message is None
    assert codes(outcome) == ["NO_EMAIL"]
    assert relances.sentence(outcome.refusals[0]) == "Aucune adresse e-mail valable."
    assert "Définition" in relances.advice("NO_EMAIL")


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ({"disputed": True}, "DISPUTED"),
        ({"promise_until": TODAY}, "PROMISED"),
        ({"hold_until": TODAY}, "INVOICE_ON_HOLD"),
        ({"balance_cents": 0}, "SETTLED"),
    ],
)
def test_what_is_not_owed_or_contested_stays_out_and_the_others_leave(
    customer: Customer,
    organisation: Organisation,
    owner: User,
    state: dict[str, object],
    code: str,
) -> None:
    """S1-10: the message leaves about the others, the refusal names its invoice."""
    out = make_invoice(customer, "F-1", LATE, **state)
    chased = make_invoice(customer, "F-2", LATE)
    [outcome] = send(organisation, [ask(out, chased)], owner)
    assert outcome.message is not None
    assert [line.invoice_id for line in outcome.message.lines.all()] == [chased.pk]
    assert [(r.code, r.invoice) for r in outcome.refusals] == [(code, out.pk)]


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ({"excluded": True}, "EXCLUDED"),
        ({"hold_until": TODAY}, "CUSTOMER_ON_HOLD"),
    ],
)
def test_a_customer_put_aside_is_not_chased_by_hand_either(
    customer: Customer,
    organisation: Organisation,
    owner: User,
    state: dict[str, object],
    code: str,
) -> None:
    Customer.objects.filter(pk=customer.pk).update(**state)
    [outcome] = send(organisation, [ask(make_invoice(customer, "F-1", LATE))], owner)
    assert (outcome.message, codes(outcome)) == (None, [code])


def test_a_customer_without_plan_is_refused(organisation: Organisation, owner: User) -> None:
    alone = make_customer(organisation, None, "Sans plan")
    [outcome] = send(organisation, [ask(make_invoice(alone, "F-1", LATE))], owner)
    assert codes(outcome) == ["NO_PLAN"]


def test_automatic_relance_switched_off_does_not_stop_a_person(
    customer: Customer, organisation: Organisation, owner: User
) -> None:
    """S1-08 and S2-12: PRELEVEMENT and “Plan de relance activée” off only stop the plan."""
    debit = make_invoice(customer, "F-1", LATE, mode="direct_debit", plan_on=False)
    [outcome] = send(organisation, [ask(debit)], owner)
    assert outcome.message is not None
    deliver()
    assert Message.objects.get().status == Status.SENT


def test_a_level_without_template_for_the_method_is_refused(
    two: tuple[Invoice, Invoice], organisation: Organisation, owner: User
) -> None:
    """S1-02, S1-04, D-09: Courrier wants a Modèle Lettre of that level."""
    Customer.objects.filter(pk=two[0].customer_id).update(
        address="3 quai de la Douane", postcode="29200", city="Brest"
    )
    [outcome] = send(organisation, [ask(*two)], owner, channel="letter")
    assert codes(outcome) == ["NO_TEMPLATE"]


def test_each_method_has_its_own_words_for_a_level(
    two: tuple[Invoice, Invoice], organisation: Organisation, owner: User
) -> None:
    """S1-02, S1-03, S1-04: the same level says one thing by letter and another by mail."""
    Customer.objects.filter(pk=two[0].customer_id).update(
        address="3 quai de la Douane", postcode="29200", city="Brest"
    )
    Template.objects.create(
        organisation=organisation,
        name="Rappel",
        channel="letter",
        subject="Lettre de rappel",
        body="Madame, Monsieur,\n\n{{ tableau_factures }}",
    )
    [outcome] = send(organisation, [ask(*two)], owner, channel="letter")
    assert outcome.message is not None
    assert (outcome.message.channel, outcome.message.subject) == ("letter", "Lettre de rappel")
    assert outcome.message.level == 2
    plans = [two[0].customer.assignment.plan_id]
    assert relances.words_for(organisation, plans, "email")[plans[0], 2].subject.startswith("Vos")


def test_a_letter_without_postal_address_is_refused(
    two: tuple[Invoice, Invoice], organisation: Organisation, owner: User
) -> None:
    [outcome] = send(organisation, [ask(*two)], owner, channel="letter")
    assert codes(outcome) == ["NO_ADDRESS"]


def test_sms_says_that_no_operator_is_connected(
    two: tuple[Invoice, Invoice], organisation: Organisation, owner: User
) -> None:
    """S1-07."""
    [outcome] = send(organisation, [ask(*two)], owner, channel="sms")
    assert codes(outcome) == ["NO_PROVIDER"]


def test_two_people_never_send_the_same_relance_and_the_second_sees_who_did(
    two: tuple[Invoice, Invoice], organisation: Organisation, owner: User, colleague: User
) -> None:
    """While it waits, and once it has left: refused with the name."""
    send(organisation, [ask(*two, level=2)], owner)
    [waiting] = send(organisation, [ask(*two, level=2)], colleague)
    assert set(codes(waiting)) == {"ALREADY_QUEUED"}
    assert relances.sentence(waiting.refusals[0]) == (
        "Une relance est déjà en route, envoyée par Camille Le Goff."
    )
    deliver()
    [gone] = send(organisation, [ask(*two, level=2)], colleague)
    assert set(codes(gone)) == {"ALREADY_TODAY"}
    assert relances.sentence(gone.refusals[0]) == ("Déjà relancée aujourd’hui par Camille Le Goff.")
    assert Message.objects.count() == 1


def test_a_level_that_moved_since_the_search_is_refused_with_the_name(
    two: tuple[Invoice, Invoice], organisation: Organisation, owner: User
) -> None:
    """The person saw Second rappel (2): he does not send Dernier rappel (3) unawares."""
    services.set_level(
        two[0].customer,
        level=2,
        actor=owner,
        on=TODAY - timedelta(days=1),
        now=at(TODAY - timedelta(days=1)),
        invoice=two[0],
    )
    [outcome] = send(organisation, [ask(two[0], level=2)], owner)
    assert codes(outcome) == ["LEVEL_MOVED"]
    said = relances.sentence(outcome.refusals[0])
    assert "par Camille Le Goff" in said
    assert "« Dernier rappel (3) »" in said


def test_under_another_plan_the_levels_of_the_former_do_not_count(
    two: tuple[Invoice, Invoice], plan: Plan, organisation: Organisation, owner: User
) -> None:
    """Engine section 4, S1-17: lists show what counts under the plan that is followed now."""
    other = Plan.objects.create(organisation=organisation, name="Autre")
    given = {"actor": owner, "on": TODAY, "now": at(TODAY)}
    services.assign_plan(organisation, customers=[two[0].customer], plan=other, **given)
    assert InvoiceChase.objects.get(invoice=two[0]).level == 0
    services.assign_plan(organisation, customers=[two[0].customer], plan=plan, **given)
    shown = InvoiceChase.objects.get(invoice=two[0])
    assert (shown.level, shown.level_name) == (1, "Préavis")


def test_the_minimum_delay_warns_and_does_not_refuse(
    customer: Customer, plan: Plan, organisation: Organisation, owner: User
) -> None:
    """D-18: a person decides."""
    invoice = make_invoice(customer, "F-1", LATE)
    chased_before(invoice, plan, 1, days_ago=2)
    [outcome] = send(organisation, [ask(invoice)], owner)
    assert outcome.message is not None
    assert [reason.code for reason in outcome.answer.warnings] == ["RECENT_CONTACT"]


def test_beyond_the_last_level_a_person_is_told_that_the_plan_is_over(
    customer: Customer, plan: Plan, organisation: Organisation, owner: User
) -> None:
    """D-10."""
    invoice = make_invoice(customer, "F-1", LATE)
    chased_before(invoice, plan, 4)
    [outcome] = send(organisation, [ask(invoice)], owner)
    assert codes(outcome) == ["END_OF_PLAN"]


def test_a_last_level_that_repeats_leaves_again(
    customer: Customer, plan: Plan, organisation: Organisation, owner: User
) -> None:
    """D-10, engine 3.7."""
    Step.objects.filter(plan=plan, level=4).delete()
    Step.objects.filter(plan=plan, level=3).update(repeat_every=10)
    invoice = make_invoice(customer, "F-1", LATE)
    chased_before(invoice, plan, 3)
    [outcome] = send(organisation, [ask(invoice)], owner)
    assert outcome.message is not None
    assert outcome.message.level == 3
    deliver()
    assert Message.objects.get().status == Status.SENT
