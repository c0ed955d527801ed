"""One streaming interface over CSV and XLSX files, within limits.

`open_table` looks at the whole file once (size, encoding, longest line; for a workbook
its inflated size and extent) and refuses it before anything is read. `Table.rows` then
streams and can be called again.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal, NamedTuple

from relance.formats import workbook_in
from relance.formats.dates import parse_date
from relance.formats.faults import Fault
from relance.formats.fields import header_fields
from relance.formats.limits import DEFAULT, Limits
from relance.formats.text import (
    SEPARATORS,
    Cell,
    Source,
    cell_text,
    detect_separator,
    fold,
    open_source,
    scan_text,
    source_size,
)

HEADER_WITHIN = 30
"""Rows searched for the header; exports put a few title lines above it."""

MAX_SPAN = 50
"""Physical lines one quoted cell may cover before its quote is held for a stray one."""


MAX_STRAY = 200
"""Lines with a stray quote, each read again at a cost, before the file is given up."""


class Row(NamedTuple):
    """A filled row: the 1-based line of the file where it starts, and its cells, padded to
    the width of the header.
    """

    line: int
    cells: list[Cell]


@dataclass(frozen=True)
class Table:
    """An accepted file. ``encoding`` and ``separator`` are None for a workbook; ``titles``
    are the filled lines above the header, joined. ``rows()`` starts afresh at each call.
    """

    kind: Literal["csv", "xlsx"]
    filename: str
    size: int
    encoding: str | None
    separator: str | None
    sheets: tuple[str, ...]
    sheet: str | None
    header: tuple[str, ...]
    header_line: int
    titles: tuple[str, ...]
    _read: Callable[[], Iterator[Row | Fault]] = field(repr=False, compare=False)
    _limits: Limits = field(repr=False, compare=False)

    def rows(self) -> Iterator[Row | Fault]:
        """The filled rows below the header, and a fault for each line that is refused."""
        width, most = len(self.header), self._limits.max_rows
        count = 0
        for item in self._read():
            if isinstance(item, Fault):
                if item.line is None or item.line > self.header_line:
                    yield item
                continue
            line, cells = item
            if line <= self.header_line:
                continue
            if not any(cells) or (_is_blank(cells[0]) and all(map(_is_blank, cells))):
                continue
            count += 1
            if count > most:
                yield Fault("too_many_rows", line=line, facts={"limit": most})
                return
            missing = width - len(cells)
            if missing > 0:
                cells.extend([""] * missing)
            yield item

    def sample(self, count: int = 50) -> list[Row]:
        """The first rows, for a preview and for `columns.propose`."""
        return [row for row in islice(self.rows(), count) if isinstance(row, Row)]


def open_table(
    source: Source, filename: str = "", *, sheet: str | None = None, limits: Limits = DEFAULT
) -> Table | Fault:
    """Open a CSV or XLSX file of any encoding and separator, or say why not.

    The content decides, not the extension. ``sheet`` names the sheet of a workbook; by
    default the first one with rows is read. Formulas are read as their stored values.
    """
    size = source_size(source)
    if size > limits.max_bytes:
        return Fault("file_too_large", facts={"size": size, "limit": limits.max_bytes})
    with open_source(source) as stream:
        head = stream.read(4096)
    if not head.strip():
        return Fault("empty_file")
    if head.startswith(b"PK"):
        return _open_workbook(source, filename, size, sheet, limits)
    other = workbook_in.foreign_kind(head, source)
    if other is not None:
        return other
    return _open_text(source, filename, size, limits)


def _open_text(source: Source, filename: str, size: int, limits: Limits) -> Table | Fault:
    scan = scan_text(source, max_line=limits.max_line)
    if isinstance(scan, Fault):
        return scan
    if scan.lines > limits.max_rows * 2:
        return Fault("too_many_rows", facts={"limit": limits.max_rows})
    with _text(source, scan.encoding) as stream:
        lines = list(islice(stream, 80))
    declared = 1 if lines and lines[0][:4].lower() == "sep=" else 0
    separator = detect_separator(lines) if declared else _separator(lines)
    check = scan.longest > limits.max_cell

    def read() -> Iterator[Row | Fault]:
        with _text(source, scan.encoding) as stream:
            yield from _records(_Lines(stream), separator or ";", declared, check, limits)

    return _with_header(
        read,
        limits,
        kind="csv",
        filename=filename,
        size=size,
        encoding=scan.encoding,
        separator=separator,
    )


def _separator(lines: list[str]) -> str | None:
    """The separator under which some line shows the most known headers, when it shows two;
    else the one the lines agree on.
    """
    best, chosen = 1, None
    for separator in SEPARATORS:
        for line in lines[:HEADER_WITHIN]:
            names = line[:20_000].strip().split(separator)
            known = sum(bool(header_fields(name.strip('" '))) for name in names if name)
            if known > best:
                best, chosen = known, separator
    return chosen or detect_separator(lines)


def _text(source: Source, encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(open_source(source), encoding=encoding, newline="")


def _open_workbook(
    source: Source, filename: str, size: int, sheet: str | None, limits: Limits
) -> Table | Fault:
    book = workbook_in.open_sheet(source, sheet, limits)
    if isinstance(book, Fault):
        return book

    def read() -> Iterator[Row | Fault]:
        for line, cells in book.rows():
            too_long = _long_cell(line, cells, limits)
            yield Row(line, cells) if too_long is None else too_long

    return _with_header(
        read, limits, kind="xlsx", filename=filename, size=size, sheets=book.names, sheet=book.name
    )


def _with_header(
    read: Callable[[], Iterator[Row | Fault]],
    limits: Limits,
    *,
    kind: Literal["csv", "xlsx"],
    filename: str,
    size: int,
    encoding: str | None = None,
    separator: str | None = None,
    sheets: tuple[str, ...] = (),
    sheet: str | None = None,
) -> Table | Fault:
    first = list(islice(read(), HEADER_WITHIN))
    for item in first:
        if isinstance(item, Fault) and item.code == "row_too_wide":
            return Fault("too_many_columns", line=item.line, facts=item.facts)
    rows = [row for row in first if isinstance(row, Row) and any(str(c).strip() for c in row.cells)]
    if not rows:
        return next((f for f in first if isinstance(f, Fault)), Fault("empty_file"))
    place = _header_place(rows)
    if place is None:
        return Fault("no_header", facts={"looked": HEADER_WITHIN})
    header = [cell_text(cell) for cell in rows[place].cells]
    width = max(len(header), *(_filled(row.cells) for row in rows[place:]))
    while len(header) > 1 and not header[-1] and len(header) > width:
        header.pop()
    header.extend([""] * (width - len(header)))
    table = Table(
        kind=kind,
        filename=filename,
        size=size,
        encoding=encoding,
        separator=separator,
        sheets=sheets,
        sheet=sheet,
        header=tuple(header),
        header_line=rows[place].line,
        titles=tuple(_title(row) for row in rows[:place]),
        _read=read,
        _limits=limits,
    )
    if next(table.rows(), None) is None:
        return Fault("no_rows")
    return table


def _is_blank(cell: Cell) -> bool:
    return cell == "" or (type(cell) is str and cell.isspace())


def _filled(cells: list[Cell]) -> int:
    count = len(cells)
    while count and cells[count - 1] == "":
        count -= 1
    return count


def _title(row: Row) -> str:
    return " ".join(text for text in map(cell_text, row.cells) if text)


def _header_place(rows: list[Row]) -> int | None:
    """The index of the header row: the first with the most known headers; else the first
    row of several cells that are all words, above rows of the same width.
    """
    known = [sum(bool(header_fields(cell_text(c))) for c in row.cells if c) for row in rows]
    best = max(known)
    if best >= 2:
        return known.index(best)
    usual = sorted(_filled(row.cells) for row in rows)[len(rows) // 2]
    for place, row in enumerate(rows):
        texts = [cell_text(cell) for cell in row.cells if cell != ""]
        if len(texts) >= max(1, usual * 6 // 10) and all(_is_word(text) for text in texts):
            return place
    return known.index(best) if best else None


def _is_word(text: str) -> bool:
    return any(c.isalpha() for c in text) and not hasattr(parse_date(text), "year")


class _Lines:
    """Physical lines; those of the current record are kept so that they can be re-read."""

    def __init__(self, stream: Iterator[str]) -> None:
        self._stream = stream
        self._again: list[str] = []
        self.record: list[str] = []
        self.ended = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if len(self.record) > MAX_SPAN:
            self.ended = True
            raise StopIteration
        if self._again:
            line = self._again.pop()
        else:
            try:
                line = next(self._stream)
            except StopIteration:
                self.ended = True
                raise
        self.record.append(line)
        return line

    def drop_first(self) -> None:
        """Put back every line of the record but the first."""
        self._again.extend(reversed(self.record[1:]))
        self.ended = False


def _records(
    lines: _Lines, separator: str, declared: int, check: bool, limits: Limits
) -> Iterator[Row | Fault]:
    """Records of a delimited file. A quote that never closes costs its own line only: the
    lines it swallowed are read again without it.
    """
    for _ in range(declared):
        next(lines, None)
    line, widest, stray = 1 + declared, limits.max_columns, 0
    reader = csv.reader(lines, delimiter=separator)
    while True:
        lines.record.clear()
        try:
            cells: list[Cell] = list(next(reader))
            broken = lines.ended or not _is_sound(lines.record, separator)
        except StopIteration:
            return
        except csv.Error:
            broken = True
        if broken:
            stray += 1
            if stray > MAX_STRAY:
                yield Fault("too_many_quotes", line=line, facts={"limit": MAX_STRAY})
                return
            if len(lines.record) == 1 and not lines.ended:
                size = len(lines.record[0])
                facts = {"size": size, "limit": limits.max_cell}
                yield Fault("cell_too_long", line=line, facts=facts)
            else:
                yield Fault("unclosed_quote", line=line)
            lines.drop_first()
            reader = csv.reader(lines, delimiter=separator)
            line += 1
            continue
        span = len(lines.record)
        too_long = _long_cell(line, cells, limits) if check or span > 1 else None
        if too_long is not None:
            yield too_long
        elif len(cells) > widest:
            yield Fault("row_too_wide", line=line, facts={"columns": len(cells), "limit": widest})
        else:
            yield Row(line, cells)
        line += span


def _is_sound(record: list[str], separator: str) -> bool:
    """Whether a record of several lines is quoted by the rules: a quote that closes before
    other text has swallowed a line end that was not its own.
    """
    if len(record) == 1:
        return True
    try:
        return len(list(csv.reader(record, delimiter=separator, strict=True))) == 1
    except csv.Error:
        return False


def _long_cell(line: int, cells: list[Cell], limits: Limits) -> Fault | None:
    for cell in cells:
        if type(cell) is str and len(cell) > limits.max_cell:
            return Fault(
                "cell_too_long", line=line, facts={"size": len(cell), "limit": limits.max_cell}
            )
    return None


_TOTALS = ("total", "totaux", "sous total", "sous totaux", "solde", "cumul", "report", "a reporter")


def subtotal_label(cells: list[Cell]) -> str | None:
    """The label of a "Total client" or "Solde" line, else None. Meant for rows without a
    date, since a customer may well be called Total.
    """
    for cell in cells[:4]:
        text = cell_text(cell)
        if text:
            folded = fold(text)
            if any(folded == word or folded.startswith(f"{word} ") for word in _TOTALS):
                return text
            return None
    return None
