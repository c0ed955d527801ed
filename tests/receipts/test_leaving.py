"""A request on its way: through the outbox to a real mail, with its Excel and its links."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from relance.accounts.models import Membership, Organisation, User
from relance.bank.services.errors import BankRefused
from relance.formats.faults import Fault
from relance.formats.tabular import open_table
from relance.history.models import Event
from relance.ops import worker
from relance.ops.hooks import hooks
from relance.ops.smtp_sink import Sink
from relance.outbox import test_mode
from relance.outbox.channels.fake import FakeChannel
from relance.outbox.models import Message, Status
from relance.receipts.doors import door_of
from relance.receipts.models import FileSchedule, Request
from relance.receipts.services.sending import UNDO_SECONDS, last_request, send_request
from relance.web.smtp_words import cancelled_words
from tests.conftest import NOW, TODAY
from tests.receipts.conftest import AddClient, Bring

pytestmark = pytest.mark.django_db


@pytest.fixture
def sink(tmp_path: Path, settings) -> Iterator[Sink]:
    sink = Sink(tmp_path / "mails")
    sink.start()
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", sink.port
    settings.MEDIA_ROOT = tmp_path / "media"
    yield sink
    sink.stop()


def test_the_request_arrives_with_its_excel_and_links_that_open(
    sink: Sink,
    dossier: Organisation,
    bring: Bring,
    add_client: AddClient,
    accountant: User,
) -> None:
    """S0-01, S0-30, S0-31, S0-32, S0-33: the mail as the client's server takes it."""
    rows = [bring(label=f"ACHAT {n}", on=TODAY - timedelta(days=n)) for n in range(6)]
    yann, sophie = add_client("yann"), add_client("sophie")
    request = send_request(
        organisation=dossier,
        kind=Request.Kind.MANUAL,
        rows=rows,
        users=[yann, sophie],
        on=TODAY,
        now=NOW,
        actor=accountant,
        note="Merci d’avance.",
        copies=[accountant.email],
    )
    later = NOW + timedelta(seconds=UNDO_SECONDS + 1)
    worker.drain(hooks=hooks(lambda: later), now=lambda: later)

    message = Message.objects.get(request_id=request.pk)
    assert message.status == Status.SENT
    [stored] = sink.mails()
    mail = stored.mail()
    assert mail["Subject"] == "6 justificatifs nous manquent"
    assert "Anne Morel, Cabinet Morel et Associés" in str(mail["From"])
    assert mail["Reply-To"] == accountant.email
    assert mail["To"] == f"{yann.email}, {sophie.email}"
    assert accountant.email in mail["X-RcptTo"]
    [excel] = mail.iter_attachments()
    assert excel.get_filename() == "justificatifs-brasserie-du-port.xlsx"
    assert excel.get_content_type().endswith("spreadsheetml.sheet")
    table = open_table(excel.get_content(), "justificatifs.xlsx")
    assert not isinstance(table, Fault)
    assert "ACHAT 5" in str(list(table.rows()))
    body = mail.get_body(("plain",))
    assert body is not None
    text = body.get_content()
    assert "Merci d’avance." in text
    found = set(re.findall(r"/j/([\w-]{43})/", text))
    assert len(found) == 1
    door = door_of(found.pop(), now=later)
    assert door is not None
    assert door.request == request


def test_two_accountants_do_not_ask_the_same_twice(
    dossier: Organisation, bring: Bring, add_client: AddClient, accountant: User
) -> None:
    """The second one learns who was first; another period may still be asked."""
    row, other, client = bring(), bring(), add_client()
    seen = last_request(dossier)
    values = {
        "organisation": dossier,
        "kind": Request.Kind.MANUAL,
        "users": [client],
        "on": TODAY,
        "now": NOW,
        "actor": accountant,
        "seen": seen,
    }
    send_request(rows=[row], **values)
    with pytest.raises(BankRefused, match="Anne Morel"):
        send_request(rows=[row, other], **values)
    send_request(rows=[other], **values)
    assert Message.objects.count() == 2


def test_a_request_of_the_test_mode_goes_to_its_address_and_is_forgotten_at_its_end(
    dossier: Organisation, bring: Bring, add_client: AddClient, accountant: User
) -> None:
    """Its Excel and its links come along and work; afterwards they open nothing any more."""
    rows, client = [bring()], add_client()
    test_mode.enter(dossier, to="essai@morel.example", actor=accountant, on=TODAY, now=NOW)
    request = send_request(
        organisation=dossier,
        kind=Request.Kind.AUTOMATIC,
        rows=rows,
        users=[client],
        on=TODAY,
        now=NOW,
        copies=[accountant.email],
    )
    FileSchedule.objects.create(organisation=dossier, served_on=TODAY)
    line, later = FakeChannel(), NOW + timedelta(minutes=1)
    both = hooks(lambda: later)
    worker.drain(hooks=both, now=lambda: later, channels={"email": lambda: line})
    [left] = line.taken
    assert [*left.recipients, *left.copies] == ["essai@morel.example"]
    assert left.subject.startswith(f"[Essai pour {client.email}]")
    token = re.search(r"/j/([\w-]{43})", left.text)
    assert token
    assert door_of(token[1], now=later) == request.door
    test_mode.leave(dossier, actor=accountant, on=TODAY, now=later, ended=both.ended)
    assert door_of(token[1], now=later) is None
    assert not Request.objects.exists()
    assert FileSchedule.objects.get().served_on == TODAY - timedelta(days=1)
    told = Event.objects.get(kind="receipts_forgotten")
    assert (told.data["request"], told.data["on"]) == (request.pk, TODAY.isoformat())
    assert Message.objects.get().reason == "TEST"


@pytest.mark.parametrize("stays", [True, False])
def test_whoever_was_dismissed_meanwhile_receives_nothing(
    dossier: Organisation, bring: Bring, add_client: AddClient, accountant: User, stays: bool
) -> None:
    """S0-28: he is taken off; with nobody left the request does not leave and says why."""
    people = [add_client("yann"), *([add_client("sophie")] if stays else [])]
    request = send_request(
        organisation=dossier,
        kind=Request.Kind.MANUAL,
        rows=[bring()],
        users=people,
        on=TODAY,
        now=NOW,
        actor=accountant,
    )
    Membership.objects.filter(user=people[0]).delete()
    line, later = FakeChannel(), NOW + timedelta(minutes=1)
    worker.drain(hooks=hooks(lambda: later), now=lambda: later, channels={"email": lambda: line})

    message = Message.objects.get(request_id=request.pk)
    if stays:
        [left] = line.taken
        assert left.recipients == ["sophie@port.example"]
        assert message.recipients == ["sophie@port.example"]
        token = re.search(r"/j/([\w-]{43})", left.text)
        assert token
        assert door_of(token[1], now=later) == request.door
    else:
        assert line.taken == []
        assert (message.status, message.reason) == (Status.CANCELLED, "NO_ELIGIBLE_RECIPIENT")
        assert cancelled_words(message.reason).startswith("Plus aucun destinataire")
