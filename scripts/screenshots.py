"""Take the screenshots of the README and the docs from the demonstration, into docs/images."""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urljoin

from playwright.sync_api import Browser, Locator, Page, sync_playwright

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class Shot(NamedTuple):
    """A page by its place in the navigation, then a link of it and one of the next page, if any."""

    name: str
    place: str
    link: str = ""
    then: str = ""
    width: int = 1280
    height: int = 860
    scheme: str = "light"


SHOTS = (
    Shot("today", "Aujourd’hui"),
    Shot("dashboard", "Tableau de bord"),
    Shot("customer", "Clients", "Imprimerie Duvernay", "Ouvrir la fiche"),
    Shot("plan", "Plans de relance", "Standard"),
    Shot("today-dark", "Aujourd’hui", scheme="dark"),
    Shot("today-360", "Aujourd’hui", width=360, height=740),
    Shot("mail", "Courrier reçu", "beausejour"),
)


def main() -> None:
    """Start a demonstration of its own, look at it, stop it."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data:
        command = [sys.executable, "-m", "relance.ops.main", "demo", "--no-browser", "--port", "0"]
        demo = subprocess.Popen(
            [*command, "--data", f"{data}/demo", *sys.argv[1:]], stdout=subprocess.PIPE, text=True
        )
        try:
            look(*ready(demo))
        finally:
            demo.terminate()
            demo.wait()


def ready(demo: "subprocess.Popen[str]") -> tuple[str, str, str]:
    """Address, login and password, from the line that the command prints."""
    for line in demo.stdout or []:
        told = re.search(r"(http://\S+)  identifiant (\S+)  mot de passe (\S+)", line)
        if told:
            return told[1], told[2], told[3]
        print(line, end="")
    raise SystemExit("the demonstration did not start")


def look(url: str, login: str, password: str) -> None:
    """Each shot in a window of its own size and colours."""
    executable = next((found for name in NAMES if (found := shutil.which(name))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        cookies = log_in(browser, url, login, password)
        for shot in SHOTS:
            context = browser.new_context(
                viewport={"width": shot.width, "height": shot.height},
                color_scheme="dark" if shot.scheme == "dark" else "light",
                locale="fr-FR",
                reduced_motion="reduce",
                storage_state=cookies,
            )
            page = context.new_page()
            page.goto(url)
            go(page, shot)
            target = IMAGES / f"{shot.name}.png"
            page.screenshot(path=target)
            print(f"{target.name}  {target.stat().st_size // 1000} ko")
            context.close()
        browser.close()


def log_in(browser: Browser, url: str, login: str, password: str) -> "dict[str, object]":
    """The cookies of somebody who came through the door."""
    context = browser.new_context(locale="fr-FR")
    page = context.new_page()
    page.goto(url)
    page.get_by_label("Adresse e-mail").fill(login)
    page.get_by_label("Mot de passe").fill(password)
    page.keyboard.press("Enter")
    page.wait_for_url("**/d/**")
    return dict(context.storage_state())


def go(page: Page, shot: Shot) -> None:
    """Through the navigation, as a person; on a phone the first page is the place wanted."""
    if shot.width > 900:
        place = page.get_by_role("navigation").get_by_role("link", name=re.compile(shot.place))
        page.goto(address_of(page, place))
    if shot.link:
        page.goto(address_of(page, page.locator("main a", has_text=shot.link)))
    if shot.then:
        page.goto(address_of(page, page.get_by_role("link", name=shot.then)))
    page.wait_for_load_state("networkidle")
    page.evaluate("document.fonts.ready")


def address_of(page: Page, link: Locator) -> str:
    """Where the first of these links leads."""
    return urljoin(page.url, link.first.get_attribute("href") or "")


if __name__ == "__main__":
    main()
