"""Small files written by the tests themselves."""

import io
from collections.abc import Callable, Sequence

import pytest
import xlsxwriter

from relance.formats.faults import Fault
from relance.formats.tabular import Table, open_table

MakeXlsx = Callable[[Sequence[Sequence[object]]], bytes]


@pytest.fixture
def xlsx() -> MakeXlsx:
    """A workbook of one sheet out of rows of values."""

    def make(rows: Sequence[Sequence[object]]) -> bytes:
        target = io.BytesIO()
        with xlsxwriter.Workbook(target, {"default_date_format": "dd/mm/yyyy"}) as book:
            sheet = book.add_worksheet("Factures")
            for number, row in enumerate(rows):
                for place, value in enumerate(row):
                    if value is not None:
                        sheet.write(number, place, value)
        return target.getvalue()

    return make


def opened(data: bytes | str, filename: str = "export.csv") -> Table:
    """The table of a file that must open."""
    table = open_table(data.encode() if isinstance(data, str) else data, filename)
    assert not isinstance(table, Fault), table.message
    return table


def refused(data: bytes, filename: str = "export.csv") -> Fault:
    """The fault of a file that must not open."""
    fault = open_table(data, filename)
    assert isinstance(fault, Fault)
    assert fault.severity == "file"
    assert fault.message
    return fault
