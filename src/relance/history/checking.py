"""The chain of a journal, verified when a person asks: a little at once, the rest by the worker."""

import time
from datetime import datetime
from typing import NamedTuple

from django.db.models import F

from relance.accounts.models import Organisation
from relance.history.models import Chain
from relance.history.services import START, Head, follow

AT_ONCE = 1.5
"""Seconds of verification while the page waits; about 30 000 events."""
A_TURN = 3.0
"""Seconds of verification in one turn of the worker."""


class State(NamedTuple):
    """What is known of a chain: `length` events, `hash` of the last; verified through
    `verified_seq` at `verified_at`, or broken at `broken_seq`; `begun_at` while a verification
    is under way, which has done `done_seq`."""

    length: int
    hash: str
    verified_at: datetime | None
    verified_seq: int
    broken_seq: int | None
    begun_at: datetime | None
    done_seq: int

    @property
    def newer(self) -> int:
        """Events written after those that were verified."""
        return self.length - self.verified_seq

    @property
    def name(self) -> str:
        """`running`, `broken`, `whole` or `never` (verified)."""
        if self.begun_at is not None:
            return "running"
        if self.broken_seq is not None:
            return "broken"
        return "whole" if self.verified_at is not None else "never"


def state(organisation: Organisation) -> State:
    """What is known of the organisation's chain, without looking at an event."""
    chain = Chain.objects.filter(organisation=organisation).first() or Chain()
    return State(
        chain.seq,
        chain.hash,
        chain.verified_at,
        chain.verified_seq,
        chain.broken_seq,
        chain.begun_at,
        chain.done_seq,
    )


def begin(organisation: Organisation, *, now: datetime, seconds: float = AT_ONCE) -> State:
    """Verify from the first event for some seconds; the worker goes on with what is left.

    One that is under way goes on: two people who ask get one verification.
    """
    Chain.objects.get_or_create(organisation=organisation)
    Chain.objects.filter(organisation=organisation, begun_at=None).update(
        begun_at=now, done_seq=0, done_hash=START
    )
    _go_on(Chain.objects.get(organisation=organisation), now=now, seconds=seconds)
    return state(organisation)


def work(now: datetime, seconds: float = A_TURN) -> int:
    """Go on with every verification under way, some seconds each; how many came to their end."""
    under_way = Chain.objects.filter(begun_at__isnull=False).select_related("organisation")
    return sum(_go_on(chain, now=now, seconds=seconds) for chain in under_way.order_by("begun_at"))


def _go_on(chain: Chain, *, now: datetime, seconds: float) -> bool:
    """One stretch; what another process did of the same stretch meanwhile counts, once."""
    if chain.begun_at is None:
        return False
    until = time.monotonic() + seconds
    found = follow(
        chain.organisation,
        Head(chain.done_seq, chain.done_hash),
        Head(chain.seq, chain.hash),
        going_on=lambda: time.monotonic() < until,
    )
    mine = Chain.objects.filter(pk=chain.pk, begun_at=chain.begun_at, done_seq=chain.done_seq)
    if not found.done:
        mine.update(done_seq=found.place.seq, done_hash=found.place.hash)
        return False
    return bool(
        mine.update(
            begun_at=None,
            done_seq=F("seq"),
            verified_at=now,
            verified_seq=found.place.seq,
            broken_seq=found.broken,
        )
    )
