"""Mailboxes with real servers: what leaves through them, and what their troubles cost others."""

import logging
import socket
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from relance.accounts.models import Organisation, User
from relance.history.models import Event
from relance.outbox import delivery, identity, mailbox_care, mailboxes, secrets, services
from relance.outbox.channels.base import Channel
from relance.outbox.channels.email import EmailChannel
from relance.outbox.channels.email.check import Trial
from relance.outbox.channels.email.mime import Envelope
from relance.outbox.channels.email.servers import ForbiddenHostError, allowed_addresses
from relance.outbox.delivery import Hooks, Report
from relance.outbox.models import Mailbox, Message, Status

from .conftest import NOW, Clock, Server
from .post_office import Open, PostOffice, certificate

pytestmark = pytest.mark.django_db

QueueOne = Callable[..., Message]


@pytest.fixture
def camille(db: None) -> User:
    return User.objects.create_user("camille@martin.example", full_name="Camille Le Goff")


def connect(
    organisation: Organisation, office: PostOffice, *, actor: User, **fields: Any
) -> Mailbox:
    """A mailbox of this server, not tried yet."""
    values = {
        "organisation": organisation,
        "address": "compta@martin.example",
        "host": "127.0.0.1",
        "port": office.port,
        "security": Mailbox.Security.NONE,
        "username": office.login,
        "checked_at": NOW,
    }
    mailbox = Mailbox(**(values | fields))
    return mailbox_care.save(mailbox, password=office.password, actor=actor, on=NOW.date(), now=NOW)


def deliver(clock: Clock, make: Callable[[], Channel] = EmailChannel) -> Report:
    return delivery.deliver_batch(
        worker=identity.new_name(), now=clock, hooks=Hooks(), channels={"email": make}
    )


def through(mailbox: Mailbox, **fields: Any) -> dict[str, Any]:
    """Fields of a draft that leaves through it."""
    return {"mailbox": mailbox, "sender": mailbox.address, "reply_to": ""} | fields


# --- what leaves -------------------------------------------------------------------------------


def test_each_message_leaves_through_its_mailbox_over_one_connection(
    organisation: Organisation,
    camille: User,
    queue_one: QueueOne,
    post_office: Open,
    server: Server,
    clock: Clock,
) -> None:
    """S2-22: from the user's address; S2-23: the system's mails answer to another."""
    mine = post_office(login="camille", password="s3cret {}")
    common = post_office(login="martin", password="autre")
    own = connect(organisation, mine, actor=camille, owner=camille, address=camille.email)
    shared = connect(organisation, common, actor=camille)
    for _ in range(3):
        queue_one(**through(own), recipients=["a@example.com"], copies=[camille.email])
        queue_one(**through(shared, reply_to=camille.email))
        queue_one()

    assert deliver(clock).sent == 9

    assert [mail["From"] for mail in mine.mails] == ["camille@martin.example"] * 3
    assert mine.mails[0]["Reply-To"] is None
    assert mine.envelopes[0].rcpt_tos == ["a@example.com", "camille@martin.example"]
    assert mine.envelopes[0].mail_from == "camille@martin.example"
    assert [mail["Reply-To"] for mail in common.mails] == ["camille@martin.example"] * 3
    system = [stored.headers() for stored in server.sink.mails()]
    assert {mail["From"] for mail in system} == {"Atelier Martin <collect@example.org>"}
    assert {mail["Reply-To"] for mail in system} == {"compta@martin.example"}
    # aiosmtpd asks for EHLO once per connection, smtplib again after a login
    assert max(mine.connections, common.connections) <= 2


def test_a_message_of_the_system_answers_to_the_user(
    organisation: Organisation,
    camille: User,
    queue_one: QueueOne,
    server: Server,
    clock: Clock,
    settings,
) -> None:
    """S2-19, S2-20, S2-21, S2-23: as it arrives, by a real server."""
    settings.DEFAULT_FROM_EMAIL = "collect@relance.example"
    sender = mailboxes.sender_of(organisation, camille)
    queue_one(sender=sender.sender, reply_to=sender.reply_to, copies=[camille.email])

    assert deliver(clock).sent == 1

    [mail] = [stored.mail() for stored in server.sink.mails()]
    assert mail["From"] == "Atelier Martin <collect@relance.example>"
    assert mail["Reply-To"] == "camille@martin.example"
    assert mail["X-RcptTo"] == "dupont@example.com, camille@martin.example"
    assert "camille" not in str(mail["To"])


def test_a_mailbox_over_tls_is_used_only_with_a_certificate_one_can_trust(
    organisation: Organisation,
    camille: User,
    post_office: Open,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    context, authority = certificate(tmp_path)
    started = post_office(login="a", password="b", tls=context)
    implicit = post_office(login="a", password="b", tls=context, from_the_start=True)
    boxes = [
        connect(organisation, office, actor=camille, host="localhost", security=kind, address=to)
        for office, kind, to in (
            (started, "starttls", "a@martin.example"),
            (implicit, "tls", "b@martin.example"),
        )
    ]
    for box in boxes:
        assert mailbox_care.try_out(box, now=NOW) == Trial("CERTIFICATE", ("name", "port"))
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    for box in boxes:
        assert mailbox_care.try_out(box, now=NOW).code == ""
    wrong_name = connect(
        organisation, implicit, actor=camille, security="tls", address="c@martin.example"
    )
    assert mailbox_care.try_out(wrong_name, now=NOW).code == "CERTIFICATE"


# --- troubles of one, peace of the others ------------------------------------------------------


def test_a_mailbox_that_refuses_its_login_rests_and_the_others_go_on(
    organisation: Organisation,
    camille: User,
    queue_one: QueueOne,
    post_office: Open,
    server: Server,
    clock: Clock,
) -> None:
    office = post_office(login="martin", password="right")
    mailbox = connect(organisation, office, actor=camille)
    Mailbox.objects.update(secret=secrets.sealed("wrong"))
    stuck = [queue_one(**through(mailbox)) for _ in range(3)]
    free = queue_one()

    report = deliver(clock)

    assert (report.sent, report.unreachable) == (1, "")
    free.refresh_from_db()
    assert free.status == Status.SENT
    for message in stuck:
        message.refresh_from_db()
        assert (message.status, message.attempts) == (Status.QUEUED, 0)
        assert message.not_before == NOW + timedelta(minutes=5)
        assert "535" in message.error or "Authentication" in message.error
    mailbox.refresh_from_db()
    assert mailbox.check_error.startswith("LOGIN_REFUSED 535")
    assert deliver(clock) == Report(), "nothing is claimed again and again in vain"

    later = queue_one(**through(mailbox))
    tried = office.connections
    assert deliver(clock).sent == 0
    assert office.connections == tried, "a resting mailbox is left alone"
    later.refresh_from_db()
    assert later.not_before == mailbox.paused_until

    clock.forward(minutes=5)
    deliver(clock)
    mailbox.refresh_from_db()
    assert (mailbox.failures, mailbox.paused_until) == (2, clock.at + timedelta(minutes=15))


def test_what_waited_leaves_at_once_when_the_mailbox_works_again(
    organisation: Organisation,
    camille: User,
    queue_one: QueueOne,
    post_office: Open,
    clock: Clock,
) -> None:
    office = post_office(login="martin", password="right")
    mailbox = connect(organisation, office, actor=camille)
    Mailbox.objects.update(secret=secrets.sealed("wrong"))
    message = queue_one(**through(mailbox))
    deliver(clock)
    mailbox.refresh_from_db()
    mailbox_care.save(mailbox, password="right", actor=camille, on=NOW.date(), now=NOW)
    mailbox.paused_until = NOW + timedelta(minutes=5)

    assert mailbox_care.try_out(mailbox, now=NOW).code == ""

    assert deliver(clock).sent == 1
    message.refresh_from_db()
    assert (message.status, message.error) == (Status.SENT, "")


def test_a_success_ends_the_trouble(
    organisation: Organisation,
    camille: User,
    queue_one: QueueOne,
    post_office: Open,
    clock: Clock,
) -> None:
    mailbox = connect(organisation, post_office(), actor=camille)
    Mailbox.objects.update(failures=3, check_error="PORT_SILENT", paused_until=NOW)
    queue_one(**through(mailbox))
    clock.forward(seconds=1)

    assert deliver(clock).sent == 1

    mailbox.refresh_from_db()
    assert (mailbox.failures, mailbox.check_error, mailbox.paused_until) == (0, "", None)


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


# --- trials ------------------------------------------------------------------------------------


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


# --- passwords ---------------------------------------------------------------------------------


def test_a_password_is_nowhere_in_the_clear(
    organisation: Organisation,
    camille: User,
    queue_one: QueueOne,
    post_office: Open,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    office = post_office(login="martin", password="hunter-two-2")
    mailbox = connect(organisation, office, actor=camille)
    mailbox_care.try_out(mailbox, now=NOW)
    queue_one(**through(mailbox))
    assert deliver(clock).sent == 1
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608
            assert "hunter-two-2" not in str(cursor.fetchall()), table
    assert "hunter-two-2" not in caplog.text
    assert Event.objects.filter(kind="mailbox_saved").exists()


def test_a_password_survives_a_change_of_the_secret_key(settings) -> None:
    settings.SECRET_KEY = "old"
    token = secrets.sealed("hunter-two-2")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", ["old"]
    assert secrets.opened(token) == "hunter-two-2"
    fresh = secrets.renewed(token)
    settings.SECRET_KEY_FALLBACKS = []
    assert secrets.opened(fresh) == "hunter-two-2"
    with pytest.raises(secrets.SecretLostError):
        secrets.opened(token)


def test_every_password_is_encrypted_anew_by_one_command(
    organisation: Organisation, camille: User, post_office: Open, settings
) -> None:
    settings.SECRET_KEY = "old"
    mailbox = connect(organisation, post_office(login="a", password="b"), actor=camille)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", ["old"]

    call_command("rekey")

    settings.SECRET_KEY_FALLBACKS = []
    mailbox.refresh_from_db()
    assert secrets.opened(mailbox.secret) == "b"
    settings.SECRET_KEY = "newer"
    with pytest.raises(CommandError, match="RELANCE_SECRET_KEY_FALLBACKS"):
        call_command("rekey")


def test_a_password_that_cannot_be_read_any_more_is_asked_for_again(
    organisation: Organisation,
    camille: User,
    queue_one: QueueOne,
    post_office: Open,
    clock: Clock,
    settings,
) -> None:
    mailbox = connect(organisation, post_office(login="a", password="b"), actor=camille)
    queue_one(**through(mailbox))
    settings.SECRET_KEY = "lost"

    deliver(clock)

    mailbox.refresh_from_db()
    assert mailbox.check_error == "PASSWORD_LOST"
    assert mailbox_care.try_out(mailbox, now=NOW).code == "PASSWORD_LOST"


def test_whoever_changes_where_a_password_goes_types_it_anew(
    organisation: Organisation, camille: User, post_office: Open
) -> None:
    """Else an administrator could have a colleague's password sent to a server of his own."""
    mailbox = connect(organisation, post_office(login="a", password="b"), actor=camille)
    mailbox.host = "evil.example"
    with pytest.raises(mailbox_care.MailboxError, match="PASSWORD_NEEDED"):
        mailbox_care.save(mailbox, password=None, actor=camille, on=NOW.date(), now=NOW)
    mailbox.refresh_from_db()
    mailbox.name = "Compta"
    mailbox_care.save(mailbox, password=None, actor=camille, on=NOW.date(), now=NOW)
    assert secrets.opened(mailbox.secret) == "b"


# --- removal -----------------------------------------------------------------------------------


def test_what_waits_in_a_removed_mailbox_leaves_from_the_organisation(
    organisation: Organisation,
    camille: User,
    queue_one: QueueOne,
    post_office: Open,
    server: Server,
    clock: Clock,
    settings,
) -> None:
    settings.DEFAULT_FROM_EMAIL = "collect@relance.example"
    mailbox = connect(organisation, post_office(login="a", password="b"), actor=camille)
    sent = queue_one(**through(mailbox))
    assert deliver(clock).sent == 1
    waiting = queue_one(**through(mailbox))
    failed = queue_one(**through(mailbox), status=Status.TO_APPROVE)
    services.mark_failed(message=failed, answer="550 no", now=NOW)

    assert mailbox_care.retire(mailbox, actor=camille, on=NOW.date(), now=NOW) == 1

    mailbox.refresh_from_db()
    assert mailbox.secret == ""
    assert mailboxes.senders(organisation, camille)[0].key == "system"
    assert deliver(clock).sent == 1
    [mail] = [stored.headers() for stored in server.sink.mails()]
    assert mail["From"] == "Atelier Martin <collect@relance.example>"
    assert mail["Reply-To"] == "compta@martin.example"
    waiting.refresh_from_db()
    sent.refresh_from_db()
    assert (waiting.mailbox, sent.mailbox, sent.sender) == (None, mailbox, mailbox.address)

    failed.refresh_from_db()
    services.retry(message=failed, now=NOW)
    assert (failed.mailbox, failed.reply_to) == (None, "compta@martin.example")
    assert deliver(clock).sent == 1


def test_a_mailbox_is_not_removed_under_a_message_that_leaves(
    organisation: Organisation, camille: User, queue_one: QueueOne, post_office: Open
) -> None:
    mailbox = connect(organisation, post_office(), actor=camille)
    queue_one(**through(mailbox))
    Message.objects.update(status=Status.SENDING)
    with pytest.raises(mailbox_care.MailboxError, match="LEAVING"):
        mailbox_care.retire(mailbox, actor=camille, on=NOW.date(), now=NOW)


def test_only_a_mailbox_of_the_organisation_that_works_can_carry_what_is_automatic(
    organisation: Organisation, camille: User, post_office: Open
) -> None:
    """S4-05."""
    office = post_office()
    own = connect(organisation, office, actor=camille, owner=camille, address=camille.email)
    common = connect(organisation, office, actor=camille)
    mailbox_care.try_out(own, now=NOW)
    for refused in (own, common):
        with pytest.raises(mailbox_care.MailboxError, match="NOT_CHECKED"):
            mailbox_care.make_default(organisation, refused, actor=camille, on=NOW.date(), now=NOW)
    mailbox_care.try_out(common, now=NOW)
    mailbox_care.make_default(organisation, common, actor=camille, on=NOW.date(), now=NOW)
    assert mailboxes.automatic_sender(organisation).mailbox == common
    mailbox_care.make_default(organisation, None, actor=camille, on=NOW.date(), now=NOW)
    assert mailboxes.automatic_sender(organisation).mailbox is None
