"""The channel of SMS: one request per message, then what was answered written down."""

from collections.abc import Callable
from datetime import datetime

from relance.outbox import provider_care
from relance.outbox.channels.base import DeliveryError, Receipt
from relance.outbox.channels.sms.accounts import provider_of
from relance.outbox.channels.sms.base import Sms, SmsProvider
from relance.outbox.channels.tracking import AlreadyTakenError, Taken
from relance.outbox.models import Message
from relance.outbox.provider_models import SmsAccount


class SmsChannel:
    """One line per account, kept for a batch."""

    def __init__(self) -> None:
        self._accounts: dict[int, tuple[SmsAccount, SmsProvider]] = {}

    def deliver(self, message: Message, *, at: datetime, hand_over: Callable[[], None]) -> Receipt:
        """See Channel."""
        account, provider = self._open(message.organisation_id)
        if not message.recipients:
            raise DeliveryError("no number", permanent=True)
        sms = Sms(
            to=message.recipients[0],
            text=message.text,
            sender=account.sender,
            key=provider_care.key_of(message),
        )
        try:
            taken = provider.send(sms, at=at, hand_over=hand_over)
        except AlreadyTakenError as twice:  # it left at an earlier try whose answer was lost
            taken = Taken(twice.ref, answer="already taken")
        provider_care.taken(message, taken, at=at)
        return Receipt(answer=" ".join(filter(None, [taken.ref, taken.answer])))

    def _open(self, organisation_id: int) -> tuple[SmsAccount, SmsProvider]:
        if organisation_id not in self._accounts:
            account = SmsAccount.objects.filter(
                organisation_id=organisation_id, active=True
            ).first()
            if account is None:
                raise DeliveryError("no SMS account", unreachable=True)
            self._accounts[organisation_id] = account, provider_of(account)
        return self._accounts[organisation_id]

    def close(self) -> None:
        """Nothing is held between two calls."""
