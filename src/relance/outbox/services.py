"""Verbs of the outbox: queue drafts, and what people do with a message that waits or failed.

Each change of state is one conditional UPDATE: of two people or processes, one wins and the
other gets StateConflictError. `delivery` sends.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from email.utils import parseaddr
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import uuid4

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from relance.accounts.bulk import create_many, insert_many
from relance.accounts.models import Organisation, User
from relance.outbox.errors import OutboxError as OutboxError
from relance.outbox.errors import PrintedError as PrintedError
from relance.outbox.errors import StateConflictError as StateConflictError
from relance.outbox.errors import StepAlreadyQueuedError as StepAlreadyQueuedError
from relance.outbox.mailbox_care import elsewhere
from relance.outbox.models import POSTED as POSTED
from relance.outbox.models import (
    VOID,
    WAITING,
    Attempt,
    Mailbox,
    Message,
    MessageInvoice,
    OwnFile,
    Status,
)
from relance.outbox.own_files import enclose
from relance.outbox.settling import settle_uncertain as settle_uncertain

CHUNK = 500
NOT_GONE = [Status.DRAFT, Status.TO_APPROVE, *WAITING]


class Line(NamedTuple):
    """An invoice told of: cents asked for it; a carrier's level rises with the message."""

    invoice_id: int
    amount_cents: int
    carrier: bool = False
    plan_id: int | None = None
    cycle: int = 0
    level: int | None = None

    @property
    def step(self) -> tuple[int, int | None, int, int | None] | None:
        """What may be carried by one live message only; None when it is no step of a plan."""
        if not self.carrier or self.plan_id is None or self.level is None:
            return None
        return (self.invoice_id, self.plan_id, self.cycle, self.level)


class Attached(NamedTuple):
    """A file to go with a message; `name` is what the reader sees."""

    name: str
    mime: str
    content: bytes


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A message rendered in full. `sender` and `reply_to` are RFC 5322 mailboxes.

    `on` is the local date of the decision, `not_before` the UTC moment from which it may leave;
    `copies` are blind (S2-20); `status` may also be draft or to_approve, with `reason` a code
    (MISSING_PDF, TO_CONFIRM). A letter has no recipients but `letter`, as composed by
    `dunning.wording.letters`.
    """

    organisation: Organisation
    customer_id: int | None
    on: date
    not_before: datetime
    sender: str
    recipients: Sequence[str]
    subject: str
    text: str
    html: str = ""
    reply_to: str = ""
    copies: Sequence[str] = ()
    lines: Sequence[Line] = ()
    purpose: str = Message.Purpose.STEP
    channel: str = "email"
    automatic: bool = False
    plan_id: int | None = None
    action_id: int | None = None
    reference_id: int | None = None
    level: int | None = None
    level_name: str = ""
    currency: str = "EUR"
    amount_cents: int = 0
    made_by: User | None = None
    status: str = Status.QUEUED
    reason: str = ""
    letter: Mapping[str, Any] | None = None
    mailbox: Mailbox | None = None
    batch_id: int | None = None
    request_id: int | None = None
    files: Sequence[Attached] = ()
    ref: str = ""  # its Message-ID (`once.ref_of`); a new one when empty
    enclosed: Sequence[OwnFile] = ()

    @property
    def debtor_id(self) -> int:
        """Of the customer that it chases; a request for receipts has none (TypeError)."""
        if self.customer_id is None:
            raise TypeError("this draft chases no customer")
        return self.customer_id


class Refusal(NamedTuple):
    """A draft that was not queued: ALREADY_QUEUED, NO_RECIPIENT, NO_ADDRESS (of a letter,
    `detail` says what its address lacks) or BAD_ADDRESS (`detail`).
    """

    draft: Draft
    code: str
    detail: str = ""


class Queued(NamedTuple):
    """What `queue` did: the messages written, in the order of their drafts, and the others."""

    messages: list[Message]
    refused: list[Refusal]


def queue(*, drafts: Iterable[Draft], now: datetime) -> Queued:
    """Store the drafts as messages, each with a Message-ID of its own (spec mail B2).

    A step that a live message already carries is refused, by one question per chunk first and
    by the unique constraint as the last guard (architecture rule 5); the others are kept. Each
    chunk of 500 is a transaction, or a savepoint inside the caller's.
    """
    refused: list[Refusal] = []
    sound: list[Draft] = []
    for draft in drafts:
        fault = _address_fault(draft)
        if fault:
            refused.append(Refusal(draft, *fault))
        else:
            sound.append(draft)
    messages: list[Message] = []
    for start in range(0, len(sound), CHUNK):
        chunk = sound[start : start + CHUNK]
        free, taken = _without_steps_taken(chunk)
        refused += [Refusal(draft, "ALREADY_QUEUED") for draft in taken]
        try:
            messages += _store(free, now)
        except IntegrityError:  # somebody queued one of them in between
            for draft in free:
                try:
                    messages += _store([draft], now)
                except IntegrityError:
                    refused.append(Refusal(draft, "ALREADY_QUEUED"))
    return Queued(messages, refused)


def one_line(subject: str) -> str:
    """A subject of at most 300 characters in which no name can add a header (injection).

    French no-break spaces stay as they are.
    """
    line = re.sub(r"[ \x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", subject).strip(" ")
    return line if len(line) <= 300 else line[:299] + "…"


def plain(body: str) -> str:
    """Without control characters: no reader shows them and PostgreSQL stores no NUL."""
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", "", body)


def _address_fault(draft: Draft) -> tuple[str, str] | None:
    if draft.channel in POSTED:
        if draft.letter and draft.letter["to"]:
            return None
        return "NO_ADDRESS", str((draft.letter or {}).get("why_not", ""))
    if draft.channel == "sms":
        return None if draft.recipients else ("NO_PHONE", "")
    if draft.channel != "email":
        return None
    if not draft.recipients:
        return "NO_RECIPIENT", ""
    mailboxes = [draft.sender, *draft.recipients, *draft.copies]
    return _fault_of([*mailboxes, draft.reply_to] if draft.reply_to else mailboxes)


def _fault_of(mailboxes: Iterable[str]) -> tuple[str, str] | None:
    for mailbox in mailboxes:
        if not _is_mailbox(mailbox):
            return "BAD_ADDRESS", mailbox
    return None


@lru_cache(maxsize=1024)
def _is_mailbox(mailbox: str) -> bool:
    try:
        validate_email(parseaddr(mailbox)[1])
    except ValidationError:
        return False
    return mailbox.isprintable()


def _without_steps_taken(drafts: list[Draft]) -> tuple[list[Draft], list[Draft]]:
    invoices = {line.invoice_id for draft in drafts for line in draft.lines if line.step}
    seen = set(
        MessageInvoice.objects.filter(
            invoice_id__in=invoices, live=True, carrier=True, plan_id__isnull=False
        ).values_list("invoice_id", "plan_id", "cycle", "level")
    )
    free, taken = [], []
    for draft in drafts:
        steps = {line.step for line in draft.lines if line.step}
        if steps & seen:
            taken.append(draft)
        else:
            seen |= steps
            free.append(draft)
    return free, taken


_LINE = ("organisation", "message", "live", *Line._fields)


@transaction.atomic
def _store(drafts: list[Draft], now: datetime) -> list[Message]:
    messages = [_message(draft, now) for draft in drafts]
    create_many(Message, messages)
    lines = [
        (draft.organisation.pk, message.pk, True, *line)
        for draft, message in zip(drafts, messages, strict=True)
        for line in draft.lines
    ]
    insert_many(MessageInvoice, _LINE, lines)
    enclose(drafts, messages)
    return messages


def _message(draft: Draft, now: datetime) -> Message:
    return Message(
        organisation=draft.organisation,
        customer_id=draft.customer_id,
        purpose=draft.purpose,
        channel=draft.channel,
        status=draft.status,
        automatic=draft.automatic,
        on=draft.on,
        not_before=draft.not_before,
        plan_id=draft.plan_id,
        action_id=draft.action_id,
        reference_id=draft.reference_id,
        level=draft.level,
        level_name=draft.level_name,
        currency=draft.currency,
        amount_cents=draft.amount_cents,
        sender=draft.sender,
        reply_to=draft.reply_to,
        recipients=list(draft.recipients),
        copies=list(draft.copies),
        subject=one_line(draft.subject),
        text=plain(draft.text),
        html=plain(draft.html),
        reason=draft.reason,
        letter=draft.letter,
        mailbox=draft.mailbox if draft.channel == "email" else None,
        batch_id=draft.batch_id,
        request_id=draft.request_id,
        message_ref=draft.ref or new_message_ref(draft.sender),
        made_by=draft.made_by,
        made_at=now,
    )


def new_message_ref(sender: str) -> str:
    """A Message-ID never used before, in the sender's domain; the machine's name stays home."""
    return f"<{uuid4().hex}@{domain_of(sender)}>"


@lru_cache(maxsize=1024)
def domain_of(mailbox: str) -> str:
    """The domain of an RFC 5322 mailbox, as ASCII."""
    domain = parseaddr(mailbox)[1].rpartition("@")[2].lower() or "localhost"
    return domain.encode("idna").decode("ascii")


def _change(message: Message, allowed: Sequence[str], **values: object) -> None:
    """Move `message` out of an allowed state; StateConflictError when it is in another."""
    changed = Message.objects.filter(pk=message.pk, status__in=allowed).update(**values)
    message.refresh_from_db()
    if not changed:
        raise StateConflictError(message.status)


def _take_back(message: Message, allowed: Sequence[str], **values: object) -> None:
    """`_change` of what nobody holds on paper: PrintedError of a letter in a print run (D-07).

    Its paper leaves whatever is said here; its level rises with the confirmation of its run.
    """
    free = Message.objects.filter(pk=message.pk, status__in=allowed, print_run=None)
    changed = free.update(**values)
    message.refresh_from_db()
    if not changed:
        if message.print_run is not None and message.status in allowed:
            raise PrintedError(message.print_run)
        raise StateConflictError(message.status)


def _free_steps(message_ids: Iterable[int]) -> None:
    """Let the steps of void messages be queued again."""
    MessageInvoice.objects.filter(message_id__in=message_ids).update(live=False)


@transaction.atomic
def cancel(*, message: Message, reason: str, now: datetime) -> None:
    """It will not leave, for `reason` (a code); its steps may be queued again.

    Allowed while it waits or is being written; StateConflictError once it is leaving or gone,
    PrintedError of a letter that is on paper.
    """
    _take_back(message, NOT_GONE, status=Status.CANCELLED, reason=reason, ended_at=now)
    _free_steps([message.pk])


@transaction.atomic
def cancel_many(*, message_ids: Sequence[int], reason: str, now: datetime) -> list[int]:
    """Cancel those that still wait and are not on paper; their ids, the others stay."""
    waiting = list(
        Message.objects.select_for_update()
        .filter(pk__in=message_ids, status__in=NOT_GONE, print_run=None)
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    Message.objects.filter(pk__in=waiting).update(
        status=Status.CANCELLED, reason=reason, ended_at=now
    )
    _free_steps(waiting)
    return waiting


def hold(*, message: Message) -> None:
    """Take a waiting message back as a draft: it leaves only when released. PrintedError."""
    _take_back(message, [Status.TO_APPROVE, *WAITING], status=Status.DRAFT)


def release(*, message: Message, now: datetime) -> None:
    """Let a draft, or one to approve, leave as soon as it may."""
    _change(message, [Status.DRAFT, Status.TO_APPROVE], status=Status.QUEUED, error="")


def edit(
    *,
    message: Message,
    subject: str,
    text: str,
    html: str,
    recipients: Sequence[str],
    copies: Sequence[str],
) -> None:
    """Replace the words and addresses of a message that has not begun to leave.

    A letter keeps its address and its table of invoices. Raises OutboxError (with the address)
    when an address is none, PrintedError of a letter that is on paper.
    """
    posted = message.channel in POSTED
    mailboxes = [*recipients, *copies]
    fault = _fault_of(mailboxes) if recipients or posted else ("NO_RECIPIENT", "")
    if fault:
        raise OutboxError(" ".join(fault).strip())
    _take_back(
        message,
        NOT_GONE,
        subject=one_line(subject),
        text=plain(text),
        html=plain(html),
        recipients=list(recipients),
        copies=list(copies),
        **({"letter": reworded(message.letter, subject, text)} if message.letter else {}),
    )


def reworded(letter: Mapping[str, Any], subject: str, text: str) -> dict[str, Any]:
    """The letter in other words; its table stays where its text still stands alone."""
    tables = [block["text"].strip() for block in letter["blocks"] if block["kind"] == "invoices"]
    parts = [part.strip("\n") for part in re.split(r"\n\s*\n", plain(text)) if part.strip()]
    blocks = [
        {"kind": "invoices" if part.strip() in tables else "text", "text": part} for part in parts
    ]
    return {**letter, "subject": one_line(subject), "blocks": blocks}


def retry(*, message: Message, now: datetime) -> None:
    """Try again from now: a failed or bounced message, or one that waits for its next try.

    It gets a new Message-ID, for the other side may know the old one, which stays on its tries;
    it leaves from elsewhere when its mailbox was removed meanwhile. Raises StepAlreadyQueuedError
    when the same step has been queued anew since.
    """
    try:
        with transaction.atomic():
            MessageInvoice.objects.filter(message=message, live=False).update(live=True)
            _name_tries(message)
            _change(
                message,
                [Status.FAILED, Status.BOUNCED, Status.RETRYING],
                status=Status.QUEUED,
                not_before=now,
                attempts=0,
                error="",
                ended_at=None,
                recorded=False,  # the entries of one that came back are void: it gets new ones
                message_ref=new_message_ref(message.sender),
                handed_sha256="",
                **elsewhere(message),
            )
    except IntegrityError as taken:
        raise StepAlreadyQueuedError from taken


def _name_tries(message: Message) -> None:
    """Its tries keep the Message-ID under which they were made, the last that left its digest."""
    stored = Message.objects.filter(pk=message.pk).values_list("message_ref", "handed_sha256")
    ref, digest = stored.get()
    tries = Attempt.objects.filter(message=message, message_ref="")
    left = tries.filter(outcome__in=[Attempt.Outcome.SENT, Attempt.Outcome.UNCERTAIN])
    last = left.order_by("-at", "-pk").values_list("pk", flat=True)
    tries.filter(pk__in=list(last[:1])).update(sha256=digest)
    tries.update(message_ref=ref)


def mark_sent(*, message: Message, now: datetime) -> None:
    """A person sent it by other means (printed, posted, called); entries follow as for others."""
    _change(message, NOT_GONE, status=Status.SENT, sent_at=now, ended_at=now, error="")


@transaction.atomic
def mark_failed(*, message: Message, answer: str, now: datetime) -> None:
    """It could not be delivered by other means either; its steps may be queued again."""
    allowed = [*NOT_GONE, Status.UNCERTAIN]
    _change(message, allowed, status=Status.FAILED, error=answer, ended_at=now)
    _free_steps([message.pk])


@transaction.atomic
def mark_bounced(*, message: Message, answer: str, now: datetime) -> None:
    """It came back: it counts neither for a level nor as a contact (spec mail B3)."""
    allowed = [Status.SENT, Status.UNCERTAIN]
    _change(message, allowed, status=Status.BOUNCED, error=answer, ended_at=now)
    _free_steps([message.pk])


def is_void(message: Message) -> bool:
    """True when it did not reach anybody and never will by itself."""
    return message.status in VOID
