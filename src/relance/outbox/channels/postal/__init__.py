"""Letters handed to a provider that prints and posts them, instead of to the printer next door."""

from relance.outbox.channels.postal.accounts import provider_of
from relance.outbox.channels.postal.channel import PostalChannel

__all__ = ["PostalChannel", "provider_of"]
