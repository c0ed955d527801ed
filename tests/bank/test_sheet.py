"""Statements as tables: columns proposed, amounts signed, balances checked (D4)."""

from datetime import date

import pytest

from relance.formats.bank import sheet
from relance.formats.faults import Fault
from relance.formats.tabular import Table, open_table


def table(text: str) -> Table:
    found = open_table(text.encode(), "releve.csv")
    assert isinstance(found, Table)
    return found


def read(text: str, **more: object) -> sheet.Sheet:
    found = table(text)
    made = sheet.read_sheet(found, sheet.propose(found.header), account="FR76", **more)  # type: ignore[arg-type]
    assert isinstance(made, sheet.Sheet), made
    return made


def told(made: sheet.Sheet) -> list[tuple[str, int, str]]:
    return [(one.booked.isoformat(), one.amount, one.label) for one in made.statement.movements]


def test_a_signed_amount_with_its_balance() -> None:
    made = read(
        "Date;Libellé;Montant;Solde\n13/11/2026;CB METRO;-12,50;87,50\n14/11/2026;VIR;100;187,50"
    )
    assert told(made) == [("2026-11-13", -1250, "CB METRO"), ("2026-11-14", 10000, "VIR")]
    assert (made.statement.opening, made.statement.closing, made.certain) == (10000, 18750, True)
    assert made.statement.gap == 0


def test_a_debit_and_a_credit_column_whatever_the_sign_of_debits() -> None:
    for debit in ("12,50", "-12,50"):
        made = read(f"Date;Libellé;Débit;Crédit\n13/11/2026;CB;{debit};\n13/11/2026;VIR;;100,00")
        assert [one.amount for one in made.statement.movements] == [-1250, 10000]


def test_an_amount_with_the_letter_of_its_sense() -> None:
    made = read("Date;Libellé;Montant;Sens\n13/11/2026;CB;12,50;D\n13/11/2026;VIR;100,00;C")
    assert [one.amount for one in made.statement.movements] == [-1250, 10000]


def test_months_first_when_the_dates_prove_it_or_a_person_says_so() -> None:
    american = "Date,Label,Amount\n12/15/2026,SHOP,-1.00\n12/16/2026,SHOP,-2.00"
    assert read(american).statement.movements[0].booked == date(2026, 12, 15)
    unproved = "Date;Libellé;Montant\n03/04/2026;A;-1,00"
    assert (read(unproved).order, read(unproved).certain) == ("dmy", False)
    assert read(unproved, order="mdy").statement.movements[0].booked == date(2026, 3, 4)


def test_the_newest_first_is_turned_round() -> None:
    made = read("Date;Libellé;Montant;Solde\n14/11/2026;B;100;187,50\n14/11/2026;A;-12,50;87,50")
    assert [one.label for one in made.statement.movements] == ["A", "B"]
    assert (made.statement.opening, made.statement.closing) == (10000, 18750)


def test_balances_that_do_not_add_up_are_said() -> None:
    made = read("Date;Libellé;Montant;Solde\n13/11/2026;A;-12,50;87,50\n14/11/2026;B;100;500,00")
    assert [fault.code for fault in made.statement.remarks] == ["statement_gap"]


def test_lines_of_titles_and_balances_are_left_and_said() -> None:
    made = read("Date;Libellé;Montant\nSolde au 31/10;;100\n13/11/2026;A;-1,00\n;Total;-1,00")
    assert len(made.statement.movements) == 1
    assert [fault.line for fault in made.statement.remarks] == [2, 4]


@pytest.mark.parametrize(
    ("line", "code"),
    [("99/99/2026;A;-1,00", "bank_bad_date"), ("13/11/2026;A;cent", "bank_bad_amount")],
)
def test_a_broken_line_refuses_the_file_with_its_number(line: str, code: str) -> None:
    found = table(f"Date;Libellé;Montant\n12/11/2026;B;-2,00\n{line}")
    made = sheet.read_sheet(found, sheet.propose(found.header), account="FR76")
    assert isinstance(made, Fault)
    assert (made.code, made.line) == (code, 3)


def test_a_mapping_that_lacks_a_column_says_which() -> None:
    assert "Date" in sheet.check({"label": 0, "amount": 1}, 2)
    assert "Montant" in sheet.check({"booked": 0, "label": 1}, 2)
    assert sheet.check({"booked": 7, "label": 1, "amount": 0}, 2)
    assert sheet.check({"booked": 0, "label": 1, "debit": 2}, 3) == ""
