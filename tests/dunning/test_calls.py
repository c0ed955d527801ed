"""What came of a call or a task, and what follows: levels, promises, disputes, another try."""

from datetime import date, timedelta

import pytest

from relance.accounts.models import Organisation, User
from relance.dunning import services
from relance.dunning.daily import run
from relance.dunning.models import Action, Entry, Plan, Step
from relance.dunning.services import Agreed, Refused, Result
from relance.history.models import Event
from relance.ledger.models import Customer, Dispute, Hold
from tests.conftest import at, make_customer, make_invoice

DUE = date(2026, 11, 2)
ON = date(2026, 11, 9)


def an_action(organisation: Organisation, channel: str) -> Action:
    plan = Plan.objects.create(organisation=organisation, name="Par téléphone")
    for level, days in ((1, 7), (2, 30)):
        Step.objects.create(
            organisation=organisation,
            plan=plan,
            level=level,
            name=f"Appel {level}",
            days=days,
            channel=channel,
        )
    customer = make_customer(organisation, plan, phone="02 98 12 34 56")
    make_invoice(customer, "F-1", DUE)
    make_invoice(customer, "F-2", DUE, 200_00)
    run.run(organisation, on=ON, now=at(ON), spread=False, pause=0)
    return Action.objects.get(status="open")


@pytest.fixture
def call(organisation: Organisation, owner: User) -> Action:
    return an_action(organisation, "call")


@pytest.fixture
def task(organisation: Organisation, owner: User) -> Action:
    return an_action(organisation, "task")


def record(action: Action, result: Result, actor: User, **more: object) -> Action:
    services.record_result(action, result, actor=actor, on=ON, now=at(ON), **more)  # type: ignore[arg-type]
    return Action.objects.get(pk=action.pk)


@pytest.mark.parametrize("result", [Result.REACHED, Result.LEFT_MESSAGE])
def test_somebody_heard_us_the_level_is_reached(call: Action, owner: User, result: Result) -> None:
    """Engine, section 1: a call done is a contact."""
    done = record(call, result, owner, note="Rappellera jeudi.")
    assert (done.status, done.result, done.note) == ("done", result, "Rappellera jeudi.")
    entry = Entry.objects.get()
    assert (entry.level, entry.is_contact) == (1, True)
    event = Event.objects.filter(kind="action_done").first()
    assert event is not None
    assert event.data["result"] == result


def test_no_answer_is_no_contact_and_comes_back_the_next_working_day(
    call: Action, owner: User
) -> None:
    tried = record(call, Result.NO_ANSWER, owner)
    assert (tried.status, tried.result) == ("open", "no_answer")
    assert tried.due_on == date(2026, 11, 10)
    assert Entry.objects.count() == 0
    run.run(call.organisation, on=ON, now=at(ON), spread=False, pause=0)
    tried.refresh_from_db()
    assert (tried.status, tried.due_on) == ("open", date(2026, 11, 10))
    services.record_result(
        tried, Result.NO_ANSWER, actor=owner, on=date(2026, 11, 10), now=at(date(2026, 11, 10))
    )
    tried.refresh_from_db()
    assert tried.due_on == date(2026, 11, 12), "the eleventh is a holiday"
    services.record_result(
        tried, Result.REACHED, actor=owner, on=date(2026, 11, 12), now=at(date(2026, 11, 12))
    )
    assert Entry.objects.get().on == date(2026, 11, 12)


def test_a_promise_holds_the_invoices_and_the_call_is_done(call: Action, owner: User) -> None:
    until = ON + timedelta(days=10)
    done = record(call, Result.PROMISED, owner, agreed=Agreed(until=until))
    assert done.status == "done"
    holds = Hold.objects.filter(kind="promise")
    assert {(hold.invoice.number, hold.until) for hold in holds if hold.invoice} == {
        ("F-1", until),
        ("F-2", until),
    }


def test_a_promise_about_one_invoice_keeps_its_amount(call: Action, owner: User) -> None:
    one = call.reference
    agreed = Agreed(until=ON + timedelta(days=3), amount_cents=50_00, invoice_ids=[one.pk])
    record(call, Result.PROMISED, owner, agreed=agreed)
    hold = Hold.objects.get()
    assert (hold.invoice, hold.amount_cents) == (one, 50_00)


@pytest.mark.parametrize("until", [None, ON - timedelta(days=1)])
def test_a_promise_needs_a_day_to_come(call: Action, owner: User, until: date | None) -> None:
    with pytest.raises(Refused, match="pour quel jour"):
        record(call, Result.PROMISED, owner, agreed=Agreed(until=until))
    call.refresh_from_db()
    assert (call.status, Hold.objects.count(), Entry.objects.count()) == ("open", 0, 0)


def test_a_dispute_is_opened_on_what_is_disputed(call: Action, owner: User) -> None:
    one = call.reference
    agreed = Agreed(category="Quantité", invoice_ids=[one.pk])
    record(call, Result.DISPUTED, owner, agreed=agreed, note="Il manque un carton.")
    dispute = Dispute.objects.get()
    assert (dispute.invoice, dispute.category) == (one, "Quantité")
    assert dispute.note == "Il manque un carton."


def test_a_wrong_number_is_marked_and_the_call_is_still_to_be_made(
    call: Action, owner: User
) -> None:
    tried = record(call, Result.WRONG_NUMBER, owner)
    customer = Customer.objects.get()
    assert (tried.status, customer.phone_invalid_since) == ("open", ON)
    assert Entry.objects.count() == 0


def test_a_task_is_done_or_passed_with_its_reason(task: Action, owner: User) -> None:
    with pytest.raises(Refused, match="pourquoi"):
        record(task, Result.NOT_DONE, owner)
    passed = record(task, Result.NOT_DONE, owner, note="Dossier parti chez l’avocat.")
    assert (passed.status, passed.result) == ("skipped", "not_done")
    assert Entry.objects.get().kind == "skipped"


def test_the_result_of_a_call_is_none_of_a_task(task: Action, owner: User) -> None:
    with pytest.raises(Refused):
        record(task, Result.NO_ANSWER, owner)
    done = record(task, Result.DONE, owner)
    assert (done.status, done.result) == ("done", "done")


def test_of_two_people_one_records_it(call: Action, owner: User, colleague: User) -> None:
    call.owners.add(colleague)
    record(call, Result.REACHED, owner)
    with pytest.raises(Refused, match="déjà close"):
        record(call, Result.REACHED, colleague)
    with pytest.raises(Refused, match="déjà close"):
        record(call, Result.NO_ANSWER, colleague)
    assert Entry.objects.count() == 1
