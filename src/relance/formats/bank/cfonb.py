"""CFONB 120: fixed lines of 120 characters, records 01 old balance, 04 movement, 05 detail, 07 new.

Positions as published by the banks' committee, counted from 0. Real files leave blanks: two
decimals and euros are then assumed, and empty lines are passed over.
"""

import re
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from relance.formats.bank.model import Movement, Statement, checked, ranked
from relance.formats.faults import Fault, Refused

WIDTH = 120
_LAST = {sign: (digit, 1) for digit, sign in enumerate("{ABCDEFGHI")} | {
    sign: (digit, -1) for digit, sign in enumerate("}JKLMNOPQR")
}
_LABELS = ("LIB", "LCC", "LC2")


class _Open(NamedTuple):
    """The statement that is being read."""

    account: str
    currency: str
    opening: int | None
    opening_on: date | None
    movements: list[Movement]


def is_cfonb(text: str) -> bool:
    """True when the first line that is not blank looks like a record 01 or 04."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return bool(re.match(r"0[14]\d{5}.{4}\d{5}", first)) and 100 <= len(first) <= WIDTH + 2


def read_cfonb(text: str) -> list[Statement] | Fault:
    """Statements in the order of the file, or the fault of the first line that is not sound."""
    statements: list[Statement] = []
    now: _Open | None = None
    try:
        for number, raw in enumerate(text.splitlines(), start=1):
            if not raw.strip():
                continue
            line, kind = raw.ljust(WIDTH), raw[:2]
            if kind == "01":
                now = _opened(line, number)
            elif kind == "04" and now is None:  # an extract without its old balance
                now = _Open(_account(line), _currency(line), None, None, [_movement(line, number)])
            elif now is None or kind not in ("04", "05", "07"):
                return Fault("bank_record_out_of_place", line=number, facts={"record": kind})
            elif kind == "04":
                now.movements.append(_movement(line, number))
            elif kind == "05":
                if not now.movements:
                    return Fault("bank_detail_without_movement", line=number)
                now.movements[-1] = _detailed(now.movements[-1], line)
            else:
                statements.append(_closed(now, line, number))
                now = None
    except Refused as refusal:
        return refusal.fault
    if now is not None:  # a file cut short before its new balance still gives its movements
        statements.append(_unfinished(now))
    return statements


def _unfinished(now: _Open) -> Statement:
    return Statement(
        now.account,
        now.currency,
        ranked(now.movements),
        opening=now.opening,
        opening_on=now.opening_on,
        remarks=(Fault("statement_unfinished", facts={"account": now.account}),),
    )


def _opened(line: str, number: int) -> _Open:
    opening = _amount(line, number)
    return _Open(_account(line), _currency(line), opening, _date(line[34:40], number), [])


def _account(line: str) -> str:
    """Bank, branch and number, as on a RIB without its key."""
    return f"{line[2:7]}{line[11:16]}{line[21:32]}".replace(" ", "")


def _currency(line: str) -> str:
    return line[16:19].strip() or "EUR"


def _movement(line: str, number: int) -> Movement:
    rejected = line[40:42].strip()
    return Movement(
        booked=_date(line[34:40], number),
        valued=_date(line[42:48], number) if line[42:48].strip() else None,
        amount=_amount(line, number),
        currency=_currency(line),
        label=" ".join(line[48:79].split()),
        reference=line[104:120].strip(),
        reversal=bool(rejected),
        line=number,
    )


def _detailed(movement: Movement, line: str) -> Movement:
    """What a record 05 adds: its qualifier says where."""
    qualifier, text = line[45:48], " ".join(line[48:118].split())
    if not text:
        return movement
    if qualifier in _LABELS:
        return movement._replace(label=f"{movement.label} {text}".strip())
    if qualifier in ("NPY", "NBE"):
        return movement._replace(name=text)
    if qualifier in ("IPY", "IBE"):
        return movement._replace(iban=text.replace(" ", ""))
    if qualifier in ("LCS", "RCN"):
        return movement._replace(reference=text)
    if qualifier == "REF":
        return movement._replace(bank_ref=text)
    return movement


def _closed(now: _Open, line: str, number: int) -> Statement:
    closing_on = _date(line[34:40], number)
    return checked(
        Statement(
            now.account,
            now.currency,
            ranked(now.movements),
            opening=now.opening,
            opening_on=now.opening_on,
            closing=_amount(line, number),
            closing_on=closing_on,
        )
    )


def _date(text: str, number: int) -> date:
    """JJMMAA; years over 60 are of the last century."""
    try:
        day, month, year = int(text[:2]), int(text[2:4]), int(text[4:6])
        return date(year + (1900 if year > 60 else 2000), month, day)
    except ValueError:
        fault = Fault("bank_bad_date", line=number, facts={"value": text})
        raise Refused(fault) from None


def _amount(line: str, number: int) -> int:
    """Cents: fourteen places, the last of which holds the sign."""
    text = line[90:104].strip()
    digit, sign = _LAST.get(text[-1:], (None, 0))
    if digit is None or not re.fullmatch(r"\d*", text[:-1]):
        raise Refused(Fault("bank_bad_amount", line=number, facts={"value": text}))
    decimals = int(line[19]) if line[19].isdigit() else 2
    return sign * int(Decimal(f"{text[:-1]}{digit}").scaleb(2 - decimals))
