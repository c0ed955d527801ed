"""A worker of the scenario: the product's own, only less patient, with the scenario's clock."""

import faulthandler
import logging
import os
import signal
import threading
from datetime import datetime
from pathlib import Path
from typing import NoReturn, Protocol

SILENCE_SECONDS = 1.0
"""How long it waits for a server; in earnest half a minute, and two for the last answer."""


class Clock(Protocol):
    def now(self) -> datetime: ...


def main(folder: Path, clock: Clock, number: int, start: int) -> NoReturn:
    """Work in this process, just forked, until told to stop; never returns."""
    code = 1
    try:
        faulthandler.register(signal.SIGUSR1, (folder / f"stacks-{number}").open("w"))
        logging.raiseExceptions = False  # its own disk is full too, for a moment
        logging.basicConfig(filename=folder / f"worker-{number}.log", force=True)
        _work(clock, number, start)
        code = 0
    except BaseException:
        logging.exception("the worker ended")
    finally:
        os._exit(code)


def _work(clock: Clock, number: int, start: int) -> None:
    from relance.accounts import clock as real
    from relance.ops import worker
    from relance.outbox import claims, identity, notices
    from relance.outbox.channels.email import EmailChannel
    from relance.outbox.channels.sms import SmsChannel
    from tests.chaos.books import hooks

    stop = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_args: stop.set())
    real.now = clock.now
    if number % 2:  # for the others only its silence tells that it is dead
        boot = identity._place().partition(".")[0]
        identity._place = lambda: f"{boot}.{number}x{start}"  # type: ignore[assignment]
    worker.FIRST_PAUSE, worker.LONGEST_PAUSE = 0.2, 1  # type: ignore[assignment]
    worker.IDLE_SECONDS, worker.TICK_SECONDS = 0.05, 0.5  # type: ignore[assignment]
    claims.PAUSES = (0.05, 0.2, 0.5, 1)
    notices.ANSWER_SECONDS = SILENCE_SECONDS
    worker.work(
        stop=stop,
        hooks=hooks(clock.now),
        tick=lambda now: notices.deliver(now=now),
        now=clock.now,
        channels={
            "email": lambda: EmailChannel(answer_seconds=SILENCE_SECONDS),
            "sms": SmsChannel,
        },
    )
