"""Draw one page of a document as a PNG, in a process of its own that may not grow or last.

Run as `python -m relance.bank.render MIME PAGE` with the document on its standard input; the
picture comes out on the standard output. With `text` for a page, the words of a PDF come out, in
UTF-8: pdfium serves one thread at a time, and a page may be made to last. The original is never
shown by a browser: what it sees was drawn here, so that scripts, links and tricks of a file stay
where they are.
"""

import io
import resource
import sys

import pypdfium2
from PIL import Image, ImageOps
from pillow_heif import register_heif_opener

SIDE = 1400
"""Pixels of the longer side of the picture."""
MEMORY = 1_500_000_000
SECONDS = 10
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


def _pdf(raw: bytes, page: int) -> Image.Image:
    document = pypdfium2.PdfDocument(raw)
    sheet = document[min(max(page, 0), len(document) - 1)]
    width, height = sheet.get_size()
    longer = max(width, height, 1)
    drawn: Image.Image = sheet.render(scale=min(SIDE / longer, 4), may_draw_forms=False).to_pil()
    return drawn


def _photo(raw: bytes) -> Image.Image:
    register_heif_opener()
    picture = Image.open(io.BytesIO(raw), formats=["JPEG", "PNG", "HEIF", "WEBP"])
    picture.draft("RGB", (2 * SIDE, 2 * SIDE))
    return ImageOps.exif_transpose(picture) or picture


def main() -> None:
    """Bounded in memory and processor time before anything is read."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    raw, mime, page = sys.stdin.buffer.read(), sys.argv[1], sys.argv[2]
    made = words(raw).encode("utf-8", "replace") if page == "text" else draw(raw, mime, int(page))
    sys.stdout.buffer.write(made)


if __name__ == "__main__":
    main()
