"""The story of the « tableau de bord » (S2): relances by hand, a plan, and what was really sent."""

from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from playwright.sync_api import Locator, Page, expect
from pytest_django.live_server_helper import LiveServer

from relance.accounts.models import Organisation, User
from relance.dunning.models import Plan, Template
from relance.ledger.models import Invoice
from relance.outbox.models import Message
from tests.browser.conftest import Office, log_in
from tests.conftest import TODAY, make_customer, make_invoice

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

BOARD = "/d/ateliers-kerdoncuff/tableau-de-bord/"
BOLT = "Relance automatique"


@pytest.fixture
def owed(organisation: Organisation, plan: Plan, office: Office) -> dict[str, Invoice]:
    """Two clients without plan: one owes three invoices, two of them late; the other one."""
    delmas = make_customer(
        organisation,
        None,
        "Pharmacie Delmas",
        address="2 place Terre au Duc",
        postcode="29000",
        city="Quimper",
    )
    guen = make_customer(organisation, None, "Transports Le Guen", code="GUEN")
    owed = {
        "F-1": make_invoice(delmas, "F-1", TODAY - timedelta(days=12), 1234_50),
        "F-2": make_invoice(delmas, "F-2", TODAY - timedelta(days=9), 321_00),
        "F-3": make_invoice(delmas, "F-3", TODAY + timedelta(days=25), 80_00),
        "G-1": make_invoice(guen, "G-1", TODAY - timedelta(days=4), 700_00),
    }
    for number, invoice in owed.items():
        invoice.document.save(f"{number}.pdf", ContentFile(b"%PDF-1.4 facture"))
    office.turn()
    return owed


def board(page: Page, server: LiveServer) -> None:
    page.goto(f"{server.url}{BOARD}")


def line(page: Page, number: str) -> Locator:
    """The line of one invoice."""
    return page.locator("tr[data-row]").filter(
        has=page.get_by_label(f"Cocher la facture {number}", exact=True)
    )


def bolt(page: Page, number: str) -> Locator:
    return line(page, number).get_by_role("img", name=BOLT)


def test_a_relance_by_hand_from_the_line_of_an_invoice(
    page: Page,
    live_server: LiveServer,
    owner: User,
    owed: dict[str, Invoice],
    template: Template,
    office: Office,
) -> None:
    """S2-02 to S2-06, S2-18 to S2-21, S2-23: @, an empty window, a template, the PDF, a copy."""
    log_in(page, live_server, owner.email)
    board(page, live_server)
    line(page, "F-1").get_by_role("link", name="Relancer F-1 par e-mail").click()

    # an empty window, addressed, with the templates at the bottom
    subject, body = page.get_by_label("Objet"), page.locator("[name=body]")
    expect(page.get_by_label("À", exact=True)).to_have_value("compta@pharmacie.example")
    expect(subject).to_have_value("")
    expect(body).to_have_value("")
    model = page.get_by_role("link", name="Rappel", exact=True)
    below, text = model.bounding_box(), body.bounding_box()
    assert below
    assert text
    assert below["y"] > text["y"] + text["height"]

    # one is chosen, then changed; and kept as a new template, from this very window
    model.click()
    expect(subject).to_have_value("Vos factures échues, {{ montant }}")
    subject.fill("Votre facture F-1, comme convenu ce matin")
    page.get_by_text("Enregistrer comme modèle").click()
    page.get_by_label("Nom du nouveau modèle").fill("Après un appel")
    page.get_by_role("button", name="Enregistrer", exact=True).click()
    expect(page.get_by_role("link", name="Après un appel")).to_be_visible()
    assert Template.objects.get(name="Après un appel").subject.endswith("comme convenu ce matin")

    # read once more, with what is joined; then it leaves, with a copy to me
    page.get_by_label("Recevoir une copie").check()
    page.get_by_role("button", name="Relire").click()
    expect(page.locator("#sheet .paper")).to_contain_text("1 234,50 €")
    expect(page.locator("#sheet")).to_contain_text("F-1.pdf")
    page.get_by_role("button", name="Envoyer", exact=True).click()
    expect(page.get_by_text("départ dans")).to_be_visible()
    [mail] = office.turn()
    assert mail.to == ["camille@kerdoncuff.example", "compta@pharmacie.example"]
    assert mail.subject == "Votre facture F-1, comme convenu ce matin"
    assert mail.joined == ["F-1.pdf"]
    assert "relances@kerdoncuff.example" in mail.sender
    assert "camille@kerdoncuff.example" in mail.reply_to

    # the column Relance has its date
    board(page, live_server)
    expect(line(page, "F-1")).to_contain_text("24 nov.")
    expect(line(page, "F-2")).not_to_contain_text("24 nov.")


def test_the_envelope_starts_a_letter(
    page: Page, live_server: LiveServer, owner: User, owed: dict[str, Invoice], office: Office
) -> None:
    """S2-01, S2-03: written here, printed under Courriers, counted once it is confirmed."""
    log_in(page, live_server, owner.email)
    board(page, live_server)
    line(page, "F-1").get_by_role("link", name="Relancer F-1 par courrier").click()
    expect(page.get_by_label("Objet")).to_have_value("")
    expect(page.locator("main")).to_contain_text("29000 QUIMPER")
    page.get_by_label("Objet").fill("Votre facture F-1")
    page.locator("[name=body]").fill("Madame,\n\n{{ tableau_factures }}")
    page.get_by_role("button", name="Mettre à imprimer").click()
    expect(page.locator("h1")).to_have_text("Courriers")
    expect(page.get_by_role("link", name="Pharmacie Delmas", exact=True)).to_be_visible()
    assert office.turn() == []
    page.get_by_role("button", name="Imprimer").click()
    page.get_by_role("button", name="Confirmer l’impression").click()
    expect(page.locator("main")).to_contain_text("Impression confirmée")
    assert Message.objects.get().status == "sent"


def test_several_invoices_of_one_client_and_never_of_two(
    page: Page, live_server: LiveServer, owner: User, owed: dict[str, Invoice], office: Office
) -> None:
    """S2-07, S2-08: tick them, the side menu; a second client is refused with the reason."""
    log_in(page, live_server, owner.email)
    board(page, live_server)
    menu = page.locator("#panel")
    page.get_by_label("Cocher la facture F-1").check()
    page.get_by_label("Cocher la facture G-1").check()
    expect(menu).to_contain_text("Une relance groupée s’adresse à un seul client.")
    expect(menu).to_contain_text("Pharmacie Delmas, Transports Le Guen")
    expect(menu.get_by_role("link", name="Envoyer un email")).to_have_count(0)
    expect(menu.locator("[aria-disabled]")).to_have_count(2)

    page.get_by_label("Cocher la facture G-1").uncheck()
    page.get_by_label("Cocher la facture F-2").check()
    expect(menu).to_contain_text("2 factures")
    expect(menu).to_contain_text("1 555,50 €")
    expect(menu.get_by_role("link", name="Envoyer un courrier")).to_be_visible()
    menu.get_by_role("link", name="Envoyer un email").click()
    page.get_by_role("link", name="Rappel", exact=True).click()
    expect(page.get_by_label("Objet")).not_to_have_value("")
    page.get_by_role("button", name="Envoyer", exact=True).click()
    expect(page.get_by_text("départ dans")).to_be_visible()
    [mail] = office.turn()
    assert mail.joined == ["F-1.pdf", "F-2.pdf"]
    assert "F-3" not in mail.text


def test_a_plan_is_activated_for_a_client_and_switched_off_for_one_invoice(
    page: Page,
    live_server: LiveServer,
    owner: User,
    owed: dict[str, Invoice],
    office: Office,
) -> None:
    """S2-09 to S2-17: nothing before it is assigned; ⚡; off for one; the history, the mail."""
    log_in(page, live_server, owner.email)
    board(page, live_server)
    for number in owed:
        expect(bolt(page, number)).to_have_count(0)

    # Clients, the side panel, the plan
    page.get_by_role("link", name="Clients", exact=True).click()
    page.get_by_role("link", name="Pharmacie Delmas").click()
    panel = page.locator("#panel")
    panel.get_by_label("Plan de relance").select_option(label="Standard")
    panel.get_by_role("button", name="Assigner").click()
    expect(page.locator("tr[data-row]", has_text="Pharmacie Delmas")).to_contain_text("Standard")

    # its invoices bear ⚡, those of the other client do not
    board(page, live_server)
    for number in ("F-1", "F-2"):
        expect(bolt(page, number)).to_have_count(1)
    expect(bolt(page, "G-1")).to_have_count(0)

    # one of them is left out
    line(page, "F-2").locator("[data-row-link]").click()
    expect(panel).to_contain_text("F-2")
    panel.get_by_label("Plan de relance activée").uncheck()
    expect(panel.locator(".mfacts")).to_contain_text("Camille Le Goff")
    board(page, live_server)
    expect(bolt(page, "F-2")).to_have_count(0)
    expect(bolt(page, "F-1")).to_have_count(1)

    # the next morning the plan writes about the other one
    office.morning(TODAY + timedelta(days=1))
    mails = [*office.turn(), *office.turn(hours=1)]
    assert [mail.to for mail in mails] == [["compta@pharmacie.example"]]
    assert mails[0].joined == ["F-1.pdf"]
    assert "F-2" not in mails[0].text

    # its history tells it, and opens the e-mail as it was sent, whatever the template is now
    Template.objects.update(subject="Autre objet", body="Autres mots")
    board(page, live_server)
    line(page, "F-1").locator("[data-row-link]").click()
    expect(panel.get_by_role("heading", name="F-1")).to_be_visible()
    panel.locator(".mfacts a").first.click()
    sent = page.get_by_role("article")
    expect(sent).to_contain_text("1 234,50 €")
    expect(sent).not_to_contain_text("Autres mots")
    whole = page.get_by_role("link", name="Télécharger le .eml").get_attribute("href")
    assert "F-1.pdf" in page.request.get(f"{live_server.url}{whole}").text()
