"""The way in without login: a token opens the request that it was sent for, and nothing else."""

from collections.abc import Callable
from datetime import date, datetime
from functools import wraps
from typing import Any, NamedTuple, cast

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods

from relance.accounts import clock, throttle
from relance.accounts.access import Access, open_organisation, organisations_of
from relance.accounts.models import BankRole, DunningRole, User
from relance.receipts import doors
from relance.receipts.models import Door

MISSES = throttle.Limit(60, 15 * 60)
"""Wrong tokens from one network address; an office with an old message stays far below."""
POSTS = throttle.Limit(500, 60 * 60)
"""Answers through one door; a month of receipts stays far below."""
MOST_BODY = 120_000_000
"""Bytes of one request, told by its length before anything of it is read."""


class Entered(NamedTuple):
    """A door that is open, the moment, and in whose name one answers: those it was sent to, or
    the member who is logged in."""

    token: str
    door: Door
    now: datetime
    today: date
    by: str


Page = Callable[..., HttpResponse]


def through_the_door(page: Page) -> Page:
    """`page(request, entered, …)` for `/j/<token>/…`.

    A token that is unknown gives the one calm page, 404; one that was good says on it why it is
    not any more. The
    protection against forged forms stands behind the look at the size: it reads the form.
    """
    protected = csrf_protect(page)

    def enter(request: HttpRequest, token: str, more: dict[str, Any]) -> HttpResponse:
        try:
            return _enter(request, token, protected, more)
        except Http404:
            return closed(request)

    return without_login(page, enter, ["GET", "HEAD", "POST"])


def without_login(
    page: Callable[..., HttpResponseBase],
    enter: Callable[[HttpRequest, str, dict[str, Any]], HttpResponseBase],
    methods: list[str],
) -> Page:
    """A page for whoever holds a token: kept by nobody, found by no search, leaving no trail."""

    @login_not_required
    @csrf_exempt
    @never_cache
    @require_http_methods(methods)
    @wraps(page)
    def entered(request: HttpRequest, token: str, **more: Any) -> HttpResponseBase:
        answer = enter(request, token, more)
        answer.headers["X-Robots-Tag"] = "noindex, nofollow, noarchive"
        answer.headers["Referrer-Policy"] = "same-origin"
        return answer

    return cast("Page", entered)


def _enter(request: HttpRequest, token: str, page: Page, more: dict[str, Any]) -> HttpResponse:
    misses = misses_of(request)
    if throttle.is_over(misses, MISSES):
        return sorry(request, "tries", 429)
    now: datetime = request.now  # type: ignore[attr-defined]
    door = doors.found(token)
    if door is None:
        throttle.tried(misses, MISSES)
        return closed(request)
    why = doors.why_closed(door, now=now)
    if why:  # whoever holds the whole link may know; a guesser learns nothing
        return sorry(request, why, 404)
    if request.method == "POST":
        answers = f"ANSWERS {door.pk}"
        if throttle.is_over(answers, POSTS):
            return sorry(request, "tries", 429)
        throttle.tried(answers, POSTS)
        if _length(request) > MOST_BODY:
            return sorry(request, "size", 413)
    timezone.activate(door.organisation.timezone)
    today = clock.local_date(door.organisation, now)
    insider = _insider(request, door)
    if _is_reading(request) and (insider is None or door.request.users.contains(insider)):
        doors.opened(door, on=today, now=now)
    by = str(insider) if insider else doors.sent_to(door)
    return page(request, Entered(token, door, now, today, by), **more)


def _is_reading(request: HttpRequest) -> bool:
    """A person who looks, as far as one can tell: no HEAD, nothing fetched in advance."""
    return request.method == "GET" and "prefetch" not in request.headers.get("Sec-Purpose", "")


def _insider(request: HttpRequest, door: Door) -> User | None:
    """Somebody of the dossier or its firm who is logged in: he answers in his own name, and an
    accountant who follows the link of his copy is not the client who opened it."""
    user = request.user
    if not isinstance(user, User):
        return None
    of_his = organisations_of(user).filter(pk=door.organisation_id)
    return user if of_his.exists() else None


def _length(request: HttpRequest) -> int:
    said = str(request.META.get("CONTENT_LENGTH") or "0")
    return int(said) if said.isdecimal() else MOST_BODY + 1


def misses_of(request: HttpRequest) -> str:
    """Under which wrong tokens of this network address are counted, whatever they would open."""
    return f"DOOR {request.META.get('REMOTE_ADDR', '')}"


def closed(request: HttpRequest, title: str = "") -> HttpResponse:
    """This link opens nothing: the same words whatever the reason is."""
    return sorry(request, "closed", 404, title)


def sorry(request: HttpRequest, why: str, status: int, title: str = "") -> HttpResponse:
    """One calm page for what cannot be shown; `title` names what the link was about."""
    return render(request, "portal/sorry.html", {"why": why, "title": title}, status=status)


def at_home(request: HttpRequest, door: Door) -> Access | None:
    """The access of one who is logged in and may associate in the Banque of this dossier."""
    user = request.user
    if not isinstance(user, User):
        return None
    try:
        access = open_organisation(user, door.organisation.slug, at_least=DunningRole.NONE)
    except Http404:
        return None
    return access if access.bank >= BankRole.R2 else None
