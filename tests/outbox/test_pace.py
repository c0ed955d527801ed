"""A mailbox sends no faster than its provider allows; what is over the limit waits."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from relance.accounts.models import Organisation, User
from relance.outbox import pace
from relance.outbox.models import Mailbox, Message, Status

from .conftest import NOW, Clock, Server
from .post_office import Open, PostOffice
from .test_mailbox_delivery import connect, deliver, through

pytestmark = pytest.mark.django_db

QueueOne = Callable[..., Message]


@pytest.fixture
def camille(db: None) -> User:
    return User.objects.create_user("camille@martin.example", full_name="Camille Le Goff")


@pytest.fixture
def office(post_office: Open) -> PostOffice:
    return post_office()


@pytest.fixture
def mailbox(organisation: Organisation, camille: User, office: PostOffice) -> Mailbox:
    return connect(organisation, office, actor=camille)


def limit(mailbox: Mailbox, **limits: int | None) -> None:
    Mailbox.objects.filter(pk=mailbox.pk).update(**limits)


def test_over_the_limit_of_a_minute_messages_wait_without_spending_a_try(
    mailbox: Mailbox, office: PostOffice, queue_one: QueueOne, server: Server, clock: Clock
) -> None:
    limit(mailbox, per_minute=2)
    mine = [queue_one(**through(mailbox)) for _ in range(5)]
    queue_one()

    first = deliver(clock)

    assert (first.sent, first.retrying, first.failed) == (3, 0, 0), "the system's goes on"
    for message in mine[2:]:
        message.refresh_from_db()
        assert (message.status, message.attempts) == (Status.QUEUED, 0)
        assert (message.reason, message.not_before) == (
            "MAILBOX_MINUTE",
            NOW + timedelta(minutes=1),
        )
    clock.forward(seconds=59)
    assert deliver(clock).claimed == 0
    clock.forward(seconds=1)
    assert deliver(clock).sent == 2
    assert len(office.mails) == 4
    clock.forward(minutes=1)
    assert deliver(clock).sent == 1


def test_the_limit_of_a_day_holds_until_the_oldest_is_a_day_old(
    mailbox: Mailbox, office: PostOffice, queue_one: QueueOne, clock: Clock
) -> None:
    limit(mailbox, per_minute=10, per_day=3)
    for _ in range(2):
        queue_one(**through(mailbox))
    assert deliver(clock).sent == 2
    clock.forward(hours=5)
    late = [queue_one(**through(mailbox), not_before=clock()) for _ in range(2)]
    assert deliver(clock).sent == 1
    mailbox.refresh_from_db()

    halt = pace.halt_of(mailbox, at=clock())

    assert halt == pace.Halt("MAILBOX_DAY", NOW + timedelta(hours=24), 3)
    late[1].refresh_from_db()
    assert (late[1].reason, late[1].not_before) == (halt.reason, halt.until)
    clock.at = halt.until
    assert deliver(clock).sent == 1


def test_only_what_really_left_counts(
    mailbox: Mailbox, office: PostOffice, queue_one: QueueOne, clock: Clock
) -> None:
    """A refusal and a message of another mailbox take nobody's place."""
    limit(mailbox, per_minute=1)
    office.senders = ("another@martin.example",)
    queue_one(**through(mailbox))
    assert deliver(clock).failed == 1
    office.senders = ()
    queue_one(**through(mailbox))
    assert deliver(clock).sent == 1
    assert pace.halt_of(Mailbox(pk=0, per_minute=1), at=clock()) is None


def test_without_a_limit_nothing_is_counted(
    mailbox: Mailbox, django_assert_num_queries: Callable[..., object]
) -> None:
    with django_assert_num_queries(0):  # type: ignore[attr-defined]
        assert pace.halt_of(mailbox, at=NOW) is None
