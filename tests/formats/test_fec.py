"""A ledger file gives who owed what at closing, and never more certainty than it has.

The cases are those measured on real ledgers: letters whose other leg is in another year,
opening balances without letter, partial letters, pots of card and cash takings.
"""

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance.formats.faults import Fault
from relance.formats.fec import is_fec, read_fec
from relance.formats.fec_model import FecCustomer, FecLedger
from relance.formats.values import Terms

NAMES = [
    "JournalCode",
    "JournalLib",
    "EcritureNum",
    "EcritureDate",
    "CompteNum",
    "CompteLib",
    "CompAuxNum",
    "CompAuxLib",
    "PieceRef",
    "PieceDate",
    "EcritureLib",
    "Debit",
    "Credit",
    "EcritureLet",
    "DateLet",
    "ValidDate",
    "Montantdevise",
    "Idevise",
]


def _line(
    customer: str,
    debit: str = "0,00",
    credit: str = "0,00",
    letter: str = "",
    *,
    piece: str = "FA1",
    account: str = "411000",
    name: str = "",
    journal: str = "VE",
    label: str = "Facture",
    day: str = "20250310",
) -> str:
    cells = [journal, "Ventes", "1", day, account, "Clients", customer, name or customer.title()]
    cells += [piece, day, label, debit, credit, letter, "", "20251231", "", ""]
    return "\t".join(cells)


def _ledger(*lines: str, header: str = "\t".join(NAMES), **options: Any) -> FecLedger:
    text = "\n".join([header, *lines])
    found = read_fec(text.encode(), "123456789FEC20251231.txt", **options)
    assert isinstance(found, FecLedger)
    return found


def _customer(*lines: str, **options: Any) -> FecCustomer:
    (customer,) = _ledger(*lines, **options).customers
    assert sum(item.left_cents for item in customer.items) == customer.balance_cents
    return customer


def test_a_line_without_letter_is_open() -> None:
    (item,) = _customer(_line("DUPONT", debit="1200,50")).items
    assert (item.kind, item.reason, item.number, item.checked) == (
        "invoice",
        "no_letter",
        "FA1",
        True,
    )
    assert (item.total_cents, item.left_cents) == (120050, 120050)


def test_a_letter_that_balances_is_closed() -> None:
    customer = _customer(
        _line("DUPONT", debit="100,00", letter="AA"),
        _line("DUPONT", credit="60,00", letter="AA", piece="B1"),
        _line("DUPONT", credit="40,00", letter="AA", piece="B2"),
    )
    assert (customer.items, customer.closed_groups, customer.bars) == ((), 1, ("nothing_owed",))


def test_a_letter_paid_next_year_keeps_the_invoice_open_and_unchecked() -> None:
    (item,) = _customer(_line("DUPONT", debit="100,00", letter="AB")).items
    assert (item.kind, item.reason, item.left_cents) == ("residual", "letter_unbalanced", 10000)
    assert (item.letter, item.checked) == ("AB", False)


def test_the_payment_of_last_year_offsets_the_opening_balance() -> None:
    """An opening is one line without letter; its payment bears a letter of its own."""
    customer = _customer(
        _line("DUPONT", debit="500,00", journal="ANO", piece="RAN", label="Report à nouveau"),
        _line("DUPONT", credit="500,00", letter="AC", piece="B1"),
        _line("DUPONT", debit="80,00", piece="FA9"),
    )
    assert customer.balance_cents == 8000
    assert [(item.kind, item.left_cents) for item in customer.items] == [
        ("opening", 50000),
        ("residual", -50000),
        ("invoice", 8000),
    ]
    assert customer.items[0].number == "AN-DUPONT-2025"


def test_a_partial_letter_in_lower_case_keeps_its_residual() -> None:
    (item,) = _customer(
        _line("DUPONT", debit="100,00", letter="a", piece="FA7"),
        _line("DUPONT", credit="30,00", letter="a", piece="B1"),
    ).items
    assert (item.reason, item.number, item.checked) == ("letter_partial", "FA7", False)
    assert (item.total_cents, item.left_cents, item.lines) == (10000, 7000, (2, 3))


def test_lower_and_upper_case_letters_are_two_groups() -> None:
    customer = _customer(
        _line("DUPONT", debit="100,00", letter="A"),
        _line("DUPONT", credit="100,00", letter="a"),
    )
    assert (customer.unbalanced_groups, customer.balance_cents) == (2, 0)


def test_an_invoice_and_a_greater_payment_both_without_letter_leave_nothing_to_chase() -> None:
    customer = _customer(
        _line("DUPONT", debit="900,00"), _line("DUPONT", credit="950,50", piece="B1")
    )
    assert (customer.balance_cents, customer.chaseable) == (-5050, False)
    assert [item.kind for item in customer.items] == ["invoice", "payment"]


@pytest.mark.parametrize(
    "name", ["RECETTE CB", "Recettes espèces", "Client divers", "Client attente", "Vente comptant"]
)
def test_pots_of_takings_are_nobody_to_chase(name: str) -> None:
    customer = _customer(_line("CCB", debit="100,00", name=name))
    assert customer.bars == ("generic_account",)


def test_a_customer_without_auxiliary_is_its_own_account() -> None:
    ledger = _ledger(
        _line("", debit="10,00", account="411DUPONT").replace("Clients", "Dupont SARL"),
        _line("", debit="20,00", account="41100000"),
    )
    bars = {customer.key: customer.bars for customer in ledger.customers}
    assert bars == {"411DUPONT": (), "41100000": ("generic_account",)}
    assert {c.name for c in ledger.customers} == {"Dupont SARL", "Clients"}


def test_accounts_that_are_not_customers_are_left_out_and_summed() -> None:
    ledger = _ledger(
        _line("DUPONT", debit="10,00"),
        _line("DUPONT", debit="20,00", account="413000"),
        _line("DUPONT", debit="40,00", account="416000"),
        _line("DUPONT", debit="80,00", account="418100"),
        _line("DUPONT", credit="5,00", account="419100"),
        _line("", credit="145,00", account="707000"),
    )
    assert ledger.totals.excluded_cents == {"413": 2000, "418": 8000, "419": -500}
    assert {c.key: c.bars for c in ledger.customers} == {
        "DUPONT": (),
        "DUPONT (416)": ("doubtful_account",),
    }
    assert ledger.totals.debit_cents == ledger.totals.credit_cents == 15000


def test_the_due_date_is_estimated_from_the_terms() -> None:
    lines = [_line("A", debit="1,00", day="20250115"), _line("B", debit="1,00", day="20250115")]
    ledger = _ledger(*lines, customer_terms={"B": Terms(45, end_of_month=True)})
    due = {c.key: c.items[0].due_on for c in ledger.customers}
    assert due == {"A": dt.date(2025, 2, 14), "B": dt.date(2025, 3, 31)}


def test_control_totals_tie_the_open_items_to_the_ledger() -> None:
    totals = _ledger(
        _line("A", debit="100,00"),
        _line("A", debit="50,00", letter="AA"),
        _line("A", credit="20,00", letter="AA"),
        _line("B", debit="7,00", letter="AA"),
        _line("B", credit="7,00", letter="AA"),
    ).totals
    assert totals.open_cents == totals.balance_cents == 13000
    assert (totals.unlettered_cents, totals.unbalanced_cents) == (10000, 3000)
    assert (totals.groups, totals.unbalanced_groups, totals.customer_lines) == (2, 1, 5)


def test_rejected_lines_are_numbered_and_count_nowhere() -> None:
    ledger = _ledger(
        _line("A", debit="10,00"),
        "",
        _line("A", debit="dix"),
        _line("A", debit="1,00", day="20251340"),
        "trop\tcourte",
        _line("A", debit="1,00", account=""),
        _line("A", debit="5,00"),
    )
    assert [(fault.code, fault.line) for fault in ledger.rejects] == [
        ("bad_amount", 4),
        ("bad_date", 5),
        ("fec_few_cells", 6),
        ("fec_no_account", 7),
    ]
    assert ledger.totals.rejected == 4
    assert ledger.totals.balance_cents == 1500


@pytest.mark.parametrize(
    ("written", "cents"), [("0001234,50", 123450), ("1 234.5", 123450), ("-12,00", -1200), ("", 0)]
)
def test_amounts_are_read_with_tolerance(written: str, cents: int) -> None:
    assert _ledger(_line("A", debit=written)).totals.debit_cents == cents


def test_amount_and_side_stand_for_debit_and_credit() -> None:
    header = "\t".join(NAMES).replace("Debit", "Montant").replace("Credit", "Sens")
    ledger = _ledger(
        _line("A", debit="100,00", credit="D"),
        _line("A", debit="40,00", credit="-1"),
        _line("A", debit="40,00", credit="?"),
        header=header,
    )
    assert ledger.totals.balance_cents == 6000
    assert [fault.code for fault in ledger.rejects] == ["fec_sign"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "iso8859-15", "utf-16"])
@pytest.mark.parametrize(("separator", "end"), [("\t", "\n"), ("|", "\r\n"), ("\t", "\r")])
def test_encodings_separators_and_line_ends(encoding: str, separator: str, end: str) -> None:
    header = "\t".join(NAMES).replace("Debit", " DÉBIT ") + "\tDateRglt"
    text = end.join([header, "", _line("A", debit="1,00", name="Hélène") + "\t\t\ttrop", ""])
    found = read_fec(text.replace("\t", separator).encode(encoding), "x.txt")
    assert isinstance(found, FecLedger)
    assert [(c.name, c.balance_cents) for c in found.customers] == [("Hélène", 100)]
    assert [fault.code for fault in found.remarks] == ["fec_name", "fec_unbalanced"]


def test_the_name_of_the_file_gives_siren_and_closing() -> None:
    ledger = _ledger(_line("A", debit="1,00"))
    assert (ledger.siren, ledger.closing_on) == ("123456789", dt.date(2025, 12, 31))


def test_without_a_column_of_letters_nothing_is_known_as_paid() -> None:
    header = "\t".join(NAMES).replace("EcritureLet", "Autre")
    ledger = _ledger(_line("A", debit="1,00", letter="AA"), header=header)
    assert "fec_no_letters" in [fault.code for fault in ledger.remarks]
    assert ledger.customers[0].items[0].reason == "no_letter"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty_file"),
        (b"Client;Montant\nA;1\n", "fec_header"),
        ("\t".join(NAMES).encode(), "no_rows"),
        (b"PK\x03\x04....", "kind_not_supported"),
        ("\t".join(NAMES).encode() + b"\nA\0B", "binary"),
    ],
)
def test_what_is_no_ledger_is_refused(data: bytes, code: str) -> None:
    found = read_fec(data)
    assert isinstance(found, Fault)
    assert found.code == code
    assert found.message


def test_numbers_are_unique_in_the_file() -> None:
    customer = _customer(_line("A", debit="1,00"), _line("A", debit="2,00"))
    assert [item.number for item in customer.items] == ["FA1", "FA1-2"]


def test_a_ledger_is_told_from_another_file() -> None:
    assert is_fec(("\t".join(NAMES) + "\n").encode())
    assert not is_fec(b"Client;Montant\n")


AMOUNTS = st.integers(0, 10**7).map(lambda cents: f"{cents // 100},{cents % 100:02d}")
LINES = st.tuples(st.sampled_from("ABC"), AMOUNTS, AMOUNTS, st.sampled_from(["", "AA", "a", "Z"]))


@given(st.lists(LINES, min_size=1, max_size=20))
def test_the_open_items_always_sum_to_the_balance(lines: list[tuple[str, str, str, str]]) -> None:
    ledger = _ledger(*(_line(who, debit, credit, let) for who, debit, credit, let in lines))
    assert ledger.totals.open_cents == ledger.totals.balance_cents
    assert ledger.totals.balance_cents == ledger.totals.debit_cents - ledger.totals.credit_cents
    for customer in ledger.customers:
        assert sum(item.left_cents for item in customer.items) == customer.balance_cents
        assert len({item.number for item in customer.items}) == len(customer.items)


@given(st.text(max_size=300))
def test_any_lines_below_the_header_are_read_or_rejected(text: str) -> None:
    data = "\t".join(NAMES) + "\n" + text
    found = read_fec(data.encode("utf-8", "replace"))
    assert isinstance(found, FecLedger) or found.message
