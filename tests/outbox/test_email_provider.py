"""A provider's HTTP interface: the same promise as SMTP, against a local imitation of Brevo's."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile

from relance.accounts.models import Organisation, User
from relance.ledger.models import Customer
from relance.outbox import claims
from relance.outbox.channels.base import DeliveryError
from relance.outbox.channels.email import EmailChannel
from relance.outbox.models import Message, Status

from .conftest import NOW, Clock, Server, make_invoice
from .post_office import Open
from .test_email import whole
from .test_mailbox_delivery import connect, deliver, through

pytestmark = pytest.mark.django_db

QueueOne = Callable[..., Message]


class Brevo:
    """Answers as told: a status, "hang up" after having read, or silence for a while."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.answer: tuple[int, dict[str, Any]] | str = (201, {"messageId": "<abc@brevo>"})
        self.over = threading.Event()
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = int(self.headers["Content-Length"])
                provider.taken.append(json.loads(self.rfile.read(size)))
                if provider.answer == "hang up":
                    self.close_connection = True
                    return
                if provider.answer == "silence":
                    provider.over.wait(5)
                    return
                status, said = provider.answer
                body = json.dumps(said).encode() if said else b"<html>"
                self.send_response(status)  # type: ignore[arg-type]
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                return None

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v3/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.over.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def brevo(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Brevo]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    provider = Brevo()
    settings.EMAIL_PROVIDER = "brevo"
    settings.EMAIL_BACKEND = "anymail.backends.brevo.EmailBackend"
    settings.ANYMAIL = {
        "BREVO_API_KEY": "key",
        "BREVO_API_URL": provider.url,
        "REQUESTS_TIMEOUT": (1, 0.5),
    }
    yield provider
    provider.stop()


def send(message: Message) -> Any:
    channel = EmailChannel()
    try:
        return channel.deliver(whole(message), at=NOW, hand_over=lambda: None)
    finally:
        channel.close()


def test_a_mail_goes_whole_to_the_provider(
    queue_one: QueueOne, brevo: Brevo, customer: Customer, tmp_path: Path, settings: Any
) -> None:
    """Threads, replies, blind copies and PDFs as over SMTP."""
    settings.MEDIA_ROOT = tmp_path
    invoice = make_invoice(customer, "Dév-8")
    invoice.document.save("x.pdf", ContentFile(b"%PDF-1"))
    message = queue_one(invoice, copies=["hidden@example.org"], subject="Échéance passée 😀")
    Message.objects.update(in_reply_to="<0@example.org>", thread="<0@example.org>")

    receipt = send(message)

    assert (receipt.code, receipt.answer, receipt.refused) == (250, "<abc@brevo>", {})
    [asked] = brevo.taken
    assert asked["subject"] == "Échéance passée 😀"
    assert asked["sender"] == {"name": "Atelier Martin", "email": "collect@example.org"}
    assert asked["replyTo"] == {"email": "compta@martin.example"}
    assert asked["to"] == [{"email": "dupont@example.com"}]
    assert asked["bcc"] == [{"email": "hidden@example.org"}]
    assert asked["textContent"] == message.text
    assert "est échue" in asked["htmlContent"]
    assert [one["name"] for one in asked["attachment"]] == ["Dév-8.pdf"]
    assert asked["headers"] == {
        "Message-ID": message.message_ref,
        "In-Reply-To": "<0@example.org>",
        "References": "<0@example.org>",
        "Auto-Submitted": "auto-generated",
    }


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (400, "permanent", 550),
        (413, "permanent", 550),
        (401, "later", 451),
        (429, "later", 451),
        (503, "later", 451),
        (408, "uncertain", None),
        (500, "uncertain", None),
        (502, "uncertain", None),
    ],
)
def test_what_an_answer_means(
    queue_one: QueueOne, brevo: Brevo, status: int, kind: str, code: int | None
) -> None:
    """4xx is a definite refusal; of a 5xx nobody knows whether the mail was taken before."""
    brevo.answer = (status, {"message": "no"})
    with pytest.raises(DeliveryError) as error:
        send(queue_one())
    told = error.value
    assert (told.permanent, told.uncertain) == (kind == "permanent", kind == "uncertain")
    assert told.code == code
    assert not told.unreachable


@pytest.mark.parametrize("answer", ["hang up", "silence", (201, {})])
def test_no_answer_that_can_be_read_is_uncertain(
    queue_one: QueueOne, brevo: Brevo, clock: Clock, answer: Any
) -> None:
    """Once the request has left: the message is asked about, never sent again by itself."""
    brevo.answer = answer
    message = queue_one()
    assert deliver(clock).uncertain == 1
    message.refresh_from_db()
    assert message.status == Status.UNCERTAIN
    brevo.answer = (201, {"messageId": "<x>"})
    clock.forward(days=2)
    assert deliver(clock).claimed == 0
    assert len(brevo.taken) == 1


def test_a_provider_that_is_down_costs_no_message_a_try(
    queue_one: QueueOne, brevo: Brevo, clock: Clock
) -> None:
    brevo.stop()
    message = queue_one()
    report = deliver(clock)
    assert report.unreachable
    message.refresh_from_db()
    assert (message.status, message.attempts) == (Status.QUEUED, 0)


def test_a_lost_claim_sends_nothing(queue_one: QueueOne, brevo: Brevo) -> None:
    def lost() -> None:
        raise claims.ClaimLostError

    with pytest.raises(claims.ClaimLostError):
        EmailChannel().deliver(whole(queue_one()), at=NOW, hand_over=lost)
    assert brevo.taken == []


def test_a_connected_mailbox_still_leaves_by_its_own_server(
    organisation: Organisation,
    queue_one: QueueOne,
    brevo: Brevo,
    post_office: Open,
    server: Server,
    clock: Clock,
) -> None:
    camille = User.objects.create_user("camille@martin.example")
    office = post_office()
    queue_one(**through(connect(organisation, office, actor=camille)))
    queue_one()
    assert deliver(clock).sent == 2
    assert (len(office.mails), len(brevo.taken)) == (1, 1)
    assert list(server.sink.mails()) == []
