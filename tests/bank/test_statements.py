"""A statement is imported once, whatever files tell of it."""

from datetime import UTC, date, datetime

import pytest

from relance.accounts.models import Organisation, User
from relance.bank.models import BankAccount, BankImport, Transaction
from relance.bank.services import BankFileError, import_file, preview_file
from relance.bank.services.statements import gaps_of
from relance.history.models import Event

pytestmark = pytest.mark.django_db
ON, NOW = date(2026, 11, 21), datetime(2026, 11, 21, 8, tzinfo=UTC)


def ofx(*lines: tuple[str, str, str, str], balance: str = "0.00") -> bytes:
    """Lines are (AAAAMMJJ, amount, the bank's number, words)."""
    rows = "".join(
        f"<STMTTRN><TRNTYPE>X<DTPOSTED>{day}<TRNAMT>{amount}<FITID>{number}<NAME>{words}\n</STMTTRN>"
        for day, amount, number, words in lines
    )
    return (
        "OFXHEADER:100\n\n<OFX><STMTRS><CURDEF>EUR\n<BANKACCTFROM><ACCTID>FR7612345\n"
        f"</BANKACCTFROM><BANKTRANLIST>{rows}</BANKTRANLIST>"
        f"<LEDGERBAL><BALAMT>{balance}\n<DTASOF>20261120\n</LEDGERBAL></STMTRS></OFX>"
    ).encode()


def mt940(opening: str, day: str, amount: str, closing: str) -> bytes:
    return (
        f":20:X\n:25:FR7612345\n:28C:1\n:60F:C{day}EUR{opening}\n"
        f":61:{day}C{amount}NTRFNONREF//{day}\n:86:VIR\n:62F:C{day}EUR{closing}\n-"
    ).encode()


OCTOBER = ofx(("20261005", "-12.50", "1", "PAPETERIE"), ("20261020", "300.00", "2", "VIR DURAND"))


def bring(organisation: Organisation, raw: bytes) -> BankImport:
    return import_file(organisation=organisation, raw=raw, filename="releve.ofx", on=ON, now=NOW)


def test_a_file_is_previewed_then_imported(organisation: Organisation, owner: User) -> None:
    preview = preview_file(organisation=organisation, raw=OCTOBER)
    assert (preview.kind, preview.added, preview.repeated) == ("ofx", 2, 0)
    assert Transaction.objects.count() == 0
    imported = import_file(
        organisation=organisation, raw=OCTOBER, filename="r.ofx", on=ON, now=NOW, actor=owner
    )
    assert imported.added == 2
    rows = Transaction.objects.order_by("booked").values_list("amount_cents", "label", "missing")
    assert list(rows) == [
        (-1250, "PAPETERIE", "not_associated"),
        (30000, "VIR DURAND", "not_associated"),
    ]
    event = Event.objects.get(kind="bank_imported")
    assert (event.actor_name, event.data["added"]) == (str(owner), 2)


def test_the_same_file_twice_and_an_overlapping_one_add_nothing_twice(
    organisation: Organisation,
) -> None:
    bring(organisation, OCTOBER)
    assert (bring(organisation, OCTOBER).added, bring(organisation, OCTOBER).repeated) == (0, 2)
    later = ofx(("20261020", "300.00", "2", "VIR DURAND"), ("20261102", "-5.00", "3", "FRAIS"))
    preview = preview_file(organisation=organisation, raw=later)
    assert (preview.added, preview.repeated) == (1, 1)
    assert bring(organisation, later).added == 1
    assert Transaction.objects.count() == 3


def test_two_movements_alike_in_one_file_are_both_kept(organisation: Organisation) -> None:
    """Two coffees of the same price on one day, from a bank that numbers nothing."""
    twice = ofx(("20261005", "-2.50", "", "CAFE"), ("20261005", "-2.50", "", "CAFE"))
    assert bring(organisation, twice).added == 2
    assert bring(organisation, twice).added == 0


def test_the_statement_of_one_day_brought_again_leaves_no_hole(organisation: Organisation) -> None:
    day = mt940("100,00", "261001", "50,00", "150,00")
    bring(organisation, day)
    assert preview_file(organisation=organisation, raw=day).gaps == []
    bring(organisation, day)
    assert gaps_of(BankAccount.objects.get()) == []


def test_a_hole_between_two_statements_is_told(organisation: Organisation) -> None:
    bring(organisation, mt940("100,00", "261001", "50,00", "150,00"))
    following = mt940("150,00", "261101", "10,00", "160,00")
    assert preview_file(organisation=organisation, raw=following).gaps == []
    hole = mt940("500,00", "261101", "10,00", "510,00")
    [gap] = preview_file(organisation=organisation, raw=hole).gaps
    assert (gap.before_cents, gap.after_cents) == (15000, 50000)
    bring(organisation, hole)
    [kept] = gaps_of(BankAccount.objects.get())
    assert (kept.before, kept.after) == (date(2026, 10, 1), date(2026, 11, 1))


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"bonjour", "bank_unknown"),
        (OCTOBER.replace(b"300.00", b"$300"), "bank_bad_amount"),
        (OCTOBER.replace(b"<ACCTID>FR7612345\n", b""), "bank_no_account"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_refused_and_leaves_nothing(
    organisation: Organisation, raw: bytes, code: str
) -> None:
    with pytest.raises(BankFileError) as refusal:
        bring(organisation, raw)
    assert refusal.value.code == code
    assert str(refusal.value).endswith(".")
    assert not BankImport.objects.exists()


def test_the_same_account_number_in_two_dossiers_is_two_accounts(
    organisation: Organisation,
) -> None:
    other_organisation = Organisation.objects.create(name="Autre", slug="autre")
    bring(organisation, OCTOBER)
    assert bring(other_organisation, OCTOBER).added == 2
    assert BankAccount.objects.count() == 2
