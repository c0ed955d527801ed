"""The edge of the pages: one reading of the clock per request, no time zone of the one before."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone, translation
from django.utils.http import url_has_allowed_host_and_scheme

from relance.accounts import clock


class ClockedRequest(HttpRequest):
    """A request that carries its moment; views pass it on instead of reading a clock."""

    now: datetime


class ClockMiddleware:
    """Set `request.now` (aware, UTC) once, so that a whole page speaks of the same moment.

    A thread serves one dossier after the other: the time zone of the last one is put away.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.now = clock.now()  # type: ignore[attr-defined]
        timezone.deactivate()
        return self.get_response(request)


class LanguageMiddleware:
    """Whoever is logged in reads the language he chose; the login page follows the browser."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = request.user
        if user.is_authenticated:
            translation.activate(user.language)
            request.LANGUAGE_CODE = translation.get_language() or user.language
        return self.get_response(request)


class DoorMiddleware(LoginRequiredMiddleware):
    """Everything behind the login; a session that ended under a form comes back to its page.

    The address of a deed answers POST only: after the login one is led to the page it was on.
    """

    def handle_no_permission(self, request: HttpRequest, view_func: Any) -> HttpResponseRedirect:
        """To the login, and from there back to where one was."""
        if request.method in {"GET", "HEAD"}:
            return super().handle_no_permission(request, view_func)
        page, home = request.META.get("HTTP_REFERER", ""), "/"
        if url_has_allowed_host_and_scheme(page, {request.get_host()}):
            home = urlunsplit(("", "", *urlsplit(page)[2:4], "")) or home
        return redirect_to_login(
            home, self.get_login_url(view_func), self.get_redirect_field_name(view_func)
        )
