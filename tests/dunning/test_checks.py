"""doctor compares what lists show with what was done."""

from datetime import timedelta

from relance.accounts.models import Organisation
from relance.dunning.daily import checks
from relance.dunning.models import Entry, InvoiceChase, Plan
from relance.ledger.models import Customer
from tests.conftest import TODAY, make_invoice


def test_a_last_relance_older_than_its_entry_is_told(
    organisation: Organisation, plan: Plan, customer: Customer
) -> None:
    told = {}
    for number, stored in (("RIGHT", TODAY), ("OLD", TODAY - timedelta(days=9)), ("NONE", None)):
        invoice = make_invoice(customer, number, TODAY - timedelta(days=20))
        Entry.objects.create(
            organisation=organisation,
            customer=customer,
            on=TODAY,
            kind=Entry.Kind.SENT,
            plan=plan,
            reference=invoice,
            level=1,
        )
        if stored:
            InvoiceChase.objects.create(
                organisation=organisation, invoice=invoice, level=1, last_on=stored
            )
        told[number] = invoice

    found = [one for one in checks.differences(organisation, TODAY) if one.startswith("facture")]

    assert {one.split(" :")[0] for one in found} == {"facture OLD", "facture NONE"}
    assert any(one.startswith("facture NONE : dernière relance aucune") for one in found)


def test_a_message_taken_back_is_no_relance(
    organisation: Organisation, plan: Plan, customer: Customer
) -> None:
    invoice = make_invoice(customer, "BOUNCED", TODAY - timedelta(days=20))
    Entry.objects.create(
        organisation=organisation,
        customer=customer,
        on=TODAY,
        kind=Entry.Kind.SENT,
        plan=plan,
        reference=invoice,
        level=1,
        void=True,
    )
    assert not [one for one in checks.differences(organisation, TODAY) if "BOUNCED" in one]
