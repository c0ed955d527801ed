"""Build the whole demonstration in the database of the settings, as seen now."""

from collections.abc import Callable
from datetime import date, datetime

from django.utils.text import slugify

from relance.accounts import clock
from relance.accounts.models import Organisation
from relance.engine.calendar import is_working_day
from relance.ops.demo import words
from relance.ops.demo.build import DEPARTURE, Builder
from relance.ops.demo.firm import found_firm
from relance.ops.demo.post import Refusing
from relance.ops.demo.till import keep_bank
from relance.ops.demo.world import ZONE, frame, imagine


def make(
    *,
    months: int,
    customers: int,
    refusing: Refusing,
    tell: Callable[[str], None],
    now: datetime | None = None,
) -> date:
    """The company with its past up to `now` (aware); its local date."""
    moment = now or clock.now()
    company = Organisation(timezone="Europe/Paris", send_at=DEPARTURE)
    today = clock.local_date(company, moment)
    departed = is_working_day(ZONE, today) and moment >= clock.local_moment(company, today)
    world = imagine(frame(today, departed=departed, months=months), customers=customers)
    Builder(world=world, tell=tell, refusing=refusing, until=moment).build()
    keep_bank(Organisation.objects.get(slug=slugify(words.COMPANY)), on=today, now=moment)
    found_firm(until=moment)
    return today
