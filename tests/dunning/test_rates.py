"""The published rates: data, complete from 2020 on, with the gap that is really there."""

from fractions import Fraction

from relance.dunning.facts.rates import published
from relance.engine.late_fees import Semester


def test_each_semester_from_2020_has_the_rate_of_the_central_bank() -> None:
    rates = published()
    expected = {Semester(year, half) for year in range(2020, 2027) for half in (1, 2)}
    assert set(rates.refi) == expected
    assert rates.refi[Semester(2025, 1)] == Fraction("3.15")


def test_the_legal_rate_that_is_not_published_yet_is_absent_and_not_guessed() -> None:
    rates = published()
    assert rates.legal[Semester(2026, 1)] == Fraction("2.62")
    assert Semester(2026, 2) not in rates.legal
