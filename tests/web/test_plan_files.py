"""Plans given by a file: previewed, refused lines with their reason, given, taken back (S2-10)."""

import io
from typing import Any

import pytest
import xlsxwriter
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from relance.accounts.models import Organisation, User
from relance.dunning.lots import batches, changes
from relance.dunning.models import Assignment, Batch, Plan
from relance.ledger.models import Customer
from tests.conftest import NOW, make_customer
from tests.web.test_plans import D, words

URL = f"{D}/plans/affectations/"


@pytest.fixture
def people(organisation: Organisation, plan: Plan) -> dict[str, Customer]:
    """A and B without a plan, C who has Standard."""
    Plan.objects.create(organisation=organisation, name="Grands comptes")
    return {
        code: make_customer(
            organisation, plan if code == "C" else None, f"Client {code}", code=code
        )
        for code in ("A", "B", "C")
    }


def send(client: Client, text: str | bytes, name: str = "plans.csv", **options: Any) -> Any:
    content = text.encode() if isinstance(text, str) else text
    return client.post(URL, {"file": SimpleUploadedFile(name, content)}, **options)


def plans() -> dict[str, str]:
    rows = Assignment.objects.select_related("plan", "customer").order_by("customer__code")
    return {row.customer.code: row.plan.name for row in rows}


LINES = "Code client;Plan\nA;Standard\nb;grands comptes\nC;Aucun\nZ;Standard\nA;Standard\nC;Doux\n"


def test_nothing_is_given_before_it_was_seen(camille: Client, people: dict[str, Customer]) -> None:
    text = words(send(camille, LINES, follow=True))

    assert "6\xa0lignes lues, 3\xa0clients concernés, 3\xa0lignes non prises" in text
    assert "Plan Standard, par le fichier plans.csv" in text
    assert "Plan Grands comptes, par le fichier plans.csv" in text
    assert "Aucun plan de relance, par le fichier plans.csv" in text
    assert "Aucun client ne porte le code Z." in text
    assert "Ce client est déjà à la ligne 2." in text
    assert "3\xa0clients vont changer de plan" in text
    assert plans() == {"C": "Standard"}


def test_given_then_taken_back(camille: Client, people: dict[str, Customer], owner: User) -> None:
    answer = send(camille, LINES)
    page = answer.headers["Location"]

    text = words(camille.post(f"{page}donner/", follow=True))

    assert plans() == {"A": "Standard", "B": "Grands comptes"}
    assert {one.given_by for one in Assignment.objects.all()} == {"hand"}
    assert "Chaque affectation s’annule depuis sa ligne." in text
    assert f"{D}/modifications/" in text
    twice = camille.post(f"{page}donner/", follow=True)
    assert "a déjà été lancé par Camille Le Goff" in words(twice)

    first = Batch.objects.get(title__startswith="Aucun")
    back = changes.undo(first, title="Défaire", actor=owner, now=NOW)
    batches.advance(back, handler=changes.handle, now=NOW)
    assert plans() == {"A": "Standard", "B": "Grands comptes", "C": "Standard"}


def test_a_workbook_with_numbers_for_codes_is_read(
    camille: Client, organisation: Organisation, plan: Plan
) -> None:
    make_customer(organisation, None, "Client", code="411001")
    stream = io.BytesIO()
    book = xlsxwriter.Workbook(stream)
    sheet = book.add_worksheet()
    for n, row in enumerate([["Nom", "Plan de relance", "Client"], ["x", " Standard ", 411001]]):
        sheet.write_row(n, 0, row)
    book.close()

    answer = send(camille, stream.getvalue(), "plans.xlsx")

    camille.post(f"{answer.headers['Location']}donner/")
    assert plans() == {"411001": "Standard"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "vide"),
        ("Nom;Ville\nA;Brest\n", "Deux colonnes sont attendues"),
        ("Code;Nom\nA;Brest\n", "Deux colonnes sont attendues"),
        ("\x00\x01\x02\xff" * 50, "Fichier refusé"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_the_reason(
    camille: Client, people: dict[str, Customer], text: str, said: str
) -> None:
    assert said in words(send(camille, text))
    assert not Batch.objects.exists()


def test_a_file_that_changes_nothing_says_why(camille: Client, people: dict[str, Customer]) -> None:
    answer = send(camille, "Code;Plan\nC;Standard\n;Standard\nA;\nB;<script>\n")
    text = words(answer)

    assert "Ce fichier ne change rien." in text
    assert "Le code client manque." in text
    assert "Le plan manque" in text
    assert "&lt;script&gt;" in answer.content.decode()
    assert not Batch.objects.exists()


def test_without_a_file_one_is_asked_for(camille: Client) -> None:
    assert "Choisissez un fichier." in words(camille.post(URL))
    assert "Code client" in words(camille.get(URL))


def test_a_reader_gives_nothing(
    client: Client, colleague: User, people: dict[str, Customer]
) -> None:
    client.force_login(colleague)
    assert "Votre rôle est en lecture seule" in words(client.get(URL))
    assert send(client, LINES).status_code == 403
    assert not Batch.objects.exists()


def test_a_stranger_reaches_no_customer_of_ours(
    client: Client, stranger: User, people: dict[str, Customer], owner: User
) -> None:
    client.force_login(owner)
    page = send(client, LINES).headers["Location"]
    client.force_login(stranger)

    assert client.get(URL).status_code == 404
    assert client.get(page).status_code == 404
    assert client.get(page.replace("ateliers-kerdoncuff", "ailleurs")).status_code == 404
    started = page.replace("ateliers-kerdoncuff", "ailleurs") + "donner/"
    assert client.post(started).status_code == 404
    upload = SimpleUploadedFile("p.csv", LINES.encode())
    text = words(client.post("/d/ailleurs/plans/affectations/", {"file": upload}))
    assert "Aucun client ne porte le code A." in text
    assert plans() == {"C": "Standard"}
