"""Take the pictures of the README and of the guide, from a demonstration that stands at one moment.

`make screenshots` takes them all; names given to the command take only those. With `--url` they
come from a demonstration that runs already.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urljoin

from exchange_shots import EXCHANGES
from guide_shots import GUIDE, README
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from playwright.sync_api import Error as PlaywrightError
from shots import Shot, rest

DOCS = Path(__file__).resolve().parent.parent / "docs"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MOMENT = "2026-11-24T10:05"
"""A Tuesday morning in Paris: the messages of the day have left, people have not begun."""
FRENCH_DATES = """
for (const field of document.querySelectorAll("input[type=date]")) {
  const words = field.value.split("-").reverse().join("/");
  field.type = "text";
  field.value = words || "jj/mm/aaaa";
}
"""
"""Fields of dates follow the language of the browser, which is seldom French where this runs."""
COLOURS = 200
MOST_BYTES = 120_000
FOLDERS = ((DOCS / "images", README), (DOCS / "guide" / "images", (*GUIDE, *EXCHANGES)))
LOGIN, PASSWORD = "c.legoff@kerdoncuff.example", "kerdoncuff"


def main() -> None:
    """Start a demonstration of its own, look at it, stop it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="a demonstration that runs already")
    parser.add_argument("names", nargs="*", help="only these pictures")
    options = parser.parse_args()
    if options.url:
        look(options.url, options.names)
        return
    with tempfile.TemporaryDirectory() as data:
        command = [sys.executable, "-m", "relance.ops.main", "demo", "--no-browser", "--port", "0"]
        demo = subprocess.Popen(
            [*command, "--at", MOMENT, "--data", f"{data}/demo"], stdout=subprocess.PIPE, text=True
        )
        try:
            look(ready(demo), options.names)
        finally:
            demo.terminate()
            demo.wait()


def ready(demo: "subprocess.Popen[str]") -> str:
    """The address, from the line that the command prints."""
    for line in demo.stdout or []:
        told = re.search(r"(http://\S+)", line)
        if told:
            return told[1]
        print(line, end="")
    raise SystemExit("the demonstration did not start")


def look(url: str, names: Sequence[str]) -> None:
    """Each shot in a window of its own size and colours."""
    missed: list[str] = []
    executable = next((found for name in NAMES if (found := shutil.which(name))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        doors = {"": log_in(browser, url, LOGIN)}
        for folder, shots in FOLDERS:
            folder.mkdir(parents=True, exist_ok=True)
            for shot in shots:
                if names and shot.name not in names:
                    continue
                if shot.login not in doors:
                    doors[shot.login] = log_in(browser, url, shot.login)
                home, cookies = doors[shot.login]
                context = browser.new_context(
                    viewport={"width": shot.width, "height": shot.height},
                    color_scheme="dark" if shot.scheme == "dark" else "light",
                    locale="fr-FR",
                    timezone_id="Europe/Paris",
                    reduced_motion="reduce",
                    storage_state=cookies,
                )
                page = context.new_page()
                try:
                    take(page, home, shot, folder / f"{shot.name}.png")
                except PlaywrightError as fault:
                    missed.append(shot.name)
                    print(f"{shot.name}: not taken, on {page.url}: {fault}")
                context.close()
        browser.close()
    if missed:
        raise SystemExit(f"not taken: {', '.join(missed)}")


def log_in(browser: Browser, url: str, login: str) -> "tuple[str, dict[str, object]]":
    """Where one comes in, and the cookies of somebody who came through the door."""
    context = browser.new_context(locale="fr-FR")
    page = context.new_page()
    page.goto(url)
    page.get_by_label("Adresse e-mail").fill(login)
    page.get_by_label("Mot de passe").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/(d|cabinet)/"))
    return page.url, dict(context.storage_state())


def take(page: Page, home: str, shot: Shot, target: Path) -> None:
    """One picture, with few colours so that it weighs little."""
    page.goto(urljoin(home, shot.address))
    rest(page)
    page.set_default_timeout(10_000)
    for gesture in shot.gestures:
        gesture(page)
    page.evaluate(FRENCH_DATES)
    page.evaluate("document.fonts.ready")
    place = page.locator(shot.part).first if shot.part else page
    place.screenshot(path=target, animations="disabled", caret="hide")  # type: ignore[union-attr]
    with Image.open(target) as picture:
        small = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    small.save(target, optimize=True)
    size = target.stat().st_size
    print(f"{target.name}  {size // 1000} ko{'  TROP LOURD' if size > MOST_BYTES else ''}")


if __name__ == "__main__":
    main()
