"""E-mail: bytes in `mime`, servers in `servers`, the conversation in `smtp`, trials in `check`."""

from relance.outbox.channels.email.channel import EmailChannel

__all__ = ["EmailChannel"]
