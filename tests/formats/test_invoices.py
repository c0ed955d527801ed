"""What each row of a file of invoices becomes, and why a row does not."""

import datetime as dt
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance.formats.columns import ReadOptions, propose
from relance.formats.faults import Fault
from relance.formats.invoices import InvoiceRow, read_invoices
from relance.formats.tabular import Table, open_table

from .conftest import MakeXlsx, opened

TODAY = dt.date(2026, 6, 30)
HEAD = "N° facture;Client;Date facture;Échéance;Total TTC"


def _read(text: str, **options: Any) -> list[InvoiceRow | Fault]:
    table = opened(text)
    columns = propose(table.header, table.sample()).columns
    return list(read_invoices(table, columns, ReadOptions(paid_on=TODAY, **options)))


def _one(extra_head: str, extra: str, total: str = "100,00", **options: Any) -> InvoiceRow | Fault:
    text = f"{HEAD};{extra_head}\nF1;Dupont;01/03/2026;31/03/2026;{total};{extra}\n"
    (found,) = _read(text, **options)
    return found


def _row(extra_head: str, extra: str, total: str = "100,00", **options: Any) -> InvoiceRow:
    found = _one(extra_head, extra, total, **options)
    assert isinstance(found, InvoiceRow)
    return found


def _codes(row: InvoiceRow) -> list[str]:
    return [remark.code for remark in row.remarks]


def test_a_plain_invoice() -> None:
    (row,) = _read(f"{HEAD}\nF1;Dupont;01/03/2026;31/03/2026;1 234,56 €\n")
    assert isinstance(row, InvoiceRow)
    assert (row.line, row.number, row.customer_name, row.customer_key) == (
        2,
        "F1",
        "Dupont",
        "n:dupont",
    )
    assert (row.issue_on, row.due_on) == (dt.date(2026, 3, 1), dt.date(2026, 3, 31))
    assert (row.kind, row.total_cents, row.paid_cents, row.left_cents) == (
        "invoice",
        123456,
        0,
        123456,
    )
    assert (row.currency, row.paid_on, row.remarks) == ("EUR", None, ())


def test_what_is_left_gives_what_was_paid() -> None:
    row = _row("Reste à payer;Date de règlement", "40,00;15/03/2026")
    assert (row.paid_cents, row.left_cents, row.paid_on) == (6000, 4000, dt.date(2026, 3, 15))


def test_a_payment_without_date_takes_the_date_of_the_caller() -> None:
    row = _row("Réglé", "60,00")
    assert (row.paid_cents, row.left_cents) == (6000, 4000)
    assert (row.paid_on, row.paid_on_assumed) == (TODAY, True)


def test_a_settlement_date_alone_means_fully_paid() -> None:
    row = _row("Date de règlement", "15/03/2026")
    assert (row.paid_cents, row.left_cents, row.paid_on) == (10000, 0, dt.date(2026, 3, 15))


def test_a_status_word_means_paid_or_open() -> None:
    assert _row("Payé", "oui").left_cents == 0
    assert _row("Payé", "Non").left_cents == 10000


def test_an_empty_remainder_counts_as_settled_with_a_remark() -> None:
    row = _row("Reste à payer", "")
    assert row.left_cents == 0
    assert _codes(row) == ["left_empty"]


def test_the_remainder_alone_is_the_total() -> None:
    (row,) = _read("Facture;Client;Échéance;Reste à payer\nF1;A;31/03/2026;40,00\n")
    assert isinstance(row, InvoiceRow)
    assert (row.total_cents, row.left_cents, row.issue_on) == (4000, 4000, row.due_on)


def test_more_left_than_the_total_is_refused() -> None:
    fault = _one("Reste à payer", "140,00")
    assert isinstance(fault, Fault)
    assert (fault.code, fault.severity, fault.line) == ("left_exceeds_total", "refused", 2)
    assert "140,00" in fault.message
    assert "100,00" in fault.message


def test_an_overpaid_invoice_is_kept_with_a_remark() -> None:
    row = _row("Reste à payer", "-20,00")
    assert (row.paid_cents, row.left_cents, _codes(row)) == (12000, 0, ["overpaid"])


def test_paid_and_left_that_disagree_leave_the_last_word_to_left() -> None:
    row = _row("Reste à payer;Réglé", "40,00;50,00")
    assert (row.paid_cents, row.left_cents) == (6000, 4000)
    assert _codes(row) == ["paid_and_left_disagree"]


def test_a_payment_before_the_invoice_is_kept_with_a_remark() -> None:
    row = _row("Date de règlement", "15/02/2026")
    assert row.paid_on == dt.date(2026, 2, 15)
    assert _codes(row) == ["paid_before_issue"]


def test_a_due_date_before_the_invoice_is_kept_with_a_remark() -> None:
    (row,) = _read(f"{HEAD}\nF1;Dupont;31/03/2026;01/03/2026;1\n")
    assert isinstance(row, InvoiceRow)
    assert _codes(row) == ["due_before_issue"]


@pytest.mark.parametrize(
    ("total", "kind", "left"),
    [("-100,00", "", ""), ("100,00", "Avoir", ""), ("-100,00", "Avoir", "-40,00")],
)
def test_a_negative_total_or_the_type_makes_a_credit_note(total: str, kind: str, left: str) -> None:
    row = _row("Type;Reste à payer", f"{kind};{left or '100,00'}", total)
    assert (row.kind, row.total_cents) == ("credit_note", 10000)
    assert row.left_cents == (4000 if left else 10000)


def test_a_line_that_is_neither_invoice_nor_credit_is_refused() -> None:
    fault = _one("Type", "Règlement")
    assert isinstance(fault, Fault)
    assert fault.code == "type_refused"


def test_an_empty_amount_is_zero_with_a_remark() -> None:
    row = _row("Date de règlement", "15/03/2026", total="")
    assert (row.total_cents, row.left_cents, row.paid_on) == (0, 0, dt.date(2026, 3, 15))
    assert _codes(row) == ["amount_missing"]


def test_a_due_date_that_is_absent_is_estimated() -> None:
    (row,) = _read("Facture;Client;Date;Total TTC\nF1;A;13/03/2026;1\n", terms_days=45)
    assert isinstance(row, InvoiceRow)
    assert (row.due_on, row.due_estimated) == (dt.date(2026, 4, 27), True)
    assert _codes(row) == ["due_estimated"]


def test_a_refused_line_says_line_column_value_and_what_to_do() -> None:
    good = "F0;Dupont;13/03/2026;31/03/2026;1"
    _, fault = _read(f"{HEAD}\n{good}\nF1;Dupont;31/02/2026;31/03/2026;1\n")
    assert isinstance(fault, Fault)
    assert fault.message == (
        "Ligne\u00a03, colonne «\u00a0Date facture\u00a0»\u00a0: «\u00a031/02/2026\u00a0» "
        "n’est pas une date. Écrivez par exemple 31/12/2026."
    )


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("F1;Dupont;01/01/1900;;1", "date_out_of_range"),
        ("F1;;01/03/2026;;1", "missing_customer"),
        ("F1;Dupont;;;1", "missing_issue_date"),
        ("F1;Dupont;01/03/2026;;=A1", "bad_amount"),
        (f"{'9' * 90};Dupont;01/03/2026;;1", "value_too_long"),
        ("F1;Dupont;01/03/2026;;9999999999999999", "amount_too_large"),
    ],
)
def test_lines_that_are_refused(line: str, code: str) -> None:
    good = "F0;Dupont;13/03/2026;31/03/2026;1"
    found = _read(f"{HEAD}\n{good}\n{line}\n")
    assert [f.code for f in found if isinstance(f, Fault)] == [code]
    assert len(found) == 2


def test_an_unknown_currency_is_refused() -> None:
    assert _row("Devise", "usd").currency == "USD"
    assert _row("Devise", "").currency == "EUR"
    fault = _one("Devise", "patates")
    assert isinstance(fault, Fault)
    assert fault.code == "currency_unknown"


def test_subtotals_and_repeated_headers_are_skipped() -> None:
    lines = [HEAD, "F1;A;13/03/2026;31/03/2026;1", ";Total client A;;;1", HEAD, "Solde;;;;1"]
    found = _read("\n".join(lines))
    skipped = [(f.code, f.line) for f in found if isinstance(f, Fault)]
    assert skipped == [("subtotal", 3), ("header_repeated", 4), ("subtotal", 5)]
    assert all(f.severity == "skipped" for f in found if isinstance(f, Fault))


def test_a_customer_called_total_is_a_customer() -> None:
    (row,) = _read(f"{HEAD}\nF1;Total Énergies;13/03/2026;31/03/2026;1\n")
    assert isinstance(row, InvoiceRow)
    assert row.customer_name == "Total Énergies"


def test_one_code_under_several_spellings_is_one_customer() -> None:
    found = _read(
        "Facture;Code client;Client;Date;Montant\n"
        "F1;C1;Duval SA;13/03/2026;1\nF2;c1;DUVAL;13/03/2026;1\n"
    )
    rows = [row for row in found if isinstance(row, InvoiceRow)]
    assert {(row.customer_key, row.customer_name) for row in rows} == {("c:c1", "Duval SA")}


def test_a_line_repeated_as_it_is_counts_once() -> None:
    line = "F1;A;13/03/2026;31/03/2026;1"
    row, fault = _read(f"{HEAD}\n{line}\n{line}\n")
    assert isinstance(row, InvoiceRow)
    assert isinstance(fault, Fault)
    assert (fault.code, fault.severity, fault.line) == ("duplicate_identical", "unchanged", 3)


def test_one_number_with_two_contents_is_refused_on_both_lines() -> None:
    found = _read(
        f"{HEAD}\nF1;A;13/03/2026;;1\nF2;A;13/03/2026;;1\nF1;A;13/03/2026;;2\n", terms_days=30
    )
    faults = {f.line: f.message for f in found if isinstance(f, Fault)}
    assert set(faults) == {2, 4}
    assert "ligne 4" in faults[2]
    assert "ligne 2" in faults[4]
    assert [row.number for row in found if isinstance(row, InvoiceRow)] == ["F2"]


def test_numbers_may_be_unique_per_customer_only() -> None:
    text = f"{HEAD}\nF1;A;13/03/2026;;1\nF1;B;13/03/2026;;2\n"
    assert all(isinstance(f, Fault) for f in _read(text))
    assert all(isinstance(f, InvoiceRow) for f in _read(text, number_per_customer=True))


def test_invoices_without_number_get_a_stable_one() -> None:
    text = "Client;Date;Montant;Date de règlement\n"
    first = _read(text + "A;13/03/2026;1;\nA;13/03/2026;1;\nA;13/03/2026;2;\n")
    later = _read(text + "A;13/03/2026;1;14/03/2026\nA;13/03/2026;1;\nA;13/03/2026;2;\n")
    numbers = [row.number for row in first if isinstance(row, InvoiceRow)]
    assert numbers == [row.number for row in later if isinstance(row, InvoiceRow)]
    assert len(set(numbers)) == 3
    assert not any(row.number_given for row in first if isinstance(row, InvoiceRow))


def test_contact_details_that_are_not_valid_are_dropped_with_a_remark() -> None:
    row = _row(
        "Email;SIRET;Pays;Mode de règlement;Type client;Niveau de relance",
        "compta@dupont.fr, x@@y;123 456 789 00012;Belgique;Prélèvement SEPA;Particulier;Niveau 2",
    )
    party = row.party
    assert (party.emails, party.siren, party.country) == (("compta@dupont.fr",), "", "BE")
    assert (party.regime, row.mode, row.level) == ("consumer", "direct_debit", 2)
    assert _codes(row) == ["email_invalid", "siren_invalid"]
    assert all(remark.line == 2 for remark in row.remarks)


def test_a_siren_is_read_out_of_a_siret_and_a_vat_number() -> None:
    assert _row("SIRET", "732 829 320 00074").party.siren == "732829320"
    assert _row("N° TVA", "FR44732829320").party.siren == "732829320"


def test_a_workbook_reads_like_a_text(xlsx: MakeXlsx) -> None:
    day, due = dt.date(2026, 3, 1), dt.date(2026, 3, 31)
    data = xlsx(
        [HEAD.split(";"), [1001, "Dupont", day, due, 1234.5], [None, "Total", None, None, 9]]
    )
    table = open_table(data, "f.xlsx")
    assert isinstance(table, Table)
    columns = propose(table.header, table.sample()).columns
    row, total = read_invoices(table, columns, ReadOptions(paid_on=TODAY))
    assert isinstance(row, InvoiceRow)
    assert (row.number, row.issue_on, row.total_cents) == ("1001", day, 123450)
    assert isinstance(total, Fault)
    assert total.code == "subtotal"


CELLS = st.sampled_from(
    [
        "",
        "F1",
        "Dupont",
        "01/02/2026",
        "13/13/2026",
        "1,5",
        "-3",
        "Avoir",
        "oui",
        "Total",
        "\t",
        '"',
    ]
) | st.text(max_size=8)


@given(st.lists(st.lists(CELLS, min_size=1, max_size=9), min_size=1, max_size=6))
def test_every_row_is_a_row_or_a_fault_and_none_is_lost(rows: list[list[str]]) -> None:
    """No invariant of an invoice breaks, whatever the cells say."""
    head = f"{HEAD};Reste à payer;Réglé;Date de règlement;Type"
    lines = [";".join(cell.replace(";", " ") for cell in row) for row in rows]
    table = open_table("\n".join([head, *lines]).encode("utf-8", "replace"), "f.csv")
    if isinstance(table, Fault):
        return
    columns = {"number": 0, "customer_name": 1, "issue_on": 2, "due_on": 3, "total": 4}
    columns |= {"left": 5, "paid": 6, "paid_on": 7, "kind": 8}
    filled = sum(1 for _ in table.rows())
    found = list(read_invoices(table, columns, ReadOptions(paid_on=TODAY, date_order="dmy")))
    assert len(found) == filled
    for item in found:
        if isinstance(item, Fault):
            assert item.message
            assert item.line
        else:
            assert min(item.total_cents, item.paid_cents, item.left_cents) >= 0
            assert item.left_cents == max(0, item.total_cents - item.paid_cents)
            assert (item.paid_cents > 0) <= (item.paid_on is not None)
            assert all(remark.severity == "remark" and remark.message for remark in item.remarks)


def test_twenty_thousand_rows_take_a_second_or_so() -> None:
    lines = (
        f"F{n};Client {n % 900};{1 + n % 28:02d}/03/2026;31/03/2026;{n},50" for n in range(20_000)
    )
    started = time.process_time()
    found = _read("\n".join([HEAD, *lines]))
    assert len(found) == 20_000
    assert time.process_time() - started < 4
