"""Reaching a host that a person typed: only where one may, and never for longer than said.

It may be a mistake, or an attempt to make this machine talk to its neighbours. So its addresses
are looked at before connecting, the address looked at is the one connected to, and everything has
a time limit that no slow answer extends.
"""

import ipaddress
import socket
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.conf import settings

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
