"""Regular e-mails on their way: sent at most once, whatever breaks."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from relance.accounts.models import Organisation, User
from relance.outbox import notices
from relance.outbox.channels.base import DeliveryError
from relance.outbox.channels.email.smtp import Line
from relance.outbox.models import Notice
from relance.outbox.notices import Sheet

from .conftest import NOW, Server

pytestmark = pytest.mark.django_db


def written(organisation: Organisation | None, email: str = "camille@martin.example") -> bool:
    user, _new = User.objects.get_or_create(email=email)
    return notices.write_down(
        organisation=organisation,
        user=user,
        kind="weekly",
        on=NOW.date(),
        sheet=Sheet("Impayés : 1 234,56 €\nBcc: x@y.example", "Bonjour é\n.point\n", "<p>é</p>"),
        unsubscribe="https://relance.example/abonnements/abc/",
        useful_until=NOW + timedelta(hours=12),
        now=NOW,
    )


def test_it_leaves_once_from_the_system_address(
    organisation: Organisation, server: Server, settings: Any
) -> None:
    """S4-30."""
    settings.DEFAULT_FROM_EMAIL = "collect@relance.example"
    assert written(organisation)
    assert not written(organisation), "one of a kind a day"

    assert notices.deliver(now=NOW) == 1
    assert notices.deliver(now=NOW) == 0

    [mail] = [stored.mail() for stored in server.sink.mails()]
    assert mail["From"] == "Relance · Atelier Martin <collect@relance.example>"
    assert mail["Subject"] == "Impayés : 1 234,56 € Bcc: x@y.example"
    assert mail["Bcc"] is None
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["List-Unsubscribe"] == "<https://relance.example/abonnements/abc/>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    text = mail.get_body(("plain",))
    assert text is not None
    assert text.get_content().replace("\r\n", "\n") == "Bonjour é\n.point\n"


def test_a_notice_of_a_firm_is_written_once_a_day_by_two_processes(db: None) -> None:
    """The database refuses the second, whose process had not seen the first."""
    assert written(None)
    assert not written(None)
    first = Notice.objects.get()
    first.pk, first.message_ref = None, "<another@relance.example>"
    with pytest.raises(IntegrityError), transaction.atomic():
        first.save(force_insert=True)
    assert Notice.objects.count() == 1


def test_one_that_died_after_the_hand_over_is_never_sent_again(
    organisation: Organisation, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(organisation)

    def dies(self: Line, smtp: Any, data: bytes) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Line, "_give", dies)
        with pytest.raises(KeyboardInterrupt):
            notices.deliver(now=NOW)
    assert notices.deliver(now=NOW + timedelta(hours=1)) == 0
    assert list(server.sink.mails()) == []


def test_two_workers_at_once_send_one(
    organisation: Organisation, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one marks it while this one is about to hand it over."""
    written(organisation)
    real = Line.deliver

    def beaten(self: Line, letter: Any, *, hand_over: Any) -> Any:
        with monkeypatch.context() as patched:
            patched.setattr(Line, "deliver", real)
            assert notices.deliver(now=NOW) == 1
        return real(self, letter, hand_over=hand_over)

    monkeypatch.setattr(Line, "deliver", beaten)
    assert notices.deliver(now=NOW) == 0
    assert len(list(server.sink.mails())) == 1


def test_a_server_that_is_down_costs_nothing_and_a_refusal_is_tried_thrice(
    organisation: Organisation, server: Server
) -> None:
    written(organisation, "later@martin.example")
    server.answers["later@martin.example"] = "451 later"
    at = NOW
    for pause in (5, 30, 120):
        assert notices.deliver(now=at) == 0
        assert Notice.objects.get().not_before == at + timedelta(minutes=pause)
        at += timedelta(minutes=pause)
    notices.deliver(now=at)
    assert Notice.objects.get().handed_at is not None, "given up"

    port, server.sink.port = server.sink.port, 0
    assert port
    server.sink.stop()
    written(organisation, "camille@martin.example")
    assert notices.deliver(now=NOW) == 0
    waiting = Notice.objects.get(recipient="camille@martin.example")
    assert (waiting.attempts, waiting.not_before) == (0, NOW + timedelta(minutes=5))


def test_one_that_cannot_be_written_is_given_up_and_the_others_leave(
    organisation: Organisation, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(organisation, "broken@martin.example")
    written(organisation, "camille@martin.example")
    real = notices.envelope

    def envelope(notice: Notice, *, at: Any) -> Any:
        if notice.recipient == "broken@martin.example":
            raise UnicodeError("no such letter")
        return real(notice, at=at)

    monkeypatch.setattr(notices, "envelope", envelope)
    assert notices.deliver(now=NOW) == 1
    assert notices.deliver(now=NOW + timedelta(minutes=1)) == 0
    broken = Notice.objects.get(recipient="broken@martin.example")
    assert (broken.sent_at, broken.error) == (None, "UnicodeError: no such letter")


def test_no_answer_is_silence_not_a_second_copy(
    organisation: Organisation, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(organisation)

    def silent(self: Line, letter: Any, *, hand_over: Any) -> Any:
        hand_over()
        raise DeliveryError("timed out", uncertain=True)

    monkeypatch.setattr(Line, "deliver", silent)
    notices.deliver(now=NOW)
    monkeypatch.undo()
    assert notices.deliver(now=NOW + timedelta(hours=2)) == 0
    assert Notice.objects.get().error == "timed out"


def test_one_that_is_too_late_is_not_sent(organisation: Organisation, server: Server) -> None:
    written(organisation)
    assert notices.deliver(now=NOW + timedelta(hours=12)) == 0
    assert list(server.sink.mails()) == []


def test_they_are_forgotten_after_two_months(organisation: Organisation) -> None:
    written(organisation)
    assert notices.purge(NOW + timedelta(days=59)) == 0
    assert notices.purge(NOW + timedelta(days=61)) == 1
