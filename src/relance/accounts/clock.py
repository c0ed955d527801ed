"""The only place where the time is read. Pages and commands call it and pass the answer on."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from django.conf import settings

from relance.accounts.models import Organisation


def now() -> datetime:
    """The present moment, aware, in UTC; a demonstration may stand still at one of its own."""
    return settings.DEMO_CLOCK or datetime.now(UTC)


def local_date(organisation: Organisation, at: datetime) -> date:
    """The calendar day of `at` in the organisation's time zone."""
    return at.astimezone(ZoneInfo(organisation.timezone)).date()


def local_moment(organisation: Organisation, on: date) -> datetime:
    """The organisation's hour of sending on local day `on`, in UTC (D-14)."""
    at = datetime.combine(on, organisation.send_at, ZoneInfo(organisation.timezone))
    return at.astimezone(UTC)
