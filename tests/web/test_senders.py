"""The window of a manual message: from where it leaves, and the copy to oneself."""

from html import unescape
from typing import Any

import pytest
from django.test import Client

from relance.accounts.models import Organisation, User
from relance.dunning.models import Plan
from relance.ledger.models import Customer
from relance.outbox.models import Mailbox, Message
from tests.conftest import NOW, TODAY, make_invoice
from tests.web.morning import url, waiting


@pytest.fixture
def own(organisation: Organisation, owner: User) -> Mailbox:
    """Camille's own mailbox, which has worked."""
    return Mailbox.objects.create(
        organisation=organisation,
        owner=owner,
        address=owner.email,
        host="smtp.kerdoncuff.example",
        checked_at=NOW,
    )


def typed(**changes: Any) -> dict[str, Any]:
    words = {"to": "compta@delmas.example", "subject": "Rappel", "body": "Bonjour"}
    return words | changes


def test_the_window_offers_every_address_and_begins_with_the_default(
    camille: Client, organisation: Organisation, customer: Customer, own: Mailbox
) -> None:
    """S4-06, S4-05, S2-22, S2-19."""
    make_invoice(customer, "F-1", TODAY)

    page = unescape(camille.get(url("customer_write", organisation, customer.pk)).content.decode())

    choices = page.partition('name="sender"')[2].partition("</select>")[0]
    keys = [piece.partition('"')[0] for piece in choices.split('value="')[1:]]
    assert keys == [f"mailbox-{own.pk}", "organisation", "system"]
    assert "camille@kerdoncuff.example (ma boîte)" in choices


@pytest.mark.parametrize("key", ["", "organisation", "system"])
def test_a_manual_message_leaves_from_the_address_chosen(
    camille: Client,
    organisation: Organisation,
    owner: User,
    customer: Customer,
    own: Mailbox,
    key: str,
    settings: Any,
) -> None:
    """S4-06; S2-21, S2-23: whichever sends, the replies reach the user."""
    settings.DEFAULT_FROM_EMAIL = "collect@relance.example"
    invoice = make_invoice(customer, "F-1", TODAY)
    where = url("customer_write", organisation, customer.pk)

    camille.post(where, typed(facture=invoice.pk, faire="envoyer", sender=key))

    message = Message.objects.get()
    names = {
        "": (f'"Camille Le Goff" <{owner.email}>', "", own),
        "organisation": ('"Ateliers Kerdoncuff" <relances@kerdoncuff.example>', owner.email, None),
        "system": ('"Ateliers Kerdoncuff" <collect@relance.example>', owner.email, None),
    }
    assert (message.sender, message.reply_to, message.mailbox) == names[key]


def test_the_message_of_a_level_sent_by_hand_leaves_from_the_address_chosen(
    camille: Client, organisation: Organisation, plan: Plan, own: Mailbox
) -> None:
    """S4-06: the next automatic one leaves again from the organisation's address (S4-05)."""
    plan.steps.update(automatic=False)
    action = waiting(organisation, plan)
    edit = camille.get(url("action_edit", organisation, action.pk)).content.decode()
    assert f'value="mailbox-{own.pk}"' in edit

    camille.post(url("action_send", organisation, action.pk), typed(sender="organisation"))

    message = Message.objects.get()
    assert (message.mailbox, message.sender.endswith("<relances@kerdoncuff.example>")) == (
        None,
        True,
    )


def test_a_mailbox_removed_meanwhile_sends_nothing_and_says_so(
    camille: Client, organisation: Organisation, customer: Customer, own: Mailbox
) -> None:
    invoice = make_invoice(customer, "F-1", TODAY)
    Mailbox.objects.update(retired_at=NOW)

    answer = camille.post(
        url("customer_write", organisation, customer.pk),
        typed(facture=invoice.pk, faire="envoyer", sender=f"mailbox-{own.pk}"),
    )

    assert "Cette adresse d’envoi n’existe plus" in unescape(answer.content.decode())
    assert not Message.objects.exists()


def test_nobody_sends_from_the_mailbox_of_a_colleague(
    camille: Client, organisation: Organisation, customer: Customer, own: Mailbox, colleague: User
) -> None:
    Mailbox.objects.update(owner=colleague)
    invoice = make_invoice(customer, "F-1", TODAY)

    camille.post(
        url("customer_write", organisation, customer.pk),
        typed(facture=invoice.pk, faire="envoyer", sender=f"mailbox-{own.pk}"),
    )

    assert not Message.objects.exists()


@pytest.mark.parametrize("wanted", [True, False])
def test_the_box_recevoir_une_copie_begins_as_one_prefers(
    camille: Client, organisation: Organisation, owner: User, customer: Customer, wanted: bool
) -> None:
    """D-16, S2-20: the box is ticked beforehand, and unticking it is obeyed."""
    User.objects.filter(pk=owner.pk).update(receives_copy=wanted)
    invoice = make_invoice(customer, "F-1", TODAY)
    where = url("customer_write", organisation, customer.pk)

    page = camille.get(where).content.decode()

    box = page.partition('name="copy"')[2].partition(">")[0]
    assert ("checked" in box) is wanted
    other = {} if wanted else {"copy": "on"}
    camille.post(where, typed(facture=invoice.pk, faire="envoyer", **other))
    assert Message.objects.get().copies == ([] if wanted else [owner.email])


def test_a_level_sent_without_opening_its_window_is_copied_to_whoever_prefers_so(
    camille: Client, organisation: Organisation, owner: User, plan: Plan
) -> None:
    """D-16."""
    User.objects.filter(pk=owner.pk).update(receives_copy=True)
    plan.steps.update(automatic=False)
    action = waiting(organisation, plan)

    camille.post(url("action_send", organisation, action.pk))

    assert Message.objects.get().copies == [owner.email]
