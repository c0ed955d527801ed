"""What people do while something is on its way: one step, one level, one message."""

from datetime import date, timedelta

import pytest

from relance.accounts.models import User
from relance.dunning import services
from relance.dunning.daily import run
from relance.dunning.daily.hooks import hooks
from relance.dunning.models import Action, Entry, InvoiceChase, Outlook, Plan, Step
from relance.dunning.services.undo import cancel_message
from relance.dunning.wording import messages as writing
from relance.history.models import Event
from relance.ledger import services as ledger
from relance.ledger.models import Customer
from relance.outbox import identity
from relance.outbox.channels.base import DeliveryError
from relance.outbox.channels.fake import FakeChannel
from relance.outbox.delivery import deliver_batch
from relance.outbox.models import Message, Status
from tests.conftest import at, make_invoice

DUE = date(2026, 11, 2)
ON = DUE + timedelta(days=7)


def run_on(customer: Customer, on: date) -> None:
    run.run(customer.organisation, on=on, now=at(on), spread=False, pause=0)


def deliver(on: date, *, after: timedelta = timedelta(0), greylisted: str = "") -> None:
    """Hand over what is due `after` the hour of `on`; one address may be told to come back."""
    moment = at(on) + after
    wait = DeliveryError("451 4.7.1 come back later", code=451)
    deliver_batch(
        worker=identity.new_name(),
        now=lambda: moment,
        hooks=hooks(lambda: moment),
        channels={"email": lambda: FakeChannel(errors={greylisted: wait} if greylisted else {})},
    )


def done(customer: Customer) -> list[tuple[str, int]]:
    return [
        (entry.kind, entry.level) for entry in Entry.objects.filter(customer=customer, void=False)
    ]


def manual_second_level(plan: Plan) -> None:
    Step.objects.filter(plan=plan, level=2).update(automatic=False)


def test_a_call_before_the_queued_message_leaves_takes_its_level(
    customer: Customer, owner: User
) -> None:
    """Section 4 and S4-23: the next level counts as done once, whatever waits in the queue."""
    make_invoice(customer, "F-1", DUE)
    run_on(customer, ON)
    services.mark_as_chased(customer, actor=owner, on=ON, now=at(ON))
    deliver(ON)
    assert done(customer) == [("marked", 2)]
    assert Message.objects.get().status == Status.CANCELLED


def test_a_call_told_twice_on_one_day_is_one_level(
    customer: Customer, owner: User, colleague: User
) -> None:
    """S4-23: a second click, or a second person, raises nothing more and learns who was first."""
    make_invoice(customer, "F-1", DUE)
    services.mark_as_chased(customer, actor=owner, on=ON, now=at(ON))
    for actor in (owner, colleague):
        with pytest.raises(services.Refused, match="par Camille Le Goff"):
            services.mark_as_chased(customer, actor=actor, on=ON, now=at(ON))
    assert done(customer) == [("marked", 2)]


def test_a_mark_never_lowers_the_level_that_lists_show(
    customer: Customer, plan: Plan, owner: User
) -> None:
    """Section 4: at or under the level reached a mark is dated, and changes no level."""
    Plan.objects.filter(pk=plan.pk).update(progression="age")
    make_invoice(customer, "F-1", DUE)
    services.set_level(customer, level=3, actor=owner, on=ON, now=at(ON))
    services.mark_as_chased(customer, actor=owner, on=ON, now=at(ON))
    chase = InvoiceChase.objects.get()
    assert (chase.level, chase.level_name, chase.last_on) == (3, "Dernier rappel", ON)


def test_words_of_a_person_do_not_ask_for_what_was_paid_meanwhile(
    customer: Customer, owner: User
) -> None:
    """Section 10: a paid invoice is in no message, even one that had to wait for its server."""
    invoices = [make_invoice(customer, number, DUE) for number in ("F-1", "F-2")]
    words = writing.Words("Vos factures", "{{ tableau_factures }}")
    services.write_to(customer, invoices=invoices, words=words, actor=owner, on=ON, now=at(ON))
    ledger.record_payment(invoice=invoices[0], amount_cents=100_00, on=ON, now=at(ON))
    deliver(ON, after=timedelta(minutes=1))
    message = Message.objects.get()
    assert (message.status, message.reason) == (Status.CANCELLED, "CHANGED")


def test_an_action_whose_message_had_to_wait_is_done_by_its_sender(
    customer: Customer, plan: Plan, owner: User
) -> None:
    """3.10: the pass of the next day finds it on its way; when it has left, the action is done."""
    manual_second_level(plan)
    make_invoice(customer, "F-1", DUE)
    run_on(customer, ON)
    action = Action.objects.get()
    services.send_action(action, actor=owner, on=ON, now=at(ON))
    deliver(ON, after=timedelta(minutes=1), greylisted=str(customer.email))
    following = ON + timedelta(days=1)
    run_on(customer, following)
    deliver(following)
    action.refresh_from_db()
    assert (action.status, action.closed_by, action.withdrawn_reason) == ("done", owner, "")
    assert done(customer) == [("sent", 2)]


@pytest.mark.parametrize("verb", [services.skip_action, services.complete_action])
def test_an_action_on_its_way_waits_for_nobody(
    customer: Customer, plan: Plan, owner: User, verb: object
) -> None:
    """Two owners: the second one learns that the first has sent it."""
    manual_second_level(plan)
    make_invoice(customer, "F-1", DUE)
    run_on(customer, ON)
    action = Action.objects.get()
    services.send_action(action, actor=owner, on=ON, now=at(ON))
    assert callable(verb)
    with pytest.raises(services.Refused) as refused:
        verb(action, actor=owner, on=ON, now=at(ON))
    assert refused.value.code == "ALREADY_QUEUED"
    assert done(customer) == []


@pytest.mark.parametrize(("channel", "why"), [("email", "Envoyez-le"), ("letter", "Imprimez-le")])
def test_no_level_rises_for_a_message_that_somebody_only_says_was_sent(
    customer: Customer, plan: Plan, owner: User, channel: str, why: str
) -> None:
    """D-07: an e-mail is done when it leaves, a letter when its print is confirmed."""
    manual_second_level(plan)
    Step.objects.filter(plan=plan, level=2).update(channel=channel)
    Customer.objects.update(address="12 rue des Halles", postcode="29000", city="Quimper")
    make_invoice(customer, "F-1", DUE)
    run_on(customer, ON)
    action = Action.objects.get(reason="")
    with pytest.raises(services.Refused, match=why):
        services.complete_action(action, actor=owner, on=ON, now=at(ON), note="Parti, promis")
    action.refresh_from_db()
    assert (action.status, done(customer)) == ("open", [])


def test_a_closed_action_changes_hands_no_more(
    customer: Customer, plan: Plan, owner: User, colleague: User
) -> None:
    """S3-11: two people at once; the one who did it stays the one who did it."""
    manual_second_level(plan)
    make_invoice(customer, "F-1", DUE)
    run_on(customer, ON)
    action = Action.objects.get()
    services.skip_action(Action.objects.get(), actor=owner, on=ON, now=at(ON))
    with pytest.raises(services.Refused) as refused:
        services.change_owners(action, owners=[colleague], actor=owner, on=ON, now=at(ON))
    assert refused.value.code == "CLOSED"
    assert colleague not in action.owners.all()


def test_who_could_not_be_reached_may_have_been_told_otherwise(
    customer: Customer, owner: User
) -> None:
    """D-12: without address a person does it his way, and says how."""
    Customer.objects.update(email="")
    make_invoice(customer, "F-1", DUE)
    run_on(customer, ON)
    action = Action.objects.get(reason="NO_RECIPIENT")
    with pytest.raises(services.Refused) as refused:
        services.complete_action(action, actor=owner, on=ON, now=at(ON), note=" ")
    assert refused.value.code == "NO_NOTE"
    services.complete_action(action, actor=owner, on=ON, now=at(ON), note="Vu au comptoir")
    assert done(customer) == [("sent", 2)]


def test_an_address_corrected_in_time_is_the_one_that_receives(
    customer: Customer, owner: User
) -> None:
    """S4-28: a queued message follows its customer; one that has left stays as it was sent."""
    make_invoice(customer, "F-1", DUE)
    run_on(customer, ON)
    ledger.save_contact(
        customer=customer,
        name="Anne Delmas",
        email="anne@delmas.example",
        is_default=True,
        on=ON,
        now=at(ON),
    )
    assert services.readdress(customer.organisation, [customer.pk]) == 1
    deliver(ON)
    message = Message.objects.get()
    assert (message.status, message.recipients) == (Status.SENT, ["anne@delmas.example"])
    assert services.readdress(customer.organisation, [customer.pk]) == 0


def test_a_step_gives_way_to_the_words_of_a_person_that_leave_with_it(
    customer: Customer, owner: User
) -> None:
    """3.8: an ad-hoc contact counts, even when one claim of the worker takes both."""
    invoice = make_invoice(customer, "F-1", DUE)
    run_on(customer, ON)
    words = writing.Words("Comme convenu", "Bonjour")
    services.write_to(customer, invoices=[invoice], words=words, actor=owner, on=ON, now=at(ON))
    deliver(ON, after=timedelta(minutes=1))
    assert done(customer) == [("ad_hoc", 0)]
    assert Message.objects.get(purpose="step").reason == "MIN_CONTACT_DELAY"


def test_the_journal_says_who_kept_a_message_back(customer: Customer, owner: User) -> None:
    """S2-16; its level counts as passed, so no later pass writes it again by itself."""
    make_invoice(customer, "F-1", DUE)
    run_on(customer, ON)
    cancel_message(Message.objects.get(), reason="BY_HAND", actor=owner, now=at(ON))
    event = Event.objects.get(kind="message_cancelled")
    assert (event.actor_name, event.data["reason"]) == ("Camille Le Goff", "BY_HAND")
    assert done(customer) == [("skipped", 2)]
    assert Outlook.objects.get(customer=customer).next_level == 3
    run_on(customer, ON)
    assert Message.objects.count() == 1
