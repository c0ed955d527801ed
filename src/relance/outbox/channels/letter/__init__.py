"""Letters on paper: many of them laid out as one PDF, ready for the printer.

The words come to Typst as data, never as source, so that nothing typed by a person is evaluated.
The same letters and the same moment give the same bytes: only Typst's own fonts are used.
"""

import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pikepdf
import typst

SOURCE = Path(__file__).with_name("letter.typ")
AT_ONCE = 100
"""Letters laid out together; more of them are joined afterwards, so that memory stays small."""
LONGEST_WORD = 40
ZERO_WIDTH_SPACE = "\u200b"


class Printed(NamedTuple):
    """One PDF; `starts[i]` is the index of the first page of letter `i`."""

    pdf: bytes
    starts: list[int]
    pages: int


def render(letters: Sequence[Mapping[str, Any]], *, at: datetime) -> Printed:
    """All the letters (`Message.letter`) in this order in one PDF, dated `at`.

    Raises ValueError without any letter.
    """
    if not letters:
        raise ValueError("no letter to print")
    parts = [_compile(letters[n : n + AT_ONCE], at) for n in range(0, len(letters), AT_ONCE)]
    if len(parts) == 1:
        return parts[0]
    starts: list[int] = []
    pages = 0
    with pikepdf.new() as whole:
        for part in parts:
            starts += [pages + start for start in part.starts]
            pages += part.pages
            with pikepdf.open(io.BytesIO(part.pdf)) as one:
                whole.pages.extend(one.pages)
        return Printed(_saved(whole), starts, pages)


def extract(pdf: bytes, first: int, count: int) -> bytes:
    """The `count` pages from index `first`, as a PDF of their own: one letter of a run."""
    with pikepdf.open(io.BytesIO(pdf)) as whole, pikepdf.new() as one:
        one.pages.extend(whole.pages[first : first + count])
        return _saved(one)


def _saved(pdf: pikepdf.Pdf) -> bytes:
    out = io.BytesIO()
    pdf.remove_unreferenced_resources()
    pdf.save(out, deterministic_id=True, object_stream_mode=pikepdf.ObjectStreamMode.generate)
    return out.getvalue()


def _compile(letters: Sequence[Mapping[str, Any]], at: datetime) -> Printed:
    data = json.dumps([_breakable(dict(letter)) for letter in letters], ensure_ascii=False)
    compiler = typst.Compiler(
        str(SOURCE),
        root=str(SOURCE.parent),
        ignore_system_fonts=True,
        sys_inputs={"letters": data},
    )
    made = compiler.compile(format="pdf", timestamp=int(at.timestamp()), pdf_tags=False)
    pdf = made if isinstance(made, bytes) else b""
    marks = json.loads(compiler.query("<start>", field="value"))
    with pikepdf.open(io.BytesIO(pdf)) as document:
        return Printed(pdf, [int(page) - 1 for page in marks], len(document.pages))


def _breakable(value: Any) -> Any:
    """The same data in which a word longer than a line may be broken."""
    if isinstance(value, str):
        return re.sub(rf"\S{{{LONGEST_WORD}}}(?=\S)", lambda m: m.group() + ZERO_WIDTH_SPACE, value)
    if isinstance(value, dict):
        return {key: _breakable(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_breakable(one) for one in value]
    return value


def spans(printed: Printed) -> Iterator[tuple[int, int]]:
    """First page and number of pages of each letter."""
    ends = [*printed.starts[1:], printed.pages]
    for start, end in zip(printed.starts, ends, strict=True):
        yield start, end - start
