"""`relance demo` as a person starts it: built, served, stopped, started again at once."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

SMALL = ("--months", "1", "--customers", "12", "--no-browser", "--port", "0")


def start(data: Path) -> tuple["subprocess.Popen[str]", str]:
    """The command and the line that it prints when it is ready."""
    command = [sys.executable, "-m", "relance.ops.main", "demo", *SMALL, "--data", str(data)]
    demo = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert demo.stdout is not None
    for line in demo.stdout:
        if line.startswith("Relance"):
            return demo, line
    raise AssertionError(f"it ended with {demo.wait()}")


def group_ended(group: int) -> bool:
    """True as soon as no process of the group is left, the worker included."""
    for _wait in range(50):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


def stop(demo: "subprocess.Popen[str]", number: int) -> int:
    """Its exit code; afterwards nobody of its process group is left."""
    demo.send_signal(number)
    code = demo.wait(timeout=30)
    assert group_ended(demo.pid)
    return code


def test_it_starts_tells_its_address_stops_and_starts_again(
    tmp_path: Path, open_page: Callable[..., Page]
) -> None:
    data = tmp_path / "demo"
    demo, line = start(data)
    try:
        told = re.search(r"(http://\S+)  identifiant (\S+)  mot de passe (\S+)", line)
        assert told
        url, login, password = told.groups()
        page = open_page()
        page.goto(url)
        page.get_by_label("Adresse e-mail").fill(login)
        page.get_by_label("Mot de passe").fill(password)
        page.keyboard.press("Enter")
        expect(page.get_by_text("Cinéma L’Éden").first).to_be_visible()
        page.get_by_role("link", name="Courrier reçu").click()
        page.get_by_role("link", name=re.compile("compta@")).first.click()
        expect(page.locator("pre.paper, article.paper")).to_contain_text("Bonjour,")
        with page.expect_download() as download:
            page.get_by_role("link", name=re.compile(r"\.pdf")).first.click()
        assert Path(download.value.path()).read_bytes().startswith(b"%PDF-")
    finally:
        code = stop(demo, signal.SIGTERM)
    assert code == 0
    mails = len(list((data / "mails").glob("*.eml")))
    began = time.monotonic()
    demo, line = start(data)
    took = time.monotonic() - began
    assert stop(demo, signal.SIGINT) == 0
    assert "identifiant" in line
    assert took < 10  # 3 s on a machine that does nothing else
    assert len(list((data / "mails").glob("*.eml"))) == mails


def test_a_killed_first_building_is_begun_again(tmp_path: Path) -> None:
    data = tmp_path / "demo"
    command = [sys.executable, "-m", "relance.ops.main", "demo", *SMALL, "--data", str(data)]
    first = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert first.stdout is not None
    first.stdout.readline()  # it began
    first.kill()
    first.wait()
    demo, line = start(data)
    assert stop(demo, signal.SIGTERM) == 0
    assert "identifiant" in line
