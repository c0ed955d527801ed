"""Relances clients from the filters to the result, in a real browser (source S1)."""

from collections.abc import Callable
from datetime import datetime

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from relance.accounts.models import Organisation, User
from relance.dunning.models import Plan
from relance.outbox.models import Message
from tests.browser.conftest import log_in
from tests.web.lots import SECOND, URL, book_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def desk(organisation: Organisation, plan: Plan, frozen: datetime) -> Organisation:
    """Direct debits and transfers, chased once or never; one client without address."""
    book_of(organisation, plan)
    return organisation


def sound(page: Page) -> None:
    """axe finds nothing, and the page is not wider than its window."""
    found = Axe().run(page).response["violations"]
    assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in found] == []
    width = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert width[0] <= width[1]


def test_second_reminders_by_direct_debit_leave_in_one_go(
    desk: Organisation, owner: User, live_server: LiveServer, page: Page
) -> None:
    """S1-05 to S1-16: filters, ticks, the level of the whole, reading, Envoyer, result."""
    log_in(page, live_server, owner.email)
    page.get_by_role("link", name="Relances clients").first.click()
    page.get_by_label("Niveau de relance").select_option(SECOND)
    page.get_by_label("Mode de paiement").select_option("direct_debit")
    expect(page.get_by_label("Grouper les relances par client")).to_be_checked()
    page.get_by_role("button", name="Rechercher", exact=True).click()

    bar = page.locator("#batch-bar")
    expect(bar).to_contain_text("4 factures, 3 clients")
    expect(bar).to_contain_text("Ferme de Kerloc’h ne recevra rien")
    garage = page.locator("tr.is-group", has_text="Garage Le Roux")
    expect(garage).to_contain_text("Second rappel")
    expect(page.get_by_label("Cocher la facture F-852")).to_be_checked()
    expect(page.get_by_label("Cocher la facture F-862")).not_to_be_checked()
    expect(page.get_by_label("Cocher la facture F-855")).to_be_disabled()
    sound(page)

    page.get_by_label("Cocher les factures de Ferme de Kerloc’h").uncheck()
    expect(bar).to_contain_text("3 factures, 2 clients")
    expect(bar).not_to_contain_text("ne recevra rien")
    page.reload()
    expect(page.get_by_label("Cocher la facture F-866")).not_to_be_checked()

    bar.get_by_role("button", name="Envoyer").click()
    expect(page.locator("h1")).to_contain_text("2 messages vont partir")
    expect(page.locator(".paper")).to_contain_text("F-852")
    sound(page)
    page.get_by_role("button", name="Envoyer").click()
    expect(page.locator("#batch-state")).to_contain_text("2 sur 2")
    sound(page)
    assert set(Message.objects.values_list("level", flat=True)) == {2}


def test_the_level_of_the_whole_follows_the_ticks(
    desk: Organisation, owner: User, live_server: LiveServer, page: Page, plan: Plan
) -> None:
    """S1-15: without the invoice already chased, the other goes to the first relance."""
    plan.steps.filter(level=1).update(days=2)
    log_in(page, live_server, owner.email)
    page.goto(f"{live_server.url}{URL}")
    page.get_by_role("button", name="Rechercher", exact=True).click()
    garage = page.locator("tr.is-group", has_text="Garage Le Roux")
    expect(garage).to_contain_text("Second rappel")
    page.get_by_label("Cocher la facture F-852").uncheck()
    expect(garage).to_contain_text("Préavis")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(
    desk: Organisation,
    owner: User,
    live_server: LiveServer,
    open_page: Callable[..., Page],
    scheme: str,
) -> None:
    page = open_page(width=360, height=760, scheme=scheme)
    log_in(page, live_server, owner.email)
    page.goto(f"{live_server.url}{URL}")
    sound(page)
    page.get_by_role("button", name="Rechercher", exact=True).click()
    sound(page)
    page.locator("#batch-bar").get_by_role("button", name="Envoyer").click()
    expect(page.locator("h1")).to_contain_text("vont partir")
    sound(page)
