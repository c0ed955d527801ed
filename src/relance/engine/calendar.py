"""Days off in France: weekends and public holidays by zone, and date arithmetic that never overflows.

Public holidays: Code du travail L3133-1; Alsace-Moselle L3134-13; abolition of slavery overseas: décret 83-1003
and loi 83-550. Easter by the Gregorian computus.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache

ZONES = ("metropole", "alsace-moselle", "guadeloupe", "martinique", "guyane", "reunion", "mayotte", "none")

_FIXED = (
    (1, 1, "Jour de l’an"),
    (5, 1, "Fête du Travail"),
    (5, 8, "Victoire de 1945"),
    (7, 14, "Fête nationale"),
    (8, 15, "Assomption"),
    (11, 1, "Toussaint"),
    (11, 11, "Armistice de 1918"),
    (12, 25, "Noël"),
)
_MOVABLE = ((1, "Lundi de Pâques"), (39, "Ascension"), (50, "Lundi de Pentecôte"))
_LOCAL = {
    "alsace-moselle": ((12, 26, "Saint-Étienne"),),
    "guadeloupe": ((5, 27, "Abolition de l’esclavage"),),
    "martinique": ((5, 22, "Abolition de l’esclavage"),),
    "guyane": ((6, 10, "Abolition de l’esclavage"),),
    "reunion": ((12, 20, "Abolition de l’esclavage"),),
    "mayotte": ((4, 27, "Abolition de l’esclavage"),),
}


def easter(year: int) -> date:
    """Easter Sunday of a Gregorian year (anonymous computus, Meeus)."""
    golden, century, place = year % 19, year // 100, year % 100
    epact = (19 * golden + century - century // 4 - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    weekday = (32 + 2 * (century % 4) + 2 * (place // 4) - epact - place % 4) % 7
    correction = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * correction + 114, 31)
    return date(year, month, day + 1)


@lru_cache(maxsize=4096)
def public_holidays(zone: str, year: int) -> dict[date, str]:
    """Public holidays of one year with their French names; empty for the zone ``none``."""
    if zone not in ZONES:
        raise ValueError(f"unknown zone {zone!r}")
    if zone == "none":
        return {}
    days = {date(year, month, day): name for month, day, name in _FIXED + _LOCAL.get(zone, ())}
    sunday = easter(year)
    for offset, name in _MOVABLE:
        days.setdefault(sunday + timedelta(days=offset), name)
    if zone == "alsace-moselle":
        days.setdefault(sunday - timedelta(days=2), "Vendredi saint")
    return dict(sorted(days.items()))


def is_working_day(zone: str, day: date) -> bool:
    """Monday to Friday and no public holiday; in the zone ``none`` every day."""
    return zone == "none" or (day.weekday() < 5 and day not in public_holidays(zone, day.year))


@lru_cache(maxsize=65536)
def next_working_day(zone: str, day: date) -> date:
    """The first working day at or after ``day``."""
    while not is_working_day(zone, day) and day < date.max:
        day += timedelta(days=1)
    return day


@lru_cache(maxsize=65536)
def previous_working_day(zone: str, day: date) -> date:
    """The last working day at or before ``day``."""
    while not is_working_day(zone, day) and day > date.min:
        day -= timedelta(days=1)
    return day


def shift(day: date, days: int) -> date:
    """``day`` plus calendar days, held at the first and last dates that exist instead of failing."""
    try:
        return day + timedelta(days)
    except OverflowError:
        return date.max if days > 0 else date.min


def month_end(day: date) -> date:
    """The last day of the month of ``day``."""
    if day.month == 12:
        return day.replace(day=31)
    return day.replace(month=day.month + 1, day=1) - timedelta(days=1)
