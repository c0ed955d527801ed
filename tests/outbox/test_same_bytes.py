"""What left can be built again to the last byte: the message kept is the message sent (A9)."""

from collections.abc import Callable
from hashlib import sha256

import pytest
from django.utils import timezone

from relance.ledger.models import Invoice
from relance.outbox import claims, delivery, identity
from relance.outbox.channels.email import EmailChannel
from relance.outbox.channels.email.mime import envelope, left_at
from relance.outbox.delivery import Hooks
from relance.outbox.models import Message, Status

from .conftest import Clock, Server

pytestmark = pytest.mark.django_db


def test_the_file_of_a_message_is_what_the_server_was_given(
    queue_one: Callable[..., Message], invoice: Invoice, clock: Clock, server: Server
) -> None:
    """Later, elsewhere, in another time zone: the same bytes, the Date included."""
    message = queue_one(invoice)
    hooks = Hooks(lambda _batch: {}, lambda _sent: None, lambda _stopped: None)

    def slow() -> object:
        clock.forward(seconds=7)
        return clock.at

    delivery.deliver_batch(
        worker=identity.new_name(),
        now=slow,  # type: ignore[arg-type]
        hooks=hooks,
        channels={"email": EmailChannel},
    )
    [mail] = server.sink.mails()
    with timezone.override("Pacific/Noumea"):
        stored = claims.whole(Message.objects.filter(pk=message.pk)).get()
        again = envelope(stored, at=left_at(stored)).data
    assert stored.status == Status.SENT
    assert stored.handed_sha256 == sha256(again).hexdigest()
    assert mail.path.read_bytes().replace(b"\r\n", b"\n").endswith(again.replace(b"\r\n", b"\n"))
