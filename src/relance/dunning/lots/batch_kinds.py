"""Which handler does the lines of which kind of batch: the one list of them."""

from datetime import datetime

from relance.dunning.lots import batches, campaigns, changes, relance_batch
from relance.dunning.lots.batches import Handler, Pace
from relance.dunning.models import Batch

HANDLERS: dict[str, Handler] = {
    Batch.Kind.RELANCE: relance_batch.handle,
    Batch.Kind.CAMPAIGN: campaigns.handle,
    Batch.Kind.CHANGE: changes.handle,
}


def work(now: datetime, pace: Pace = Pace()) -> int:  # noqa: B008
    """`batches.work` with every kind: what the worker calls every few seconds."""
    return batches.work(now, HANDLERS, pace)


def advance(batch: Batch, *, now: datetime, pace: Pace = Pace()) -> Batch:  # noqa: B008
    """`batches.advance` with the handler of its kind: a page may begin at once."""
    return batches.advance(batch, handler=HANDLERS[batch.kind], now=now, pace=pace)
