"""What every mail of the product keeps to: RFC 5322, 2045–2047, 2231, read strictly."""

from email import policy
from email.message import EmailMessage
from email.parser import BytesParser

STRICT = policy.default.clone(raise_on_defect=True)
RECOMMENDED, LONGEST = 78, 998


def strictly(data: bytes) -> EmailMessage:
    """The mail read back; fails on the least defect of its bytes, headers or structure."""
    assert data.isascii(), "seven bits"
    assert b"\n" not in data.replace(b"\r\n", b""), "CRLF alone"
    assert b"\r" not in data.replace(b"\r\n", b"")
    lines = data.split(b"\r\n")
    assert max(map(len, lines)) <= LONGEST
    head = lines[: lines.index(b"")]
    unfoldable = [line for line in head if len(line) > RECOMMENDED and b" " in line.strip()[20:]]
    assert unfoldable == [], "headers are folded"
    mail = BytesParser(_class=EmailMessage, policy=STRICT).parsebytes(data)
    for name in ("From", "To", "Subject", "Date", "Message-ID", "MIME-Version"):
        assert len(mail.get_all(name, [])) == 1, name
    for part in mail.walk():
        assert not part.defects, part.defects
        for value in part.values():
            assert not value.defects, (value, value.defects)
    _structure(mail)
    return mail


def _structure(mail: EmailMessage) -> None:
    """Alternative (text first) inside mixed, never the other way round."""
    body = mail
    if mail.get_content_type() == "multipart/mixed":
        body, *files = mail.iter_parts()  # type: ignore[assignment]
        assert files
        for one in files:
            assert one.get_content_disposition() == "attachment"
            assert one.get_filename()
            assert one["Content-Transfer-Encoding"] == "base64"
    if body.get_content_type() == "multipart/alternative":
        kinds = [one.get_content_type() for one in body.iter_parts()]
        assert kinds == ["text/plain", "text/html"]
    else:
        assert body.get_content_type() == "text/plain"
