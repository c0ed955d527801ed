"""Amounts as written in French and foreign exports, to integer cents, without a float.

Three decimals are ambiguous ("1.234"): the other amounts of the column settle which sign
is the decimal one; when none does, the three digits are read as thousands and a remark
says so. More than two decimals are rounded half up (away from zero), with a remark.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Literal, NamedTuple

from relance.formats.faults import Fault
from relance.formats.text import Cell

Decimal = Literal[".", ","]

MAX_LENGTH = 60
"""Characters an amount may take; a longer cell is not looked at."""

MAX_CENTS = 999_999_999_999_999

CURRENCIES = frozenset(
    [
        "AED",
        "AUD",
        "BGN",
        "BHD",
        "BIF",
        "BRL",
        "CAD",
        "CDF",
        "CHF",
        "CNY",
        "CZK",
        "DJF",
        "DKK",
        "DZD",
        "EUR",
        "GBP",
        "GNF",
        "HKD",
        "HUF",
        "IDR",
        "ILS",
        "INR",
        "ISK",
        "JOD",
        "JPY",
        "KMF",
        "KRW",
        "KWD",
        "LBP",
        "MAD",
        "MGA",
        "MRU",
        "MUR",
        "MXN",
        "MYR",
        "NGN",
        "NOK",
        "NZD",
        "OMR",
        "PHP",
        "PLN",
        "QAR",
        "RON",
        "RSD",
        "RUB",
        "RWF",
        "SAR",
        "SEK",
        "SGD",
        "THB",
        "TND",
        "TRY",
        "TWD",
        "UAH",
        "USD",
        "VND",
        "XAF",
        "XOF",
        "XPF",
        "ZAR",
    ]
)
"""ISO 4217 codes accepted in a file; amounts keep two decimals whatever the currency."""


class Amount(NamedTuple):
    """Signed integer cents, the currency written beside them (ISO code) if any, and
    whether more than two decimals were rounded or thousands were assumed.
    """

    cents: int
    currency: str | None = None
    rounded: bool = False
    ambiguous: bool = False


_PLAIN = re.compile(r"(-?)(\d{1,13})(?:[.,](\d{1,2}))?\Z", re.ASCII)
_FRENCH = re.compile(
    r"(-?)(\d{1,3}(?:[ \u00a0\u202f]\d{3})+|\d{1,13}),(\d\d)[ \u00a0\u202f]?(€?)\Z", re.ASCII
)
_GROUPED = re.compile(r"\d{1,3}(?:([ '.,])\d{3})(?:\1\d{3})*\Z", re.ASCII)
_BODY = re.compile(r"(\d(?:[\d '.,]*?\d)??|)(?:([.,])(\d*))?\Z", re.ASCII)
_SPACES = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2009": " ", "’": "'", "−": "-", "–": "-"})
_MONEY = re.compile(
    r"\A(?:([A-Za-z]{3})(?![A-Za-z])|([€$£]))\s*|\s*(?:(?<![A-Za-z])([A-Za-z]{3})|([€$£]))\Z"
)
_SYMBOLS = {"€": "EUR", "$": "USD", "£": "GBP"}
_EURO_WORDS = re.compile(r"\s*euros?\Z", re.IGNORECASE)


def parse_amount(cell: Cell, decimal: Decimal | None = None) -> Amount | Fault | None:
    """The amount of a cell, None when it is empty, or a fault (``bad_amount``,
    ``amount_too_large``). ``decimal`` is the column's decimal sign when known.

    Reads "1 234,56 €" with any space, "1.234,56", "1,234.56", "(12,00)", "12,00-",
    "−12", "EUR 12", and a lone dash as zero.
    """
    if type(cell) is str:
        plain = _PLAIN.match(cell)
        if plain:
            sign, whole, cents = plain.groups()
            value = int(whole) * 100
            if cents:
                value += int(cents) if len(cents) == 2 else int(cents) * 10
            return Amount(-value if sign else value)
        french = _FRENCH.match(cell)
        if french:
            sign, whole, cents, euro = french.groups()
            value = int("".join(whole.split())) * 100 + int(cents)
            if value <= MAX_CENTS:
                return Amount(-value if sign else value, "EUR" if euro else None)
        return _parse_text(cell, decimal)
    if isinstance(cell, bool):
        return _bad(cell)
    if isinstance(cell, int):
        return _bounded(cell * 100, cell)
    if isinstance(cell, float):
        return _parse_float(cell)
    return _bad(cell)


def decimal_sign(texts: Iterable[Cell]) -> Decimal | None:
    """The decimal sign of a column when its amounts agree on one, else None."""
    scan = DecimalScan()
    for text in texts:
        scan.add(text)
    return scan.sign


class DecimalScan:
    """Counts what the amounts of one column say about its decimal sign."""

    __slots__ = ("_comma", "_dot")

    def __init__(self) -> None:
        self._dot = self._comma = False

    def add(self, cell: Cell) -> None:
        """Look at one cell; cells of a workbook are typed and say nothing."""
        if type(cell) is not str or len(cell) > MAX_LENGTH:
            return
        if self._dot and self._comma:
            return
        mark = cell[-3:-2]
        if (mark == "," and self._comma) or (mark == "." and self._dot):
            return
        found = _VOTE.search(cell)
        if found is None:
            return
        before, sign, after = found.groups()
        if len(after) == 3 and before and "." not in before and "," not in before:
            digits = before.strip(" \u00a0\u202f'’")
            if len(digits) <= 3 and digits.strip("0"):
                return
        elif len(after) == 3 and sign in before:
            return
        if sign == ".":
            self._dot = True
        else:
            self._comma = True

    @property
    def sign(self) -> Decimal | None:
        """The one sign seen used as a decimal, or None when none or both were."""
        if self._dot == self._comma:
            return None
        return "." if self._dot else ","


_VOTE = re.compile(r"([\d.,' \u00a0\u202f’]*)([.,])(\d+)\D*\Z", re.ASCII)


def _parse_text(text: str, decimal: Decimal | None) -> Amount | Fault | None:
    body = text.strip().translate(_SPACES)
    if not body:
        return None
    if len(body) > MAX_LENGTH:
        return _bad(text)
    body, currency = _without_currency(body)
    body, negative = _without_sign(body)
    if currency is None:
        body, currency = _without_currency(body)
    if not body:
        return Amount(0, currency) if _DASHES & set(text) else _bad(text)
    parts = _split(body, decimal)
    if parts is None:
        return _bad(text)
    whole, fraction, ambiguous = parts
    cents = int(whole or "0") * 100 + int(fraction[:2].ljust(2, "0"))
    if fraction[2:3] >= "5":
        cents += 1
    checked = _bounded(-cents if negative else cents, text)
    if isinstance(checked, Fault):
        return checked
    return Amount(checked.cents, currency, bool(fraction[2:].strip("0")), ambiguous)


_DASHES = {"-", "–", "−"}


def _without_currency(body: str) -> tuple[str, str | None]:
    body = _EURO_WORDS.sub("€", body)
    found = _MONEY.search(body)
    if found is None:
        return body, None
    code, symbol = found.group(1) or found.group(3), found.group(2) or found.group(4)
    if code and code.upper() not in CURRENCIES:
        return body, None
    rest = (body[: found.start()] + body[found.end() :]).strip()
    return rest, code.upper() if code else _SYMBOLS[symbol]


def _without_sign(body: str) -> tuple[str, bool]:
    negative = False
    if body.startswith("(") and body.endswith(")"):
        body, negative = body[1:-1].strip(), True
    if body[:1] in ("-", "+"):
        negative |= body[0] == "-"
        body = body[1:].strip()
    elif body[-1:] in ("-", "+"):
        negative |= body[-1] == "-"
        body = body[:-1].strip()
    return body, negative


def _split(body: str, decimal: Decimal | None) -> tuple[str, str, bool] | None:
    """Whole digits, decimals, and whether thousands were assumed; None when no amount."""
    found = _BODY.match(body)
    if found is None:
        return None
    whole, sign, fraction = found.group(1), found.group(2), found.group(3) or ""
    if sign is None:
        fraction = ""
    elif len(fraction) == 3 and _GROUPED.match(body) and sign != decimal:
        # "1.234", "1.234.567": grouped by this sign unless the column says otherwise
        sure = decimal is not None or _GROUPED.match(whole) is not None
        if not sure and whole.startswith("0"):
            return whole, fraction, False
        return re.sub(r"\D", "", body), "", not sure
    if not whole and not fraction:
        return None
    if whole.isdigit() or not whole:
        return whole, fraction, False
    groups = _GROUPED.match(whole)
    if groups is None or groups.group(1) == sign:
        return None
    return re.sub(r"\D", "", whole), fraction, False


def _parse_float(value: float) -> Amount | Fault:
    written = repr(value)
    if _PLAIN.match(written):
        found = parse_amount(written)
        if isinstance(found, Amount):
            return found
    if not math.isfinite(value) or abs(value) > MAX_CENTS:
        return _bad(value) if not math.isfinite(value) else _large(value)
    text = f"{abs(value):.6f}"
    parsed = _parse_text(text, ".")
    if not isinstance(parsed, Amount):
        return _bad(value)
    return parsed._replace(cents=-parsed.cents) if value < 0 else parsed


def _bounded(cents: int, value: object) -> Amount | Fault:
    return Amount(cents) if abs(cents) <= MAX_CENTS else _large(value)


def _bad(value: object) -> Fault:
    return Fault("bad_amount", facts={"value": str(value)[:80]})


def _large(value: object) -> Fault:
    return Fault("amount_too_large", facts={"value": str(value)[:80]})
