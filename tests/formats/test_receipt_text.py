"""What a receipt says is proposed: amount, date, VAT, supplier."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance.formats.receipt_text import read_receipt

INVOICE = """ATELIERS KERDONCUFF
12 rue des Forges - 29000 QUIMPER
Facture n° 2026-0815
Date : 03/11/2026
Échéance : 03/12/2026
Total HT : 46,68 €
TVA 20% : 9,34 €
Total TTC : 56,02 €
Indemnité forfaitaire de recouvrement : 40,00 €
PAPETERIE LE GOFF
SARL au capital de 10 000,00 € - RCS Quimper 530 848 134
"""


def test_a_french_invoice_gives_its_total_with_tax_and_not_the_capital() -> None:
    fields = read_receipt(INVOICE)
    assert (fields.amount, fields.vat, fields.currency) == (5602, 934, "EUR")
    assert (fields.on, fields.number) == (date(2026, 11, 3), "2026-0815")
    assert fields.supplier == "PAPETERIE LE GOFF"


@pytest.mark.parametrize(
    ("text", "amount", "on"),
    [
        ("BOULANGERIE\nLe 4 nov. 2026\nTOTAL 12,50\nCB EMV 12,50\nRENDU 0,00", 1250, (2026, 11, 4)),
        ("Invoice date: 2026-11-04\nSubtotal $10.00\nAmount due $12.00", 1200, (2026, 11, 4)),
        ("Rechnungsdatum\n7. Mai 2026\nTotal EUR 34,73", 3473, (2026, 5, 7)),
        (
            "Factuurdatum: 19 april 2026\nExclusief BTW € 593,36\nTotaal € 717,97",
            71797,
            (2026, 4, 19),
        ),
        ("Net à payer\n1 234,56 €\n05/11/26", 123456, (2026, 11, 5)),
    ],
)
def test_receipts_of_all_sorts(text: str, amount: int, on: tuple[int, int, int]) -> None:
    fields = read_receipt(text)
    assert (fields.amount, fields.on) == (amount, date(*on))


def test_the_currency_is_the_one_beside_the_total() -> None:
    assert read_receipt("Amount due USD 12.00").currency == "USD"


def test_nothing_to_find_gives_nothing() -> None:
    fields = read_receipt("Bonjour,\nvoici le contrat signé 12345678.")
    assert (fields.amount, fields.vat, fields.on) == (None, None, None)


@given(st.text(max_size=500))
def test_no_text_breaks_the_reader(text: str) -> None:
    fields = read_receipt(text)
    assert fields.amount is None or fields.amount > 0
