"""From a stored message to the bytes that leave: RFC 5322, 2045–2047, 2231, 3834."""

import io
import re
from dataclasses import dataclass
from datetime import datetime
from email.generator import BytesGenerator
from email.message import Message as Mime
from email.policy import Compat32
from email.utils import format_datetime, parseaddr
from pathlib import PurePath

from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.core.mail.message import sanitize_address
from django.utils import timezone

from relance.outbox.channels.base import DeliveryError
from relance.outbox.models import Message

MAX_BYTES = 10_000_000  # after base64; what most servers take (spec mail B2)


@dataclass(frozen=True)
class Envelope:
    """Who sends, who receives (copies included), and the bytes with CRLF line ends."""

    sender: str
    recipients: list[str]
    data: bytes


def envelope(message: Message, *, at: datetime) -> Envelope:
    """The message as it leaves, dated `at`; its lines and their invoices are read.

    Raises DeliveryError (permanent) when a header would carry a line break, an address is
    none, an invoice's PDF is not on the disk any more, or everything together is too heavy.
    """
    try:
        mail = _compose(message, at)
        mime = mail.message()
        recipients = [sanitize_address(to, "utf-8") for to in mail.recipients()]
        sender = parseaddr(sanitize_address(message.sender, "utf-8"))[1]
    except (ValueError, OSError) as fault:  # BadHeaderError is a ValueError
        raise DeliveryError(str(fault), permanent=True) from fault
    data = _flatten(mime, message.message_ref)
    if len(data) > MAX_BYTES:
        raise DeliveryError(
            f"{len(data)} bytes with the attachments; at most {MAX_BYTES}", permanent=True, code=552
        )
    return Envelope(sender, [parseaddr(to)[1] for to in recipients], data)


def _compose(message: Message, at: datetime) -> EmailMessage:
    headers = {
        "Message-ID": message.message_ref,
        "Date": format_datetime(timezone.localtime(at)),
    }
    if message.automatic:
        headers["Auto-Submitted"] = "auto-generated"  # RFC 3834; absent when a person sends
    mail = EmailMultiAlternatives(
        subject=message.subject,
        body=message.text,
        from_email=message.sender,
        to=message.recipients,
        bcc=message.copies,
        headers=headers,
        reply_to=[message.reply_to] if message.reply_to else None,
    )
    if message.html:
        mail.attach_alternative(message.html, "text/html")
    for line in message.lines.all():
        if line.invoice.document:
            with line.invoice.document.open("rb") as file:
                mail.attach(_file_name(line.invoice.number, file.name), file.read())
    return mail


def _file_name(number: str, stored: str | None) -> str:
    """The invoice's number with the stored file's ending; no path, no control character."""
    suffix = PurePath(stored or "").suffix or ".pdf"
    return re.sub(r'[\x00-\x1f\x7f/\\:*?"<>|]+', "-", number).strip(". ") + suffix.lower()


class _HeadersReady(Compat32):
    """Django has encoded and folded the headers already: folding again costs a third of all."""

    def fold_binary(self, name: str, value: str) -> bytes:
        longest = max(map(len, value.split("\n")))
        if longest + len(name) > 900 or not value.isascii():
            return super().fold_binary(name, value)
        return f"{name}: {value}\n".replace("\n", self.linesep).encode("ascii")


_POLICY = _HeadersReady(linesep="\r\n")


def _flatten(mime: Mime, message_ref: str) -> bytes:
    """The bytes; boundaries come from the Message-ID, so the same row gives the same bytes."""
    stem = re.sub(r"[^0-9A-Za-z]", "", message_ref.partition("@")[0])
    for number, part in enumerate(mime.walk()):
        if part.is_multipart():
            part.set_boundary(f"=={stem}.{number}==")
    out = io.BytesIO()
    BytesGenerator(out, mangle_from_=False, policy=_POLICY).flatten(mime)
    return out.getvalue()
