"""The dated rates of late payment: the room's data, with their sources."""

import json
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

from relance.engine.late_fees import Rates, Semester

FILE = Path(__file__).parent.parent / "data" / "rates.json"


@lru_cache(maxsize=1)
def published() -> Rates:
    """Percentages by semester as published; a semester that is absent is not known yet."""
    document = json.loads(FILE.read_text(encoding="utf-8"))
    return Rates(_series(document["refi"]["rates"]), _series(document["legal"]["rates"]))


def _series(rates: dict[str, str]) -> dict[Semester, Fraction]:
    return {
        Semester(int(name[:4]), int(name.removeprefix(name[:5]))): Fraction(rate)
        for name, rate in rates.items()
    }
