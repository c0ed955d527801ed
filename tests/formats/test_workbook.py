"""Exports hold real dates and amounts, and texts that never act."""

import datetime as dt
import io
from typing import Any

import openpyxl  # type: ignore[import-untyped]
import pytest

from relance.formats.workbook import Column, Sheet, Value, neutral_text, write_workbook


def _written(*sheets: Sheet) -> Any:
    target = io.BytesIO()
    write_workbook(target, sheets)
    return openpyxl.load_workbook(io.BytesIO(target.getvalue()))


def _column(kind: Any, *values: Value) -> list[Any]:
    page = _written(Sheet("S", [Column("Titre", kind)], [[value] for value in values])).active
    return [page.cell(row, 1) for row in range(2, 2 + len(values))]


def test_a_sheet_has_french_headers_and_typed_cells() -> None:
    columns = [Column("Client"), Column("Échéance", "date"), Column("Solde", "money")]
    page = _written(Sheet("Factures", columns, [["Dupont", dt.date(2026, 3, 31), 123456]])).active
    assert page.title == "Factures"
    assert [cell.value for cell in page[1]] == ["Client", "Échéance", "Solde"]
    client, due, left = page[2]
    assert client.value == "Dupont"
    assert (due.value.date(), due.number_format) == (dt.date(2026, 3, 31), "dd/mm/yyyy")
    assert (left.value, left.number_format) == (1234.56, '#,##0.00 "€"')


@pytest.mark.parametrize("text", ["=1+1", "+33 4 74", "-12", "@SUM(A1)", "=cmd|'/c calc'!A0"])
def test_a_text_that_could_act_stays_a_text(text: str) -> None:
    (cell,) = _column("text", text)
    assert (cell.value, cell.data_type) == (text, "s")
    assert cell.quotePrefix


def test_a_link_or_a_number_in_a_text_stays_a_text() -> None:
    cells = _column("text", "https://example.org", "0012")
    assert [cell.data_type for cell in cells] == ["s", "s"]
    assert all(cell.hyperlink is None for cell in cells)


def test_empty_values_leave_empty_cells() -> None:
    assert [cell.value for cell in _column("text", None, "")] == [None, None]


def test_a_moment_is_written_without_its_zone() -> None:
    (cell,) = _column("datetime", dt.datetime(2026, 3, 31, 8, 30, tzinfo=dt.UTC))
    assert cell.value.isoformat() == "2026-03-31T08:30:00"


def test_sheet_names_are_made_acceptable_and_unique() -> None:
    book = _written(
        Sheet("Factures: [2026]/3 " + "x" * 40, [], []), Sheet("A", [], []), Sheet("a", [], [])
    )
    assert len(book.sheetnames[0]) <= 31
    assert book.sheetnames[1:] == ["A", "a 2"]


def test_texts_of_a_csv_are_neutralised_by_an_apostrophe() -> None:
    assert neutral_text("=1+1") == "'=1+1"
    assert neutral_text("\t=1") == "'\t=1"
    assert neutral_text("Dupont") == "Dupont"
