"""What a view takes from its request, typed: the user, the access, the date."""

from datetime import date, datetime
from typing import cast

from django.http import HttpRequest
from django.utils import timezone

from relance.accounts import clock
from relance.accounts.access import Access, FirmAccess, open_firm, open_organisation
from relance.accounts.models import BankRole, DunningRole, User


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


def enter_bank(request: HttpRequest, slug: str, at_least: BankRole = BankRole.R1) -> Access:
    """The same for the bank of a dossier, whose people may have no part in the unpaid invoices.

    Http404 for a stranger, PermissionDenied for a member with a lesser bank role.
    """
    access = enter(request, slug, DunningRole.NONE)
    access.require_bank(at_least)
    return access


def enter_firm(request: HttpRequest, pk: int) -> FirmAccess:
    """The access of the request's user to a firm, kept for the page's surroundings; Http404."""
    access = open_firm(user_of(request), pk)
    request.firm_access = access  # type: ignore[attr-defined]
    return access


def moment(request: HttpRequest) -> datetime:
    """The moment of the request, read once by the middleware (UTC)."""
    return cast("datetime", request.now)  # type: ignore[attr-defined]


def today_of(request: HttpRequest, access: Access) -> date:
    """The local date in the dossier's time zone."""
    return clock.local_date(access.organisation, moment(request))
