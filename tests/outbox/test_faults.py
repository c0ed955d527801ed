"""What goes wrong around the point of no return: never twice, never lost, never stuck."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.db import InterfaceError, OperationalError

from relance.outbox import claims, delivery, identity, notices, pace
from relance.outbox.channels.base import Channel, DeliveryError, Receipt
from relance.outbox.channels.email.smtp import Line
from relance.outbox.channels.fake import FakeChannel
from relance.outbox.delivery import Hooks, Report, Verdict
from relance.outbox.models import Mailbox, Message, Notice, Status
from tests.outbox.test_notices import written

from .conftest import NOW, Clock

QueueOne = Callable[..., Message]


def deliver(clock: Clock, channel: Channel, worker: str, hooks: Hooks | None = None) -> Report:
    return delivery.deliver_batch(
        worker=worker, now=clock, hooks=hooks or Hooks(), channels={"email": lambda: channel}
    )


class Broken:
    """Stands for `claims._mark`: the marks of `sql` fail, after being kept or not."""

    def __init__(self, sql: str, *, kept: bool, times: int, fault: type[Exception]) -> None:
        self.sql, self.kept, self.times, self.fault = sql, kept, times, fault
        self.mark = claims._mark

    def __call__(self, sql: str, at: datetime, *values: Any) -> bool:
        if sql != self.sql or not self.times:
            return self.mark(sql, at, *values)
        self.times -= 1
        if self.kept:
            self.mark(sql, at, *values)
        raise self.fault("the server closed the connection unexpectedly")


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "sleep", lambda seconds: None)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("fault", [OperationalError, InterfaceError])
@pytest.mark.parametrize("kept", [True, False])
def test_a_mark_whose_answer_is_lost_is_asked_for_again(
    queue_one: QueueOne, clock: Clock, no_pause: None, kept: bool, fault: type[Exception]
) -> None:
    """The commit may have been kept although the connection died before its answer."""
    message = queue_one()
    with patch.object(claims, "_mark", Broken(claims.LEFT, kept=kept, times=2, fault=fault)):
        assert deliver(clock, FakeChannel(), identity.new_name()).sent == 1
    message.refresh_from_db()
    assert (message.status, message.sent_at) == (Status.SENT, NOW)


@pytest.mark.django_db(transaction=True)
def test_what_left_while_the_disk_was_full_is_remembered_until_it_can_be_written(
    queue_one: QueueOne, clock: Clock, no_pause: None
) -> None:
    """The disk fills up between the answer of the server and the mark, and stays full."""
    message, other, worker = queue_one(), queue_one(), identity.new_name()
    channel = FakeChannel()
    full = Broken(claims.LEFT, kept=False, times=99, fault=OperationalError)
    with patch.object(claims, "_mark", full), pytest.raises(OperationalError):
        deliver(clock, channel, worker)
    report = delivery.settle_claims(claimant=worker, at=clock(), hooks=Hooks())
    assert (report.sent, report.given_back, report.uncertain) == (1, 1, 0)
    message.refresh_from_db()
    assert (message.status, message.sent_at) == (Status.SENT, NOW)
    assert deliver(clock, channel, worker).sent == 1
    assert channel.taken == [message, other]


@pytest.mark.django_db(transaction=True)
def test_a_hand_over_that_the_database_refused_is_no_departure(
    queue_one: QueueOne, clock: Clock
) -> None:
    """Kept although the answer was lost: nothing left, and this process knows it."""
    message, worker, channel = queue_one(), identity.new_name(), FakeChannel()
    locked = Broken(claims.HANDING, kept=True, times=1, fault=OperationalError)
    with patch.object(claims, "_mark", locked), pytest.raises(OperationalError):
        deliver(clock, channel, worker)
    delivery.settle_claims(claimant=worker, at=clock(), hooks=Hooks())
    message.refresh_from_db()
    assert (message.status, message.attempts, channel.taken) == (Status.QUEUED, 0, [])
    assert deliver(clock, channel, worker).sent == 1


@pytest.mark.django_db
def test_what_was_remembered_of_one_try_is_not_believed_of_the_next(
    queue_one: QueueOne, clock: Clock
) -> None:
    message, worker = queue_one(), identity.new_name()
    claims.claim(worker=worker, at=NOW, limit=1, channels=["email"])
    claims._known[worker] = {message.pk: None}
    claims.mark_handing(message=message, worker=worker, at=NOW)
    assert [one.pk for one in claims.abandon(claimant=worker, at=NOW).uncertain] == [message.pk]


@pytest.mark.django_db
@pytest.mark.parametrize(("late", "status"), [(False, Status.RETRYING), (True, Status.UNCERTAIN)])
def test_a_message_that_breaks_the_channel_does_not_stop_those_behind_it(
    queue_one: QueueOne, clock: Clock, late: bool, status: str
) -> None:
    """Else it would come first again and again, and the whole queue would stand still."""
    poison, sound = queue_one(), queue_one()

    class Breaking(FakeChannel):
        def deliver(
            self, message: Message, *, at: datetime, hand_over: Callable[[], None]
        ) -> Receipt:
            if message.pk != poison.pk:
                return super().deliver(message, at=at, hand_over=hand_over)
            if late:
                hand_over()
            raise FileNotFoundError("facture.pdf")

    assert deliver(clock, Breaking(), identity.new_name()).sent == 1
    poison.refresh_from_db()
    sound.refresh_from_db()
    assert (poison.status, sound.status) == (status, Status.SENT)
    assert "facture.pdf" in poison.error


@pytest.mark.django_db
@pytest.mark.parametrize("where", ["weights._weight", "diversion.as_it_leaves"])
def test_one_that_breaks_before_any_line_is_opened_does_not_stop_the_others_either(
    queue_one: QueueOne, clock: Clock, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """The first of its batch: there is no line to close, and nothing of it has left."""
    poison, sound = queue_one(), queue_one()
    module, name = getattr(delivery, where.partition(".")[0]), where.partition(".")[2]
    real = getattr(module, name)

    def breaks(message: Message, **more: Any) -> Any:
        if message.pk == poison.pk:
            raise KeyError("poison")
        return real(message, **more)

    monkeypatch.setattr(module, name, breaks)
    channel = FakeChannel()
    report = deliver(clock, channel, identity.new_name())
    assert (report.sent, report.retrying, report.uncertain) == (1, 1, 0)
    assert [one.pk for one in channel.taken] == [sound.pk]
    poison.refresh_from_db()
    assert (poison.status, poison.attempts) == (Status.RETRYING, 1)


@pytest.mark.django_db
def test_an_answer_that_no_database_stores_stops_nothing(queue_one: QueueOne, clock: Clock) -> None:
    """PostgreSQL refuses a NUL: the batch would break off at this message again and again."""
    refused, taken = queue_one(), queue_one()

    class Garbled(FakeChannel):
        def deliver(
            self, message: Message, *, at: datetime, hand_over: Callable[[], None]
        ) -> Receipt:
            if message.pk == refused.pk:
                raise DeliveryError("4.7.1 \x00 later", code=451)
            hand_over()
            return Receipt(250, "2.0.0 \x00", {"a@b.fr": "550 \x00"})

    report = deliver(clock, Garbled(), identity.new_name())
    assert (report.sent, report.retrying) == (1, 1)
    refused.refresh_from_db()
    taken.refresh_from_db()
    assert (refused.error, taken.error) == ("4.7.1  later", "2.0.0 \na@b.fr: 550 ")


@pytest.mark.django_db
def test_a_database_that_fails_in_the_re_check_costs_no_message_a_try(
    queue_one: QueueOne, clock: Clock
) -> None:
    message = queue_one()

    def recheck(messages: Sequence[Message]) -> Mapping[int, Verdict]:
        raise OperationalError("database is locked")

    with pytest.raises(OperationalError):
        deliver(clock, FakeChannel(), identity.new_name(), Hooks(recheck=recheck))
    message.refresh_from_db()
    assert (message.status, message.attempts) == (Status.QUEUED, 0)


@pytest.mark.django_db
def test_a_clock_set_back_or_forward_sends_nothing_twice(queue_one: QueueOne, clock: Clock) -> None:
    """Of another machine only the silence tells: a leap makes it long, and nothing worse."""
    elsewhere = identity.new_name().replace("/", "/0", 1)
    message, worker, channel = queue_one(), elsewhere, FakeChannel()
    [held] = claims.claim(worker=worker, at=clock(), limit=1, channels=["email"])
    clock.at -= timedelta(days=400)
    assert delivery.recover(at=clock(), hooks=Hooks()) == Report()
    claims.mark_handing(message=held, worker=worker, at=clock())
    clock.at += timedelta(days=800)
    assert delivery.recover(at=clock(), hooks=Hooks()).uncertain == 1
    assert deliver(clock, channel, identity.new_name()) == Report()
    assert claims.mark_left(message=held, worker=worker, at=clock())
    message.refresh_from_db()
    assert (message.status, channel.taken) == (Status.UNCERTAIN, []), "then settled as sent"


@pytest.mark.django_db
def test_a_notice_being_handed_over_is_not_opened_again_by_who_met_a_fault_before(
    organisation: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S4-30: two workers read the same notice; one waits for the answer while the other fails."""
    written(organisation)
    tries: list[str] = []

    def slow(self: Line, sheet: object, *, hand_over: Callable[[], None]) -> None:
        tries.append("slow")
        hand_over()
        monkeypatch.setattr(Line, "deliver", refused)
        notice = Notice.objects.get()
        notice.handed_at = None  # as the other worker read it a moment ago
        notices._put_off(notice, DeliveryError("451 later"), NOW)
        monkeypatch.setattr(Line, "deliver", slow)
        raise RuntimeError("killed before the answer")

    def refused(self: Line, sheet: object, *, hand_over: Callable[[], None]) -> None:
        raise DeliveryError("451 later")

    monkeypatch.setattr(Line, "deliver", slow)
    with pytest.raises(RuntimeError):
        notices.deliver(now=NOW)
    assert notices.deliver(now=NOW + timedelta(hours=3)) == 0
    assert tries == ["slow"]


@pytest.mark.django_db
def test_a_clock_that_was_far_ahead_for_a_moment_does_not_shut_a_mailbox_until_then(
    queue_one: QueueOne, organisation: Any
) -> None:
    mailbox = Mailbox.objects.create(
        organisation=organisation, address="a@b.example", host="b.example", per_minute=1, per_day=1
    )
    message = queue_one(mailbox=mailbox)
    Message.objects.filter(pk=message.pk).update(sent_at=NOW + timedelta(days=365))
    assert pace.halt_of(mailbox, at=NOW) is None
    Message.objects.filter(pk=message.pk).update(sent_at=NOW + timedelta(hours=1))
    halt = pace.halt_of(mailbox, at=NOW)
    assert halt is not None
    assert halt.until == NOW + timedelta(hours=25)
