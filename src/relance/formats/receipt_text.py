"""What the text of a receipt says: amount, date, supplier, VAT. A proposal, always editable.

Lines are weighed by their words: "Total TTC" beats "Total", a labelled date beats a bare one. The
words of the neighbours (English, German, Dutch) are known too, for receipts cross borders.
"""

import re
from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from relance.formats.amounts import parse_amount
from relance.formats.dates import parse_date
from relance.formats.faults import Fault
from relance.formats.text import fold

MOST_LINES = 2000


class ReceiptFields(NamedTuple):
    """What was found, each None or empty when nothing was; amounts in cents."""

    amount: int | None
    vat: int | None
    currency: str
    on: date | None
    supplier: str
    number: str


_AMOUNT = re.compile(
    r"(?<![\w.,/-])(?:(?P<before>EUR|USD|GBP|CHF|€|\$|£)\s?)?"
    r"(?P<number>-?\d{1,3}(?:[ \u00a0\u202f.,']\d{3})*[.,]\d{2}|-?\d+[.,]\d{2})"
    r"(?:\s?(?P<after>EUR|USD|GBP|CHF|€|\$|£))?(?![\w%/]|[.,]\d)"
)
_CURRENCIES = {"€": "EUR", "$": "USD", "£": "GBP"}
_TOTALS = (
    (re.compile(r"\b(?:total|montant|net) (?:general )?(?:ttc|a payer|du)\b|net a regler"), 9),
    (re.compile(r"\b(?:amount due|grand total|total due|total paid|balance due)\b"), 9),
    (re.compile(r"\b(?:montant paye|total paye|paye par|carte bancaire|cb emv)\b"), 7),
    (re.compile(r"\b(?:factuur totaal|gesamtbetrag|rechnungsbetrag|totaal|total|gesamt)\b"), 6),
    (re.compile(r"\bttc\b|toutes taxes|\binclusive?\b|\bincl\b"), 5),
)
_NOT_TOTAL = re.compile(
    r"\b(?:ht|hors taxes?|sous-?total|subtotal|subtotaal|exclusief|netto|capital|rendu|monnaie"
    r"|remise|acompte|forfaitaire|tva)\b"
)
_VAT = re.compile(r"\b(?:tva|vat|btw|mwst|ust)\b")
_DATE = re.compile(
    r"(?<!\d)(?:\d{1,2}[/.-]\d{1,2}[/.-](?:\d{4}|\d{2})|\d{4}-\d{2}-\d{2}"
    r"|\d{1,2}(?:er)?\.? [A-Za-zéûôä]{3,10}\.? \d{4})(?!\d)"
)
_DATE_WORDS = re.compile(
    r"\b(?:date|factuurdatum|factuur datum|rechnungsdatum|datum|le|emise?|du|invoice date)\b"
)
_LATER = re.compile(r"\b(?:echeance|due|vervaldatum|faellig|payable|livraison|commande|order)\b")
_NUMBER = re.compile(
    r"(?:facture|invoice|factuurnummer|rechnung(?:snummer)?|recu|ticket|avoir)\s*"
    r"(?:n\s?[°ºo.]?|no\.?|nr\.?|num[eé]ro|#|number)?\s*[:.]?\s*"
    r"([A-Z0-9][A-Z0-9/_-]{2,29})",
    re.IGNORECASE,
)
_COMPANY = re.compile(
    r"\b(?:s\.?a\.?r\.?l|s\.?a\.?s\.?u?|s\.?a|e\.?u\.?r\.?l|s\.?c\.?i|gmbh|ag|b\.?v|ltd|inc|llc|plc)\b\.?",
    re.IGNORECASE,
)
_IDENTITY = re.compile(r"\b(?:siret|siren|rcs|rsc|capital|siege social|tva intra|kvk|ustid)\b")
_NEIGHBOURS = {
    "januar": "janvier",
    "februar": "fevrier",
    "maart": "mars",
    "marz": "mars",
    "mei": "mai",
    "juni": "juin",
    "juli": "juillet",
    "augustus": "aout",
    "august": "aout",
    "oktober": "octobre",
    "dezember": "decembre",
}


def read_receipt(text: str) -> ReceiptFields:
    """The fields of the text of a receipt, in the order of its lines."""
    lines = [" ".join(line.split()) for line in text.splitlines()[:MOST_LINES]]
    lines = [line for line in lines if line]
    amount, currency = _total(lines)
    return ReceiptFields(
        amount=amount,
        vat=_vat(lines, amount),
        currency=currency or "EUR",
        on=_date(lines),
        supplier=_supplier(lines),
        number=_number(lines),
    )


def _amounts(line: str) -> Iterator[tuple[int, str]]:
    for found in _AMOUNT.finditer(line):
        value = parse_amount(found["number"])
        if value is None or isinstance(value, Fault):
            continue
        sign = found["before"] or found["after"] or ""
        yield value.cents, _CURRENCIES.get(sign, sign)


def _total(lines: list[str]) -> tuple[int | None, str]:
    """The amount on the line that sounds most like the total; the largest one among equals."""
    best: tuple[int, int, str] | None = None
    for place, line in enumerate(lines):
        words = fold(line)
        weight = max((points for rule, points in _TOTALS if rule.search(words)), default=0)
        if _NOT_TOTAL.search(words) and weight < 9:
            weight = -1 if not weight else 1
        here = list(_amounts(line))
        if weight > 1 and not here and place + 1 < len(lines):  # the amount stands below its words
            here = list(_amounts(lines[place + 1]))
        for cents, currency in here:
            candidate = (weight, cents, currency)
            if cents > 0 and (best is None or candidate[:2] > best[:2]):
                best = candidate
    return (best[1], best[2]) if best else (None, "")


def _vat(lines: list[str], total: int | None) -> int | None:
    """The amount of a line of VAT: the smallest on it, and less than a third of the total."""
    for line in lines:
        if not _VAT.search(fold(line)):
            continue
        found = [cents for cents, _sign in _amounts(line) if cents > 0]
        if found and (total is None or max(found) * 3 < total or min(found) * 3 < total):
            return min(found) if total is None else max(c for c in found if c * 3 < total)
    return None


def _date(lines: list[str]) -> date | None:
    """A date with its word first, then any; never a due date while another is there."""
    ranked: list[tuple[int, int, date]] = []
    for place, line in enumerate(lines):
        before = fold(f"{lines[place - 1] if place else ''} ")
        words = fold(line)
        for found in _DATE.finditer(line):
            day = _parsed(found[0])
            if day is None:
                continue
            weight = 2 if _DATE_WORDS.search(words) else 1 if _DATE_WORDS.search(before) else 0
            if _LATER.search(words):
                weight = -1
            ranked.append((-weight, place, day))
    return min(ranked)[2] if ranked else None


def _parsed(text: str) -> date | None:
    worded = fold(text.replace(". ", " "))
    for foreign, french in _NEIGHBOURS.items():
        worded = re.sub(rf"\b{foreign}\b", french, worded)
    for candidate in (text, worded):
        day = parse_date(candidate)
        if isinstance(day, date):
            return day
    return None


def _number(lines: list[str]) -> str:
    for line in lines:
        found = _NUMBER.search(line)
        if found and any(sign.isdigit() for sign in found[1]):
            return found[1]
    return ""


def _supplier(lines: list[str]) -> str:
    """The likeliest name of a company: by its form, its capitals, the legal identity under it."""
    identities = [place for place, line in enumerate(lines) if _IDENTITY.search(fold(line))]
    whole = fold("\n".join(lines))
    best, most = "", 0
    for place, line in enumerate(lines):
        name = re.split(r" [-–,|] |: ", line)[0].strip()
        if not 2 < len(name) <= 60 or not _is_name(name) or re.search(r"\d{3}", name):
            continue
        points = 4 * bool(_COMPANY.search(name)) + 2 * name.isupper() + (place < 3)
        points += 3 * any(0 <= identity - place <= 2 for identity in identities)
        points += min(whole.count(fold(name)) - 1, 2)
        if name[0].islower() or (name.endswith(".") and not _COMPANY.search(name)):
            points -= 4
        if points > most:
            best, most = name, points
    return best


def _is_name(text: str) -> bool:
    letters = sum(sign.isalpha() for sign in text)
    return letters >= 3 and letters * 2 > len(text) and not _IDENTITY.search(fold(text))
