"""Disputes, promises, holds, and the switch of one invoice."""

import pytest

from relance.history.models import Event
from relance.ledger import checks, services
from relance.ledger.models import Customer, Dispute, Hold, Invoice

from .conftest import NOW, day


def test_a_dispute_is_opened_once_and_resolved(invoice: Invoice) -> None:
    services.open_dispute(
        invoice=invoice, on=day("2026-03-01"), now=NOW, category="Prix", note="Remise oubliée"
    )
    assert Invoice.objects.get().disputed
    with pytest.raises(services.DisputeError):
        services.open_dispute(invoice=invoice, on=day("2026-03-02"), now=NOW)
    services.resolve_dispute(invoice=invoice, on=day("2026-03-09"), now=NOW)
    assert not Invoice.objects.get().disputed
    assert Dispute.objects.get().resolved_on == day("2026-03-09")
    with pytest.raises(services.DisputeError):
        services.resolve_dispute(invoice=invoice, on=day("2026-03-09"), now=NOW)
    assert [e.kind for e in Event.objects.filter(invoice_id=invoice.pk).order_by("seq")][1:] == [
        "dispute_opened",
        "dispute_resolved",
    ]


def test_a_second_promise_replaces_the_first_from_that_day(invoice: Invoice) -> None:
    """Engine rules, section 8: a second promise or hold replaces the first."""
    for on, until in (("2026-03-01", "2026-03-10"), ("2026-03-05", "2026-03-20")):
        services.promise(invoice=invoice, until=day(until), on=day(on), now=NOW, amount_cents=40_00)
    assert Invoice.objects.get().promise_until == day("2026-03-20")
    first, second = Hold.objects.order_by("id")
    assert (first.ended_on, second.ended_on) == (day("2026-03-05"), None)
    event = Event.objects.filter(kind="promise_made").first()
    assert event is not None
    assert event.data["until"] == ["2026-03-10", "2026-03-20"]


def test_promise_and_hold_stand_side_by_side_and_are_released_together(invoice: Invoice) -> None:
    services.promise(invoice=invoice, until=day("2026-03-10"), on=day("2026-03-01"), now=NOW)
    services.hold(invoice=invoice, until=day("2026-03-12"), on=day("2026-03-01"), now=NOW)
    assert services.release(invoice=invoice, on=day("2026-03-03"), now=NOW) == 2
    stored = Invoice.objects.get()
    assert (stored.promise_until, stored.hold_until) == (None, None)
    assert not list(checks.differences(invoice.organisation))


def test_releasing_an_invoice_leaves_the_hold_of_its_customer(
    customer: Customer, invoice: Invoice
) -> None:
    services.hold(customer=customer, until=day("2026-03-12"), on=day("2026-03-01"), now=NOW)
    with pytest.raises(services.HoldError):
        services.release(invoice=invoice, on=day("2026-03-03"), now=NOW)
    assert Customer.objects.get().hold_until == day("2026-03-12")
    services.release(customer=customer, on=day("2026-03-03"), now=NOW)
    assert Customer.objects.get().hold_until is None


def test_a_promise_in_the_past_or_of_nothing_is_refused(invoice: Invoice) -> None:
    with pytest.raises(services.HoldError) as refused:
        services.promise(invoice=invoice, until=day("2026-02-28"), on=day("2026-03-01"), now=NOW)
    assert refused.value.field == "until"
    with pytest.raises(services.HoldError):
        services.promise(
            invoice=invoice,
            until=day("2026-03-02"),
            on=day("2026-03-01"),
            now=NOW,
            amount_cents=0,
        )


def test_a_hold_is_about_an_invoice_or_a_customer(customer: Customer, invoice: Invoice) -> None:
    with pytest.raises(TypeError):
        services.hold(
            customer=customer,
            invoice=invoice,
            until=day("2026-03-02"),
            on=day("2026-03-01"),
            now=NOW,
        )


def test_switching_the_plan_of_an_invoice_is_remembered_once(invoice: Invoice) -> None:
    """S2-12, S2-16."""
    for _ in range(2):
        services.switch_plan_for_invoice(
            invoice=invoice, plan_on=False, on=day("2026-03-01"), now=NOW
        )
    assert not Invoice.objects.get().plan_on
    assert Event.objects.get(kind="plan_switched").data == {"plan_on": [True, False]}
