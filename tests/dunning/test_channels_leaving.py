"""Steps by SMS and by post leave by themselves once a provider is connected, and only then."""

from datetime import UTC, date, datetime, timedelta

import pytest

from relance.accounts.models import Organisation, User
from relance.dunning import services
from relance.dunning.daily import run, tracked
from relance.dunning.daily.hooks import hooks
from relance.dunning.facts.hours import quiet_until
from relance.dunning.models import Action, Entry, Plan, Step, Template
from relance.dunning.services import Refused
from relance.history.models import Event
from relance.ledger.models import Customer
from relance.outbox import identity
from relance.outbox.delivery import Report, deliver_batch
from relance.outbox.models import Message, PostalAccount, Pretended, SmsAccount, Status
from tests.conftest import at, make_customer, make_invoice

DUE = date(2026, 11, 2)
ON = date(2026, 11, 9)
"""A Monday, seven days later."""


@pytest.fixture
def account(organisation: Organisation) -> SmsAccount:
    return SmsAccount.objects.create(organisation=organisation, provider="fake", active=True)


@pytest.fixture
def post(organisation: Organisation) -> PostalAccount:
    organisation.address = "4 quai de l’Odet\n29000 QUIMPER"
    organisation.save()
    return PostalAccount.objects.create(organisation=organisation, provider="fake", active=True)


def plan_by(organisation: Organisation, channel: str) -> Plan:
    words = Template.objects.create(
        organisation=organisation,
        name=f"Par {channel}",
        channel=channel,
        subject="Vos factures",
        body="Bonjour,\n\n\n\n{{ montant }} restent dus.\n\n{{ signature }}",
    )
    plan = Plan.objects.create(organisation=organisation, name=f"Par {channel}")
    Step.objects.create(
        organisation=organisation,
        plan=plan,
        level=1,
        name="Rappel",
        days=7,
        channel=channel,
        automatic=True,
        template=words,
    )
    return plan


@pytest.fixture
def by_sms(organisation: Organisation, owner: User) -> Customer:
    plan = plan_by(organisation, "sms")
    customer = make_customer(organisation, plan, phone="06 12 34 56 78")
    make_invoice(customer, "F-1", DUE)
    return customer


@pytest.fixture
def by_post(organisation: Organisation, owner: User) -> Customer:
    plan = plan_by(organisation, "letter")
    place = {"address": "12 rue des Halles", "postcode": "29000", "city": "Quimper"}
    customer = make_customer(organisation, plan, **place)
    make_invoice(customer, "F-1", DUE)
    return customer


def the_pass(organisation: Organisation, on: date = ON) -> None:
    run.run(organisation, on=on, now=at(on), spread=False, pause=0)


def deliver(now: datetime) -> Report:
    return deliver_batch(worker=identity.new_name(), now=lambda: now, hooks=hooks(lambda: now))


def test_an_automatic_sms_leaves_by_itself_with_an_account(
    account: SmsAccount, by_sms: Customer
) -> None:
    """D-07, D-09: the level rises when it has left."""
    the_pass(by_sms.organisation)
    message = Message.objects.get()
    assert (message.channel, message.recipients) == ("sms", ["+33612345678"])
    assert message.text == "Bonjour,\n100,00 € restent dus.\nAteliers Kerdoncuff"
    assert deliver(at(ON)).sent == 1
    assert Entry.objects.get().channel == "sms"
    assert Pretended.objects.get().what["to"] == "+33612345678"
    the_pass(by_sms.organisation)
    assert deliver(at(ON)) == Report()


def test_without_an_account_it_waits_for_a_person_as_before(by_sms: Customer) -> None:
    the_pass(by_sms.organisation)
    assert Message.objects.count() == 0
    action = Action.objects.get()
    assert (action.channel, action.reason) == ("sms", "")


def test_an_account_switched_off_meanwhile_gives_the_step_back_to_a_person(
    account: SmsAccount, by_sms: Customer
) -> None:
    """Never silence (3.12): what was queued is cancelled, with its reason."""
    the_pass(by_sms.organisation)
    account.active = False
    account.save()
    assert deliver(at(ON)).cancelled == 1
    message = Message.objects.get()
    assert (message.status, message.reason) == (Status.CANCELLED, "NO_PROVIDER")
    the_pass(by_sms.organisation)
    assert Action.objects.filter(status="open", channel="sms").count() == 1


def test_a_number_that_is_no_mobile_is_marked_and_a_person_asked(
    account: SmsAccount, by_sms: Customer
) -> None:
    by_sms.phone = "02 98 12 34 56"
    by_sms.save()
    the_pass(by_sms.organisation)
    by_sms.refresh_from_db()
    assert (Message.objects.count(), by_sms.phone_invalid_since) == (0, ON)
    the_pass(by_sms.organisation, ON + timedelta(days=1))
    assert Action.objects.get().reason == "NO_RECIPIENT"


NIGHT = datetime(2026, 11, 9, 20, 30, tzinfo=UTC)
"""21:30 in Paris, on that Monday."""


def test_no_sms_at_night_it_waits_for_the_morning_and_says_why(
    account: SmsAccount, by_sms: Customer
) -> None:
    """B4: 8 to 20 h, on working days; Wednesday 11 November is a holiday."""
    the_pass(by_sms.organisation)
    assert deliver(NIGHT).postponed == 1
    message = Message.objects.get()
    assert (message.status, message.reason) == (Status.QUEUED, "QUIET_HOURS")
    assert message.not_before == datetime(2026, 11, 10, 7, 0, tzinfo=UTC)
    assert deliver(message.not_before).sent == 1


@pytest.mark.parametrize(
    ("now", "until"),
    [
        (datetime(2026, 11, 9, 7, 0, tzinfo=UTC), None),
        (datetime(2026, 11, 9, 18, 59, tzinfo=UTC), None),
        (datetime(2026, 11, 9, 6, 59, tzinfo=UTC), datetime(2026, 11, 9, 7, 0, tzinfo=UTC)),
        (datetime(2026, 11, 9, 19, 0, tzinfo=UTC), datetime(2026, 11, 10, 7, 0, tzinfo=UTC)),
        (datetime(2026, 11, 11, 10, 0, tzinfo=UTC), datetime(2026, 11, 12, 7, 0, tzinfo=UTC)),
        (datetime(2026, 11, 13, 19, 0, tzinfo=UTC), datetime(2026, 11, 16, 7, 0, tzinfo=UTC)),
        (datetime(2026, 7, 10, 17, 59, tzinfo=UTC), None),
        (datetime(2026, 7, 10, 18, 0, tzinfo=UTC), datetime(2026, 7, 13, 6, 0, tzinfo=UTC)),
    ],
)
def test_hours_of_sms(organisation: Organisation, now: datetime, until: datetime | None) -> None:
    assert quiet_until(organisation, now) == until


def test_a_person_sends_the_sms_of_an_action_and_may_call_it_back(
    account: SmsAccount, by_sms: Customer, owner: User
) -> None:
    Step.objects.update(automatic=False)
    the_pass(by_sms.organisation)
    action = Action.objects.get()
    with pytest.raises(Refused, match="n’est pas parti"):
        services.complete_action(action, actor=owner, on=ON, now=at(ON))
    message = services.send_action(action, actor=owner, on=ON, now=at(ON))
    assert message.not_before == at(ON) + timedelta(seconds=10)
    with pytest.raises(Refused):
        services.send_action(action, actor=owner, on=ON, now=at(ON))
    assert deliver(message.not_before).sent == 1
    action.refresh_from_db()
    assert (action.status, action.closed_by) == (Action.Status.DONE, owner)


def test_an_sms_that_was_not_delivered_counts_no_more_and_asks_a_person(
    account: SmsAccount, by_sms: Customer
) -> None:
    """Engine, section 2: failed and bounced messages are no contact and raise no level."""
    by_sms.phone = "06 12 34 00 00"
    by_sms.save()
    the_pass(by_sms.organisation)
    deliver(at(ON))
    assert Entry.objects.get().void is False
    tracked.tick(at(ON) + timedelta(minutes=5))
    by_sms.refresh_from_db()
    assert (by_sms.phone_invalid_since, Entry.objects.get().void) == (ON, True)
    assert Message.objects.get().status == Status.BOUNCED
    the_pass(by_sms.organisation, ON + timedelta(days=1))
    assert Action.objects.get().reason == "NO_RECIPIENT"


def test_a_letter_that_comes_back_marks_the_place_and_keeps_its_level(
    post: PostalAccount, by_post: Customer
) -> None:
    by_post.address = "1 rue Inconnue"
    by_post.name = "Inconnu SARL"
    by_post.save()
    the_pass(by_post.organisation)
    deliver(at(ON))
    for hours in (7, 100, 200):
        tracked.tick(at(ON) + timedelta(hours=hours))
    by_post.refresh_from_db()
    assert by_post.address_invalid_since is not None
    assert Entry.objects.get().void is False
    kinds = Event.objects.filter(kind__in=("message_tracked", "place_refused"))
    assert list(kinds.order_by("seq").values_list("kind", flat=True)) == [
        "message_tracked",
        "place_refused",
    ]


def test_an_automatic_letter_leaves_by_post_with_an_account(
    post: PostalAccount, by_post: Customer
) -> None:
    the_pass(by_post.organisation)
    assert Message.objects.get().channel == "letter"
    assert deliver(at(ON)).sent == 1
    assert Entry.objects.get().channel == "letter"
    assert Pretended.objects.get().what["service"] == "normal"


def test_without_one_it_waits_for_the_printer(by_post: Customer) -> None:
    the_pass(by_post.organisation)
    assert Message.objects.count() == 0
    assert Action.objects.get().channel == "letter"


def test_a_place_that_no_letter_finds_is_marked_and_a_person_asked(
    post: PostalAccount, by_post: Customer
) -> None:
    by_post.address, by_post.city = "", ""
    by_post.save()
    the_pass(by_post.organisation)
    by_post.refresh_from_db()
    assert by_post.address_invalid_since == ON
    the_pass(by_post.organisation, ON + timedelta(days=1))
    assert Action.objects.get().reason == "NO_RECIPIENT"
