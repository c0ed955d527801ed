"""One statement does both jobs: rules, settlement and receipts found follow from its import."""

from datetime import timedelta

import pytest

from relance.accounts.models import Organisation, User
from relance.bank import checks
from relance.bank.models import BankImport, BankRule, Document, Link, Transaction
from relance.bank.services import feed, setup, statements
from relance.bank.services.errors import BankRefused
from relance.ledger.models import Customer
from tests.bank.test_documents import paper
from tests.conftest import NOW, TODAY, make_invoice

pytestmark = pytest.mark.django_db

OFX = (
    "OFXHEADER:100\n<OFX><STMTRS><CURDEF>EUR<BANKACCTFROM><ACCTID>FR7612345</BANKACCTFROM>{lines}"
    "</STMTRS></OFX>"
)


def ofx(*lines: tuple[str, int, str]) -> bytes:
    """A statement of (reference of the bank, cents, label), all booked yesterday."""
    day = (TODAY - timedelta(days=1)).strftime("%Y%m%d")
    body = "".join(
        f"<STMTTRN><DTPOSTED>{day}<TRNAMT>{cents / 100:.2f}<FITID>{key}<NAME>{label}</STMTTRN>"
        for key, cents, label in lines
    )
    return OFX.format(lines=body).encode()


def take(organisation: Organisation, raw: bytes) -> feed.TakenIn:
    imported = feed.receive(
        organisation=organisation, raw=raw, filename="r.ofx", now=NOW, actor=None
    )
    found = statements.read_file(raw)
    return feed.take_in(imported=imported, found=found, on=TODAY, now=NOW, actor=None)


def test_what_comes_in_is_waived_settled_and_matched_at_once(
    organisation: Organisation, customer: Customer, owner: User
) -> None:
    """D-24: credits settle invoices, debits want receipts."""
    BankRule.objects.create(organisation=organisation, position=1, words="péage")
    invoice = make_invoice(customer, "FA-2026-0042", TODAY, 120000)
    paper(organisation, 5602, owner)
    raw = ofx(("1", -840, "PEAGE A11"), ("2", 120000, "VIR FA 2026 0042"), ("3", -5602, "CB"))
    taken = take(organisation, raw)
    assert (taken.waived, taken.settled.automatic, taken.receipts_found) == (1, 1, 1)
    assert taken.customers == {customer.pk}
    invoice.refresh_from_db()
    assert invoice.balance_cents == 0
    states = dict(Transaction.objects.values_list("label", "missing"))
    assert states == {"PEAGE A11": "", "VIR FA 2026 0042": "", "CB": "potential"}
    assert list(checks.differences(organisation)) == []


def test_the_same_statement_again_does_nothing(
    organisation: Organisation, customer: Customer
) -> None:
    make_invoice(customer, "FA-2026-0042", TODAY, 120000)
    raw = ofx(("2", 120000, "VIR FA 2026 0042"))
    take(organisation, raw)
    again = take(organisation, raw)
    assert (again.imported.added, again.imported.repeated, again.settled.automatic) == (0, 1, 0)
    assert Transaction.objects.count() == 1


def test_an_import_is_done_once_even_when_sent_twice(organisation: Organisation) -> None:
    raw = ofx(("1", -100, "CB"))
    taken = take(organisation, raw)
    with pytest.raises(statements.BankFileError, match="déjà importé"):
        feed.take_in(
            imported=taken.imported,
            found=statements.read_file(raw),
            on=TODAY,
            now=NOW,
            actor=None,
        )


def test_a_file_without_account_is_kept_until_one_is_named(organisation: Organisation) -> None:
    raw = b":20:X\n:61:0911010101DR15,00FCHK304955//4958843\nADDITIONAL\n"
    with pytest.raises(statements.BankFileError) as refused:
        statements.read_file(raw)
    assert refused.value.code == "bank_no_account"
    kept = feed.receive(organisation=organisation, raw=raw, filename="a", now=NOW, actor=None)
    assert (kept.kind, kept.done) == ("mt940", False)
    found = statements.read_file(raw, account="FR76 1")
    assert found.statements[0].account == "FR761"


@pytest.mark.parametrize(
    "raw", [b"", b"PK\x03\x04zip", b"<html></html>", b"bonjour", b"\x00\x01\x02" * 50]
)
def test_what_is_no_statement_is_refused_and_not_kept(
    organisation: Organisation, raw: bytes
) -> None:
    with pytest.raises(statements.BankFileError):
        feed.receive(organisation=organisation, raw=raw, filename="x", now=NOW, actor=None)
    assert not BankImport.objects.exists()


def test_rules_are_moved_and_deleted_with_what_they_waived(
    organisation: Organisation, owner: User
) -> None:
    def rule(words: str) -> BankRule:
        values = setup.RuleValues("exempt", words=words)
        return setup.save_rule(organisation, values, actor=owner, on=TODAY, now=NOW)

    first, second = rule("peage"), rule("frais")
    setup.move_rule(second, way="up")
    first.refresh_from_db()
    assert (first.position, BankRule.objects.get(pk=second.pk).position) == (2, 1)
    take(organisation, ofx(("1", -840, "PEAGE A11")))
    assert Transaction.objects.get().missing == ""
    assert setup.delete_rule(first, actor=owner, on=TODAY, now=NOW) == 1
    assert Transaction.objects.get().missing == "not_associated"
    with pytest.raises(BankRefused):
        rule("  ")


def test_doctor_says_which_copy_is_wrong(organisation: Organisation, owner: User) -> None:
    take(organisation, ofx(("1", -840, "PEAGE A11")))
    document = paper(organisation, 100, owner)
    Transaction.objects.update(missing="", covered_cents=-5)
    Document.objects.filter(pk=document.pk).update(left_cents=7)
    said = list(checks.differences(organisation))
    assert len(said) == 2
    assert "covered_cents, missing" in said[0]
    assert "reste 7 au lieu de 100" in said[1]
    assert not Link.objects.exists()
