"""The Excel of a request, taken and sent back through its link (S0-33, S0-34, A7)."""

import io
import re

import openpyxl
import pytest
from django.test import Client

from relance.accounts.models import Organisation, User
from relance.bank.models import Transaction
from relance.formats.faults import Fault
from relance.formats.sentences import SENTENCES
from relance.receipts.models import Answer
from relance.receipts.services.answers import answer_no
from relance.receipts.workbook import refusal_words, write_request_workbook
from tests.conftest import NOW, TODAY
from tests.portal.conftest import Asked, ask, upload
from tests.portal.test_answering import missing, words
from tests.receipts.conftest import Bring

pytestmark = pytest.mark.django_db


def taken(asked: Asked, client: Client) -> openpyxl.Workbook:
    answer = client.get(f"{asked.url}/excel/justificatifs-brasserie-du-port.xlsx")
    assert "attachment" in answer.headers["Content-Disposition"]
    return openpyxl.load_workbook(io.BytesIO(answer.content))


def sent_back(asked: Asked, client: Client, book: openpyxl.Workbook) -> str:
    target = io.BytesIO()
    book.save(target)
    file = upload(target.getvalue(), "justificatifs.xlsx")
    answer = client.post(f"{asked.url}/excel/", {"file": file})
    assert answer.status_code == 200
    return words(answer)


def fill(book: openpyxl.Workbook, line: int, said: str, note: str = "") -> None:
    sheet = book.active
    assert sheet is not None
    sheet.cell(line, 5).value = said
    sheet.cell(line, 6).value = note


def test_the_workbook_holds_what_is_still_missing(asked: Asked, client: Client) -> None:
    """S0-33: through the link of the message, without account."""
    client.post(asked.at(1), {"what": "none"})
    sheet = taken(asked, client).active
    assert sheet is not None
    assert [sheet.cell(line, 2).value for line in (2, 3, 4)] == [
        "CB METRO NANTES",
        "CB SACEM",
        None,
    ]
    page = words(client.get(f"{asked.url}/excel/"))
    assert "Prenez le fichier : 2 opérations" in page
    assert "justificatifs-brasserie-du-port.xlsx" in page


def test_the_completed_workbook_is_read_line_by_line_with_a_report(
    asked: Asked, client: Client, bring: Bring
) -> None:
    """S0-34: accepted, already justified, refused and why, unknown; what is empty stays open."""
    book = taken(asked, client)
    fill(book, 2, "Pas à moi", "carte perso")
    fill(book, 3, "Je ne l’ai pas")
    fill(book, 4, "bientôt")
    sheet = book.active
    assert sheet is not None
    sheet.cell(5, 5).value, sheet.cell(5, 7).value = "Pas à moi", "1-forgé"
    answer_no(row=asked.rows[1], kind="none", by="Autre", on=TODAY, now=NOW)
    page = sent_back(asked, client, book)
    assert "1 réponse reçue, merci" in page
    for said in (
        "2 METRO NANTES Acceptée Pas à moi",
        "3 TOTAL Déjà justifiée Cette opération est déjà justifiée",
        "4 SACEM Refusée « bientôt » n’est pas l’une des réponses proposées.",
        "5 – Inconnue Cette ligne n’est pas une opération de cette demande.",
    ):
        assert said in page
    assert [missing(row) for row in asked.rows] == ["", "", "not_associated"]
    kept = Answer.objects.get(transaction=asked.rows[0])
    assert (kept.note, kept.by, kept.door) == ("carte perso", "yann.corre", asked.request.door)


def test_the_same_workbook_twice_answers_once(asked: Asked, client: Client) -> None:
    book = taken(asked, client)
    fill(book, 2, "Pas à moi")
    sent_back(asked, client, book)
    page = sent_back(asked, client, book)
    assert "Aucune réponse nouvelle dans ce fichier" in page
    assert "1 ligne déjà justifiée" in page
    assert Answer.objects.count() == 1


def test_lines_of_another_request_touch_nothing(
    asked: Asked, dossier: Organisation, bring: Bring, client_user: User, client: Client
) -> None:
    """A link is good for its own request, even with a genuine workbook of the same dossier."""
    other = bring(-9_00, "CB PARKING")
    ask(dossier, [other], client_user)
    book = openpyxl.load_workbook(io.BytesIO(write_request_workbook([other])))
    fill(book, 2, "Pas à moi")
    assert "1 ligne inconnue" in sent_back(asked, client, book)
    assert missing(other) == "not_associated"


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "Ce fichier est vide : renvoyez celui que nous vous avons proposé"),
        (b"PK\x03\x04 broken", "Ce classeur est abîmé et ne s’ouvre pas : renvoyez celui"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "renvoyez celui que nous vous"),
        (b"date;montant\n1;2\n", "Ce n’est pas le fichier que nous vous avons proposé"),
        (b"\x89PNG\r\n\x1a\n", "Ce fichier n’est pas un classeur Excel"),
        (b"\x81\x8d\x8f\x90\x9d" * 9, "Ce fichier n’est pas un classeur Excel"),
        (b"%PDF-1.4", "Ce fichier n’est pas un classeur Excel"),
    ],
)
def test_another_file_is_refused_with_its_reason(
    asked: Asked, client: Client, raw: bytes, why: str
) -> None:
    answer = client.post(f"{asked.url}/excel/", {"file": upload(raw, "reponses.xlsx")})
    assert why in words(answer)
    assert "Rien n’a été enregistré." in words(answer)
    assert "UTF-8" not in words(answer)


@pytest.mark.parametrize("code", list(SENTENCES))
def test_no_refusal_speaks_of_another_format_or_of_an_export(code: str) -> None:
    """S0-34: nothing but the request's own Excel is taken, so nothing else is advised."""
    said = refusal_words(Fault(code))
    assert said.endswith(".")
    assert "%(" not in said
    assert not re.search("CSV|UTF-8|export|import", said)


def test_a_workbook_without_lines_is_refused_in_words_of_its_own(
    asked: Asked, client: Client
) -> None:
    book = taken(asked, client)
    sheet = book.active
    assert sheet is not None
    sheet.delete_rows(2, 50)
    page = sent_back(asked, client, book)
    assert "Ce tableau ne contient plus aucune ligne d’opération" in page


def test_a_workbook_too_heavy_or_absent_is_refused(
    asked: Asked, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = client.post(f"{asked.url}/excel/")
    assert "Choisissez le fichier Excel que vous avez complété." in words(answer)
    monkeypatch.setattr("relance.portal.views.MOST_WORKBOOK", 10)
    answer = client.post(f"{asked.url}/excel/", {"file": upload()})
    assert "Ce fichier est trop lourd" in words(answer)


def test_the_workbook_is_french_for_a_browser_in_english(asked: Asked) -> None:
    """Who takes it and who sends it back may not read the same language."""
    english = Client(headers={"Accept-Language": "en"})
    book = taken(asked, english)
    sheet = book.active
    assert sheet is not None
    assert sheet.cell(1, 5).value == "Votre réponse"
    fill(book, 2, "Pas à moi")
    sent_back(asked, english, book)
    assert missing(asked.rows[0]) == ""
    assert Transaction.objects.exclude(missing="").count() == 2
