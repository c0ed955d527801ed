"""The copy of decisions that lists read: made short, compared, written when it changed."""

from datetime import date

from relance.accounts.bulk import upsert_many
from relance.accounts.models import Organisation
from relance.dunning.facts.gather import Days, Window, day_of, read
from relance.dunning.models import Outlook
from relance.engine import model as engine

FIELDS = (
    "state",
    "code",
    "next_on",
    "next_level",
    "next_automatic",
    "owed_cents",
    "overdue_cents",
)
State = tuple[str, str, date | None, int | None, bool, int, int]
"""An `Outlook` without its keys: the values of `FIELDS`."""


def short(case: engine.Case, decision: engine.Decision, on: date) -> State:
    """What lists show of a customer on local date `on`: what is owed (cents), what comes next."""
    owed = sum(invoice.balance for invoice in case.invoices)
    overdue = sum(invoice.balance for invoice in case.invoices if invoice.due < on)
    return (*_next(decision), owed, overdue)


def _next(decision: engine.Decision) -> tuple[str, str, date | None, int | None, bool]:
    """The state, the first reason and the next step."""
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
    names = [day_of(name) if name == "next_on" else name for name in FIELDS]
    known = Outlook.objects.filter(window.q()).values_list("customer_id", *names)
    before = {row[0]: (*row[1:3], days[row[3]], *row[4:]) for row in read(known)}
    return [
        Outlook(
            organisation=organisation,
            customer_id=customer,
            on=on,
            **dict(zip(FIELDS, state, strict=True)),
        )
        for customer, state in outlooks.items()
        if before.get(customer) != state
    ]


def write(rows: list[Outlook]) -> None:
    """Insert or replace; those that did not change are left as they are."""
    upsert_many(Outlook, rows, unique="customer", update=["on", *FIELDS])
