"""What the rooms above do about mails that came in, like `delivery.Hooks` for those that leave."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from relance.accounts.models import Organisation
from relance.outbox.models import Inbound, Message
from relance.outbox.services import Attached


def _no_messages(messages: Sequence[Message], now: datetime) -> None:
    return None


def _no_customers(organisation: Organisation, customers: Sequence[int], now: datetime) -> None:
    return None


def _no_documents(inbound: Inbound, attachments: Sequence[Attached], now: datetime) -> None:
    return None


@dataclass(frozen=True)
class Handlers:
    """Each is called in the transaction that marks the mail as handled: it happens once.

    `bounced`: messages that reached nobody (just made so, addresses already marked). `changed`:
    customers of whom an address was marked, or who may be looked at again. `documents`: a mail
    with files for the dossier, or an answer to a request for receipts.
    """

    bounced: Callable[[Sequence[Message], datetime], None] = _no_messages
    changed: Callable[[Organisation, Sequence[int], datetime], None] = _no_customers
    documents: Callable[[Inbound, Sequence[Attached], datetime], None] = _no_documents
