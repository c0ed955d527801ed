"""Successive messages to one customer answer each other (RFC 5322 3.6.4, spec mail B2).

A message learns what it answers when it is claimed, not when it is queued: only then is it known
which of those before it really left, came back or was called off. Its subject stays as it was
written and read before the departure; no "Re:" is put in front of a formal notice.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.db.models import QuerySet

from relance.outbox import claims
from relance.outbox.models import Message, Status

REMEMBERED = timedelta(days=180)
"""An older conversation is over: the next message begins another."""
LONGEST = 10
"""Identifiers in References: the first and the newest, as mail programs keep them."""


def tie(messages: Sequence[Message], *, at: datetime) -> None:
    """Set `in_reply_to` and `thread` of e-mails about to leave, in memory and in the table.

    The message before is the newest of the same organisation, customer and purpose that left
    within 180 days to at least one of the same addresses, and not to a test address instead.
    One query for all of them; nothing is written where nothing changes, or over what somebody
    wrote who got the message back meanwhile.
    """
    mails = [message for message in messages if message.channel == "email"]
    if not mails:
        return
    before = _before(mails, at)
    changed = []
    for message in mails:
        earlier = _newest(before.get(_key(message), ()), message)
        tied = (earlier.message_ref, references(earlier)) if earlier else ("", "")
        if tied != (message.in_reply_to, message.thread):
            message.in_reply_to, message.thread = tied
            changed.append(message)
    claims.held(changed).bulk_update(changed, ["in_reply_to", "thread"])


def references(earlier: Message) -> str:
    """The References of an answer to `earlier`: its own and its Message-ID, oldest first."""
    known = [*earlier.thread.split(), earlier.message_ref]
    if len(known) > LONGEST:
        known = [known[0], *known[1 - LONGEST :]]
    return " ".join(known)


def _key(message: Message) -> tuple[int, int | None, str]:
    return message.organisation_id, message.customer_id, message.purpose


def _before(
    mails: Iterable[Message], at: datetime
) -> dict[tuple[int, int | None, str], list[Message]]:
    """What left earlier in each of these conversations, newest first."""
    keys = {_key(message) for message in mails}
    sent = Message.objects.filter(
        status=Status.SENT,
        channel="email",
        diverted_to="",
        sent_at__gte=at - REMEMBERED,
        organisation__in={organisation for organisation, _customer, _purpose in keys},
        purpose__in={purpose for _organisation, _customer, purpose in keys},
    )
    customers = {customer for _organisation, customer, _purpose in keys}
    found = list(_of(sent.filter(customer__in=customers - {None})))
    if None in customers:
        found += _of(sent.filter(customer=None))
    by_key: dict[tuple[int, int | None, str], list[Message]] = {}
    for message in found:
        by_key.setdefault(_key(message), []).append(message)
    return by_key


def _of(messages: QuerySet[Message]) -> QuerySet[Message]:
    return messages.only(
        "organisation_id", "customer_id", "purpose", "recipients", "message_ref", "thread"
    ).order_by("-sent_at", "-pk")


def _newest(earlier: Iterable[Message], message: Message) -> Message | None:
    """The newest that went to one of the addresses of `message`."""
    mine = {str(to).lower() for to in message.recipients}
    return next((one for one in earlier if mine & {str(to).lower() for to in one.recipients}), None)
