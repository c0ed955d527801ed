"""What a view takes from its request, typed: the user, the access, the date."""

from datetime import date, datetime
from typing import cast

from django.http import HttpRequest
from django.utils import timezone

from relance.accounts import clock
from relance.accounts.access import Access, open_organisation
from relance.accounts.models import DunningRole, User


def user_of(request: HttpRequest) -> User:
    """The person logged in; pages without login never call this."""
    return cast("User", request.user)


def enter(request: HttpRequest, slug: str, at_least: DunningRole = DunningRole.READ) -> Access:
    """The access of the request's user to the dossier `slug`, kept for the page's surroundings.

    From here on the page tells hours in the dossier's time zone. Http404 for a stranger,
    PermissionDenied for a member with a lesser role.
    """
    access = open_organisation(user_of(request), slug, at_least=at_least)
    request.access = access  # type: ignore[attr-defined]
    timezone.activate(access.organisation.timezone)
    return access


def moment(request: HttpRequest) -> datetime:
    """The moment of the request, read once by the middleware (UTC)."""
    return cast("datetime", request.now)  # type: ignore[attr-defined]


def today_of(request: HttpRequest, access: Access) -> date:
    """The local date in the dossier's time zone."""
    return clock.local_date(access.organisation, moment(request))
