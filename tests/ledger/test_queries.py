"""Figures as of a date: what was paid, promised or disputed later does not change yesterday."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from relance.accounts.models import Organisation
from relance.ledger import queries, services
from relance.ledger.models import Customer
from relance.ledger.queries import Ageing, Sums

from .conftest import NOW, a_customer, an_invoice, day


@pytest.fixture
def ledger(customer: Customer) -> Organisation:
    """One invoice per bucket on 2026-03-31, one of another currency, one issued later."""
    for number, due in (
        ("same-day", "2026-03-31"),
        ("1", "2026-03-30"),
        ("30", "2026-03-01"),
        ("31", "2026-02-28"),
        ("60", "2026-01-30"),
        ("61", "2026-01-29"),
        ("90", "2025-12-31"),
        ("91", "2025-12-30"),
    ):
        an_invoice(customer, number, issued="2025-12-01", due=due, cents=10_00)
    other = a_customer(customer.organisation, "C2")
    an_invoice(other, "dollars", issued="2025-12-01", due="2026-01-01", cents=7_00, currency="USD")
    an_invoice(other, "later", issued="2026-04-01", due="2026-04-01", cents=10_00)
    return customer.organisation


def test_ageing_counts_calendar_days_after_the_due_date(ledger: Organisation) -> None:
    """Formats D2: not due, 1–30, 31–60, 61–90, over 90, by due date."""
    figures = queries.ageing(ledger, day("2026-03-31"))
    two = Sums(2, 20_00)
    assert figures["EUR"] == Ageing(
        Sums(8, 80_00), Sums(1, 10_00), two, two, two, Sums(1, 10_00), overdue_customers=1
    )
    assert figures["USD"].d61_90 == Sums(1, 7_00)
    assert figures["EUR"].overdue == Sums(7, 70_00)
    assert [key for key, _sums in figures["EUR"].buckets] == list(queries.BUCKETS)


def test_ageing_takes_three_statements_whatever_the_ledger(ledger: Organisation) -> None:
    with CaptureQueriesContext(connection) as seen:
        queries.ageing(ledger, day("2026-03-31"))
    assert len(seen) == 3


def test_what_was_paid_later_was_still_open_then(ledger: Organisation, customer: Customer) -> None:
    invoice = customer.invoices.get(number="1")
    for cents, on in ((4_00, "2026-03-31"), (6_00, "2026-04-02")):
        services.record_payment(invoice=invoice, amount_cents=cents, on=day(on), now=NOW)
    assert queries.ageing(ledger, day("2026-03-30"))["EUR"].open.cents == 80_00
    assert queries.ageing(ledger, day("2026-03-31"))["EUR"].open == Sums(8, 76_00)
    assert queries.ageing(ledger, day("2026-04-02"))["EUR"].open == Sums(8, 80_00)
    assert queries.balances(ledger, day("2026-04-01"), customer=customer)[invoice.pk] == 6_00
    assert invoice.pk not in queries.balances(ledger, day("2026-04-02"))


def test_figures_of_one_customer(ledger: Organisation) -> None:
    other = Customer.objects.get(code="C2")
    assert list(queries.ageing(ledger, day("2026-03-31"), customer=other)) == ["USD"]
    assert queries.totals(ledger, day("2026-04-01"), customer=other)["EUR"].open == Sums(1, 10_00)


def test_totals_know_the_promises_and_disputes_of_the_date(
    ledger: Organisation, customer: Customer
) -> None:
    first, second = customer.invoices.filter(number__in=["1", "30"]).order_by("number")
    services.promise(invoice=first, until=day("2026-04-10"), on=day("2026-04-01"), now=NOW)
    services.open_dispute(invoice=second, on=day("2026-04-02"), now=NOW)
    services.resolve_dispute(invoice=second, on=day("2026-04-05"), now=NOW)

    def figures(on: str) -> tuple[int, int]:
        found = queries.totals(ledger, day(on))["EUR"]
        return found.promised.count, found.disputed.count

    assert [figures(on) for on in ("2026-03-31", "2026-04-01", "2026-04-04")] == [
        (0, 0),
        (1, 0),
        (1, 1),
    ]
    assert [figures(on) for on in ("2026-04-05", "2026-04-10", "2026-04-11")] == [
        (1, 0),
        (1, 0),
        (0, 0),
    ]
    assert queries.totals(ledger, day("2026-04-04"))["EUR"].overdue == Sums(9, 90_00)


def test_a_balance_under_the_tolerance_counts_as_settled(ledger: Organisation) -> None:
    ledger.tolerance_cents = 10_01
    assert "EUR" not in queries.ageing(ledger, day("2026-03-31"))


def test_another_organisation_is_not_seen(ledger: Organisation) -> None:
    other = Organisation.objects.create(name="Autre", slug="autre")
    assert queries.totals(other, day("2026-03-31")) == {}


def test_months_roll_the_receivable_back(customer: Customer) -> None:
    january = an_invoice(customer, "a", issued="2026-01-10", due="2026-02-10", cents=100_00)
    an_invoice(customer, "b", issued="2026-02-10", due="2026-03-10", cents=30_00)
    services.record_payment(invoice=january, amount_cents=60_00, on=day("2026-03-05"), now=NOW)
    found = queries.months(customer.organisation, day("2026-03-15"), count=3)
    assert [(m.end.isoformat(), *m[1:]) for m in found] == [
        ("2026-01-31", 100_00, 0, 100_00),
        ("2026-02-28", 30_00, 0, 130_00),
        ("2026-03-15", 0, 60_00, 70_00),
    ]


def test_unapplied_credits_as_of_a_date(customer: Customer) -> None:
    invoice = an_invoice(customer)
    credit = services.add_credit(
        customer=customer, number="A", total_cents=9_00, on=day("2026-03-01"), now=NOW
    )
    services.apply_credit(
        credit=credit, invoice=invoice, amount_cents=9_00, on=day("2026-03-10"), now=NOW
    )
    organisation = customer.organisation
    assert queries.unapplied_credits(organisation, day("2026-02-28")) == {}
    assert queries.unapplied_credits(organisation, day("2026-03-09")) == {"EUR": 9_00}
    assert queries.unapplied_credits(organisation, day("2026-03-10"), customer=customer) == {}
