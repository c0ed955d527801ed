"""The words that stand on the pages of a PDF, read through the fonts' own tables."""

import io
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pikepdf
import pypdfium2


def pages_of(pdf: bytes) -> list[str]:
    """The text of each page, without the spaces between words."""
    with pikepdf.open(io.BytesIO(pdf)) as document:
        return [_words(page) for page in document.pages]


def squeezed(text: str) -> str:
    """The same text as `pages_of` gives it."""
    return re.sub(r"\s", "", text)


def _words(page: pikepdf.Page) -> str:
    fonts = {str(name): _table(font) for name, font in page.resources.get("/Font", {}).items()}
    table: dict[int, str] = {}
    out = []
    for instruction in pikepdf.parse_content_stream(page):
        operator = str(instruction.operator)
        if operator == "Tf":
            table = fonts[str(instruction.operands[0])]
        elif operator in ("Tj", "TJ"):
            shown = instruction.operands[0]
            for part in shown if operator == "TJ" else [shown]:
                if isinstance(part, pikepdf.String):
                    raw = bytes(part)
                    codes = [int.from_bytes(raw[n : n + 2], "big") for n in range(0, len(raw), 2)]
                    out += [table.get(code, "") for code in codes]
    return squeezed("".join(out))


def _table(font: pikepdf.Object) -> dict[int, str]:
    """Glyph to text, as the ToUnicode table of the font says it."""
    source = font.ToUnicode.read_bytes().decode("latin-1")
    found: dict[int, str] = {}
    for block in re.findall(r"beginbfchar(.*?)endbfchar", source, re.DOTALL):
        for code, text in re.findall(r"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>", block):
            found[int(code, 16)] = bytes.fromhex(text).decode("utf-16-be")
    for block in re.findall(r"beginbfrange(.*?)endbfrange", source, re.DOTALL):
        for first, last, text in re.findall(
            r"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>", block
        ):
            start = int(text, 16)
            for code in range(int(first, 16), int(last, 16) + 1):
                found[code] = chr(start + code - int(first, 16))
    return found


MM = 72 / 25.4


class Placed(NamedTuple):
    """A word of a page and its box in millimetres from the upper left corner."""

    text: str
    left: float
    top: float
    right: float
    bottom: float


def placed(pdf: bytes) -> Iterator[list[Placed]]:
    """Every word of every page where the printer puts it, as pdfium measures its ink."""
    document = pypdfium2.PdfDocument(pdf)
    for page in document:
        height = page.get_height()
        text = page.get_textpage()
        yield [
            Placed(
                "".join(char for char, _box in word),
                min(box[0] for _char, box in word) / MM,
                (height - max(box[3] for _char, box in word)) / MM,
                max(box[2] for _char, box in word) / MM,
                (height - min(box[1] for _char, box in word)) / MM,
            )
            for word in _groups(text)
        ]


def _groups(text: Any) -> Iterator[list[tuple[str, tuple[float, float, float, float]]]]:
    """The characters of a page between its spaces."""
    word: list[tuple[str, tuple[float, float, float, float]]] = []
    for index, char in enumerate(text.get_text_range()):
        if char.isspace():
            if word:
                yield word
            word = []
        else:
            word.append((char, text.get_charbox(index)))
    if word:
        yield word
