"""What tests of relances by hand share: two late invoices, asking, sending, delivering."""

from datetime import date, timedelta

import pytest

from relance.accounts.models import Organisation, User
from relance.dunning.by_hand.gates import Ask
from relance.dunning.daily.hooks import hooks
from relance.dunning.facts.gather import rules_of
from relance.dunning.models import Plan
from relance.dunning.services import relances
from relance.dunning.services.common import case_of
from relance.engine.decide import decide
from relance.ledger.models import Customer, Invoice
from relance.outbox import identity
from relance.outbox.channels.base import DeliveryError
from relance.outbox.channels.fake import FakeChannel
from relance.outbox.delivery import deliver_batch
from tests.conftest import TODAY, at, make_invoice
from tests.web.lots import chased

LATE = TODAY - timedelta(days=8)
LATER = TODAY - timedelta(days=5)


def ask(*invoices: Invoice, level: int | None = None) -> Ask:
    return Ask(invoices[0].customer_id, tuple(one.pk for one in invoices), level)


def send(
    organisation: Organisation, asks: list[Ask], actor: User, *, channel: str = "email"
) -> list[relances.Outcome]:
    return relances.send(
        organisation, asks, relances.Sending(channel=channel, actor=actor, on=TODAY, now=at(TODAY))
    )


def deliver(on: date = TODAY, *, error: str = "") -> None:
    moment = at(on) + timedelta(seconds=30)
    errors = {error: DeliveryError("550 5.1.1 unknown", code=550, permanent=True)} if error else {}
    deliver_batch(
        worker=identity.new_name(),
        now=lambda: moment,
        hooks=hooks(lambda: moment),
        channels={"email": lambda: FakeChannel(errors=errors)},
    )


def chased_before(invoice: Invoice, plan: Plan, level: int, days_ago: int = 20) -> None:
    """A relance of this level was really sent, some time ago."""
    chased(invoice, plan, level, "", days_ago)


def codes(outcome: relances.Outcome) -> list[str]:
    return [reason.code for reason in outcome.refusals]


def reached(invoice: Invoice) -> int:
    """The level as the engine folds it from what was really done."""
    decision = decide(
        case_of(invoice.organisation, invoice.customer_id, TODAY + timedelta(days=1)),
        TODAY + timedelta(days=1),
        rules_of(invoice.organisation),
    )
    return next(c.reached for c in decision.carriers if c.reference.id == invoice.pk)


@pytest.fixture
def two(customer: Customer, plan: Plan) -> tuple[Invoice, Invoice]:
    """Two overdue invoices: one already had a first relance, the other none (S1-16)."""
    first = make_invoice(customer, "F-1", LATE, 948_72)
    second = make_invoice(customer, "F-2", LATER, 784_80)
    chased_before(first, plan, 1)
    return first, second
