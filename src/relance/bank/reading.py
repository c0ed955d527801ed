"""What a document says: its electronic invoice first, then its text, then OCR where it is there."""

import shutil
import subprocess
from typing import NamedTuple

from relance.bank.previews import apart
from relance.bank.render import MOST_CHARACTERS
from relance.formats.einvoice import EInvoice, read_einvoice
from relance.formats.receipt_text import ReceiptFields, read_receipt

OCR_SECONDS = 30


class Said(NamedTuple):
    """``source`` is facturx, text, ocr, or empty when nothing could be read."""

    source: str
    fields: ReceiptFields


NOTHING = Said("", ReceiptFields(None, None, "EUR", None, "", ""))


def read_document(raw: bytes, mime: str) -> Said:
    """The fields that a document proposes; never raises, for a person can always type them."""
    if mime in ("application/pdf", "application/xml"):
        invoice = read_einvoice(raw)
        if isinstance(invoice, EInvoice):
            return Said("facturx", _of_invoice(invoice))
    text = _pdf_text(raw) if mime == "application/pdf" else ""
    if len(text.split()) >= 5:
        return Said("text", read_receipt(text))
    words = ocr(raw) if mime.startswith("image/") else ""
    return Said("ocr", read_receipt(words)) if words.split() else NOTHING


def _of_invoice(invoice: EInvoice) -> ReceiptFields:
    return ReceiptFields(
        amount=invoice.total,
        vat=invoice.tax,
        currency=invoice.currency[:3],
        on=invoice.issued,
        supplier=invoice.seller,
        number=invoice.number,
    )


def _pdf_text(raw: bytes) -> str:
    """The text of the first pages, read apart; empty when the file cannot be opened in time."""
    done = apart(raw, "application/pdf", "text")
    return "" if done is None else done.decode("utf-8", "replace")


def ocr(raw: bytes) -> str:
    """The words of a picture through tesseract; empty where it is absent or too slow."""
    program = shutil.which("tesseract")
    if program is None:
        return ""
    try:
        done = subprocess.run(  # noqa: S603 - a fixed program, the picture on its standard input
            [program, "stdin", "stdout", "-l", "fra+eng"],
            input=raw,
            capture_output=True,
            timeout=OCR_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace")[:MOST_CHARACTERS]
