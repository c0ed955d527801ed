"""A letter as a provider prints it: the sheet, and the invoices that it says are enclosed.

Nobody puts paper into its envelope: what is not in the PDF is not enclosed. So all the pieces go
behind the letter, or, when one of them is missing or cannot be read, the letter names none.
"""

import io
from datetime import datetime

import pikepdf

from relance.ledger.models import Invoice
from relance.outbox.channels.letter import Printed, joined, render
from relance.outbox.channels.letter.logos import logos_of
from relance.outbox.models import Message

MOST_PAGES = 60
"""Of all the pieces together; more would not go into an envelope."""


def posted(message: Message, *, at: datetime) -> bytes:
    """The whole of a stored letter as one PDF, dated `at`."""
    data = dict(message.letter or {})
    pieces = _pieces(message) if data.get("enclosures") else []
    if not pieces:
        data["enclosures"] = []
    return joined([render([data], at=at, logos=logos_of([data])), *pieces]).pdf


def _pieces(message: Message) -> list[Printed]:
    """The PDFs of its invoices; none at all unless every one is there."""
    try:
        found = [_piece(line.invoice) for line in message.lines.all()]
    except (OSError, ValueError, pikepdf.PdfError):
        return []
    return found if sum(one.pages for one in found) <= MOST_PAGES else []


def _piece(invoice: Invoice) -> Printed:
    """Raises ValueError without a document, OSError when it is gone, PdfError when it is none."""
    with invoice.document.open("rb") as file:
        raw = bytes(file.read())
    with pikepdf.open(io.BytesIO(raw)) as pdf:
        return Printed(raw, [0], len(pdf.pages))
