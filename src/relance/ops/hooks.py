"""What the outbox asks and tells, handed to the chase that each message belongs to."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from relance.dunning.daily.hooks import hooks as of_dunning
from relance.outbox.delivery import Hooks, Verdict
from relance.outbox.models import Message
from relance.receipts.hooks import hooks as of_receipts


def hooks(now: Callable[[], datetime], *, by_day: bool = False) -> Hooks:
    """The hooks of both chases as one; `by_day` as in `dunning.daily.hooks`."""
    invoices, receipts = of_dunning(now, by_day=by_day), of_receipts(now)

    def recheck(batch: Sequence[Message]) -> Mapping[int, Verdict]:
        mine, others = _parted(batch)
        verdicts = dict(invoices.recheck(mine)) if mine else {}
        return verdicts | dict(receipts.recheck(others)) if others else verdicts

    def record(sent: Sequence[Message]) -> None:
        mine, others = _parted(sent)
        if mine:
            invoices.record(mine)
        if others:
            receipts.record(others)

    def ended(stopped: Sequence[Message]) -> None:
        mine, others = _parted(stopped)
        if mine:
            invoices.ended(mine)
        if others:
            receipts.ended(others)

    return Hooks(recheck=recheck, record=record, ended=ended)


def _parted(messages: Sequence[Message]) -> tuple[list[Message], list[Message]]:
    """Those about unpaid invoices, and those about missing receipts."""
    receipts = Message.Purpose.RECEIPTS
    return (
        [message for message in messages if message.purpose != receipts],
        [message for message in messages if message.purpose == receipts],
    )
