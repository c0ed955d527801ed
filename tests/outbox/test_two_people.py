"""Two people, or a person and a worker, at the same message at the same moment: one wins.

The second acts between the first one's act and its commit, on a connection of its own. On
PostgreSQL rows are locked; SQLite lets one write at a time.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from relance.accounts.models import Organisation, User
from relance.dunning import services as dunning
from relance.dunning.daily import run
from relance.dunning.lots import batches
from relance.dunning.models import Batch, Plan
from relance.dunning.wording.messages import Words
from relance.ledger.models import Customer
from relance.outbox import claims, print_runs, services
from relance.outbox.delivery import Hooks
from relance.outbox.models import Message, PrintRun, Status
from tests.conftest import NOW, TODAY, make_customer, make_invoice
from tests.together import crossing

pytestmark = pytest.mark.django_db(transaction=True)

LATER = NOW + timedelta(hours=3)


@pytest.fixture
def message(organisation: Organisation, plan: Plan) -> Message:
    """A reminder of the day, in the queue."""
    customer = make_customer(organisation, plan, "Armor")
    make_invoice(customer, "F-1", TODAY - timedelta(days=8))
    run.run(organisation, on=TODAY, now=NOW)
    return Message.objects.get()


def claim(worker: str = "a worker") -> list[int]:
    found = claims.claim(worker=worker, at=LATER, limit=50, channels=["email"])
    return [one.pk for one in found]


Deed = Callable[[Message], object]
TAKEN_BACK: dict[str, Deed] = {
    "cancel": lambda m: services.cancel(message=m, reason="BY_HAND", now=LATER),
    "cancel many": lambda m: services.cancel_many(message_ids=[m.pk], reason="X", now=LATER),
    "hold": lambda m: services.hold(message=m),
    "mark as sent by other means": lambda m: services.mark_sent(message=m, now=LATER),
}


@pytest.mark.parametrize("deed", TAKEN_BACK)
def test_what_is_claimed_can_no_longer_be_taken_back(message: Message, deed: str) -> None:
    mine, his = crossing(claim, lambda: TAKEN_BACK[deed](Message.objects.get(pk=message.pk)))
    assert mine == [message.pk]
    assert his == [] or isinstance(his, services.StateConflictError)
    assert Message.objects.get().status == Status.SENDING


@pytest.mark.parametrize("deed", TAKEN_BACK)
def test_what_is_taken_back_is_not_claimed(message: Message, deed: str) -> None:
    _mine, his = crossing(lambda: TAKEN_BACK[deed](Message.objects.get(pk=message.pk)), claim)
    assert his == []
    assert Message.objects.get().status not in (Status.SENDING, Status.QUEUED)


def edit(message: Message) -> None:
    services.edit(
        message=message,
        subject="Autre",
        text="Autre",
        html="<p>Autre</p>",
        recipients=["autre@example.com"],
        copies=[],
    )


def test_what_is_claimed_leaves_as_it_was_read(message: Message) -> None:
    """An edit either comes before the claim, and leaves, or is refused; never half."""
    _mine, his = crossing(claim, lambda: edit(Message.objects.get(pk=message.pk)))
    assert isinstance(his, services.StateConflictError)
    assert Message.objects.get().recipients == message.recipients


def test_what_is_being_edited_is_claimed_with_its_new_words_or_later(message: Message) -> None:
    crossing(lambda: edit(Message.objects.get(pk=message.pk)), claim)
    claim("another")
    [held] = Message.objects.filter(status=Status.SENDING)
    assert held.recipients == ["autre@example.com"]


def test_two_workers_share_and_never_hold_the_same(message: Message) -> None:
    mine, his = crossing(lambda: claim("one"), lambda: claim("two"))
    assert (mine, his) == ([message.pk], [])


def test_an_approval_counts_once(message: Message) -> None:
    Message.objects.update(status=Status.TO_APPROVE)

    def approve() -> None:
        services.release(message=Message.objects.get(pk=message.pk), now=LATER)

    first, second = crossing(approve, approve)
    assert first is None
    assert isinstance(second, services.StateConflictError)


def test_of_an_uncertain_message_one_person_says_what_became_of_it(
    message: Message, owner: User
) -> None:
    """Sent, says one; send again, says the other: the first is believed, nothing leaves twice."""
    Message.objects.update(status=Status.UNCERTAIN, handed_at=NOW)

    def say(sent: bool) -> object:
        one = Message.objects.get(pk=message.pk)
        return services.settle_uncertain(message=one, sent=sent, actor=owner, now=LATER)

    _first, second = crossing(lambda: say(True), lambda: say(False))
    assert isinstance(second, services.StateConflictError)
    assert Message.objects.get().status == Status.SENT


# --- letters ------------------------------------------------------------------------------


@pytest.fixture
def letter(organisation: Organisation, owner: User, plan: Plan) -> Message:
    """A letter that waits to be printed."""
    customer = make_customer(
        organisation, plan, "Armor", address="3 rue du Port", postcode="29000", city="Quimper"
    )
    invoice = make_invoice(customer, "F-1", TODAY - timedelta(days=8))
    return dunning.write_to(
        customer,
        invoices=[invoice],
        words=Words("Point", "Bonjour,\n\n{{ tableau_factures }}"),
        actor=owner,
        on=TODAY,
        now=NOW,
        channel="letter",
    )


def printed(letter: Message, actor: User) -> PrintRun:
    made = print_runs.make(
        organisation=letter.organisation,
        message_ids=[letter.pk],
        actor=actor,
        now=NOW,
        hooks=Hooks(),
    )
    return made.run


def test_a_letter_is_on_the_paper_of_one_person(letter: Message, owner: User) -> None:
    first, second = crossing(lambda: printed(letter, owner), lambda: printed(letter, owner))
    assert isinstance(first, PrintRun)
    assert isinstance(second, print_runs.NothingToPrintError)
    assert PrintRun.objects.count() == 1


def test_a_run_is_confirmed_once(letter: Message, owner: User) -> None:
    sheet, told = printed(letter, owner), []

    def confirm() -> int:
        again = PrintRun.objects.get(pk=sheet.pk)
        hooks = Hooks(record=lambda sent: told.extend(one.pk for one in sent))
        return print_runs.confirm(run=again, actor=owner, now=NOW, hooks=hooks)

    first, second = crossing(confirm, confirm)
    assert first == 1
    assert isinstance(second, print_runs.AlreadyConfirmedError)
    assert told == [letter.pk]


def test_a_run_is_confirmed_or_put_back_never_both(letter: Message, owner: User) -> None:
    sheet = printed(letter, owner)
    _first, second = crossing(
        lambda: print_runs.put_back(run=PrintRun.objects.get(pk=sheet.pk)),
        lambda: print_runs.confirm(run=sheet, actor=owner, now=NOW, hooks=Hooks()),
    )
    assert isinstance(second, services.OutboxError)
    assert Message.objects.get().status == Status.QUEUED


# --- what people begin --------------------------------------------------------------------


def test_the_same_form_sent_by_two_connections_is_one_message(
    organisation: Organisation, plan: Plan, owner: User
) -> None:
    customer = make_customer(organisation, plan, "Armor")
    invoice = make_invoice(customer, "F-1", TODAY - timedelta(days=8))

    def send() -> Message:
        return dunning.write_to(
            Customer.objects.get(pk=customer.pk),
            invoices=[invoice],
            words=Words("Point", "Bonjour,\n\n{{ tableau_factures }}"),
            actor=User.objects.get(pk=owner.pk),
            on=TODAY,
            now=NOW,
            form_key="the same",
        )

    first, second = crossing(send, send)
    assert isinstance(first, Message)
    assert first == second
    assert Message.objects.count() == 1


def test_a_batch_is_begun_once_and_its_lines_are_done_once(
    organisation: Organisation, plan: Plan, owner: User
) -> None:
    batch = Batch.objects.create(
        organisation=organisation,
        kind=Batch.Kind.RELANCE,
        title="Lot",
        channel="email",
        made_by=owner,
        made_at=NOW,
    )

    def start() -> object:
        return batches.start(Batch.objects.get(pk=batch.pk), actor=owner, now=NOW)

    first, second = crossing(start, start)
    assert isinstance(first, Batch)
    assert isinstance(second, dunning.Refused)


def test_the_day_s_pass_of_two_workers_writes_each_message_once(
    organisation: Organisation, plan: Plan
) -> None:
    customer = make_customer(organisation, plan, "Armor")
    make_invoice(customer, "F-1", TODAY - timedelta(days=8))

    def day() -> Any:
        return run.run(Organisation.objects.get(), on=TODAY, now=NOW)

    crossing(day, day)
    assert Message.objects.count() == 1
