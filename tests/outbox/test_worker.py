"""The loop around deliveries: it runs until told to stop, whatever breaks inside."""

import os
import threading
import time
from collections.abc import Callable
from datetime import datetime
from unittest.mock import Mock

import pytest

from relance.ops import worker
from relance.outbox import claims, identity
from relance.outbox.channels.base import DeliveryError
from relance.outbox.channels.fake import FakeChannel
from relance.outbox.delivery import Hooks, Report
from relance.outbox.models import Message

from .conftest import NOW, Clock

QueueOne = Callable[..., Message]


def work_once(clock: Clock, channel: FakeChannel, **options: object) -> int:
    report = worker.work(
        stop=threading.Event(),
        hooks=Hooks(),
        now=clock,
        once=True,
        channels={"email": lambda: channel},
        **options,  # type: ignore[arg-type]
    )
    return report.sent


@pytest.mark.django_db
def test_once_runs_the_day_then_sends_all_that_is_due(queue_one: QueueOne, clock: Clock) -> None:
    for _ in range(worker.BATCH + 1):
        queue_one()
    asked: list[datetime] = []

    def tick(at: datetime) -> None:
        asked.append(at)
        queue_one()

    assert work_once(clock, FakeChannel(), tick=tick) == worker.BATCH + 2
    assert asked == [NOW]


@pytest.mark.django_db
def test_once_ends_when_the_server_is_out_of_reach(queue_one: QueueOne, clock: Clock) -> None:
    queue_one()
    down = FakeChannel({"dupont@example.com": DeliveryError("down", unreachable=True)})
    assert work_once(clock, down) == 0
    assert work_once(clock, FakeChannel()) == 1


@pytest.mark.django_db
def test_claims_of_a_dead_process_are_recovered_at_the_start(
    queue_one: QueueOne, clock: Clock
) -> None:
    queue_one()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, identity.new_name().encode())
        os._exit(0)
    name = os.read(reader, 200).decode()
    os.waitpid(child, 0)
    claims.claim(worker=name, at=clock(), limit=1, channels=["email"])
    assert work_once(clock, FakeChannel()) == 1


def test_names_differ_and_tell_the_living_from_the_dead() -> None:
    name = identity.new_name()
    assert identity.new_name() != name
    assert len(name) <= 80
    assert identity.same_boot(name)
    assert not identity.is_dead(name, last_sign=NOW, at=NOW)
    host, place, process, number = name.split("/")
    pid, _started = process.split(".")
    reused = f"{host}/{place}/{pid}.1/{number}"
    assert identity.is_dead(reused, last_sign=NOW, at=NOW), "the same id, another process"
    assert identity.is_dead("unreadable", last_sign=NOW, at=NOW + 2 * identity.SILENCE)


def test_whatever_breaks_the_loop_goes_on_and_stops_at_once_when_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A batch that broke off is put in order before the next; a run that broke is tried again."""
    stop, done = threading.Event(), []

    def deliver_batch(**options: object) -> Report:
        done.append("batch")
        if done.count("batch") == 1:
            raise RuntimeError("the database went away")
        return Report()

    def settle_claims(**options: object) -> Report:
        done.append("settled")
        return Report()

    def tick(at: datetime) -> None:
        done.append("tick")
        raise RuntimeError("no such plan")

    monkeypatch.setattr(worker, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(worker, "IDLE_SECONDS", 0.01)
    monkeypatch.setattr(worker, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(worker.delivery, "deliver_batch", deliver_batch)
    monkeypatch.setattr(worker.delivery, "settle_claims", settle_claims)
    monkeypatch.setattr(worker.delivery, "recover", lambda **options: Report())
    monkeypatch.setattr(worker.delivery, "record_pending", lambda **options: 0)
    monkeypatch.setattr(worker, "close_old_connections", lambda: None)
    monkeypatch.setattr(worker, "connection", Mock())
    thread = threading.Thread(
        target=worker.work, kwargs={"stop": stop, "hooks": Hooks(), "tick": tick, "lanes": 1}
    )
    thread.start()
    limit = time.monotonic() + 5
    while (done.count("tick") < 2 or done.count("batch") < 3) and time.monotonic() < limit:
        time.sleep(0.01)
    stop.set()
    thread.join(5)
    assert not thread.is_alive()
    assert [what for what in done if what != "tick"][:3] == ["batch", "settled", "batch"]
    assert done.count("tick") >= 2


def test_an_unreachable_server_is_asked_ever_more_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waited.append(timeout or 0)
            if len(waited) == 9:
                self.set()
            return self.is_set()

    def deliver_batch(**options: object) -> Report:
        return Report(claimed=1, unreachable="down")

    monkeypatch.setattr(worker.delivery, "deliver_batch", deliver_batch)
    monkeypatch.setattr(worker, "close_old_connections", lambda: None)
    monkeypatch.setattr(worker, "connection", Mock())
    worker._lane(Stop(), Hooks(), lambda: NOW, None, Report())
    assert waited == [5, 10, 20, 40, 80, 160, 300, 300, 300]
