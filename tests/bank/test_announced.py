"""What a bank announces (camt, status PDNG) is to come, and no more until it is booked."""

from datetime import UTC, date, datetime

import pytest
from django.test import Client

from relance.accounts.models import Organisation, User
from relance.bank.models import Pending, Transaction
from relance.bank.services import feed
from relance.bank.services.statements import import_file, read_file
from relance.formats.bank.read import BankFile, read_bank_file
from relance.ledger.models import Customer, Payment
from tests.conftest import TODAY, make_invoice

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 24, 7, 30, tzinfo=UTC)
Line = tuple[str, str, str, str, str]


def camt(last: str, *lines: Line) -> bytes:
    """Lines are (day, status, amount signed, the bank's number, words); `last`: closing day."""
    entries = ""
    for day, status, amount, number, words in lines:
        sense = "DBIT" if amount.startswith("-") else "CRDT"
        ref = f"<AcctSvcrRef>{number}</AcctSvcrRef>" if number else ""
        entries += (
            f'<Ntry><Amt Ccy="EUR">{amount.lstrip("-")}</Amt><CdtDbtInd>{sense}</CdtDbtInd>'
            f"<Sts>{status}</Sts><BookgDt><Dt>{day}</Dt></BookgDt>{ref}"
            f"<AddtlNtryInf>{words}</AddtlNtryInf></Ntry>"
        )
    return (
        '<?xml version="1.0"?><Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.02">'
        "<BkToCstmrStmt><Stmt><Id>1</Id><Acct><Id><IBAN>FR7612345</IBAN></Id><Ccy>EUR</Ccy></Acct>"
        '<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">0</Amt>'
        f"<CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>{last}</Dt></Dt></Bal>{entries}</Stmt>"
        "</BkToCstmrStmt></Document>"
    ).encode()


SOON = ("2026-11-25", "PDNG", "1200.00", "N1", "VIR FA-2026-0042")


def bring(organisation: Organisation, raw: bytes) -> int:
    return import_file(
        organisation=organisation, raw=raw, filename="r.xml", on=TODAY, now=NOW
    ).added


@pytest.mark.parametrize("status", ["PDNG", "FUTR", "<Cd>PDNG</Cd>"])
def test_an_announced_movement_stands_apart_from_those_booked(status: str) -> None:
    """Version 8 of the format writes the status one element deeper."""
    raw = camt("2026-11-24", (*SOON[:1], status, *SOON[2:]), ("2026-11-24", "BOOK", "5", "", "X"))
    found = read_bank_file(raw)
    assert isinstance(found, BankFile)
    [statement] = found.statements
    assert [one.label for one in statement.movements] == ["X"]
    assert [one.label for one in statement.pending] == ["VIR FA-2026-0042"]


def test_mere_information_is_no_movement() -> None:
    found = read_file(camt("2026-11-24", (*SOON[:1], "INFO", *SOON[2:])))
    assert not found.statements[0].movements
    assert not found.statements[0].pending


def test_it_settles_nothing_and_is_asked_of_nobody_until_it_is_booked(
    organisation: Organisation, customer: Customer, owner: User, client: Client
) -> None:
    invoice = make_invoice(customer, "FA-2026-0042", TODAY, 120000)
    imported = feed.receive(
        organisation=organisation,
        raw=camt("2026-11-24", SOON),
        filename="r.xml",
        now=NOW,
        actor=owner,
    )
    found = read_file(feed.raw_of(imported))
    taken = feed.take_in(imported=imported, found=found, on=TODAY, now=NOW, actor=owner)
    assert (taken.customers, Transaction.objects.count()) == (set(), 0)
    invoice.refresh_from_db()
    assert invoice.balance_cents == 120000
    client.force_login(owner)
    bring(organisation, camt("2026-11-24", ("2026-11-24", "BOOK", "-5", "", "CB")))
    page = client.get(f"/d/{organisation.slug}/banque/").content.decode()
    assert "1\u00a0opération à venir" in page or "1 opération à venir" in page
    assert "VIR FA-2026-0042" in page
    assert not Payment.objects.exists()


def test_the_booked_one_replaces_it_without_doubling(organisation: Organisation) -> None:
    bring(organisation, camt("2026-11-24", SOON))
    assert Pending.objects.get().on == date(2026, 11, 25)
    booked = ("2026-11-26", "BOOK", "1200.00", "N1", "VIR SEPA FA-2026-0042")
    assert bring(organisation, camt("2026-11-24", booked)) == 1
    assert not Pending.objects.exists()
    assert bring(organisation, camt("2026-11-24", SOON)) == 0
    assert not Pending.objects.exists()
    assert Transaction.objects.count() == 1


def test_without_a_number_words_and_amount_about_the_day_are_the_same_movement(
    organisation: Organisation,
) -> None:
    soon = ("2026-11-25", "PDNG", "-12.50", "", "PRLV EDF")
    bring(organisation, camt("2026-11-24", soon, ("2026-11-28", "PDNG", "-12.50", "", "PRLV EAU")))
    bring(organisation, camt("2026-11-24", ("2026-11-27", "BOOK", "-12.50", "", "PRLV EDF")))
    assert Pending.objects.get().label == "PRLV EAU"


def test_what_never_came_goes_with_the_statement_of_its_day(organisation: Organisation) -> None:
    """And an older file that announces it again brings nothing back."""
    bring(organisation, camt("2026-11-24", SOON, SOON[:1] + SOON[1:3] + ("N2", "AUTRE")))
    assert Pending.objects.count() == 2
    bring(organisation, camt("2026-11-24", SOON))
    assert Pending.objects.count() == 2
    bring(organisation, camt("2026-11-30"))
    assert not Pending.objects.exists()
    bring(organisation, camt("2026-11-24", SOON))
    assert not Pending.objects.exists()
