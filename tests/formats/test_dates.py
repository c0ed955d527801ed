"""Dates of exports: every usual form, and one order of day and month for each column."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance.formats.dates import DateOrder, OrderScan, parse_date
from relance.formats.faults import Fault
from relance.formats.text import Cell

DAY = dt.date(2026, 12, 31)


@pytest.mark.parametrize(
    "written",
    [
        "31/12/2026",
        "31/12/26",
        "31-12-2026",
        "31.12.2026",
        "2026-12-31",
        "2026-12-31T23:30:00+02:00",
        "31/12/2026 10:30",
        "20261231",
        "31 décembre 2026",
        "31-déc.-26",
        "46387",
        46387,
        46387.75,
        dt.date(2026, 12, 31),
        dt.datetime(2026, 12, 31, 8, 30),  # noqa: DTZ001 - as a workbook gives it
    ],
)
def test_the_ways_to_write_a_date(written: Cell) -> None:
    assert parse_date(written) == DAY


def test_the_month_comes_first_when_the_column_says_so() -> None:
    assert parse_date("1/2/2026", "mdy") == dt.date(2026, 1, 2)
    assert parse_date("1/2/2026", "dmy") == dt.date(2026, 2, 1)
    assert parse_date("2026-02-01", "mdy") == dt.date(2026, 2, 1)


@pytest.mark.parametrize("written", ["", "  ", "00/00/0000", "0000-00-00", "-"])
def test_an_empty_date_is_none(written: str) -> None:
    assert parse_date(written) is None


@pytest.mark.parametrize("written", ["01/01/1900", "31/12/1989", "2101-01-01", 1, "01/01/0026"])
def test_a_date_out_of_1990_to_2100_is_refused(written: Cell) -> None:
    found = parse_date(written)
    assert isinstance(found, Fault)
    assert found.code == "date_out_of_range"
    assert "1990 à 2100" in found.message


@pytest.mark.parametrize("written", ["31/02/2026", "13/13/2026", "demain", "2018-08", -5, True])
def test_what_is_no_date_is_refused(written: Cell) -> None:
    found = parse_date(written)
    assert isinstance(found, Fault)
    assert found.code == "bad_date"


def _verdict(*cells: str) -> DateOrder | Fault:
    scan = OrderScan()
    for line, cell in enumerate(cells, start=2):
        scan.add(line, cell)
    return scan.verdict()


def test_a_first_part_above_twelve_proves_the_day_first() -> None:
    assert _verdict("01/02/2026", "13/02/2026") == DateOrder("dmy", True)


def test_a_second_part_above_twelve_proves_the_month_first() -> None:
    assert _verdict("1/2/2026", "1/13/2026") == DateOrder("mdy", True)


def test_without_proof_the_order_is_french_and_said_uncertain() -> None:
    assert _verdict("01/02/2026", "03/04/2026") == DateOrder("dmy", False)


def test_iso_dates_leave_nothing_to_prove() -> None:
    assert _verdict("2026-02-01", "2026-04-03", "05/05/2026") == DateOrder("dmy", True)


def test_both_orders_in_one_column_are_a_fault_naming_both_lines() -> None:
    found = _verdict("01/02/2026", "13/02/2026", "02/13/2026")
    assert isinstance(found, Fault)
    assert found.code == "date_order_conflict"
    assert "ligne 3" in found.message
    assert "ligne 4" in found.message


@given(st.dates(dt.date(1990, 1, 1), dt.date(2089, 12, 31)))
def test_a_date_reads_back_in_every_form(day: dt.date) -> None:
    serial = (day - dt.date(1899, 12, 30)).days
    assert parse_date(f"{day:%d/%m/%Y}") == day
    assert parse_date(f"{day:%d/%m/%y}") == day
    assert parse_date(f"{day:%m-%d-%Y}", "mdy") == day
    assert parse_date(day.isoformat()) == day
    assert parse_date(f"{day:%Y%m%d}") == day
    assert parse_date(serial) == day


@given(st.text(alphabet="0123456789/-. T:janvmardec", max_size=20) | st.text(max_size=60))
def test_any_text_gives_a_date_nothing_or_a_fault(text: str) -> None:
    for order in ("dmy", "mdy"):
        found = parse_date(text, order)
        if isinstance(found, Fault):
            assert found.message
        elif found is not None:
            assert 1990 <= found.year <= 2100
