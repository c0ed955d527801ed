"""What every page of the staff shows around its content."""

from typing import Any

from django.http import HttpRequest


def shell(request: HttpRequest) -> dict[str, Any]:
    """The navigation and its foot; empty outside an organisation."""
    return {}
