"""A provider of SMS that sends nothing: for demonstrations, trials and tests.

What it took lies in the database. A message is delivered after a minute; a number that ends in
0000 never answers.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from relance.outbox.channels import tracking
from relance.outbox.channels.base import DeliveryError
from relance.outbox.channels.sms.base import Sms
from relance.outbox.channels.tracking import AlreadyTakenError, Event, Taken
from relance.outbox.provider_models import Pretended

ARRIVES = timedelta(minutes=1)


class FakeSms:
    """One account of it; `faults` are raised by the next messages, first to last."""

    def __init__(self, organisation_id: int, faults: list[DeliveryError] | None = None) -> None:
        self.organisation_id = organisation_id
        self.faults = faults if faults is not None else []

    def send(self, sms: Sms, *, at: datetime, hand_over: Callable[[], None]) -> Taken:
        fault = self.faults.pop(0) if self.faults else None
        if fault and not fault.uncertain:
            raise fault
        hand_over()
        held = self._held(sms.key)
        if held:
            raise AlreadyTakenError(held.ref)
        what = {"to": sms.to, "text": sms.text, "sender": sms.sender}
        try:
            with transaction.atomic():
                row = Pretended.objects.create(
                    organisation_id=self.organisation_id,
                    channel="sms",
                    key=sms.key,
                    what=what,
                    at=at,
                )
        except IntegrityError as twice:
            raise AlreadyTakenError from twice
        if fault:  # it arrived, its answer did not
            raise fault
        return Taken(row.ref)

    def find(self, key: str, *, at: datetime) -> Taken | None:
        held = self._held(key)
        return Taken(held.ref) if held else None

    def status(self, ref: str, *, at: datetime) -> list[Event]:
        row = Pretended.by_ref(self.organisation_id, "sms", ref)
        if row is None:
            raise DeliveryError("unknown message", permanent=True)
        if at < row.at + ARRIVES:
            return []
        if row.what["to"].endswith("0000"):
            return [Event(row.at + ARRIVES, tracking.ERROR, "numéro injoignable")]
        return [Event(row.at + ARRIVES, tracking.DELIVERED)]

    def _held(self, key: str) -> Pretended | None:
        mine = Pretended.objects.filter(organisation_id=self.organisation_id, channel="sms")
        return mine.filter(key=key).first()
