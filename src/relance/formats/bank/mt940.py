"""MT940 and MT942 statements, through the mt-940 library; real files break the rules of lines.

Each block that begins with ``:20:`` is a statement or a page of one.
"""

import re
from datetime import date
from decimal import Decimal
from typing import Any

import mt940
from mt940.models import Transaction

from relance.formats.bank.model import Movement, Statement, checked, ranked
from relance.formats.faults import Fault

_BLOCK = re.compile(r"^:20:", re.MULTILINE)
_MONEY_IN = ("C", "RD")


def is_mt940(head: str) -> bool:
    """True when the beginning of a file holds the tags of a statement."""
    return bool(re.search(r"^:(?:20|61):", head, re.MULTILINE)) and ":61:" in head[:20_000]


def read_mt940(text: str) -> list[Statement] | Fault:
    """Statements in the order of the file; its pages of one account stay apart."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    starts = [match.start() for match in _BLOCK.finditer(text)] or [0]
    statements = []
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        line = text.count("\n", 0, start) + 1
        try:
            block = mt940.parse(text[start:end])
            statements.append(_statement(block, line))
        except Exception:  # the library raises many kinds on a broken line
            return Fault("bank_broken", line=line, facts={"why": "une ligne ne se lit pas"})
    return statements or Fault("bank_no_statement")


def _statement(block: Any, line: int) -> Statement:
    data = block.data
    opening = data.get("final_opening_balance") or data.get("intermediate_opening_balance")
    closing = data.get("final_closing_balance") or data.get("intermediate_closing_balance")
    currency = next(
        (str(one.amount.currency) for one in (opening, closing) if one is not None), "EUR"
    )
    return checked(
        Statement(
            account=re.sub(r"\s", "", data.get("account_identification") or ""),
            currency=currency,
            movements=ranked(_movement(one, currency, line) for one in block.transactions),
            number=str(data.get("statement_number") or ""),
            opening=_cents(opening.amount.amount) if opening is not None else None,
            opening_on=_day(opening.date) if opening is not None else None,
            closing=_cents(closing.amount.amount) if closing is not None else None,
            closing_on=_day(closing.date) if closing is not None else None,
        )
    )


def _movement(one: Transaction, currency: str, line: int) -> Movement:
    data = one.data
    status = str(data.get("status") or "")
    size = abs(_cents(data["amount"].amount))
    words = [data.get("purpose"), data.get("transaction_details"), data.get("extra_details")]
    label = next((" ".join(str(text).split()) for text in words if text), "")
    bank_ref = str(data.get("bank_reference") or "")
    reference = data.get("end_to_end_reference") or data.get("customer_reference") or ""
    return Movement(
        booked=_day(data.get("entry_date") or data["date"]),
        valued=_day(data["date"]),
        amount=size if status in _MONEY_IN else -size,
        currency=str(data["amount"].currency or currency),
        label=label,
        reference="" if reference in ("NONREF", "NOTPROVIDED") else str(reference),
        bank_ref="" if bank_ref == "NONREF" else bank_ref,
        name=" ".join(str(data.get("applicant_name") or "").split()),
        iban=str(data.get("applicant_iban") or ""),
        reversal=status.startswith("R"),
        line=line,
    )


def _cents(amount: Decimal) -> int:
    return int((amount * 100).to_integral_value())


def _day(value: date) -> date:
    return date(value.year, value.month, value.day)
