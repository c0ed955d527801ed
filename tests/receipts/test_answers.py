"""A client answers: with a document, with an honest no, or with the workbook he completed."""

import io

import openpyxl
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from PIL import Image

from relance.accounts.models import Organisation, User
from relance.bank.models import Document, Transaction
from relance.bank.services.errors import BankRefused
from relance.formats.faults import Fault
from relance.history.services import verify
from relance.receipts.models import Answer
from relance.receipts.services.answers import accept, answer_no, answer_with, ask_again
from relance.receipts.workbook import Reported, read_answers, reference_of, write_request_workbook
from tests.conftest import NOW, TODAY
from tests.receipts.conftest import Bring

pytestmark = pytest.mark.django_db


def missing(row: Transaction) -> str:
    row.refresh_from_db()
    return row.missing


def photo() -> bytes:
    target = io.BytesIO()
    Image.new("L", (9, 9)).save(target, "PNG")
    return target.getvalue()


@pytest.mark.parametrize(
    ("kind", "waiver"), [("none", "lost"), ("not_mine", "ignored"), ("not_needed", "exempt")]
)
def test_a_no_is_kept_and_the_client_is_not_asked_again(
    kind: str, waiver: str, bring: Bring, accountant: User
) -> None:
    row = bring()
    answer = answer_no(row=row, kind=kind, by="Paul", on=TODAY, now=NOW, note="perdu en route")
    assert (missing(row), row.waiver, row.waiver_note) == ("", waiver, "perdu en route")
    assert answer.handled_at is None
    accept(answer=answer, actor=accountant, now=NOW)
    answer.refresh_from_db()
    assert answer.handled_at == NOW


def test_the_accountant_may_ask_again(bring: Bring, accountant: User) -> None:
    row = bring()
    answer = answer_no(row=row, kind="none", by="Paul", on=TODAY, now=NOW)
    ask_again(answer=answer, actor=accountant, on=TODAY, now=NOW)
    assert missing(row) == "not_associated"


def test_a_photograph_justifies_the_transaction(bring: Bring) -> None:
    row = bring()
    answer_with(row=row, raw=photo(), filename="ticket.png", by="Paul", on=TODAY, now=NOW)
    assert missing(row) == ""
    assert Document.objects.get().source == "answer"


def test_what_is_justified_already_says_so(bring: Bring) -> None:
    row = bring()
    answer_no(row=row, kind="none", by="Paul", on=TODAY, now=NOW)
    with pytest.raises(BankRefused, match="déjà justifiée"):
        answer_with(row=row, raw=photo(), filename="t.png", by="Paul", on=TODAY, now=NOW)
    assert Answer.objects.count() == 1


def test_a_file_that_is_none_keeps_nothing(bring: Bring) -> None:
    row = bring()
    with pytest.raises(BankRefused):
        answer_with(row=row, raw=b"<script>", filename="x.pdf", by="Paul", on=TODAY, now=NOW)
    assert (missing(row), Document.objects.count()) == ("not_associated", 0)


def completed(rows: list[Transaction], *answers: tuple[str, str]) -> bytes:
    """The workbook of these transactions with the answers typed in."""
    book = openpyxl.load_workbook(io.BytesIO(write_request_workbook(rows)))
    sheet = book.active
    assert sheet is not None
    for line, (said, note) in enumerate(answers, start=2):
        sheet.cell(line, 5).value = said
        sheet.cell(line, 6).value = note
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def read(dossier: Organisation, raw: bytes) -> list[Reported]:
    report = read_answers(organisation=dossier, raw=raw, by="Paul", on=TODAY, now=NOW)
    assert not isinstance(report, Fault), report
    return report


def test_the_workbook_shows_what_is_asked_and_offers_the_answers(bring: Bring) -> None:
    """S0-33."""
    book = openpyxl.load_workbook(io.BytesIO(write_request_workbook([bring(-5602, "=CMD()")])))
    sheet = book.active
    assert sheet is not None
    assert [cell.value for cell in sheet[2]][1:4] == ["=CMD()", -56.02, "Sans association"]
    assert sheet["B2"].data_type == "s"
    assert "Pas à moi" in sheet.data_validations.dataValidation[0].formula1


def test_the_completed_workbook_is_read_back_line_by_line(
    dossier: Organisation, bring: Bring
) -> None:
    """S0-34: accepted, empty, refused, already justified, each with its line."""
    rows = [bring(), bring(), bring(), bring()]
    answer_no(row=rows[3], kind="none", by="Autre", on=TODAY, now=NOW)
    raw = completed(
        rows, ("Je ne l’ai pas", "volé"), ("", ""), ("peut-être", ""), ("Pas à moi", "")
    )
    report = read(dossier, raw)
    assert [(one.line, one.outcome) for one in report] == [
        (2, "accepted"),
        (3, "empty"),
        (4, "refused"),
        (5, "done"),
    ]
    assert (missing(rows[0]), rows[0].waiver_note) == ("", "volé")
    assert missing(rows[2]) == "not_associated"


def test_two_hundred_lines_are_read_in_as_many_queries_as_twenty(
    dossier: Organisation, bring: Bring
) -> None:
    """Line by line for whoever reads the report, all at once for the database."""
    counts = []
    for number in (20, 200):
        rows = [bring() for _n in range(number)]
        raw = completed(rows, *[("Pas à moi", f"n° {n}") for n in range(number)])
        with CaptureQueriesContext(connection) as queries:
            report = read(dossier, raw)
        assert [one.outcome for one in report] == ["accepted"] * number
        assert (missing(rows[-1]), rows[-1].waiver_note) == ("", f"n° {number - 1}")
        counts.append(len(queries))
    assert counts[1] <= counts[0] + 4 < 40
    assert Answer.objects.count() == 220
    assert verify(dossier) is None


def test_a_transaction_twice_in_one_workbook_is_answered_once(
    dossier: Organisation, bring: Bring
) -> None:
    row = bring()
    report = read(dossier, completed([row, row], ("Pas à moi", ""), ("Je ne l’ai pas", "")))
    assert [one.outcome for one in report] == ["accepted", "done"]
    assert Answer.objects.get().kind == "not_mine"


def test_the_same_workbook_twice_answers_once(dossier: Organisation, bring: Bring) -> None:
    raw = completed([bring()], ("Pas à moi", ""))
    assert [one.outcome for one in read(dossier, raw)] == ["accepted"]
    assert [one.outcome for one in read(dossier, raw)] == ["done"]
    assert Answer.objects.count() == 1


def test_lines_of_another_dossier_or_made_up_are_unknown_and_touch_nothing(
    dossier: Organisation, bring: Bring
) -> None:
    foreign = Organisation.objects.create(name="Autre", slug="autre")
    theirs = bring(of=foreign)
    report = read(dossier, completed([theirs], ("Pas à moi", "")))
    assert [one.outcome for one in report] == ["unknown"]
    assert missing(theirs) == "not_associated"
    forged = completed([bring()], ("Pas à moi", ""))
    book = openpyxl.load_workbook(io.BytesIO(forged))
    assert book.active is not None
    book.active["G2"].value = reference_of(theirs).replace("-", "-0")
    target = io.BytesIO()
    book.save(target)
    assert [one.outcome for one in read(dossier, target.getvalue())] == ["unknown"]


def test_a_file_that_is_not_the_workbook_is_refused(dossier: Organisation) -> None:
    report = read_answers(organisation=dossier, raw=b"a;b\n1;2\n", by="Paul", on=TODAY, now=NOW)
    assert isinstance(report, Fault)
