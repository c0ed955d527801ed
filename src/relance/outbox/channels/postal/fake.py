"""A provider of letters that posts nothing: for demonstrations, trials and tests.

What it took lies in the database, so that every process sees the same post office. A letter is
printed after an hour, posted after four, delivered on the third day; a recipient whose name or
address holds INCONNU comes back instead, REFUS is refused.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django.db import IntegrityError, transaction

from relance.outbox.channels import tracking
from relance.outbox.channels.base import DeliveryError
from relance.outbox.channels.postal.base import NORMAL, REGISTERED, REGISTERED_SCANNED, Letter
from relance.outbox.channels.tracking import AlreadyTakenError, Event, Proof, Taken
from relance.outbox.provider_models import Pretended

CENTS = {NORMAL: 152, "tracked": 205, REGISTERED: 742, REGISTERED_SCANNED: 871}
A_PAGE, IN_COLOUR = 12, 10
PRINTED, POSTED, MOVING, ARRIVED = (
    timedelta(hours=1),
    timedelta(hours=4),
    timedelta(days=1),
    timedelta(days=3),
)


class FakePostal:
    """One account of it; `faults` are raised by the next submissions, first to last."""

    def __init__(self, organisation_id: int, faults: list[DeliveryError] | None = None) -> None:
        self.organisation_id = organisation_id
        self.faults = faults if faults is not None else []

    def check(self, *, at: datetime) -> str:
        return "fake"

    def submit(self, letter: Letter, *, at: datetime, hand_over: Callable[[], None]) -> Taken:
        fault = self.faults.pop(0) if self.faults else None
        if fault and not fault.uncertain:
            raise fault
        hand_over()
        held = self._held(letter.key)
        if held:
            raise AlreadyTakenError(held.ref)
        what = {
            "service": letter.service,
            "to": [*letter.recipient.lines, letter.recipient.name, letter.recipient.city],
            "pages": letter.pdf.count(b"/Type /Page\n") or 1,
        }
        taken = self._take(letter.key, what, at)
        if fault:  # it arrived, its answer did not
            raise fault
        return taken

    @transaction.atomic
    def _take(self, key: str, what: dict[str, Any], at: datetime) -> Taken:
        try:
            with transaction.atomic():
                row = Pretended.objects.create(
                    organisation_id=self.organisation_id,
                    channel="letter",
                    key=key,
                    what=what,
                    at=at,
                )
        except IntegrityError as twice:
            raise AlreadyTakenError from twice
        return Taken(row.ref, CENTS[what["service"]])

    def _held(self, key: str) -> Pretended | None:
        mine = Pretended.objects.filter(organisation_id=self.organisation_id, channel="letter")
        return mine.filter(key=key).first()

    def find(self, key: str, *, at: datetime) -> Taken | None:
        held = self._held(key)
        return Taken(held.ref) if held else None

    def status(self, ref: str, *, at: datetime) -> list[Event]:
        row = self._known(ref)
        events = [Event(row.at, tracking.QUEUED)]
        if row.cancelled_at:
            return [*events, Event(row.cancelled_at, tracking.CANCELLED)]
        whom = " ".join(row.what["to"]).upper()
        last = tracking.DELIVERED
        if "INCONNU" in whom:
            last = tracking.RETURNED
        elif "REFUS" in whom:
            last = tracking.REFUSED
        detail = "N’habite pas à l’adresse indiquée" if last == tracking.RETURNED else ""
        later = [
            Event(row.at + PRINTED, tracking.PRINTED),
            Event(row.at + POSTED, tracking.POSTED),
            Event(row.at + MOVING, tracking.IN_TRANSIT),
            Event(row.at + ARRIVED, last, detail),
        ]
        return events + [event for event in later if event.at <= at]

    def proofs(self, ref: str, *, at: datetime) -> list[Proof]:
        row = self._known(ref)
        known = {event.status for event in self.status(ref, at=at)}
        found = []
        if tracking.POSTED in known and row.what["service"] != NORMAL:
            found.append(_paper(tracking.DEPOSIT, "Preuve de dépôt", ref))
        if tracking.DELIVERED in known and row.what["service"] == REGISTERED_SCANNED:
            found.append(_paper(tracking.RECEIPT, "Avis de réception", ref))
        return found

    def cancel(self, ref: str, *, at: datetime) -> bool:
        mine = Pretended.objects.filter(
            pk=self._known(ref).pk, cancelled_at=None, at__gt=at - PRINTED
        )
        return mine.update(cancelled_at=at) == 1

    def price(
        self, *, service: str, pages: int, colour: bool, duplex: bool, at: datetime
    ) -> int | None:
        sheets = (pages + 1) // 2 if duplex else pages
        return CENTS[service] + A_PAGE * (sheets - 1) + (IN_COLOUR * pages if colour else 0)

    def _known(self, ref: str) -> Pretended:
        row = Pretended.by_ref(self.organisation_id, "letter", ref)
        if row is None:
            raise DeliveryError("unknown letter", permanent=True)
        return row


def _paper(kind: str, title: str, ref: str) -> Proof:
    return Proof(kind, "application/pdf", _page(f"{title} — {ref}"))


@lru_cache(maxsize=64)
def _page(words: str) -> bytes:
    import typst

    source = b"#set page(width: 148mm, height: 105mm)\n#text(14pt, sys.inputs.words)\n\nDemo."
    made = typst.compile(source, format="pdf", sys_inputs={"words": words})
    return made if isinstance(made, bytes) else b""
