"""The journal as lines of JSON that a third person verifies without this program."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from django.db.models import QuerySet

from relance.accounts.models import Organisation
from relance.history.models import Event
from relance.history.services import CHUNK, COVERED, START, fields_of

RECIPE = """\
import hashlib, json, sys

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
last = None
for line in open(sys.argv[1], encoding="utf-8"):
    event = json.loads(line)
    body = json.dumps(
        [event[key] for key in COVERED], sort_keys=True, ensure_ascii=False, separators=(",", ":")
    )
    found = hashlib.sha256((event["previous"] + body).encode()).hexdigest()
    if found != event["hash"]:
        sys.exit(f"event {event['seq']} was changed")
    if last and event["seq"] == last["seq"] + 1 and event["previous"] != last["hash"]:
        sys.exit(f"event {event['seq']} does not follow the one before")
    last = event
print(f"whole; last event {last['seq']}, hash {last['hash']}")
"""
"""The lines of plain Python by which anybody verifies an export: those of docs/journal.md."""


def lines(events: QuerySet[Event], organisation: Organisation) -> Iterator[bytes]:
    """Each event of the organisation in its order, as one line of UTF-8 JSON with its line end.

    Beside what its hash covers, a line holds `hash` and `previous`, the hash of the event before
    it in the whole journal: a part of a journal verifies line by line. Read by chunks of the
    number, so that a million lines need the memory of two thousand.
    """
    seen = 0
    own = events.filter(organisation=organisation).order_by("seq")
    while some := list(own.filter(seq__gt=seen)[:CHUNK]):
        before = _hashes(organisation, [event.seq - 1 for event in some])
        for event in some:
            line: dict[str, Any] = dict(zip(COVERED, fields_of(event), strict=True))
            line |= {"previous": before.get(event.seq - 1, START), "hash": event.hash}
            yield json.dumps(line, ensure_ascii=False).encode() + b"\n"
        seen = some[-1].seq


def _hashes(organisation: Organisation, wanted: Sequence[int]) -> dict[int, str]:
    found: dict[int, str] = {}
    for some in chunks(wanted, 900):
        rows = Event.objects.filter(organisation=organisation, seq__in=some)
        found.update(rows.values_list("seq", "hash"))
    return found


def chunks(values: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    """The values in their order, at most `size` at a time."""
    for start in range(0, len(values), size):
        yield values[start : start + size]
