"""Append to the journal and verify it."""

import hashlib
import json
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from django.db import transaction

from relance.accounts.bulk import create_many
from relance.accounts.models import Organisation, User
from relance.history.models import Chain, Event

CHUNK = 2_000
"""Events read at a time when the chain is followed."""


class Fact(NamedTuple):
    """What is to be remembered; `data` holds plain JSON (strings, integers, lists)."""

    kind: str
    at: datetime
    on: date
    customer_id: int | None = None
    invoice_id: int | None = None
    message_id: int | None = None
    data: dict[str, Any] = {}
    actor: User | None = None


@transaction.atomic
def append(organisation: Organisation, facts: Iterable[Fact]) -> None:
    """Write the facts at the end of the organisation's journal, in their order.

    Each event's hash covers the one before it, so that a changed or missing line shows.
    """
    facts = list(facts)
    if not facts:
        return
    Chain.objects.get_or_create(organisation=organisation)
    chain = Chain.objects.select_for_update().get(organisation=organisation)
    events = []
    for fact in facts:
        chain.seq += 1
        event = Event(
            organisation=organisation,
            seq=chain.seq,
            at=fact.at.astimezone(UTC),
            on=fact.on,
            kind=fact.kind,
            actor_id=fact.actor.pk if fact.actor else None,
            actor_name=str(fact.actor)[:120] if fact.actor else "",
            customer_id=fact.customer_id,
            invoice_id=fact.invoice_id,
            message_id=fact.message_id,
            data=fact.data,
        )
        chain.hash = event.hash = digest(chain.hash, event)
        events.append(event)
    create_many(Event, events)
    chain.save(update_fields=["seq", "hash"])


def digest(previous: str, event: Event) -> str:
    """SHA-256 over the previous hash and the event's canonical JSON, as 64 hex digits."""
    return digest_of(previous, fields_of(event))


def fields_of(event: Event) -> list[Any]:
    """What an event's hash covers, as plain JSON, in the order of `COVERED`."""
    return [
        event.seq,
        event.at.astimezone(UTC).isoformat(),
        event.on.isoformat(),
        event.kind,
        event.actor_id,
        event.actor_name,
        event.customer_id,
        event.invoice_id,
        event.message_id,
        event.data,
    ]


COVERED = (
    "seq",
    "at",
    "on",
    "kind",
    "actor_id",
    "actor_name",
    "customer_id",
    "invoice_id",
    "message_id",
    "data",
)


def digest_of(previous: str, fields: list[Any]) -> str:
    """The same over the values of `COVERED`: the recipe of docs/journal.md."""
    body = json.dumps(fields, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256((previous + body).encode()).hexdigest()


def verify(organisation: Organisation) -> int | None:
    """None when the chain is whole, else the number (seq) of the first event that is not."""
    chain = Chain.objects.filter(organisation=organisation).first()
    head = Head(chain.seq, chain.hash) if chain else Head(0, START)
    return follow(organisation, START_HEAD, head).broken


class Head(NamedTuple):
    """A place in a chain: the number of its last event, and that event's hash."""

    seq: int
    hash: str


START = "0" * 64
START_HEAD = Head(0, START)


class Followed(NamedTuple):
    """How far a chain was followed, and the first event that was not as written, if any."""

    place: Head
    broken: int | None
    done: bool


def follow(
    organisation: Organisation,
    begin: Head,
    head: Head,
    *,
    going_on: Callable[[], bool] = lambda: True,
) -> Followed:
    """Follow the chain after `begin` up to its `head`, by chunks, while `going_on()`.

    Events appended meanwhile are left for another time. One that was changed, one that is
    missing, and events behind the head of a shortened chain all show as `broken`.
    """
    place = begin
    while place.seq < head.seq:
        if not going_on():
            return Followed(place, None, False)
        last = min(place.seq + CHUNK, head.seq)
        found = Event.objects.filter(
            organisation=organisation, seq__gt=place.seq, seq__lte=last
        ).order_by("seq")
        for event in found:
            if event.seq != place.seq + 1 or event.hash != digest(place.hash, event):
                return Followed(place, place.seq + 1, True)
            place = Head(event.seq, event.hash)
        if place.seq != last:
            return Followed(place, place.seq + 1, True)
    if place.hash != head.hash:
        return Followed(place, place.seq + 1, True)
    if _behind(organisation, head):
        return Followed(place, head.seq + 1, True)
    return Followed(place, None, True)


def _behind(organisation: Organisation, head: Head) -> bool:
    """Whether events stand behind a head that did not move meanwhile."""
    if not Event.objects.filter(organisation=organisation, seq__gt=head.seq).exists():
        return False
    now = Chain.objects.filter(organisation=organisation).first()
    return now is None or now.seq == head.seq
