"""The dated rates of late payment: the room's data, with their sources."""

import json
from datetime import date
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from relance.engine.late_fees import Rates, Semester

FILE = Path(__file__).parent.parent / "data" / "rates.json"


class Source(NamedTuple):
    """Where a series comes from, and when it was last looked at (ISO date)."""

    kind: str
    source: str
    checked_on: date


@lru_cache(maxsize=1)
def published() -> Rates:
    """Percentages by semester as published; a semester that is absent is not known yet."""
    document = _document()
    return Rates(_series(document["refi"]["rates"]), _series(document["legal"]["rates"]))


def sources() -> list[Source]:
    """Those of the rate of the central bank (refi) and of the legal rate (legal)."""
    document = _document()
    checked_on = date.fromisoformat(document["checked_on"])
    return [Source(kind, document[kind]["source"], checked_on) for kind in ("refi", "legal")]


def _document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def _series(rates: dict[str, str]) -> dict[Semester, Fraction]:
    return {
        Semester(int(name[:4]), int(name.removeprefix(name[:5]))): Fraction(rate)
        for name, rate in rates.items()
    }
