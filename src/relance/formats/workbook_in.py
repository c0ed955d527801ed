"""Opening an XLSX workbook safely: the archive is measured before the library sees it.

The spreadsheet library holds the rectangle a sheet covers, so one cell far away or a
deflated gigabyte would exhaust the machine. Every part is therefore inflated here first,
in small pieces, by what its bytes really give and not by what the directory declares.
"""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, PasswordError

from relance.formats.faults import Fault, Refused
from relance.formats.limits import Limits
from relance.formats.text import Cell, Source, open_source

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_KINDS: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "un PDF"),
    (b"\x89PNG", "une image"),
    (b"\xff\xd8\xff", "une image"),
    (b"GIF8", "une image"),
    (b"\x1f\x8b", "une archive compressée"),
    (b"Rar!", "une archive compressée"),
    (b"7z\xbc\xaf", "une archive compressée"),
    (b"{\\rtf", "un document de texte"),
)
_PAGE = re.compile(
    rb"\A(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html|head|body|table|meta|style)\b", re.I
)
_XML = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*<\?xml\b", re.I)
_PIECE = 1 << 18
_REF = re.compile(rb"""\br\s*=\s*["']\$?([A-Za-z]{1,3})\$?(\d{1,7})["']""")
_CELL = re.compile(rb"<(?:\w+:)?c[\s/>]")


def foreign_kind(head: bytes, source: Source) -> Fault | None:
    """A fault for a file that is neither text nor XLSX, judged by its first bytes."""
    if head.startswith(_OLE):
        with open_source(source) as stream:
            if _ENCRYPTED in stream.read():
                return Fault("password")
        return Fault("kind_not_supported", facts={"kind": "un ancien classeur XLS"})
    for mark, kind in _KINDS:
        if head.startswith(mark):
            return Fault("kind_not_supported", facts={"kind": kind})
    if _PAGE.match(head):
        return Fault("kind_not_supported", facts={"kind": "une page web (HTML)"})
    if _XML.match(head):
        return Fault("kind_not_supported", facts={"kind": "un document XML"})
    return None


@dataclass(frozen=True)
class SheetIn:
    """One sheet of an accepted workbook; ``rows`` can be walked again."""

    names: tuple[str, ...]
    name: str
    sheet: CalamineSheet

    def rows(self) -> Iterator[tuple[int, list[Cell]]]:
        """1-based line and cells; cells of Excel errors or times are texts."""
        yield from enumerate(self.sheet.iter_rows(), start=1)


def open_sheet(source: Source, wanted: str | None, limits: Limits) -> SheetIn | Fault:
    """The sheet of that name, or the first one with rows.

    Faults: ``damaged``, ``password``, ``zip_bomb``, ``too_many_columns``,
    ``too_many_rows``, ``too_many_cells``, ``no_sheet``, ``unknown_sheet``,
    ``kind_not_supported``.
    """
    refused = check_archive(source, limits)
    if refused is not None:
        return refused
    try:
        return _open(source, wanted)
    except PasswordError:
        return Fault("password")
    except Refused as refusal:
        return refusal.fault
    except (CalamineError, OSError, ValueError):
        return Fault("damaged")
    except BaseException as error:
        if type(error).__name__ == "PanicException":  # Rust's own, not an Exception
            return Fault("damaged")
        raise


def _open(source: Source, wanted: str | None) -> SheetIn | Fault:
    with open_source(source) as stream:
        book = CalamineWorkbook.from_filelike(stream)
        names = tuple(book.sheet_names)
        if wanted is not None and wanted not in names:
            return Fault("unknown_sheet", facts={"sheet": wanted, "sheets": list(names)})
        for name in names if wanted is None else (wanted,):
            sheet = book.get_sheet_by_name(name)
            if sheet.height:
                return SheetIn(names, name, sheet)
    return Fault("no_sheet")


_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    OSError,
    ValueError,
    EOFError,
    RuntimeError,  # zipfile's word for encrypted parts, and for methods of packing it lacks
)


def check_archive(source: Source, limits: Limits) -> Fault | None:
    """Measure a ZIP archive without trusting it: None when it is an XLSX within limits."""
    try:
        with open_source(source) as stream, zipfile.ZipFile(stream) as archive:
            parts = archive.infolist()
            names = {part.filename.lower() for part in parts}
            if "xl/workbook.xml" not in names:
                return _other_archive(names)
            _check_declared(parts, limits)
            total = 0
            for part in parts:
                total += _measure(stream, part, limits, total)
    except Refused as refusal:
        return refusal.fault
    except _DAMAGED:
        return Fault("damaged")
    return None


def _other_archive(names: set[str]) -> Fault:
    if "xl/workbook.bin" in names:
        kind = "un classeur XLSB"
    elif "content.xml" in names:
        kind = "un classeur OpenDocument"
    elif "word/document.xml" in names:
        kind = "un document de texte"
    else:
        kind = "une archive ZIP"
    return Fault("kind_not_supported", facts={"kind": kind})


def _check_declared(parts: list[zipfile.ZipInfo], limits: Limits) -> None:
    if len(parts) > limits.max_parts:
        raise Refused(Fault("damaged"))
    if any(part.flag_bits & 1 for part in parts):
        raise Refused(Fault("password"))
    _check_size(sum(p.file_size for p in parts), sum(p.compress_size for p in parts), limits)


def _check_size(inflated: int, packed: int, limits: Limits) -> None:
    heavy = inflated > limits.ratio_from and inflated > packed * limits.max_ratio
    if inflated > limits.max_inflated or heavy:
        facts = {"limit": limits.max_inflated, "ratio": limits.max_ratio}
        raise Refused(Fault("zip_bomb", facts=facts))


def _measure(stream: BinaryIO, part: zipfile.ZipInfo, limits: Limits, before: int) -> int:
    """Inflated bytes of one part; refuses a bomb and a sheet that covers too much."""
    extent = _Extent(limits) if _is_sheet(part.filename) else None
    size = 0
    for piece in _inflate(stream, part):
        size += len(piece)
        _check_size(before + size, 1 + part.compress_size + before, limits)
        if size > limits.max_part:
            facts = {"limit": limits.max_part, "ratio": limits.max_ratio}
            raise Refused(Fault("zip_bomb", facts=facts))
        if extent is not None:
            extent.add(piece)
    if extent is not None:
        extent.check()
    return size


def _is_sheet(name: str) -> bool:
    name = name.lower()
    return name.endswith(".xml") and not name.endswith(("sharedstrings.xml", "styles.xml"))


def _inflate(stream: BinaryIO, part: zipfile.ZipInfo) -> Iterator[bytes]:
    stream.seek(part.header_offset)
    header = stream.read(30)
    name_size, extra_size = struct.unpack("<26x2H", header)
    stream.seek(name_size + extra_size, 1)
    if part.compress_type == zipfile.ZIP_STORED:
        engine = None
    elif part.compress_type == zipfile.ZIP_DEFLATED:
        engine = zlib.decompressobj(-15)
    else:
        raise Refused(Fault("damaged"))
    left = part.compress_size
    while left > 0:
        data = stream.read(min(left, _PIECE))
        if not data:
            raise Refused(Fault("damaged"))
        left -= len(data)
        if engine is None:
            yield data
            continue
        while data:
            yield engine.decompress(data, _PIECE)
            data = engine.unconsumed_tail
    if engine is not None and not engine.eof:
        raise Refused(Fault("damaged"))


class _Extent:
    """The rectangle that the cells of one sheet cover, from the text of its XML."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._tail = b""
        self._columns: set[bytes] = set()
        self._rows = 0
        self._cells = 0

    def add(self, piece: bytes) -> None:
        text = self._tail + piece
        found = _REF.findall(text)
        if found:
            self._columns.update({letters for letters, _ in found})
            self._rows = max(self._rows, max(int(row) for _, row in found))
        self._cells += len(_CELL.findall(piece))
        self._tail = text[-40:]
        if self._cells > self._limits.max_cells * 2:
            self.check()

    def check(self) -> None:
        """Refuse too many columns, rows or cells."""
        limits, rows = self._limits, self._rows
        columns = max((_column_number(letters) for letters in self._columns), default=0)
        if columns > limits.max_columns:
            facts = {"columns": columns, "limit": limits.max_columns}
            raise Refused(Fault("too_many_columns", facts=facts))
        if rows > limits.max_rows + 100:
            raise Refused(Fault("too_many_rows", facts={"limit": limits.max_rows}))
        if rows * columns > limits.max_cells or self._cells > limits.max_cells * 2:
            facts = {"rows": rows, "columns": columns, "limit": limits.max_cells}
            raise Refused(Fault("too_many_cells", facts=facts))


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number
