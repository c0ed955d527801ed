"""Successive messages to one customer answer each other, as their mail programs show them."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from relance.accounts.models import Organisation
from relance.ledger.models import Customer
from relance.outbox import claims, services, threads
from relance.outbox.models import Message, Status

from .conftest import NOW, Clock, Server, make_draft, make_invoice
from .test_mailbox_delivery import deliver

pytestmark = pytest.mark.django_db

QueueOne = Callable[..., Message]


def sent(queue_one: QueueOne, clock: Clock, **fields: object) -> Message:
    """A message that has just left, a minute after the one before."""
    clock.forward(minutes=1)
    message = queue_one(**fields)
    assert deliver(clock).sent == 1
    message.refresh_from_db()
    return message


def test_each_relance_answers_the_one_before(
    queue_one: QueueOne, server: Server, clock: Clock
) -> None:
    """Spec mail B2: In-Reply-To is the message before, References its References and itself."""
    first, second, third = (sent(queue_one, clock) for _ in range(3))

    assert (first.in_reply_to, first.thread) == ("", "")
    assert second.in_reply_to == first.message_ref
    mails = {mail["Message-ID"]: mail for mail in (s.headers() for s in server.sink.mails())}
    assert mails[first.message_ref]["In-Reply-To"] is None
    last = mails[third.message_ref]
    assert last["In-Reply-To"] == second.message_ref
    assert last["References"].split() == [first.message_ref, second.message_ref]
    assert last["Subject"] == "Facture échue", "the subject leaves as it was read before"


def test_what_came_back_or_never_left_is_answered_by_nothing(
    queue_one: QueueOne, server: Server, clock: Clock
) -> None:
    """Known when it is claimed: when it was queued, the one before had not left yet."""
    first, second = sent(queue_one, clock), sent(queue_one, clock)
    services.mark_bounced(message=second, answer="550 unknown", now=clock())
    diverted = sent(queue_one, clock)
    Message.objects.filter(pk=diverted.pk).update(diverted_to="essai@martin.example")
    services.cancel(message=queue_one(), reason="BY_HAND", now=clock())

    assert sent(queue_one, clock).in_reply_to == first.message_ref


def test_another_address_purpose_or_organisation_is_another_conversation(
    queue_one: QueueOne, customer: Customer, server: Server, clock: Clock
) -> None:
    sent(queue_one, clock)
    other = Organisation.objects.create(name="Autre", slug="autre")
    namesake = Customer.objects.create(organisation=other, code="C1", name="Dupont", search="d")

    assert sent(queue_one, clock, recipients=["compta@example.com"]).in_reply_to == ""
    assert sent(queue_one, clock, purpose="campaign").in_reply_to == ""
    asked = sent(queue_one, clock, purpose="receipts", customer_id=None)
    assert asked.in_reply_to == ""
    services.queue(drafts=[make_draft(namesake)], now=NOW)
    assert deliver(clock).sent == 1
    assert Message.objects.get(organisation=other).in_reply_to == ""
    again = sent(queue_one, clock, purpose="receipts", customer_id=None)
    assert again.in_reply_to == asked.message_ref
    both = sent(queue_one, clock, recipients=["DUPONT@example.com", "compta@example.com"])
    assert both.in_reply_to, "one address in common is enough"


def test_a_conversation_that_is_half_a_year_old_is_over(
    queue_one: QueueOne, server: Server, clock: Clock
) -> None:
    sent(queue_one, clock)
    clock.forward(days=181)
    assert sent(queue_one, clock).in_reply_to == ""


def test_a_long_conversation_keeps_its_first_and_its_newest_messages() -> None:
    refs = [f"<{n}@example.org>" for n in range(40)]
    message = Message(message_ref=refs[0])
    for ref in refs[1:]:
        message = Message(message_ref=ref, thread=threads.references(message))
    assert threads.references(message).split() == [refs[0], *refs[-9:]]


def test_a_batch_asks_once_and_writes_only_what_changes(
    queue_one: QueueOne, customer: Customer, server: Server, clock: Clock
) -> None:
    sent(queue_one, clock)
    waiting = [queue_one(make_invoice(customer, f"F-{n}")) for n in range(5)]
    for claimed, queries in ((waiting, 2), (waiting, 1)):
        with CaptureQueriesContext(
            connection,
        ) as asked:
            threads.tie(claimed, at=clock() + timedelta(hours=1))
        done = [q for q in asked if "SAVEPOINT" not in q["sql"]]
        assert len(done) == queries
    assert {one.status for one in waiting} == {Status.QUEUED}


def test_a_claim_lost_meanwhile_is_not_written_over(
    queue_one: QueueOne, server: Server, clock: Clock
) -> None:
    """Whoever got the message back may have edited it, or holds it himself now."""
    sent(queue_one, clock)
    queue_one()
    claimed = claims.claim(worker="a", at=clock(), limit=1, channels=["email"])
    claims.give_back(worker="a")
    threads.tie(claimed, at=clock())
    assert claimed[0].in_reply_to
    assert Message.objects.get(pk=claimed[0].pk).in_reply_to == ""
