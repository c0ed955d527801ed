"""The message's panel says what the debtor may open, and closes it."""

import pytest
from django.test import Client
from django.urls import reverse

from relance.accounts.models import Organisation, User
from relance.ledger.models import Customer
from relance.outbox import doors
from relance.outbox.models import Message, Status
from tests.conftest import TODAY, make_invoice
from tests.portal.test_invoices import message_about, path_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def message(customer: Customer) -> Message:
    return message_about(customer, make_invoice(customer, "F-1", TODAY))


def test_the_link_of_a_message_is_closed_and_opened_again(
    camille: Client, organisation: Organisation, message: Message
) -> None:
    """A6: a link given away can be taken back by whoever sent it."""
    detail = reverse("message_detail", args=[organisation.slug, message.pk])
    address = reverse("message_link", args=[organisation.slug, message.pk])
    assert "Fermer le lien" in camille.get(detail).content.decode()
    said = camille.post(address, {"open": "0"}, follow=True).content.decode()
    assert "Le lien est fermé." in said
    assert "Rouvrir le lien" in said
    assert Client().get(path_of(message)).status_code == 404
    camille.post(address, {"open": "1"})
    assert Client().get(path_of(message)).status_code == 200


def test_a_reader_sees_it_and_a_stranger_does_not(
    client: Client, colleague: User, stranger: User, organisation: Organisation, message: Message
) -> None:
    detail = reverse("message_detail", args=[organisation.slug, message.pk])
    address = reverse("message_link", args=[organisation.slug, message.pk])
    client.force_login(colleague)
    words = client.get(detail).content.decode()
    assert "Lien vers les factures" in words
    assert "Fermer le lien" not in words
    assert client.post(address, {"open": "0"}).status_code == 403
    client.force_login(stranger)
    assert client.post(address, {"open": "0"}).status_code == 404
    message.refresh_from_db()
    assert message.link_closed_at is None


def test_a_message_that_nobody_got_shows_no_link(
    camille: Client, organisation: Organisation, message: Message
) -> None:
    Message.objects.update(status=Status.QUEUED)
    detail = reverse("message_detail", args=[organisation.slug, message.pk])
    assert doors.token_of(message) in camille.get(detail).content.decode()
    Message.objects.update(status=Status.CANCELLED)
    assert doors.token_of(message) not in camille.get(detail).content.decode()
