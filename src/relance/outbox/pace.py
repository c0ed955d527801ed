"""How fast a mailbox may send: so many a minute, so many in 24 hours, as its provider allows.

Counted from what really left (`sent_at`), whichever worker sent it. What is over the limit waits
without spending a try. Workers that send at the same moment may overrun it by one each.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from relance.outbox.models import Mailbox, Message

MINUTE, DAY = timedelta(minutes=1), timedelta(hours=24)
REASON = {MINUTE: "MAILBOX_MINUTE", DAY: "MAILBOX_DAY"}


class Halt(NamedTuple):
    """A limit that is reached: a code (MAILBOX_MINUTE, MAILBOX_DAY), and until when."""

    reason: str
    until: datetime
    limit: int


def halt_of(mailbox: Mailbox, *, at: datetime) -> Halt | None:
    """The limit that keeps the mailbox from sending at `at`, the one that lasts longest."""
    halts = []
    for span, limit in ((MINUTE, mailbox.per_minute), (DAY, mailbox.per_day)):
        if limit is None:
            continue
        # what a clock set forward by mistake dated far ahead holds nothing up
        near = {"sent_at__gt": at - span, "sent_at__lte": at + span}
        left = Message.objects.filter(mailbox=mailbox, **near)
        oldest = left.order_by("-sent_at").values_list("sent_at", flat=True)[limit - 1 : limit]
        halts += [Halt(REASON[span], moment + span, limit) for moment in oldest if moment]
    return max(halts, key=lambda halt: halt.until, default=None)
