"""When automatic messages may leave: the organisation's hour, working days, evening (D-14)."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from relance.accounts import clock
from relance.accounts.models import Organisation
from relance.engine.calendar import is_working_day, next_working_day

LATEST_HOUR = 19
"""A day missed until this local hour waits for the next one: nobody is chased at night."""


def due_now(organisation: Organisation, on: date, now: datetime) -> bool:
    """Between the organisation's hour and the evening of local day `on`."""
    start = clock.local_moment(organisation, on)
    latest = start.replace(minute=0) + timedelta(
        hours=max(1, LATEST_HOUR - organisation.send_at.hour)
    )
    return start <= now < latest


def may_leave(organisation: Organisation, now: datetime) -> bool:
    """On a working day, between the organisation's hour and the evening: what is automatic leaves.

    A second try, or a message a person approved late, falls on a Sunday as well as on a Monday.
    """
    on = clock.local_date(organisation, now)
    return is_working_day(organisation.zone, on) and due_now(organisation, on, now)


SMS_FROM, SMS_UNTIL = 8, 20
"""Local hours of SMS, on working days (B4): a relance is no advertisement, and no alarm clock."""


def quiet_until(organisation: Organisation, now: datetime) -> datetime | None:
    """When an SMS may leave again (UTC); None when it may now. Pure but for its two arguments."""
    zone = ZoneInfo(organisation.timezone)
    local = now.astimezone(zone)
    on = local.date()
    if is_working_day(organisation.zone, on) and SMS_FROM <= local.hour < SMS_UNTIL:
        return None
    if local.hour >= SMS_FROM:
        on += timedelta(days=1)
    on = next_working_day(organisation.zone, on)
    return datetime.combine(on, time(SMS_FROM), zone).astimezone(UTC)


def next_departure(organisation: Organisation, now: datetime) -> datetime:
    """The next moment (UTC) at which automatic messages may leave."""
    on = clock.local_date(organisation, now)
    if not (is_working_day(organisation.zone, on) and now < clock.local_moment(organisation, on)):
        on = next_working_day(organisation.zone, on + timedelta(days=1))
    return clock.local_moment(organisation, on)
