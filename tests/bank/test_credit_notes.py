"""Credit notes and documents in another currency, associated with transactions (D4, issue 5)."""

import pytest

from relance.accounts.models import Organisation, User
from relance.bank.checks import differences
from relance.bank.models import Document, Link, Transaction
from relance.bank.services import links
from relance.bank.services.documents import describe
from relance.bank.services.errors import BankRefused
from relance.receipts.services.answers import Sent, answer_with_files
from tests.bank.test_documents import Bring, bring, missing, paper, photo
from tests.conftest import NOW, TODAY

__all__ = ["bring"]
pytestmark = pytest.mark.django_db


def associate(row: Transaction, document: Document, cents: int | None = None) -> Link:
    return links.associate(
        row=row, document=document, actor=None, on=TODAY, now=NOW, amount_cents=cents
    )


def left(document: Document) -> int | None:
    document.refresh_from_db()
    return document.left_cents


def foreign(organisation: Organisation, owner: User, cents: int, shade: int = 1) -> Document:
    return describe(paper(organisation, cents, owner, shade), actor=owner, currency="USD")


def test_a_credit_note_documents_the_money_that_a_supplier_gives_back(
    organisation: Organisation, bring: Bring, owner: User
) -> None:
    row, note = bring(2000, "AVOIR METRO"), paper(organisation, -2000, owner)
    assert associate(row, note).amount_cents == 2000
    assert (missing(row), left(note)) == ("", 0)


@pytest.mark.parametrize("first", ["invoice", "credit note"])
def test_an_invoice_and_a_credit_note_justify_the_payment_of_their_difference(
    organisation: Organisation, bring: Bring, owner: User, first: str
) -> None:
    """100 less 20 is 80, in whichever order they come."""
    row = bring(-8000)
    invoice, note = paper(organisation, 10000, owner, 1), paper(organisation, -2000, owner, 2)
    for document in (invoice, note) if first == "invoice" else (note, invoice):
        associate(row, document)
    assert missing(row) == ""
    assert (left(invoice), left(note)) == (0, 0)
    assert set(row.links.values_list("amount_cents", flat=True)) == {-10000, 2000}
    assert list(differences(organisation)) == []


def test_a_credit_note_alone_covers_nothing_of_a_payment(
    organisation: Organisation, bring: Bring, owner: User
) -> None:
    row = bring(-8000)
    associate(row, paper(organisation, -2000, owner))
    assert missing(row) == "partial"
    row.refresh_from_db()
    assert row.lacking_cents == 10000


def test_a_refund_to_a_customer_is_covered_by_its_credit_note(
    organisation: Organisation, bring: Bring, owner: User
) -> None:
    row = bring(-8000, "VIR REMBOURSEMENT")
    assert associate(row, paper(organisation, -8000, owner)).amount_cents == -8000
    assert missing(row) == ""


def test_a_document_in_dollars_covers_what_the_account_paid(
    organisation: Organisation, bring: Bring, owner: User
) -> None:
    """The bank changed the money: by default all that lacks, in the currency of the account."""
    row, invoice = bring(-9210, "CB OVH US"), foreign(organisation, owner, 10000)
    link = associate(row, invoice)
    assert (link.amount_cents, link.paper_cents) == (-9210, 10000)
    assert (missing(row), left(invoice)) == ("", 0)
    links.dissociate(link=link, actor=owner, on=TODAY, now=NOW)
    assert (missing(row), left(invoice)) == ("not_associated", 10000)
    assert associate(row, invoice, 5000).amount_cents == -5000
    assert missing(row) == "partial"
    with pytest.raises(BankRefused, match="dépasse"):
        associate(row, foreign(organisation, owner, 100, 2), 4211)
    assert list(differences(organisation)) == []


def test_a_credit_note_in_dollars_wants_its_amount_said(
    organisation: Organisation, bring: Bring, owner: User
) -> None:
    row = bring(-8000)
    associate(row, paper(organisation, 10000, owner, 1))
    note = foreign(organisation, owner, -2200, 2)
    with pytest.raises(BankRefused, match="avoir est en USD"):
        associate(row, note)
    associate(row, note, 2000)
    assert missing(row) == ""


def test_a_client_who_sends_both_at_once_is_understood(
    organisation: Organisation, bring: Bring, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read from the files as they come: the credit note first, a page without amount last."""
    row = bring(-8000)
    for shade, cents in ((1, -2000), (2, 10000)):
        paper(organisation, cents, owner, shade)
    given = answer_with_files(
        row=row,
        files=[Sent(photo(shade), f"{shade}.png") for shade in (1, 2, 3)],
        by="Yann",
        on=TODAY,
        now=NOW,
    )
    assert (len(given.answers), given.refused) == (3, [])
    assert missing(row) == ""
