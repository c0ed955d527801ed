"""What comes in on the account settles invoices, so that nobody who has paid is chased."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from relance.accounts.models import Organisation, User
from relance.bank.checks import differences
from relance.bank.models import BankAccount, Link, Payer, Transaction
from relance.bank.services import settlement
from relance.dunning.daily import refreshing
from relance.dunning.models import Entry, Outlook, Plan
from relance.ledger.models import Credit, Customer, Payment
from relance.ledger.services import record_payment
from tests.conftest import NOW, TODAY, make_invoice

pytestmark = pytest.mark.django_db
Bring = Callable[..., Transaction]


@pytest.fixture
def account(organisation: Organisation) -> BankAccount:
    return BankAccount.objects.create(organisation=organisation, number="FR7612345")


@pytest.fixture
def bring(organisation: Organisation, account: BankAccount) -> Bring:
    def make(amount_cents: int, label: str = "VIR", **fields: object) -> Transaction:
        return Transaction.objects.create(
            organisation=organisation,
            account=account,
            key=str(Transaction.objects.count()),
            booked=TODAY - timedelta(days=1),
            amount_cents=amount_cents,
            label=label,
            missing="not_associated",
            **fields,
        )

    return make


def settle(row: Transaction) -> settlement.Settled:
    return settlement.settle(organisation=row.organisation, transactions=[row], on=TODAY, now=NOW)


def test_an_exact_reference_and_amount_settle_the_invoice_at_once(
    bring: Bring, customer: Customer
) -> None:
    invoice = make_invoice(customer, "FA-2026-0042", TODAY, 120000)
    row = bring(120000, "VIR SEPA FA 2026 0042")
    settled = settle(row)
    invoice.refresh_from_db()
    row.refresh_from_db()
    assert (settled.customers, settled.automatic) == ({customer.pk}, 1)
    assert (invoice.balance_cents, row.missing, row.linked_cents) == (0, "", 120000)
    assert Payment.objects.get().on == row.booked


def test_looking_twice_applies_once(bring: Bring, customer: Customer) -> None:
    make_invoice(customer, "FA-2026-0042", TODAY, 120000)
    row = bring(120000, "FA-2026-0042")
    settle(row)
    assert settle(row) == (set(), 0, 0, 0)
    assert Payment.objects.count() == 1


def test_an_amount_without_reference_waits_for_a_person(
    bring: Bring, customer: Customer, owner: User
) -> None:
    invoice = make_invoice(customer, "FA-2026-0042", TODAY, 120000)
    row = bring(120000, "VIR", name=customer.name, iban="FR76 9999")
    assert settle(row).proposed == 1
    invoice.refresh_from_db()
    row.refresh_from_db()
    assert (invoice.balance_cents, row.missing) == (120000, "potential")
    settlement.confirm(row=row, shares=[(invoice.pk, 120000)], actor=owner, on=TODAY, now=NOW)
    invoice.refresh_from_db()
    row.refresh_from_db()
    assert (invoice.balance_cents, row.missing) == (0, "")
    assert Payer.objects.get().customer == customer
    with pytest.raises(settlement.BankRefused, match="déjà associée"):
        settlement.confirm(row=row, shares=[(invoice.pk, 1)], actor=owner, on=TODAY, now=NOW)


def test_what_is_paid_over_becomes_an_unapplied_credit(
    bring: Bring, customer: Customer, owner: User
) -> None:
    invoice = make_invoice(customer, "FA-2026-0042", TODAY, 120000)
    row = bring(130000, "FA-2026-0042")
    assert settle(row).proposed == 1
    settlement.confirm(row=row, shares=[(invoice.pk, 120000)], actor=owner, on=TODAY, now=NOW)
    assert Credit.objects.get().left_cents == 10000


def test_a_proposal_that_is_not_meant_goes_and_nothing_is_applied(
    bring: Bring, customer: Customer
) -> None:
    make_invoice(customer, "FA-2026-0042", TODAY, 120000)
    row = bring(50000, "acompte FA-2026-0042")
    settle(row)
    settlement.reject(row=row)
    row.refresh_from_db()
    assert (row.missing, Link.objects.count(), Payment.objects.count()) == (
        "not_associated",
        0,
        0,
    )


def test_a_rejected_payment_reopens_the_invoice(bring: Bring, customer: Customer) -> None:
    """A returned debit: the money goes back, the invoice is owed again (D4)."""
    invoice = make_invoice(customer, "FA-2026-0042", TODAY, 120000)
    settle(bring(120000, "FA-2026-0042", reference="E2E-1"))
    back = bring(-120000, "REJET PRLV", reference="E2E-1", reversal=True)
    settled = settle(back)
    invoice.refresh_from_db()
    assert (settled.reversed, settled.customers) == (1, {customer.pk})
    assert invoice.balance_cents == 120000


def test_two_lines_for_one_invoice_do_not_pay_it_twice(
    organisation: Organisation,
    bring: Bring,
    customer: Customer,
) -> None:
    invoice = make_invoice(customer, "FA-2026-0042", TODAY, 120000)
    rows = [bring(120000, "FA-2026-0042"), bring(120000, "FA-2026-0042")]
    settled = settlement.settle(organisation=organisation, transactions=rows, on=TODAY, now=NOW)
    invoice.refresh_from_db()
    assert (settled.automatic, invoice.balance_cents) == (1, 0)


def test_undoing_a_settlement_reopens_the_invoice(
    bring: Bring, customer: Customer, owner: User
) -> None:
    invoice = make_invoice(customer, "FA-2026-0042", TODAY, 120000)
    row = bring(120000, "FA-2026-0042")
    settle(row)
    settlement.undo(row=row, actor=owner, on=TODAY, now=NOW)
    invoice.refresh_from_db()
    row.refresh_from_db()
    assert (invoice.balance_cents, row.missing) == (120000, "not_associated")


def test_an_invoice_of_another_dossier_cannot_be_paid(
    bring: Bring, customer: Customer, owner: User
) -> None:
    foreign = Organisation.objects.create(name="Autre", slug="autre")
    other = Customer.objects.create(organisation=foreign, code="X", name="X", search="x")
    invoice = make_invoice(other, "F-9", TODAY, 100)
    row = bring(100)
    with pytest.raises(settlement.BankRefused):
        settlement.confirm(row=row, shares=[(invoice.pk, 100)], actor=owner, on=TODAY, now=NOW)


def test_a_credit_that_wants_no_receipt_settles_its_invoice_all_the_same(
    bring: Bring, customer: Customer
) -> None:
    invoice = make_invoice(customer, "FA-2026-0042", TODAY, 120000)
    exempt = bring(120000, "VIR FA-2026-0042", waiver=Transaction.Waiver.EXEMPT)
    assert settle(exempt).automatic == 1
    invoice.refresh_from_db()
    assert invoice.balance_cents == 0


def test_an_ignored_credit_settles_nothing(bring: Bring, customer: Customer) -> None:
    make_invoice(customer, "FA-2026-0042", TODAY, 120000)
    ignored = bring(120000, "VIR FA-2026-0042", waiver=Transaction.Waiver.IGNORED)
    assert settle(ignored) == (set(), 0, 0, 0)


def test_a_rejection_that_a_person_has_entered_already_takes_nothing_back_twice(
    bring: Bring, customer: Customer
) -> None:
    """The statement is imported all the same: the invoice owes its amount, once."""
    invoice = make_invoice(customer, "FA-2026-0042", TODAY, 120000)
    settle(bring(120000, "FA-2026-0042", reference="E2E-1"))
    invoice.refresh_from_db()
    record_payment(invoice=invoice, amount_cents=-120000, on=TODAY, now=NOW)
    back = bring(-120000, "REJET PRLV", reference="E2E-1", reversal=True)
    assert settle(back).reversed == 0
    invoice.refresh_from_db()
    assert invoice.balance_cents == 120000


def test_the_rest_of_an_overpayment_is_the_customers_and_nothing_waits(
    bring: Bring, customer: Customer, owner: User
) -> None:
    """The transaction is done: its rest is an unapplied credit, which goes when it is undone."""
    invoice = make_invoice(customer, "FA-2026-0042", TODAY, 120000)
    row = bring(130000, "FA-2026-0042")
    settlement.confirm(row=row, shares=[(invoice.pk, 120000)], actor=owner, on=TODAY, now=NOW)
    row.refresh_from_db()
    assert (row.missing, row.linked_cents, row.covered_cents) == ("", 130000, 130000)
    assert list(differences(row.organisation)) == []
    settlement.undo(row=row, actor=owner, on=TODAY, now=NOW)
    row.refresh_from_db()
    assert (row.missing, Link.objects.count()) == ("not_associated", 0)
    assert sum(Credit.objects.values_list("left_cents", flat=True)) == 0


def test_an_overpayment_is_told_apart_from_those_whose_number_begins_alike(
    bring: Bring, customer: Customer, owner: User
) -> None:
    """TROP-PERCU-12 is none of transaction 1."""
    row = bring(130000)
    invoice = make_invoice(customer, "FA-2026-0042", TODAY, 120000)
    Credit.objects.create(
        organisation=row.organisation,
        customer=customer,
        number=f"TROP-PERCU-{row.pk}0",
        on=TODAY,
        total_cents=0,
        left_cents=0,
    )
    for _time in range(2):
        settlement.confirm(row=row, shares=[(invoice.pk, 120000)], actor=owner, on=TODAY, now=NOW)
        settlement.undo(row=row, actor=owner, on=TODAY, now=NOW)
    mine = Credit.objects.filter(number__regex=rf"^TROP-PERCU-{row.pk}(-\d+)?$")
    assert mine.count() == 4
    assert sum(mine.values_list("left_cents", flat=True)) == 0


def test_a_credit_and_its_rejection_cancel_each_other(
    bring: Bring, customer: Customer, plan: Plan
) -> None:
    """Neither wants a document, and the invoice is owed again at the level it had (D4)."""
    late = make_invoice(customer, "FA-2026-0042", TODAY - timedelta(days=8), 120000)
    Entry.objects.create(
        organisation=customer.organisation,
        customer=customer,
        on=TODAY - timedelta(days=1),
        kind=Entry.Kind.SENT,
        plan=plan,
        reference=late,
        level=2,
        channel="email",
    )
    paid = bring(120000, "FA-2026-0042", reference="E2E-1")
    settle(paid)
    back = bring(-120000, "REJET PRLV", reference="E2E-1", reversal=True)
    settle(back)
    for row in (paid, back):
        row.refresh_from_db()
        assert (row.missing, row.waiver) == ("", "reversed")
    late.refresh_from_db()
    assert late.balance_cents == 120000
    refreshing.refresh(customer.organisation, [customer.pk], on=TODAY, now=NOW)
    assert Outlook.objects.get(customer=customer).next_level == 3


def test_a_debit_given_back_by_the_bank_wants_no_receipt_either(bring: Bring) -> None:
    debit = bring(-4000, "PRLV CLUB", reference="M-1")
    other = bring(-4000, "PRLV EAU", reference="M-2")
    back = bring(4000, "PRLV CLUB REJETE", reference="M-1", reversal=True)
    settle(back)
    for row, waiver in ((debit, "reversed"), (back, "reversed"), (other, "")):
        row.refresh_from_db()
        assert row.waiver == waiver


def test_a_rejection_that_may_be_of_two_movements_decides_nothing(bring: Bring) -> None:
    rows = [bring(-4000, "CB"), bring(-4000, "CB"), bring(4000, "ANNULATION", reversal=True)]
    settle(rows[2])
    for row in rows:
        row.refresh_from_db()
        assert row.waiver == ""
