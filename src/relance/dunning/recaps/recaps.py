"""Regular e-mails to users: who asked for which, when each is due, written down once (S4-30, D-13).

Gathered by `recap_facts`, worded by `recap_mail`, kept and sent by `outbox.notices`. They leave
from the system's address, whatever an organisation or a user connected: they are the
installation's own words to its users.
"""

import logging
from collections.abc import Collection
from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.core import signing
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q
from django.http import Http404
from django.utils.translation import override

from relance.accounts.access import open_organisation
from relance.accounts.models import DunningRole, Organisation, Subscription, User
from relance.dunning.daily import refreshing
from relance.dunning.models import Run
from relance.dunning.recaps import recap_facts
from relance.dunning.recaps.recap_mail import Mail, written
from relance.engine.calendar import is_working_day, next_working_day
from relance.outbox import notices

log = logging.getLogger(__name__)

Kind = Subscription.Kind
MORNING, AFTERNOON, EVENING = time(8), time(16), time(20)


class Due(NamedTuple):
    """A regular e-mail that should leave now: its local date, and until when it is of use.

    `until` is a local moment without zone; afterwards it is not sent any more.
    """

    on: date
    until: datetime


def due(kind: str, local: datetime, zone: str, send_at: time) -> Due | None:
    """Which regular e-mail is due at the local moment `local` (without zone), if any.

    Weekly: on Monday from 08:00, still on Tuesday after an outage (D-13). Daily: on working days
    of `zone` from 08:00, or from the hour of sending when that is later, for the day's pass says
    what is to be done. Forewarning: on working days from 16:00, until the evening.
    """
    today = local.date()
    if kind == Kind.WEEKLY:
        monday = today - timedelta(days=today.weekday())
        start = datetime.combine(monday, MORNING)
        until = datetime.combine(monday + timedelta(days=1), EVENING)
        return Due(monday, until) if start <= local < until else None
    if not is_working_day(zone, today):
        return None
    start = datetime.combine(today, max(MORNING, send_at) if kind == Kind.DAILY else AFTERNOON)
    until = datetime.combine(today, time(22))
    return Due(today, until) if start <= local < until else None


def tick(now: datetime) -> int:
    """Write down every regular e-mail that is due and not done; how many.

    Called again and again by workers: the date kept with the subscription moves in the same
    transaction that keeps the mail, so that one process does it, and a process that dies either
    did both or nothing.
    """
    made, fresh = 0, set[int]()
    asked = Subscription.objects.filter(user__is_active=True).filter(
        Q(last_on=None) | Q(last_on__lte=now.date())
    )
    for subscription in asked.select_related("organisation", "user").order_by("pk"):
        try:
            made += _write(subscription, now, fresh)
        except Exception:
            log.exception("regular e-mail of subscription %s broke off", subscription.pk)
    return made


def work(now: datetime) -> None:
    """What the worker does at each turn: write down what is due, send what waits."""
    tick(now)
    notices.deliver(now=now)
    if now.minute == 0:
        notices.purge(now)


def subscribe(
    *, organisation: Organisation, user: User, kinds: Collection[str], now: datetime
) -> None:
    """From now on exactly these; the first of each leaves at its next hour, not at once."""
    local = local_of(organisation, now)
    with transaction.atomic():
        mine = Subscription.objects.filter(organisation=organisation, user=user)
        mine.exclude(kind__in=kinds).delete()
        have = set(mine.values_list("kind", flat=True))
        for kind in Kind.values:
            if kind in kinds and kind not in have:
                current = due(kind, local, organisation.zone, organisation.send_at)
                Subscription.objects.create(
                    organisation=organisation,
                    user=user,
                    kind=kind,
                    last_on=current.on if current else None,
                )


def subscription_of(token: str) -> Subscription | None:
    """The subscription that a link of `recap_facts.stop_url` speaks of, while there is one."""
    try:
        pk = signing.loads(token, salt=recap_facts.SALT)
    except signing.BadSignature:
        return None
    found = Subscription.objects.select_related("organisation", "user")
    return found.filter(pk=pk).first()


def is_genuine(token: str) -> bool:
    """Whether the link was ours, even when its subscription has ended since."""
    try:
        signing.loads(token, salt=recap_facts.SALT)
    except signing.BadSignature:
        return False
    return True


def stop(token: str) -> None:
    """End the subscription; nothing happens when it has ended already."""
    found = subscription_of(token)
    if found:
        found.delete()


def local_of(organisation: Organisation, now: datetime) -> datetime:
    """The moment on the organisation's wall clock, without zone."""
    return now.astimezone(ZoneInfo(organisation.timezone)).replace(tzinfo=None)


def _write(subscription: Subscription, now: datetime, fresh: set[int]) -> bool:
    organisation, user = subscription.organisation, subscription.user
    local = local_of(organisation, now)
    wanted = due(subscription.kind, local, organisation.zone, organisation.send_at)
    if wanted is None or (subscription.last_on and subscription.last_on >= wanted.on):
        return False
    if subscription.kind == Kind.DAILY and _pass_to_come(organisation, local):
        return False
    try:
        open_organisation(user, organisation.slug, at_least=DunningRole.READ)
    except (Http404, PermissionDenied):  # he has left the dossier
        return False
    if subscription.kind == Kind.WEEKLY and organisation.pk not in fresh:
        _look_again(organisation, local, now)
        fresh.add(organisation.pk)
    with override(user.language):
        mail = _mail(subscription, local.date())
        sheet = written(mail) if mail else None
    with transaction.atomic():
        mine = Subscription.objects.filter(pk=subscription.pk).filter(
            Q(last_on=None) | Q(last_on__lt=wanted.on)
        )
        if not mine.update(last_on=wanted.on) or sheet is None:
            return False
        zone = ZoneInfo(organisation.timezone)
        return notices.write_down(
            organisation=organisation,
            user=user,
            kind=subscription.kind,
            on=wanted.on,
            sheet=sheet,
            unsubscribe=recap_facts.stop_url(subscription),
            useful_until=wanted.until.replace(tzinfo=zone),
            now=now,
        )


def _look_again(organisation: Organisation, local: datetime, now: datetime) -> None:
    """What À relancer lists is as old as the last pass: on Monday morning, since Friday."""
    done = Run.objects.filter(organisation=organisation, on=local.date(), finished_at__isnull=False)
    if not done.exists():
        refreshing.refresh_all(organisation, on=local.date(), now=now)


def _pass_to_come(organisation: Organisation, local: datetime) -> bool:
    """Whether the day's pass, which opens the day's actions, is not over; an hour is waited."""
    late = datetime.combine(local.date(), max(MORNING, organisation.send_at)) + timedelta(hours=1)
    done = Run.objects.filter(organisation=organisation, on=local.date(), finished_at__isnull=False)
    return local < late and not done.exists()


def _mail(subscription: Subscription, on: date) -> Mail | None:
    organisation, user = subscription.organisation, subscription.user
    stop_url = recap_facts.stop_url(subscription)
    if subscription.kind == Kind.WEEKLY:
        return recap_facts.weekly(organisation, user, on, stop_url)
    if subscription.kind == Kind.DAILY:
        return recap_facts.daily(organisation, user, on, stop_url)
    leaves = next_working_day(organisation.zone, on + timedelta(days=1))
    return recap_facts.forewarning(organisation, leaves, on, stop_url)
