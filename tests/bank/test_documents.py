"""Documents received, what they say, and the transactions they justify (S0-05 to S0-09)."""

import io
from collections.abc import Callable
from datetime import date, timedelta

import pytest
from PIL import Image

from relance.accounts.models import Organisation, User
from relance.bank.models import BankAccount, BankRule, Document, Link, Transaction
from relance.bank.reading import read_document
from relance.bank.services import links
from relance.bank.services.documents import clean_name, describe, store_document
from relance.bank.services.errors import BankRefused
from tests.conftest import NOW, TODAY

pytestmark = pytest.mark.django_db
Bring = Callable[..., Transaction]


def photo(shade: int = 255) -> bytes:
    target = io.BytesIO()
    Image.new("L", (20, 20), shade).save(target, "PNG")
    return target.getvalue()


def xml_invoice(total: str, day: str, supplier: str) -> bytes:
    cbc = "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"
    cac = "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
    return (
        f'<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2" xmlns:cbc="{cbc}"'
        f' xmlns:cac="{cac}"><cbc:ID>F-1</cbc:ID><cbc:IssueDate>{day}</cbc:IssueDate>'
        "<cac:AccountingSupplierParty><cac:Party><cac:PartyLegalEntity><cbc:RegistrationName>"
        f"{supplier}</cbc:RegistrationName></cac:PartyLegalEntity></cac:Party>"
        "</cac:AccountingSupplierParty><cac:LegalMonetaryTotal>"
        f"<cbc:TaxInclusiveAmount>{total}</cbc:TaxInclusiveAmount></cac:LegalMonetaryTotal></Invoice>"
    ).encode()


@pytest.fixture
def bring(organisation: Organisation) -> Bring:
    account = BankAccount.objects.create(organisation=organisation, number="FR7612345")

    def make(cents: int, label: str = "CARTE", on: date = TODAY, **more: object) -> Transaction:
        return Transaction.objects.create(
            organisation=organisation,
            account=account,
            key=str(Transaction.objects.count()),
            booked=on,
            amount_cents=cents,
            label=label,
            search=label.lower(),
            missing="not_associated",
            **more,
        )

    return make


def keep(organisation: Organisation, raw: bytes, name: str = "ticket.png") -> Document:
    return store_document(
        organisation=organisation, raw=raw, filename=name, on=TODAY, now=NOW
    ).document


def paper(organisation: Organisation, cents: int | None, owner: User, shade: int = 9) -> Document:
    made = keep(organisation, photo(shade))
    return describe(made, actor=owner, amount_cents=cents, on=TODAY)


def missing(row: Transaction) -> str:
    row.refresh_from_db()
    return row.missing


def test_an_electronic_invoice_says_what_it_is(organisation: Organisation) -> None:
    document = keep(organisation, xml_invoice("56.02", "2026-11-03", "Papeterie Le Goff"), "f.xml")
    assert (document.read_from, document.amount_cents, document.on) == (
        "facturx",
        5602,
        date(2026, 11, 3),
    )
    assert document.supplier == "Papeterie Le Goff"


def pdf(words: str) -> bytes:
    """One page with these words, as small as a reader of PDF bears it."""
    drawn = f"BT /F1 12 Tf 20 100 Td ({words}) Tj ET"
    return (
        "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
        "2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
        "3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 200]/Contents 4 0 R/Resources"
        "<</Font<</F1<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>endobj\n"
        f"4 0 obj<</Length {len(drawn)}>>stream\n{drawn}\nendstream endobj\n"
        "trailer<</Root 1 0 R>>\n%%EOF"
    ).encode()


def test_the_words_of_a_pdf_are_read_in_a_process_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """pdfium serves one thread at a time: the threads of the server never call it."""
    monkeypatch.setattr("pypdfium2.PdfDocument", None)
    said = read_document(
        pdf("Papeterie Morin le 05/10/2026 Total TTC 12,50 EUR"), "application/pdf"
    )
    assert (said.source, said.fields.amount, said.fields.on) == ("text", 1250, date(2026, 10, 5))


@pytest.mark.parametrize("raw", [b"%PDF-1.4 broken", pdf("x")[:90]])
def test_a_pdf_that_does_not_open_is_kept_without_words(raw: bytes) -> None:
    assert read_document(raw, "application/pdf").source == ""


def test_the_same_content_is_kept_once_whatever_its_name(organisation: Organisation) -> None:
    first = keep(organisation, photo(), "a.png")
    again = store_document(
        organisation=organisation, raw=photo(), filename="b.png", on=TODAY, now=NOW
    )
    assert (again.known, again.document) == (True, first)


def test_the_original_is_kept_unchanged(organisation: Organisation) -> None:
    document = keep(organisation, photo(7))
    with document.file.open("rb") as stream:
        assert stream.read() == photo(7)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd", "passwd.png"),
        ("C:\\Temp\\reçu.exe", "reçu.png"),
        ("", "justificatif.png"),
        ("a\u202egnp.exe", "agnp.png"),
    ],
)
def test_names_with_paths_or_tricks_are_made_plain(given: str, kept: str) -> None:
    assert clean_name(given, "png") == kept


def test_a_document_that_covers_all_makes_the_transaction_complete(
    organisation: Organisation, bring: Bring, owner: User
) -> None:
    row, document = bring(-5602), paper(organisation, 5602, owner)
    link = links.associate(row=row, document=document, actor=owner, on=TODAY, now=NOW)
    assert missing(row) == ""
    document.refresh_from_db()
    assert document.left_cents == 0
    links.dissociate(link=link, actor=owner, on=TODAY, now=NOW)
    assert missing(row) == "not_associated"


def test_a_part_is_covered_until_a_second_document_comes(
    organisation: Organisation, bring: Bring, owner: User
) -> None:
    """S0-07: one transaction, two documents."""
    row = bring(-10000)
    links.associate(
        row=row, document=paper(organisation, 4000, owner, 1), actor=owner, on=TODAY, now=NOW
    )
    assert missing(row) == "partial"
    links.associate(
        row=row, document=paper(organisation, 6000, owner, 2), actor=owner, on=TODAY, now=NOW
    )
    assert missing(row) == ""


def test_one_document_serves_two_transactions_and_no_more_than_it_has(
    organisation: Organisation, bring: Bring, owner: User
) -> None:
    document = paper(organisation, 10000, owner)
    first, second = bring(-6000), bring(-6000)
    links.associate(row=first, document=document, actor=owner, on=TODAY, now=NOW)
    links.associate(row=second, document=document, actor=owner, on=TODAY, now=NOW)
    assert (missing(first), missing(second)) == ("", "partial")
    with pytest.raises(BankRefused):
        links.associate(row=bring(-1), document=document, actor=owner, on=TODAY, now=NOW)


def test_a_document_of_another_dossier_cannot_be_associated(bring: Bring, owner: User) -> None:
    foreign = Organisation.objects.create(name="Autre", slug="autre")
    with pytest.raises(BankRefused, match="pas de ce dossier"):
        links.associate(
            row=bring(-5), document=keep(foreign, photo()), actor=owner, on=TODAY, now=NOW
        )


def test_a_receipt_found_is_proposed_and_never_decided(
    organisation: Organisation, bring: Bring
) -> None:
    """S0-08."""
    row = bring(-5602, "CB PAPETERIE LE GOFF", TODAY + timedelta(days=2))
    document = keep(
        organisation, xml_invoice("56.02", TODAY.isoformat(), "Papeterie Le Goff"), "f.xml"
    )
    assert links.propose(documents=[document], now=NOW) == 1
    assert missing(row) == "potential"
    assert Link.objects.get().reasons == ["AMOUNT", "DATE", "NAME"]


def test_a_tie_is_proposed_twice_and_the_name_settles_it(
    organisation: Organisation, bring: Bring
) -> None:
    rows = [bring(-5602, "CB GARAGE"), bring(-5602, "CB BOULANGERIE")]
    stranger = keep(organisation, xml_invoice("56.02", TODAY.isoformat(), "Fleurs SA"), "f.xml")
    assert links.propose(documents=[stranger], now=NOW) == 2
    assert {missing(row) for row in rows} == {"potential"}
    Link.objects.all().delete()
    known = keep(organisation, xml_invoice("56.02", TODAY.isoformat(), "Garage"), "g.xml")
    assert links.propose(documents=[known], now=NOW) == 1
    assert Link.objects.get().transaction == rows[0]


def test_nothing_is_proposed_far_from_its_date_or_amount(
    organisation: Organisation, bring: Bring
) -> None:
    bring(-5602, on=TODAY - timedelta(days=90))
    bring(-5603)
    document = keep(organisation, xml_invoice("56.02", TODAY.isoformat(), "X"), "f.xml")
    assert links.propose(documents=[document], now=NOW) == 0


@pytest.mark.parametrize("waiver", list(Transaction.Waiver))
def test_what_needs_no_receipt_is_not_asked_and_may_be_asked_again(
    waiver: str, bring: Bring, owner: User
) -> None:
    row = bring(-5602)
    links.waive(rows=[row], waiver=waiver, actor=owner, on=TODAY, now=NOW, note="ticket perdu")
    assert missing(row) == ""
    links.waive(rows=[row], waiver="", actor=owner, on=TODAY, now=NOW)
    assert missing(row) == "not_associated"


def test_a_rule_waives_by_words_account_or_amount(organisation: Organisation, bring: Bring) -> None:
    BankRule.objects.create(organisation=organisation, position=1, words="Péage")
    BankRule.objects.create(organisation=organisation, position=2, most_cents=500)
    toll, coffee, other = bring(-2000, "peage a11"), bring(-250, "cafe"), bring(-9900, "garage")
    assert links.apply_rules(organisation, [toll, coffee, other]) == 2
    assert [missing(row) for row in (toll, coffee, other)] == ["", "", "not_associated"]


def test_an_empty_rule_fits_nothing(organisation: Organisation, bring: Bring) -> None:
    BankRule.objects.create(organisation=organisation, position=1)
    assert links.apply_rules(organisation, [bring(-100)]) == 0
