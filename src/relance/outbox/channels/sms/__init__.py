"""SMS: a protocol, a provider spoken to over HTTP as its account says, and one that pretends."""

from relance.outbox.channels.sms.accounts import provider_of
from relance.outbox.channels.sms.channel import SmsChannel

__all__ = ["SmsChannel", "provider_of"]
