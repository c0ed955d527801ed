"""What a provider tells of a letter or an SMS after it took it, in words that all of them share."""

from datetime import datetime
from typing import NamedTuple

SUBMITTED = "submitted"
QUEUED = "queued"
PRINTED = "printed"
POSTED = "posted"
IN_TRANSIT = "in_transit"
WAITING = "waiting"
DELIVERED = "delivered"
REFUSED = "refused"
UNCLAIMED = "unclaimed"
RETURNED = "returned"
CANCELLED = "cancelled"
ERROR = "error"
DEPOSIT = "deposit"
RECEIPT = "receipt"
STATUSES = (
    SUBMITTED,
    QUEUED,
    PRINTED,
    POSTED,
    IN_TRANSIT,
    WAITING,
    DELIVERED,
    REFUSED,
    UNCLAIMED,
    RETURNED,
    CANCELLED,
    ERROR,
    DEPOSIT,
    RECEIPT,
)
"""`waiting`: kept at the post office; `unclaimed`: nobody came for it; `deposit` and `receipt`
carry a document, the proof that it was posted, and that somebody signed."""

ENDS = (DELIVERED, REFUSED, UNCLAIMED, RETURNED, CANCELLED, ERROR)
"""After these nothing more comes but documents."""

CAME_BACK = (REFUSED, UNCLAIMED, RETURNED, ERROR)
"""The message did not reach its reader."""


class Event(NamedTuple):
    """One of STATUSES at a moment (UTC); `detail` is the provider's own sentence, in its words."""

    at: datetime
    status: str
    detail: str = ""


class Proof(NamedTuple):
    """A document: `kind` is DEPOSIT or RECEIPT; `mime` application/pdf or image/jpeg."""

    kind: str
    mime: str
    content: bytes


class Taken(NamedTuple):
    """The provider's own reference of what it took, and its price in cents before tax if told."""

    ref: str
    price_cents: int | None = None
    answer: str = ""


class AlreadyTakenError(Exception):
    """The provider refuses a key that it knows: the message had left before; `ref` if it says."""

    def __init__(self, ref: str = "") -> None:
        super().__init__(ref)
        self.ref = ref


class CannotTellError(Exception):
    """This provider has no way to say whether it holds a message."""
