"""The server that keeps mails for the demo, the tests and the bench."""

import smtplib
from pathlib import Path

import pytest

from relance.ops.smtp_sink import Sink


def send(port: int, subject: str) -> None:
    with smtplib.SMTP("127.0.0.1", port) as smtp:
        smtp.sendmail("a@example.org", ["b@example.com"], f"Subject: {subject}\r\n\r\nBonjour\r\n")


def test_mails_are_kept_whole_and_in_order_over_restarts(tmp_path: Path) -> None:
    for round_ in ("un", "deux"):
        sink = Sink(tmp_path)
        sink.start()
        send(sink.port, round_)
        sink.stop()
        sink.stop()
    first, second = Sink(tmp_path).mails()
    assert [first.headers()["Subject"], second.headers()["Subject"]] == ["un", "deux"]
    assert first.mail()["X-RcptTo"] == "b@example.com"
    assert first.mail().get_content().strip() == "Bonjour"


def test_a_refused_mail_is_not_kept(tmp_path: Path) -> None:
    sink = Sink(tmp_path, answer=lambda envelope: "451 later")
    sink.start()
    with pytest.raises(smtplib.SMTPDataError):
        send(sink.port, "un")
    sink.stop()
    assert list(sink.mails()) == []


def test_a_port_in_use_is_said(tmp_path: Path) -> None:
    sink = Sink(tmp_path)
    sink.start()
    with pytest.raises(OSError, match="in use"):
        Sink(tmp_path, port=sink.port).start()
    sink.stop()
