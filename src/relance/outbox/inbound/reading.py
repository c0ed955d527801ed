"""Which inboxes are read now, how far each was, and how long a dead one rests."""

import logging
from datetime import datetime, timedelta
from time import monotonic

from django.conf import settings
from django.db.models import F, Q

from relance.outbox.inbound.imap import InboxError, Line, connected
from relance.outbox.inbound.intake import MOST_BYTES, take_in
from relance.outbox.mailbox_care import PAUSES
from relance.outbox.models import Inbox

log = logging.getLogger(__name__)

EVERY = timedelta(minutes=1)
LEASE = timedelta(minutes=5)
"""While one worker reads an inbox the others leave it alone, for so long at most."""
MOST_MAILS = 50
MOST_BYTES_A_TURN = 60_000_000


def read_due(*, now: datetime, until: float) -> int:
    """Read the inboxes whose turn it is, until the monotonic clock says `until`; mails taken in."""
    if settings.DEMO:
        return 0
    taken = 0
    due = Inbox.objects.filter(_is_due(now)).order_by(F("paused_until").asc(nulls_first=True))
    for inbox in due[:50]:
        if monotonic() >= until:
            break
        taken += read_one(inbox, now=now, until=until)
    return taken


def _is_due(now: datetime) -> Q:
    free = Q(paused_until=None) | Q(paused_until__lte=now)
    return free & Q(retired_at=None, checked_at__isnull=False) & ~Q(host="")


def read_one(inbox: Inbox, *, now: datetime, until: float) -> int:
    """Read one inbox, unless another worker does; how many mails were new."""
    leased = Inbox.objects.filter(_is_due(now), pk=inbox.pk).update(paused_until=now + LEASE)
    if not leased:
        return 0
    inbox.refresh_from_db()
    try:
        with connected(inbox) as line:
            taken, more = _read(inbox, line, now, until)
    except InboxError as error:
        rest(inbox, error, now=now)
        return 0
    Inbox.objects.filter(pk=inbox.pk).update(
        paused_until=now if more else now + EVERY, failures=0, check_error="", checked_at=now
    )
    return taken


def rest(inbox: Inbox, error: InboxError, *, now: datetime) -> None:
    """It is left alone, each time longer; its last error says why."""
    pause = PAUSES[min(inbox.failures, len(PAUSES) - 1)]
    Inbox.objects.filter(pk=inbox.pk).update(
        paused_until=now + pause, failures=F("failures") + 1, check_error=str(error)[:500]
    )


def _read(inbox: Inbox, line: Line, now: datetime, until: float) -> tuple[int, bool]:
    """New mails taken in, and whether there are more. Each is remembered before the next."""
    uids = _new_ones(inbox, line, now)
    taken = size = 0
    for done, uid in enumerate(uids):
        if done == MOST_MAILS or size > MOST_BYTES_A_TURN or (done and monotonic() >= until):
            return taken, True
        raw = line.fetch(uid, MOST_BYTES)
        size += len(raw)
        if raw:
            kept = take_in(raw, inbox=inbox, organisation=inbox.organisation, now=now)
            taken += kept is not None
        Inbox.objects.filter(
            pk=inbox.pk, uid_validity=line.opened.validity, last_uid__lt=uid
        ).update(last_uid=uid)
    return taken, False


def _new_ones(inbox: Inbox, line: Line, now: datetime) -> list[int]:
    """The UIDs to take in. At the first time none: what was there before is not ours to keep.

    When the server has numbered its mails anew (UIDVALIDITY), those that arrived since shortly
    before the last success are looked at again: what is known is not taken in twice.
    """
    validity, next_uid = line.opened.validity, line.opened.next_uid
    if inbox.uid_validity == validity:
        return line.after(inbox.last_uid)
    first_time = inbox.uid_validity is None
    if first_time:
        last = next_uid - 1 if next_uid else max(line.after(0), default=0)
        Inbox.objects.filter(pk=inbox.pk).update(uid_validity=validity, last_uid=last)
        return []
    Inbox.objects.filter(pk=inbox.pk).update(uid_validity=validity, last_uid=0)
    return line.since((inbox.checked_at or now).date() - timedelta(days=2))
