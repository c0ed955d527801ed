"""Camille's morning with the keyboard alone, then on a phone."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from relance.accounts.models import Organisation, User
from relance.dunning.daily import run
from relance.dunning.models import Action, Plan, Step, Template
from relance.outbox.models import Message, Status
from tests.browser.conftest import log_in
from tests.conftest import TODAY, at, make_customer, make_invoice

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


BUSY = ".htmx-request, .htmx-swapping, .htmx-settling, .is-loading"


def press(page: Page, key: str) -> None:
    """A key, once what the last one asked for has arrived: nobody types within milliseconds."""
    expect(page.locator(BUSY)).to_have_count(0)
    page.keyboard.press(key)


@pytest.fixture
def morning(organisation: Organisation, template: Template, frozen: datetime) -> dict[str, Action]:
    """Three e-mails to send by hand and a call, each waiting since another day."""
    plan = Plan.objects.create(organisation=organisation, name="Grands comptes")
    call = Plan.objects.create(organisation=organisation, name="Appels")
    Step.objects.create(
        organisation=organisation,
        plan=plan,
        level=1,
        name="Premier rappel",
        days=3,
        channel="email",
        template=template,
    )
    Step.objects.create(
        organisation=organisation, plan=call, level=1, name="Appel", days=3, channel="call"
    )
    for number, (name, which) in enumerate(
        [("Alpha", plan), ("Bravo", plan), ("Charlie", call), ("Delta", plan)]
    ):
        customer = make_customer(organisation, which, name)
        make_invoice(customer, f"F-{number}", TODAY - timedelta(days=9 - number), 100_00)
    yesterday = TODAY - timedelta(days=1)
    run.run(organisation, on=yesterday, now=at(yesterday), pause=0)
    return {one.customer.name: one for one in Action.objects.select_related("customer")}


def row(page: Page, action: Action) -> str:
    return f"#action-{action.pk}"


def shown(page: Page) -> str:
    return page.locator("#panel h2").inner_text()


def test_forty_lines_without_a_mouse(
    page: Page, live_server: LiveServer, owner: User, morning: dict[str, Action]
) -> None:
    """Sends one, calls it back, ignores one, notes a call: S3-09, D-07, the ten seconds."""
    log_in(page, live_server, owner.email)
    panel = page.locator("#panel h2")
    expect(page.locator("h1")).to_contain_text("24 novembre")
    expect(page.get_by_text("4 actions vous attendent.")).to_be_visible()
    expect(panel).to_have_text("Alpha")
    expect(page.locator("[data-position]")).to_have_text("1 sur 4")

    press(page, "j")
    expect(panel).to_have_text("Bravo")
    press(page, "k")
    expect(panel).to_have_text("Alpha")

    press(page, "e")
    expect(panel).to_have_text("Bravo")
    expect(page.locator(row(page, morning["Alpha"]))).to_have_count(0)
    expect(page.get_by_text("3 actions vous attendent.")).to_be_visible()
    expect(page.locator(".nav-item[aria-current] .nav-count")).to_have_text("3")
    expect(page.locator("#toasts")).to_contain_text("Message à Alpha")
    assert Message.objects.get().status == Status.QUEUED

    press(page, "z")
    expect(page.get_by_text("4 actions vous attendent.")).to_be_visible()
    expect(panel).to_have_text("Alpha")
    assert Message.objects.get().status == Status.CANCELLED
    assert Action.objects.get(pk=morning["Alpha"].pk).status == Action.Status.OPEN

    press(page, "j")
    expect(panel).to_have_text("Bravo")
    press(page, "i")
    expect(panel).to_have_text("Charlie")
    assert Action.objects.get(pk=morning["Bravo"].pk).status == Action.Status.SKIPPED

    press(page, "n")
    expect(page.locator("#note")).to_be_focused()
    page.keyboard.type("Le virement part vendredi.")
    press(page, "Control+Enter")
    expect(panel).to_have_text("Delta")
    noted = Action.objects.get(pk=morning["Charlie"].pk)
    assert (noted.status, noted.note) == (Action.Status.DONE, "Le virement part vendredi.")
    expect(page.get_by_text("2 actions vous attendent.")).to_be_visible()


def test_an_action_ignored_by_mistake_comes_back_with_z(
    page: Page, live_server: LiveServer, owner: User, morning: dict[str, Action]
) -> None:
    """One key ignores; the same ten seconds give it back, its level not passed."""
    log_in(page, live_server, owner.email)
    press(page, "i")
    expect(page.locator("#panel h2")).to_have_text("Bravo")
    press(page, "z")
    expect(page.locator("#panel h2")).to_have_text("Alpha")
    assert Action.objects.get(pk=morning["Alpha"].pk).status == Action.Status.OPEN


def test_a_key_pressed_while_the_next_line_loads_acts_on_nothing(
    page: Page, live_server: LiveServer, owner: User, morning: dict[str, Action]
) -> None:
    """j then e at once must never send the message of the line that one has just left."""
    log_in(page, live_server, owner.email)
    expect(page.locator("#panel h2")).to_have_text("Alpha")
    page.route("**/actions/*/", lambda route: page.wait_for_timeout(300) or route.continue_())
    page.evaluate(
        "for (const key of ['j', 'e']) document.body.dispatchEvent("
        "new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true}))"
    )
    expect(page.locator("#panel h2")).to_have_text("Bravo")
    assert not Message.objects.exists()


def test_the_help_lists_the_keys_and_slash_reaches_the_search(
    page: Page, live_server: LiveServer, owner: User, morning: dict[str, Action]
) -> None:
    log_in(page, live_server, owner.email)
    expect(page.locator("#panel h2")).to_have_text("Alpha")
    press(page, "?")
    keys = page.locator("#help dl")
    for word in ("Envoyer", "Ignorer", "Ligne suivante", "Chercher"):
        expect(keys).to_contain_text(word)
    press(page, "Escape")
    press(page, "f")
    page.keyboard.type("brav")
    press(page, "Enter")
    page.wait_for_url("**/actions/**")
    expect(page.locator(".list-table tbody tr")).to_have_count(1)


def test_on_a_phone_the_panel_is_its_own_page(
    open_page: Callable[..., Page],
    live_server: LiveServer,
    owner: User,
    morning: dict[str, Action],
) -> None:
    """360 px: the list, then the message on its own page, then the list again, one line less."""
    page = open_page(width=360, height=780)
    log_in(page, live_server, owner.email)
    expect(page.locator("#panel")).to_be_hidden()
    page.get_by_role("link", name="Alpha").click()
    page.wait_for_url("**/actions/*/")
    expect(page.get_by_role("article")).to_contain_text("Camille Le Goff")
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide == 360
    page.get_by_role("button", name="Envoyer").click()
    page.wait_for_url("**/d/*/?action=*")
    expect(page.locator("#toasts")).to_contain_text("Message à Alpha")
    page.get_by_role("button", name="Annuler").click()
    expect(page.get_by_text("4 actions vous attendent.")).to_be_visible()
    assert Message.objects.get().status == Status.CANCELLED


def test_forty_lines_then_a_search_and_the_mouse_was_never_touched(
    page: Page, live_server: LiveServer, owner: User, morning: dict[str, Action]
) -> None:
    """Forty lines before ten: each is sent or ignored with one key; then / finds a client."""
    organisation = owner.memberships.get().organisation
    plan = Plan.objects.get(name="Grands comptes")
    for number in range(37):
        customer = make_customer(organisation, plan, f"Client {number:02d}", code=f"C{number:02d}")
        make_invoice(customer, f"C-{number}", TODAY - timedelta(days=9), 50_00)
    yesterday = TODAY - timedelta(days=1)
    run.run(organisation, on=yesterday, now=at(yesterday), pause=0)
    Action.objects.filter(channel="call").delete()
    log_in(page, live_server, owner.email)
    expect(page.locator("[data-position]")).to_contain_text("1 sur 40")
    for left in range(39, -1, -1):
        press(page, "i" if left % 4 == 0 else "e")
        if left:
            expect(page.locator("[data-position]")).to_contain_text(f"sur {left}")
    expect(page.locator("[data-action]")).to_have_count(0)
    assert Message.objects.count() == 30
    assert Action.objects.filter(status=Action.Status.SKIPPED).count() == 10

    press(page, "/")
    page.keyboard.type("delta")
    expect(page.get_by_role("option", name="Delta").first).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Delta")
