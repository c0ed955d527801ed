"""Writing XLSX workbooks row by row: real dates and amounts, and no cell that acts.

A text that starts with ``= + - @`` is written as a text cell with Excel's quote prefix: it
is shown as it is and never becomes a formula. In a CSV file nothing can mark a text, so
`neutral_text` puts an apostrophe before it (OWASP, CSV injection).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

Kind = Literal["text", "date", "datetime", "money", "number"]
Value = str | int | float | dt.date | dt.datetime | None

MAX_ROWS = 1_048_575
"""Rows an XLSX sheet holds below its header; further ones go on to another sheet."""

_ACTIVE = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")
_MAX_TEXT = 32_767


class Column(NamedTuple):
    """A column: French header, kind of its values, width in characters, and for money the
    ISO currency (values are integer cents). `choices` are offered in each of its cells.
    """

    header: str
    kind: Kind = "text"
    width: int = 16
    currency: str = "EUR"
    choices: tuple[str, ...] = ()


class Sheet(NamedTuple):
    """A sheet: its name, its columns, and its rows in the order of the columns."""

    name: str
    columns: Sequence[Column]
    rows: Iterable[Sequence[Value]]


def write_workbook(target: Path | str | BinaryIO, sheets: Iterable[Sheet]) -> int:
    """Write the sheets in constant memory and return the number of rows written.

    Money is integer cents, dates are local dates, datetimes are local and naive (an aware
    one loses its zone as it stands). None leaves the cell empty.
    """
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_numbers": False,
        "strings_to_urls": False,
        "remove_timezone": True,
    }
    count = 0
    with xlsxwriter.Workbook(target, options) as book:
        names: set[str] = set()
        for sheet in sheets:
            count += _write_sheet(book, sheet, names)
        if not names:
            book.add_worksheet()
    return count


def neutral_text(text: str) -> str:
    """A text safe in a CSV cell: an apostrophe before one that a spreadsheet would run."""
    return f"'{text}" if is_active(text) else text


def is_active(text: str) -> bool:
    """Whether a spreadsheet could take this text for a formula or a command."""
    return text.startswith(_ACTIVE)


def _write_sheet(book: xlsxwriter.Workbook, sheet: Sheet, names: set[str]) -> int:
    formats = [_format(book, column) for column in sheet.columns]
    quoted = book.add_format({"quote_prefix": True})
    title = book.add_format({"bold": True, "bottom": 1})
    page: Worksheet | None = None
    count = written = 0
    for row in sheet.rows:
        if page is None or written == MAX_ROWS:
            _offer(page, sheet, written)
            page, written = _page(book, sheet, names, title), 0
        written += 1
        count += 1
        for place, value in enumerate(row):
            _write(page, written, place, value, formats[place], quoted)
    if page is None:
        _page(book, sheet, names, title)
    _offer(page, sheet, written)
    return count


def _offer(page: Worksheet | None, sheet: Sheet, rows: int) -> None:
    """The choices of a column as a list in each cell of its `rows`."""
    for place, column in enumerate(sheet.columns):
        if page is not None and rows and column.choices:
            rule = {"validate": "list", "source": list(column.choices)}
            page.data_validation(1, place, rows, place, rule)


def _page(book: xlsxwriter.Workbook, sheet: Sheet, names: set[str], title: Format) -> Worksheet:
    page = book.add_worksheet(_name(sheet.name, names))
    for place, column in enumerate(sheet.columns):
        page.set_column(place, place, column.width)
        page.write_string(0, place, column.header, title)
    page.freeze_panes(1, 0)
    return page


def _name(wanted: str, names: set[str]) -> str:
    """A sheet name Excel accepts (31 characters, none of ``[]:*?/\\``), not yet taken."""
    base = re.sub(r"[\[\]:*?/\\\x00-\x1f]", " ", wanted).strip(" '") or "Feuille"
    name, rank = base[:31], 1
    while name.casefold() in names:
        rank += 1
        name = f"{base[: 31 - len(str(rank)) - 1]} {rank}"
    names.add(name.casefold())
    return name


def _format(book: xlsxwriter.Workbook, column: Column) -> Format | None:
    shape = {
        "date": "dd/mm/yyyy",
        "datetime": "dd/mm/yyyy hh:mm",
        "money": f'#,##0.00 "{"€" if column.currency == "EUR" else column.currency[:3]}"',
    }.get(column.kind)
    return book.add_format({"num_format": shape}) if shape else None


def _write(
    page: Worksheet, row: int, place: int, value: Value, shape: Format | None, quoted: Format
) -> None:
    if value is None or value == "":
        return
    if isinstance(value, str):
        page.write_string(row, place, value[:_MAX_TEXT], quoted if is_active(value) else None)
    elif isinstance(value, dt.date):
        page.write_datetime(row, place, value, shape)
    elif shape is not None:
        page.write_number(row, place, value / 100, shape)
    else:
        page.write_number(row, place, value)
