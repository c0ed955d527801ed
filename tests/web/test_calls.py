"""Calls, tasks, SMS and letters in the panel of Actions: what one sees, what one notes."""

from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client

from relance.accounts.models import Organisation, User
from relance.dunning.daily import run
from relance.dunning.models import Action, Entry, Plan, Step, Template
from relance.ledger.models import Customer, Dispute, Hold
from relance.outbox.models import Message, PostalAccount, SmsAccount
from tests.conftest import NOW, TODAY, make_customer, make_invoice

D = "/d/ateliers-kerdoncuff/"


def said(answer: Any) -> str:
    return unescape(answer.content.decode())


@pytest.fixture
def act(organisation: Organisation, owner: User) -> Callable[..., Action]:
    def act(channel: str, **fields: object) -> Action:
        words = Template.objects.create(
            organisation=organisation,
            name="À dire",
            channel=channel,
            subject="Vos factures",
            body="Bonjour, {{ montant }} restent dus.",
        )
        plan = Plan.objects.create(organisation=organisation, name="Plan")
        Step.objects.create(
            organisation=organisation,
            plan=plan,
            level=1,
            name="Rappel",
            days=7,
            channel=channel,
            template=words,
        )
        place = {"address": "12 rue des Halles", "postcode": "29000", "city": "Quimper"}
        customer = make_customer(
            organisation, plan, **{"phone": "06 12 34 56 78", **place, **fields}
        )
        make_invoice(customer, "F-1", TODAY - timedelta(days=8))
        make_invoice(customer, "F-2", TODAY - timedelta(days=8))
        run.run(organisation, on=TODAY, now=NOW, spread=False, pause=0)
        return Action.objects.get()

    return act


def test_a_call_shows_its_number_and_what_to_say(
    camille: Client, act: Callable[..., Action]
) -> None:
    action = act("call")
    page = said(camille.get(f"{D}actions/{action.pk}/"))
    assert 'href="tel:+33612345678"' in page
    assert "06 12 34 56 78" in page
    assert "Bonjour, 200,00" in page.replace("\u00a0", " ")
    assert "Noter le résultat" in page
    for words in ("Joint", "Pas de réponse", "Message laissé", "Promesse de paiement", "Litige"):
        assert words in page


def test_a_promise_made_on_the_phone_is_kept_with_its_day_and_amount(
    camille: Client, act: Callable[..., Action]
) -> None:
    action = act("call")
    address = f"{D}actions/{action.pk}/resultat/"
    refused = said(camille.post(address, {"result": "promised", "note": "Jeudi"}))
    assert "Dites pour quel jour" in refused
    assert "Jeudi" in refused
    typed = {"result": "promised", "until": "2026-12-04", "amount": "50,00"}
    refused = said(camille.post(address, {**typed, "amount": "beaucoup"}))
    assert "Ce montant n’en est pas un." in refused
    camille.post(address, {**typed, "invoice": str(action.reference_id)})
    hold = Hold.objects.get()
    assert (str(hold.until), hold.amount_cents) == ("2026-12-04", 50_00)
    action.refresh_from_db()
    assert (action.status, action.result) == ("done", "promised")
    again = said(camille.post(address, typed))
    assert "déjà close" in again
    assert Entry.objects.count() == 1
    page = said(camille.get(f"{D}actions/{action.pk}/"))
    assert "Promesse de paiement." in page
    journal = said(camille.get(f"{D}clients/{action.customer_id}/?onglet=historique"))
    assert "Promesse de paiement" in journal


def test_nobody_answers_the_call_leaves_the_day_and_comes_back(
    camille: Client, act: Callable[..., Action]
) -> None:
    action = act("call")
    address = f"{D}actions/{action.pk}/resultat/"
    assert f'id="action-{action.pk}"' in said(camille.get(D))
    camille.post(address, {"result": "no_answer"})
    action.refresh_from_db()
    assert (action.status, action.due_on) == ("open", TODAY + timedelta(days=1))
    assert f'id="action-{action.pk}"' not in said(camille.get(D))
    page = said(camille.get(f"{D}actions/{action.pk}/"))
    assert "Pas de réponse." in page
    assert "À refaire le 25 novembre" in page


def test_a_dispute_and_a_wrong_number(camille: Client, act: Callable[..., Action]) -> None:
    action = act("call")
    address = f"{D}actions/{action.pk}/resultat/"
    camille.post(address, {"result": "wrong_number"})
    assert Customer.objects.get().phone_invalid_since == TODAY
    assert "Aucun numéro qui réponde" in said(camille.get(f"{D}actions/{action.pk}/"))
    camille.post(address, {"result": "disputed", "category": "Qualité"})
    assert {dispute.category for dispute in Dispute.objects.all()} == {"Qualité"}
    assert "Choisissez un résultat." in said(camille.post(address, {"result": "quoi"}))


def test_only_its_owner_notes_a_result(
    client: Client, act: Callable[..., Action], colleague: User, stranger: User
) -> None:
    action = act("task")
    address = f"{D}actions/{action.pk}/resultat/"
    for person, status in ((colleague, 403), (stranger, 404)):
        client.force_login(person)
        assert client.post(address, {"result": "done"}).status_code == status
    action.refresh_from_db()
    assert action.status == "open"


def test_an_sms_shows_its_length_and_leaves_once_with_an_account(
    camille: Client, organisation: Organisation, act: Callable[..., Action]
) -> None:
    action = act("sms")
    page = said(camille.get(f"{D}actions/{action.pk}/"))
    assert "1 SMS, " in page
    assert "SMS envoyé" in page
    SmsAccount.objects.create(organisation=organisation, provider="fake", active=True)
    page = said(camille.get(f"{D}actions/{action.pk}/"))
    assert "Envoyer le SMS" in page
    for _twice in range(2):
        camille.post(f"{D}actions/{action.pk}/envoyer/", {"by": "provider"})
    message = Message.objects.get()
    assert (message.channel, message.recipients) == ("sms", ["+33612345678"])
    assert message.text == "Bonjour, 200,00 € restent dus."


def test_a_letter_is_posted_by_a_click_or_printed(
    camille: Client, organisation: Organisation, act: Callable[..., Action]
) -> None:
    action = act("registered_letter")
    assert "Poster" not in said(camille.get(f"{D}actions/{action.pk}/"))
    PostalAccount.objects.create(organisation=organisation, provider="fake", active=True)
    page = said(camille.get(f"{D}actions/{action.pk}/"))
    assert "Poster" in page
    assert "Imprimer" in page
    for _twice in range(2):
        camille.post(f"{D}actions/{action.pk}/envoyer/", {"by": "provider"})
    message = Message.objects.get()
    assert (message.channel, message.automatic) == ("registered_letter", False)
    assert message.not_before == NOW + timedelta(seconds=10)
