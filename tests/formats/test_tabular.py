"""CSV and XLSX files open as one kind of table, whatever surrounds the rows."""

import datetime as dt
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from relance.formats.faults import Fault
from relance.formats.tabular import Row, Table, open_table, subtotal_label

from .conftest import MakeXlsx, opened


def test_a_french_csv_opens_with_its_encoding_and_separator() -> None:
    table = opened("N° facture;Client;Échéance\nF1;Hélène;31/12/2026\n".encode("cp1252"))
    assert (table.kind, table.encoding, table.separator) == ("csv", "cp1252", ";")
    assert table.header == ("N° facture", "Client", "Échéance")
    assert list(table.rows()) == [Row(2, ["F1", "Hélène", "31/12/2026"])]


def test_rows_can_be_walked_again_and_from_a_path(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text("Client;Total TTC\nA;1\nB;2\n")
    table = open_table(path, path.name)
    assert isinstance(table, Table)
    assert list(table.rows()) == list(table.rows())
    assert len(table.sample(1)) == 1


def test_title_lines_above_the_header_are_kept_apart() -> None:
    table = opened("Société Dupont;;\nÉdité le 03/03/2026;;\n\nFacture;Client;Total TTC\nF1;A;3\n")
    assert table.header_line == 4
    assert table.titles == ("Société Dupont", "Édité le 03/03/2026")
    assert [row.line for row in table.sample()] == [5]


def test_unknown_headers_are_still_a_header() -> None:
    table = opened("alpha;beta;gamma\n1;2;3\n4;5;6\n")
    assert table.header == ("alpha", "beta", "gamma")


def test_quotes_and_cells_of_several_lines_keep_line_numbers() -> None:
    table = opened('Client;Adresse;Ville\n"Dupont; fils";"1 rue X\nBât. ""B""";Lyon\nA;B;C\n')
    assert table.sample() == [
        Row(2, ["Dupont; fils", '1 rue X\nBât. "B"', "Lyon"]),
        Row(4, ["A", "B", "C"]),
    ]


def test_short_rows_are_padded_and_trailing_columns_kept() -> None:
    table = opened("Client;Ville;Pays\nA\nB;Lyon;France;en trop;encore\n")
    assert table.header == ("Client", "Ville", "Pays", "", "")
    assert [len(row.cells) for row in table.sample()] == [5, 5]


def test_blank_rows_are_no_rows() -> None:
    table = opened("Client;Ville\n\n;;\n  ; \nA;Lyon\n")
    assert [row.line for row in table.sample()] == [5]


def test_a_stray_quote_costs_its_own_line_only() -> None:
    lines = ["Client;Ville", "A;Lyon", '"B;Paris', *(f"C{n};Nice" for n in range(200))]
    found = list(opened("\n".join(lines)).rows())
    faults = [item for item in found if isinstance(item, Fault)]
    assert [(fault.code, fault.line) for fault in faults] == [("unclosed_quote", 3)]
    rows = [item for item in found if isinstance(item, Row)]
    assert [row.line for row in rows] == [2, *range(4, 204)]


def test_a_stray_quote_near_the_end_costs_its_own_line_only() -> None:
    found = list(opened('Client;Ville\n"A;Lyon\nB;Paris\n').rows())
    assert [item.line for item in found] == [2, 3]
    assert isinstance(found[0], Fault)
    assert found[1] == Row(3, ["B", "Paris"])


def test_two_stray_quotes_do_not_join_two_lines() -> None:
    found = list(opened('Client;Ville\n"A;Lyon\n"B";Paris\n"C;Nice\nD;Metz\n').rows())
    assert [(item.line, isinstance(item, Fault)) for item in found] == [
        (2, True),
        (3, False),
        (4, True),
        (5, False),
    ]


def test_quotes_inside_a_quoted_cell_of_one_line_are_tolerated() -> None:
    table = opened('Client;Ville\n"Le "Bon" Pain";Lyon\n')
    assert table.sample()[0].cells == ['Le Bon" Pain"', "Lyon"]


def test_the_separator_line_of_excel_is_no_row() -> None:
    table = opened("sep=,\nClient,Ville\nA,Lyon\n")
    assert (table.separator, table.header_line) == (",", 2)
    assert table.sample() == [Row(3, ["A", "Lyon"])]


def test_a_workbook_gives_typed_cells(xlsx: MakeXlsx) -> None:
    day = dt.date(2026, 12, 31)
    data = xlsx([["Export"], [], ["N° facture", "Échéance", "Total TTC"], ["F1", day, 12.5]])
    table = opened(data, "f.xlsx")
    assert (table.kind, table.sheet, table.sheets) == ("xlsx", "Factures", ("Factures",))
    assert (table.header_line, table.titles) == (3, ("Export",))
    assert table.sample() == [Row(4, ["F1", day, 12.5])]


def test_formulas_are_read_as_their_stored_values(xlsx: MakeXlsx) -> None:
    table = opened(xlsx([["Client", "Total TTC"], ["A", "=1+1"]]), "f.xlsx")
    assert table.sample()[0].cells[0] == "A"
    assert "=" not in str(table.sample()[0].cells[1])


def test_a_sheet_can_be_chosen(xlsx: MakeXlsx) -> None:
    found = open_table(xlsx([["Client", "Ville"], ["A", "Lyon"]]), "f.xlsx", sheet="Autre")
    assert isinstance(found, Fault)
    assert found.code == "unknown_sheet"
    assert "Factures" in found.message


def test_a_subtotal_is_known_by_its_first_text() -> None:
    assert subtotal_label(["", "Total client DUPONT", 12.5]) == "Total client DUPONT"
    assert subtotal_label(["Solde", "12"]) == "Solde"
    assert subtotal_label(["Totalité SARL", "12"]) is None


@given(st.text(max_size=400) | st.text(alphabet='ab;,"\n\r\t1', max_size=200))
def test_any_text_opens_or_is_refused_and_no_line_is_lost(text: str) -> None:
    table = open_table(text.encode("utf-8", errors="surrogatepass"), "f.csv")
    if isinstance(table, Fault):
        assert table.message
        return
    lines = [item.line for item in table.rows()]
    assert lines == sorted(lines)  # type: ignore[type-var]
