"""How far a carrier has come, folded from what was really done, never from a counter (3.4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import date
from typing import NamedTuple

from relance.engine.model import Entry, Id, Plan

LEVELS_RAISED_BY = frozenset({"sent", "marked", "skipped"})
DEEDS = frozenset({"sent", "marked"})


class Progress(NamedTuple):
    """``given_on``: first entry that gave the level reached, since the level was last set by hand (3.4, *previous*).

    ``last_on``: last entry of any kind at the level reached, from which a last step repeats (3.7).
    """

    reached: int
    given_on: date | None
    last_on: date | None


class Past(NamedTuple):
    """The history of one customer read once, for one plan and one date.

    ``last``: the last contact, over all plans and carriers. ``before_run``: the same without what the run of the date
    decided has itself sent: its messages do not delay each other, however often that run is repeated (3.8).
    ``entries``: those of this plan by reference invoice. ``acted``: what has a sent or marked entry on the date:
    currencies in customer scope, reference invoices in invoice scope.
    """

    before_run: date | None
    last: date | None
    entries: Mapping[Id | None, Sequence[Entry]]
    acted: Set[Id | None]


NEVER_CHASED = Progress(0, None, None)
NO_PAST = Past(None, None, {}, frozenset())


def progress(entries: Iterable[Entry]) -> Progress:
    """Progress of one carrier from its own entries, in the order in which they happened."""
    reached, given_on = 0, None
    last_on: dict[int, date] = {}
    for entry in entries:
        level = entry.level
        if entry.kind == "level_set":
            reached, given_on = level, entry.on
        elif entry.kind not in LEVELS_RAISED_BY:
            continue
        elif level > reached:
            reached, given_on = level, entry.on
        last_on[level] = entry.on
    return Progress(reached, given_on, last_on.get(reached))


def recall(history: Sequence[Entry], plan: Plan, on: date) -> Past:
    """All that the history says on a date, in one pass; entries dated later are ignored."""
    before_run: date | None = None
    last: date | None = None
    entries: dict[Id | None, list[Entry]] = {}
    acted: set[Id | None] = set()
    by_customer = plan.scope == "customer"
    for entry in history:
        day, plan_id, reference, _, kind, contact, by_run, currency = entry
        if day > on:
            continue
        if contact:
            if last is None or day > last:
                last = day
            if not (by_run and day == on) and (before_run is None or day > before_run):
                before_run = day
        if plan_id == plan.id:
            if reference in entries:
                entries[reference].append(entry)
            else:
                entries[reference] = [entry]
            if day == on and kind in DEEDS:
                acted.add(currency if by_customer else reference)
    return Past(before_run, last, entries, acted)
