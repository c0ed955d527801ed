"""E-mail: the bytes in `mime`, the conversation with the server in `smtp`."""

from relance.outbox.channels.email.smtp import EmailChannel

__all__ = ["EmailChannel"]
