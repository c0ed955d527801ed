"""Append to the journal and verify it."""

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from django.db import transaction

from relance.accounts.bulk import create_many
from relance.accounts.models import Organisation, User
from relance.history.models import Chain, Event


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
    body = json.dumps(
        [
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
        ],
        sort_keys=True,
        ensure_ascii=False,
        separators=(",", ":"),
    )
    return hashlib.sha256((previous + body).encode()).hexdigest()


def verify(organisation: Organisation) -> int | None:
    """None when the chain is whole, else the number (seq) of the first event that is not."""
    previous, expected = "0" * 64, 0
    for event in Event.objects.filter(organisation=organisation).order_by("seq").iterator(2000):
        expected += 1
        if event.seq != expected or event.hash != digest(previous, event):
            return expected
        previous = event.hash
    chain = Chain.objects.filter(organisation=organisation).first()
    if chain and (chain.seq != expected or chain.hash != previous):
        return expected + 1
    return None
