"""Asking providers: what became of letters and SMS, whether one in doubt arrived, take one back.

Everything here is asked outside any transaction and written down afterwards; a provider that does
not answer is asked again at its time.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic

from django.db import Error as DatabaseFault
from django.db import transaction
from django.db.models import F

from relance.outbox.channels import postal, sms, tracking
from relance.outbox.channels.base import DeliveryError
from relance.outbox.channels.postal.base import PostalProvider
from relance.outbox.channels.sms.base import SmsProvider
from relance.outbox.channels.tracking import CannotTellError, Event, Proof
from relance.outbox.models import (
    POSTED,
    Attempt,
    Message,
    PostalAccount,
    SmsAccount,
    Status,
    Tracking,
)
from relance.outbox.provider_care import (
    AGAIN,
    GIVEN_UP,
    key_of,
    kind_of,
    remember,
)

log = logging.getLogger(__name__)

AT_ONCE = 25
"""Messages asked about in one turn of the worker."""
SECONDS_A_TURN = 20
"""Of asking: what is left waits for the next turn, so that the other parts have theirs."""
ASK_AFTER, ASK_WITHIN = timedelta(minutes=10), timedelta(days=7)
"""A submission may still be in the other side's hands for a while; an old doubt is a person's."""


@dataclass
class News:
    """A message and what was learnt about it, new rows only."""

    message: Message
    rows: list[Tracking]

    @property
    def came_back(self) -> Tracking | None:
        """The row that says that it did not reach its reader, if there is one."""
        return next((row for row in self.rows if row.status in tracking.CAME_BACK), None)


Follow = Callable[[News], object]
"""What the rooms above do about news, in the transaction that writes it down: once, or not yet."""


def _nothing(_news: News) -> None:
    return None


@dataclass
class Line:
    """The accounts opened in one turn; one that fails is left alone until the next."""

    now: datetime
    _open: dict[tuple[int, str], PostalProvider | SmsProvider | None] = field(default_factory=dict)

    def of(self, message: Message) -> PostalProvider | SmsProvider | None:
        """Its provider, whether switched on or not; None when it has none or it fails now."""
        key = message.organisation_id, kind_of(message)
        if key not in self._open:
            self._open[key] = _opened(*key)
        return self._open[key]

    def failed(self, message: Message) -> None:
        """Ask nothing more of this account in this turn."""
        self._open[message.organisation_id, kind_of(message)] = None


def _opened(organisation_id: int, kind: str) -> PostalProvider | SmsProvider | None:
    try:
        if kind == "sms":
            account = SmsAccount.objects.filter(organisation_id=organisation_id).first()
            return sms.provider_of(account) if account else None
        paper = PostalAccount.objects.filter(organisation_id=organisation_id).first()
        return postal.provider_of(paper) if paper else None
    except DeliveryError:
        log.exception("the account of organisation %s cannot be opened", organisation_id)
        return None


def poll(*, now: datetime, limit: int = AT_ONCE, follow: Follow = _nothing) -> Iterator[News]:
    """Ask about those whose time has come, oldest first; what is new, message by message.

    Each is taken by one conditional update, so that two workers do not ask twice; one that
    breaks is asked about again at its next time.
    """
    due = Message.objects.filter(poll_after__lte=now).order_by("poll_after")
    line, until = Line(now), monotonic() + SECONDS_A_TURN
    for message in due.select_related("organisation", "customer")[:limit]:
        if monotonic() >= until:
            break
        later = now + AGAIN[kind_of(message)]
        mine = Message.objects.filter(pk=message.pk, poll_after=message.poll_after)
        if not mine.update(poll_after=later):
            continue
        try:
            news = look(message, now=now, line=line, follow=follow)
        except DatabaseFault:
            raise
        except Exception:
            log.exception("what was told of message %s could not be noted", message.pk)
            continue
        if news:
            yield news


def look(
    message: Message, *, now: datetime, line: Line | None = None, follow: Follow = _nothing
) -> News | None:
    """Ask about one message and write down what is new; None when nothing is, or nobody answers."""
    line = line or Line(now)
    provider = line.of(message)
    if provider is None or not message.provider_ref:
        return None
    try:
        events = provider.status(message.provider_ref, at=now)
        proofs = _proofs(provider, message, events, now)
    except DeliveryError as error:
        log.warning("message %s: its provider says %s", message.pk, error.answer)
        if error.unreachable:
            line.failed(message)
        return None
    return learn(message, events, proofs, now=now, follow=follow)


def _proofs(
    provider: PostalProvider | SmsProvider, message: Message, events: Sequence[Event], now: datetime
) -> list[Proof]:
    """Documents exist for paper that was posted; those that we have are not asked for again."""
    posted = any(event.status not in (tracking.QUEUED, tracking.PRINTED) for event in events)
    if message.channel not in POSTED or not posted:
        return []
    found: list[Proof] = provider.proofs(message.provider_ref, at=now)  # type: ignore[union-attr]
    return found


@transaction.atomic
def learn(
    message: Message,
    events: Sequence[Event],
    proofs: Sequence[Proof],
    *,
    now: datetime,
    follow: Follow = _nothing,
) -> News | None:
    """Write down what a provider told, asked or by itself; None when all of it was known.

    What follows is done with it: a process that dies in between has learnt nothing yet.
    """
    rows = remember(message, events, proofs)
    left = message.sent_at or message.made_at
    ended = any(event.status in tracking.ENDS for event in events)
    if (ended and not _waits_for_papers(message)) or now - left > GIVEN_UP[kind_of(message)]:
        Message.objects.filter(pk=message.pk).update(poll_after=None)
        message.poll_after = None
    if not rows:
        return None
    news = News(message, rows)
    follow(news)
    return news


def _waits_for_papers(message: Message) -> bool:
    """A registered letter is asked about until its signed receipt is there."""
    if message.channel != "registered_letter":
        return False
    kept = Tracking.objects.filter(message=message, status=tracking.RECEIPT).exclude(proof="")
    return not kept.exists()


def settle_doubts(*, now: datetime) -> int:
    """Ask providers that can tell about messages in doubt: they left, or they may leave again.

    Those whose provider cannot tell stay for a person. How many were settled.
    """
    doubtful = Message.objects.filter(
        status=Status.UNCERTAIN,
        channel__in=[*POSTED, "sms"],
        handed_at__lte=now - ASK_AFTER,
        handed_at__gte=now - ASK_WITHIN,
    )
    line, settled, until = Line(now), 0, monotonic() + SECONDS_A_TURN
    for message in doubtful.select_related("organisation").order_by("pk")[:AT_ONCE]:
        if monotonic() >= until:
            break
        provider = line.of(message)
        if provider is None:
            continue
        try:
            found = provider.find(key_of(message), at=now)
        except (CannotTellError, DeliveryError):
            line.failed(message)
            continue
        settled += _settle(message, found.ref if found else None, now)
    return settled


@transaction.atomic
def _settle(message: Message, ref: str | None, now: datetime) -> int:
    """`ref`: the provider holds it under this reference; None: it never got it.

    The doubt is the one that was asked about: a later one is no business of this answer.
    """
    mine = Message.objects.filter(
        pk=message.pk, status=Status.UNCERTAIN, handed_at=message.handed_at
    )
    if ref is None:
        changed = mine.update(
            status=Status.QUEUED, not_before=now, handed_at=None, ended_at=None, error=""
        )
    else:
        changed = mine.update(
            status=Status.SENT,
            sent_at=F("handed_at"),
            ended_at=now,
            error="",
            provider_ref=ref[:120],
            poll_after=now + AGAIN[kind_of(message)] if ref else None,
        )
    if changed:
        Attempt.objects.create(
            organisation_id=message.organisation_id,
            message=message,
            at=now,
            worker="provider",
            outcome=Attempt.Outcome.TEMPORARY if ref is None else Attempt.Outcome.SENT,
            answer="asked: not there" if ref is None else f"asked: {ref}",
        )
    return changed


class TooLateError(Exception):
    """The provider does not give it back any more, or it never had it."""


def take_back(message: Message, *, now: datetime, follow: Follow = _nothing) -> News | None:
    """Ask the provider not to post a letter that it holds. Raises TooLateError, DeliveryError.

    Its yes is only a promise: what really became of the letter is told by the next looks.
    """
    provider = Line(now).of(message)
    if provider is None or not message.provider_ref or message.channel not in POSTED:
        raise TooLateError
    if not provider.cancel(message.provider_ref, at=now):  # type: ignore[union-attr]
        raise TooLateError
    return learn(message, [Event(now, tracking.CANCELLED)], [], now=now, follow=follow)
