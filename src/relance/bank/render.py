"""Draw one page of a document as a PNG, in a process of its own that may not grow or last.

Run as `python -m relance.bank.render MIME PAGE` with the document on its standard input; the
picture comes out on the standard output. Instead of a page: `said`, the fields that a PDF or an
electronic invoice says, as JSON; `text`, the words of a PDF, in UTF-8; `ocr:PROGRAM`, the words
that tesseract reads in a picture or on the first page. The original is never shown by a browser:
what it sees was drawn here, so that scripts, links and tricks of a file stay where they are.
"""

import io
import json
import os
import resource
import sys

import pypdfium2
from PIL import Image, ImageOps
from pillow_heif import register_heif_opener

from relance.formats.einvoice import EInvoice, read_einvoice
from relance.formats.receipt_text import ReceiptFields, read_receipt

SIDE = 1400
"""Pixels of the longer side of the picture."""
MEMORY = 1_500_000_000
SECONDS = 10
OCR_SECONDS, OCR_SIDE, OCR_PICTURE = 30, 2400, 30_000_000
LEAST_WORDS = 5
"""A text with fewer is the stamp of a scanner."""
MOST_PAGES = 10
MOST_CHARACTERS = 100_000
"""Of a text; what a receipt says stands at its beginning."""


def draw(raw: bytes, mime: str, page: int) -> bytes:
    """The PNG of a page (from 0) of a PDF, or of a photograph turned upright."""
    picture = _pdf(raw, page) if mime == "application/pdf" else _photo(raw)
    picture.thumbnail((SIDE, SIDE))
    target = io.BytesIO()
    picture.convert("RGB").save(target, "PNG")
    return target.getvalue()


def words(raw: bytes) -> str:
    """The text of the first pages of a PDF, without what no database keeps."""
    pdf = pypdfium2.PdfDocument(raw)
    pages = (pdf[index].get_textpage() for index in range(min(len(pdf), MOST_PAGES)))
    text = "\n".join(page.get_text_range() for page in pages)
    return text.replace("\0", "")[:MOST_CHARACTERS]


def _pdf(raw: bytes, page: int, side: int = SIDE) -> Image.Image:
    document = pypdfium2.PdfDocument(raw)
    sheet = document[min(max(page, 0), len(document) - 1)]
    width, height = sheet.get_size()
    longer = max(width, height, 1)
    drawn: Image.Image = sheet.render(scale=min(side / longer, 4), may_draw_forms=False).to_pil()
    return drawn


def _photo(raw: bytes, side: int = SIDE) -> Image.Image:
    register_heif_opener()
    picture = Image.open(io.BytesIO(raw), formats=["JPEG", "PNG", "HEIF", "WEBP"])
    picture.draft("RGB", (2 * side, 2 * side))
    return ImageOps.exif_transpose(picture) or picture


def said(raw: bytes, mime: str) -> bytes:
    """The fields of the electronic invoice, else those that the text of a PDF tells, as JSON."""
    invoice = read_einvoice(raw)
    if isinstance(invoice, EInvoice):
        source = "facturx"
        fields = ReceiptFields(
            amount=invoice.total,
            vat=invoice.tax,
            currency=invoice.currency[:3],
            on=invoice.issued,
            supplier=invoice.seller,
            number=invoice.number,
        )
    else:
        text = words(raw) if mime == "application/pdf" else ""
        if len(text.split()) < LEAST_WORDS:
            return b"{}"
        source, fields = "text", read_receipt(text)
    found = {**fields._asdict(), "source": source, "on": fields.on and fields.on.isoformat()}
    return json.dumps(found).encode()


def become_ocr(raw: bytes, mime: str, program: str) -> None:
    """Draw the picture large, then become tesseract, under the same limits."""
    picture = _pdf(raw, 0, OCR_SIDE) if mime == "application/pdf" else _photo(raw, OCR_SIDE)
    picture.thumbnail((OCR_SIDE, OCR_SIDE))
    held = os.memfd_create("picture")
    with os.fdopen(os.dup(held), "wb") as target:
        picture.convert("L").save(target, "PNG")
    os.lseek(held, 0, os.SEEK_SET)
    os.dup2(held, 0)
    environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}
    os.execve(program, [program, "stdin", "stdout", "-l", "fra+eng"], environment)  # noqa: S606


def main() -> None:
    """Bounded in memory and processor time before anything is read."""
    mime, page = sys.argv[1], sys.argv[2]
    reading = page.startswith("ocr:")
    seconds, file = (OCR_SECONDS, OCR_PICTURE) if reading else (SECONDS, 0)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, (file, file))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    raw = sys.stdin.buffer.read()
    if reading:
        become_ocr(raw, mime, page.removeprefix("ocr:"))
    elif page == "said":
        sys.stdout.buffer.write(said(raw, mime))
    elif page == "text":
        sys.stdout.buffer.write(words(raw).encode("utf-8", "replace"))
    else:
        sys.stdout.buffer.write(draw(raw, mime, int(page)))


if __name__ == "__main__":
    main()
