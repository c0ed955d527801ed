"""Recompute the copies that dunning keeps for lists, and say where they differ (doctor)."""

from collections.abc import Iterator
from datetime import date

from relance.accounts.models import Organisation
from relance.dunning.gather import plans_of, rules_of
from relance.dunning.models import Outlook
from relance.dunning.run import decide_window, windows


def differences(organisation: Organisation, on: date) -> Iterator[str]:
    """One French sentence per outlook that is not what the engine says on `on`."""
    plans, rules = plans_of(organisation), rules_of(organisation)
    for window in windows(organisation):
        decided = decide_window(organisation, on, window, plans, rules)
        stored = {
            row[0]: row[1:]
            for row in Outlook.objects.filter(
                window.q(), organisation=organisation, on__lte=on
            ).values_list("customer_id", "state", "code", "next_on", "next_level", "next_automatic")
        }
        for customer, state in decided.outlooks.items():
            if customer in stored and stored[customer] != state:
                yield (
                    f"client {customer} : copie {_words(stored[customer])}, moteur {_words(state)}"
                )


def _words(state: tuple[object, ...]) -> str:
    return " ".join(str(part) for part in state if part not in (None, "", False))
