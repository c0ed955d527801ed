"""Text files: which encoding, which separator, and how a cell is cleaned.

Encoding rule: byte-order mark, else strict UTF-8, else Windows-1252; detectors guess
wrong on French cp1252, so none is used. The choice is returned to be shown.
"""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from relance.formats.faults import Fault

Cell = str | int | float | bool | dt.date | dt.datetime
"""One cell as read: always ``str`` in a text file, typed in a workbook; ``""`` when empty."""

Source = bytes | str | Path
"""A file: its bytes, or the path to it."""

SEPARATORS = ("\t", ";", "|", ",")
"""Tried in this order; a comma comes last since it also stands in French amounts."""

CHUNK = 1 << 20


class TextScan(NamedTuple):
    """What one pass over a text file tells: a Python codec name, the number of lines and
    the length in characters of the longest.
    """

    encoding: str
    lines: int
    longest: int
    longest_line: int


_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def open_source(source: Source) -> BinaryIO:
    """A seekable binary stream over bytes or over the file at a path."""
    if isinstance(source, bytes):
        return io.BytesIO(source)
    return open(source, "rb")


def source_size(source: Source) -> int:
    """The size in bytes."""
    return len(source) if isinstance(source, bytes) else Path(source).stat().st_size


def scan_text(source: Source, *, max_line: int) -> TextScan | Fault:
    """Read the whole file once, in bounded memory, to settle its encoding.

    Faults: ``empty_file``, ``binary`` (NUL or control bytes), ``unknown_encoding``,
    ``line_too_long`` (more than ``max_line`` characters).
    """
    with open_source(source) as stream:
        head = stream.read(4)
    if not head:
        return Fault("empty_file")
    for mark, codec in _BOMS:
        if head.startswith(mark):
            found = _scan(source, codec, max_line)
            return found if found is not None else Fault("binary", line=1)
    found = _scan(source, "utf-8", max_line)
    if found is None:
        found = _scan(source, "cp1252", max_line)
    return found if found is not None else _bad_byte(source)


def _scan(source: Source, codec: str, max_line: int) -> TextScan | Fault | None:
    """The scan under one codec, a fault, or None when the bytes are not in that codec."""
    decoder = codecs.getincrementaldecoder(codec)(errors="strict")
    line, longest, longest_line, tail = 1, 0, 1, 0
    with open_source(source) as stream:
        while True:
            chunk = stream.read(CHUNK)
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError:
                return None
            if "\0" in text:
                before = text[: text.index("\0")]
                return Fault("binary", line=line + _newlines(before))
            if _is_noise(text):
                return Fault("binary", line=line)
            parts = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
            lengths = [len(part) for part in parts]
            lengths[0] += tail
            widest = max(lengths)
            if widest > longest:
                longest, longest_line = widest, line + lengths.index(widest)
                if longest > max_line:
                    return Fault(
                        "line_too_long",
                        line=longest_line,
                        facts={"size": longest, "limit": max_line},
                    )
            line += len(parts) - 1
            tail = lengths[-1]
            if not chunk:
                return TextScan(codec, line if tail else line - 1, longest, longest_line)


def _newlines(text: str) -> int:
    return text.replace("\r\n", "\n").replace("\r", "\n").count("\n")


_NOISE = re.compile(r"[\x01-\x08\x0e-\x19\x1b\x1d-\x1f]")


def _is_noise(text: str) -> bool:
    """More than one control character in a hundred: an image or a program, not a table."""
    return len(_NOISE.findall(text)) * 100 > len(text)


def _bad_byte(source: Source) -> Fault:
    line = 1
    decoder = codecs.getincrementaldecoder("cp1252")(errors="strict")
    with open_source(source) as stream:
        for row in stream:
            try:
                decoder.decode(row[: CHUNK * 4])
            except UnicodeDecodeError as error:
                return Fault(
                    "unknown_encoding", line=line, facts={"byte": f"0x{row[error.start]:02X}"}
                )
            line += 1
    return Fault("binary")


def detect_separator(lines: Sequence[str]) -> str | None:
    """The separator of the first lines of a file, or None for a single column.

    The candidate found the same number of times on most lines wins; on a draw the order
    of `SEPARATORS` decides, so "12,50;3,20" is split on the semicolon. A first line
    ``sep=;`` as written by Excel decides at once.
    """
    if lines and lines[0][:4].lower() == "sep=" and lines[0][4:5] in SEPARATORS:
        return lines[0][4]
    filled = [line[:5000] for line in lines if line.strip()][:60]
    best: tuple[int, int, int] | None = None
    chosen = None
    for rank, separator in enumerate(SEPARATORS):
        counts = Counter(_columns(line, separator) - 1 for line in filled)
        counts.pop(0, None)
        if not counts:
            continue
        agreeing = counts.most_common(1)[0][1]
        present = sum(counts.values())
        score = (agreeing * 10 // len(filled), present * 10 // len(filled), -rank)
        if best is None or score > best:
            best, chosen = score, separator
    return chosen


def _columns(line: str, separator: str) -> int:
    if '"' not in line:
        return line.count(separator) + 1
    try:
        return len(next(csv.reader([line], delimiter=separator), []))
    except csv.Error:
        return 1


def cell_text(cell: Cell) -> str:
    """A cell as clean text: one line, printable characters only, whole floats as integers,
    dates in ISO form, and ``="0012"`` (Excel's way to force text) unwrapped.
    """
    if type(cell) is str:
        if cell.isascii() and cell.isprintable() and cell[:1] != "=" and " " not in cell:
            return cell
        text = " ".join(cell.split())
        if not text.isprintable():
            text = "".join(c for c in text if c.isprintable())
        if text.startswith('="') and text.endswith('"') and len(text) > 3:
            return text[2:-1]
        return text
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, dt.date):
        return cell.isoformat()[:10]
    return str(cell)


def fold(text: str) -> str:
    """Text reduced to what two spellings share: no accents, case, punctuation or double
    spaces; letters and digits of every script stay. "Échéance (J)" is "echeance j".
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text.replace("œ", "oe").replace("Œ", "oe"))
        text = "".join(c for c in text if not unicodedata.combining(c))
    return " ".join(_WORDS.findall(text.casefold()))


_WORDS = re.compile(r"[^\W_]+")
