"""À relancer with the keyboard, then with a thumb: j k, x, e, m, z (S4-15 to S4-24)."""

from collections.abc import Callable
from datetime import datetime

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from relance.accounts.models import Organisation, User
from relance.history.models import Event
from relance.outbox.models import Message
from tests.browser.conftest import log_in
from tests.web.chantiers import LIST, debtor, late, look, plan_by_age, site_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def to_chase(organisation: Organisation, frozen: datetime) -> Organisation:
    """Two encaissements at the first level, one at the second, on three chantiers."""
    client = debtor(organisation, plan_by_age(organisation))
    for number, days in (("F-1", 9), ("F-2", 8), ("F-3", 16)):
        email = f"{number.lower()}@roussel.example"
        late(client, number, days, site_of(client, f"Chantier {number}", email))
    look(organisation)
    return organisation


def test_the_list_is_worked_with_the_keyboard(
    to_chase: Organisation, owner: User, live_server: LiveServer, page: Page
) -> None:
    log_in(page, live_server, owner.email)
    page.goto(f"{live_server.url}{LIST}")
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.locator("[data-chase-reason]")).to_contain_text("Un seul niveau")
    other = page.locator("[data-row]", has_text="F-3").locator("[data-tick]")
    expect(other).to_be_disabled()
    page.keyboard.press("e")
    window = page.locator("dialog[open]")
    expect(window).to_contain_text("f-1@roussel.example")
    expect(window.locator("[name=subject]")).to_have_value("Premier rappel : F-1")
    window.get_by_role("button", name="Envoyer par mail").click()
    expect(page.locator("[data-toast]")).to_contain_text("départ dans")
    expect(page.locator("[data-row]", has_text="F-1")).to_have_count(0)
    page.keyboard.press("z")
    expect(page.locator("[data-row]", has_text="F-1")).to_have_count(1)
    assert Message.objects.get().status == "cancelled"


def test_a_call_is_noted_on_a_phone(
    to_chase: Organisation,
    owner: User,
    live_server: LiveServer,
    open_page: Callable[..., Page],
) -> None:
    page = open_page(width=360, height=760)
    log_in(page, live_server, owner.email)
    page.goto(f"{live_server.url}{LIST}")
    page.locator("[data-row]", has_text="F-2").locator(".chase-mark").click()
    window = page.locator("dialog[open]")
    window.get_by_label("Note").fill("Virement annoncé")
    window.get_by_role("button", name="Marquer comme déjà relancé").click()
    expect(page.locator("[data-row]", has_text="F-2")).to_have_count(0)
    assert Event.objects.get(kind="marked_as_chased").data["note"] == "Virement annoncé"
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 360
