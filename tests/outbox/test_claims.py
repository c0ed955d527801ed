"""Two workers never hold the same message."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection

from relance.accounts.models import Organisation
from relance.outbox import claims, test_mode
from relance.outbox.models import Message, Status

from .conftest import NOW

pytestmark = pytest.mark.django_db

QueueOne = Callable[..., Message]


def claim(worker: str, limit: int = 50) -> list[Message]:
    return claims.claim(worker=worker, at=NOW, limit=limit, channels=["email"])


def test_a_message_claimed_by_one_is_not_there_for_another(queue_one: QueueOne) -> None:
    messages = [queue_one() for _ in range(3)]
    first, second = claim("a", limit=2), claim("b")
    assert [m.pk for m in first + second] == [m.pk for m in messages]
    assert claim("c") == []


def test_the_oldest_leave_first_and_those_tried_before_precede(queue_one: QueueOne) -> None:
    late, early = queue_one(), queue_one(not_before=NOW - timedelta(hours=1))
    again = queue_one()
    Message.objects.filter(pk=again.pk).update(status=Status.RETRYING, attempts=1)
    assert [claim("a", limit=1)[0] for _ in range(3)] == [again, early, late]


def test_only_the_channels_that_can_send_are_claimed(queue_one: QueueOne) -> None:
    queue_one(channel="letter", letter={"to": ["Dupont SARL", "29000 QUIMPER"]})
    assert claim("a") == []


def test_the_point_of_no_return_is_passed_once_and_by_the_holder_only(
    queue_one: QueueOne,
) -> None:
    message = queue_one()
    claim("a")
    with pytest.raises(claims.ClaimLostError):
        claims.mark_handing(message=message, worker="b", at=NOW)
    assert not claims.mark_left(message=message, worker="a", at=NOW), "not handed over yet"
    claims.mark_handing(message=message, worker="a", at=NOW)
    with pytest.raises(claims.ClaimLostError):
        claims.mark_handing(message=message, worker="a", at=NOW)
    assert claims.mark_left(message=message, worker="a", at=NOW)


def test_a_message_given_back_keeps_its_count_of_tries(queue_one: QueueOne) -> None:
    fresh, tried = queue_one(), queue_one()
    Message.objects.filter(pk=tried.pk).update(status=Status.RETRYING, attempts=2)
    claim("a")
    assert claims.give_back(worker="a") == 2
    statuses = dict(Message.objects.values_list("pk", "status"))
    assert statuses == {fresh.pk: Status.QUEUED, tried.pk: Status.RETRYING}


def test_waiting_messages_are_found_by_an_index(queue_one: QueueOne) -> None:
    """A history of a million messages must not slow the next claim down."""
    if connection.vendor == "postgresql":  # it reads a small table whole, rightly
        connection.cursor().execute("SET LOCAL enable_seqscan = off")
    for status, index in (("queued", "message_queued"), ("retrying", "message_retrying")):
        due = Message.objects.filter(status=status, not_before__lte=NOW).order_by(
            "not_before", "pk"
        )
        assert index in due.explain()
    held = Message.objects.filter(status="sending", claimed_by="a")
    assert "message_sending" in held.explain()


def test_the_messages_of_a_test_are_found_by_an_index(organisation: Organisation) -> None:
    """Neither the page of the test mode nor its end reads all the messages of the dossier."""
    if connection.vendor == "postgresql":
        connection.cursor().execute("SET LOCAL enable_seqscan = off")
    organisation.test_since = NOW
    diverted = test_mode._of_the_test(organisation)[0]
    assert "message_of_a_test" in diverted.explain()
