"""Keep a mail as it came, once, and say whose it is. What follows from it is done afterwards."""

import logging
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import TypeVar

from django.core.files.base import ContentFile
from django.db import DataError, IntegrityError, transaction

from relance.accounts.models import Organisation
from relance.formats import incoming_mail
from relance.formats.incoming_mail import Kind, Reading
from relance.formats.mail_words import Words, read_words
from relance.outbox.inbound.routing import Route, route
from relance.outbox.models import Inbound, Inbox, Message, Stray

log = logging.getLogger(__name__)

MOST_BYTES = 25_000_000
"""Of one mail; of a larger one the beginning is kept, which says what it is."""
Row = TypeVar("Row", Inbound, Stray)
_KINDS = {
    Kind.HARD: Inbound.Kind.HARD,
    Kind.SOFT: Inbound.Kind.SOFT,
    Kind.AUTO_REPLY: Inbound.Kind.AUTO_REPLY,
    Kind.COMPLAINT: Inbound.Kind.COMPLAINT,
}


def take_in(
    raw: bytes,
    *,
    inbox: Inbox | None,
    organisation: Organisation | None,
    now: datetime,
    to: Sequence[str] = (),
) -> Inbound | Stray | None:
    """Store a raw mail (RFC 5322) with what it is and whose it is; None when it is known already,
    or is a mail of our own.

    `organisation` is the dossier whose inbox it came to, None for the installation's; `to` are
    addresses that its way in tells (the envelope). A mail of nobody becomes a Stray.
    """
    raw = raw[:MOST_BYTES]
    try:
        return _taken(raw, incoming_mail.read(raw), read_words(raw), inbox, organisation, now, to)
    except (DataError, ValueError):  # hostile words that the database refuses: a person reads it
        log.exception("a mail is kept without its words")
        nothing = read_words(b"")._replace(digest=sha256(raw).hexdigest())
        return _taken(raw, Reading(Kind.LETTER), nothing, inbox, organisation, now, ())


def _taken(
    raw: bytes,
    reading: Reading,
    words: Words,
    inbox: Inbox | None,
    organisation: Organisation | None,
    now: datetime,
    to: Sequence[str],
) -> Inbound | Stray | None:
    way = route(reading, words, scope=organisation, to=[one.lower() for one in to])
    if way.ours:
        return None
    kind = _kind(reading, words, way)
    if way.organisation is None:
        return _stray(raw, inbox, kind, words, now)
    return _inbound(raw, inbox, kind, words, reading, way, now)


def _kind(reading: Reading, words: Words, way: Route) -> Inbound.Kind:
    """A letter is a reply when a person wrote it, documents when files came to the dossier."""
    if reading.kind in _KINDS:
        return _KINDS[reading.kind]
    about_receipts = way.message is not None and way.message.purpose == Message.Purpose.RECEIPTS
    if words.files and (about_receipts or (way.message is None and way.customer_id is None)):
        return Inbound.Kind.DOCUMENTS
    if way.message is None and (words.bulk or not words.sender):
        return Inbound.Kind.OTHER
    return Inbound.Kind.REPLY


def _stray(
    raw: bytes, inbox: Inbox | None, kind: Inbound.Kind, words: Words, now: datetime
) -> Stray | None:
    if Stray.objects.filter(digest=words.digest).exists():
        return None
    stray = Stray(
        inbox=inbox,
        digest=words.digest,
        received_at=now,
        kind=kind,
        sender=words.sender,
        subject=words.subject,
    )
    return _kept(stray, raw, words.digest)


def _inbound(
    raw: bytes,
    inbox: Inbox | None,
    kind: Inbound.Kind,
    words: Words,
    reading: Reading,
    way: Route,
    now: datetime,
) -> Inbound | None:
    known = Inbound.objects.filter(organisation=way.organisation, digest=words.digest)
    if known.exists() or way.organisation is None:
        return None
    inbound = Inbound(
        organisation=way.organisation,
        inbox=inbox,
        kind=kind,
        digest=words.digest,
        received_at=now,
        sender=words.sender,
        subject=words.subject,
        text=words.text,
        address=reading.address[:200],
        code=reading.status[:12],
        detail=_plain(reading.detail)[:500],
        message=way.message,
        customer_id=way.customer_id,
    )
    return _kept(inbound, raw, words.digest)


def _kept(row: Row, raw: bytes, digest: str) -> Row | None:
    """Store the file, then the row; None when another reader took the mail in meanwhile."""
    row.raw.save(f"{digest[:32]}.eml", ContentFile(raw), save=False)
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        row.raw.delete(save=False)
        return None
    return row


def _plain(text: str) -> str:
    return "".join(sign for sign in text if sign.isprintable())
