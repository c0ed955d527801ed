"""axe on page after page, at one width and in one scheme."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from axe_playwright_python.sync_playwright import Axe
from django.test import Client
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer


class Screen(NamedTuple):
    """Where pages are served, and how wide and in which colours they are looked at."""

    live_server: LiveServer
    open_page: Callable[..., Page]
    width: int
    scheme: str


def faults_of(pages: Sequence[str], client: Client | None, screen: Screen) -> list[Any]:
    """What axe finds (WCAG 2.2 AA), and pages wider than their window; `client` is logged in,
    or None for pages that want no login."""
    live_server, open_page, width, scheme = screen
    page = open_page(width=width, scheme=scheme)
    axe = Axe()
    faults: list[Any] = []
    for address in pages:
        if client is not None and address != "/connexion/":
            cookie = client.cookies["sessionid"].value
            page.context.add_cookies(
                [{"name": "sessionid", "value": cookie, "url": live_server.url}]
            )
        page.goto(live_server.url + address)
        for fault in axe.run(page).response["violations"]:
            places = [node["target"] for node in fault["nodes"][:3]]
            faults.append((address, fault["id"], places))
        if page.evaluate("document.documentElement.scrollWidth") > width:
            faults.append((address, "wider than the window", []))
    return faults
