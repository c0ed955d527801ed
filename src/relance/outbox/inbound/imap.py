"""One conversation with an IMAP server (RFC 3501): guarded, bounded in time and in size."""

import imaplib
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any, NamedTuple

from django.db import Error as DatabaseFault

from relance.outbox.models import Inbox, Mailbox
from relance.outbox.reach import ForbiddenHostError, Leash, allowed_addresses
from relance.outbox.secrets import SecretLostError, opened

PORTS = (143, 993)
SILENCE_SECONDS = 10
WHOLE_SECONDS = 60.0
MOST_ANSWER = 30_000_000
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()  # noqa: SIM905


class InboxError(Exception):
    """The inbox cannot be read. `code`: FORBIDDEN_HOST, NO_HOST, NO_ANSWER, BAD_TLS,
    LOGIN_REFUSED, NO_FOLDER, SECRET_LOST or PROTOCOL; `answer`: what the server said.
    """

    def __init__(self, code: str, answer: str = "") -> None:
        super().__init__(f"{code} {answer}".strip())
        self.code, self.answer = code, answer[:300]


class Opened(NamedTuple):
    """The folder as it is now: UIDVALIDITY, and the UID that the next mail will get."""

    validity: int
    next_uid: int
    mails: int


class _Plain(imaplib.IMAP4):
    leash: Leash

    def _create_socket(self, timeout: float | None) -> socket.socket:
        fault: OSError | None = None
        for address in allowed_addresses(self.host, self.port, ports=PORTS):
            try:
                line = socket.create_connection((address, self.port), timeout)
            except OSError as failed:
                fault = failed
                continue
            self.leash.hold(line)
            return line
        raise fault or OSError("no address")

    def read(self, size: int) -> bytes:
        if size > MOST_ANSWER:
            raise self.abort(f"{size} bytes announced")
        return bytes(super().read(size))


class _Tls(_Plain):
    """TLS from the first byte, to the name that was typed."""

    def _create_socket(self, timeout: float | None) -> socket.socket:
        return ssl.create_default_context().wrap_socket(
            super()._create_socket(timeout), server_hostname=self.host
        )


class Line:
    """A folder opened for reading only: nothing is marked, moved or removed."""

    def __init__(self, client: imaplib.IMAP4, opened_as: Opened) -> None:
        self._client = client
        self.opened = opened_as

    def after(self, uid: int) -> list[int]:
        """The UIDs above this one, ascending."""
        return [one for one in self._search(f"UID {uid + 1}:*") if one > uid]

    def since(self, day: date) -> list[int]:
        """The UIDs of what arrived on that day or later, ascending."""
        return self._search(f"SINCE {day.day}-{_MONTHS[day.month - 1]}-{day.year}")

    def fetch(self, uid: int, most: int) -> bytes:
        """The mail as it is, at most its first `most` bytes; empty when it is gone."""
        answer = self._do("FETCH", str(uid), f"(BODY.PEEK[]<0.{most}>)")
        for one in answer:
            if isinstance(one, tuple) and len(one) > 1:
                return bytes(one[1])
        return b""

    def _search(self, what: str) -> list[int]:
        answer = self._do("SEARCH", what)
        words = b" ".join(one for one in answer if isinstance(one, bytes)).split()
        return sorted(int(word) for word in words if word.isdigit())

    def _do(self, verb: str, *what: str) -> list[Any]:
        status, answer = self._client.uid(verb, *what)
        if status != "OK":
            raise InboxError("PROTOCOL", _words(answer))
        return answer


@contextmanager
def connected(inbox: Inbox) -> Iterator[Line]:
    """A line to the inbox, its folder open; closed afterwards. Raises InboxError."""
    leash, client = Leash(), None
    try:
        with leash.within(WHOLE_SECONDS):
            client = _login(inbox, leash)
            yield Line(client, _select(client, inbox.folder))
    except (InboxError, DatabaseFault):  # our own database is no fault of the server's
        raise
    except Exception as fault:
        raise _fault(fault) from fault
    finally:
        _end(client)
        leash.let_go()


def _login(inbox: Inbox, leash: Leash) -> imaplib.IMAP4:
    password = opened(inbox.secret)
    kind = _Tls if inbox.security == Mailbox.Security.TLS else _Plain
    made: Any = type(kind.__name__, (kind,), {"leash": leash})
    client: imaplib.IMAP4 = made(inbox.host, inbox.port, timeout=SILENCE_SECONDS)
    if inbox.security == Mailbox.Security.STARTTLS:
        client.starttls(ssl.create_default_context())
    try:
        client.login(inbox.username or inbox.address, password)
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error as refused:
        raise InboxError("LOGIN_REFUSED", str(refused)) from refused
    return client


def _select(client: imaplib.IMAP4, folder: str) -> Opened:
    quoted = '"{}"'.format(re.sub(r'[\x00-\x1f"\\]', "", folder))
    status, answer = client.select(quoted, readonly=True)
    if status != "OK":
        raise InboxError("NO_FOLDER", _words(answer))
    return Opened(
        _number(client.untagged_responses.get("UIDVALIDITY")),
        _number(client.untagged_responses.get("UIDNEXT")),
        _number(answer),
    )


def _number(answer: Any) -> int:
    found = re.search(rb"\d+", b" ".join(one for one in (answer or []) if isinstance(one, bytes)))
    return int(found[0]) if found else 0


def _words(answer: Any) -> str:
    parts = [one.decode("utf-8", "replace") for one in (answer or []) if isinstance(one, bytes)]
    return " ".join(parts)


def _fault(fault: Exception) -> InboxError:
    said = str(fault)
    if isinstance(fault, SecretLostError):
        return InboxError("SECRET_LOST")
    if isinstance(fault, ForbiddenHostError):
        return InboxError("FORBIDDEN_HOST", said)
    if isinstance(fault, socket.gaierror):
        return InboxError("NO_HOST", said)
    if isinstance(fault, ssl.SSLError):
        return InboxError("BAD_TLS", said)
    if isinstance(fault, OSError):
        return InboxError("NO_ANSWER", said)
    return InboxError("PROTOCOL", said)


def _end(client: imaplib.IMAP4 | None) -> None:
    if client is None:
        return
    try:
        client.logout()
    except (OSError, imaplib.IMAP4.error):
        client.shutdown()
