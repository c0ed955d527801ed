"""Payments and credits keep the stored balances right and tell the history."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile

from relance.history.models import Event
from relance.history.services import verify
from relance.ledger import checks, services
from relance.ledger.models import Credit, Customer, Invoice

from .conftest import NOW, TODAY, a_customer, an_invoice, day


def pay(invoice: Invoice, cents: int, on: str = "2026-03-01") -> None:
    services.record_payment(invoice=invoice, amount_cents=cents, on=day(on), now=NOW)


def credit_of(customer: Customer, cents: int = 50_00, **fields: Any) -> Credit:
    return services.add_credit(
        customer=customer, number="A-1", total_cents=cents, on=day("2026-03-01"), now=NOW, **fields
    )


def test_a_payment_lowers_the_balance_and_is_remembered(invoice: Invoice) -> None:
    pay(invoice, 60_00)
    assert invoice.balance_cents == 40_00
    assert Invoice.objects.get().balance_cents == 40_00
    event = Event.objects.get(kind="payment_recorded")
    assert event.on == TODAY
    assert event.data["amount_cents"] == 60_00
    assert event.data["balance_cents"] == 40_00
    assert event.data["on"] == "2026-03-01"
    assert verify(invoice.organisation) is None


def test_a_negative_payment_cancels_and_reopens(invoice: Invoice) -> None:
    pay(invoice, 100_00)
    pay(invoice, -100_00, "2026-03-05")
    assert invoice.balance_cents == 100_00
    assert Event.objects.filter(kind="payment_cancelled").count() == 1


@pytest.mark.parametrize(
    ("cents", "on", "field"),
    [
        (0, "2026-03-01", "amount_cents"),
        (-1, "2026-03-01", "amount_cents"),
        (5, "2026-07-01", "on"),
    ],
)
def test_a_payment_that_makes_no_sense_is_refused(
    invoice: Invoice, cents: int, on: str, field: str
) -> None:
    with pytest.raises(services.MoneyError) as refused:
        pay(invoice, cents, on)
    assert refused.value.field == field
    assert not invoice.payments.exists()


def test_an_overpaid_invoice_has_a_balance_below_zero(invoice: Invoice) -> None:
    pay(invoice, 120_00)
    assert invoice.balance_cents == -20_00


def test_applying_a_credit_pays_the_invoice_and_uses_the_credit(
    customer: Customer, invoice: Invoice
) -> None:
    """S3-06."""
    credit = credit_of(customer)
    services.apply_credit(
        credit=credit, invoice=invoice, amount_cents=30_00, on=day("2026-03-02"), now=NOW
    )
    assert (credit.left_cents, invoice.balance_cents) == (20_00, 70_00)
    assert list(checks.differences(customer.organisation)) == []


def test_a_credit_is_not_applied_beyond_what_is_left(customer: Customer, invoice: Invoice) -> None:
    credit = credit_of(customer)
    with pytest.raises(services.MoneyError, match="50,00"):
        services.apply_credit(
            credit=credit, invoice=invoice, amount_cents=50_01, on=day("2026-03-02"), now=NOW
        )


@pytest.mark.parametrize("other", ["customer", "currency"])
def test_a_credit_pays_only_its_customer_in_its_currency(customer: Customer, other: str) -> None:
    owner = a_customer(customer.organisation, "C2") if other == "customer" else customer
    invoice = an_invoice(owner, currency="USD" if other == "currency" else "EUR")
    with pytest.raises(services.MoneyError):
        services.apply_credit(
            credit=credit_of(customer), invoice=invoice, amount_cents=1, on=TODAY, now=NOW
        )


def test_a_credit_is_not_applied_before_its_date(customer: Customer, invoice: Invoice) -> None:
    with pytest.raises(services.MoneyError) as refused:
        services.apply_credit(
            credit=credit_of(customer),
            invoice=invoice,
            amount_cents=1,
            on=day("2026-02-28"),
            now=NOW,
        )
    assert refused.value.field == "on"


@pytest.mark.parametrize(("number", "cents"), [("A-1", 5), ("", 5), ("A-2", 0)])
def test_a_credit_needs_a_new_number_and_an_amount(
    customer: Customer, number: str, cents: int
) -> None:
    credit_of(customer)
    with pytest.raises(services.MoneyError):
        services.add_credit(customer=customer, number=number, total_cents=cents, on=TODAY, now=NOW)


def test_an_invoice_number_is_taken_once_in_the_organisation(
    customer: Customer, invoice: Invoice
) -> None:
    with pytest.raises(services.CustomerError, match="F-1"):
        an_invoice(a_customer(customer.organisation, "C2"))
    with pytest.raises(services.CustomerError):
        an_invoice(customer, "F-2", cents=-5)
    with pytest.raises(services.CustomerError):
        an_invoice(customer, " ")


def test_a_pdf_is_attached_and_anything_else_refused(
    invoice: Invoice, tmp_path: Any, settings: Any
) -> None:
    settings.MEDIA_ROOT = tmp_path
    services.attach_document(
        invoice=invoice, content=ContentFile(b"%PDF-1.7 ...", "f.pdf"), on=TODAY, now=NOW
    )
    assert Invoice.objects.get().document.read() == b"%PDF-1.7 ..."
    with pytest.raises(services.DocumentError):
        services.attach_document(
            invoice=invoice, content=ContentFile(b"<html>", "f.pdf"), on=TODAY, now=NOW
        )
    assert Event.objects.filter(kind="document_attached").count() == 1


def test_doctor_sees_a_balance_that_does_not_follow_from_its_payments(invoice: Invoice) -> None:
    pay(invoice, 60_00)
    Invoice.objects.update(balance_cents=1, disputed=True, hold_until=TODAY + timedelta(days=1))
    Customer.objects.update(hold_until=TODAY)
    found = {
        (d.table, d.field, d.stored, d.expected) for d in checks.differences(invoice.organisation)
    }
    assert found == {
        ("invoice", "balance_cents", 1, 40_00),
        ("invoice", "disputed", True, False),
        ("invoice", "hold_until", TODAY + timedelta(days=1), None),
        ("customer", "hold_until", TODAY, None),
    }
