"""Amounts of French and foreign exports become exact integer cents."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance.formats.amounts import MAX_CENTS, Amount, decimal_sign, parse_amount
from relance.formats.faults import Fault, euros

NBSP, NNBSP = "\u00a0", "\u202f"


@pytest.mark.parametrize(
    ("written", "cents"),
    [
        ("1 234,56", 123456),
        (f"1{NBSP}234,56{NBSP}€", 123456),
        (f"1{NNBSP}234{NNBSP}567,8{NBSP}€", 123456780),
        ("1.234,56", 123456),
        ("1,234.56", 123456),
        ("1'234.50", 123450),
        ("(1 234,56)", -123456),
        ("12,50-", -1250),
        ("−12,50", -1250),
        ("-12.5", -1250),
        ("(-12,50)", -1250),
        ("€ 12", 1200),
        ("12 euros", 1200),
        ("0001234,5", 123450),
        (",50", 50),
        ("5.", 500),
        ("-", 0),
        ("1.234.567", 123456700),
    ],
)
def test_the_ways_to_write_an_amount(written: str, cents: int) -> None:
    found = parse_amount(written)
    assert isinstance(found, Amount)
    assert found.cents == cents
    assert not found.rounded


@pytest.mark.parametrize(
    "written",
    ["abc", "12 34", "1,2,3", "EUR", "12 TTC", "=1+1", "#N/A", "1e5", "NaN", "..", "12/01", "٣"],
)
def test_what_is_no_amount_is_refused_with_its_value(written: str) -> None:
    found = parse_amount(written)
    assert isinstance(found, Fault)
    assert found.code == "bad_amount"
    assert written in found.message


def test_an_empty_cell_is_no_amount_and_no_fault() -> None:
    assert parse_amount("") is None
    assert parse_amount(f" {NBSP} ") is None


def test_more_than_two_decimals_are_rounded_half_up_away_from_zero() -> None:
    assert parse_amount("1234,565") == Amount(123457, None, rounded=True)
    assert parse_amount("-1234,565") == Amount(-123457, None, rounded=True)
    assert parse_amount("0,0049") == Amount(0, None, rounded=True)
    assert parse_amount("12,3400") == Amount(1234)


def test_three_digits_after_one_sign_follow_the_column() -> None:
    assert parse_amount("1.234", ".") == Amount(123, None, rounded=True)
    assert parse_amount("1.234", ",") == Amount(123400)
    assert parse_amount("1.234") == Amount(123400, None, ambiguous=True)
    assert parse_amount("0,125") == Amount(13, None, rounded=True)


def test_the_decimal_sign_of_a_column_is_the_one_it_proves() -> None:
    assert decimal_sign(["1.234", "12.50"]) == "."
    assert decimal_sign(["1.234", "1.234,50"]) == ","
    assert decimal_sign(["1,234,567"]) is None
    assert decimal_sign(["1.234", "2.500"]) is None
    assert decimal_sign(["12,5", "12.5"]) is None


def test_cells_of_a_workbook_are_numbers() -> None:
    assert parse_amount(12) == Amount(1200)
    assert parse_amount(0.1 + 0.2) == Amount(30)
    assert parse_amount(1.005) == Amount(101, None, rounded=True)
    assert isinstance(parse_amount(True), Fault)
    assert isinstance(parse_amount(float("nan")), Fault)


def test_an_amount_beyond_measure_is_refused() -> None:
    found = parse_amount("9" * 20)
    assert isinstance(found, Fault)
    assert found.code == "amount_too_large"


def test_the_currency_beside_the_amount_is_kept() -> None:
    assert parse_amount("12,00 €") == Amount(1200, "EUR")
    assert parse_amount("USD 12.00") == Amount(1200, "USD")
    assert parse_amount("-12,00 CHF") == Amount(-1200, "CHF")


@given(st.integers(-MAX_CENTS, MAX_CENTS), st.sampled_from(["fr", "fr-nbsp", "en", "de", "plain"]))
def test_an_amount_reads_back_whatever_the_style(cents: int, style: str) -> None:
    whole, rest = divmod(abs(cents), 100)
    sign = "-" if cents < 0 else ""
    grouped = f"{whole:,}"
    written = {
        "fr": f"{sign}{grouped.replace(',', ' ')},{rest:02d} €",
        "fr-nbsp": euros(cents),
        "en": f"{sign}{grouped}.{rest:02d}",
        "de": f"{sign}{grouped.replace(',', '.')},{rest:02d}",
        "plain": f"{sign}{whole}.{rest:02d}",
    }[style]
    found = parse_amount(written)
    assert isinstance(found, Amount)
    assert found.cents == cents


@given(st.integers(-(10**12), 10**12))
def test_a_float_of_cents_reads_back(cents: int) -> None:
    found = parse_amount(cents / 100)
    assert isinstance(found, Amount)
    assert found.cents == cents


@given(st.text(alphabet="0123456789.,-+()€ 'EUR\u00a0\u202f", max_size=30) | st.text(max_size=80))
def test_any_text_gives_an_amount_nothing_or_a_fault(text: str) -> None:
    for decimal in (None, ".", ","):
        found = parse_amount(text, decimal)
        if isinstance(found, Fault):
            assert found.message
        elif found is not None:
            assert abs(found.cents) <= MAX_CENTS
