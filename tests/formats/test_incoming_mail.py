"""Bounces, absence notes, complaints and letters, told apart (spec mail B2, B3)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance.formats.incoming_mail import Kind, read


def report(action: str, status: str, said: str, *, original: str = "") -> bytes:
    """A delivery report as mail servers write it, our own mail returned at its end."""
    asked = f"Original-Recipient: rfc822;{original}\n" if original else ""
    return (
        "From: MAILER-DAEMON@mx.exemple.test\nTo: nous@exemple.test\n"
        "Subject: Undelivered Mail\nMIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        "--b\nContent-Type: text/plain\n\nIt could not be delivered.\n"
        "--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.exemple.test\n\n"
        f"{asked}Final-Recipient: rfc822; Client@Exemple.test\nAction: {action}\n"
        f"Status: {status}\nDiagnostic-Code: smtp; {said}\n\n"
        "--b\nContent-Type: message/rfc822\n\nMessage-ID: <notre.relance@exemple.test>\n"
        "To: client@exemple.test\nSubject: Votre facture\n\nBonjour\n--b--\n"
    ).encode()


def plain(sender: str, subject: str, body: str, *headers: str) -> bytes:
    return "\n".join([f"From: {sender}", f"Subject: {subject}", *headers, "", body]).encode()


@pytest.mark.parametrize(
    ("action", "status", "said", "kind", "dead", "final"),
    [
        ("failed", "5.1.1", "550 5.1.1 user unknown", Kind.HARD, True, True),
        ("failed", "5.1.10", "550 RecipientNotFound", Kind.HARD, True, True),
        ("failed", "5.0.0", "550 No such user here", Kind.HARD, True, True),
        ("failed", "5.2.2", "552 mailbox full", Kind.HARD, False, True),
        ("failed", "5.7.1", "554 blocked by policy", Kind.HARD, False, True),
        ("failed", "4.4.7", "expired", Kind.SOFT, False, True),
        ("delayed", "4.4.1", "connection refused", Kind.SOFT, False, False),
        ("delayed", "5.1.1", "a delay is never a failure", Kind.SOFT, False, False),
        ("expired-now", "", "Connection timed out", Kind.SOFT, False, True),
    ],
)
def test_a_report_is_hard_or_soft_by_its_class_and_says_whether_the_address_is_dead(
    action: str, status: str, said: str, kind: Kind, dead: bool, final: bool
) -> None:
    reading = read(report(action, status, said))
    assert (reading.kind, reading.dead, reading.final) == (kind, dead, final)
    assert reading.address == "client@exemple.test"
    assert reading.about == ("<notre.relance@exemple.test>",)


def test_the_address_is_the_one_we_wrote_to_and_not_the_one_it_was_forwarded_to() -> None:
    reading = read(report("failed", "5.1.1", "unknown", original="compta@exemple.test"))
    assert reading.address == "compta@exemple.test"


def test_a_better_status_hidden_in_the_words_of_the_server_is_taken() -> None:
    assert read(report("failed", "5.0.0", "550 5.2.2 Mailbox full")).status == "5.2.2"


def test_a_report_of_success_is_no_bounce() -> None:
    assert read(report("delivered", "2.0.0", "250 ok")).kind == Kind.LETTER


def test_a_report_whose_boundaries_are_broken_is_still_read() -> None:
    raw = report("failed", "5.1.1", "550 unknown").replace(b'boundary="b"', b'boundary="other"')
    assert (read(raw).kind, read(raw).address) == (Kind.HARD, "client@exemple.test")


@pytest.mark.parametrize(
    ("body", "kind", "dead"),
    [
        (
            (
                "Hi. This is the qmail-send program at exemple.test.\n\n<client@exemple.test>:\n"
                "Sorry, no mailbox here by that name. (#5.1.1)\n\n"
                "--- Below this line is a copy of the message.\n\n"
                "Message-ID: <notre@exemple.test>\n"
            ),
            Kind.HARD,
            True,
        ),
        (
            (
                "This message was created automatically.\nThis is a permanent error."
                "\n\n  client@exemple.test\n    550 5.7.1 relaying denied\n"
            ),
            Kind.HARD,
            False,
        ),
        (
            (
                "THIS IS A WARNING MESSAGE ONLY.\n\nDelivery has been delayed:\n\n"
                "     client@exemple.test\n"
            ),
            Kind.SOFT,
            False,
        ),
    ],
)
def test_servers_that_write_free_text_are_understood(body: str, kind: Kind, dead: bool) -> None:
    reading = read(plain("MAILER-DAEMON@exemple.test", "failure notice", body))
    assert (reading.kind, reading.dead, reading.address) == (kind, dead, "client@exemple.test")


def test_an_absence_note_is_no_answer() -> None:
    """By its header (RFC 3834) or, from those who set none, by its subject."""
    marked = plain("a@b.test", "Re: Facture", "Je reviens.", "Auto-Submitted: auto-replied")
    titled = plain("a@b.test", "Réponse automatique : Facture", "Absente.", "In-Reply-To: <x@y.z>")
    assert read(marked).kind == Kind.AUTO_REPLY
    assert read(titled).kind == Kind.AUTO_REPLY
    assert read(titled).about == ("<x@y.z>",)


def test_a_complaint_names_the_recipient_who_complained() -> None:
    raw = (
        b"From: fbl@exemple.test\nContent-Type: multipart/report; report-type=feedback-report;"
        b' boundary="b"\n\n--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\n'
        b"Original-Rcpt-To: client@exemple.test\n\n--b\nContent-Type: message/rfc822\n\n"
        b"Message-ID: <notre@exemple.test>\n\nBonjour\n--b--\n"
    )
    reading = read(raw)
    assert (reading.kind, reading.address) == (Kind.COMPLAINT, "client@exemple.test")
    assert reading.about == ("<notre@exemple.test>",)


def test_a_letter_from_a_person_is_one_even_when_it_quotes_a_failure() -> None:
    raw = plain("Paul <paul@b.test>", "Re: Facture", "On m'a dit : 550 5.1.1 user unknown ?")
    assert (read(raw).kind, read(raw).address) == (Kind.LETTER, "paul@b.test")


@given(st.binary(max_size=400))
def test_nothing_that_arrives_can_break_the_reader(noise: bytes) -> None:
    assert read(noise).kind in Kind
    assert read(report("failed", "5.1.1", "x") + noise).kind in Kind
