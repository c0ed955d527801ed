"""A real Chromium on a live server; a page fails its test when the browser complains."""

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from pytest_django.live_server_helper import LiveServer

from relance.ops import turn, worker
from relance.ops.hooks import hooks
from relance.ops.smtp_sink import Sink
from tests.conftest import NOW, at

# Playwright's own loop runs in this thread; the tests speak to the database between its calls.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium, else the one that Playwright brought."""
    executable = next((found for name in NAMES if (found := shutil.which(name))), None)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> datetime:
    """08:30 in Paris on Tuesday 24 November 2026, for the server as for the test."""
    monkeypatch.setattr("relance.accounts.clock.now", lambda: NOW)
    return NOW


class Letter:
    """An e-mail as its reader has it before him: addresses, words, names of what is joined."""

    def __init__(self, mail: Any) -> None:
        self.sender, self.reply_to = str(mail["From"]), str(mail["Reply-To"])
        self.to = sorted(one.strip() for one in str(mail["X-RcptTo"]).split(","))
        self.subject = _plain(str(mail["Subject"]))
        self.text = _plain(mail.get_body(("plain",)).get_content())
        self.html = _plain(mail.get_body(("html",)).get_content())
        self.joined = [str(one.get_filename()) for one in mail.iter_attachments()]


def _plain(text: str) -> str:
    return text.replace("\u00a0", " ").replace("\u202f", " ").replace("\r\n", "\n")


class Office:
    """The hour for the server, the worker and the test, and the mail that really arrives.

    The hour moves only when a test says so; nothing leaves without a turn of the worker.
    """

    def __init__(self, sink: Sink) -> None:
        self.hour = NOW
        self._sink = sink
        self._read = 0

    def now(self) -> datetime:
        return self.hour

    def morning(self, on: date) -> None:
        """08:30 in Paris on `on`."""
        self.hour = at(on)

    def turn(self, **later: float) -> list[Letter]:
        """The worker's turn 30 seconds later (or so much later): the mails that arrived by it."""
        self.hour += timedelta(**(later or {"seconds": 30}))
        worker.work(
            stop=threading.Event(),
            hooks=hooks(self.now, by_day=True),
            tick=turn.whole_tick,
            now=self.now,
            once=True,
        )
        every = [Letter(one.mail()) for one in self._sink.mails()]
        fresh, self._read = every[self._read :], len(every)
        return fresh


@pytest.fixture
def office(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: Any) -> Iterator[Office]:
    """Starts at 08:30 in Paris on Tuesday 24 November 2026; a real SMTP server takes the mail."""
    sink = Sink(tmp_path / "mails")
    sink.start()
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", sink.port
    settings.DEFAULT_FROM_EMAIL = "collect@relance.example"
    office = Office(sink)
    monkeypatch.setattr("relance.accounts.clock.now", office.now)
    yield office
    sink.stop()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens pages of a given size and colour scheme, and remembers what the console said."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_one(*, width: int = 1280, height: int = 860, scheme: str = "light") -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,  # type: ignore[arg-type]
            locale="fr-FR",
            reduced_motion="reduce",
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on(
            "console",
            lambda said: (
                complaints.append(f"{said.text} {said.location}") if said.type == "error" else None
            ),
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    """A page of 1280 by 860 whose console must stay silent."""
    return open_page()


def log_in(page: Page, server: LiveServer, email: str) -> None:
    """Through the door, with the keyboard only."""
    page.goto(f"{server.url}/connexion/")
    page.keyboard.type(email)
    page.keyboard.press("Tab")
    page.keyboard.type("motdepasse1")
    page.keyboard.press("Enter")
    page.wait_for_url("**/d/**")


def go(page: Page, place: str) -> None:
    """Through the navigation, whatever counts it shows beside its words."""
    page.locator("#nav").get_by_text(place, exact=True).click()


def log_out(page: Page) -> None:
    """Who comes next logs in afresh."""
    page.context.clear_cookies()


def words(page: Page, locator: str = "main") -> str:
    """What one reads there, its no-break spaces written as spaces."""
    return _plain(page.locator(locator).first.inner_text())
