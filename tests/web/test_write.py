"""The page "Relancer": an e-mail between two steps, written, read again, called back (S2-03…07)."""

from datetime import timedelta
from html import unescape

import pytest
from django.test import Client

from relance.dunning.models import Template
from relance.ledger.models import Customer
from relance.outbox.models import Message, Status
from tests.conftest import NOW, TODAY, make_invoice
from tests.web.record import D, days_ago


def test_the_writing_page_is_empty_with_the_templates_at_its_bottom(
    camille: Client, customer: Customer, template: Template
) -> None:
    """S2-03, S2-04: a template fills the text, which stays free."""
    invoice = make_invoice(customer, "F1", days_ago(12))
    url = f"{D}/clients/{customer.pk}/relancer/?facture={invoice.pk}"

    text = unescape(camille.get(url).content.decode())
    assert "compta@pharmacie.example" in text
    assert 'name="subject" maxlength="200" required' in text
    assert "Vos factures échues" not in text
    assert text.index('name="body"') < text.index(f"modele={template.pk}")

    filled = unescape(camille.get(f"{url}&modele={template.pk}").content.decode())
    assert "Vos factures échues, {{ montant }}" in filled


def test_a_disputed_or_promised_invoice_is_not_ticked_in_advance(
    camille: Client, customer: Customer
) -> None:
    """What the plan leaves alone is not chased by an oversight either."""
    late = make_invoice(customer, "F1", days_ago(12))
    disputed = make_invoice(customer, "F2", days_ago(20), disputed=True)
    promised = make_invoice(customer, "F3", days_ago(15), promise_until=TODAY)

    text = unescape(camille.get(f"{D}/clients/{customer.pk}/relancer/").content.decode())

    def box(pk: int) -> str:
        start = text.index(f'value="{pk}" data-tick')
        return text[start : text.index(">", start)]

    assert "checked" in box(late.pk)
    assert "checked" not in box(disputed.pk)
    assert "checked" not in box(promised.pk)
    assert "Litige" in text


def written(**more: object) -> dict[str, object]:
    return {
        "to": "compta@pharmacie.example",
        "subject": "Point",
        "body": "Bonjour,\n\n{{ tableau_factures }}",
    } | more


def test_the_message_is_read_again_before_it_leaves(camille: Client, customer: Customer) -> None:
    invoice = make_invoice(customer, "F1", days_ago(12), 123_45)

    answer = camille.post(
        f"{D}/clients/{customer.pk}/relancer/", written(facture=invoice.pk, faire="lire")
    )

    text = unescape(answer.content.decode())
    assert '<div class="paper">' in text
    assert "123,45\u00a0€" in text
    assert not Message.objects.exists()


def test_a_message_leaves_after_ten_seconds_and_may_be_called_back(
    camille: Client, customer: Customer
) -> None:
    """S3-16; the words come back with it."""
    invoice = make_invoice(customer, "F1", days_ago(12))
    url = f"{D}/clients/{customer.pk}/relancer/"

    sent = camille.post(url, written(facture=invoice.pk, faire="envoyer", copy="on"), follow=True)

    message = Message.objects.get()
    assert message.status == Status.QUEUED
    assert message.copies == ["camille@kerdoncuff.example"]  # S2-20
    assert message.not_before == NOW + timedelta(seconds=10)
    assert "départ dans" in sent.content.decode()

    back = camille.post(f"{url}{message.pk}/annuler/", follow=True)
    message.refresh_from_db()
    assert message.status == Status.CANCELLED
    assert "Point" in back.content.decode()
    assert "rien n’est parti" in unescape(back.content.decode())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"to": "pas une adresse"}, "n’est pas valable"),
        ({"to": ""}, "obligatoire"),
        ({"facture": ""}, "au moins une facture"),
        ({"body": "{{ client.nmo }}"}, "Vouliez-vous dire"),
        ({"subject": "a\nBcc: x@y.example", "facture": "999999"}, "au moins une facture"),
    ],
)
def test_what_cannot_be_sent_says_why_and_keeps_the_words(
    camille: Client, customer: Customer, change: dict[str, str], said: str
) -> None:
    invoice = make_invoice(customer, "F1", days_ago(12))
    values = written(facture=str(invoice.pk), faire="envoyer") | change

    text = unescape(camille.post(f"{D}/clients/{customer.pk}/relancer/", values).content.decode())

    assert said in text
    assert not Message.objects.exists()


def test_a_text_is_kept_as_a_new_template(camille: Client, customer: Customer) -> None:
    """S2-06."""
    invoice = make_invoice(customer, "F1", days_ago(12))
    values = written(facture=invoice.pk, faire="modele", model_name="Point du mois")

    camille.post(f"{D}/clients/{customer.pk}/relancer/", values)

    assert Template.objects.get(name="Point du mois").subject == "Point"
