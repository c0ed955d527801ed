"""The channel of letters that leave by a provider: rendered, submitted, written down."""

from collections.abc import Callable
from datetime import datetime

from relance.outbox import provider_care
from relance.outbox.channels.base import DeliveryError, Receipt
from relance.outbox.channels.letter import enclosing
from relance.outbox.channels.postal.accounts import provider_of
from relance.outbox.channels.postal.base import (
    NORMAL,
    REGISTERED_SCANNED,
    AddressError,
    Letter,
    PostalProvider,
    address_of,
)
from relance.outbox.channels.tracking import AlreadyTakenError, Taken
from relance.outbox.models import Message
from relance.outbox.provider_models import PostalAccount


class PostalChannel:
    """One line per account, kept for a batch."""

    def __init__(self) -> None:
        self._accounts: dict[int, tuple[PostalAccount, PostalProvider]] = {}

    def deliver(self, message: Message, *, at: datetime, hand_over: Callable[[], None]) -> Receipt:
        """See Channel."""
        account, provider = self._open(message.organisation_id)
        try:
            taken = provider.submit(letter_of(message, account, at=at), at=at, hand_over=hand_over)
        except AlreadyTakenError as twice:  # it left at an earlier try whose answer was lost
            taken = Taken(twice.ref, answer="already taken")
        provider_care.taken(message, taken, at=at)
        return Receipt(answer=" ".join(filter(None, [taken.ref, taken.answer])))

    def _open(self, organisation_id: int) -> tuple[PostalAccount, PostalProvider]:
        if organisation_id not in self._accounts:
            mine = PostalAccount.objects.filter(organisation_id=organisation_id, active=True)
            account = mine.first()
            if account is None:
                raise DeliveryError("no postal account", unreachable=True)
            self._accounts[organisation_id] = account, provider_of(account)
        return self._accounts[organisation_id]

    def close(self) -> None:
        """Nothing is held between two calls."""


def letter_of(message: Message, account: PostalAccount, *, at: datetime) -> Letter:
    """The letter as it is submitted. Raises DeliveryError when an address is not whole."""
    data = message.letter or {}
    try:
        sender, recipient = address_of(data.get("from", [])), address_of(data.get("to", []))
    except AddressError as fault:
        raise DeliveryError(f"address: {fault}", permanent=True) from fault
    registered = message.channel == "registered_letter"
    return Letter(
        pdf=enclosing.posted(message, at=at),
        sender=sender,
        recipient=recipient,
        service=REGISTERED_SCANNED if registered else account.service or NORMAL,
        key=provider_care.key_of(message),
        colour=account.colour,
        duplex=account.duplex,
    )
