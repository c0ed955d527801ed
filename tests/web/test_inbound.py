"""Réponses clients and Réception: what came in, seen by three people (owner, reader, stranger)."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from relance.accounts.models import Organisation, User
from relance.ledger.models import Contact, Customer
from relance.ops.inbound_hooks import handlers
from relance.outbox.inbound.intake import take_in
from relance.outbox.inbound.work import handle_pending
from relance.outbox.models import Inbound, Inbox, Message, Status
from relance.outbox.services import Draft, queue
from relance.receipts import incoming
from tests.conftest import NOW, TODAY, make_customer
from tests.outbox.mails import answer, bounce, unknown, with_file

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def sent(organisation: Organisation, customer: Customer) -> Message:
    """A relance that left to Delmas."""
    draft = Draft(
        organisation=organisation,
        customer_id=customer.pk,
        on=TODAY,
        not_before=NOW,
        sender="relances@kerdoncuff.example",
        recipients=[customer.email],
        subject="Vos factures échues",
        text="Bonjour",
        purpose=Message.Purpose.AD_HOC,
    )
    message = queue(drafts=[draft], now=NOW).messages[0]
    Message.objects.filter(pk=message.pk).update(
        status=Status.SENT, sent_at=NOW - timedelta(hours=1), handed_at=NOW, recorded=True
    )
    message.refresh_from_db()
    return message


def arrives(raw: bytes, organisation: Organisation) -> Inbound:
    kept = take_in(raw, inbox=None, organisation=organisation, now=NOW)
    assert isinstance(kept, Inbound)
    handle_pending(now=NOW, handlers=handlers())
    kept.refresh_from_db()
    return kept


def page(client: Client, name: str, *args: object, **query: str) -> str:
    response = client.get(reverse(name, args=args), query)
    assert response.status_code == 200
    return response.content.decode()


def words(text: str) -> str:
    plain = re.sub(r"<[^>]+>", " ", text.replace("<wbr>", ""))
    return " ".join(plain.replace("\u00a0", " ").split())


def test_a_reply_waits_in_aujourdhui_until_somebody_has_seen_it(
    camille: Client, organisation: Organisation, sent: Message, owner: User
) -> None:
    """It opens its thread, stops nothing, and leaves the morning once it is seen."""
    text = (
        f"Bonjour,\n\nNous payons vendredi. {SCRIPT}\n\nLe 23 nov., Relances a écrit :\n> Bonjour\n"
    )
    kept = arrives(answer(sent.message_ref, text), organisation)
    slug = organisation.slug
    morning = page(camille, "today", slug)
    assert "Pharmacie Delmas" in morning
    assert reverse("inbound_detail", args=[slug, kept.pk]) in morning
    assert "Nous payons vendredi." in words(morning), "the first words that say something"
    shown = page(camille, "inbound_detail", slug, kept.pk)
    assert "Nous payons vendredi." in shown
    assert SCRIPT not in shown
    assert "Message cité" in shown
    assert reverse("message_detail", args=[slug, sent.pk]) in shown
    camille.post(reverse("inbound_seen", args=[slug, kept.pk]))
    kept.refresh_from_db()
    assert (kept.seen_at, kept.seen_by) == (NOW, owner)
    assert reverse("inbound_detail", args=[slug, kept.pk]) not in page(camille, "today", slug)
    assert "vu par Camille" in words(page(camille, "inbound_detail", slug, kept.pk))
    camille.post(reverse("inbound_seen", args=[slug, kept.pk]), {"vu": "0"})
    assert reverse("inbound_detail", args=[slug, kept.pk]) in page(camille, "today", slug)


def test_a_reply_stands_in_the_customers_history_and_opens_from_there(
    camille: Client, organisation: Organisation, sent: Message
) -> None:
    kept = arrives(answer(sent.message_ref), organisation)
    shown = page(camille, "customer_detail", organisation.slug, sent.debtor_id, onglet="historique")
    assert "Réponse reçue" in shown
    assert reverse("inbound_detail", args=[organisation.slug, kept.pk]) in shown


def test_an_absence_is_told_and_asks_nothing_of_anybody(
    camille: Client, organisation: Organisation, sent: Message
) -> None:
    raw = answer(
        sent.message_ref,
        "Absente jusqu’au 4 décembre 2026.",
        headers="Auto-Submitted: auto-replied\n",
    )
    arrives(raw, organisation)
    slug = organisation.slug
    assert "Pharmacie Delmas" not in words(page(camille, "inbound_list", slug))
    assert "Absent jusqu’au 4 déc." in words(page(camille, "inbound_list", slug, etat="tout"))
    assert "4 déc." in words(
        page(camille, "customer_detail", slug, sent.debtor_id, onglet="historique")
    )


def test_a_bounce_is_shown_in_envois_on_the_fiche_and_in_the_history(
    camille: Client, organisation: Organisation, sent: Message
) -> None:
    email = sent.recipients[0]
    arrives(bounce(sent.message_ref, unknown(email)), organisation)
    slug = organisation.slug
    shown = words(page(camille, "message_detail", slug, sent.pk))
    assert f"Refusé par {email}" in shown
    assert "L’adresse n’existe pas chez son hébergeur." in shown
    fiche = words(page(camille, "customer_detail", slug, sent.debtor_id, onglet="definition"))
    assert "adresse e-mail refusée le 24 novembre 2026" in fiche
    assert "user unknown" in fiche
    history = words(page(camille, "customer_detail", slug, sent.debtor_id, onglet="historique"))
    assert "Message revenu" in history
    assert "Adresse refusée par son serveur" in history


def test_the_list_is_filtered_by_nature_and_paged(
    camille: Client, organisation: Organisation, sent: Message, django_assert_max_num_queries
) -> None:
    for number in range(55):
        arrives(answer(sent.message_ref, own_id=f"<a{number}@x>"), organisation)
    slug = organisation.slug
    with django_assert_max_num_queries(26):
        first = page(camille, "inbound_list", slug)
    assert first.count('class="mrow folds') == 50
    assert page(camille, "inbound_list", slug, page="2").count('class="mrow folds') == 5
    assert "Rien ne répond à ces critères" in page(camille, "inbound_list", slug, nature="plaintes")
    assert page(camille, "inbound_list", slug, q="delmas").count('class="mrow folds') == 50
    assert "Rien ne répond" in page(camille, "inbound_list", slug, q="' OR 1=1 --")


def test_a_mail_of_nobody_known_is_given_to_its_customer(
    camille: Client, organisation: Organisation, customer: Customer
) -> None:
    kept = arrives(answer(sender="perso@gratuit.example"), organisation)
    slug = organisation.slug
    assert "à attribuer" in page(camille, "inbound_list", slug)
    found = camille.get(
        reverse("inbound_detail", args=[slug, kept.pk]), {"client": "delm"}
    ).content.decode()
    assert "C’est lui" in found
    camille.post(reverse("inbound_assign", args=[slug, kept.pk]), {"client": customer.pk})
    kept.refresh_from_db()
    assert kept.customer == customer
    history = page(camille, "customer_detail", slug, customer.pk, onglet="historique")
    assert "Mail attribué à ce client" in history


def test_a_mail_is_not_given_to_the_customer_of_another_dossier(
    camille: Client, organisation: Organisation, stranger: User
) -> None:
    other = Organisation.objects.get(name="Ailleurs")
    theirs = make_customer(other, None, "Secret")
    kept = arrives(answer(sender="perso@gratuit.example"), organisation)
    address = reverse("inbound_assign", args=[organisation.slug, kept.pk])
    assert camille.post(address, {"client": theirs.pk}).status_code == 404
    assert camille.post(address, {"client": "²"}).status_code == 404
    kept.refresh_from_db()
    assert kept.customer is None


def test_a_refusal_without_message_is_judged_by_a_person(
    camille: Client, organisation: Organisation, customer: Customer
) -> None:
    contact = Contact.objects.create(
        organisation=organisation, customer=customer, name="Anne", email="anne@delmas.example"
    )
    raw = bounce("<elsewhere@unknown.example>", unknown(contact.email))
    kept = arrives(raw, organisation)
    contact.refresh_from_db()
    assert contact.invalid_since is None
    slug = organisation.slug
    assert "À vous d’en juger." in words(page(camille, "inbound_detail", slug, kept.pk))
    camille.post(reverse("inbound_refuse", args=[slug, kept.pk]))
    contact.refresh_from_db()
    assert contact.invalid_since == TODAY


def test_files_are_saved_never_shown(
    camille: Client, organisation: Organisation, sent: Message
) -> None:
    raw = with_file(sent.message_ref, name="facture.html", sender="x@y.example")
    kept = arrives(raw, organisation)
    slug = organisation.slug
    assert "facture.html" in page(camille, "inbound_detail", slug, kept.pk)
    for name, args in (("inbound_file", [slug, kept.pk, 1]), ("inbound_eml", [slug, kept.pk])):
        response = camille.get(reverse(name, args=args))
        assert response["Content-Type"] == "application/octet-stream"
        assert response["Content-Disposition"].startswith("attachment")
        assert response["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in response["Content-Security-Policy"]
        assert b"".join(response.streaming_content)
    assert camille.get(reverse("inbound_file", args=[slug, kept.pk, 2])).status_code == 404


def test_the_panel_says_what_became_of_documents_sent_to_the_dossier(
    camille: Client, organisation: Organisation
) -> None:
    """Also to those who did not send them: what was refused is nowhere else to be read."""
    kept = arrives(with_file("", name="virus.pdf", sender="x@y.example"), organisation)
    assert kept.kind == Inbound.Kind.DOCUMENTS
    slug = organisation.slug
    before = words(page(camille, "inbound_detail", slug, kept.pk))
    assert "Les pièces sont lues dans un instant." in before
    incoming.work(NOW)
    after = words(page(camille, "inbound_detail", slug, kept.pk))
    assert re.search(r"Ce que Relance en a fait virus.pdf (Reçu|Refusé)", after)


def test_a_reader_sees_everything_and_changes_nothing(
    client: Client, organisation: Organisation, sent: Message, colleague: User
) -> None:
    kept = arrives(answer(sent.message_ref), organisation)
    client.force_login(colleague)
    slug = organisation.slug
    assert "Lecture seule" in page(client, "inbound_detail", slug, kept.pk)
    for name in ("inbound_seen", "inbound_assign", "inbound_refuse"):
        assert client.post(reverse(name, args=[slug, kept.pk])).status_code == 403
    assert client.get(reverse("settings_inbound", args=[slug])).status_code == 403
    assert client.post(reverse("inbox_webhook", args=[slug])).status_code == 403
    kept.refresh_from_db()
    assert kept.seen_at is None


def test_a_stranger_finds_nothing(
    client: Client, organisation: Organisation, sent: Message, stranger: User
) -> None:
    kept = arrives(answer(sent.message_ref), organisation)
    client.force_login(stranger)
    slug = organisation.slug
    assert client.get(reverse("inbound_list", args=[slug])).status_code == 404
    assert client.get(reverse("inbound_detail", args=[slug, kept.pk])).status_code == 404
    own = Organisation.objects.get(name="Ailleurs").slug
    assert client.get(reverse("inbound_detail", args=[own, kept.pk])).status_code == 404
    assert client.get(reverse("inbound_eml", args=[own, kept.pk])).status_code == 404


def test_an_inbox_is_connected_and_says_what_does_not_work(
    camille: Client, organisation: Organisation
) -> None:
    slug = organisation.slug
    typed = {
        "address": "retours@kerdoncuff.example",
        "host": "169.254.169.254",
        "port": "993",
        "security": "tls",
        "username": "",
        "password": "secret-imap",
        "folder": "INBOX",
    }
    camille.post(reverse("inbox_new", args=[slug]), typed)
    inbox = Inbox.objects.get()
    assert inbox.organisation == organisation
    shown = page(camille, "inbox_detail", slug, inbox.pk)
    assert "Pas encore testée." in shown
    assert "secret-imap" not in shown
    tried = camille.post(reverse("inbox_test", args=[slug, inbox.pk])).content.decode()
    assert "Cette installation ne permet pas de joindre ce serveur" in tried
    moved = typed | {"host": "imap.ailleurs.example", "password": ""}
    refused = camille.post(reverse("inbox_detail", args=[slug, inbox.pk]), moved)
    assert "tapez de nouveau le mot de passe" in refused.content.decode()
    clear = camille.post(reverse("inbox_new", args=[slug]), typed | {"security": "none"})
    assert "voyagerait à découvert" in clear.content.decode()
    camille.post(reverse("inbox_remove", args=[slug, inbox.pk]))
    inbox.refresh_from_db()
    assert (inbox.retired_at, inbox.secret) == (NOW, "")


def test_the_webhooks_address_is_shown_once(camille: Client, organisation: Organisation) -> None:
    slug = organisation.slug
    made = camille.post(reverse("inbox_webhook", args=[slug])).content.decode()
    found = re.search(r"(/api/inbound/[\w-]+/)", made)
    assert found
    raw = answer(sender="client@exemple.example")
    assert Client().post(found[1], raw, "message/rfc822").status_code == 200
    assert found[1] not in page(camille, "settings_inbound", slug)
    assert Inbound.objects.count() == 1


def test_the_dossiers_own_address_is_there_to_copy(
    camille: Client, organisation: Organisation, settings
) -> None:
    assert "n’a pas d’adresse de réception" in page(camille, "settings_inbound", organisation.slug)
    settings.INBOUND_ADDRESS = "collect@relance.example"
    shown = page(camille, "settings_inbound", organisation.slug)
    assert re.search(r"collect\+[a-z0-9]{14}@relance\.example", shown)
