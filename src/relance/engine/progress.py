"""How far a carrier has come, folded from what was really done, never from a counter (3.4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple

from relance.engine.model import Entry, Id

LEVELS_RAISED_BY = frozenset({"sent", "marked", "skipped"})
DEEDS = frozenset({"sent", "marked"})


class Progress(NamedTuple):
    """``given_on``: first entry that gave the level reached, since the level was last set by hand (3.4, *previous*).

    ``last_on``: last entry of any kind at the level reached, from which a last step repeats (3.7).
    """

    reached: int
    given_on: date | None
    last_on: date | None


class Contacts(NamedTuple):
    """Last contact with the customer, over all plans and carriers.

    ``before_run`` leaves out what the run of the date decided has itself sent: its messages do not delay each
    other, however often that run is repeated (3.8). ``last`` has everything.
    """

    before_run: date | None
    last: date | None


NEVER_CHASED = Progress(0, None, None)
NO_CONTACT = Contacts(None, None)


def progress(entries: Iterable[Entry], on: date) -> Progress:
    """Progress of one carrier from its own entries, in the order in which they happened."""
    reached, given_on = 0, None
    last_on: dict[int, date] = {}
    for entry in entries:
        if entry.on > on:
            continue
        level = entry.level
        if entry.kind == "level_set":
            reached, given_on = level, entry.on
        elif entry.kind not in LEVELS_RAISED_BY:
            continue
        elif level > reached:
            reached, given_on = level, entry.on
        last_on[level] = entry.on
    return Progress(reached, given_on, last_on.get(reached))


def entries_of(history: Sequence[Entry], plan: Id, reference: Id) -> list[Entry]:
    """The entries of one carrier: this plan and this reference invoice."""
    return [entry for entry in history if entry.plan == plan and entry.reference == reference]


def contacts(history: Sequence[Entry], on: date) -> Contacts:
    """The contacts that count on a date."""
    before_run: date | None = None
    last: date | None = None
    for entry in history:
        day = entry.on
        if not entry.contact or day > on:
            continue
        if last is None or day > last:
            last = day
        if not (entry.by_run and day == on) and (before_run is None or day > before_run):
            before_run = day
    return Contacts(before_run, last)


def has_acted(history: Sequence[Entry], on: date, plan: Id, currency: str, reference: Id | None) -> bool:
    """A sent or marked entry dated ``on``: of this invoice, or of this currency when ``reference`` is None (3.8)."""
    return any(
        entry.on == on
        and entry.plan == plan
        and entry.kind in DEEDS
        and (entry.currency == currency if reference is None else entry.reference == reference)
        for entry in history
    )
