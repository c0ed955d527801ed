"""Any file, however broken, gets one French sentence; none takes the machine down."""

import datetime as dt
import io
import zipfile

import pytest

from relance.formats.columns import ReadOptions
from relance.formats.faults import Fault
from relance.formats.invoices import read_invoices
from relance.formats.limits import DEFAULT
from relance.formats.tabular import open_table

from .conftest import MakeXlsx, opened, refused

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def _repacked(data: bytes, changes: dict[str, bytes]) -> bytes:
    """A workbook with some of its parts replaced or added."""
    target = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as old,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, changes.pop(name, old.read(name)))
        for name, content in changes.items():
            new.writestr(name, content)
    return target.getvalue()


@pytest.mark.parametrize("data", [b"", b"   \n\n", b"\n"])
def test_an_empty_file(data: bytes) -> None:
    assert refused(data).code == "empty_file"


def test_a_file_of_headers_only() -> None:
    assert refused("N° facture;Client;Total TTC\n".encode()).code == "no_rows"


def test_a_workbook_of_headers_only(xlsx: MakeXlsx) -> None:
    assert refused(xlsx([["N° facture", "Client"]])).code == "no_rows"


def test_an_empty_workbook(xlsx: MakeXlsx) -> None:
    assert refused(xlsx([])).code == "no_sheet"


def test_a_file_too_large_is_not_even_read() -> None:
    found = open_table(b"a;b\n" * 100, "f.csv", limits=DEFAULT._replace(max_bytes=100))
    assert isinstance(found, Fault)
    assert found.code == "file_too_large"


def test_a_million_columns() -> None:
    fault = refused(b"a" + b";a" * 999_999 + b"\n1;2\n")
    assert fault.code == "too_many_columns"
    assert "1\u202f000\u202f000 colonnes" in fault.message


def test_one_row_too_wide_is_refused_alone() -> None:
    rows = "Client;Ville\n" + "A;Lyon\n" * 50 + "x;" * 3000 + "\nB;Paris\n"
    faults = [item for item in opened(rows).rows() if isinstance(item, Fault)]
    assert [(fault.code, fault.line) for fault in faults] == [("row_too_wide", 52)]


def test_a_cell_of_ten_megabytes() -> None:
    fault = refused(b"Client;Ville\nA;" + b"x" * 10_000_000 + b"\n")
    assert (fault.code, fault.line) == ("line_too_long", 2)


def test_a_cell_a_little_too_long_is_refused_alone() -> None:
    found = list(opened(f"Client;Ville\nA;{'x' * 40_000}\nB;Lyon\n").rows())
    assert isinstance(found[0], Fault)
    assert (found[0].code, found[0].line) == ("cell_too_long", 2)
    assert found[1].line == 3


def test_a_quoted_cell_beyond_the_reader_is_refused_alone() -> None:
    found = list(opened(f'Client;Ville\nA;"{"x" * 200_000}"\nB;Lyon\n').rows())
    assert isinstance(found[0], Fault)
    assert (found[0].code, found[0].line) == ("cell_too_long", 2)
    assert found[1].line == 3


def test_a_file_where_every_line_opens_a_quote_is_given_up() -> None:
    data = b"Client;Ville\nA;Lyon\n" + b'"B;Paris\n' * 20_000
    found = list(opened(data).rows())
    assert len(found) == 202
    assert isinstance(found[-1], Fault)
    assert (found[-1].code, found[-1].severity) == ("too_many_quotes", "file")


def test_long_cells_of_separators_cost_no_time() -> None:
    cell = "1,1 " * 8000
    table = opened("Client;Date;Total TTC\nA;13/03/2026;1\n" + f"A;13/03/2026;{cell}\n" * 20)
    options = ReadOptions(paid_on=dt.date(2026, 3, 31))
    columns = {"customer_name": 0, "issue_on": 1, "total": 2}
    found = list(read_invoices(table, columns, options))
    assert [item.code for item in found if isinstance(item, Fault)] == ["bad_amount"] * 20


def test_a_part_too_large_for_memory(xlsx: MakeXlsx) -> None:
    data = xlsx([["Client", "Ville"], ["A", "Lyon"]])
    found = open_table(data, "f.xlsx", limits=DEFAULT._replace(max_part=300))
    assert isinstance(found, Fault)
    assert found.code == "zip_bomb"


def test_nul_bytes() -> None:
    fault = refused(b"Client;Ville\nA;Ly\0on\n")
    assert (fault.code, fault.line) == ("binary", 2)


def test_too_many_rows() -> None:
    limits = DEFAULT._replace(max_rows=10)
    found = open_table(b"a;b\n" + b"1;2\n" * 30, "f.csv", limits=limits)
    assert isinstance(found, Fault)
    assert found.code == "too_many_rows"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"%PDF-1.7\n...", "un PDF"),
        (b"\x89PNG\r\n\x1a\n....", "une image"),
        (b"<html><table><tr><td>Client</td></tr></table></html>", "page web"),
        (b"\xef\xbb\xbf  <!DOCTYPE html><p>", "page web"),
        (b'<?xml version="1.0"?><Workbook/>', "document XML"),
        (OLE + b"\0" * 600, "ancien classeur XLS"),
    ],
)
def test_another_kind_of_file_is_named_whatever_its_extension(data: bytes, said: str) -> None:
    fault = refused(data, "clients.xls")
    assert fault.code == "kind_not_supported"
    assert said in fault.message


def test_a_workbook_with_a_password() -> None:
    data = OLE + b"\0" * 600 + "EncryptedPackage".encode("utf-16-le") + b"\0" * 100
    assert refused(data).code == "password"


def test_an_archive_that_is_no_workbook() -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("factures.txt", "x")
    assert "archive ZIP" in refused(target.getvalue()).message


@pytest.mark.parametrize("keep", [10, 200, 2000, -1, -100])
def test_a_truncated_workbook(xlsx: MakeXlsx, keep: int) -> None:
    data = xlsx([["Client", "Ville"], *([f"A{n}", "Lyon"] for n in range(200))])
    assert refused(data[:keep]).code in ("damaged", "kind_not_supported")


def test_a_workbook_with_broken_xml(xlsx: MakeXlsx) -> None:
    data = xlsx([["Client", "Ville"], ["A", "Lyon"]])
    for part in ("xl/workbook.xml", "xl/worksheets/sheet1.xml", "xl/_rels/workbook.xml.rels"):
        fault = refused(_repacked(data, {part: b"<oops"}))
        assert fault.code in ("damaged", "no_sheet")


def test_a_zip_bomb_is_refused_before_it_is_opened(xlsx: MakeXlsx) -> None:
    bomb = b"<x>" + b"0" * 40_000_000 + b"</x>"
    data = _repacked(xlsx([["Client", "Ville"], ["A", "Lyon"]]), {"xl/sharedStrings.xml": bomb})
    assert len(data) < 100_000
    assert refused(data).code == "zip_bomb"


def test_a_zip_bomb_that_lies_about_its_size(xlsx: MakeXlsx) -> None:
    bomb = b"<x>" + b"0" * 40_000_000 + b"</x>"
    data = _repacked(xlsx([["Client", "Ville"], ["A", "Lyon"]]), {"xl/media/a.xml": bomb})
    honest = (len(bomb)).to_bytes(4, "little")
    assert data.count(honest) == 2
    fault = refused(data.replace(honest, (1000).to_bytes(4, "little")))
    assert fault.code == "zip_bomb"


def test_one_cell_at_the_far_corner_is_refused_before_it_takes_memory(xlsx: MakeXlsx) -> None:
    sheet = (
        b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        b'<row r="1"><c r="A1"><v>1</v></c></row><row r="%d"><c r="%s%d"><v>1</v></c></row>'
        b"</sheetData></worksheet>"
    )
    data = xlsx([["Client", "Ville"], ["A", "Lyon"]])
    for row, column, code in (
        (1_048_576, b"A", "too_many_rows"),
        (3, b"XFD", "too_many_columns"),
        (400_000, b"SA", "too_many_cells"),
    ):
        part = sheet % (row, column, row)
        fault = refused(_repacked(data, {"xl/worksheets/sheet1.xml": part}))
        assert fault.code == code


def test_every_prefix_of_a_workbook_is_refused_without_a_crash(xlsx: MakeXlsx) -> None:
    data = xlsx([["Client", "Ville"], ["A", "Lyon"]])
    for end in range(4, len(data) - 1, 97):
        assert isinstance(open_table(data[:end], "f.xlsx"), Fault)


def test_a_byte_changed_anywhere_never_crashes(xlsx: MakeXlsx) -> None:
    data = xlsx([["Client", "Ville"], ["A", "Lyon"]])
    for place in range(0, len(data), 41):
        changed = data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]
        found = open_table(changed, "f.xlsx")
        assert not isinstance(found, Fault) or found.message
