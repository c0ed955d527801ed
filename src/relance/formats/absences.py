"""Until when somebody is away, as an absence note says it in French or English."""

import re
from datetime import date, timedelta

LONGEST = timedelta(days=400)
"""A date further away is a mistake or another date of the note."""

_MONTHS = {
    1: ("janvier", "janv", "january", "jan"),
    2: ("février", "fevrier", "févr", "fevr", "fév", "february", "feb"),
    3: ("mars", "march", "mar"),
    4: ("avril", "avr", "april", "apr"),
    5: ("mai", "may"),
    6: ("juin", "june", "jun"),
    7: ("juillet", "juil", "july", "jul"),
    8: ("août", "aout", "august", "aug"),
    9: ("septembre", "sept", "september", "sep"),
    10: ("octobre", "oct", "october"),
    11: ("novembre", "nov", "november"),
    12: ("décembre", "decembre", "déc", "dec", "december"),
}
_NUMBER = {name: number for number, names in _MONTHS.items() for name in names}
_NAME = "|".join(sorted(_NUMBER, key=len, reverse=True))
_WEEKDAY = (
    r"(?:(?:lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche"
    r"|monday|tuesday|wednesday|thursday|friday|saturday|sunday)\s*,?\s*(?:the\s+)?)?"
)
_DATE = (
    rf"{_WEEKDAY}(?:"
    r"(?P<iso>\d{4}-\d{2}-\d{2})"
    r"|(?P<slashed>\d{1,2}[/.]\d{1,2}(?:[/.]\d{2,4})?)"
    rf"|(?P<day>\d{{1,2}})(?:er|st|nd|rd|th)?\s+(?:of\s+)?(?P<month>{_NAME})\.?(?:\s+(?P<year>\d{{4}}))?\b"
    rf"|(?P<month2>{_NAME})\.?\s+(?P<day2>\d{{1,2}})(?:st|nd|rd|th)?(?:\s*,?\s+(?P<year2>\d{{4}}))?\b"
    r")"
)
_SPAN = re.compile(
    r"(?:\bdu|\bfrom)\s+(?:the\s+)?[^.\n]{1,40}?\s(?:au|to|until|till|-|–)\s+(?:the\s+)?" + _DATE,
    re.I,
)
_UNTIL_ALONE = re.compile(rf"(?:jusqu.?\s?au|until|till|through)\s+(?:the\s+)?{_DATE}", re.I)
_BACK = re.compile(
    r"(?:de retour|serai à nouveau|reprendrai|reprise|retour (?:prévu|au bureau)"
    r"|be back|am back|will return|returning|return(?:ing)? to (?:the )?office|back in the office)"
    rf"[^.\n\d]{{0,40}}?\s{_DATE}",
    re.I,
)


def absent_until(text: str, received: date) -> date | None:
    """The last day of absence (a local date), or None when the note gives none.

    "De retour le 14" is an absence until the 13th. A date without year is the next one from
    `received` on; 03/04 is the third of April, as in all of Europe.
    """
    words = " ".join(text[:20_000].replace("’", "'").split())
    for pattern, back in ((_UNTIL_ALONE, False), (_SPAN, False), (_BACK, True)):
        for match in pattern.finditer(words):
            day = _day(match, received)
            if day is None:
                continue
            last = day - timedelta(days=1) if back else day
            if received <= last <= received + LONGEST:
                return last
    return None


def _day(match: re.Match[str], received: date) -> date | None:
    try:
        if match["iso"]:
            return date.fromisoformat(match["iso"])
        if match["slashed"]:
            parts = [int(part) for part in re.split(r"[/.]", match["slashed"])]
            year = parts[2] if len(parts) == 3 else 0
            return _dated(parts[0], parts[1], year + 2000 if 0 < year < 100 else year, received)
        month = _NUMBER[(match["month"] or match["month2"]).lower()]
        named_year = match["year"] or match["year2"] or 0
        return _dated(int(match["day"] or match["day2"]), month, int(named_year), received)
    except ValueError:
        return None


def _dated(day: int, month: int, year: int, received: date) -> date:
    if year:
        return date(year, month, day)
    near = date(received.year, month, day)
    return near if near >= received else date(received.year + 1, month, day)
