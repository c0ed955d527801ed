"""Over which line a message leaves: that of its mailbox, or the installation's own."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from django.conf import settings

from relance.outbox import oauth
from relance.outbox.channels.base import Receipt
from relance.outbox.channels.email.mime import Envelope
from relance.outbox.channels.email.servers import MailboxServer, SystemServer
from relance.outbox.channels.email.smtp import ANSWER_SECONDS, Line
from relance.outbox.models import Mailbox


def server_of(mailbox: Mailbox | None, *, at: datetime) -> SystemServer | MailboxServer:
    """The SMTP server to hand messages to; a demonstration keeps them all on this machine.

    A mailbox connected by consent may be asked for its next access first. Raises SecretLostError
    and TokenError: then the mailbox is out of reach, whatever the message.
    """
    if mailbox is None or settings.DEMO:
        return SystemServer()
    if mailbox.auth == Mailbox.Auth.PASSWORD:
        return MailboxServer(mailbox)
    return MailboxServer(mailbox, access=oauth.access_of(mailbox, at=at))


class Way(Protocol):
    """What takes letters: an SMTP line, or a provider's HTTP interface."""

    def deliver(self, letter: Envelope, *, hand_over: Callable[[], None]) -> Receipt:
        """See Channel."""

    def close(self) -> None:
        """Let it go; never raises."""


def line_of(
    mailbox: Mailbox | None, *, at: datetime, answer_seconds: float = ANSWER_SECONDS
) -> Way:
    """A line to that server, not opened yet; see `server_of`.

    What has no mailbox leaves by the installation's provider, if it has one (EMAIL_PROVIDER).
    """
    if mailbox is None and settings.EMAIL_PROVIDER and not settings.DEMO:
        from relance.outbox.channels.email.api import ApiLine  # an extra: may not be installed

        return ApiLine()
    return Line(server_of(mailbox, at=at), answer_seconds=answer_seconds)
