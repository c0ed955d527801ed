"""Legal amounts from real rows of the ledger: the seven reference examples, and what is refused."""

from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

import pytest

from relance.accounts.models import Organisation
from relance.dunning.facts import legal
from relance.dunning.wording import interest_statement, legal_words
from relance.engine.late_fees import MissingRate, Owed, Semester
from relance.ledger import services as ledger
from relance.ledger.models import Customer, Invoice
from relance.outbox.models import Message, MessageInvoice, Status, Tracking
from tests.conftest import NOW, make_customer, make_invoice
from tests.outbox.pdf_words import pages_of


def _day(text: str) -> date:
    return date.fromisoformat(text)


@pytest.fixture
def debtor(organisation: Organisation) -> Customer:
    return make_customer(organisation, None, regime="business", siren="732829320")


def _late(
    debtor: Customer, euros: str, due: str, *payments: tuple[str, str], number: str = "F-1"
) -> Invoice:
    invoice = make_invoice(debtor, number, _day(due), round(float(euros) * 100))
    for on, paid in payments:
        ledger.record_payment(
            invoice=invoice, amount_cents=round(float(paid) * 100), on=_day(on), now=NOW
        )
    return invoice


def _of(debtor: Customer, on: str, **more: Any) -> legal.Statement:
    debtor.organisation.refresh_from_db()
    return legal.statement(debtor.organisation, debtor.pk, on=_day(on), **more)


def _total(debtor: Customer, on: str, **more: Any) -> Owed:
    answer = _of(debtor, on, **more).total()
    assert isinstance(answer, Owed)
    return answer


@pytest.mark.parametrize(
    ("euros", "due", "payments", "interest_first", "on", "interest", "principal"),
    [
        ("1200", "2025-05-15", [("2025-08-20", "1200")], False, "2025-08-20", 40_26, 0),
        ("1200", "2025-05-15", [("2025-07-10", "500")], False, "2025-08-20", 33_44, 700_00),
        ("1200", "2025-05-15", [("2025-07-10", "500")], True, "2025-08-20", 33_76, 723_88),
        ("2400", "2024-06-20", [("2024-07-20", "2400")], False, "2024-07-20", 28_27, 0),
        ("10000", "2024-01-31", [("2024-03-01", "10000")], False, "2024-03-01", 119_18, 0),
        ("100", "2025-12-31", [("2026-01-01", "100")], False, "2026-01-01", 3, 0),
        ("3600", "2026-05-31", [], False, "2026-11-21", 212_06, 3600_00),
    ],
)
def test_the_seven_reference_examples_to_the_cent_from_rows_of_the_ledger(
    debtor: Customer,
    euros: str,
    due: str,
    payments: list[tuple[str, str]],
    interest_first: bool,
    on: str,
    interest: int,
    principal: int,
) -> None:
    """Law-and-money A4, examples 1 to 7, each with its 40 €."""
    Organisation.objects.filter(pk=debtor.organisation_id).update(interest_first=interest_first)
    _late(debtor, euros, due, *payments)
    owed = _total(debtor, on, paid_late=True)
    assert (owed.interest, owed.principal, owed.fee) == (interest, principal, 40_00)


def test_the_seventh_example_claims_3852_06(debtor: Customer) -> None:
    _late(debtor, "3600", "2026-05-31")
    assert _total(debtor, "2026-11-21").total == 3852_06


def test_money_that_came_after_the_day_asked_has_not_come_yet(debtor: Customer) -> None:
    """As of a date: an invoice settled since is counted as it stood."""
    _late(debtor, "1200", "2025-05-15", ("2025-08-20", "1200"))
    [line] = _of(debtor, "2025-06-30").lines
    assert isinstance(line.owed, Owed)
    assert (line.owed.principal, line.owed.interest) == (1200_00, 19_89)
    assert _of(debtor, "2025-09-01").lines == ()


def test_what_was_paid_in_time_or_is_not_due_has_no_line(debtor: Customer) -> None:
    _late(debtor, "100", "2026-10-01", ("2026-09-30", "100"))
    _late(debtor, "100", "2026-12-24", number="F-2")
    assert _of(debtor, "2026-11-21", paid_late=True).lines == ()


def test_a_missing_rate_refuses_with_its_semester_and_gives_no_total(debtor: Customer) -> None:
    _late(debtor, "100", "2026-12-15")
    statement = _of(debtor, "2027-01-05")
    assert statement.total() == MissingRate(Semester(2027, 1), "refi")
    assert statement.missing is not None
    assert "1er semestre 2027 n’est pas encore connu" in legal_words.missing_words(
        statement.missing
    )
    with pytest.raises(interest_statement.MissingRateError, match="1er semestre 2027"):
        interest_statement.pdf(debtor.organisation, debtor, statement, at=NOW)


def test_a_contract_rate_below_the_floor_is_raised_to_it_and_says_so(debtor: Customer) -> None:
    Organisation.objects.update(contract_rate_bp=500)
    _late(debtor, "1000", "2025-03-31")
    statement = _of(debtor, "2025-04-30")
    [line] = statement.lines
    assert isinstance(line.owed, Owed)
    assert [(one.rate, one.floored) for one in line.owed.pieces] == [(Fraction("11.13"), True)]
    assert line.floored
    assert "plancher est appliqué" in " ".join(legal_words.basis_words(statement))


def test_an_applied_credit_lowers_its_invoice_from_the_start(debtor: Customer) -> None:
    """A4: without a kind, the reading that favours the debtor; cancelled in full, no 40 €."""
    half, whole = (
        _late(debtor, "1000", "2025-01-31"),
        _late(debtor, "500", "2025-01-31", number="F-2"),
    )
    for number, invoice, cents in (("A-1", half, 500_00), ("A-2", whole, 500_00)):
        credit = ledger.add_credit(
            customer=debtor, number=number, total_cents=cents, on=_day("2025-02-14"), now=NOW
        )
        ledger.apply_credit(
            credit=credit, invoice=invoice, amount_cents=cents, on=_day("2025-02-14"), now=NOW
        )
    statement = _of(debtor, "2025-02-28", invoice_ids=[half.pk, whole.pk])
    first, second = (line.owed for line in statement.lines)
    assert isinstance(first, Owed)
    assert isinstance(second, Owed)
    assert (first.interest, first.principal) == (5_04, 500_00)
    assert (second.total, second.why_none) == (0, "CANCELLED_BY_CREDIT")


def test_the_judgment_stops_interest_and_later_debts_owe_nothing_more(debtor: Customer) -> None:
    Customer.objects.update(judgment_on=_day("2025-02-11"))
    _late(debtor, "1000", "2025-01-31")
    _late(debtor, "1000", "2025-02-28", number="F-2")
    before, after = (line.owed for line in _of(debtor, "2025-06-30").lines)
    assert isinstance(before, Owed)
    assert isinstance(after, Owed)
    assert before.pieces[-1].last == _day("2025-02-10")
    assert (after.fee, after.interest, after.why_none) == (0, 0, "JUDGMENT")


def test_a_customer_whose_regime_is_not_known_owes_the_principal_only(debtor: Customer) -> None:
    """D-26: nothing is charged, and why is said."""
    Customer.objects.update(regime="unknown")
    _late(debtor, "1000", "2025-01-31")
    statement = _of(debtor, "2025-06-30")
    owed = statement.total()
    assert isinstance(owed, Owed)
    assert owed.total == 1000_00
    assert statement.why_none == "UNKNOWN_REGIME"
    assert "régime du client" in legal_words.why_none_words("UNKNOWN_REGIME")


def test_a_public_buyer_keeps_the_first_rate(debtor: Customer) -> None:
    Customer.objects.update(regime="public")
    _late(debtor, "1000", "2025-06-15")
    [line] = _of(debtor, "2025-12-31").lines
    assert isinstance(line.owed, Owed)
    assert {one.rate for one in line.owed.pieces} == {Fraction("11.15")}
    assert line.owed.fee == 40_00


def test_a_consumer_owes_interest_from_the_reception_of_the_letter_and_no_fee(
    debtor: Customer,
) -> None:
    """A8: the day told by the post, or typed by a person; before it, nothing but the principal."""
    Customer.objects.update(regime="consumer")
    invoice = _late(debtor, "1000", "2025-01-31")
    assert _of(debtor, "2025-06-30").why_none == "NO_NOTICE"
    message = Message.objects.create(
        organisation=debtor.organisation,
        customer=debtor,
        channel="registered_letter",
        status=Status.SENT,
        on=_day("2025-05-26"),
        not_before=NOW,
        made_at=NOW,
        sender="",
        subject="",
        text="",
        message_ref="<1@x>",
    )
    MessageInvoice.objects.create(
        organisation=debtor.organisation, message=message, invoice=invoice, amount_cents=1000_00
    )
    Tracking.objects.create(
        organisation=debtor.organisation,
        message=message,
        at=datetime(2025, 5, 31, 9, tzinfo=UTC),
        status=legal.RECEIVED,
    )
    owed = _total(debtor, "2025-06-30")
    assert (owed.interest, owed.fee) == (3_05, 0)  # 30 days at 3.71 %
    Invoice.objects.update(noticed_on=_day("2025-03-31"))
    assert _total(debtor, "2025-06-30").interest == 9_25  # the earlier one: 91 days


def test_many_customers_are_counted_in_as_many_queries_as_one(
    organisation: Organisation, django_assert_max_num_queries: Any
) -> None:
    many = [make_customer(organisation, None, f"Client {n}", regime="consumer") for n in range(30)]
    for n, one in enumerate(many):
        _late(one, "100", "2026-09-30", ("2026-10-05", "10"), number=f"F-{n}")
    with django_assert_max_num_queries(5):
        found = legal.statements(organisation, [one.pk for one in many], on=_day("2026-11-21"))
    assert len(found) == 30
    assert all(len(one.lines) == 1 for one in found.values())


def test_customers_of_another_dossier_are_not_read(debtor: Customer, stranger: Any) -> None:
    elsewhere = Organisation.objects.exclude(pk=debtor.organisation_id).get()
    _late(debtor, "100", "2026-09-30")
    assert legal.statements(elsewhere, [debtor.pk], on=_day("2026-11-21")) == {}


def test_the_statement_as_a_pdf_shows_each_stretch_the_totals_and_the_law(debtor: Customer) -> None:
    _late(debtor, "1200", "2025-05-15", ("2025-07-10", "500"))
    _late(debtor, "3600", "2026-05-31", number="F-2")
    statement = _of(debtor, "2026-11-21")
    made = interest_statement.pdf(debtor.organisation, debtor, statement, at=NOW)
    assert made.startswith(b"%PDF-")
    assert made == interest_statement.pdf(debtor.organisation, debtor, statement, at=NOW)
    shown = "".join(pages_of(made))
    for word in ("13,15", "12,40", "144", "212,06", "L441-10)", "D441-5).", "732829320", "21"):
        assert word in shown, word
