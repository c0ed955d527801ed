"""A customer looked at from everywhere at once: why on a date, what next, what if. Nothing written.

One gathering of facts serves today's answer and the days to come; another date costs one more.
"""

from datetime import date
from typing import NamedTuple

from relance.accounts.models import Organisation
from relance.dunning.gather import rules_of
from relance.dunning.queries import Explanation, explain
from relance.engine import model as engine
from relance.engine.forecast import Planned, forecast


class Look(NamedTuple):
    """`asked` answers for the date asked, `now` for today; `planned` starts today.

    `after_writing`: what is planned if somebody writes to the customer today, instead (S3-16).
    """

    asked: Explanation
    now: Explanation
    planned: tuple[Planned, ...]
    after_writing: tuple[Planned, ...]


def look_at(
    organisation: Organisation, customer_id: int, *, on: date, today: date, days: int = 60
) -> Look:
    """Everything about one customer, with the facts of `on` and of `today` (local dates)."""
    rules = rules_of(organisation)
    now = explain(organisation, customer_id, on=today, today=today)
    asked = now if on == today else explain(organisation, customer_id, on=on, today=today)
    written = engine.Entry(today, None, None, 0, "ad_hoc", True)
    case = now.case._replace(history=(*now.case.history, written))
    return Look(
        asked,
        now,
        forecast(now.case, today, days, rules),
        forecast(case, today, days, rules),
    )
