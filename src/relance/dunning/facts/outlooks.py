"""The copy of decisions that lists read: made short, compared, written when it changed."""

from datetime import date

from relance.accounts.bulk import upsert_many
from relance.accounts.models import Organisation
from relance.dunning.facts.gather import Days, Window, day_of, read
from relance.dunning.models import Outlook
from relance.engine import model as engine

State = tuple[str, str, date | None, int | None, bool]
"""state, code, next_on, next_level, next_automatic: an `Outlook` without its keys."""


def short(decision: engine.Decision) -> State:
    """The short form of a decision for lists: its state, first reason and next step."""
    nearest: engine.Carrier | None = None
    for carrier in decision.carriers:
        if carrier.leaves is not None and (
            nearest is None or nearest.leaves is None or carrier.leaves < nearest.leaves
        ):
            nearest = carrier
    if nearest is None or nearest.step is None:
        if decision.carriers:
            return ("nothing", "END_OF_PLAN", None, None, False)
        return ("nothing", decision.reasons[0].code if decision.reasons else "", None, None, False)
    possible = nearest.step.automatic and nearest.code not in ("NO_RECIPIENT", "NO_TEMPLATE")
    state = "waiting"
    if nearest.acts and not possible:
        state = "pending"
    return (state, nearest.code, nearest.leaves, nearest.step.level, possible)


def changed(
    organisation: Organisation, on: date, window: Window, outlooks: dict[int, State]
) -> list[Outlook]:
    """The outlooks that are new or not what they were."""
    days = Days()
    known = Outlook.objects.filter(window.q()).values_list(
        "customer_id", "state", "code", day_of("next_on"), "next_level", "next_automatic"
    )
    before = {row[0]: (row[1], row[2], days[row[3]], row[4], row[5]) for row in read(known)}
    return [
        Outlook(
            organisation=organisation,
            customer_id=customer,
            on=on,
            state=state[0],
            code=state[1],
            next_on=state[2],
            next_level=state[3],
            next_automatic=state[4],
        )
        for customer, state in outlooks.items()
        if before.get(customer) != state
    ]


def write(rows: list[Outlook]) -> None:
    """Insert or replace; those that did not change are left as they are."""
    fields = ["on", "state", "code", "next_on", "next_level", "next_automatic"]
    upsert_many(Outlook, rows, unique="customer", update=fields)
