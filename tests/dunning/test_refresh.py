"""The to-do is never stale: whatever a person changes, the list follows at once (3.10)."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest

from relance.accounts.models import User
from relance.dunning import services
from relance.dunning.daily import refreshing, run
from relance.dunning.models import Action, Entry, Outlook, Plan, Step
from relance.dunning.services.undo import cancel_message, unskip_action
from relance.history.models import Event
from relance.ledger import services as ledger
from relance.ledger.models import Customer, Invoice
from relance.outbox.models import Message
from tests.conftest import TODAY, at, make_customer, make_invoice

DUE = TODAY - timedelta(days=9)


@pytest.fixture
def invoice(customer: Customer, plan: Plan) -> Invoice:
    """An invoice whose second level, by hand, waits since today's pass."""
    Step.objects.filter(plan=plan, level=2).update(automatic=False)
    invoice = make_invoice(customer, "F-1", DUE)
    pass_of(customer, TODAY)
    assert Action.objects.get().status == "open"
    return invoice


def pass_of(customer: Customer, on: date) -> None:
    run.run(customer.organisation, on=on, now=at(on), spread=False, pause=0)


def look_again(customer: Customer) -> None:
    refreshing.refresh(customer.organisation, [customer.pk], on=TODAY, now=at(TODAY))


def when(actor: User | None = None) -> dict[str, object]:
    return {"on": TODAY, "now": at(TODAY)} | ({"actor": actor} if actor else {})


IN_A_WEEK = TODAY + timedelta(days=7)
CHANGES: dict[str, Callable[[Customer, Invoice], object]] = {
    "SETTLED": lambda _c, i: ledger.record_payment(invoice=i, amount_cents=100_00, **when()),
    "DISPUTED": lambda _c, i: ledger.open_dispute(
        invoice=i, category="Prix", note="", actor=None, **when()
    ),
    "PROMISED": lambda _c, i: ledger.promise(invoice=i, until=IN_A_WEEK, actor=None, **when()),
    "INVOICE_ON_HOLD": lambda _c, i: ledger.hold(invoice=i, until=IN_A_WEEK, actor=None, **when()),
    "CUSTOMER_ON_HOLD": lambda c, _i: ledger.hold(
        customer=c, until=IN_A_WEEK, actor=None, **when()
    ),
    "EXCLUDED": lambda c, _i: ledger.exclude(customer=c, actor=None, **when()),
    "PLAN_OFF": lambda _c, i: ledger.switch_plan_for_invoice(
        invoice=i, plan_on=False, actor=None, **when()
    ),
}


@pytest.mark.parametrize("code", CHANGES)
def test_what_stops_the_chase_takes_the_action_off_the_list_at_once(
    customer: Customer, invoice: Invoice, code: str
) -> None:
    """S3-09, S4-32: nobody finds in his list what is no longer to be done; the journal says why."""
    CHANGES[code](customer, invoice)
    look_again(customer)
    action = Action.objects.get()
    assert action.status == "withdrawn"
    alone = {"SETTLED": "NO_OPEN_INVOICE"}  # the only invoice: the reason is the customer's
    expected = {code, alone.get(code, ""), "NOTHING_CHASEABLE"}
    assert action.withdrawn_reason in expected
    told = Event.objects.get(kind="action_withdrawn")
    assert (told.invoice_id, told.data["code"]) == (invoice.pk, action.withdrawn_reason)


def test_a_hold_lifted_on_the_day_brings_the_action_back(
    customer: Customer, invoice: Invoice, owner: User
) -> None:
    """3.10: it comes back when wanted again, at once since the pass of the day is done."""
    ledger.hold(customer=customer, until=IN_A_WEEK, actor=owner, **when())
    look_again(customer)
    ledger.release(customer=customer, actor=owner, **when())
    look_again(customer)
    assert [one.status for one in Action.objects.order_by("id")] == ["withdrawn", "open"]
    assert list(Action.objects.get(status="open").owners.all()) == [owner]


def test_before_the_pass_of_the_day_nothing_is_opened(
    customer: Customer, plan: Plan, owner: User
) -> None:
    """The pass opens the list of the day; before its hour only what is pointless goes away."""
    Step.objects.filter(plan=plan, level=2).update(automatic=False)
    make_invoice(customer, "F-1", DUE)
    look_again(customer)
    assert not Action.objects.exists()
    assert Outlook.objects.get().state == "pending"


def test_another_plan_replaces_the_action_by_its_own(
    customer: Customer, invoice: Invoice, plan: Plan, owner: User
) -> None:
    """S2-10: assigning a plan counts from this minute, not from tomorrow's pass."""
    other = Plan.objects.create(organisation=customer.organisation, name="Appels")
    Step.objects.create(
        organisation=customer.organisation,
        plan=other,
        level=1,
        name="Premier appel",
        days=2,
        channel="call",
    )
    services.assign_plan(customer.organisation, customers=[customer], plan=other, **when(owner))
    assert [(one.plan_id, one.status) for one in Action.objects.order_by("id")] == [
        (plan.pk, "withdrawn"),
        (other.pk, "open"),
    ]


def test_the_actions_of_one_day_stay_until_the_next_pass(
    customer: Customer, plan: Plan, owner: User
) -> None:
    """3.10: those of one day are re-checked together; the first one done takes no other away."""
    Plan.objects.filter(pk=plan.pk).update(scope="invoice")
    Step.objects.filter(plan=plan, level=2).update(automatic=False, channel="call")
    for number in ("F-1", "F-2"):
        make_invoice(customer, number, DUE)
    pass_of(customer, TODAY)
    first, second = Action.objects.order_by("id")
    services.complete_action(first, note="Rappelle demain.", **when(owner))
    second.refresh_from_db()
    assert second.status == "open"
    services.complete_action(second, **when(owner))
    assert Entry.objects.filter(kind="sent").count() == 2
    pass_of(customer, TODAY + timedelta(days=1))
    assert not Action.objects.filter(status="open").exists()


def test_ignoring_shows_the_next_step_at_once_and_taking_it_back_removes_it(
    customer: Customer, plan: Plan, owner: User
) -> None:
    """Section 4: an ignored level counts as passed; the next one, triggered, is there already."""
    Step.objects.filter(plan=plan, level__in=[2, 3]).update(automatic=False)
    make_invoice(customer, "F-1", TODAY - timedelta(days=12))
    pass_of(customer, TODAY)
    action = Action.objects.get()
    services.skip_action(action, **when(owner))
    assert [one.level for one in Action.objects.filter(status="open")] == [3]
    unskip_action(action, **when(owner))
    assert [one.level for one in Action.objects.filter(status="open")] == [2]


def test_an_action_whose_message_may_be_called_back_is_left_alone(
    customer: Customer, invoice: Invoice, owner: User
) -> None:
    """During the ten seconds another change neither withdraws the action nor doubles it."""
    action = Action.objects.get()
    message = services.send_action(action, **when(owner))
    look_again(customer)
    cancel_message(message, reason="CALLED_BACK", actor=owner, now=at(TODAY))
    assert [one.status for one in Action.objects.all()] == ["open"]
    assert Message.objects.count() == 1


def test_a_repaired_address_gives_the_step_back_to_the_machine(
    customer: Customer, plan: Plan, owner: User
) -> None:
    """S3-14, 3.12: once the contacts are complete nobody is asked any more, and it says so."""
    Customer.objects.filter(pk=customer.pk).update(email="")
    make_invoice(customer, "F-1", DUE)
    pass_of(customer, TODAY)
    assert Action.objects.get().reason == "NO_RECIPIENT"
    ledger.edit_customer(
        customer=Customer.objects.get(pk=customer.pk),
        changes={"email": "compta@delmas.example"},
        actor=owner,
        **when(),
    )
    look_again(customer)
    action = Action.objects.get()
    assert (action.status, action.withdrawn_reason) == ("withdrawn", "REACHABLE")


def test_other_customers_are_not_touched(customer: Customer, invoice: Invoice, plan: Plan) -> None:
    """Section 10: another customer's change takes nothing off my list."""
    other = make_customer(customer.organisation, plan, "Autre")
    ledger.exclude(customer=other, actor=None, **when())
    look_again(other)
    assert Action.objects.get().status == "open"


def test_a_level_names_its_owners(
    customer: Customer, plan: Plan, owner: User, colleague: User
) -> None:
    """Owners chosen on the level come first; one who may not write is passed over."""
    step = Step.objects.get(plan=plan, level=2)
    Step.objects.filter(pk=step.pk).update(automatic=False)
    step.owners.set([colleague, owner])
    make_invoice(customer, "F-1", DUE)
    pass_of(customer, TODAY)
    assert list(Action.objects.get().owners.all()) == [owner]
