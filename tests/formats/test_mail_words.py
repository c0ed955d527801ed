"""What a person reads of a mail: words, quotes apart, files; whatever its sender intended."""

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance.formats.incoming_mail import Kind, read
from relance.formats.mail_words import MOST_FILES, fold, read_files, read_words


def mail(body: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join([b"From: Zoe <Zoe@Client.test>", *headers, b"", body])


def html(markup: str) -> str:
    raw = mail(markup.encode(), b"Content-Type: text/html; charset=utf-8")
    return read_words(raw).text


def test_the_plain_text_is_taken_before_the_html() -> None:
    raw = mail(
        b"--b\r\nContent-Type: text/html\r\n\r\n<p>riche</p>\r\n"
        b"--b\r\nContent-Type: text/plain\r\n\r\nsimple\r\n--b--",
        b"MIME-Version: 1.0",
        b'Content-Type: multipart/alternative; boundary="b"',
    )
    assert read_words(raw).text == "simple"


def test_html_becomes_what_one_would_read_and_nothing_of_it_runs() -> None:
    text = html(
        "<head><title>x</title></head><style>p{}</style>"
        "<p>Bonjour&nbsp;!<br>Nous <b>payons</b>.</p>"
        "<script>alert(1)</script><img src=x onerror=alert(1)><div>Zo&eacute;</div>"
    )
    assert [line for line in text.split("\n") if line] == ["Bonjour !", "Nous payons.", "Zoé"]


@pytest.mark.parametrize(
    ("charset", "body", "text"),
    [
        ("iso-8859-1", "Reçu".encode("latin-1"), "Reçu"),
        ("utf-8", "Reçu".encode("cp1252"), "Reçu"),
        ("no-such-charset", "Reçu".encode(), "Reçu"),
        ("us-ascii", "Reçu".encode(), "Reçu"),
        ("utf-8", b"a\x00b\x1bc", "abc"),
    ],
)
def test_a_wrong_charset_is_no_obstacle(charset: str, body: bytes, text: str) -> None:
    raw = mail(body, f"Content-Type: text/plain; charset={charset}".encode())
    assert read_words(raw).text == text


@pytest.mark.parametrize(
    "quoted",
    [
        "Le mar. 24 nov. 2026 à 09:00, Relances <r@k.test> a écrit :\n> Bonjour",
        "Le mar. 24 nov. 2026 à 09:00, Relances de la maison\n<r@k.test> a écrit :\n\n> Bonjour",
        "On Tue, Nov 24, 2026, Relances wrote:\n> Hello",
        "-----Message d’origine-----\nDe : Relances\nBonjour",
        "De : Relances\nEnvoyé : mardi 24 novembre 2026\nÀ : Zoé\n\nBonjour",
        "> Bonjour\n> Votre facture",
    ],
)
def test_what_is_quoted_is_told_apart(quoted: str) -> None:
    assert fold(f"C’est payé.\n\n{quoted}") == ("C’est payé.", quoted)


def test_a_mail_of_quotes_alone_is_shown_whole() -> None:
    assert fold("> Bonjour\n> encore") == ("> Bonjour\n> encore", "")
    assert fold("Le virement est parti.") == ("Le virement est parti.", "")


def test_names_of_files_are_made_safe_and_signatures_left_out() -> None:
    parts = [
        b'Content-Disposition: attachment; filename="../../../etc/passwd"\r\n\r\nx',
        b'Content-Disposition: attachment; filename="facture\xe2\x80\xaefdp.exe"\r\n\r\nx',
        b'Content-Type: image/png; name="logo.png"\r\nContent-ID: <l>\r\n\r\nx',
        b"Content-Type: application/pdf\r\nContent-Disposition: attachment\r\n\r\nx",
    ]
    raw = mail(
        b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + b"--b--",
        b'Content-Type: multipart/mixed; boundary="b"',
    )
    names = [one.name for one in read_files(raw)]
    assert names[0] == "etc-passwd"
    assert "\u202e" not in names[1]
    assert names[2:] == ["fichier-3"]


def test_a_header_cannot_begin_another_line() -> None:
    raw = mail(b"x", b"Subject: =?utf-8?q?a=0D=0ABcc:_x@y.z?=", b"To: a@b.test")
    assert "\n" not in read_words(raw).subject
    assert read_words(raw).sender == "zoe@client.test"


def nested(depth: int) -> bytes:
    opening = b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (n, n)
        for n in range(depth)
    )
    return b"From: a@b.test\r\n" + opening + b"\r\nx"


BOMBS = {
    "nested a thousand times": nested(1000),
    "a hundred thousand parts": mail(
        b"--b\r\n\r\nx\r\n" * 100_000, b'Content-Type: multipart/mixed; boundary="b"'
    ),
    "a header of a megabyte": b"From: a@b.test\r\nTo: " + b"a@b.test, " * 100_000 + b"\r\n\r\nx",
    "a subject of a megabyte": b"From: a@b.test\r\nSubject: "
    + b"=?utf-8?q?a?= " * 80_000
    + b"\r\n\r\nx",
    "ten thousand recipients": (
        b"From: MAILER-DAEMON@x.test\r\n"
        b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        b"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\n"
        + b"".join(
            b"Final-Recipient: rfc822; u%d@b.test\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n" % n
            for n in range(10_000)
        )
        + b"--b--"
    ),
    "one line of ten megabytes": mail(b"a" * 10_000_000),
    "spaces without end": mail(b"Le " + b" " * 200_000 + b"x\n" + b"On " * 100_000),
    "tags never closed": mail(b"<p" * 500_000, b"Content-Type: text/html"),
    "styles never closed": mail(b"<style>" * 100_000, b"Content-Type: text/html"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_mail_made_to_exhaust_its_reader_is_read_in_bounded_time(name: str) -> None:
    raw = BOMBS[name]
    began = process_time()
    reading, words = read(raw), read_words(raw)
    files = read_files(raw)
    fold(words.text)
    assert process_time() - began < 5
    assert len(reading.each) <= 200
    assert len(files) <= MOST_FILES
    assert len(words.text) <= 100_000


def test_a_report_about_ten_thousand_is_still_a_refusal() -> None:
    assert read(BOMBS["ten thousand recipients"]).kind is Kind.HARD


@given(st.binary(max_size=400))
def test_nothing_that_arrives_can_break_the_reading(noise: bytes) -> None:
    assert len(read_words(noise).digest) == 64
    assert len(read_words(mail(noise, noise)).text) <= 100_000
    assert read_files(noise) is not None
