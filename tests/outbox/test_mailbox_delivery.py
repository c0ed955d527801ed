"""Mailboxes with real servers: what leaves through them, and what their troubles cost others."""

import logging
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


def test_a_mailbox_that_works_again_brings_back_only_what_waited_for_it(
    organisation: Organisation,
    camille: User,
    queue_one: QueueOne,
    post_office: Open,
    clock: Clock,
) -> None:
    """What a recipient's own server put off until tomorrow is not asked for again at once."""
    mailbox = connect(organisation, post_office(login="martin", password="right"), actor=camille)
    right = mailbox.secret
    Mailbox.objects.update(secret=secrets.sealed("wrong"))
    stuck, later = queue_one(**through(mailbox)), queue_one(**through(mailbox))
    tomorrow = NOW + timedelta(hours=24)
    Message.objects.filter(pk=later.pk).update(
        status=Status.RETRYING, attempts=4, not_before=tomorrow, error="451 later"
    )
    deliver(clock)
    mailbox.refresh_from_db()
    mailbox.secret = right
    mailbox.save()
    clock.forward(minutes=1)
    assert mailbox_care.try_out(mailbox, now=clock()).code == ""
    stuck.refresh_from_db()
    later.refresh_from_db()
    assert (stuck.not_before, later.not_before) == (clock.at, tomorrow)


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
