"""Days off: computed holidays against the official list and the ``holidays`` library, and date arithmetic."""

from __future__ import annotations

from datetime import date

import holidays
import pytest
from relance.engine.calendar import (
    ZONES,
    easter,
    is_working_day,
    month_end,
    next_working_day,
    previous_working_day,
    public_holidays,
    shift,
)

SUBDIVISIONS = {
    "metropole": None,
    "alsace-moselle": "57",
    "guadeloupe": "971",
    "martinique": "972",
    "guyane": "973",
    "reunion": "974",
    "mayotte": "976",
}
WITH_CUSTOMS = {"guadeloupe", "martinique"}
MOBILE_2024 = [date(2024, 4, 1), date(2024, 5, 9), date(2024, 5, 20)]
FIXED = [(1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25)]
LOCAL_2024 = {
    "metropole": [],
    "alsace-moselle": [date(2024, 3, 29), date(2024, 12, 26)],
    "guadeloupe": [date(2024, 5, 27)],
    "martinique": [date(2024, 5, 22)],
    "guyane": [date(2024, 6, 10)],
    "reunion": [date(2024, 12, 20)],
    "mayotte": [date(2024, 4, 27)],
}


@pytest.mark.parametrize("zone", sorted(LOCAL_2024))
def test_a_year_is_the_official_list_of_its_zone(zone: str) -> None:
    """Eleven days everywhere, and those of the zone."""
    expected = [*(date(2024, month, day) for month, day in FIXED), *MOBILE_2024, *LOCAL_2024[zone]]
    assert list(public_holidays(zone, 2024)) == sorted(expected)


@pytest.mark.parametrize("zone", sorted(SUBDIVISIONS))
@pytest.mark.parametrize("year", range(2008, 2041))
def test_the_table_agrees_with_the_holidays_library(zone: str, year: int) -> None:
    """The library also lists the local customs of the French Antilles (mid-Lent, Good Friday, 21 July), which are no
    public holidays of the official list."""
    theirs = set(holidays.country_holidays("FR", subdiv=SUBDIVISIONS[zone], years=year))
    ours = set(public_holidays(zone, year))
    assert ours <= theirs
    assert zone in WITH_CUSTOMS or ours == theirs


def test_easter_at_its_extremes() -> None:
    """22 March is the earliest date of Easter, 25 April the latest."""
    assert easter(1818) == date(1818, 3, 22)
    assert easter(2038) == date(2038, 4, 25)
    assert easter(2025) == date(2025, 4, 20)


def test_two_holidays_on_one_date_are_one_day_off() -> None:
    """In 2008 Ascension fell on 1 May."""
    assert public_holidays("metropole", 2008)[date(2008, 5, 1)] == "Fête du Travail"
    assert len(public_holidays("metropole", 2008)) == 10


def test_without_zone_every_day_is_a_working_day() -> None:
    new_year_sunday = date(2023, 1, 1)
    assert is_working_day("none", new_year_sunday)
    assert next_working_day("none", new_year_sunday) == new_year_sunday


def test_an_unknown_zone_is_an_error() -> None:
    with pytest.raises(ValueError, match="corse"):
        public_holidays("corse", 2025)
    assert "corse" not in ZONES


def test_the_working_days_around_a_long_week_end() -> None:
    """Easter 2025: Friday 18 is worked in metropole, off in Alsace-Moselle; Monday 21 is off everywhere."""
    saturday = date(2025, 4, 19)
    assert next_working_day("metropole", saturday) == date(2025, 4, 22)
    assert previous_working_day("metropole", saturday) == date(2025, 4, 18)
    assert previous_working_day("alsace-moselle", saturday) == date(2025, 4, 17)


def test_month_ends_and_shifts_hold_at_the_edges() -> None:
    assert month_end(date(2024, 2, 10)) == date(2024, 2, 29)
    assert month_end(date(2025, 12, 31)) == date(2025, 12, 31)
    assert shift(date(2025, 1, 31), -1) == date(2025, 1, 30)
    assert shift(date.max, 5) == date.max
    assert shift(date.min, -5) == date.min
    assert month_end(date.max) == date.max
