"""How often one may try something, first of all to log in: a few lines over Django's cache.

Counted by account from one address, and by account from everywhere: a guesser is slowed down
wherever he sits, and a stranger cannot lock a person out with five tries of his own. What is
counted is kept under a digest: no list of addresses tried lies about. The cache is this
process's own unless the installation names a shared one; with several web processes each
counts for itself, which multiplies the limits by their number and does not remove them.
"""

import hashlib
from typing import NamedTuple

from django.core.cache import cache


class Limit(NamedTuple):
    """At most `tries` failures in `seconds`."""

    tries: int
    seconds: int


HERE = Limit(5, 15 * 60)
EVERYWHERE = Limit(50, 60 * 60)


def is_locked(email: str, address: str) -> bool:
    """Whether this account may not be tried from this network address now."""
    return any(is_over(what, limit) for what, limit in _counters(email, address))


def failed(email: str, address: str) -> None:
    """A wrong password, or an unknown account: nobody learns which."""
    for what, limit in _counters(email, address):
        tried(what, limit)


def succeeded(email: str, address: str) -> None:
    """The right person came in from here: his earlier mistakes are forgotten."""
    cache.delete(_key(_counters(email, address)[0][0]))


def tried(what: str, limit: Limit) -> None:
    """Count one try of `what`, a name that its caller makes its own."""
    key = _key(what)
    if not cache.add(key, 1, limit.seconds):
        try:
            cache.incr(key)
        except ValueError:  # it ended in between
            cache.set(key, 1, limit.seconds)


def is_over(what: str, limit: Limit) -> bool:
    """Whether `what` was tried as often as `limit` lets one."""
    return int(cache.get(_key(what), 0)) >= limit.tries


def _counters(email: str, address: str) -> tuple[tuple[str, Limit], tuple[str, Limit]]:
    account = email.strip().lower()
    return (f"{account} {address}", HERE), (account, EVERYWHERE)


def _key(text: str) -> str:
    return "login-" + hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
