"""A message leaves once, is written down once, and every other end tells why."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

import pytest

from relance.ledger.models import Customer, Invoice
from relance.outbox import claims, delivery, identity
from relance.outbox.channels.base import DeliveryError
from relance.outbox.channels.fake import FakeChannel
from relance.outbox.delivery import BACKOFF, Cancel, Hooks, Postpone, Report, Rewrite, Verdict
from relance.outbox.models import Attempt, Message, MessageInvoice, Status
from relance.outbox.services import Line

from .conftest import NOW, Clock, Server, make_invoice

pytestmark = pytest.mark.django_db

QueueOne = Callable[..., Message]


class Memory:
    """Hooks that remember what they were told."""

    def __init__(self, verdicts: Mapping[int, Verdict] | None = None) -> None:
        self.recorded: list[int] = []
        self.ended: list[tuple[int, str]] = []
        self.asked = 0
        self.verdicts = verdicts or {}

    def hooks(self) -> Hooks:
        return Hooks(self._recheck, self._record, self._ended)

    def _recheck(self, messages: Sequence[Message]) -> Mapping[int, Verdict]:
        self.asked += 1
        return self.verdicts

    def _record(self, messages: Sequence[Message]) -> None:
        self.recorded += [m.pk for m in messages if m.sent_at and m.status == Status.SENT]

    def _ended(self, messages: Sequence[Message]) -> None:
        self.ended += [(m.pk, m.status) for m in messages]


def deliver(
    clock: Clock, memory: Memory | None = None, channel: FakeChannel | None = None
) -> Report:
    return delivery.deliver_batch(
        worker=identity.new_name(),
        now=clock,
        hooks=(memory or Memory()).hooks(),
        channels={"email": lambda: channel or FakeChannel()},
    )


def test_a_due_message_is_sent_recorded_and_its_attempt_kept(
    queue_one: QueueOne, invoice: Invoice, clock: Clock
) -> None:
    message, memory = queue_one(invoice), Memory()
    report = deliver(clock, memory)
    message.refresh_from_db()
    assert (report.sent, message.status, message.recorded) == (1, Status.SENT, True)
    assert message.sent_at == NOW
    assert message.claimed_by == ""
    assert memory.recorded == [message.pk]
    attempt = Attempt.objects.get(message=message)
    assert (attempt.outcome, attempt.code, attempt.answer) == ("sent", 250, "taken")


def test_nothing_leaves_before_its_time_nor_twice(queue_one: QueueOne, clock: Clock) -> None:
    queue_one(not_before=NOW + timedelta(hours=1))
    assert deliver(clock) == Report()
    clock.forward(hours=1)
    assert deliver(clock).sent == 1
    assert deliver(clock) == Report()


@pytest.mark.parametrize("status", [Status.DRAFT, Status.TO_APPROVE])
def test_a_message_that_waits_for_a_person_does_not_leave(
    queue_one: QueueOne, clock: Clock, status: str
) -> None:
    queue_one(status=status)
    assert deliver(clock) == Report()


def test_one_question_re_checks_the_whole_batch(queue_one: QueueOne, clock: Clock) -> None:
    for _ in range(3):
        queue_one()
    memory = Memory()
    assert deliver(clock, memory).sent == 3
    assert memory.asked == 1


def test_what_is_not_wanted_any_more_is_cancelled_with_its_reason(
    queue_one: QueueOne, invoice: Invoice, clock: Clock
) -> None:
    """S3-11: no level moves, and the step may be queued again."""
    message = queue_one(invoice)
    memory, channel = Memory({message.pk: Cancel("SETTLED")}), FakeChannel()
    report = deliver(clock, memory, channel)
    message.refresh_from_db()
    assert (report.cancelled, message.status, message.reason) == (1, Status.CANCELLED, "SETTLED")
    assert channel.taken == []
    assert memory.recorded == []
    assert memory.ended == [(message.pk, "cancelled")]
    assert queue_one(invoice).status == Status.QUEUED


def test_a_message_re_rendered_leaves_as_re_rendered(
    queue_one: QueueOne, customer: Customer, invoice: Invoice, clock: Clock
) -> None:
    """S3-11: one of two invoices was paid meanwhile."""
    paid = make_invoice(customer, "F-2")
    message = queue_one(invoice, paid)
    line = Line(invoice.pk, 100, carrier=True, plan_id=1, level=1)
    verdict = Rewrite("Nouvel objet", "Nouveau texte", "<p>Nouveau</p>", [line], 100)
    channel = FakeChannel()
    assert deliver(clock, Memory({message.pk: verdict}), channel).sent == 1
    assert channel.taken[0].text == "Nouveau texte"
    assert [line.invoice for line in channel.taken[0].lines.all()] == [invoice]
    message.refresh_from_db()
    assert (message.subject, message.amount_cents) == ("Nouvel objet", 100)
    assert list(message.lines.values_list("invoice", "amount_cents")) == [(invoice.pk, 100)]


def test_a_postponed_message_waits_until_its_new_time(queue_one: QueueOne, clock: Clock) -> None:
    message = queue_one()
    memory = Memory({message.pk: Postpone(NOW + timedelta(days=1), "OUTSIDE_HOURS")})
    assert deliver(clock, memory).postponed == 1
    assert deliver(clock) == Report()
    clock.forward(days=1)
    assert deliver(clock).sent == 1


def test_a_re_check_that_breaks_on_one_message_lets_the_others_go(
    queue_one: QueueOne, clock: Clock
) -> None:
    good, bad = queue_one(), queue_one()

    def recheck(messages: Sequence[Message]) -> Mapping[int, Verdict]:
        if bad in messages:
            raise ValueError("no template")
        return {}

    report = delivery.deliver_batch(
        worker=identity.new_name(),
        now=clock,
        hooks=Hooks(recheck),
        channels={"email": FakeChannel},
    )
    good.refresh_from_db()
    bad.refresh_from_db()
    assert (report.sent, good.status) == (1, Status.SENT)
    assert (bad.status, bad.error) == (Status.RETRYING, "re-check: ValueError: no template")


def test_a_temporary_refusal_is_tried_again_ever_later_and_then_given_up(
    queue_one: QueueOne, invoice: Invoice, clock: Clock
) -> None:
    message, memory = queue_one(invoice), Memory()
    channel = FakeChannel({"dupont@example.com": DeliveryError("try later", code=451)})
    for number, delay in enumerate(BACKOFF, start=1):
        deliver(clock, memory, channel)
        message.refresh_from_db()
        assert (message.status, message.attempts) == (Status.RETRYING, number)
        assert message.not_before == clock.at + delay
        clock.at = message.not_before - timedelta(seconds=1)
        assert deliver(clock, memory, channel) == Report()
        clock.forward(seconds=1)
    deliver(clock, memory, channel)
    message.refresh_from_db()
    assert (message.status, message.error) == (Status.FAILED, "try later")
    assert memory.ended == [(message.pk, "failed")]
    assert Attempt.objects.filter(message=message, outcome="temporary", code=451).count() == 6


def test_a_permanent_refusal_fails_at_once_and_frees_the_step(
    queue_one: QueueOne, invoice: Invoice, clock: Clock
) -> None:
    message = queue_one(invoice)
    channel = FakeChannel(
        {"dupont@example.com": DeliveryError("no such user", permanent=True, code=550)}
    )
    assert deliver(clock, channel=channel).failed == 1
    message.refresh_from_db()
    assert (message.status, message.error) == (Status.FAILED, "no such user")
    assert Attempt.objects.get().answer == "no such user"
    assert not MessageInvoice.objects.filter(live=True).exists()


def test_no_answer_after_the_hand_over_is_uncertain_and_never_resent(
    queue_one: QueueOne, invoice: Invoice, clock: Clock
) -> None:
    message, memory = queue_one(invoice), Memory()
    channel = FakeChannel({"dupont@example.com": DeliveryError("line lost", uncertain=True)})
    assert deliver(clock, memory, channel).uncertain == 1
    message.refresh_from_db()
    assert (message.status, message.error) == (Status.UNCERTAIN, "line lost")
    assert memory.ended == [(message.pk, "uncertain")]
    assert MessageInvoice.objects.get().live, "its step may not be queued again"
    clock.forward(days=30)
    assert deliver(clock) == Report()


def test_a_server_out_of_reach_costs_no_message_a_try(queue_one: QueueOne, clock: Clock) -> None:
    first, second = queue_one(), queue_one()
    channel = FakeChannel({"dupont@example.com": DeliveryError("refused", unreachable=True)})
    report = deliver(clock, channel=channel)
    assert (report.unreachable, report.given_back) == ("refused", 2)
    for message in (first, second):
        message.refresh_from_db()
        assert (message.status, message.attempts) == (Status.QUEUED, 0)
    assert first.error == "refused"


def test_stopping_finishes_the_message_and_gives_the_others_back(
    queue_one: QueueOne, clock: Clock
) -> None:
    for _ in range(3):
        queue_one()
    channel = FakeChannel()
    report = delivery.deliver_batch(
        worker=identity.new_name(),
        now=clock,
        hooks=Hooks(),
        channels={"email": lambda: channel},
        stopping=lambda: len(channel.taken) == 1,
    )
    assert (report.sent, report.given_back) == (1, 2)


def test_entries_that_cannot_be_written_are_asked_for_again(
    queue_one: QueueOne, clock: Clock
) -> None:
    message = queue_one()

    def broken(messages: Sequence[Message]) -> None:
        Message.objects.filter(pk=message.pk).update(level_name="half done")
        raise RuntimeError

    report = delivery.deliver_batch(
        worker=identity.new_name(),
        now=clock,
        hooks=Hooks(record=broken),
        channels={"email": FakeChannel},
    )
    message.refresh_from_db()
    assert (report.sent, message.status, message.recorded) == (1, Status.SENT, False)
    assert message.level_name == "", "what the hook began was undone"
    assert delivery.record_pending(hooks=Hooks(record=broken)) == 0
    memory = Memory()
    assert delivery.record_pending(hooks=memory.hooks()) == 1
    assert delivery.record_pending(hooks=memory.hooks()) == 0
    assert memory.recorded == [message.pk]


DEAD = "elsewhere/00000000.1/7.100/1"


def claim_and_die(clock: Clock) -> list[Message]:
    return claims.claim(worker=DEAD, at=clock(), limit=50, channels=["email"])


def test_what_a_dead_worker_left_is_sorted_by_how_far_it_came(
    queue_one: QueueOne, clock: Clock
) -> None:
    untouched, handed, left = queue_one(), queue_one(), queue_one()
    claim_and_die(clock)
    for message in (handed, left):
        claims.mark_handing(message=message, worker=DEAD, at=clock())
    claims.mark_left(message=left, worker=DEAD, at=clock())
    memory = Memory()
    report = delivery.settle_claims(claimant=DEAD, at=clock(), hooks=memory.hooks())
    assert (report.given_back, report.uncertain, report.sent) == expected_for_this_database()
    left.refresh_from_db()
    handed.refresh_from_db()
    assert (left.status, handed.status) == (Status.SENT, Status.UNCERTAIN)
    assert memory.recorded == [left.pk]
    untouched.refresh_from_db()
    assert untouched.status in (Status.QUEUED, Status.UNCERTAIN)


def expected_for_this_database() -> tuple[int, int, int]:
    """DEAD lived before the machine was started again: SQLite may have lost its last marks."""
    from django.db import connection

    return (0, 2, 1) if connection.vendor == "sqlite" else (1, 1, 1)


def test_a_silent_worker_elsewhere_is_dead_after_a_quarter_of_an_hour(
    queue_one: QueueOne, clock: Clock
) -> None:
    queue_one()
    claim_and_die(clock)
    clock.forward(minutes=15)
    assert delivery.recover(at=clock(), hooks=Hooks()) == Report()
    clock.forward(seconds=1)
    report = delivery.recover(at=clock(), hooks=Hooks())
    assert report.given_back + report.uncertain == 1


def test_a_living_worker_keeps_its_claims_however_long_it_takes(
    queue_one: QueueOne, clock: Clock
) -> None:
    queue_one()
    claims.claim(worker=identity.new_name(), at=clock(), limit=50, channels=["email"])
    clock.forward(days=1)
    assert delivery.recover(at=clock(), hooks=Hooks()) == Report()


def test_a_worker_wrongly_taken_for_dead_hands_nothing_over(
    queue_one: QueueOne, clock: Clock
) -> None:
    message, slow = queue_one(), identity.new_name()
    claims.claim(worker=slow, at=clock(), limit=50, channels=["email"])
    delivery.settle_claims(claimant=slow, at=clock(), hooks=Hooks())
    assert deliver(clock).sent == 1
    with pytest.raises(claims.ClaimLostError):
        claims.mark_handing(message=message, worker=slow, at=clock())


def test_a_late_answer_settles_what_was_thought_uncertain(
    queue_one: QueueOne, clock: Clock
) -> None:
    message = queue_one()
    memory = Memory()

    class Slow(FakeChannel):
        def deliver(self, message, *, at, hand_over):  # type: ignore[no-untyped-def]
            receipt = super().deliver(message, at=at, hand_over=hand_over)
            held = Message.objects.get(pk=message.pk)
            delivery.settle_claims(claimant=held.claimed_by, at=at, hooks=Hooks())
            assert Message.objects.get(pk=message.pk).status == Status.UNCERTAIN
            return receipt

    assert deliver(clock, memory, Slow()).sent == 1
    message.refresh_from_db()
    assert message.status == Status.SENT
    assert memory.recorded == [message.pk]


def test_over_a_real_server_a_batch_uses_one_connection(
    queue_one: QueueOne, clock: Clock, server: Server
) -> None:
    for _ in range(3):
        queue_one()
    report = delivery.deliver_batch(worker=identity.new_name(), now=clock, hooks=Hooks())
    assert report.sent == 3, list(Attempt.objects.values_list("answer"))
    refs = {str(stored.headers()["Message-ID"]) for stored in server.sink.mails()}
    assert refs == set(Message.objects.values_list("message_ref", flat=True))
