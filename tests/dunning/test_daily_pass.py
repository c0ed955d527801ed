"""One ledger through the main job: the pass decides, the outbox sends, history remembers."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pytest

from relance.accounts.models import Firm, FirmMembership, Membership, Organisation, User
from relance.dunning import services
from relance.dunning.daily import run
from relance.dunning.daily.hooks import hooks, is_unknown_address
from relance.dunning.models import Action, Entry, InvoiceChase, Outlook, Plan, Template
from relance.dunning.queries import explain, upcoming
from relance.dunning.wording.messages import Words
from relance.history.models import Event
from relance.history.services import verify
from relance.ledger.models import Customer
from relance.outbox import identity
from relance.outbox.channels.base import DeliveryError
from relance.outbox.channels.fake import FakeChannel
from relance.outbox.delivery import deliver_batch
from relance.outbox.models import Message, Status
from tests.conftest import at, make_customer, make_invoice

DUE = date(2026, 11, 2)


def pass_and_deliver(organisation: Organisation, on: date) -> None:
    run.run(organisation, on=on, now=at(on), spread=False, pause=0)
    deliver_batch(
        worker=identity.new_name(),
        now=lambda: at(on),
        hooks=hooks(lambda: at(on)),
        limit=500,
        channels={"email": FakeChannel},
    )


def sent(customer: Customer) -> Sequence[tuple[date, int]]:
    return list(
        Entry.objects.filter(customer=customer, kind="sent")
        .order_by("id")
        .values_list("on", "level")
    )


def test_a_plan_runs_its_course_over_smtp_and_the_calendar(customer: Customer) -> None:
    """S3-24: J+10 waits for the DMC; due on Monday 2 November 2026, so J+12 is Saturday 14."""
    make_invoice(customer, "F-1", DUE)
    for offset in range(-10, 30):
        pass_and_deliver(customer.organisation, DUE + timedelta(days=offset))
    assert sent(customer) == [
        (date(2026, 10, 30), 1),
        (date(2026, 11, 9), 2),
        (date(2026, 11, 16), 3),
    ]
    [action] = Action.objects.filter(customer=customer, status="open")
    assert (action.level, action.channel, action.due_on) == (4, "call", date(2026, 11, 22))
    assert InvoiceChase.objects.get().level == 3


def test_the_pass_repeated_the_same_day_adds_nothing(customer: Customer) -> None:
    """Complaint of beyond.md C: one run twice sends nothing twice."""
    make_invoice(customer, "F-1", DUE)
    on = DUE + timedelta(days=7)
    for _again in range(3):
        run.run(customer.organisation, on=on, now=at(on), spread=False, pause=0)
    assert Message.objects.count() == 1
    pass_and_deliver(customer.organisation, on)
    pass_and_deliver(customer.organisation, on)
    assert Message.objects.count() == 1


def test_a_payment_between_the_pass_and_the_departure_stops_the_message(customer: Customer) -> None:
    """Engine 3.11: asked again just before; no level moves."""
    invoice = make_invoice(customer, "F-1", DUE)
    on = DUE + timedelta(days=7)
    run.run(customer.organisation, on=on, now=at(on), spread=False, pause=0)
    invoice.balance_cents = 0
    invoice.save()
    pass_and_deliver(customer.organisation, on)
    message = Message.objects.get()
    assert (message.status, message.reason) == (Status.CANCELLED, "NO_OPEN_INVOICE")
    assert not Entry.objects.exists()


def test_one_of_two_invoices_paid_meanwhile_is_taken_out_of_the_text(customer: Customer) -> None:
    """Engine 3.11: the message is rendered again without it."""
    make_invoice(customer, "F-1", DUE, 100_00)
    second = make_invoice(customer, "F-2", DUE + timedelta(days=1), 50_00)
    on = DUE + timedelta(days=7)
    run.run(customer.organisation, on=on, now=at(on), spread=False, pause=0)
    assert Message.objects.get().amount_cents == 150_00
    second.balance_cents = 0
    second.save()
    pass_and_deliver(customer.organisation, on)
    message = Message.objects.get()
    assert (message.status, message.amount_cents) == (Status.SENT, 100_00)
    assert "F-2" not in message.text
    assert "F-1" in message.text


def test_without_an_address_a_person_is_asked_and_the_night_goes_on(
    organisation: Organisation, plan: Plan
) -> None:
    """D-12, S3-14: an automatic step without recipient becomes an action; the others leave."""
    silent = make_customer(organisation, plan, "Chantier Quai Ouest", email="")
    other = make_customer(organisation, plan, "Garage Lemoine")
    make_invoice(silent, "F-1", DUE)
    make_invoice(other, "F-2", DUE)
    pass_and_deliver(organisation, DUE + timedelta(days=7))
    action = Action.objects.get(customer=silent)
    assert (action.reason, action.level, action.status) == ("NO_RECIPIENT", 2, "open")
    assert sent(other) == [(date(2026, 11, 9), 2)]


def test_the_switch_stops_what_is_automatic(customer: Customer) -> None:
    make_invoice(customer, "F-1", DUE)
    organisation = customer.organisation
    organisation.sending_on = False
    organisation.save()
    on = DUE + timedelta(days=7)
    record = run.run(organisation, on=on, now=at(on), spread=False, pause=0)
    assert (record.queued, record.held, Message.objects.count()) == (0, 1, 0)


def test_why_answers_for_yesterday_today_and_tomorrow(customer: Customer) -> None:
    """A1: any date, with the facts of that date."""
    make_invoice(customer, "F-1", DUE)
    organisation = customer.organisation
    for offset in range(12):
        pass_and_deliver(organisation, DUE + timedelta(days=offset))
    today = DUE + timedelta(days=11)
    answers = {
        offset: explain(organisation, customer.pk, on=DUE + timedelta(days=offset), today=today)
        for offset in (5, 7, 11, 14)
    }
    codes = {offset: [r.code for r in answer.reasons] for offset, answer in answers.items()}
    assert codes == {
        5: ["NOT_YET_TRIGGERED"],
        7: ["NOT_YET_TRIGGERED"],
        11: ["MIN_CONTACT_DELAY"],
        14: [],
    }
    assert [answers[o].state for o in (5, 7, 11, 14)] == ["waiting", "acted", "waiting", "leaving"]
    assert answers[14].expected


def test_the_sixty_days_to_come_are_what_then_happens(customer: Customer) -> None:
    make_invoice(customer, "F-1", DUE)
    organisation = customer.organisation
    foreseen = [
        (p.on, p.action.level) for p in upcoming(organisation, customer.pk, today=DUE, days=16)
    ]
    for offset in range(17):
        pass_and_deliver(organisation, DUE + timedelta(days=offset))
    assert foreseen == list(sent(customer))


def test_one_broken_organisation_delays_no_other(
    customer: Customer, stranger: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its fault is logged; the others have their pass of the day."""
    real, broken = run.run, customer.organisation

    def breaking(organisation: Organisation, **when: Any) -> Any:
        if organisation == broken:
            raise RuntimeError("a plan that nobody can read")
        return real(organisation, **when)

    monkeypatch.setattr(run, "run", breaking)
    [done] = run.tick(at(DUE))
    assert done.organisation != broken


def test_an_action_is_sent_by_its_owner_and_only_once(customer: Customer, owner: User) -> None:
    """S3-09: my task list, send; the call of level 4 is completed with its note."""
    make_invoice(customer, "F-1", DUE)
    for offset in range(-5, 30):
        pass_and_deliver(customer.organisation, DUE + timedelta(days=offset))
    on = DUE + timedelta(days=30)
    action = Action.objects.get(status="open")
    services.complete_action(action, actor=owner, on=on, now=at(on), note="Paiera vendredi")
    with pytest.raises(services.Refused) as refused:
        services.complete_action(action, actor=owner, on=on, now=at(on))
    assert refused.value.code == "CLOSED"
    assert sent(customer)[-1] == (on, 4)
    assert Event.objects.filter(kind="action_done").get().data["note"] == "Paiera vendredi"
    assert Outlook.objects.get(customer=customer).code == "END_OF_PLAN"


def test_a_message_written_by_hand_delays_the_plan_while_still_on_its_way(
    customer: Customer, owner: User, template: Template
) -> None:
    """T-30, D-18: an ad-hoc contact counts, also during the ten seconds before it leaves."""
    invoice = make_invoice(customer, "F-1", DUE)
    on = DUE + timedelta(days=7)
    services.write_to(
        customer,
        invoices=[invoice],
        words=Words("Un mot", "Bonjour,\n\n{{ tableau_factures }}"),
        actor=owner,
        on=on,
        now=at(on),
    )
    record = run.run(customer.organisation, on=on, now=at(on), spread=False, pause=0)
    assert record.queued == 0
    [reason] = explain(customer.organisation, customer.pk, on=on, today=on).reasons
    assert (reason.code, reason.until) == ("MIN_CONTACT_DELAY", date(2026, 11, 16))


def test_history_is_a_chain_that_shows_tampering(customer: Customer) -> None:
    make_invoice(customer, "F-1", DUE)
    for offset in (-3, 7):
        pass_and_deliver(customer.organisation, DUE + timedelta(days=offset))
    assert verify(customer.organisation) is None
    Event.objects.filter(seq=1).update(kind="something_else")
    assert verify(customer.organisation) == 1


def test_what_did_not_leave_is_told_and_the_customer_is_free_again(customer: Customer) -> None:
    """D-07: a failure leaves the level; the journal names it; the step is wanted again."""
    make_invoice(customer, "F-1", DUE)
    on = DUE + timedelta(days=7)
    run.run(customer.organisation, on=on, now=at(on), spread=False, pause=0)
    address = str(customer.email)
    deliver_batch(
        worker=identity.new_name(),
        now=lambda: at(on),
        hooks=hooks(lambda: at(on)),
        channels={
            "email": lambda: FakeChannel(
                errors={address: DeliveryError("550 no such user", permanent=True, code=550)}
            )
        },
    )
    assert Message.objects.get().status == Status.FAILED
    [event] = Event.objects.filter(kind="message_failed")
    assert "no such user" in event.data["error"]
    assert not Entry.objects.exists()
    customer.refresh_from_db()
    assert customer.email_invalid_since == on
    pass_and_deliver(customer.organisation, on)
    assert Action.objects.get(customer=customer).reason == "NO_RECIPIENT"


@pytest.mark.parametrize(
    ("code", "answer", "unknown"),
    [
        (550, "5.1.1 user unknown", True),
        (550, "no such user", True),
        (550, "5.7.1 rejected by policy", False),
        (552, "5.2.2 mailbox full", False),
        (552, "mailbox full", False),
        (None, "the document of the invoice is gone", False),
    ],
)
def test_only_an_unknown_address_is_marked(code: int | None, answer: str, unknown: bool) -> None:
    """Spec mail B3: a full box or a policy says nothing about the address."""
    assert is_unknown_address(code, answer) == unknown


def test_what_was_delayed_does_not_leave_at_night(customer: Customer) -> None:
    """D-14, OUTSIDE_HOURS: a server out of reach until 23:30 lets it wait for the morning."""
    make_invoice(customer, "F-1", DUE)
    on = DUE + timedelta(days=7)
    run.run(customer.organisation, on=on, now=at(on), spread=False, pause=0)
    night = at(on) + timedelta(hours=15)
    report = deliver_batch(
        worker=identity.new_name(),
        now=lambda: night,
        hooks=hooks(lambda: night, by_day=True),
        channels={"email": FakeChannel},
    )
    message = Message.objects.get()
    assert (report.postponed, message.not_before) == (1, at(on + timedelta(days=1)))


def test_what_was_delayed_does_not_leave_on_a_day_off(customer: Customer) -> None:
    """D-14: a second try that falls on a Saturday waits for Monday's hour."""
    make_invoice(customer, "F-1", DUE)
    on = DUE + timedelta(days=7)
    run.run(customer.organisation, on=on, now=at(on), spread=False, pause=0)
    saturday = on + timedelta(days=(5 - on.weekday()) % 7)
    report = deliver_batch(
        worker=identity.new_name(),
        now=lambda: at(saturday) + timedelta(hours=2),
        hooks=hooks(lambda: at(saturday) + timedelta(hours=2), by_day=True),
        channels={"email": FakeChannel},
    )
    message = Message.objects.get()
    assert (report.postponed, message.not_before) == (1, at(saturday + timedelta(days=2)))


def test_an_address_that_cannot_be_written_to_becomes_an_action(
    organisation: Organisation, plan: Plan
) -> None:
    """D-12: never silence, whatever is stored as an address."""
    odd = make_customer(organisation, plan, "Odd", email="nobody@123")
    make_invoice(odd, "F-1", DUE)
    on = DUE + timedelta(days=7)
    pass_and_deliver(organisation, on)
    pass_and_deliver(organisation, on + timedelta(days=1))
    assert Action.objects.get(customer=odd).reason == "NO_RECIPIENT"


def test_actions_fall_to_those_who_may_do_them(
    organisation: Organisation, plan: Plan, colleague: User, owner: User
) -> None:
    """D-24, S3-11: a manager who only reads is passed over; a firm stands in for nobody."""
    customer = make_customer(organisation, plan, "Quai Ouest", email="", manager=colleague)
    make_invoice(customer, "F-1", DUE)
    pass_and_deliver(organisation, DUE + timedelta(days=7))
    assert list(Action.objects.get().owners.all()) == [owner]
    Action.objects.all().delete()
    Membership.objects.all().delete()
    firm = Firm.objects.create(name="Cabinet Morvan")
    FirmMembership.objects.create(firm=firm, user=colleague)
    Organisation.objects.update(firm=firm)
    pass_and_deliver(organisation, DUE + timedelta(days=8))
    assert list(Action.objects.get().owners.all()) == [colleague]
