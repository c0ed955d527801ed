"""The story of « Gestion des relances sur impayés clients » (S1), as an accountant lives it."""

from io import BytesIO

import pikepdf
import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from relance.accounts.models import Organisation, User
from relance.dunning.models import InvoiceChase, Plan, Template
from relance.ledger.models import Customer, Invoice
from relance.outbox.models import Message
from tests.browser.conftest import Office, log_in, words
from tests.web.lots import SECOND, book_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

D = "/d/ateliers-kerdoncuff"


@pytest.fixture
def book(organisation: Organisation, plan: Plan, office: Office) -> dict[str, Invoice]:
    """A plan worked by hand; Garage Le Roux has two late invoices, one of them chased once."""
    plan.steps.update(automatic=False)
    invoices = book_of(organisation, plan)
    Customer.objects.filter(name="Imprimerie Duvernay").update(
        address="4 quai de l’Odet", postcode="29000", city="Quimper"
    )
    Template.objects.create(
        organisation=organisation,
        name="Second rappel",
        channel="letter",
        subject="Second rappel",
        body="Madame, Monsieur,\n\n{{ tableau_factures }}\n\n{{ signature }}",
    )
    office.turn()
    return invoices


def level_of(invoice: Invoice) -> tuple[int, str]:
    """What the database knows: its number and its name, (0, "") when it was never chased."""
    found = InvoiceChase.objects.filter(invoice=invoice).first()
    return (found.level, found.level_name) if found else (0, "")


def test_the_words_of_the_relances_are_under_modeles(
    page: Page, live_server: LiveServer, owner: User, book: dict[str, Invoice], office: Office
) -> None:
    """S1-01 to S1-04: one text per level and method; what is changed there is what leaves."""
    log_in(page, live_server, owner.email)
    page.get_by_role("link", name="Modèles", exact=True).click()
    expect(page.locator(".crumb")).to_contain_text("Modèle de mail, Relance")
    said = words(page)
    assert "Modèles Lettre" in said
    assert "Modèles Mail" in said
    page.get_by_role("link", name="Rappel", exact=True).click()
    page.get_by_label("Objet").fill("Nos factures restées impayées")
    page.get_by_role("button", name="Enregistrer le modèle").click()
    expect(page.get_by_text("Modèle enregistré.")).to_be_visible()

    page.goto(f"{live_server.url}{D}/relances-clients/")
    page.get_by_label("Niveau de relance").select_option(SECOND)
    page.get_by_label("Mode de paiement").select_option("direct_debit")
    page.get_by_role("button", name="Rechercher", exact=True).click()
    page.get_by_label("Cocher les factures de Ferme de Kerloc’h").uncheck()
    page.get_by_label("Cocher les factures de Boulangerie Guéguen").uncheck()
    expect(page.locator("#batch-bar")).to_contain_text("2 factures, 1 client")
    page.locator("#batch-bar").get_by_role("button", name="Envoyer").click()
    expect(page.locator(".paper")).to_contain_text("Nos factures restées impayées")
    page.get_by_role("button", name="Envoyer").click()
    expect(page.locator("#batch-state")).to_contain_text("1 sur 1")
    assert [one.subject for one in office.turn()] == ["Nos factures restées impayées"]


def _leaves_and_only_then_raises_both_levels(office: Office, book: dict[str, Invoice]) -> None:
    assert level_of(book["852"]) == (1, "Préavis")
    assert level_of(book["873"]) == (0, "")
    [mail] = office.turn()
    assert mail.to == ["compta@garage.example"]
    assert "F-852" in mail.text
    assert "F-873" in mail.text
    assert "F-883" not in mail.text
    for number in ("852", "873"):
        assert level_of(book[number]) == (2, "Second rappel")
    assert level_of(book["866"]) == (1, "Préavis")


def test_second_reminders_leave_by_mail_grouped_by_client(
    page: Page, live_server: LiveServer, owner: User, book: dict[str, Invoice], office: Office
) -> None:
    """S1-05 to S1-16, S1-20, S1-23: filters tick and do not hide; both end at Second rappel (2)."""
    log_in(page, live_server, owner.email)
    page.get_by_role("link", name="Relances clients", exact=True).click()
    expect(page.locator(".crumb")).to_contain_text("Clients, Règlements")

    # the criteria, with the grouping, before « Rechercher »
    page.get_by_label("Niveau de relance").select_option(label="Second rappel (2)")
    page.get_by_label("Mode de paiement").select_option("direct_debit")
    page.get_by_label("Grouper les relances par client").check()
    page.get_by_role("button", name="Rechercher", exact=True).click()

    # every unpaid invoice is listed, only the matching ones are ticked
    for number in ("F-852", "F-883", "F-866"):
        expect(page.get_by_label(f"Cocher la facture {number}")).to_be_checked()
    for number in ("F-862", "F-871", "F-900"):
        expect(page.get_by_label(f"Cocher la facture {number}")).to_be_visible()
        expect(page.get_by_label(f"Cocher la facture {number}")).not_to_be_checked()
    garage = page.locator("tr.is-group", has_text="Garage Le Roux")
    expect(garage).to_contain_text("Second rappel (2)")

    # the yellow triangle, in the first column, of a client whose Définition has no address
    farm = page.locator("tr.is-group", has_text="Ferme de Kerloc’h")
    triangle = farm.locator("td").first.get_by_role("img")
    expect(triangle).to_have_accessible_name("Aucune adresse e-mail dans l’onglet Définition")
    expect(garage.locator("td").first.get_by_role("img")).to_have_count(0)
    expect(page.locator("#batch-bar")).to_contain_text("Ferme de Kerloc’h ne recevra rien")

    # the ticking is corrected by hand
    page.get_by_label("Cocher les factures de Boulangerie Guéguen").uncheck()
    expect(page.locator("#batch-bar")).to_contain_text("3 factures, 2 clients")

    # what will leave is read first; the client without address is refused by name
    page.locator("#batch-bar").get_by_role("button", name="Envoyer").click()
    expect(page.locator("h1")).to_contain_text("1 message va partir")
    expect(page.locator("main")).to_contain_text("1 ne partira pas")
    expect(page.locator("main")).to_contain_text("Ferme de Kerloc’h")
    expect(page.locator(".paper")).to_contain_text("F-852")
    expect(page.locator(".paper")).to_contain_text("F-873")
    page.get_by_role("button", name="Envoyer").click()
    expect(page.locator("#batch-state")).to_contain_text("1 sur 2")

    _leaves_and_only_then_raises_both_levels(office, book)

    # and one reads so on the client's page
    page.locator("tbody").get_by_role("link", name="Garage Le Roux").click()
    for number in ("852", "873"):
        row = page.locator(f"#facture-{book[number].pk}")
        expect(row).to_contain_text("Second rappel (2)")


def test_by_post_the_level_rises_when_the_print_is_confirmed(
    page: Page, live_server: LiveServer, owner: User, book: dict[str, Invoice], office: Office
) -> None:
    """S1-02, S1-07, S1-13: Courrier, Imprimer, one PDF; once confirmed it counts as sent."""
    log_in(page, live_server, owner.email)
    page.goto(f"{live_server.url}{D}/relances-clients/")
    page.get_by_label("Niveau de relance").select_option(SECOND)
    page.get_by_label("Mode de paiement").select_option("transfer")
    page.locator(".batch-method").get_by_text("Courrier").click()
    page.get_by_role("button", name="Rechercher", exact=True).click()
    expect(page.get_by_label("Cocher la facture F-871")).to_be_checked()
    bar = page.locator("#batch-bar")
    expect(bar).to_contain_text("1 facture, 1 client")
    expect(bar.get_by_role("button", name="Envoyer")).to_have_count(0)
    bar.get_by_role("button", name="Imprimer").click()
    expect(page.locator("h1")).to_contain_text("1 courrier à imprimer")
    expect(page.locator("main")).to_contain_text("29000 QUIMPER")
    page.get_by_role("button", name="Imprimer").click()
    expect(page.locator("#batch-state")).to_contain_text("1 courrier attend d’être imprimé")

    page.locator("#batch-state").get_by_role("button", name="Imprimer").click()
    confirm = page.get_by_role("button", name="Confirmer l’impression")
    expect(confirm).to_be_visible()
    address = page.get_by_role("link", name="PDF").first.get_attribute("href")
    printed = page.request.get(f"{live_server.url}{address}")
    with pikepdf.open(BytesIO(printed.body())) as document:
        assert len(document.pages) == 1
    assert office.turn() == []
    assert level_of(book["871"]) == (1, "Préavis")

    confirm.click()
    expect(page.locator("main")).to_contain_text("Impression confirmée")
    assert level_of(book["871"]) == (2, "Second rappel")
    assert Message.objects.get(customer=book["871"].customer).status == "sent"


def test_the_level_of_an_invoice_is_corrected_with_the_pencil(
    page: Page, live_server: LiveServer, owner: User, book: dict[str, Invoice]
) -> None:
    """S1-17 to S1-19, S1-21: pencil, list, diskette; without the diskette nothing changes."""
    invoice = book["871"]
    log_in(page, live_server, owner.email)
    page.get_by_role("link", name="Clients", exact=True).click()
    page.get_by_role("link", name="Imprimerie Duvernay").click()
    page.get_by_role("link", name="Ouvrir la fiche").click()
    expect(page.locator("table.invoices")).to_contain_text("Niveau de relance")
    row = page.locator(f"#facture-{invoice.pk}")
    expect(row).to_contain_text("Préavis (1)")
    row.get_by_role("link", name="Changer le niveau de F-871").click()
    levels = row.get_by_label("Niveau de relance de F-871")
    levels.select_option(label="Dernier rappel (3)")
    row.get_by_role("link", name="Ne rien changer").click()
    expect(levels).to_have_count(0)
    assert level_of(invoice) == (1, "Préavis")

    row.get_by_role("link", name="Changer le niveau de F-871").click()
    levels.select_option(label="Dernier rappel (3)")
    row.get_by_role("button", name="Enregistrer le niveau").click()
    expect(row).to_contain_text("Dernier rappel (3)")
    assert level_of(invoice) == (3, "Dernier rappel")

    # and back to the beginning: level 0 has no number, it says so
    row.get_by_role("link", name="Changer le niveau de F-871").click()
    levels.select_option(label="Jamais relancée")
    row.get_by_role("button", name="Enregistrer le niveau").click()
    expect(row).to_contain_text("Jamais relancée")
    assert level_of(invoice)[0] == 0


def test_a_pencil_that_could_change_nothing_says_why(
    page: Page, live_server: LiveServer, owner: User, book: dict[str, Invoice]
) -> None:
    """S1-18: direct debits are outside the plan of the client: no list that would be refused."""
    log_in(page, live_server, owner.email)
    page.goto(f"{live_server.url}{D}/clients/{book['873'].customer_id}/")
    row = page.locator(f"#facture-{book['873'].pk}")
    expect(row.get_by_role("link", name="Changer le niveau")).to_have_count(0)
    expect(row.locator("[aria-disabled]")).to_have_accessible_name(
        "Le plan suit le client et ne relance aucune de ses factures : "
        "elles n’ont pas de niveau à changer."
    )
