"""Figures of a ledger, with published worked examples."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relance.engine.ageing import (
    MonthSales,
    ageing,
    average_days_delinquent,
    best_possible_dso,
    bucket_of,
    collection_effectiveness,
    count_back_dso,
    days_late,
    dso,
)

TODAY = date(2025, 6, 30)


@pytest.mark.parametrize(
    ("late", "rank"),
    [(-5, 0), (0, 0), (1, 1), (30, 1), (31, 2), (60, 2), (61, 3), (90, 3), (91, 4), (900, 4)],
)
def test_a_bucket_holds_both_of_its_bounds(late: int, rank: int) -> None:
    assert bucket_of(late) == rank


def test_buckets_count_and_add_up() -> None:
    rows = [(date(2025, 7, 10), 100), (TODAY, 200), (date(2025, 6, 29), 400), (date(2025, 1, 1), 800)]
    given_ = ageing(rows, TODAY, unapplied=50)
    assert [(one.low, one.high, one.invoices, one.amount) for one in given_.buckets] == [
        (None, 0, 2, 300),
        (1, 30, 1, 400),
        (31, 60, 0, 0),
        (61, 90, 0, 0),
        (91, None, 1, 800),
    ]
    assert given_.overdue == 1200
    assert given_.balance == 1450


def test_bounds_are_a_setting() -> None:
    given_ = ageing([(date(2025, 6, 20), 100)], TODAY, bounds=(8, 15))
    assert [one.amount for one in given_.buckets] == [0, 0, 100, 0]


@given(st.lists(st.tuples(st.dates(), st.integers(0, 10**9))), st.dates(), st.integers(0, 10**9))
def test_buckets_less_unapplied_credits_are_the_ledger_balance(
    rows: list[tuple[date, int]], as_of: date, unapplied: int
) -> None:
    assert ageing(rows, as_of, unapplied=unapplied).balance == sum(amount for _, amount in rows) - unapplied


def test_dso_simple() -> None:
    assert dso(30_000_00, 60_000_00, 90) == 45
    second = dso(472_00, 2870_40, 365)
    assert second is not None
    assert round(float(second), 1) == 60.0
    assert dso(1, 0, 90) is None


def test_best_possible_dso_and_average_days_delinquent_add_up_to_the_dso() -> None:
    best = best_possible_dso(19_000_00, 60_000_00, 90)
    delinquent = average_days_delinquent(11_000_00, 60_000_00, 90)
    assert best == Fraction("28.5")
    assert delinquent == Fraction("16.5")
    assert best + delinquent == dso(30_000_00, 60_000_00, 90)


def test_dso_by_exhaustion() -> None:
    june, may = MonthSales(12_500_00, 30), MonthSales(10_000_00, 31)
    assert count_back_dso(20_000_00, [june, may]).days == Fraction("53.25")
    months = [MonthSales(1200_00, 30), MonthSales(800_00, 31), MonthSales(700_00, 30)]
    assert round(float(count_back_dso(2500_00, months).days), 1) == 82.4


def test_dso_by_exhaustion_never_guesses_beyond_known_sales() -> None:
    assert count_back_dso(100, [MonthSales(60, 30), MonthSales(40, 31)]) == (61, False)
    assert count_back_dso(101, [MonthSales(60, 30), MonthSales(40, 31)]) == (61, True)
    assert count_back_dso(0, []) == (0, False)


def test_collection_effectiveness_over_a_whole_period() -> None:
    whole = collection_effectiveness(6_200, 10_890, 6_340, 3_590)
    year = collection_effectiveness(100, 1_000, 120, 100)
    assert whole is not None
    assert year is not None
    assert round(float(whole), 1) == 79.6
    assert round(float(year), 1) == 98.0
    assert collection_effectiveness(0, 0, 0, 0) is None


def test_days_late_of_settled_invoices() -> None:
    """Early payments are negative; the weighted mean follows the amounts."""
    figures = days_late(
        [
            (date(2025, 5, 1), date(2025, 4, 29), 100),
            (date(2025, 5, 1), date(2025, 5, 11), 300),
        ]
    )
    assert figures == {"mean": 4, "median": 4, "weighted": 7}
    assert days_late([]) is None
