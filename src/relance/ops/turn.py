"""What a worker does every few seconds beside delivering: the parts of a turn, each by itself."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from relance.dunning.daily import run, tracked
from relance.dunning.lots import batch_kinds
from relance.dunning.lots.batches import Pace
from relance.dunning.recaps import recaps
from relance.history import checking
from relance.ops import inbound_hooks, recoveries
from relance.outbox.inbound import work as inbound
from relance.receipts import automatic, incoming
from relance.receipts.services import rounds

log = logging.getLogger(__name__)

SECONDS_FOR_BATCHES = 5
"""Then the other parts have their turn again, and the batch goes on at the next."""

Part = tuple[str, Callable[[datetime], object]]

PARTS: Sequence[Part] = (
    ("the day's runs", run.tick),
    ("batches", lambda now: batch_kinds.work(now, Pace(seconds=SECONDS_FOR_BATCHES))),
    ("regular e-mails", recaps.work),
    ("what providers tell", tracked.tick),
    ("requests for receipts", automatic.tick),
    ("requests to several dossiers", rounds.work),
    ("verification of journals", checking.work),
    ("dossiers de recouvrement", recoveries.tick),
    ("mails that came in", lambda now: inbound.tick(now, inbound_hooks.handlers())),
    ("documents that came in by mail", incoming.work),
)


def tick(now: datetime, parts: Sequence[Part] = PARTS) -> None:
    """Every part once; one that breaks does not stop the others."""
    for what, do in parts:
        try:
            do(now)
        except Exception:
            log.exception("%s broke off", what)


def whole_tick(now: datetime) -> None:
    """The same for `relance worker --once`: batches are done to their end."""
    run.tick(now)
    batch_kinds.work(now)
    recaps.work(now)
    tracked.tick(now)
    automatic.tick(now)
    rounds.work(now)
    checking.work(now)
    recoveries.whole(now)
    inbound.tick(now, inbound_hooks.handlers())
    incoming.work(now)
