"""The edge of the pages: one reading of the clock per request, no time zone of the one before."""

from collections.abc import Callable
from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

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
