"""Test mode: one address receives everything, the plan goes on as in reality, and is undone."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from relance.accounts.models import Organisation, User
from relance.dunning import services
from relance.dunning.daily import run
from relance.dunning.models import Action, Entry, InvoiceChase, Outlook, Plan, Step, Template
from relance.dunning.services.writing import write_to
from relance.dunning.wording.messages import Words
from relance.history.models import Event
from relance.ledger.models import Customer
from relance.ops.hooks import hooks
from relance.outbox import delivery, identity, test_mode
from relance.outbox import services as outbox
from relance.outbox.channels.base import DeliveryError
from relance.outbox.channels.fake import FakeChannel
from relance.outbox.models import Message, MessageInvoice, Status
from relance.web.queries.journal import teller_of
from tests.conftest import at, make_customer, make_invoice

DUE = date(2026, 11, 2)
SECOND = DUE + timedelta(days=7)
"""Monday 9 November 2026: the level Second rappel leaves."""
TESTER = "essai@kerdoncuff.example"


def enter(organisation: Organisation, actor: User, on: date = SECOND) -> None:
    early = at(on) - timedelta(hours=2)
    test_mode.enter(organisation, to=TESTER, actor=actor, on=on, now=early)


def leave(organisation: Organisation, actor: User, now: datetime) -> int:
    return test_mode.leave(
        organisation, actor=actor, on=now.date(), now=now, ended=hooks(lambda: now).ended
    )


def run_and_deliver(organisation: Organisation, on: date, line: FakeChannel | None = None) -> Any:
    organisation.refresh_from_db()
    run.run(organisation, on=on, now=at(on), spread=False, pause=0)
    return deliver(at(on) + timedelta(minutes=1), line)


def deliver(now: datetime, line: FakeChannel | None = None) -> FakeChannel:
    line = line or FakeChannel()
    delivery.deliver_batch(
        worker=identity.new_name(),
        now=lambda: now,
        hooks=hooks(lambda: now),
        channels={"email": lambda: line},
    )
    return line


def reached(line: FakeChannel) -> set[str]:
    return {to for one in line.taken for to in (*one.recipients, *one.copies)}


def test_a_relance_goes_to_the_address_of_the_test_and_says_to_whom_it_would_have(
    customer: Customer, owner: User
) -> None:
    """The stored message stays as it would have left; subject and head tell of the test."""
    make_invoice(customer, "F-1", DUE)
    enter(customer.organisation, owner)
    line = run_and_deliver(customer.organisation, SECOND)
    [left] = line.taken
    assert reached(line) == {TESTER}
    assert left.subject.startswith(f"[Essai pour {customer.email}] Vos factures échues")
    assert left.text.startswith("Mode test\u00a0: ce message n’est parti qu’à cette adresse.")
    assert f"Destinataires prévus\u00a0: {customer.email}" in left.text
    assert customer.email in left.html.partition("Bonjour")[0]
    message = Message.objects.get()
    assert (message.status, message.diverted_to) == (Status.SENT, TESTER)
    assert message.recipients == [customer.email]
    assert "[Essai" not in message.subject
    told = Event.objects.get(kind="message_sent")
    assert (told.data["to"], told.data["diverted_to"]) == ([customer.email], TESTER)
    tell = teller_of(told.kind)
    assert tell is not None
    assert tell(told.data)[2] == f"{TESTER}, en mode test, au lieu de {customer.email}"


def test_the_plan_advances_in_the_test_as_in_reality(customer: Customer, owner: User) -> None:
    make_invoice(customer, "F-1", DUE)
    enter(customer.organisation, owner)
    for offset in range(7, 22):
        run_and_deliver(customer.organisation, DUE + timedelta(days=offset))
    assert list(Entry.objects.order_by("on").values_list("level", flat=True)) == [2, 3]
    assert Action.objects.get().level == 4


def test_copies_campaigns_and_words_by_hand_reach_nobody_else(
    customer: Customer, owner: User
) -> None:
    """Blind copies too; the original ones are told at the head."""
    invoice = make_invoice(customer, "F-1", DUE)
    enter(customer.organisation, owner)
    now = at(SECOND)
    write_to(
        customer,
        invoices=[invoice],
        words=Words("Votre facture", "Bonjour"),
        actor=owner,
        on=SECOND,
        now=now,
        recipients=["a@delmas.example", "b@delmas.example"],
        copy_to_me=True,
    )
    Message.objects.update(purpose=Message.Purpose.CAMPAIGN)
    line = deliver(now + timedelta(minutes=1))
    assert reached(line) == {TESTER}
    [left] = line.taken
    assert left.subject == "[Essai pour a@delmas.example +1] Votre facture"
    assert "a@delmas.example, b@delmas.example" in left.text
    assert owner.email in left.text


@pytest.mark.parametrize("channel", ["letter", "registered_letter"])
def test_letters_come_as_a_pdf_by_mail_instead_of_paper(
    organisation: Organisation, plan: Plan, owner: User, channel: str
) -> None:
    customer = make_customer(
        organisation, plan, address="12 rue du Port", postcode="29200", city="Brest"
    )
    invoice = make_invoice(customer, "F-1", DUE)
    enter(organisation, owner)
    now = at(SECOND)
    write_to(
        customer,
        invoices=[invoice],
        words=Words("Votre facture", "Bonjour"),
        actor=owner,
        on=SECOND,
        now=now,
        channel=channel,
    )
    [left] = deliver(now + timedelta(minutes=1)).taken
    assert (left.recipients, left.channel) == ([TESTER], "email")
    assert "12 rue du Port" in left.text.upper() or "12 RUE DU PORT" in left.text.upper()
    [sheet] = left.files.all()
    with sheet.file.open("rb") as file:
        assert file.read(5) == b"%PDF-"


def test_leaving_the_mode_undoes_what_it_sent_and_the_customer_gets_his_first_true_relance(
    customer: Customer, owner: User
) -> None:
    organisation = customer.organisation
    invoice = make_invoice(customer, "F-1", DUE)
    enter(organisation, owner)
    run_and_deliver(organisation, SECOND)
    assert InvoiceChase.objects.get(invoice=invoice).level == 2
    assert leave(organisation, owner, at(SECOND) + timedelta(hours=1)) == 1
    message = Message.objects.get()
    assert (message.status, message.reason) == (Status.CANCELLED, "TEST")
    assert not MessageInvoice.objects.filter(live=True).exists()
    assert not Entry.objects.filter(void=False).exists()
    chase = InvoiceChase.objects.get(invoice=invoice)
    assert (chase.level, chase.last_on) == (0, None)
    assert Outlook.objects.get(customer=customer).next_level == 2
    line = run_and_deliver(organisation, SECOND + timedelta(days=1))
    assert reached(line) == {customer.email}
    assert Event.objects.filter(kind__in=["test_mode_entered", "test_mode_left"]).count() == 2


def test_what_was_queued_in_the_test_never_leaves_for_real(customer: Customer, owner: User) -> None:
    make_invoice(customer, "F-1", DUE)
    enter(customer.organisation, owner)
    customer.organisation.refresh_from_db()
    run.run(customer.organisation, on=SECOND, now=at(SECOND), spread=False, pause=0)
    assert test_mode.count(customer.organisation).waiting == 1
    leave(customer.organisation, owner, at(SECOND) + timedelta(minutes=1))
    line = deliver(at(SECOND) + timedelta(hours=1))
    assert line.taken == []
    assert Message.objects.get().reason == "TEST"


def test_what_was_queued_for_real_waits_for_the_end_and_is_counted(
    customer: Customer, owner: User
) -> None:
    """Neither diverted nor sent behind anybody's back; it goes on with the re-check."""
    make_invoice(customer, "F-1", DUE)
    organisation = customer.organisation
    run.run(organisation, on=SECOND, now=at(SECOND), spread=False, pause=0)
    later = at(SECOND) + timedelta(minutes=5)
    assert test_mode.waiting_for_real(organisation) == 1
    test_mode.enter(organisation, to=TESTER, actor=owner, on=SECOND, now=later)
    assert deliver(later).taken == []
    assert test_mode.count(organisation) == (0, 0, 1)
    assert leave(organisation, owner, later + timedelta(hours=1)) == 0
    line = deliver(later + timedelta(hours=2))
    assert reached(line) == {customer.email}


class Switching(FakeChannel):
    """Somebody switches the mode after the bytes were made, just before the hand-over."""

    def __init__(self, switch: Any) -> None:
        super().__init__()
        self.switch = switch

    def deliver(self, message: Message, **more: Any) -> Any:
        self.switch()
        return super().deliver(message, **more)


def test_a_switch_on_between_writing_and_handing_over_sends_nothing(
    customer: Customer, owner: User
) -> None:
    """One statement decides: the mode must be what the bytes were made for."""
    make_invoice(customer, "F-1", DUE)
    organisation = customer.organisation
    line = Switching(lambda: enter(organisation, owner))
    run_and_deliver(organisation, SECOND, line)
    assert line.taken == []
    message = Message.objects.get()
    assert (message.status, message.diverted_to) == (Status.QUEUED, "")


def test_a_switch_off_between_writing_and_handing_over_sends_nothing_ever(
    customer: Customer, owner: User
) -> None:
    make_invoice(customer, "F-1", DUE)
    organisation = customer.organisation
    enter(organisation, owner)
    line = Switching(lambda: leave(organisation, owner, at(SECOND)))
    run_and_deliver(organisation, SECOND, line)
    assert line.taken == []
    message = Message.objects.get()
    assert (message.status, message.reason) == (Status.CANCELLED, "TEST")
    assert deliver(at(SECOND) + timedelta(hours=3)).taken == []


class LeavingMeanwhile(FakeChannel):
    """The mode is left while the server of the other side thinks about its answer."""

    def __init__(self, switch: Any) -> None:
        super().__init__()
        self.switch = switch

    def deliver(self, message: Message, **more: Any) -> Any:
        receipt = super().deliver(message, **more)
        self.switch()
        return receipt


def test_a_mode_left_during_the_hand_over_still_undoes_it(customer: Customer, owner: User) -> None:
    make_invoice(customer, "F-1", DUE)
    organisation = customer.organisation
    enter(organisation, owner)
    line = LeavingMeanwhile(lambda: leave(organisation, owner, at(SECOND)))
    run_and_deliver(organisation, SECOND, line)
    assert reached(line) == {TESTER}
    message = Message.objects.get()
    assert (message.status, message.reason) == (Status.CANCELLED, "TEST")
    assert not Entry.objects.filter(void=False).exists()


def test_a_refused_address_of_the_test_says_nothing_about_the_customer(
    customer: Customer, owner: User
) -> None:
    make_invoice(customer, "F-1", DUE)
    enter(customer.organisation, owner)
    unknown = DeliveryError("5.1.1 user unknown", permanent=True, code=550)
    run_and_deliver(customer.organisation, SECOND, FakeChannel({TESTER: unknown}))
    message = Message.objects.get()
    assert (message.status, message.diverted_to) == (Status.FAILED, TESTER)
    customer.refresh_from_db()
    assert customer.email_invalid_since is None
    leave(customer.organisation, owner, at(SECOND) + timedelta(hours=1))
    message.refresh_from_db()
    with pytest.raises(outbox.StateConflictError):
        outbox.retry(message=message, now=at(SECOND))


def test_an_uncertain_one_of_a_test_that_is_over_is_never_sent_again(
    customer: Customer, owner: User
) -> None:
    make_invoice(customer, "F-1", DUE)
    enter(customer.organisation, owner)
    doubt = DeliveryError("no answer", uncertain=True)
    run_and_deliver(customer.organisation, SECOND, FakeChannel({TESTER: doubt}))
    assert Message.objects.get().status == Status.UNCERTAIN
    assert leave(customer.organisation, owner, at(SECOND) + timedelta(hours=1)) == 1
    with pytest.raises(outbox.StateConflictError):
        outbox.settle_uncertain(
            message=Message.objects.get(), sent=False, actor=owner, now=at(SECOND)
        )


def test_another_dossier_is_not_concerned(
    customer: Customer, owner: User, stranger: User, template: Template
) -> None:
    elsewhere = Organisation.objects.exclude(pk=customer.organisation_id).get()
    plan = Plan.objects.create(organisation=elsewhere, name="Leur plan")
    words = Template.objects.create(organisation=elsewhere, name="R", subject="S", body="B")
    Step.objects.create(
        organisation=elsewhere, plan=plan, level=1, name="R", days=7, automatic=True, template=words
    )
    theirs = make_customer(elsewhere, plan, "Épicerie")
    make_invoice(theirs, "F-1", DUE)
    elsewhere.email_from = "nous@ailleurs.example"
    elsewhere.save()
    enter(customer.organisation, owner)
    assert reached(run_and_deliver(elsewhere, SECOND)) == {theirs.email}


def test_a_bad_address_is_refused_and_nothing_changes(
    organisation: Organisation, owner: User
) -> None:
    with pytest.raises(outbox.OutboxError):
        test_mode.enter(organisation, to="pas une adresse", actor=owner, on=SECOND, now=at(SECOND))
    organisation.refresh_from_db()
    assert organisation.test_to == ""


def test_an_action_done_in_the_test_is_to_be_done_again(
    organisation: Organisation, plan: Plan, owner: User
) -> None:
    """The to-do list forgets the deed with the mail that was its proof."""
    plan.steps.filter(level=2).update(automatic=False)
    customer = make_customer(organisation, plan)
    make_invoice(customer, "F-1", DUE)
    enter(organisation, owner)
    run_and_deliver(organisation, SECOND)
    action = Action.objects.get()
    services.send_action(action, actor=owner, on=SECOND, now=at(SECOND))
    line = deliver(at(SECOND) + timedelta(minutes=2))
    assert reached(line) == {TESTER}
    action.refresh_from_db()
    assert action.status == Action.Status.DONE
    leave(organisation, owner, at(SECOND) + timedelta(hours=1))
    action.refresh_from_db()
    assert (action.status, action.withdrawn_reason) == (Action.Status.WITHDRAWN, "TEST")
    assert Action.objects.filter(status=Action.Status.OPEN, level=2).count() == 1
