"""A message that may have arrived: what is known is shown, a person decides, once."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from relance.accounts.models import DunningRole, Membership, Organisation, User
from relance.history.models import Event
from relance.ledger.models import Customer
from relance.outbox.models import Attempt, Mailbox, Message, Status
from tests.conftest import NOW, TODAY, make_invoice
from tests.portal.test_invoices import message_about

pytestmark = pytest.mark.django_db


@pytest.fixture
def mailbox(organisation: Organisation) -> Mailbox:
    return Mailbox.objects.create(
        organisation=organisation, address="compta@kerdoncuff.example", host="smtp.fournisseur.fr"
    )


@pytest.fixture
def doubtful(customer: Customer, mailbox: Mailbox) -> Message:
    """Handed over this morning; the line broke before the answer."""
    return message_about(
        customer,
        make_invoice(customer, "F-1", TODAY - timedelta(days=7)),
        status=Status.UNCERTAIN,
        mailbox=mailbox,
        sent_at=None,
        handed_at=NOW,
        attempts=1,
    )


def panel(client: Client, message: Message) -> str:
    slug = message.organisation.slug
    return client.get(reverse("message_detail", args=[slug, message.pk])).content.decode()


def decide(client: Client, message: Message, sent: bool, essais: int = 1) -> str:
    place = reverse("message_settle", args=[message.organisation.slug, message.pk])
    posted = {"sent": "1" if sent else "0", "essais": str(essais)}
    return client.post(place, posted, follow=True).content.decode()


def test_every_channel_is_listed_with_what_is_known(
    camille: Client, organisation: Organisation, customer: Customer, doubtful: Message
) -> None:
    """When, which server, the last answer, the Message-ID, and what came back since: nothing."""
    Attempt.objects.create(
        organisation=organisation,
        message=doubtful,
        at=NOW - timedelta(minutes=5),
        worker="w",
        outcome="temporary",
        code=451,
        answer="4.3.0 try again later",
    )
    for channel in ("sms", "letter"):
        message_about(
            customer, status=Status.UNCERTAIN, channel=channel, handed_at=NOW, sent_at=None
        )
    listed = camille.get(
        reverse("outbox_list", args=[organisation.slug]) + "?etat=incertains"
    ).content.decode()
    assert listed.count("Remis le") >= 3
    assert "08:30, sans réponse" in listed
    words = panel(camille, doubtful)
    for known in ("smtp.fournisseur.fr", "451 4.3.0 try again later", "@kerdoncuff.example"):
        assert known in words
    assert "ni réponse, ni refus" in words
    assert "le client l’aura deux fois" in words
    sms, letter = Message.objects.filter(channel__in=["sms", "letter"]).order_by("pk")
    assert "Le SMS a été remis au prestataire" in panel(camille, sms)
    assert "Le courrier a été remis au prestataire" in panel(camille, letter)


def test_a_person_says_that_it_left_and_the_journal_remembers_who(
    camille: Client, doubtful: Message
) -> None:
    assert "il est parti" in decide(camille, doubtful, sent=True)
    doubtful.refresh_from_db()
    assert (doubtful.status, doubtful.sent_at) == (Status.SENT, NOW)
    event = Event.objects.get(kind="message_decided")
    assert (event.actor_name, event.data["sent"]) == ("Camille Le Goff", True)


def test_two_people_decide_once_and_the_second_learns_who_did(
    client: Client, owner: User, colleague: User, doubtful: Message
) -> None:
    """A double click, a page left open and a colleague change nothing any more."""
    Membership.objects.filter(user=colleague).update(dunning_role=DunningRole.ACCOUNT_MANAGER)
    client.force_login(owner)
    decide(client, doubtful, sent=False)
    client.force_login(colleague)
    assert "Camille Le Goff l’a déjà fait repartir" in decide(client, doubtful, sent=False)
    assert "Rien n’a été envoyé de plus" in decide(client, doubtful, sent=True)
    doubtful.refresh_from_db()
    assert doubtful.status == Status.QUEUED
    assert doubtful.tries.count() == 1


def test_a_page_left_open_decides_about_no_later_attempt(
    camille: Client, doubtful: Message
) -> None:
    """Sent again, it is in doubt again: the old page's button sends it no third time."""
    decide(camille, doubtful, sent=False)
    Message.objects.update(status=Status.UNCERTAIN, attempts=2, handed_at=NOW)
    decide(camille, doubtful, sent=False, essais=1)
    doubtful.refresh_from_db()
    assert doubtful.status == Status.UNCERTAIN
    decide(camille, doubtful, sent=False, essais=2)
    doubtful.refresh_from_db()
    assert doubtful.status == Status.QUEUED


def test_a_reader_sees_it_and_a_stranger_does_not(
    client: Client, colleague: User, stranger: User, doubtful: Message
) -> None:
    client.force_login(colleague)
    words = panel(client, doubtful)
    assert "Envoi incertain" in words
    assert "Votre rôle est en lecture seule" in words
    assert "Renvoyer" not in words
    place = reverse("message_settle", args=[doubtful.organisation.slug, doubtful.pk])
    assert client.post(place, {"sent": "0"}).status_code == 403
    client.force_login(stranger)
    assert client.post(place, {"sent": "0"}).status_code == 404
    doubtful.refresh_from_db()
    assert doubtful.status == Status.UNCERTAIN


def test_the_morning_counts_it(
    camille: Client, organisation: Organisation, doubtful: Message
) -> None:
    words = camille.get(reverse("today", args=[organisation.slug])).content.decode()
    assert "Envoi incertain" in words
    assert reverse("message_detail", args=[organisation.slug, doubtful.pk]) in words
