"""How amounts, dates and counts are written: French typography, one place.

Pure functions: what day it is comes as an argument. No HTML except where said.
"""

from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from django.utils.dates import MONTHS, WEEKDAYS, WEEKDAYS_ABBR
from django.utils.translation import get_language
from django.utils.translation import gettext as _

NBSP = "\u00a0"
NNBSP = "\u202f"
MINUS = "\u2212"
NOTHING = "\u2013"

# Django shortens some of them otherwise (jan., fév., avril).
MONTHS_SHORT = (
    "janv.", "févr.", "mars", "avr.", "mai", "juin",
    "juil.", "août", "sept.", "oct.", "nov.", "déc.",
)  # fmt: skip
_SYMBOLS = {"EUR": "€", "GBP": "£", "USD": "$"}
# ISO 4217 minor units other than two.
_MINOR_UNITS = {"JPY": 0, "KRW": 0, "XOF": 0, "XAF": 0, "XPF": 0, "TND": 3, "KWD": 3, "BHD": 3}


def number(value: int) -> str:
    """`1284` as `1 284`: narrow no-break space by thousands, true minus."""
    return f"{value:,}".replace(",", NNBSP).replace("-", MINUS)


def money(cents: int, currency: str = "EUR", *, decimals: bool = True) -> str:
    """Minor units of `currency` as `1 234,56 €`; without `decimals`, rounded half up."""
    places = _MINOR_UNITS.get(currency, 2)
    unit = NBSP + _SYMBOLS.get(currency, currency)
    amount = Decimal(cents).scaleb(-places)
    if not decimals:
        amount, places = amount.quantize(Decimal(1), ROUND_HALF_UP), 0
    text = f"{abs(amount):,.{places}f}".replace(",", NNBSP).replace(".", ",")
    sign = MINUS if amount < 0 else ""
    return f"{sign}{text}{unit}"


def percent(value: float, decimals: int = 0) -> str:
    """Percentage points as `43 %`; ties go away from zero, as people round."""
    rounded = Decimal(str(value)).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    return f"{rounded}".replace(".", ",").replace("-", MINUS) + f"{NBSP}%"


def is_french() -> bool:
    """Whether the words of this page are French; figures are written the French way regardless."""
    return (get_language() or "fr").startswith("fr")


def quoted(text: str) -> str:
    """`« text »`, or “text” in English."""
    return f"«{NBSP}{text}{NBSP}»" if is_french() else f"“{text}”"


def from_due(days: int) -> str:
    """Calendar days from the due date, `J+7`, `J−3`, `J`; in English `D+7`."""
    if days == 0:
        return _("J")
    return _("J") + (f"+{days}" if days > 0 else f"{MINUS}{-days}")


def is_plural(count: int) -> bool:
    """French counts zero and one as singular, English only one."""
    return abs(count) >= 2 if is_french() else abs(count) != 1


def counted(count: int, one: str, many: str) -> str:
    """`7 factures`, `1 facture`, `0 facture`: the number never leaves its word."""
    return f"{number(count)}{NBSP}{many if is_plural(count) else one}"


def days(count: int) -> str:
    """A number of calendar days as `18 j`."""
    return f"{number(count)}{NBSP}" + _("j")


def day_of_month(day: date) -> str:
    """`1er` for the first in French, else the plain number."""
    return "1er" if day.day == 1 and is_french() else str(day.day)


def _cased(word: object) -> str:
    """French days and months have a small initial, English ones a capital."""
    return str(word).lower() if is_french() else str(word)


def month_name(day: date, *, short: bool = False) -> str:
    """`novembre`, or `nov.` when short; in English `November`, `Nov`."""
    if short and is_french():
        return MONTHS_SHORT[day.month - 1]
    return _cased(MONTHS[day.month])[: 3 if short else None]


def weekday_short(day: date) -> str:
    """`mar.`, the abbreviated weekday with its full stop; in English `Tue`."""
    word = _cased(WEEKDAYS_ABBR[day.weekday()]).rstrip(".")
    return f"{word}." if is_french() else word


def date_text(day: date, today: date | None = None, style: str = "short") -> str:
    """A local date in one of the house styles, as plain text.

    short `21 nov.` · weekday `mar. 24 nov.` · long `mardi 24 novembre`. The year is
    written when it is not that of `today`, and always when `today` is None. In English
    `21 Nov`, `Tue 24 Nov`, `Tuesday 24 November`.
    """
    long = style == "long"
    month = month_name(day, short=not long)
    parts = [day_of_month(day), month]
    if style == "weekday":
        parts.insert(0, weekday_short(day))
    if long:
        parts.insert(0, _cased(WEEKDAYS[day.weekday()]))
    if today is None or day.year != today.year:
        parts.append(str(day.year))
    return NBSP.join(parts)


def relative_day(day: date, today: date, style: str = "since") -> str:
    """How far a day is, for the margin.

    since `3 j`, `hier`, `ce jour`, `demain`, `dans 3 j` · event: within the last week the
    weekday (`lun.`), otherwise the short date.
    """
    distance = (today - day).days
    near = {0: _("ce jour"), 1: _("hier"), -1: _("demain")}
    if distance in near:
        return near[distance]
    if style == "event":
        return weekday_short(day) if 1 < distance < 7 else date_text(day, today)
    return days(distance) if distance > 0 else _("dans") + NBSP + days(-distance)
