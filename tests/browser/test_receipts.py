"""The accountant asks for October; the client answers on a phone, without account, and by Excel."""

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import openpyxl
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from relance.accounts.models import CollectRole, Organisation, User
from relance.bank.models import Document, Transaction
from relance.bank.services import links
from relance.bank.services.documents import store_document
from relance.receipts.models import Answer, Door
from tests.browser.conftest import Letter, Office, words
from tests.conftest import NOW, TODAY
from tests.portal.conftest import accountant, add_client, bring, dossier, firm, photo
from tests.receipts.conftest import AddClient, Bring

__all__ = ["accountant", "add_client", "bring", "dossier", "firm"]

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

OCTOBER = [
    ("METRO NANTES", -342_18, 30),
    ("ORANGE PRO", -89_90, 24),
    ("BRASSEURS D’ARMOR", -1_860_00, 17),
    ("TOTALENERGIES QUIMPER", -74_62, 9),
    ("SACEM", -213_40, 3),
]


class Month(NamedTuple):
    """The dossier, and its transactions of October by name."""

    dossier: Organisation
    rows: dict[str, Transaction]


@pytest.fixture
def october(dossier: Organisation, add_client: AddClient, bring: Bring) -> Month:
    """Eighteen are missing over two years, five of them in October 2024; one receipt is found."""
    add_client("yann")
    add_client("marie")
    add_client("paul", collect=CollectRole.OWN)
    rows = {
        name: bring(cents, f"CB {name}", date(2024, 10, day), name=name)
        for name, cents, day in OCTOBER
    }
    for number in range(13):
        bring(-10_00 - number, f"CB AUTRE {number}", date(2025, 1, 2 + number))
    paper = store_document(
        organisation=dossier, raw=photo(), filename="orange.png", on=TODAY, now=NOW
    ).document
    Document.objects.filter(pk=paper.pk).update(
        amount_cents=89_90, left_cents=89_90, on=date(2024, 10, 22), supplier="Orange"
    )
    paper.refresh_from_db()
    assert links.propose(documents=[paper], now=NOW) == 1
    return Month(dossier, rows)


def come_in(page: Page, server: LiveServer, user: User) -> None:
    page.goto(f"{server.url}/connexion/")
    page.keyboard.type(user.email)
    page.keyboard.press("Tab")
    page.keyboard.type("motdepasse1")
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/connexion/" not in url)


def ask_for_october(page: Page, server: LiveServer, month: Month) -> None:
    """From the tab Banque, by its date filter and its button; Marie is not asked."""
    page.goto(f"{server.url}/d/{month.dossier.slug}/banque/?du=2024-10-01&au=2024-10-31")
    page.get_by_role("link", name="Demander justificatifs").click()
    asked = words(page)
    assert "5 opérations" in asked
    page.get_by_role("checkbox", name="marie").uncheck()
    page.get_by_label("Ajouter un mot personnel").fill("Avant vendredi si possible.")
    page.keyboard.press("Tab")
    preview = page.frame_locator("#ask-preview iframe")
    expect(preview.get_by_text("Avant vendredi si possible.")).to_be_visible()
    page.wait_for_timeout(300)
    page.get_by_role("button", name="Envoyer la demande").click()
    page.wait_for_url("**/demandes/**")


def link_of(letter: Letter, month: Month, name: str) -> str:
    """The address that the message gives for this transaction."""
    found = re.search(rf"\S+/j/[\w-]+/{month.rows[name].pk}/", letter.text)
    assert found is not None, letter.text
    return found.group()


def nothing_for_axe(page: Page) -> None:
    found = Axe().run(page).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]  # type: ignore[index]


@pytest.fixture
def letter(
    page: Page,
    live_server: LiveServer,
    settings: Any,
    office: Office,
    accountant: User,
    october: Month,
) -> Letter:
    """The one message that left, to the one who was chosen."""
    settings.PUBLIC_URL = live_server.url
    come_in(page, live_server, accountant)
    ask_for_october(page, live_server, october)
    letters = office.turn()
    assert [one.to for one in letters] == [["yann@port.example"]]
    return letters[0]


def test_the_accountant_asks_for_october(letter: Letter, october: Month) -> None:
    """S0-21 to S0-33: five of eighteen, one chosen person, four links, Voir plus, the Excel."""
    assert letter.subject == "5 justificatifs nous manquent pour octobre 2024"
    assert "Avant vendredi si possible." in letter.text
    shown = [name for name in october.rows if f"/{october.rows[name].pk}/" in letter.text]
    assert shown == ["METRO NANTES", "ORANGE PRO", "BRASSEURS D’ARMOR", "TOTALENERGIES QUIMPER"]
    assert "Voir plus (1 autre opération)" in letter.text
    assert letter.text.index("À confirmer") < letter.text.index("ORANGE PRO")
    assert letter.joined == ["justificatifs-brasserie-du-port.xlsx"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_client_answers_on_a_phone_without_an_account(
    letter: Letter,
    october: Month,
    page: Page,
    live_server: LiveServer,
    open_page: Callable[..., Page],
    tmp_path: Path,
    scheme: str,
) -> None:
    """S0-30 to S0-34: a photograph, a no, a confirmation, the Excel; the accountant sees it all."""
    phone = open_page(width=360, height=740, scheme=scheme)
    phone.goto(link_of(letter, october, "METRO NANTES"))
    assert "342,18 €" in words(phone)
    assert "Relance" not in phone.title()
    nothing_for_axe(phone)
    ticket = tmp_path / "ticket.png"
    ticket.write_bytes(photo())
    phone.locator("input[name=photo]").set_input_files(ticket)
    phone.wait_for_url(f"**/{october.rows['ORANGE PRO'].pk}/")
    expect(phone.get_by_text("Justificatif bien reçu, merci.")).to_be_visible()

    expect(phone.get_by_role("img", name="Première page du document trouvé")).to_be_visible()
    nothing_for_axe(phone)
    phone.get_by_role("button", name="Confirmer").click()
    phone.wait_for_url(f"**/{october.rows['BRASSEURS D’ARMOR'].pk}/")
    phone.get_by_role("link", name="Passer").click()

    phone.wait_for_url(f"**/{october.rows['TOTALENERGIES QUIMPER'].pk}/")
    phone.get_by_text("Pas à moi", exact=True).first.click()
    phone.get_by_label("Un mot d’explication").locator("visible=true").fill("Carte de mon frère.")
    phone.get_by_role("button", name="Répondre « Pas à moi »").click()
    phone.wait_for_url(f"**/{october.rows['SACEM'].pk}/")

    phone.get_by_role("link", name="5 sur 5").click()
    phone.get_by_role("link", name="Remplir le fichier Excel").click()
    nothing_for_axe(phone)
    answer_by_excel(phone, tmp_path)
    report = words(phone)
    assert "1 réponse reçue, merci" in report
    assert "« plus tard » n’est pas l’une des réponses proposées." in report
    nothing_for_axe(phone)

    missing = Transaction.objects.filter(organisation=october.dossier, booked__year=2024)
    assert [row.name for row in missing.exclude(missing="")] == ["SACEM"]
    assert {answer.by for answer in Answer.objects.all()} == {"yann"}
    assert Door.objects.get().opened_at is not None

    page.goto(f"{live_server.url}/d/{october.dossier.slug}/banque/reponses/")
    seen = words(page)
    for said in ("TOTALENERGIES QUIMPER", "Pas à moi", "Carte de mon frère.", "Je ne l’ai pas"):
        assert said in seen


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_wide_screen_the_list_stands_beside_the_question(
    letter: Letter, october: Month, open_page: Callable[..., Page], tmp_path: Path, scheme: str
) -> None:
    """S0-31: Voir plus shows all five; a file is dropped on the question that is next."""
    desk = open_page(scheme=scheme)
    address = link_of(letter, october, "METRO NANTES")
    desk.goto(re.sub(r"\d+/$", "", address))
    beside = desk.get_by_role("complementary", name="Toutes les opérations")
    expect(beside.get_by_role("listitem")).to_have_count(5)
    expect(desk.get_by_text("Déposez le fichier ici")).to_be_visible()
    expect(desk.get_by_text("Prendre une photo")).to_be_hidden()
    nothing_for_axe(desk)
    bad = tmp_path / "facture.pdf"
    bad.write_bytes(b"<html>")
    desk.get_by_text("Joindre un mot").click()
    desk.get_by_label("Votre mot").fill("Payé en espèces.")
    desk.locator("input[name=file]").set_input_files(bad)
    expect(desk.get_by_role("alert")).to_contain_text("n’a pas été gardé")
    expect(desk.get_by_label("Votre mot")).to_have_value("Payé en espèces.")
    nothing_for_axe(desk)
    good = tmp_path / "facture.png"
    good.write_bytes(photo())
    desk.locator("input[name=file]").set_input_files(good)
    desk.wait_for_url(f"**/{october.rows['ORANGE PRO'].pk}/")
    expect(beside.get_by_role("listitem").first).to_contain_text("Fourni")
    assert Answer.objects.get().note == "Payé en espèces."
    desk.go_back()
    expect(desk.get_by_role("heading", name="Cette opération est réglée")).to_be_visible()
    expect(desk.get_by_text("Nous avons bien reçu le justificatif.")).to_be_visible()


def answer_by_excel(phone: Page, folder: Path) -> None:
    """Take the workbook, complete its two lines, send it back."""
    with phone.expect_download() as taking:
        phone.get_by_role("link", name="justificatifs-brasserie-du-port.xlsx").click()
    place = folder / taking.value.suggested_filename
    taking.value.save_as(place)
    book = openpyxl.load_workbook(place)
    sheet = book.active
    assert sheet is not None
    labels = [sheet.cell(line, 2).value for line in (2, 3, 4)]
    assert labels == ["CB BRASSEURS D’ARMOR", "CB SACEM", None]
    sheet.cell(2, 5).value, sheet.cell(3, 5).value = "Je ne l’ai pas", "plus tard"
    book.save(place)
    phone.locator("input[type=file]").set_input_files(place)
    phone.get_by_role("button", name="Envoyer le fichier complété").click()
    phone.wait_for_load_state()


def test_everything_works_without_script(
    letter: Letter, october: Month, browser: Any, tmp_path: Path
) -> None:
    """A phone that runs no script answers too, to the end."""
    context = browser.new_context(
        viewport={"width": 360, "height": 740}, locale="fr-FR", java_script_enabled=False
    )
    phone = context.new_page()
    ticket = tmp_path / "ticket.png"
    ticket.write_bytes(photo())
    phone.goto(link_of(letter, october, "METRO NANTES"))
    phone.locator("input[name=file]").set_input_files(ticket)
    phone.get_by_role("button", name="Envoyer", exact=True).click()
    phone.get_by_role("button", name="Confirmer").click()
    for _rest in range(3):
        phone.locator(".j-no summary").first.click()
        phone.get_by_role("button", name="Répondre « Je ne l’ai pas »").click()
    expect(phone.get_by_role("heading", name="C’est fini, merci")).to_be_visible()
    context.close()
    assert Answer.objects.count() == 5
