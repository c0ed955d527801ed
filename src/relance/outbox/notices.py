"""Regular e-mails to users: written down once, sent at most once, given up when their day is over.

They are no messages to customers: nobody is asked what became of one, so a doubt ends in silence
rather than in a second copy. The row is both queue and proof, like `Message`, with one mark: the
conditional UPDATE of `handed_at` just before the point of no return lets one worker through, and
a process that dies after it leaves a notice that nobody sends again.
"""

import logging
from datetime import date, datetime, timedelta
from email.utils import format_datetime
from typing import NamedTuple

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.utils import timezone

from relance.accounts.models import Organisation, User
from relance.outbox.channels.base import DeliveryError
from relance.outbox.channels.email.lines import Way, line_of
from relance.outbox.channels.email.mime import Envelope, letter_of
from relance.outbox.claims import ClaimLostError, durable
from relance.outbox.mailboxes import mailbox_words, system_address
from relance.outbox.models import Notice
from relance.outbox.services import new_message_ref, one_line

log = logging.getLogger(__name__)

AT_ONCE = 50
PAUSES = [timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2)]
KEPT = timedelta(days=60)
ANSWER_SECONDS = 30.0


class Sheet(NamedTuple):
    """What one reads: the text says all that the HTML says."""

    subject: str
    text: str
    html: str


def write_down(
    *,
    organisation: Organisation | None,
    user: User,
    kind: str,
    on: date,
    sheet: Sheet,
    unsubscribe: str,
    useful_until: datetime,
    now: datetime,
) -> bool:
    """Keep it to be sent; False when the user has one of this kind for local date `on` already.

    `unsubscribe` is an address that answers POST alone (RFC 8058).
    """
    found = Notice.objects.filter(organisation=organisation, user=user, kind=kind, on=on)
    if found.exists():
        return False
    [made] = Notice.objects.bulk_create(
        [
            Notice(
                organisation=organisation,
                user=user,
                kind=kind,
                on=on,
                recipient=user.email,
                subject=one_line(sheet.subject),
                text=sheet.text,
                html=sheet.html,
                unsubscribe=unsubscribe,
                message_ref=new_message_ref(settings.DEFAULT_FROM_EMAIL),
                made_at=now,
                not_before=now,
                useful_until=useful_until,
            )
        ],
        ignore_conflicts=True,
    )
    return Notice.objects.filter(message_ref=made.message_ref).exists()


def deliver(*, now: datetime) -> int:
    """Send what waits, over one connection of the system's server; how many left."""
    due = Notice.objects.filter(
        handed_at=None, sent_at=None, not_before__lte=now, useful_until__gt=now
    )
    waiting = list(due.select_related("organisation").order_by("not_before", "pk")[:AT_ONCE])
    if not waiting:
        return 0
    line, left = line_of(None, at=now, answer_seconds=ANSWER_SECONDS), 0
    try:
        for notice in waiting:
            try:
                left += _deliver(line, notice, now)
            except DeliveryError as error:
                _put_off(notice, error, now)
                if error.unreachable:
                    break
            except ClaimLostError:
                continue
    finally:
        line.close()
    return left


def purge(now: datetime) -> int:
    """Forget notices after two months: they repeat what the pages say, with people's names."""
    return Notice.objects.filter(made_at__lt=now - KEPT).delete()[0]


def _deliver(line: Way, notice: Notice, now: datetime) -> int:
    def hand_over() -> None:
        with durable():
            free = Notice.objects.filter(pk=notice.pk, handed_at=None)
            if not free.update(handed_at=now):
                raise ClaimLostError(notice.pk)
        notice.handed_at = now

    try:
        sheet = envelope(notice, at=now)
    except Exception as fault:  # whatever it holds, the notices behind it leave
        log.exception("notice %s cannot be written", notice.pk)
        raise DeliveryError(f"{type(fault).__name__}: {fault}"[:300], permanent=True) from fault
    line.deliver(sheet, hand_over=hand_over)
    Notice.objects.filter(pk=notice.pk).update(sent_at=now, error="")
    return 1


def _put_off(notice: Notice, error: DeliveryError, at: datetime) -> None:
    """Another try later when it is certain that nobody took it; else it is over.

    Of two processes only the one that handed it over speaks of it from then on: what another
    met before the point of no return must not open it again.
    """
    log.warning("notice %s to user %s: %s", notice.pk, notice.user_id, error.answer)
    over = error.uncertain or error.permanent or notice.attempts >= len(PAUSES)
    waits: dict[str, object] = {"handed_at": notice.handed_at or at}
    if not over:
        pause = PAUSES[0] if error.unreachable else PAUSES[notice.attempts]
        spent = 0 if error.unreachable else 1
        waits = {
            "handed_at": None,
            "not_before": at + pause,
            "attempts": notice.attempts + spent,
        }
    mine = Notice.objects.filter(pk=notice.pk, sent_at=None, handed_at=notice.handed_at)
    mine.update(error=error.answer, **waits)


def envelope(notice: Notice, *, at: datetime) -> Envelope:
    """The notice as it leaves the system's address, dated `at`."""
    address = system_address()
    sender = f"Relance · {notice.organisation.name}" if notice.organisation else "Relance"
    headers = {
        "Message-ID": notice.message_ref,
        "Date": format_datetime(timezone.localtime(at)),
        "Auto-Submitted": "auto-generated",
    }
    if notice.unsubscribe:
        headers["List-Unsubscribe"] = f"<{notice.unsubscribe}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail = EmailMultiAlternatives(
        subject=notice.subject,
        body=notice.text,
        from_email=mailbox_words(sender, address),
        to=[notice.recipient],
        headers=headers,
    )
    mail.attach_alternative(notice.html, "text/html")
    return letter_of(mail)
