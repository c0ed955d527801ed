"""The calendar of a firm asks by itself: one or two days of the month, each date once (S0-10…20).

A day missed (the server was down) is caught up on the first turn after it, once (engine.md 7).
"""

import logging
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import transaction as database

from relance.accounts import clock
from relance.accounts.models import Organisation
from relance.bank.services.errors import BankRefused
from relance.engine import receipts as engine
from relance.engine.calendar import next_working_day
from relance.engine.model import Reason
from relance.receipts.models import Answer, FileSchedule, FirmSchedule, Request
from relance.receipts.services.asking import readers, refuse_request, to_validate
from relance.receipts.services.sending import send_request

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Calendar:
    """The days of the month that hold for one client file, and since when (local dates)."""

    days: tuple[int, ...]
    after: date
    working_days: bool
    starting_on: date | None


def calendar_of(organisation: Organisation) -> Calendar | None:
    """The firm's days, the file's own, or None when nothing goes by itself."""
    own = FileSchedule.objects.filter(organisation=organisation).first()
    return calendar_from(FirmSchedule.objects.filter(firm=organisation.firm).first(), own)


def calendar_from(firm: FirmSchedule | None, own: FileSchedule | None) -> Calendar | None:
    """The same from rows that were read already."""
    if firm is None or not firm.enabled or firm.enabled_on is None:
        return None
    if own and own.mode == FileSchedule.Mode.OFF:
        return None
    if own and own.mode == FileSchedule.Mode.OWN and own.first_day:
        days = (own.first_day, own.second_day)
    else:
        days = (firm.first_day, firm.second_day)
    served = own.served_on if own and own.served_on else firm.enabled_on - timedelta(days=1)
    return Calendar(
        tuple(day for day in days if day),
        max(served, firm.enabled_on - timedelta(days=1)),
        firm.working_days,
        own.starting_on if own else None,
    )


def upcoming(calendar: Calendar, on: date, zone: str, count: int = 1) -> list[date]:
    """The next dates of a calendar from local date `on` on, the soonest first.

    A date missed is to be caught up today.
    """
    found: list[date] = []
    shift = zone if calendar.working_days else None
    if engine.due_since(calendar.days, calendar.after, on, working_days_of=shift):
        found.append(on)
    month = on.replace(day=1) - timedelta(days=1)
    for _month in range(count + 2):
        for day in engine.send_dates(calendar.days, month.year, month.month):
            moved = next_working_day(shift, day) if shift else day
            if moved > max(on, calendar.after) and moved not in found:
                found.append(moved)
        month = month.replace(day=28) + timedelta(days=7)
    return sorted(found)[:count]


def tick(now: datetime) -> int:
    """Serve every client file whose date has come at its hour; how many requests were made.

    A dossier whose automatic sending is switched off is asked once it is switched on again. Two
    queries when there is nothing to do, however many files the firms have.
    """
    made = 0
    scheduled = list(
        Organisation.objects.filter(
            firm__receipt_schedule__enabled=True, sending_on=True
        ).select_related("firm__receipt_schedule")
    )
    own = {row.organisation_id: row for row in FileSchedule.objects.all()} if scheduled else {}
    for organisation in scheduled:
        on = clock.local_date(organisation, now)
        firm = organisation.firm.receipt_schedule if organisation.firm else None
        calendar = calendar_from(firm, own.get(organisation.pk))
        if calendar is None or now < clock.local_moment(organisation, on):
            continue
        zone = organisation.zone if calendar.working_days else None
        if engine.due_since(calendar.days, calendar.after, on, working_days_of=zone):
            made += _serve_apart(organisation, on, now)
    return made


def _serve_apart(organisation: Organisation, on: date, now: datetime) -> bool:
    """A dossier that breaks keeps none of the others from being asked; it is tried again."""
    try:
        return serve(organisation, on=on, now=now) is not None
    except Exception:
        log.exception("the request of dossier %s broke off", organisation.pk)
        return False


@database.atomic
def serve(organisation: Organisation, *, on: date, now: datetime) -> Request | None:
    """Ask for the latest date of the calendar that is not served yet; None when there is none.

    The date is served whatever comes of it: nothing missing sends nothing (S0-36), nobody to
    receive it is kept as an error (S0-37). Two workers serve it once: the row is locked, and one
    automatic request a date is a constraint.
    """
    calendar = calendar_of(organisation)
    if calendar is None:
        return None
    zone = organisation.zone if calendar.working_days else None
    due = engine.due_since(calendar.days, calendar.after, on, working_days_of=zone)
    if due is None:
        return None
    FileSchedule.objects.get_or_create(organisation=organisation)
    row = FileSchedule.objects.select_for_update().get(organisation=organisation)
    if row.served_on is not None and row.served_on >= due:
        return None
    row.served_on = due
    row.save(update_fields=["served_on"])
    if Request.objects.filter(
        organisation=organisation, kind=Request.Kind.AUTOMATIC, on=due
    ).exists():
        return None
    rows = list(to_validate(organisation, calendar.starting_on))
    if not rows:
        return None
    users = [reader.user for reader in readers(organisation) if reader.eligible]
    if not users:
        reason = Reason("NO_ELIGIBLE_RECIPIENT", {"count": len(rows)})
        return refuse_request(
            organisation=organisation, reason=reason, on=due, now=now, count=len(rows)
        )
    try:
        with database.atomic():
            return send_request(
                organisation=organisation,
                kind=Request.Kind.AUTOMATIC,
                rows=rows,
                users=users,
                on=due,
                now=now,
                first=calendar.starting_on,
                also=_second_contact(organisation, row),
            )
    except BankRefused as refusal:  # no message can be written to these addresses
        reason = Reason((refusal.code or "NOT_SENT")[:30])
        return refuse_request(
            organisation=organisation, reason=reason, on=due, now=now, count=len(rows)
        )


def _second_contact(organisation: Organisation, own: FileSchedule) -> list[str]:
    """Added once the firm's number of requests in a row has brought no answer at all."""
    firm = FirmSchedule.objects.filter(firm=organisation.firm).first()
    if firm is None or not firm.second_after or not own.second_contact:
        return []
    latest = Request.objects.filter(organisation=organisation, refusal="").order_by("-pk")
    silent = [
        not request.asked.filter(transaction__missing="").exists()
        and not Answer.objects.filter(door__request=request).exists()
        for request in latest[: firm.second_after]
    ]
    return [own.second_contact] if len(silent) == firm.second_after and all(silent) else []
