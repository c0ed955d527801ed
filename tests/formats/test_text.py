"""Encodings, separators and the cleaning of a cell."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance.formats.faults import Fault
from relance.formats.text import TextScan, cell_text, detect_separator, fold, scan_text

LINES = "Client;Échéance\r\nHélène;31/12/2026\r\n"


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (LINES.encode(), "utf-8"),
        (LINES.encode("utf-8-sig"), "utf-8-sig"),
        (LINES.encode("utf-16"), "utf-16"),
        (LINES.encode("cp1252"), "cp1252"),
        ("Montant €".encode("cp1252"), "cp1252"),
    ],
)
def test_a_mark_then_utf8_then_cp1252(data: bytes, encoding: str) -> None:
    found = scan_text(data, max_line=1000)
    assert isinstance(found, TextScan)
    assert found.encoding == encoding


def test_lines_are_counted_whatever_their_ends() -> None:
    for ends in ("\n", "\r\n", "\r"):
        found = scan_text(ends.join(["a", "bbb", "cc", ""]).encode(), max_line=10)
        assert found == TextScan("utf-8", 3, 3, 2)


def test_a_nul_byte_is_refused_with_its_line() -> None:
    found = scan_text(b"a;b\nc;\0d\n", max_line=100)
    assert isinstance(found, Fault)
    assert (found.code, found.line) == ("binary", 2)


def test_random_bytes_are_refused() -> None:
    noise = bytes(range(1, 256)) * 40
    found = scan_text(noise, max_line=10_000)
    assert isinstance(found, Fault)
    assert found.code in ("binary", "unknown_encoding")


def test_a_byte_no_encoding_has_is_named() -> None:
    found = scan_text(b"a;b\nPr\x81nom;x\n", max_line=100)
    assert isinstance(found, Fault)
    assert (found.code, found.line) == ("unknown_encoding", 2)
    assert "0x81" in found.message


def test_an_endless_line_is_refused_without_being_read_as_a_table() -> None:
    found = scan_text(b"a;b\n" + b"x" * 5000, max_line=1000)
    assert isinstance(found, Fault)
    assert (found.code, found.line) == ("line_too_long", 2)


@given(st.binary(max_size=300))
def test_any_bytes_give_a_scan_or_a_fault(data: bytes) -> None:
    found = scan_text(data, max_line=100)
    assert isinstance(found, TextScan) or found.message


@pytest.mark.parametrize(
    ("lines", "separator"),
    [
        (["a;b;c", "1,5;2,5;3,5", "1,0;2,0;3,0"], ";"),
        (["a,b", '"x;y",2', '"z;t",3'], ","),
        (["a\tb", "1,5\t2;3"], "\t"),
        (["a|b|c", "1|2|3"], "|"),
        (["sep=;", "a,b;c"], ";"),
        (["Export du 3 mars, page 1", "", "N°;Client;Total", "1;Dupont, SA;3,50"], ";"),
        (["seul", "une colonne"], None),
    ],
)
def test_the_separator_is_the_one_lines_agree_on(lines: list[str], separator: str | None) -> None:
    assert detect_separator(lines) == separator


def test_a_cell_is_cleaned_of_what_is_not_text() -> None:
    assert cell_text("  Dupont \n et\u00a0Fils\u200b ") == "Dupont et Fils"
    assert cell_text('="00123"') == "00123"
    assert cell_text(12345.0) == "12345"
    assert cell_text(12.5) == "12.5"


def test_two_spellings_fold_to_one() -> None:
    assert fold("Échéance (J)") == fold("ECHEANCE  j") == "echeance j"
    assert fold("N° facture") == "n facture"
    assert fold("Œuvre & Cie") == "oeuvre cie"
