"""What the engine wants of the customers of a window, with the facts of a day; writes nothing."""

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from relance.accounts.models import Organisation
from relance.dunning.facts import outlooks, to_chase
from relance.dunning.facts.gather import Window, cases
from relance.dunning.facts.outlooks import State
from relance.dunning.wording import messages
from relance.engine import model as engine
from relance.engine.decide import decide
from relance.ledger.models import Customer

CHUNK = 3_000


class Decided(NamedTuple):
    """What one chunk of customers came to."""

    wanted: list[messages.Wanted]
    decisions: dict[int, engine.Decision]
    outlooks: dict[int, State]
    lines: dict[int, list[to_chase.Line]]


def windows(organisation: Organisation, size: int = CHUNK) -> Iterator[Window]:
    """Consecutive ranges of customer ids, `size` customers each."""
    last = 0
    while True:
        ids = list(
            Customer.objects.filter(organisation=organisation, id__gt=last)
            .order_by("id")
            .values_list("id", flat=True)[:size]
        )
        if not ids:
            return
        yield Window(ids[0], ids[-1])
        last = ids[-1]


def decide_window(
    organisation: Organisation,
    on: date,
    window: Window,
    plans: dict[int, engine.Plan],
    rules: engine.Rules,
) -> Decided:
    """Gather and decide; writes nothing."""
    decided = Decided([], {}, {}, {})
    for case in cases(organisation, on, window, plans):
        decision = decide(case, on, rules)
        key = int(case.customer)
        decided.outlooks[key] = outlooks.short(case, decision, on)
        decided.decisions[key] = decision
        decided.lines[key] = to_chase.lines(case, decision)
        decided.wanted.extend(messages.Wanted(action, case) for action in decision.automatic)
    return decided
