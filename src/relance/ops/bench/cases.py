"""Cases in memory for the engine alone: the ledger of `ledger` without a database."""

from collections.abc import Iterator
from datetime import date, timedelta

from relance.engine.model import Case, Entry, Invoice, Plan, Rules, Step

MORNING = date(2026, 11, 24)
"""A Tuesday without public holiday around it."""

RULES = Rules()
PLAN = Plan(
    id=1,
    scope="customer",
    progression="sequence",
    steps=(
        Step(1, "Niveau 1", "due", 7, "email", True),
        Step(2, "Niveau 2", "due", 15, "email", True),
        Step(3, "Niveau 3", "due", 30, "email", True),
        Step(4, "Niveau 4", "due", 45, "email", True),
        Step(5, "Niveau 5", "due", 60, "call", False),
    ),
)


def cases(count: int, first: int = -24, last: int = 90) -> Iterator[Case]:
    """`count` customers with five invoices each, the first `first` to `last` days late."""
    for customer in range(1, count + 1):
        due = MORNING - timedelta(days=first + customer * 7919 % (last - first + 1))
        invoices = [
            Invoice(
                id=customer * 5 + place,
                number=f"F-{customer * 5 + place}",
                issued=due + timedelta(days=9 * place - 60),
                due=due + timedelta(days=9 * place),
                total=10_000 + customer % 90_000,
                balance=10_000 + customer % 90_000,
            )
            for place in range(5)
        ]
        days = [(step, due + timedelta(days=step.days)) for step in PLAN.steps]
        history = [
            Entry(day, PLAN.id, customer * 5, step.level, "sent", True, True)
            for step, day in days
            if day < MORNING
        ]
        yield Case(customer, PLAN, invoices, history)
