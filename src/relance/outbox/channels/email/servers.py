"""How each server is reached: the system's as its settings say, a connected mailbox with care.

The host of a mailbox is typed by a person: it may be a mistake, or an attempt to make this
machine talk to its neighbours. So its addresses are looked at before connecting, the address
looked at is the one connected to, and everything has a time limit that no slow answer extends.
"""

import ipaddress
import smtplib
import socket
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.conf import settings
from django.core.mail.backends.smtp import EmailBackend

from relance.outbox.models import Mailbox
from relance.outbox.secrets import opened

SILENCE_SECONDS = 15
MAIL_PORTS = (25, 465, 587)


class ForbiddenHostError(OSError):
    """The host or port is none that this installation lets people connect to."""


class Leash:
    """Lets another thread end a connection, whatever it waits for (a name lookup excepted)."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None

    def hold(self, line: socket.socket) -> None:
        """Remember this connection instead of the one before; TLS may take `line` over."""
        self.let_go()
        self._socket = line.dup()

    def let_go(self) -> None:
        """Forget the connection."""
        held, self._socket = self._socket, None
        if held:
            held.close()

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """End the connection when the block takes longer: whatever reads from it then fails."""
        timer = threading.Timer(seconds, self._cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _cut(self) -> None:
        held = self._socket
        if held:
            with suppress(OSError):
                held.shutdown(socket.SHUT_RDWR)


class SystemServer(EmailBackend):
    """The installation's own server, from Django's e-mail settings: trusted, never held short."""

    leash: Leash | None = None
    message_seconds = 0.0


class MailboxServer(EmailBackend):
    """The server of a connected mailbox."""

    message_seconds = 90.0

    def __init__(self, mailbox: Mailbox) -> None:
        """Raises SecretLostError when the password cannot be read any more."""
        super().__init__(
            host=mailbox.host,
            port=mailbox.port,
            username=mailbox.username,
            password=opened(mailbox.secret),
            use_tls=mailbox.security == Mailbox.Security.STARTTLS,
            use_ssl=mailbox.security == Mailbox.Security.TLS,
            timeout=min(SILENCE_SECONDS, settings.EMAIL_TIMEOUT),
        )
        self.leash = Leash()

    @property
    def connection_class(self) -> Any:
        """Of smtplib, but connecting to checked addresses only."""
        kind = _GuardedTls if self.use_ssl else _Guarded
        return type(kind.__name__, (kind,), {"leash": self.leash})


def server_of(mailbox: Mailbox | None) -> SystemServer | MailboxServer:
    """The server to hand messages to; a demonstration keeps them all on this machine."""
    return SystemServer() if mailbox is None or settings.DEMO else MailboxServer(mailbox)


class _Guarded(smtplib.SMTP):
    leash: Leash

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        fault: OSError | None = None
        for address in allowed_addresses(host, port):
            try:
                line = socket.create_connection((address, port), timeout)
            except OSError as failed:
                fault = failed
                continue
            self.leash.hold(line)
            return line
        raise fault or OSError("no address")

    def close(self) -> None:
        super().close()
        self.leash.let_go()


class _GuardedTls(smtplib.SMTP_SSL, _Guarded):
    """TLS from the first byte: SMTP_SSL wraps the socket that `_Guarded` opened."""


def allowed_addresses(host: str, port: int, *, ports: Collection[int] = MAIL_PORTS) -> list[str]:
    """The addresses of `host`, at most three. Raises ForbiddenHostError unless all are allowed.

    Link-local addresses, where clouds keep their keys, are never; those of this machine and of
    private networks only with RELANCE_SMTP_PRIVATE. Raises socket.gaierror for an unknown name.
    """
    private = settings.SMTP_PRIVATE_NETWORKS
    if port < 1024 and port not in ports and not private:
        raise ForbiddenHostError(f"port {port}")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as fault:  # a name that IDNA cannot write
        raise socket.gaierror(socket.EAI_NONAME, str(fault)) from fault
    addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
    for address in addresses:
        if not _allowed(address, private=private):
            raise ForbiddenHostError(host)
    return addresses[:3]


def _allowed(text: str, *, private: bool) -> bool:
    address: Any = ipaddress.ip_address(text.partition("%")[0])
    for inner in (getattr(address, "ipv4_mapped", None), getattr(address, "sixtofour", None)):
        if inner is not None and not _allowed(str(inner), private=private):
            return False
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        return False
    if getattr(address, "is_site_local", False):
        return private
    if address in _NAT64:
        return private
    return private or address.is_global


_NAT64 = ipaddress.ip_network("64:ff9b::/96")
