"""OFX 1 (SGML, unclosed tags) and 2 (XML): one tolerant reader of tags for both."""

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal, InvalidOperation
from html import unescape
from typing import NamedTuple

from relance.formats.bank.model import Movement, Statement, ranked
from relance.formats.faults import Fault, Refused

_TAG = re.compile(r"<(/?)([A-Z0-9.]+)>([^<\r\n]*)", re.IGNORECASE)


class _Tag(NamedTuple):
    closing: bool
    name: str
    value: str
    line: int


def is_ofx(head: str) -> bool:
    """True when the beginning of a file is OFX, with or without its headers."""
    return "OFXHEADER" in head.upper() or "<OFX>" in head.upper()


def read_ofx(text: str) -> list[Statement] | Fault:
    """One statement per account of the file, in its order."""
    statements: list[Statement] = []
    fields: dict[str, str] = {}
    movements: list[Movement] = []
    inside, at = None, 0
    transaction: dict[str, str] = {}
    try:
        for tag in _tags(text):
            if tag.name in ("STMTRS", "CCSTMTRS"):
                if tag.closing:
                    statements.append(_statement(fields, movements))
                fields, movements, inside = {}, [], None
            elif tag.name in ("STMTTRN", "LEDGERBAL", "AVAILBAL"):
                if tag.closing and tag.name == "STMTTRN":
                    movements.append(_movement(transaction, fields.get("CURDEF", ""), at))
                inside, at = (None if tag.closing else tag.name), tag.line
                transaction = {} if tag.name == "STMTTRN" and not tag.closing else transaction
            elif tag.closing:
                continue
            elif inside == "STMTTRN":
                transaction.setdefault(tag.name, tag.value)
            elif inside is None or inside == "LEDGERBAL":
                fields.setdefault(tag.name, tag.value)
    except Refused as refusal:
        return refusal.fault
    return statements or Fault("bank_no_statement")


def _tags(text: str) -> Iterator[_Tag]:
    line, last = 1, 0
    for match in _TAG.finditer(text):
        line += text.count("\n", last, match.start())
        last = match.start()
        value = unescape(match[3]).strip()
        yield _Tag(match[1] == "/", match[2].upper(), value, line)


def _statement(fields: dict[str, str], movements: list[Movement]) -> Statement:
    currency = fields.get("CURDEF") or "EUR"
    parts = (fields.get("BANKID", ""), fields.get("BRANCHID", ""), fields.get("ACCTID", ""))
    closing = fields.get("BALAMT", "")
    return Statement(
        account="".join(part.replace(" ", "") for part in parts),
        currency=currency,
        movements=ranked(one._replace(currency=one.currency or currency) for one in movements),
        closing=_cents(closing, 0) if closing else None,
        closing_on=_date(fields["DTASOF"], 0) if fields.get("DTASOF") else None,
    )


def _movement(fields: dict[str, str], currency: str, line: int) -> Movement:
    amount = _cents(fields.get("TRNAMT", ""), line)
    name, memo = fields.get("NAME") or fields.get("PAYEE", ""), fields.get("MEMO", "")
    label = " ".join(dict.fromkeys(part for part in (name, memo) if part))
    valued = fields.get("DTAVAIL") or fields.get("VALUEDATE", "")
    return Movement(
        booked=_date(fields.get("DTPOSTED", ""), line),
        valued=_date(valued, line) if valued else None,
        amount=amount,
        currency=currency,
        label=label,
        reference=fields.get("REFNUM") or fields.get("CHECKNUM", ""),
        bank_ref=fields.get("FITID", ""),
        name=name,
        iban=fields.get("IBAN", ""),
        reversal="CORRECTFITID" in fields,
        line=line,
    )


def _cents(text: str, line: int) -> int:
    """Cents of `-1234.56`, or with the comma of French banks."""
    plain = text.replace("\u00a0", "").replace(" ", "")
    if "," in plain and "." not in plain:
        plain = plain.replace(",", ".")
    try:
        if not re.fullmatch(r"[+-]?\d{1,13}(?:\.\d*)?", plain):
            raise InvalidOperation
        return int((Decimal(plain) * 100).to_integral_value())
    except InvalidOperation:
        raise Refused(Fault("bank_bad_amount", line=line, facts={"value": text})) from None


def _date(text: str, line: int) -> date:
    """The day as the bank wrote it: AAAAMMJJ, whatever hour and zone follow."""
    digits = text.strip()[:8]
    try:
        if not re.fullmatch(r"\d{8}", digits):
            raise ValueError
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        raise Refused(Fault("bank_bad_date", line=line, facts={"value": text})) from None
