"""Trials of mailboxes with real servers, and where nobody is led to."""

import socket
import threading
from typing import Any

import pytest

from relance.accounts.models import Organisation, User
from relance.outbox import mailbox_care
from relance.outbox.channels.email.check import Trial
from relance.outbox.channels.email.mime import Envelope
from relance.outbox.reach import ForbiddenHostError, allowed_addresses

from .conftest import NOW
from .post_office import Open
from .test_mailbox_delivery import connect

pytestmark = pytest.mark.django_db


@pytest.fixture
def camille(db: None) -> User:
    return User.objects.create_user("camille@martin.example", full_name="Camille Le Goff")


def test_a_server_that_never_finishes_its_answer_is_cut_off(
    organisation: Organisation,
    camille: User,
    post_office: Open,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It sends a byte before each time-out: only a limit over everything ends that."""
    from relance.outbox.channels.email import check as trials

    monkeypatch.setattr(trials, "WHOLE_SECONDS", 0.5)
    with Drip() as drip:
        mailbox = connect(organisation, post_office(), actor=camille, port=drip.port)
        trial = mailbox_care.try_out(mailbox, now=NOW)
    assert (trial.step, trial.done) == ("port", ("name",))


class Drip:
    """A server that greets for ever."""

    def __enter__(self) -> "Drip":
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.over = threading.Event()
        threading.Thread(target=self._play, daemon=True).start()
        return self

    def _play(self) -> None:
        line, _address = self.socket.accept()
        with line:
            while not self.over.wait(0.1):
                try:
                    line.sendall(b"2")
                except OSError:
                    return

    def __exit__(self, *_exc: object) -> None:
        self.over.set()
        self.socket.close()


def test_a_trial_says_how_far_it_came(
    organisation: Organisation, camille: User, post_office: Open
) -> None:
    office = post_office(login="martin", password="right", senders=("compta@martin.example",))
    plain = post_office()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = taken.getsockname()[1]

    def tried(number: int, password: str = office.password, **fields: Any) -> Trial:
        fields.setdefault("address", f"{number}@martin.example")
        mailbox = connect(organisation, office, actor=camille, **fields)
        mailbox_care.save(mailbox, password=password, actor=camille, on=NOW.date(), now=NOW)
        return mailbox_care.try_out(mailbox, now=NOW)

    assert tried(1, host="nulle-part.invalid") == Trial("HOST_UNKNOWN", ())
    assert tried(2, host="a" * 70 + ".example").code == "HOST_UNKNOWN"
    assert tried(3, port=closed) == Trial("PORT_CLOSED", ("name",))
    assert tried(4, security="starttls") == Trial("NO_STARTTLS", ("name", "port"))
    assert tried(5, security="tls") == Trial("TLS_REFUSED", ("name", "port"))
    refused = tried(6, password="wrong")
    assert (refused.code, refused.done) == ("LOGIN_REFUSED", ("name", "port", "tls"))
    assert refused.answer.startswith("535 ")
    assert tried(11, password="motdepassé").code == "LOGIN_NOT_ASCII"
    assert tried(7, username="").code in ("LOGIN_REFUSED", "SENDER_REFUSED")
    assert tried(8, port=plain.port).code == "NO_LOGIN"
    assert tried(9) == Trial(
        "SENDER_REFUSED",
        ("name", "port", "tls", "login"),
        "553 5.7.1 sender address not owned by user",
    )
    good = tried(10, address="compta@martin.example")
    assert good == Trial("", ("name", "port", "tls", "login", "sender"))
    assert office.mails == [], "a trial sends nothing"


def test_a_trial_can_send_a_message_to_oneself(
    organisation: Organisation, camille: User, post_office: Open
) -> None:
    office = post_office()
    mailbox = connect(organisation, office, actor=camille)
    letter = Envelope(mailbox.address, [camille.email], b"Subject: Essai\r\n\r\nBonjour\r\n")

    assert mailbox_care.try_out(mailbox, now=NOW, letter=letter).done[-1] == "message"

    assert [mail["Subject"] for mail in office.mails] == ["Essai"]


def test_what_listens_elsewhere_tells_nothing_of_itself(
    organisation: Organisation, camille: User, post_office: Open
) -> None:
    """A server that is none of mail is not quoted to whoever typed its address."""
    with socket.create_server(("127.0.0.1", 0)) as other:

        def greet() -> None:
            line, _address = other.accept()
            line.sendall(b"SSH-2.0-private-build-17\r\n")
            line.close()

        threading.Thread(target=greet, daemon=True).start()
        mailbox = connect(organisation, post_office(), actor=camille, port=other.getsockname()[1])
        trial = mailbox_care.try_out(mailbox, now=NOW)
    assert trial == Trial("NOT_SMTP", ("name",))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "10.0.0.1",
        "192.168.1.4",
        "172.16.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "0.0.0.0",  # noqa: S104
        "2130706433",
        "0x7f.1",
        "::1",
        "fe80::1",
        "fd00:ec2::254",
        "fec0::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "224.0.0.1",
    ],
)
def test_no_host_leads_to_this_machine_or_its_neighbours(host: str) -> None:
    with pytest.raises(ForbiddenHostError):
        allowed_addresses(host, 587)


def test_metadata_stays_out_of_reach_even_on_a_private_network(settings) -> None:
    settings.SMTP_PRIVATE_NETWORKS = True
    assert allowed_addresses("10.0.0.1", 2525) == ["10.0.0.1"]
    for host in ("169.254.169.254", "fe80::1", "::ffff:169.254.169.254"):
        with pytest.raises(ForbiddenHostError):
            allowed_addresses(host, 587)


def test_only_ports_of_mail_are_tried_on_the_public_network() -> None:
    assert allowed_addresses("9.9.9.9", 587) == ["9.9.9.9"]
    with pytest.raises(ForbiddenHostError):
        allowed_addresses("9.9.9.9", 22)
