"""Documents and the completed Excel come in by e-mail: kept once, read, and reported on (S0-33)."""

import io
from email.message import EmailMessage

import pytest
from PIL import Image

from relance.accounts.models import BankRole, Organisation, User
from relance.bank.models import Document, Link, Transaction
from relance.history.models import Event
from relance.ops.inbound_hooks import handlers
from relance.outbox.inbound.addresses import own_address
from relance.outbox.inbound.intake import take_in
from relance.outbox.inbound.work import handle_pending
from relance.outbox.models import Inbound, Message, Notice, Status
from relance.receipts import doors, incoming
from relance.receipts.models import Answer, Incoming, Request
from relance.receipts.services.sending import send_request
from tests.conftest import NOW, TODAY
from tests.receipts.conftest import AddClient, Bring
from tests.receipts.test_answers import completed

pytestmark = pytest.mark.django_db

YANN = "yann@port.example"
XLSX = "vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@pytest.fixture(autouse=True)
def post_box(settings, tmp_path) -> None:
    settings.INBOUND_ADDRESS = "collect@relance.example"
    settings.MEDIA_ROOT = tmp_path


def photo(shade: int = 0, side: int = 400) -> bytes:
    """A photograph of a receipt: noise, so that no compression makes it small."""
    target = io.BytesIO()
    Image.effect_noise((side, side), 50 + shade).save(target, "PNG")
    return target.getvalue()


def mail(
    *files: tuple[str, str, bytes], sender: str = YANN, to: str = "", answers: str = "", **more: str
) -> bytes:
    """A mail of `sender` with these files: name, type, content."""
    message = EmailMessage()
    message["From"], message["To"] = sender, to or "anne@morel.example"
    message["Subject"], message["Message-ID"] = "Justificatifs", f"<{len(files)}@port.example>"
    if answers:
        message["In-Reply-To"] = answers
    for name, value in more.items():
        message[name] = value
    message.set_content("Voici.")
    for name, mime, content in files:
        kind, _slash, sub = mime.partition("/")
        message.add_attachment(content, maintype=kind, subtype=sub, filename=name)
    return message.as_bytes()


def arrives(raw: bytes) -> Incoming:
    """The worker's two parts: the mail is noted, then its files are taken in."""
    kept = take_in(raw, inbox=None, organisation=None, now=NOW)
    assert isinstance(kept, Inbound)
    handle_pending(now=NOW, handlers=handlers())
    incoming.work(NOW)
    return Incoming.objects.get(inbound=kept)


def outcomes(done: Incoming) -> list[tuple[str, str]]:
    return [(one["name"], one["outcome"]) for one in done.report]


def asked(
    dossier: Organisation, rows: list[Transaction], users: list[User], actor: User, kind: str
) -> tuple[Request, Message]:
    request = send_request(
        organisation=dossier, kind=kind, rows=rows, users=users, on=TODAY, now=NOW, actor=actor
    )
    message = Message.objects.get(pk=request.message_id)
    Message.objects.filter(pk=message.pk).update(status=Status.SENT, sent_at=NOW, handed_at=NOW)
    return request, message


def test_documents_sent_to_the_dossier_are_kept_and_proposed(
    dossier: Organisation, add_client: AddClient
) -> None:
    add_client()
    done = arrives(
        mail(
            ("ticket.png", "image/png", photo()),
            ("logo.png", "image/png", photo(side=20)),
            ("virus.exe", "application/octet-stream", b"MZ\x90\x00"),
            to=own_address(dossier),
        )
    )

    assert sorted(outcomes(done)) == [
        ("logo.png", "left"),
        ("ticket.png", "kept"),
        ("virus.exe", "refused"),
    ]
    paper = Document.objects.get()
    assert (paper.source, paper.sent_by, paper.organisation) == ("email", YANN, dossier)
    told = Event.objects.get(kind="documents_taken_in")
    assert (told.data["kept"], told.data["refused"]) == (1, 1)


def test_the_sender_reads_what_became_of_each_file(
    dossier: Organisation, add_client: AddClient
) -> None:
    add_client()
    arrives(
        mail(
            ("a.png", "image/png", photo()),
            ("b.exe", "application/octet-stream", b"MZ"),
            to=own_address(dossier),
        )
    )

    notice = Notice.objects.get()
    assert notice.recipient == YANN
    assert notice.subject == "1 fichier refusé, 1 document reçu"
    assert "a.png\n  Reçu, il attend d’être associé." in notice.text
    assert "b.exe\n  Refusé\u00a0: " in notice.text


@pytest.mark.parametrize("headers", [{"Precedence": "bulk"}, {"List-Id": "<x.example>"}])
def test_a_robot_is_not_answered(
    dossier: Organisation, add_client: AddClient, headers: dict[str, str]
) -> None:
    """Mail B2."""
    add_client()
    arrives(mail(("a.png", "image/png", photo()), to=own_address(dossier), **headers))
    assert Document.objects.count() == 1
    assert Notice.objects.count() == 0


def test_a_stranger_may_bring_documents_but_is_not_answered(dossier: Organisation) -> None:
    """The address cannot be guessed; who has it may bring paper, which a person looks at."""
    raw = mail(
        ("a.png", "image/png", photo()), to=own_address(dossier), sender="ami@ailleurs.example"
    )
    arrives(raw)
    assert Document.objects.get().sent_by == "ami@ailleurs.example"
    assert Notice.objects.count() == 0


def test_the_same_paper_sent_twice_is_kept_once(
    dossier: Organisation, add_client: AddClient
) -> None:
    add_client()
    paper = photo()
    arrives(mail(("a.png", "image/png", paper), to=own_address(dossier)))
    again = mail(("b.png", "image/png", paper), to=own_address(dossier), Comments="encore")
    done = arrives(again.replace(b"<1@port", b"<2@port"))
    assert outcomes(done) == [("b.png", "known")]
    assert Document.objects.count() == 1


def test_the_receipt_of_the_one_operation_asked_about_is_associated(
    dossier: Organisation, bring: Bring, add_client: AddClient, accountant: User
) -> None:
    row = bring()
    _request, message = asked(dossier, [row], [add_client()], accountant, Request.Kind.SINGLE)
    done = arrives(mail(("t.png", "image/png", photo()), answers=message.message_ref))

    row.refresh_from_db()
    assert outcomes(done) == [("t.png", "associated")]
    assert (row.missing, Link.objects.get().transaction) == ("", row)
    assert Answer.objects.get().by == YANN


def test_the_completed_excel_in_answer_to_the_request_is_read_line_by_line(
    dossier: Organisation, bring: Bring, add_client: AddClient, accountant: User
) -> None:
    rows = [bring(label=f"ACHAT {n}") for n in range(3)]
    _request, message = asked(dossier, rows, [add_client()], accountant, Request.Kind.MANUAL)
    book = completed(rows, ("Je ne l’ai pas", "perdu"), ("n’importe quoi", ""), ("", ""))
    done = arrives(
        mail(("reponses.xlsx", f"application/{XLSX}", book), answers=message.message_ref)
    )

    [sheet] = done.report
    assert [line[1] for line in sheet["lines"]] == ["accepted", "refused", "empty"]
    assert Answer.objects.get().note == "perdu"
    notice = Notice.objects.get()
    assert notice.subject == "1 réponse notée, 1 ligne à revoir"
    assert "ACHAT 0, Acceptée" in notice.text
    assert "ACHAT 1, Refusée" in notice.text


def test_a_turn_that_is_done_again_answers_once(
    dossier: Organisation, bring: Bring, add_client: AddClient, accountant: User
) -> None:
    rows = [bring()]
    _request, message = asked(dossier, rows, [add_client()], accountant, Request.Kind.MANUAL)
    book = completed(rows, ("Pas à moi", ""))
    done = arrives(mail(("r.xlsx", f"application/{XLSX}", book), answers=message.message_ref))

    assert incoming.take_in(done, now=NOW) is False
    assert (Answer.objects.count(), Notice.objects.count()) == (1, 1)


@pytest.mark.parametrize("who", ["a stranger", "one who may not answer", "a closed request"])
def test_an_excel_is_taken_from_those_who_were_asked_or_may_answer(
    dossier: Organisation, bring: Bring, add_client: AddClient, accountant: User, who: str
) -> None:
    """D-22: a reference is of this dossier, but its bearer must be allowed to answer."""
    rows = [bring()]
    add_client("paul", bank=BankRole.R1)
    book = ("r.xlsx", f"application/{XLSX}", completed(rows, ("Pas à moi", "")))
    if who == "a closed request":
        people = [add_client()]
        request, message = asked(dossier, rows, people, accountant, Request.Kind.MANUAL)
        doors.revoke(request, now=NOW)
        done = arrives(mail(book, answers=message.message_ref, sender="ami@ailleurs.example"))
    else:
        sender = "x@ailleurs.example" if who == "a stranger" else "paul@port.example"
        done = arrives(mail(book, to=own_address(dossier), sender=sender))
    assert outcomes(done) == [("r.xlsx", "refused")]
    assert Answer.objects.count() == 0


def test_one_mail_on_which_reading_breaks_does_not_stop_the_others(
    dossier: Organisation, add_client: AddClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_client()
    real = incoming.store_document

    def breaks(**values: object) -> object:
        if values["filename"] == "bad.png":
            raise RuntimeError("the reader died")
        return real(**values)  # type: ignore[arg-type]

    monkeypatch.setattr(incoming, "store_document", breaks)
    bad = arrives(mail(("bad.png", "image/png", photo()), to=own_address(dossier)))
    good = arrives(
        mail(
            ("a.png", "image/png", photo()),
            ("b.png", "image/png", photo(1)),
            to=own_address(dossier),
        )
    )
    assert (bad.done_at, good.done_at) == (None, NOW)
    for _turn in range(incoming.MOST_TRIES):
        incoming.work(NOW)
    bad.refresh_from_db()
    assert (bad.done_at, bad.report) == (NOW, [])
    [(_name, words)] = incoming.became_of(dossier, bad.inbound_id)
    assert "déposez-les vous-même" in words
    [first, second] = incoming.became_of(dossier, good.inbound_id)
    assert first == ("a.png", "Reçu, il attend d’être associé.")
    assert second[0] == "b.png"


def test_the_message_asks_for_an_answer_by_mail_only_where_mail_is_read(
    dossier: Organisation, bring: Bring, add_client: AddClient, accountant: User, settings
) -> None:
    """S0-33: nobody is told to send the Excel where no one reads it."""
    client = add_client()
    _one, message = asked(dossier, [bring()], [client], accountant, Request.Kind.SINGLE)
    assert "renvoyez-le en réponse à ce message" in message.text
    assert message.reply_to == own_address(dossier)

    settings.INBOUND_ADDRESS = ""
    _two, message = asked(dossier, [bring()], [client], accountant, Request.Kind.SINGLE)
    assert "renvoyez-le en réponse" not in message.text + message.html
    assert "puis déposez-le ici" in message.text
    assert message.reply_to == accountant.email


def test_what_another_worker_has_done_is_not_undone_by_one_that_broke(
    dossier: Organisation, add_client: AddClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_client()

    def done_meanwhile(one: Incoming, **_values: object) -> bool:
        Incoming.objects.filter(pk=one.pk).update(done_at=NOW, report=[{"name": "a"}])
        raise RuntimeError("the reader died")

    monkeypatch.setattr(incoming, "take_in", done_meanwhile)
    done = arrives(mail(("a.png", "image/png", photo()), to=own_address(dossier)))
    assert (done.done_at, done.attempts) == (NOW, 0)
