"""The links of a request: guessed by nobody, good for it alone, until they end or are revoked."""

import hashlib
import secrets
from datetime import date, datetime, timedelta

from django.db import transaction

from relance.accounts.models import BankRole, CollectRole, Membership
from relance.history.services import Fact, append
from relance.receipts.models import Door, Request

LIFE = timedelta(days=60)


def open_door(request: Request, *, now: datetime) -> str:
    """The token of a new door (43 characters); it is shown in the message and kept nowhere."""
    token = secrets.token_urlsafe(32)
    Door.objects.create(
        organisation=request.organisation,
        request=request,
        digest=digest_of(token),
        expires_at=now + LIFE,
    )
    return token


def digest_of(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def door_of(token: str, *, now: datetime) -> Door | None:
    """The door that a token opens now; None when there is none, or it is closed."""
    door = found(token)
    return door if door is not None and not why_closed(door, now=now) else None


def found(token: str) -> Door | None:
    """The door that a token was made for, open or not; None when there is none."""
    rows = Door.objects.select_related("organisation__firm", "request")
    return rows.filter(digest=digest_of(token)).first()


def why_closed(door: Door, *, now: datetime) -> str:
    """expired, revoked, people (one of those it was sent to may not answer any more), or empty.

    Its link lies in the mailbox of each of them: it closes for all when one has left or has lost
    his part, for nothing tells who of them follows it. The others have their account.
    """
    if door.revoked_at is not None:
        return "revoked"
    if door.expires_at <= now:
        return "expired"
    still = Membership.objects.filter(
        organisation=door.organisation_id,
        user__is_active=True,
        bank_role__gte=BankRole.R2,
        collect_role__gte=CollectRole.ALL,
    )
    left = door.request.users.exclude(pk__in=still.values("user"))
    return "people" if left.exists() else ""


def revoke(request: Request, *, now: datetime) -> bool:
    """Close the door of a request for good; False when it was closed already."""
    return bool(
        Door.objects.filter(request=request, revoked_at__isnull=True).update(revoked_at=now)
    )


def opened(door: Door, *, on: date, now: datetime) -> bool:
    """Somebody reads the pages behind the door; the first time is told in the history (D-25)."""
    if door.opened_at is not None:
        return False
    with transaction.atomic():
        first = Door.objects.filter(pk=door.pk, opened_at__isnull=True).update(opened_at=now)
        if first:
            data = {"request": door.request_id, "to": sent_to(door)}
            append(door.organisation, [Fact("receipts_link_opened", now, on, data=data)])
    return bool(first)


def sent_to(door: Door) -> str:
    """The people its message went to, whose answers come through it."""
    people = door.request.users.order_by("full_name", "email")
    return ", ".join(user.full_name or user.email for user in people)
