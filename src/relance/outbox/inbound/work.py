"""The worker's part: read the mailboxes whose turn it is, then handle what came in."""

import logging
from datetime import datetime, timedelta
from time import monotonic

from relance.outbox.inbound import applying, reading
from relance.outbox.inbound.handlers import Handlers
from relance.outbox.models import Inbound

log = logging.getLogger(__name__)

SECONDS_A_TURN = 20
"""For reading; what is left waits for the next turn, so that the other parts have theirs."""
MOST_A_TURN = 100
RESTS = timedelta(minutes=10)
"""How long a mail on which handling broke is left alone."""
_resting: dict[int, datetime] = {}


def tick(now: datetime, handlers: Handlers) -> None:
    """Take in what has arrived, and do what follows from it."""
    reading.read_due(now=now, until=monotonic() + SECONDS_A_TURN)
    handle_pending(now=now, handlers=handlers)


def handle_pending(*, now: datetime, handlers: Handlers, limit: int = MOST_A_TURN) -> int:
    """Handle the mails that wait, oldest first, each by itself; how many were."""
    done = 0
    pending = Inbound.objects.filter(handled_at=None).order_by("pk").values_list("pk", flat=True)
    for pk in list(pending[: limit + len(_resting)]):
        if _resting.get(pk, now) > now:
            continue
        _resting.pop(pk, None)
        try:
            done += applying.apply(inbound_id=pk, handlers=handlers, now=now)
        except Exception:
            log.exception("mail %s could not be handled", pk)
            _resting[pk] = now + RESTS
    return done
