"""A provider's HTTP interface in the place of the installation's mail server (django-anymail).

The promise is the same as over SMTP. What is a definite refusal: an answer of 4xx, addresses that
the provider names as refused, what cannot be built at all. What is uncertain: no answer once the
request has begun to leave, an answer of 5xx (but 503: not served), one that cannot be read.
"""

import contextlib
import socket
from collections.abc import Callable
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any, NoReturn
from urllib.parse import urlsplit
from urllib.request import getproxies

from anymail.exceptions import (
    AnymailAPIError,
    AnymailError,
    AnymailRecipientsRefused,
    AnymailUnsupportedFeature,
)
from django.core.mail import EmailMultiAlternatives, get_connection
from requests import exceptions as calls

from relance.outbox.channels.base import DeliveryError, Receipt
from relance.outbox.channels.email.mime import Envelope

REACH_SECONDS = 10.0
PASSED_ON = ("Message-ID", "In-Reply-To", "References", "Auto-Submitted")
SUBSCRIBED = ("List-Unsubscribe", "List-Unsubscribe-Post")
LATER = (401, 402, 403, 404, 407, 425, 429, 503)
"""HTTP: the account, the key or the moment is wrong, not the message."""
TAKEN = 250
"""Answers are told in the codes of SMTP, which the pages read: 250, 451 later, 550 never."""
TRACKING = ("track_opens", "track_clicks")


class ApiLine:
    """The line to the provider that EMAIL_BACKEND names, for a whole batch."""

    def __init__(self) -> None:
        self.backend: Any = get_connection()
        self._reached = False

    def deliver(self, letter: Envelope, *, hand_over: Callable[[], None]) -> Receipt:
        """See Channel. Nothing is handed over before the mail is built and the host answers."""
        mail = self._built(letter)
        self._reach()
        hand_over()
        try:
            self.backend.send_messages([mail])
        except AnymailRecipientsRefused as refused:
            raise DeliveryError(_text(refused), permanent=True, code=550) from refused
        except AnymailAPIError as fault:
            self.close()
            _say(fault)
        except Exception as fault:  # whatever broke, it broke after the request may have left
            self.close()
            raise DeliveryError(_text(fault), uncertain=True) from fault
        return _receipt(mail)

    def close(self) -> None:
        """Let the connection go; never raises."""
        with contextlib.suppress(Exception):
            self.backend.close()

    def _built(self, letter: Envelope) -> EmailMultiAlternatives:
        """The mail as the provider takes it, without pixel or rewritten links (spec mail B1).

        Providers that cannot be told so per message raise on it: theirs is set in their account.
        """
        mail = mail_of(letter)
        for name in TRACKING:
            setattr(mail, name, False)
        try:
            return self._buildable(mail)
        except AnymailUnsupportedFeature:
            for name in TRACKING:
                delattr(mail, name)
        try:
            return self._buildable(mail)
        except (AnymailError, ValueError, TypeError) as fault:
            raise DeliveryError(_text(fault), permanent=True, code=550) from fault

    def _buildable(self, mail: EmailMultiAlternatives) -> EmailMultiAlternatives:
        self.backend.build_message_payload(mail, self.backend.send_defaults)
        return mail

    def _reach(self) -> None:
        """Whether anybody is there, asked once a batch: an outage then costs no message a try.

        Behind a proxy only the call itself can tell.
        """
        parts = urlsplit(str(getattr(self.backend, "api_url", "")))
        if self._reached or not parts.hostname or getproxies():
            return
        port = parts.port or (80 if parts.scheme == "http" else 443)
        try:
            socket.create_connection((parts.hostname, port), REACH_SECONDS).close()
        except OSError as fault:
            raise DeliveryError(_text(fault), unreachable=True) from fault
        self._reached = True


def mail_of(letter: Envelope) -> EmailMultiAlternatives:
    """The parts of a mail of ours, read back from its bytes: one way to write mails is enough."""
    read = BytesParser(_class=EmailMessage, policy=policy.default).parsebytes(letter.data)
    to = [str(one) for one in read["To"].addresses]
    shown = {one.addr_spec.lower() for one in read["To"].addresses}
    plain, html = read.get_body(("plain",)), read.get_body(("html",))
    mail = EmailMultiAlternatives(
        subject=str(read["Subject"]),
        body=_words(plain),
        from_email=str(read["From"]),
        to=to,
        bcc=[one for one in letter.recipients if one.lower() not in shown],
        reply_to=[str(read["Reply-To"])] if read["Reply-To"] else None,
        headers={name: str(read[name]) for name in (*PASSED_ON, *SUBSCRIBED) if read[name]},
    )
    if html is not None:
        mail.attach_alternative(_words(html), "text/html")
    for part in read.iter_attachments():
        content = part.get_payload(decode=True)
        mail.attach(part.get_filename(), content, part.get_content_type())
    return mail


def _words(part: Any) -> str:
    return str(part.get_content()).replace("\r\n", "\n") if part is not None else ""


def _say(fault: AnymailAPIError) -> NoReturn:
    """What a failed call means for the message."""
    status = fault.status_code
    text = _text(fault)
    if status is None:
        never_left = isinstance(fault, calls.ConnectTimeout | calls.SSLError) or _refused(fault)
        if never_left:
            raise DeliveryError(text, code=451) from fault
        raise DeliveryError(text, uncertain=True) from fault
    if status in LATER:
        raise DeliveryError(text, code=451) from fault
    if 400 <= status < 500 and status != 408:
        raise DeliveryError(text, permanent=True, code=550) from fault
    raise DeliveryError(text, uncertain=True) from fault


def _refused(fault: BaseException) -> bool:
    """True when no connection was made at all: the reason lies deep in urllib3's exceptions."""
    cause = fault.__cause__
    reason = getattr(cause.args[0], "reason", None) if cause and cause.args else None
    return type(reason).__name__ in ("NewConnectionError", "NameResolutionError")


def _receipt(mail: EmailMultiAlternatives) -> Receipt:
    status: Any = mail.anymail_status  # type: ignore[attr-defined]
    refused = {
        address: str(one.status)
        for address, one in status.recipients.items()
        if one.status in ("invalid", "rejected", "failed")
    }
    known = status.message_id
    ids = sorted(map(str, known)) if isinstance(known, set) else [str(known or "")]
    return Receipt(TAKEN, " ".join(ids)[:2000], refused)


def _text(fault: BaseException) -> str:
    return (str(fault) or type(fault).__name__)[:2000]
