"""Actions that wait, made by the engine's own run."""

from datetime import timedelta
from typing import Any

from django.urls import reverse

from relance.accounts.models import Organisation, User
from relance.dunning import services
from relance.dunning.daily import run
from relance.dunning.models import Action, Plan
from tests.conftest import TODAY, at, make_customer, make_invoice

YESTERDAY = TODAY - timedelta(days=1)


def waiting(
    organisation: Organisation, plan: Plan, name: str = "Alpha", late: int = 9, **fields: Any
) -> Action:
    """An open action of a customer who is `late` days late, opened by yesterday's run."""
    customer = make_customer(organisation, plan, name, **fields)
    make_invoice(customer, f"F-{name}", TODAY - timedelta(days=late), 123_456)
    run.run(organisation, on=YESTERDAY, now=at(YESTERDAY), pause=0)
    return Action.objects.get(customer=customer, status="open")


def at_level(organisation: Organisation, plan: Plan, level: int, late: int) -> Action:
    """The same, once the levels before have been marked as done long ago."""
    customer = make_customer(organisation, plan)
    make_invoice(customer, "F-1", TODAY - timedelta(days=late), 123_456)
    for done in range(1, level):
        before = TODAY - timedelta(days=late - 10 * done)
        services.mark_as_chased(
            customer,
            actor=User.objects.get(email="camille@kerdoncuff.example"),
            on=before,
            now=at(before),
        )
    run.run(organisation, on=YESTERDAY, now=at(YESTERDAY), pause=0)
    return Action.objects.get(customer=customer, status="open")


def url(name: str, organisation: Organisation, *rest: object) -> str:
    return reverse(name, args=[organisation.slug, *rest])
