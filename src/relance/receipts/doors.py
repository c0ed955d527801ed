"""The links of a request: guessed by nobody, good for it alone, until they end or are revoked."""

import hashlib
import secrets
from datetime import datetime, timedelta

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
    """The door that a token opens now; None when there is none, it ended or was revoked."""
    return (
        Door.objects.select_related("organisation__firm", "request")
        .filter(digest=digest_of(token), expires_at__gt=now, revoked_at__isnull=True)
        .first()
    )


def revoke(request: Request, *, now: datetime) -> bool:
    """Close the door of a request for good; False when it was closed already."""
    return bool(
        Door.objects.filter(request=request, revoked_at__isnull=True).update(revoked_at=now)
    )
