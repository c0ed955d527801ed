"""The bytes of a mail, and what each behaviour of a server means."""

import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email import policy
from email.message import EmailMessage
from email.message import MIMEPart as MimePart
from email.parser import BytesParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from anymail.backends.test import EmailBackend as PretendedBackend
from anymail.exceptions import AnymailAPIError
from django.core import mail
from django.core.files.base import ContentFile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relance.ledger.models import Customer, Invoice
from relance.outbox import claims
from relance.outbox.channels.base import Channel, DeliveryError, Receipt
from relance.outbox.channels.email import EmailChannel
from relance.outbox.channels.email.mime import envelope
from relance.outbox.channels.fake import FakeChannel
from relance.outbox.models import Message

from .conftest import NOW, Server, make_invoice

pytestmark = pytest.mark.django_db

QueueOne = Callable[..., Message]


def whole(message: Message) -> Message:
    return claims.whole(Message.objects.filter(pk=message.pk)).get()


def parsed(message: Message) -> EmailMessage:
    data = envelope(whole(message), at=NOW).data
    return BytesParser(_class=EmailMessage, policy=policy.default).parsebytes(data)


def words(part: MimePart) -> str:
    """A text with the line ends of this side."""
    return str(part.get_content()).replace("\r\n", "\n")


def test_text_comes_first_then_html(queue_one: QueueOne) -> None:
    mail = parsed(queue_one(text="Bonjour à tous\n", html="<p>Bonjour à tous</p>"))
    assert mail.get_content_type() == "multipart/alternative"
    first, second = mail.iter_parts()
    assert (first.get_content_type(), second.get_content_type()) == ("text/plain", "text/html")
    assert words(first) == "Bonjour à tous\n"
    assert words(second) == "<p>Bonjour à tous</p>\n"


def test_without_html_there_is_only_text(queue_one: QueueOne) -> None:
    assert parsed(queue_one(html="")).get_content_type() == "text/plain"


def test_headers_say_who_when_and_how(queue_one: QueueOne) -> None:
    """Spec mail B2; S2-23: replies go elsewhere than the system address."""
    message = queue_one(
        sender="Société Martin <collect@example.org>",
        subject="Relance : facture échue n° 12",
        recipients=["a@example.com", "Zoé <z@example.com>"],
        copies=["hidden@example.org"],
    )
    mail = parsed(message)
    assert mail["From"] == "Société Martin <collect@example.org>"
    assert mail["Reply-To"] == "compta@martin.example"
    assert mail["To"] == "a@example.com, Zoé <z@example.com>"
    assert mail["Subject"] == "Relance : facture échue n° 12"
    assert mail["Message-ID"] == message.message_ref
    assert mail["Date"].datetime == NOW
    assert mail["Auto-Submitted"] == "auto-generated"
    sent = envelope(whole(message), at=NOW)
    assert sent.recipients == ["a@example.com", "z@example.com", "hidden@example.org"]
    assert b"hidden" not in sent.data
    assert b"List-Unsubscribe" not in sent.data


def test_a_message_that_a_person_sends_is_not_called_automatic(queue_one: QueueOne) -> None:
    assert "Auto-Submitted" not in parsed(queue_one(automatic=False))


@pytest.fixture
def with_pdf(customer: Customer, tmp_path: Path, settings) -> Callable[[str, bytes], Invoice]:
    settings.MEDIA_ROOT = tmp_path

    def with_pdf(number: str, content: bytes) -> Invoice:
        invoice = make_invoice(customer, number)
        invoice.document.save("stored-name.pdf", ContentFile(content))
        return invoice

    return with_pdf


def test_invoice_pdfs_are_attached_under_their_number(
    queue_one: QueueOne, with_pdf: Callable[[str, bytes], Invoice], invoice: Invoice
) -> None:
    plain, odd = with_pdf("F-2026-7", b"%PDF-1"), with_pdf("Dév/é\n8", bytes(range(256)) * 99)
    mail = parsed(queue_one(plain, odd, invoice))
    assert mail.get_content_type() == "multipart/mixed"
    assert next(mail.iter_parts()).get_content_type() == "multipart/alternative"
    files = [(part.get_filename(), part.get_content()) for part in mail.iter_attachments()]
    assert files == [("F-2026-7.pdf", b"%PDF-1"), ("Dév-é-8.pdf", bytes(range(256)) * 99)]


def test_a_pdf_that_vanished_or_weighs_too_much_is_said_and_nothing_leaves(
    queue_one: QueueOne, with_pdf: Callable[[str, bytes], Invoice], tmp_path: Path
) -> None:
    gone, heavy = with_pdf("F-8", b"x"), with_pdf("F-9", b"x" * 8_000_000)
    Path(gone.document.path).unlink()
    for invoice, why in ((gone, "No such file"), (heavy, "at most 10000000")):
        with pytest.raises(DeliveryError, match=why) as error:
            envelope(whole(queue_one(invoice)), at=NOW)
        assert error.value.permanent


@pytest.mark.parametrize(
    "fields",
    [
        {"subject": "a\r\nBcc: x@y.example"},
        {"sender": "a\nb <a@example.org>"},
        {"recipients": ["a@example.com\r\nDATA"]},
        {"recipients": ["a@example.com>\x07"]},
        {"reply_to": "a@example.com\nX: y"},
        {"message_ref": "<1@x>\r\nX: y"},
    ],
)
def test_no_stored_value_can_add_a_header(queue_one: QueueOne, fields: dict[str, object]) -> None:
    """Even one that came into the table by another way than `queue`."""
    message = queue_one()
    Message.objects.filter(pk=message.pk).update(**fields)
    with pytest.raises(DeliveryError) as error:
        envelope(whole(message), at=NOW)
    assert error.value.permanent


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=300),
    subject=st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=200),
)
def test_any_words_arrive_as_written_in_short_seven_bit_lines(text: str, subject: str) -> None:
    message = Message(
        subject=subject,
        text=text,
        sender="a@example.org",
        recipients=["b@example.com"],
        message_ref="<1@example.org>",
        pk=0,
    )
    message._prefetched_objects_cache = {"lines": Message.objects.none()}  # type: ignore[attr-defined]
    data = envelope(message, at=NOW).data
    assert data.isascii()
    assert all(len(line) <= 998 for line in data.split(b"\r\n"))
    assert b"\n" not in data.replace(b"\r\n", b"")
    mail = BytesParser(_class=EmailMessage, policy=policy.default).parsebytes(data)
    content = mail.get_payload(decode=True)
    assert isinstance(content, bytes)
    assert content.decode().replace("\r\n", "\n") == (text if text.endswith("\n") else text + "\n")
    assert mail["Subject"] == subject


# --- what every channel promises ---------------------------------------------------------------


class Provider(PretendedBackend):  # type: ignore[misc]
    """anymail's own pretended provider, with opinions about two addresses."""

    def post_to_esp(self, payload: Any, message: Any) -> Any:
        """As a provider that refuses the first and asks to come back about the second."""
        for to, status in (("refused@example.com", 400), ("later@example.com", 429)):
            if to in payload.recipient_emails:
                answer = SimpleNamespace(status_code=status, reason="no", text="no")
                raise AnymailAPIError(status_code=status, response=answer)
        return super().post_to_esp(payload, message)


@pytest.fixture(params=["fake", "email", "provider"])
def channel(request: pytest.FixtureRequest, server: Server, settings: Any) -> Iterator[Channel]:
    server.answers["refused@example.com"] = "550 no such user"
    server.answers["later@example.com"] = "451 try later"
    if request.param == "provider":
        settings.EMAIL_PROVIDER = "test"
        settings.EMAIL_BACKEND = "tests.outbox.test_email.Provider"
    channel: Channel = EmailChannel()
    if request.param == "fake":
        channel = FakeChannel(
            {
                "refused@example.com": DeliveryError("no such user", permanent=True, code=550),
                "later@example.com": DeliveryError("try later", code=451),
            }
        )
    yield channel
    channel.close()


def test_a_channel_gives_a_receipt_after_asking_once(queue_one: QueueOne, channel: Channel) -> None:
    asked: list[int] = []
    receipt = channel.deliver(whole(queue_one()), at=NOW, hand_over=lambda: asked.append(1))
    assert isinstance(receipt, Receipt)
    assert (receipt.code, receipt.refused, asked) == (250, {}, [1])


@pytest.mark.parametrize(
    ("to", "permanent", "code"),
    [("refused@example.com", True, 550), ("later@example.com", False, 451)],
)
def test_a_channel_tells_permanent_from_temporary_and_goes_on(
    queue_one: QueueOne, channel: Channel, to: str, permanent: bool, code: int
) -> None:
    with pytest.raises(DeliveryError) as error:
        channel.deliver(whole(queue_one(recipients=[to])), at=NOW, hand_over=lambda: None)
    assert (error.value.permanent, error.value.code) == (permanent, code)
    assert not error.value.uncertain
    assert channel.deliver(whole(queue_one()), at=NOW, hand_over=lambda: None).code == 250


def test_a_channel_sends_nothing_when_the_claim_is_lost(
    queue_one: QueueOne, channel: Channel, server: Server
) -> None:
    def lost() -> None:
        raise claims.ClaimLostError

    with pytest.raises(claims.ClaimLostError):
        channel.deliver(whole(queue_one()), at=NOW, hand_over=lost)
    if isinstance(channel, FakeChannel):
        assert channel.taken == []
    assert list(server.sink.mails()) == []
    assert mail.outbox == []
    assert channel.deliver(whole(queue_one()), at=NOW, hand_over=lambda: None).code == 250


# --- a server that misbehaves at a chosen moment -----------------------------------------------


class Rude:
    """A server that plays a list of answers for each connection, then hangs or hangs up."""

    def __init__(self, scripts: list[list[str]], *, hang: bool = False) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.scripts, self.hang = scripts, hang
        self.heard: list[str] = []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._play, daemon=True)
        self.thread.start()

    def _play(self) -> None:
        for script in self.scripts:
            try:
                line, _address = self.socket.accept()
            except OSError:
                return
            with line, line.makefile("rb") as file:
                line.sendall(b"220 rude\r\n")
                for answer in script:
                    self._hear(file, "." if self.heard[-1:] == ["DATA"] else None)
                    line.sendall(answer.encode() + b"\r\n")
                self._hear(file, "." if self.heard[-1:] == ["DATA"] else None)
                if self.hang:
                    self.over.wait(10)

    def _hear(self, file: "socket.SocketIO", end: str | None) -> None:
        while True:
            raw = file.readline()
            line = raw.decode().rstrip("\r\n")
            if end is None or line == end or not raw:
                self.heard.append(line.split(" ")[0].upper())
                return

    def close(self) -> None:
        self.over.set()
        self.socket.close()
        self.thread.join(3)


HELLO, OK, GO = "250 rude", "250 OK", "354 go on"


@pytest.fixture
def rude(settings) -> Iterator[Callable[..., Rude]]:
    servers: list[Rude] = []

    def rude(*scripts: list[str], hang: bool = False) -> Rude:
        server = Rude(list(scripts), hang=hang)
        servers.append(server)
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        settings.EMAIL_TIMEOUT = 1
        return server

    yield rude
    for server in servers:
        server.close()


def failure(message: Message) -> tuple[DeliveryError, int]:
    """The error, and how often the point of no return was passed."""
    channel, passed = EmailChannel(answer_seconds=0.5), []
    with pytest.raises(DeliveryError) as error:
        channel.deliver(whole(message), at=NOW, hand_over=lambda: passed.append(1))
    channel.close()
    return error.value, len(passed)


@pytest.mark.parametrize("hang", [True, False])
def test_no_answer_after_the_final_dot_is_uncertain(
    queue_one: QueueOne, rude: Callable[..., Rude], hang: bool
) -> None:
    rude([HELLO, OK, OK, GO], hang=hang)
    error, passed = failure(queue_one())
    assert (error.uncertain, error.permanent, passed) == (True, False, 1)


@pytest.mark.parametrize("hang", [True, False])
@pytest.mark.parametrize("script", [[HELLO], [HELLO, OK], [HELLO, OK, OK]])
def test_a_line_lost_before_the_message_was_given_is_temporary(
    queue_one: QueueOne, rude: Callable[..., Rude], script: list[str], hang: bool
) -> None:
    rude(script, hang=hang)
    error, passed = failure(queue_one())
    assert (error.uncertain, error.permanent, error.unreachable, passed) == (
        False, False, False, 0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("script", "permanent"),
    [
        ([HELLO, "550 sender refused", OK], True),
        ([HELLO, "451 later", OK], False),
        ([HELLO, OK, "550 unknown", OK], True),
        ([HELLO, OK, "450 greylisted", OK], False),
        ([HELLO, OK, OK, "554 no mail today", OK], True),
        ([HELLO, OK, OK, "421 closing"], False),
        ([HELLO, OK, OK, GO, "552 too big", OK], True),
        ([HELLO, OK, OK, GO, "452 disk full", OK], False),
        ([HELLO, OK, OK, GO, "421 closing"], False),
    ],
)
def test_each_refusal_is_told_by_its_class(
    queue_one: QueueOne, rude: Callable[..., Rude], script: list[str], permanent: bool
) -> None:
    """4xx is temporary, 5xx permanent, whatever command was refused."""
    rude(script)
    error, _passed = failure(queue_one())
    assert (error.permanent, error.uncertain, error.unreachable) == (permanent, False, False)
    assert error.answer


@pytest.mark.parametrize("script", [["421 busy"], [HELLO, "530 log in first", OK]])
def test_a_server_that_takes_nobody_is_out_of_reach(
    queue_one: QueueOne, rude: Callable[..., Rude], script: list[str]
) -> None:
    rude(script)
    error, passed = failure(queue_one())
    assert (error.unreachable, error.permanent, passed) == (True, False, 0)


def test_no_server_at_all_is_out_of_reach(queue_one: QueueOne, settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", taken.getsockname()[1]
    assert failure(queue_one())[0].unreachable


def test_a_server_that_closes_a_used_line_gets_the_next_message_over_another(
    queue_one: QueueOne, rude: Callable[..., Rude]
) -> None:
    """Limits of messages per connection and idle time-outs cost nobody a try."""
    server = rude([HELLO, OK, OK, GO, OK], [HELLO, OK, OK, GO, OK])
    channel, passed = EmailChannel(answer_seconds=0.5), []
    for _ in range(2):
        receipt = channel.deliver(whole(queue_one()), at=NOW, hand_over=lambda: passed.append(1))
        assert receipt.code == 250
    channel.close()
    assert len(passed) == 2
    assert server.heard.count("EHLO") == 2


def test_one_address_refused_among_others_is_kept_on_the_receipt(
    queue_one: QueueOne, rude: Callable[..., Rude]
) -> None:
    rude([HELLO, OK, "550 unknown", OK, GO, OK])
    message = whole(queue_one(recipients=["gone@example.com", "here@example.com"]))
    receipt = EmailChannel().deliver(message, at=NOW, hand_over=lambda: None)
    assert receipt.refused == {"gone@example.com": "550 unknown"}


def test_lines_that_begin_with_a_dot_arrive_whole(queue_one: QueueOne, server: Server) -> None:
    channel = EmailChannel()
    message = whole(queue_one(text=".début\n..\n.\nfin\n", html=""))
    channel.deliver(message, at=datetime(2026, 7, 1, tzinfo=UTC), hand_over=lambda: None)
    channel.close()
    (stored,) = server.sink.mails()
    assert words(stored.mail()) == ".début\n..\n.\nfin\n"
    assert stored.mail()["Date"].datetime.utcoffset() == timedelta(hours=2)
