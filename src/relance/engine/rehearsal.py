"""A replay looked at level by level: what the minimum delay moved, and what was paid before anything followed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import NamedTuple

from relance.engine.model import Action, Id
from relance.engine.progress import progress
from relance.engine.replay import Account, Replay
from relance.engine.replay_document import Document, Event
from relance.engine.schedule import trigger_of


class Played(NamedTuple):
    """One action done in a rehearsal.

    ``delayed``: the minimum contact delay, not the calendar, made it later than its trigger. ``settled_next``: its
    reference was paid after it, before anything else was done about it.
    """

    on: date
    customer: Id
    level: int
    automatic: bool
    contact: bool
    delayed: bool
    settled_next: bool


class Rehearsal(Replay):
    """A replay that remembers why each action came on its day and when each invoice was paid."""

    def __init__(self, document: Document) -> None:
        super().__init__(document)
        self.told: list[tuple[date, Action, bool]] = []
        self.paid_on: dict[Id, date] = {}

    def apply(self, events: Iterable[Event]) -> None:
        """The events of a day, and which invoices they settled."""
        events = list(events)
        super().apply(events)
        for event in events:
            if event.type == "payment" and event.invoice is not None:
                invoice = self.account_of_invoice[event.invoice].invoices[event.invoice]
                if invoice.balance <= 0:
                    self.paid_on.setdefault(invoice.id, event.on)
                else:
                    self.paid_on.pop(invoice.id, None)

    def perform(self, account: Account, action: Action, day: date, *, by_run: bool) -> None:
        """Done, and remembered with whether the delay held it back."""
        self.told.append((day, action, self.held_back(account, action, day)))
        super().perform(account, action, day, by_run=by_run)

    def held_back(self, account: Account, action: Action, day: date) -> bool:
        """Whether the last contact and the delay after it come later than the trigger of this step."""
        plan = self.plans[str(action.plan)]
        contacts = [entry.on for entry in account.history if entry.contact and entry.on < day]
        if not contacts or action.channel == "task":
            return False
        reference = account.invoices[action.reference]
        step = plan.steps[action.level - 1]
        past = progress(entry for entry in account.history if entry.reference == reference.id)
        if step.level <= past.reached and step.repeat_every and past.last_on:
            trigger = past.last_on + timedelta(days=step.repeat_every)
        else:
            trigger = trigger_of(step, reference, past, self.rules.zone)
        return max(contacts) + timedelta(days=plan.min_contact_days) > trigger


def play(document: Document, *, counted_from: date) -> list[Played]:
    """Every action done from ``counted_from`` to the end, in order of day; what came before is played, not counted."""
    played = Rehearsal(document)
    played.play(document.last)
    following: dict[Id, date] = {}
    found: list[Played] = []
    for day, action, delayed in reversed(played.told):
        paid = played.paid_on.get(action.reference)
        after = following.get(action.reference, date.max)
        if day >= counted_from:
            contact = action.channel != "task"
            settled = paid is not None and day < paid <= after
            found.append(Played(day, action.customer, action.level, action.automatic, contact, delayed, settled))
        for one in action.invoices:
            following[one] = day
    found.reverse()
    return found
