"""What a picture is, and the gestures that several pictures share."""

import email
import email.policy
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urljoin

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page

Gesture = Callable[[Page], None]


class Shot(NamedTuple):
    """A page by its address in the dossier, then what a person does there.

    `part` is the CSS address of the piece to keep, when it is not the whole window; `login` who
    looks, when it is not the one who chases.
    """

    name: str
    address: str
    gestures: tuple[Gesture, ...] = ()
    part: str = ""
    width: int = 1280
    height: int = 800
    scheme: str = "light"
    login: str = ""


def rest(page: Page) -> None:
    """Wait until nothing is asked for and nothing fades any more."""
    page.wait_for_timeout(200)
    page.wait_for_load_state("networkidle")
    page.locator(".htmx-request, .is-loading").first.wait_for(state="detached")
    page.wait_for_timeout(400)


def as_read(page: Page) -> None:
    """The message of this page as a mail program shows it."""
    link = page.get_by_role("link", name="Télécharger le .eml")
    address = urljoin(page.url, link.get_attribute("href") or "")
    mail = email.message_from_bytes(page.request.get(address).body(), policy=email.policy.default)
    body = mail.get_body(("html",))
    page.goto("about:blank")
    page.set_content(body.get_content() if body else "")


def click(name: str, *, role: str = "", exact: bool = True, inside: str = "main") -> Gesture:
    """Press the first link or button of that name."""

    def gesture(page: Page) -> None:
        area = page.locator(inside).last
        for one in [role] if role else ["button", "link"]:
            found = area.get_by_role(one, name=name, exact=exact)  # type: ignore[arg-type]
            if found.count():
                found.first.click()
                rest(page)
                return
        raise PlaywrightError(f"no « {name} » there")

    return gesture


def at(css: str) -> Gesture:
    """Press the first thing at that CSS address."""

    def gesture(page: Page) -> None:
        page.locator(css).first.click()
        rest(page)

    return gesture


def text(words: str) -> Gesture:
    """Press the first link or row that holds these words."""

    def gesture(page: Page) -> None:
        page.locator("main a", has_text=words).first.click()
        rest(page)

    return gesture


def tick(*rows: str, place: int = 0) -> Gesture:
    """Tick the box of the row that holds these words, the first or another."""

    def gesture(page: Page) -> None:
        for words in rows:
            row = page.locator("main tr", has_text=words).nth(place)
            row.locator("input[type=checkbox]").check()
        rest(page)

    return gesture


def choose(label: str, option: str) -> Gesture:
    """Choose in a list by its label."""

    def gesture(page: Page) -> None:
        page.get_by_label(label, exact=True).first.select_option(label=option)

    return gesture


def key(name: str) -> Gesture:
    """Press a key on the page."""

    def gesture(page: Page) -> None:
        page.locator("body").press(name)
        rest(page)

    return gesture
