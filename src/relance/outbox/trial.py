"""A message that somebody sends to himself to see it arrive: never stored, counted nowhere."""

from datetime import datetime
from email.utils import format_datetime

from django.core.mail import EmailMultiAlternatives

from relance.outbox.channels.base import DeliveryError
from relance.outbox.channels.email.lines import line_of
from relance.outbox.channels.email.mime import letter_of
from relance.outbox.oauth import TokenError
from relance.outbox.services import Draft, new_message_ref, one_line

ANSWER_SECONDS = 15


def send_trial(draft: Draft, *, to: str, subject: str, now: datetime) -> str:
    """Send the words of `draft` to the address `to` alone, from the address that they leave from.

    In test mode to the address of the test instead; the address that it went to.
    Raises DeliveryError with the server's answer.
    """
    to = draft.organisation.test_to or to
    mail = EmailMultiAlternatives(
        one_line(subject),
        draft.text,
        draft.sender,
        [to],
        reply_to=[draft.reply_to] if draft.reply_to else None,
        headers={"Date": format_datetime(now), "Message-ID": new_message_ref(draft.sender)},
    )
    if draft.html:
        mail.attach_alternative(draft.html, "text/html")
    try:
        line = line_of(draft.mailbox, at=now, answer_seconds=ANSWER_SECONDS)
    except TokenError as fault:
        raise DeliveryError(str(fault), unreachable=True) from fault
    letter = letter_of(mail)
    try:
        line.deliver(letter, hand_over=lambda: None)
    finally:
        line.close()
    return to
