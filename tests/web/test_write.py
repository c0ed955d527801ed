"""The page "Relancer": an e-mail or a letter, written, read again, called back (S2-01…07)."""

from datetime import timedelta
from html import unescape

import pytest
from django.core.files.base import ContentFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from relance.accounts.models import Organisation, User
from relance.dunning.models import Channel, Template
from relance.ledger.models import Customer, Invoice
from relance.outbox import own_files
from relance.outbox.channels.email.mime import envelope
from relance.outbox.models import Message, OwnFile, PostalAccount, Status
from tests.conftest import NOW, TODAY, make_invoice
from tests.outbox.pdf_words import pages_of, squeezed
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
    assert Template.objects.get(name="Point du mois").channel == Channel.EMAIL
    again = camille.post(f"{D}/clients/{customer.pk}/relancer/", values)
    assert "porte déjà ce nom" in unescape(again.content.decode())


def text_of(client: Client, url: str) -> str:
    return unescape(client.get(url).content.decode())


def with_pdf(customer: Customer, number: str) -> Invoice:
    invoice = make_invoice(customer, number, days_ago(12))
    invoice.document.save(f"{number}.pdf", ContentFile(b"%PDF-1.4 facture"))
    return invoice


def test_the_pdf_of_the_invoice_goes_with_the_e_mail_and_is_shown_beforehand(
    camille: Client, customer: Customer
) -> None:
    """S2-05: attached by itself, named in the window, there in the mail that leaves."""
    invoice, bare = with_pdf(customer, "F1"), make_invoice(customer, "F2", days_ago(9))
    url = f"{D}/clients/{customer.pk}/relancer/"

    window = text_of(camille, f"{url}?facture={invoice.pk}&facture={bare.pk}")
    assert window.count("PDF joint") == 1
    assert window.count("sans PDF") == 1
    values = written(facture=[invoice.pk, bare.pk])
    read = unescape(camille.post(url, values | {"faire": "lire"}).content.decode())
    assert "F1.pdf" in read
    assert "F2.pdf" not in read

    camille.post(url, values | {"faire": "envoyer"})
    mail = envelope(Message.objects.get(), at=NOW).data
    assert b'filename="F1.pdf"' in mail
    assert b"F2.pdf" not in mail


@pytest.mark.parametrize("wanted", [True, False])
def test_receiving_a_copy_is_what_the_user_prefers_until_he_says_otherwise(
    camille: Client, owner: User, customer: Customer, wanted: bool
) -> None:
    """D-16, S2-20: the box takes its default from the user's preference."""
    owner.receives_copy = wanted
    owner.save()
    invoice = make_invoice(customer, "F1", days_ago(12))
    url = f"{D}/clients/{customer.pk}/relancer/"

    text = text_of(camille, f"{url}?facture={invoice.pk}")
    box = text[text.index('name="copy"') :]
    assert ("checked" in box[: box.index(">")]) is wanted

    values = written(facture=invoice.pk, faire="envoyer")
    camille.post(url, values if wanted else values | {"copy": "on"})
    assert Message.objects.get().copies == ([] if wanted else [owner.email])


def test_the_window_offers_from_where_it_leaves_and_the_preview_says_all_of_it(
    camille: Client, owner: User, customer: Customer, organisation: Organisation
) -> None:
    """S4-06 and S2-21: the sender is chosen here; what leaves is read before it does."""
    invoice = make_invoice(customer, "F1", days_ago(12))
    url = f"{D}/clients/{customer.pk}/relancer/"
    assert 'value="system"' in text_of(camille, f"{url}?facture={invoice.pk}")
    values = written(facture=invoice.pk, sender="system", copy="on")

    read = unescape(camille.post(url, values | {"faire": "lire"}).content.decode())
    camille.post(url, values | {"faire": "envoyer"})

    message = Message.objects.get()
    shown = read[read.index('id="sheet"') :].replace("<wbr>", "")
    for part in (message.sender.replace('"', ""), *message.recipients, *message.copies):
        assert part in shown
    assert message.reply_to == owner.email
    assert message.reply_to in shown

    unknown = camille.post(url, values | {"faire": "envoyer", "sender": "mailbox-999"})
    assert "Cette adresse d’envoi n’existe plus" in unescape(unknown.content.decode())
    assert Message.objects.count() == 1


ADDRESS = {"address": "12 rue des Halles", "postcode": "29000", "city": "Quimper"}


def test_the_envelope_opens_an_empty_letter_with_the_letter_templates_at_its_bottom(
    camille: Client, customer: Customer, template: Template
) -> None:
    """S2-01, S2-03, S2-04."""
    Customer.objects.update(**ADDRESS)
    own = Template.objects.create(
        organisation=customer.organisation,
        name="Lettre de rappel",
        channel=Channel.LETTER,
        subject="Rappel",
        body="Madame, Monsieur,\n\n{{ tableau_factures }}",
    )
    invoice = make_invoice(customer, "F1", days_ago(12))
    url = f"{D}/clients/{customer.pk}/relancer/?canal=courrier&facture={invoice.pk}"

    text = text_of(camille, url)

    assert "12 RUE DES HALLES, 29000 QUIMPER" in text
    assert 'name="to"' not in text
    assert "Madame, Monsieur" not in text
    assert f"modele={own.pk}" in text
    assert f"modele={template.pk}" not in text
    assert "Madame, Monsieur" in text_of(camille, f"{url}&modele={own.pk}")


def test_a_letter_is_seen_as_a_pdf_then_waits_to_be_printed(
    camille: Client, customer: Customer
) -> None:
    """S2-01; its level, its contact and its history wait for the confirmed print (D-07)."""
    Customer.objects.update(**ADDRESS)
    invoice = make_invoice(customer, "F1", days_ago(12), 123_45)
    url = f"{D}/clients/{customer.pk}/relancer/"
    values = written(facture=invoice.pk, canal="courrier")
    del values["to"]

    pdf = camille.post(url, values | {"faire": "pdf"})
    assert squeezed("123,45 €") in pages_of(pdf.content)[0]
    assert not Message.objects.exists()

    answer = camille.post(url, values | {"faire": "envoyer"}, follow=True)
    letter = Message.objects.get()
    assert (letter.channel, letter.status, letter.recipients) == ("letter", Status.QUEUED, [])
    text = unescape(answer.content.decode())
    assert "prêt\u00a0: il reste à l’imprimer" in text
    assert f'name="lettre" value="{letter.pk}"' in text


def test_a_letter_that_a_provider_takes_is_posted_and_may_be_called_back(
    camille: Client, organisation: Organisation, customer: Customer
) -> None:
    """Nothing speaks of printing; ten seconds to undo, as for a mail."""
    Customer.objects.update(**ADDRESS)
    PostalAccount.objects.create(organisation=organisation, provider="fake", active=True)
    invoice = make_invoice(customer, "F1", days_ago(12), 123_45)
    url = f"{D}/clients/{customer.pk}/relancer/"
    page = text_of(camille, f"{url}?canal=courrier&facture={invoice.pk}")
    assert "Poster" in page
    assert "Mettre à imprimer" not in page
    values = written(facture=invoice.pk, canal="courrier")
    del values["to"]

    answer = camille.post(url, values | {"faire": "envoyer"}, follow=True)
    message = Message.objects.get()
    text = unescape(answer.content.decode())
    assert "il reste à l’imprimer" not in text
    assert reverse("customer_write_undo", args=[organisation.slug, customer.pk, message.pk]) in text


def test_a_letter_without_a_place_to_go_to_says_what_is_missing(
    camille: Client, customer: Customer
) -> None:
    invoice = make_invoice(customer, "F1", days_ago(12))
    url = f"{D}/clients/{customer.pk}/relancer/"
    assert "Adresse postale incomplète." in text_of(camille, f"{url}?canal=courrier")

    values = written(facture=invoice.pk, canal="courrier", faire="envoyer")
    refused = unescape(camille.post(url, values).content.decode())

    assert "n’a pas d’adresse postale complète" in refused
    assert not Message.objects.exists()


def test_a_letter_is_kept_as_a_letter_template(camille: Client, customer: Customer) -> None:
    """S2-06, for the other method."""
    invoice = make_invoice(customer, "F1", days_ago(12))
    values = written(facture=invoice.pk, canal="courrier", faire="modele", model_name="Lettre")

    camille.post(f"{D}/clients/{customer.pk}/relancer/", values)

    assert Template.objects.get(name="Lettre").channel == Channel.LETTER


def test_what_a_template_encloses_is_ticked_shown_and_sent_with_it(
    camille: Client,
    organisation: Organisation,
    customer: Customer,
    template: Template,
    owner: User,
) -> None:
    """S2-04: the RIB and the own files of the template; each may be left out or added by hand."""
    terms, form = (
        own_files.add(
            organisation, name=name, raw=b"%PDF-" + name.encode(), actor=owner, on=TODAY, now=NOW
        )
        for name in ("CGV.pdf", "Mandat.pdf")
    )
    Organisation.objects.update(iban="FR76 3000 6000 0112 3456 7890 189", bic="AGRIFRPP")
    Template.objects.update(with_rib=True)
    template.files.set([terms])
    invoice = make_invoice(customer, "F1", days_ago(12))
    url = f"{D}/clients/{customer.pk}/relancer/"

    page = camille.get(f"{url}?facture={invoice.pk}&modele={template.pk}")
    assert page.context["form"].initial["pieces"] == [terms.pk]
    assert 'name="rib" id="id_rib" checked' in unescape(page.content.decode())
    empty = camille.get(f"{url}?facture={invoice.pk}")
    assert empty.context["form"].initial["pieces"] == []

    values = written(facture=invoice.pk, rib="on", pieces=[terms.pk, form.pk])
    read = camille.post(url, values | {"faire": "lire"})
    assert read.context["sheet"]["attachments"] == ["CGV.pdf", "Mandat.pdf", "RIB.pdf"]
    camille.post(url, values | {"faire": "envoyer"})
    message = Message.objects.get()
    names = message.files.order_by("pk").values_list("name", flat=True)
    assert list(names) == ["CGV.pdf", "Mandat.pdf", "RIB.pdf"]

    again = camille.get(f"{url}?facture={invoice.pk}&reprendre={message.pk}")
    assert again.context["form"].initial["pieces"] == [terms.pk, form.pk]
    assert again.context["form"].initial["rib"] is True
    camille.post(url, values | {"faire": "modele", "model_name": "Avec pièces"})
    kept = Template.objects.get(name="Avec pièces")
    assert (kept.with_rib, set(kept.files.all())) == (True, {terms, form})


def test_without_an_iban_no_rib_is_promised_and_files_of_others_are_refused(
    camille: Client, organisation: Organisation, customer: Customer, template: Template
) -> None:
    Template.objects.update(with_rib=True)
    other = Organisation.objects.create(name="Autre", slug="autre-encore")
    theirs = OwnFile.objects.create(
        organisation=other, name="x.pdf", mime="application/pdf", size=1, added_at=NOW, file="x"
    )
    invoice = make_invoice(customer, "F1", days_ago(12))
    url = f"{D}/clients/{customer.pk}/relancer/"
    page = camille.get(f"{url}?facture={invoice.pk}&modele={template.pk}")
    assert page.context["form"].initial["rib"] is False
    assert "Aucun IBAN dans les paramètres" in unescape(page.content.decode())

    values = written(facture=invoice.pk, rib="on", pieces=[theirs.pk], faire="envoyer")
    camille.post(url, values)
    assert Message.objects.get().files.count() == 0


def test_a_second_message_about_the_same_invoices_within_minutes_is_asked_about_once(
    camille: Client, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two tabs, or two people: the second reads who wrote and when, then sends all the same."""
    invoice, other = (make_invoice(customer, name, days_ago(12)) for name in ("F1", "F2"))
    url = f"{D}/clients/{customer.pk}/relancer/"
    values = written(facture=invoice.pk, faire="envoyer")
    assert camille.post(url, values | {"cle": "a"}).status_code == 302
    first = Message.objects.get()

    asked = camille.post(url, values | {"cle": "b"})
    text = unescape(asked.content.decode())
    hour = timezone.localtime(first.made_at).strftime("%H:%M")
    said = f"{first.made_by} a écrit à ce client à {hour} au sujet de ces factures."
    assert asked.status_code == 409
    assert said in text
    assert "Envoyer quand même" in text
    assert "Bonjour," in text, "the words are still there"
    assert Message.objects.count() == 1

    assert camille.post(url, values | {"cle": "c", "facture": other.pk}).status_code == 302
    assert camille.post(url, values | {"cle": "b", "vu": first.pk}).status_code == 302
    assert Message.objects.count() == 3

    monkeypatch.setattr("relance.accounts.clock.now", lambda: NOW + timedelta(minutes=11))
    assert camille.post(url, values | {"cle": "d"}).status_code == 302
