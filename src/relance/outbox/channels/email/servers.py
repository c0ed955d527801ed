"""How each server is reached: the system's as its settings say, a connected mailbox with care."""

import smtplib
import socket
from typing import Any

from django.conf import settings
from django.core.mail.backends.smtp import EmailBackend

from relance.outbox.models import Mailbox
from relance.outbox.reach import Leash, allowed_addresses
from relance.outbox.secrets import opened

SILENCE_SECONDS = 15


class SystemServer(EmailBackend):
    """The installation's own server, from Django's e-mail settings: trusted, never held short."""

    leash: Leash | None = None
    message_seconds = 0.0


class MailboxServer(EmailBackend):
    """The server of a connected mailbox."""

    message_seconds = 90.0

    def __init__(self, mailbox: Mailbox, *, access: str = "") -> None:
        """With `access`, a token of OAuth, it logs in by XOAUTH2 instead of the password.

        Raises SecretLostError when the password cannot be read any more.
        """
        super().__init__(
            host=mailbox.host,
            port=mailbox.port,
            username=mailbox.username,
            password=access or opened(mailbox.secret),
            use_tls=mailbox.security == Mailbox.Security.STARTTLS,
            use_ssl=mailbox.security == Mailbox.Security.TLS,
            timeout=min(SILENCE_SECONDS, settings.EMAIL_TIMEOUT),
        )
        self.leash = Leash()
        self.by_token = bool(access)

    @property
    def connection_class(self) -> Any:
        """Of smtplib, but connecting to checked addresses only."""
        kind = _GuardedTls if self.use_ssl else _Guarded
        bases = (_ByToken, kind) if self.by_token else (kind,)
        return type(kind.__name__, bases, {"leash": self.leash})


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


class _ByToken(smtplib.SMTP):
    """Logs in with a token of OAuth where a password was expected."""

    def login(self, user: str, password: str, *, initial_response_ok: bool = True) -> Any:
        """XOAUTH2, as Google and Microsoft describe it; errors as those of a password."""
        self.ehlo_or_helo_if_needed()
        if "XOAUTH2" not in self.esmtp_features.get("auth", "").upper().split():
            raise smtplib.SMTPNotSupportedError("the server offers no XOAUTH2")
        words = f"user={user}\1auth=Bearer {password}\1\1"

        def say(challenge: bytes | None = None) -> str:
            return words if challenge is None else ""  # what follows is a refusal: hear it out

        return self.auth("XOAUTH2", say, initial_response_ok=initial_response_ok)
