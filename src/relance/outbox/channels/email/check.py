"""Try a mailbox and say how far one comes: name, port, encryption, login, sender, message."""

import smtplib
import socket
import ssl
from contextlib import nullcontext
from datetime import datetime
from typing import NamedTuple, cast

from relance.outbox.channels.base import DeliveryError
from relance.outbox.channels.email.lines import server_of
from relance.outbox.channels.email.mime import Envelope
from relance.outbox.channels.email.servers import MailboxServer, SystemServer
from relance.outbox.channels.email.smtp import NEEDS_LOGIN, Line, text_of
from relance.outbox.models import Mailbox
from relance.outbox.oauth import TokenError
from relance.outbox.reach import ForbiddenHostError
from relance.outbox.secrets import SecretLostError

STEPS = ("name", "port", "tls", "login", "sender", "message")
WHOLE_SECONDS = 25.0
_STEP_OF = {
    "HOST_UNKNOWN": "name",
    "HOST_FORBIDDEN": "name",
    "PORT_CLOSED": "port",
    "PORT_SILENT": "port",
    "NOT_SMTP": "port",
    "NO_STARTTLS": "tls",
    "CERTIFICATE": "tls",
    "TLS_REFUSED": "tls",
    "NO_LOGIN": "login",
    "LOGIN_REFUSED": "login",
    "LOGIN_NOT_ASCII": "login",
    "PASSWORD_LOST": "login",
    "NO_XOAUTH2": "login",
    "CONSENT_REVOKED": "login",
    "OAUTH_OFF": "login",
    "OAUTH_REFUSED": "login",
    "OAUTH_SILENT": "login",
    "SENDER_REFUSED": "sender",
    "MESSAGE_REFUSED": "message",
    "LINE_LOST": "port",
}


class Trial(NamedTuple):
    """How a trial ended: without `code` everything works.

    `done` are the steps passed, `answer` the server's own words, empty when it gave none.
    """

    code: str
    done: tuple[str, ...]
    answer: str = ""

    @property
    def step(self) -> str:
        """The step that failed, or ""."""
        return _STEP_OF[self.code] if self.code else ""


def check(mailbox: Mailbox, *, at: datetime, letter: Envelope | None = None) -> Trial:
    """Connect, log in, announce the sender, and send `letter` if there is one; 25 seconds.

    Of a mailbox connected by consent the access comes first: without it nothing is tried.
    """
    last = STEPS if letter else STEPS[:-1]
    try:
        server = server_of(mailbox, at=at)
    except SecretLostError:
        return Trial("PASSWORD_LOST", ())
    except TokenError as fault:
        return Trial(fault.code, (), fault.answer)
    line = Line(server, answer_seconds=10)
    limit = server.leash.within(WHOLE_SECONDS) if server.leash else nullcontext()
    try:
        with limit:
            _log_in_and_announce(server, mailbox.address)
            if letter:
                line.deliver(letter, hand_over=lambda: None)
    except DeliveryError as error:
        return Trial("MESSAGE_REFUSED", STEPS[:-1], error.answer)
    except (smtplib.SMTPException, OSError, UnicodeError) as fault:
        code, answer = fault_of(fault)
        return Trial(code, last[: last.index(_STEP_OF[code])], answer)
    finally:
        line.close()
    return Trial("", last)


def _log_in_and_announce(server: MailboxServer | SystemServer, address: str) -> None:
    server.open()
    smtp = cast("smtplib.SMTP", server.connection)
    smtp.ehlo_or_helo_if_needed()
    code, answer = smtp.docmd(f"MAIL FROM:<{address}>")
    if code != 250:
        raise smtplib.SMTPSenderRefused(code, answer, address)
    smtp.docmd("RSET")


def fault_of(fault: BaseException | None) -> tuple[str, str]:
    """The code of what kept a server from being reached or used, and the server's own words.

    Words are those of SMTP answers only: what else listens on a port is none of the reader's
    business.
    """
    if isinstance(fault, TokenError):
        return fault.code, fault.answer
    for kind, code in _KINDS:
        if isinstance(fault, kind):
            return code, ""
    words = text_of(fault) if isinstance(fault, Exception) else ""
    if isinstance(fault, smtplib.SMTPNotSupportedError):
        if "XOAUTH2" in words:
            return "NO_XOAUTH2", ""
        return ("NO_STARTTLS" if "STARTTLS" in words else "NO_LOGIN"), ""
    if isinstance(fault, smtplib.SMTPResponseException):
        if fault.smtp_code < 200:
            return "NOT_SMTP", ""
        return _of_answer(fault), f"{fault.smtp_code} {words}"
    if isinstance(fault, smtplib.SMTPServerDisconnected) and "timed out" not in words:
        return "LINE_LOST", ""
    return "PORT_SILENT", ""


_KINDS: tuple[tuple[type[BaseException], str], ...] = (
    (UnicodeError, "LOGIN_NOT_ASCII"),
    (ForbiddenHostError, "HOST_FORBIDDEN"),
    (socket.gaierror, "HOST_UNKNOWN"),
    (ConnectionRefusedError, "PORT_CLOSED"),
    (ssl.SSLCertVerificationError, "CERTIFICATE"),
    (ssl.SSLError, "TLS_REFUSED"),
    (SecretLostError, "PASSWORD_LOST"),
)


def _of_answer(fault: smtplib.SMTPResponseException) -> str:
    if isinstance(fault, smtplib.SMTPAuthenticationError) or fault.smtp_code in NEEDS_LOGIN:
        return "LOGIN_REFUSED"
    return "SENDER_REFUSED" if isinstance(fault, smtplib.SMTPSenderRefused) else "LINE_LOST"
