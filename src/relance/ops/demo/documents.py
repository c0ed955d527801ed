"""The PDF of an invoice, made with Typst from data alone."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import typst

from relance.engine.wording import date_words, money_words
from relance.ops.demo import words
from relance.ops.demo.world import Bill

SOURCE = Path(__file__).with_name("invoice.typ")
VAT_PERCENT = 20


class Addressee(NamedTuple):
    name: str
    lines: Sequence[str]


def pdf(bill: Bill, to: Addressee) -> bytes:
    """One A4 page that says what the invoice says; the same bill gives the same words."""
    given = json.dumps(_content(bill, to), ensure_ascii=False)
    made = typst.compile(str(SOURCE), sys_inputs={"invoice": given}, ignore_system_fonts=True)
    return bytes(made)


def _content(bill: Bill, to: Addressee) -> dict[str, object]:
    before_vat = round(bill.cents * 100 / (100 + VAT_PERCENT))
    first = before_vat * (55 + bill.seed % 30) // 100
    work = bill.seed % len(words.WORKS)
    lines = [
        (words.WORKS[work], money_words(first, "EUR")),
        (words.WORKS[(work + 3) % len(words.WORKS)], money_words(before_vat - first, "EUR")),
    ]
    return {
        "title": f"Facture {bill.number}",
        "company": words.COMPANY,
        "company_address": words.ADDRESS.split("\n"),
        "issued": f"Quimper, le {date_words(bill.issued)}",
        "due": f"À régler avant le {date_words(bill.due)}",
        "customer": to.name,
        "customer_address": list(to.lines),
        "site": f"Chantier\u00a0: {bill.site}" if bill.site else "",
        "head": ["Désignation", "Montant hors taxes"],
        "lines": lines,
        "sums": [
            ("Total hors taxes", money_words(before_vat, "EUR")),
            (f"TVA {VAT_PERCENT}\u00a0%", money_words(bill.cents - before_vat, "EUR")),
        ],
        "total": ("Total à régler", money_words(bill.cents, "EUR")),
        "terms": [
            f"Règlement par virement\u00a0: IBAN {words.IBAN}.",
            (
                "Tout retard entraîne des pénalités au taux de trois fois l’intérêt légal et, "
                "entre professionnels, une indemnité de 40\u00a0€ pour frais de recouvrement."
            ),
        ],
        "footer": "Ateliers Kerdoncuff, entreprise imaginaire d’une démonstration",
    }
