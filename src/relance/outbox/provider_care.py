"""What is written down about letters and SMS at providers, and accounts that do not work."""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.core.files.base import ContentFile
from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import Case, Q, Value, When

from relance.outbox.channels import tracking
from relance.outbox.channels.tracking import Event, Proof, Taken
from relance.outbox.models import POSTED, WAITING, Message, Status
from relance.outbox.provider_models import PostalAccount, SmsAccount, Tracking

log = logging.getLogger(__name__)

PAUSE = timedelta(minutes=15)
"""How long the messages of an account are left alone when it does not work."""
FIRST_LOOK = {"sms": timedelta(minutes=1), "letter": timedelta(hours=6)}
AGAIN = {"sms": timedelta(minutes=15), "letter": timedelta(hours=12)}
GIVEN_UP = {"sms": timedelta(days=3), "letter": timedelta(days=45)}
"""After how long its provider is asked about a message, asked again, and asked no more."""


def kind_of(message: Message) -> str:
    """The key of FIRST_LOOK, AGAIN and GIVEN_UP."""
    return "sms" if message.channel == "sms" else "letter"


def key_of(message: Message) -> str:
    """What names a message to its provider: the same at every try, until somebody retries it."""
    return message.message_ref.strip("<>").partition("@")[0]


def taken(message: Message, taken: Taken, *, at: datetime) -> None:
    """The provider has it: its reference is kept at once, for a crash may follow.

    Should the database not answer, that it left is the more important thing to write down: the
    reference then stands in the answer of the attempt only.
    """
    try:
        with transaction.atomic():
            _keep_taken(message, taken, at)
    except DatabaseError:
        log.exception("the reference %s of message %s is not kept", taken.ref, message.pk)


def _keep_taken(message: Message, taken: Taken, at: datetime) -> None:
    message.provider_ref = taken.ref.replace("\x00", "")[:120]
    message.poll_after = at + FIRST_LOOK[kind_of(message)] if taken.ref else None
    Message.objects.filter(pk=message.pk).update(
        provider_ref=message.provider_ref, poll_after=message.poll_after
    )
    words = taken.ref
    if taken.price_cents is not None:
        euros, cents = divmod(taken.price_cents, 100)
        words = f"{words} · {euros},{cents:02} € HT"
    remember(message, [Event(at, tracking.SUBMITTED, words)], [])
    for kind in _accounts(message.channel):
        account = kind.objects.filter(organisation_id=message.organisation_id)
        account.exclude(check_error="").update(check_error="", checked_at=at)


def remember(message: Message, events: Iterable[Event], proofs: Iterable[Proof]) -> list[Tracking]:
    """Write down what is new of these, once each; the new rows, oldest first.

    A proof is kept with the event of its kind, or makes one.
    """
    fresh = []
    for event in events:
        row = Tracking(
            organisation_id=message.organisation_id,
            message=message,
            at=event.at,
            status=event.status,
            detail=event.detail.replace("\x00", "")[:500],
        )
        try:
            with transaction.atomic():
                row.save()
        except IntegrityError:
            continue
        fresh.append(row)
    for proof in proofs:
        _keep(message, proof, fresh)
    return fresh


def _keep(message: Message, proof: Proof, fresh: list[Tracking]) -> None:
    mine = Tracking.objects.filter(message=message, status=proof.kind)
    if mine.exclude(proof="").exists():
        return
    row = mine.order_by("at").first()
    if row is None:
        last = Tracking.objects.filter(message=message).order_by("-at").first()
        row = Tracking(
            organisation_id=message.organisation_id,
            message=message,
            at=last.at if last else message.sent_at or message.made_at,
            status=proof.kind,
        )
        fresh.append(row)
    suffix = "pdf" if proof.mime == "application/pdf" else "jpg"
    row.proof.save(f"{message.pk}-{proof.kind}.{suffix}", ContentFile(proof.content), save=False)
    row.save()


def put_off(message: Message, *, worker: str, until: datetime, answer: str) -> int:
    """Its account does not work: what waits in this channel tries again later, at no cost.

    `message` was refused for certain, whatever its mark says; how many wait.
    """
    mine = Message.objects.filter(
        organisation_id=message.organisation_id, channel=message.channel, print_run=None
    )
    back = Case(When(attempts__gt=0, then=Value(Status.RETRYING)), default=Value(Status.QUEUED))
    untouched = Q(handed_at__isnull=True) | Q(pk=message.pk)
    held = mine.filter(untouched, status=Status.SENDING, claimed_by=worker)
    moved = held.update(
        status=back, claimed_by="", claimed_at=None, handed_at=None, not_before=until, error=answer
    )
    waiting = mine.filter(status__in=WAITING, not_before__lt=until)
    moved += waiting.update(not_before=until, error=answer)
    for kind in _accounts(message.channel):
        account = kind.objects.filter(organisation_id=message.organisation_id)
        account.update(check_error=answer[:2000])
    return moved


def _accounts(channel: str) -> list[type[PostalAccount] | type[SmsAccount]]:
    return [SmsAccount] if channel == "sms" else [PostalAccount]


def reachable(channels: Sequence[str]) -> Q:
    """What a worker may claim: paper only where a provider posts it, and nobody holds it printed.

    A registered letter leaves on a person's click, never by itself.
    """
    paper = [one for one in channels if one in POSTED]
    others = Q(channel__in=[one for one in channels if one not in POSTED])
    if not paper:
        return others
    postal = PostalAccount.objects.filter(active=True).values("organisation_id")
    posted = Q(channel__in=paper, print_run=None, organisation__in=postal)
    return others | (posted & (Q(channel="letter") | Q(automatic=False)))


def leaves_alone(organisation_id: int) -> frozenset[str]:
    """The channels whose automatic steps leave by themselves: e-mail, and those with an account."""
    posts = PostalAccount.objects.filter(organisation=organisation_id, active=True)
    texts = SmsAccount.objects.filter(organisation=organisation_id, active=True)
    found = posts.values_list(Value("letter")).union(texts.values_list(Value("sms")))
    return frozenset({"email", *(name for (name,) in found)})
