"""A relance that comes back counts for nothing, and a person is asked at once (spec mail B3)."""

from datetime import date, timedelta

from relance.dunning.daily import checks
from relance.dunning.models import Action, Entry, InvoiceChase, Outlook
from relance.history.services import verify
from relance.ledger.models import Contact, Customer
from relance.ops.inbound_hooks import handlers
from relance.outbox.inbound.intake import take_in
from relance.outbox.inbound.work import handle_pending
from relance.outbox.models import Message, Status
from tests.conftest import at, make_invoice
from tests.dunning.test_daily_pass import pass_and_deliver
from tests.outbox.mails import bounce, complaint, unknown

DUE = date(2026, 11, 2)
SECOND = date(2026, 11, 9)
"""J+7, the day of the second level."""


def chased_until(customer: Customer, on: date) -> Message:
    """An invoice chased by the daily pass up to this day; its last message."""
    make_invoice(customer, "F-1", DUE)
    day = DUE - timedelta(days=3)
    while day <= on:
        pass_and_deliver(customer.organisation, day)
        day += timedelta(days=1)
    return Message.objects.order_by("-pk")[0]


def comes_back(message: Message, raw: bytes, on: date) -> None:
    kept = take_in(raw, inbox=None, organisation=None, now=at(on))
    assert kept is not None
    assert handle_pending(now=at(on), handlers=handlers()) == 1
    message.refresh_from_db()


def test_a_bounced_relance_undoes_its_level_and_opens_an_action_at_once(
    customer: Customer,
) -> None:
    message = chased_until(customer, SECOND)
    assert InvoiceChase.objects.get().level == 2
    comes_back(message, bounce(message.message_ref, unknown(customer.email)), SECOND)
    assert message.status == Status.BOUNCED
    assert Entry.objects.get(message_id=message.pk).void
    chase = InvoiceChase.objects.get()
    assert (chase.level, chase.level_name) == (1, "Préavis")
    assert chase.last_on == date(2026, 10, 30)
    [action] = Action.objects.filter(status=Action.Status.OPEN)
    assert (action.level, action.reason) == (2, "NO_RECIPIENT")
    assert Outlook.objects.get().state == "pending"
    assert list(checks.differences(customer.organisation, SECOND)) == []
    assert verify(customer.organisation) is None


def test_a_bounced_relance_is_no_contact(customer: Customer) -> None:
    """Once an address is there again, the delay between contacts counts from the one before."""
    message = chased_until(customer, SECOND)
    comes_back(message, bounce(message.message_ref, unknown(customer.email)), SECOND)
    Customer.objects.filter(pk=customer.pk).update(
        email="nouvelle@delmas.example", email_invalid_since=None
    )
    pass_and_deliver(customer.organisation, SECOND + timedelta(days=1))
    again = Message.objects.order_by("-pk")[0]
    assert (again.level, again.status, again.recipients) == (
        2,
        Status.SENT,
        ["nouvelle@delmas.example"],
    )


def test_a_full_box_is_written_to_again_and_not_for_ever(customer: Customer) -> None:
    """The address is kept; the third refusal in fourteen days asks a person."""
    message = chased_until(customer, SECOND)
    for number, on in enumerate([SECOND, date(2026, 11, 10), date(2026, 11, 12)]):
        full = (customer.email, "5.2.2", "552 mailbox full")
        raw = bounce(message.message_ref, full, own_id=f"<full-{number}@mx.example>")
        comes_back(message, raw, on)
        assert message.status == Status.BOUNCED
        for days in (1, 2):
            if Message.objects.filter(status=Status.SENT, level=2).exists():
                break
            pass_and_deliver(customer.organisation, on + timedelta(days=days))
        message = Message.objects.order_by("-pk")[0]
    assert Message.objects.filter(level=2).count() == 3
    [action] = Action.objects.filter(status=Action.Status.OPEN)
    assert action.reason == "NO_RECIPIENT"


def test_whoever_complained_is_reached_otherwise(customer: Customer) -> None:
    """The message arrived and counts; the next step waits for a person."""
    message = chased_until(customer, SECOND)
    comes_back(message, complaint(message.message_ref, customer.email), SECOND)
    assert message.status == Status.SENT
    assert InvoiceChase.objects.get().level == 2
    for days in range(1, 8):
        pass_and_deliver(customer.organisation, SECOND + timedelta(days=days))
    [action] = Action.objects.filter(status=Action.Status.OPEN)
    assert (action.level, action.reason) == (3, "NO_RECIPIENT")


def test_another_contact_takes_over_from_the_one_that_refused(customer: Customer) -> None:
    message = chased_until(customer, SECOND)
    Contact.objects.create(
        organisation=customer.organisation,
        customer=customer,
        name="Anne",
        email="anne@delmas.example",
        is_default=True,
    )
    comes_back(message, bounce(message.message_ref, unknown(customer.email)), SECOND)
    pass_and_deliver(customer.organisation, SECOND + timedelta(days=1))
    again = Message.objects.order_by("-pk")[0]
    assert (again.level, again.status, again.recipients) == (
        2,
        Status.SENT,
        ["anne@delmas.example"],
    )
