"""The edge of the pages: one reading of the clock per request."""

from collections.abc import Callable
from datetime import datetime

from django.http import HttpRequest, HttpResponse

from relance.accounts import clock


class ClockedRequest(HttpRequest):
    """A request that carries its moment; views pass it on instead of reading a clock."""

    now: datetime


class ClockMiddleware:
    """Set `request.now` (aware, UTC) once, so that a whole page speaks of the same moment."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.now = clock.now()  # type: ignore[attr-defined]
        return self.get_response(request)
