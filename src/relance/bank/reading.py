"""What a document says: its electronic invoice first, then its text, then OCR where it is there.

Everything is read in a process of its own with bounded memory and time (`bank.render`): the file
comes from a stranger, and the web process only sees the few fields that were found.
"""

import json
import shutil
from datetime import date
from typing import NamedTuple

from relance.bank.previews import apart
from relance.formats.receipt_text import ReceiptFields, read_receipt

OCR_SECONDS = 40


class Said(NamedTuple):
    """``source`` is facturx, text, ocr, or empty when nothing could be read."""

    source: str
    fields: ReceiptFields


NOTHING = Said("", ReceiptFields(None, None, "EUR", None, "", ""))


def read_document(raw: bytes, mime: str) -> Said:
    """The fields that a document proposes; never raises, for a person can always type them."""
    said = NOTHING
    if mime in ("application/pdf", "application/xml"):
        said = _said(apart(raw, mime, "said"))
    if said.source or mime == "application/xml":
        return said
    words = ocr(raw, mime)
    return Said("ocr", read_receipt(words)) if words.split() else NOTHING


def _said(told: bytes | None) -> Said:
    """What the other process found, looked at again: it read a hostile file."""
    try:
        found = json.loads(told or b"{}")
        fields = ReceiptFields(
            amount=_cents(found["amount"]),
            vat=_cents(found["vat"]),
            currency=str(found["currency"])[:3],
            on=date.fromisoformat(found["on"]) if found["on"] else None,
            supplier=str(found["supplier"]),
            number=str(found["number"]),
        )
    except (KeyError, TypeError, ValueError):
        return NOTHING
    return Said(str(found["source"]), fields)


def _cents(value: object) -> int | None:
    return None if value is None else int(str(value))


def ocr(raw: bytes, mime: str) -> str:
    """The words of a picture, or of the first page of a PDF, through tesseract; empty where it
    is absent, too slow or too greedy."""
    program = shutil.which("tesseract")
    if program is None:
        return ""
    done = apart(raw, mime, f"ocr:{program}", seconds=OCR_SECONDS)
    return "" if done is None else done.decode("utf-8", "replace")
