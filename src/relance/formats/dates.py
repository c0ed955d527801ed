"""Dates as written in exports; the order of day and month belongs to a whole column.

"03/04/2026" says nothing alone. A first part above 12 anywhere in the column settles
day/month, a second part above 12 settles month/day, both are a fault that a forced order
overrides, and neither leaves the French order, which the preview says.
"""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache
from typing import Literal, NamedTuple

from relance.formats.faults import Fault
from relance.formats.text import Cell, fold

Order = Literal["dmy", "mdy"]

FIRST_YEAR, LAST_YEAR = 1990, 2100
_EPOCH = dt.date(1899, 12, 30)
_FIRST, _LAST = dt.date(FIRST_YEAR, 1, 1), dt.date(LAST_YEAR, 12, 31)

_SPLIT = re.compile(r"(\d{1,2})[/\-. ](\d{1,2})[/\-. ](\d{4}|\d{2})(?:[ T,].*)?\Z", re.ASCII)
_ISO = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T ].*)?\Z", re.ASCII)
_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)\Z", re.ASCII)
_SERIAL = re.compile(r"(\d{5})(?:[.,]\d+)?\Z", re.ASCII)
_WORDED = re.compile(r"(?:[a-z]{2,9} )?(\d{1,2})(?:er)? ([a-z]{3,9}) (\d{4}|\d{2})\Z")
_MONTHS = (
    ("jan",), ("fev", "feb"), ("mar",), ("avr", "apr"), ("mai", "may"), ("juin", "jun"),
    ("juil", "jul"), ("aou", "aug"), ("sep",), ("oct",), ("nov",), ("dec",),
)  # fmt: skip
_NO_DATE = {
    "00/00/0000",
    "00-00-0000",
    "0000-00-00",
    "00/00/00",
    "-",
    "--",
    "/",
    "//",
    "/  /",
    "  /  /",
}


class DateOrder(NamedTuple):
    """The order of a column; ``certain`` when a date proves it or none depends on it."""

    order: Order
    certain: bool


def parse_date(cell: Cell, order: Order = "dmy") -> dt.date | Fault | None:
    """The date of a cell, None when it is empty, or a fault (``bad_date``,
    ``date_out_of_range`` outside 1990–2100).

    Reads dd/mm/yyyy and dd/mm/yy with / - . or space (month first when ``order`` says),
    ISO dates and datetimes, YYYYMMDD, "3 mars 2026", and Excel serial numbers. Two-digit
    years from 90 are of the last century.
    """
    if type(cell) is str:
        return _parse_text(cell, order) if cell else None
    if isinstance(cell, dt.datetime):
        return _ranged(cell.date(), cell)
    if isinstance(cell, dt.date):
        return _ranged(cell, cell)
    if isinstance(cell, bool):
        return _bad(cell)
    if isinstance(cell, int | float):
        return _from_number(cell)
    return _bad(cell)


@lru_cache(maxsize=1 << 15)
def _parse_text(text: str, order: Order) -> dt.date | Fault | None:
    body = text.strip()
    if not body or body in _NO_DATE:
        return None
    if len(body) > 40:
        return _bad(text)
    found = _SPLIT.match(body)
    if found:
        first, second = int(found.group(1)), int(found.group(2))
        day, month = (first, second) if order == "dmy" else (second, first)
        return _made(found.group(3), month, day, text)
    found = _ISO.match(body) or _COMPACT.match(body)
    if found:
        return _made(found.group(1), int(found.group(2)), int(found.group(3)), text)
    found = _SERIAL.match(body)
    if found:
        return _from_number(int(found.group(1)))
    found = _WORDED.match(fold(body))
    if found:
        for number, stems in enumerate(_MONTHS, start=1):
            if found.group(2).startswith(stems):
                return _made(found.group(3), number, int(found.group(1)), text)
    return _bad(text)


def _made(year_text: str, month: int, day: int, text: str) -> dt.date | Fault:
    year = int(year_text)
    if len(year_text) == 2:
        year += 1900 if year >= FIRST_YEAR % 100 else 2000
    try:
        made = dt.date(year, month, day)
    except ValueError:
        return _bad(text)
    return _ranged(made, text)


def _from_number(number: float) -> dt.date | Fault:
    if not 0 <= number < 3_000_000:
        return _bad(number)
    return _ranged(_EPOCH + dt.timedelta(days=int(number)), int(number))


def _ranged(day: dt.date, value: object) -> dt.date | Fault:
    if _FIRST <= day <= _LAST:
        return day
    return Fault("date_out_of_range", facts={"value": str(value)[:80]})


def _bad(value: object) -> Fault:
    return Fault("bad_date", facts={"value": str(value)[:80]})


class OrderScan:
    """Collects, over one column, the first proof of each order."""

    __slots__ = ("_seen", "dmy", "mdy", "open")

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self.dmy: tuple[int, str] | None = None
        self.mdy: tuple[int, str] | None = None
        self.open = False

    def add(self, line: int, cell: Cell) -> None:
        """Look at one cell; typed dates and repeated texts cost nothing."""
        if type(cell) is not str or cell in self._seen:
            return
        if len(self._seen) < 100_000 and len(cell) < 40:
            self._seen.add(cell)
        found = _SPLIT.match(cell.strip())
        if found is None:
            return
        first, second = int(found.group(1)), int(found.group(2))
        if first > 12 >= second and self.dmy is None:
            self.dmy = (line, cell)
        elif second > 12 >= first and self.mdy is None:
            self.mdy = (line, cell)
        elif first != second and max(first, second) <= 12:
            self.open = True

    def verdict(self) -> DateOrder | Fault:
        """The order, or ``date_order_conflict`` with a line proving each."""
        if self.dmy and self.mdy:
            (dmy_line, dmy), (mdy_line, mdy) = self.dmy, self.mdy
            return Fault(
                "date_order_conflict",
                facts={"dmy": dmy, "dmy_line": dmy_line, "mdy": mdy, "mdy_line": mdy_line},
            )
        if self.mdy:
            return DateOrder("mdy", True)
        return DateOrder("dmy", self.dmy is not None or not self.open)
