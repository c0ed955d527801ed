"""A message sent to oneself arrives like the others and leaves no trace."""

from email.utils import parseaddr
from typing import Any

import pytest

from relance.accounts.models import Organisation, User
from relance.dunning.lots import campaigns
from relance.dunning.lots.campaigns import Wish
from relance.dunning.models import Plan
from relance.dunning.wording.messages import Words
from relance.outbox.channels.base import DeliveryError
from relance.outbox.models import Message
from relance.outbox.services import Draft
from relance.outbox.trial import send_trial
from tests.conftest import NOW, TODAY, make_customer
from tests.outbox.conftest import Server

WORDS = Words("Nos congés", "Bonjour {{ client.nom }},\n\nNous fermons à Noël.")


@pytest.fixture
def draft(organisation: Organisation, plan: Plan, owner: User) -> Draft:
    customer = make_customer(organisation, plan)
    wish = Wish([customer.pk], WORDS)
    found = campaigns.written(organisation, wish, customer.pk, on=TODAY, now=NOW, actor=owner)
    assert found is not None
    return found[1]


def test_the_trial_reaches_its_author_alone_from_the_usual_address(
    draft: Draft, owner: User, server: Server
) -> None:
    send_trial(draft, to=owner.email, subject=f"[Essai] {draft.subject}", now=NOW)

    [mail] = server.sink.mails()
    read = mail.mail()
    assert (read["To"], read["Subject"]) == (owner.email, "[Essai] Nos congés")
    assert parseaddr(read["From"]) == parseaddr(draft.sender)
    plain = read.get_body(("plain",))
    assert plain is not None
    assert "Bonjour Pharmacie Delmas," in plain.get_content()
    assert "compta@pharmacie.example" not in mail.path.read_text()
    assert not Message.objects.exists()


def test_a_server_that_is_not_there_is_said(draft: Draft, owner: User, settings: Any) -> None:
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9

    with pytest.raises(DeliveryError):
        send_trial(draft, to=owner.email, subject="Essai", now=NOW)
