"""Letters on paper: many of them laid out as one PDF/A, ready for the printer.

`typeset` turns data into PDF by the `.typ` sources beside it; `logos` accepts a picture. Here
they are joined and taken apart again.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import PurePath
from typing import Any, NamedTuple

import pikepdf

from relance.outbox.channels.letter.typeset import compiled

AT_ONCE = 20
"""Letters laid out together and then joined. Typst keeps what it made of its last ten layouts: of
few letters each, or the memory of a long run would be that of a thousand."""


class Printed(NamedTuple):
    """One PDF; `starts[i]` is the index of the first page of letter `i`."""

    pdf: bytes
    starts: list[int]
    pages: int


def render(
    letters: Sequence[Mapping[str, Any]],
    *,
    at: datetime,
    logos: Mapping[str, bytes] | None = None,
) -> Printed:
    """All the letters (`Message.letter`) in this order in one PDF/A, dated `at`.

    `logos` are pictures by the name under which a letter asks for one; a letter whose logo is
    not there begins with the name alone. Raises ValueError without any letter.
    """
    if not letters:
        raise ValueError("no letter to print")
    parts = [
        _laid_out(letters[n : n + AT_ONCE], logos or {}, at)
        for n in range(0, len(letters), AT_ONCE)
    ]
    return joined(parts)


def joined(parts: Sequence[Printed]) -> Printed:
    """The parts as one; what makes the first a PDF/A (metadata, output intent) holds for all."""
    if len(parts) == 1:
        return parts[0]
    starts: list[int] = []
    pages = 0
    with pikepdf.open(io.BytesIO(parts[0].pdf)) as whole:
        for number, part in enumerate(parts):
            starts += [pages + start for start in part.starts]
            pages += part.pages
            if number:
                with pikepdf.open(io.BytesIO(part.pdf)) as one:
                    whole.pages.extend(one.pages)
        return Printed(_saved(whole), starts, pages)


def extract(pdf: bytes, first: int, count: int) -> bytes:
    """The `count` pages from index `first`, as a PDF/A of their own: one letter of a run."""
    with pikepdf.open(io.BytesIO(pdf)) as one:
        del one.pages[first + count :]
        del one.pages[:first]
        return _saved(one)


def _saved(pdf: pikepdf.Pdf) -> bytes:
    out = io.BytesIO()
    pdf.remove_unreferenced_resources()
    pdf.save(out, deterministic_id=True, object_stream_mode=pikepdf.ObjectStreamMode.generate)
    return out.getvalue()


def _laid_out(
    letters: Sequence[Mapping[str, Any]], logos: Mapping[str, bytes], at: datetime
) -> Printed:
    asked = sorted({str(letter.get("logo", "")) for letter in letters} & logos.keys())
    names = {name: f"logo-{number}{PurePath(name).suffix}" for number, name in enumerate(asked)}
    # Short names: an endless one would be broken like a word, and no longer be its own key.
    bearing = [{**one, "logo": names.get(str(one.get("logo", "")), "")} for one in letters]
    pdf, starts = compiled(
        "letter.typ",
        {"letters": bearing, "logos": {name: name for name in names.values()}},
        at=at,
        files={file: logos[name] for name, file in names.items()},
    )
    with pikepdf.open(io.BytesIO(pdf)) as document:
        return Printed(pdf, [int(page) - 1 for page in starts], len(document.pages))


def spans(printed: Printed) -> Iterator[tuple[int, int]]:
    """First page and number of pages of each letter."""
    ends = [*printed.starts[1:], printed.pages]
    for start, end in zip(printed.starts, ends, strict=True):
        yield start, end - start
