"""Calls to providers over HTTP: one address looked at and connected to, one limit for the whole.

What matters to a channel is how far a call came: `NotSentError` when nothing of it left this
machine, `LostError` when it may have arrived and its answer is unknown.
"""

import http.client
import socket
import ssl
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from django.conf import settings

from relance.outbox.reach import Leash, allowed_addresses

SECONDS = 30.0
LARGEST = 20 * 1024 * 1024
"""Bytes of an answer; proofs are scans of a page or two."""
AGENT = "Relance"


class CallError(Exception):
    """A call without an answer; the text is for the log and for whoever looks at a message."""


class NotSentError(CallError):
    """Nothing of it arrived: the host is unknown, forbidden, refuses or has no valid TLS."""


class LostError(CallError):
    """It may have arrived: the line broke, or no whole answer came in time."""


class Answer(NamedTuple):
    """What the other side said; `headers` have lower-case names."""

    status: int
    headers: dict[str, str]
    body: bytes


class _Guarded(http.client.HTTPConnection):
    """Connects to checked addresses only, with TLS in the name that was asked."""

    leash: Leash
    secure: bool

    def connect(self) -> None:
        fault: OSError | None = None
        for address in allowed_addresses(self.host, self.port, ports=(80, 443)):
            try:
                line = socket.create_connection((address, self.port), self.timeout)
            except OSError as failed:
                fault = failed
                continue
            self.leash.hold(line)
            if self.secure:
                line = ssl.create_default_context().wrap_socket(line, server_hostname=self.host)
            self.sock = line
            return
        raise fault or OSError("no address")


def call(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    seconds: float = SECONDS,
) -> Answer:
    """The whole answer of one request, whatever its status; redirections are not followed.

    Only https, but on an installation that opens itself to private networks
    (RELANCE_SMTP_PRIVATE), where the gateway may stand next to it. Raises NotSentError, LostError.
    """
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError as fault:
        raise NotSentError(str(fault)) from fault
    secure = parts.scheme == "https"
    if not parts.hostname or not (secure or (parts.scheme == "http" and _private())):
        raise NotSentError("https only")
    line = _Guarded(parts.hostname, port or (443 if secure else 80), timeout=min(15.0, seconds))
    line.leash, line.secure = Leash(), secure
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        with line.leash.within(seconds):
            try:
                _prepare(line, method, target, headers or {}, len(body))
                line.connect()
            except (OSError, http.client.HTTPException, ValueError) as fault:
                raise NotSentError(f"{type(fault).__name__}: {fault}") from fault
            try:
                return _exchange(line, body)
            except (OSError, http.client.HTTPException, ValueError) as fault:
                raise LostError(f"{type(fault).__name__}: {fault}") from fault
    finally:
        line.close()
        line.leash.let_go()


def _prepare(
    line: _Guarded, method: str, target: str, headers: Mapping[str, str], length: int
) -> None:
    """Write the head into memory; raises ValueError or HTTPException for what none may hold."""
    line.putrequest(method, target, skip_accept_encoding=True)
    whole = {"User-Agent": AGENT, **headers}
    if length or method in ("POST", "PUT", "PATCH"):
        whole["Content-Length"] = str(length)
    for name, value in whole.items():
        line.putheader(name, value)


def _exchange(line: _Guarded, body: bytes) -> Answer:
    line.endheaders(body or None)
    return _read(line.getresponse())


def _read(answer: http.client.HTTPResponse) -> Answer:
    body = answer.read(LARGEST + 1)
    if len(body) > LARGEST:
        raise ValueError("the answer is too long")
    return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, body)


def _private() -> bool:
    return bool(settings.SMTP_PRIVATE_NETWORKS)
