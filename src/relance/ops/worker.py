"""The worker: lanes that deliver, beside a loop that recovers, records and starts the runs."""

import logging
import os
import signal
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from django.db import close_old_connections, connection

from relance.accounts import clock
from relance.outbox import delivery, identity
from relance.outbox.channels.base import Channel
from relance.outbox.delivery import Hooks, Report

log = logging.getLogger(__name__)

LANES = 3
BATCH = 150
IDLE_SECONDS = 0.5
TICK_SECONDS = 5
PARENT_SECONDS = 1
FIRST_PAUSE, LONGEST_PAUSE = 5, 300  # seconds, while the mail server cannot be reached

Ways = Mapping[str, Callable[[], Channel]]


def _no_runs(now: datetime) -> None:
    return None


def work(
    *,
    stop: threading.Event,
    hooks: Hooks,
    tick: Callable[[datetime], object] = _no_runs,
    now: Callable[[], datetime] = clock.now,
    once: bool = False,
    lanes: int = LANES,
    channels: Ways | None = None,
) -> Report:
    """Deliver what is due until `stop` is set, or with `once` until nothing more is due.

    `tick(now)` is called every few seconds, in this thread: it runs the organisations whose
    hour has come. Claims of dead workers are recovered with each tick, and before the first. When
    `stop` is set each lane finishes the message it is handing over and gives the others back.
    A database that is away, at the start too, is waited for.
    With `once` everything happens in the calling thread.
    """
    total = Report()
    if once:
        total += delivery.recover(at=now(), hooks=hooks)
        tick(now())
        total += drain(hooks=hooks, now=now, channels=channels, stop=stop)
        delivery.record_pending(hooks=hooks)
        return total
    reports = [Report() for _lane in range(lanes)]
    threads = [
        threading.Thread(target=_lane, args=(stop, hooks, now, channels, report), daemon=True)
        for report in reports
    ]
    for thread in threads:
        thread.start()
    while not stop.is_set():
        _safely("recovery", lambda: delivery.recover(at=now(), hooks=hooks))
        _safely("the day's runs", lambda: tick(now()))
        _safely("entries", lambda: delivery.record_pending(hooks=hooks))
        stop.wait(TICK_SECONDS)
    for thread in threads:
        thread.join()
    for report in reports:
        total += report
    return total


def drain(
    *,
    hooks: Hooks,
    now: Callable[[], datetime] = clock.now,
    channels: Ways | None = None,
    stop: threading.Event | None = None,
    lanes: int = 1,
) -> Report:
    """Deliver until nothing is due, the server is out of reach or `stop`.

    One lane works in the calling thread, several in threads of their own.
    """
    if lanes == 1:
        return _drain(hooks, now, channels, stop)
    total = Report()
    with ThreadPoolExecutor(lanes) as pool:
        done = [pool.submit(_drain_apart, hooks, now, channels, stop) for _lane in range(lanes)]
        for report in done:
            total += report.result()
    return total


def _drain_apart(
    hooks: Hooks, now: Callable[[], datetime], channels: Ways | None, stop: threading.Event | None
) -> Report:
    try:
        return _drain(hooks, now, channels, stop)
    finally:
        connection.close()  # a thread has a connection of its own


def _drain(
    hooks: Hooks, now: Callable[[], datetime], channels: Ways | None, stop: threading.Event | None
) -> Report:
    total, worker = Report(), identity.new_name()
    stopping = stop.is_set if stop else lambda: False
    while not stopping():
        report = delivery.deliver_batch(
            worker=worker, now=now, hooks=hooks, limit=BATCH, channels=channels, stopping=stopping
        )
        total += report
        if not report.claimed or report.unreachable:
            break
    return total


def run(
    *,
    hooks: Hooks,
    tick: Callable[[datetime], object] = _no_runs,
    once: bool = False,
    beside: int | None = None,
) -> Report:
    """The body of `relance worker`: like `work`, until SIGTERM or SIGINT; in the main thread.

    Or until `beside`, the process that started it, is gone: killed, it cannot tell anybody.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_args: stop.set())
    if beside is not None:
        threading.Thread(target=_watch, args=(beside, stop), daemon=True).start()
    return work(stop=stop, hooks=hooks, tick=tick, once=once)


def _watch(parent: int, stop: threading.Event) -> None:
    while os.getppid() == parent:  # an orphan is given another parent at once
        if stop.wait(PARENT_SECONDS):
            return
    log.warning("process %d is gone: its worker ends too", parent)
    stop.set()


def _lane(
    stop: threading.Event,
    hooks: Hooks,
    now: Callable[[], datetime],
    channels: Ways | None,
    total: Report,
) -> None:
    """One sending thread: batches back to back, a short sleep when nothing is due."""
    worker = identity.new_name()
    pause: float = FIRST_PAUSE
    clean = True
    while not stop.is_set():
        try:
            close_old_connections()
            if not clean:  # the last batch broke off: put in order what it left
                total += delivery.settle_claims(claimant=worker, at=now(), hooks=hooks)
                clean = True
            report = delivery.deliver_batch(
                worker=worker,
                now=now,
                hooks=hooks,
                limit=BATCH,
                channels=channels,
                stopping=stop.is_set,
            )
        except Exception:
            log.exception("a batch broke off")
            clean = False
            stop.wait(FIRST_PAUSE)
            continue
        total += report
        if report.unreachable:
            log.warning("mail server out of reach for %d s: %s", pause, report.unreachable)
            stop.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
        elif report.claimed:
            pause = FIRST_PAUSE
        else:
            stop.wait(IDLE_SECONDS)
    if not clean:  # what this process knows of them would end with it
        _safely("claims", lambda: delivery.settle_claims(claimant=worker, at=now(), hooks=hooks))
    connection.close()


def _safely(what: str, do: Callable[[], object]) -> None:
    """One part that breaks must not stop the others; it is tried again at the next turn."""
    try:
        close_old_connections()
        do()
    except Exception:
        log.exception("%s broke off", what)
