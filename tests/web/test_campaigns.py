"""Campagnes: chosen, written, checked, sent with progress, and what became of each client."""

from datetime import UTC, datetime
from html import unescape
from typing import Any

import pytest
from django.test import Client

from relance.accounts.models import Organisation, User
from relance.dunning.daily import hooks
from relance.dunning.lots import batch_kinds, campaigns
from relance.dunning.models import Batch, BatchLine, Entry, Plan, Template
from relance.ledger.models import Contact, Customer
from relance.outbox.channels.base import DeliveryError
from relance.outbox.models import Message
from relance.web.views import campaigns as views
from tests.conftest import NOW, make_customer, make_invoice
from tests.web.record import D, days_ago

C = f"{D}/campagnes/"
WORDS = {
    "title": "Congés de fin d’année",
    "channel": "email",
    "about": "none",
    "subject": "Nos congés",
    "body": "Bonjour {{ client.nom }},\n\nNous fermons du 24 au 31 décembre.",
}


def text_of(answer: Any) -> str:
    return unescape(answer.content.decode()).replace("\xa0", " ").replace("\u202f", " ")


def begun(client: Client, *customers: Customer, **words: str) -> Batch:
    """A draft for these clients, with its words."""
    client.post(f"{C}commencer/", {"client": [one.pk for one in customers]})
    batch = Batch.objects.latest("pk")
    client.post(f"{C}{batch.pk}/", {**WORDS, **words, "faire": "enregistrer"})
    return batch


def launched(client: Client, batch: Batch, **when: str) -> Any:
    return client.post(f"{C}{batch.pk}/verifier/", {"quand": "maintenant", **when}, follow=True)


def leave() -> None:
    """The messages in the queue have left."""
    Message.objects.filter(status="queued").update(status="sent", sent_at=NOW)
    hooks.record(list(Message.objects.filter(status="sent", recorded=False)))


@pytest.fixture
def people(organisation: Organisation, plan: Plan) -> list[Customer]:
    """One who owes, one without any invoice, one without plan, one without address."""
    owes = make_customer(organisation, plan, "Armor")
    make_invoice(owes, "F1", days_ago(12))
    return [
        owes,
        make_customer(organisation, plan, "Bihan"),
        make_customer(organisation, None, "Crozon"),
        make_customer(organisation, plan, "Muet", email=""),
    ]


# --- to whom --------------------------------------------------------------------------


def test_the_page_says_what_to_do_first(camille: Client) -> None:
    text = text_of(camille.get(C))

    assert "Aucune campagne pour l’instant." in text
    assert "Écrire la première" in text
    assert 'aria-current="page"' in text


def test_a_client_who_owes_nothing_or_follows_no_plan_can_be_written_to(
    camille: Client, people: list[Customer]
) -> None:
    """S3-04, S3-05: the remedy of his page leads here, and the message leaves."""
    for customer in people[1:3]:
        page = text_of(camille.get(f"{D}/clients/{customer.pk}/"))
        link = f"{C}nouvelle/?client={customer.pk}"
        assert link in page
        assert "1 client." in text_of(camille.get(link))

    launched(camille, begun(camille, *people[1:3]))

    assert {m.customer.name for m in Message.objects.select_related("customer")} == {
        "Bihan",
        "Crozon",
    }


@pytest.mark.parametrize(
    ("query", "count"),
    [("", 4), ("?etat=retard", 1), ("?plan=aucun", 1), ("?email=sans", 1), ("?q=zzz", 0)],
)
def test_all_those_who_answer_to_criteria_are_counted_before(
    camille: Client, people: list[Customer], query: str, count: int
) -> None:
    text = text_of(camille.get(f"{C}nouvelle/{query}"))

    assert f"{count} client" in text
    assert ("Aucun client ne répond" in text) == (count == 0)


def test_everyone_of_the_list_is_taken_not_only_the_page(
    camille: Client, organisation: Organisation, plan: Plan
) -> None:
    for n in range(60):
        make_customer(organisation, plan, f"Zoé {n:02}", code=f"Z{n}")

    camille.post(f"{C}commencer/", {"tous": "1", "retour": "?q=zo"})

    assert len(Batch.objects.get().options["customers"]) == 60


def test_ticked_invoices_make_a_campaign_about_them(
    camille: Client, people: list[Customer]
) -> None:
    """From the dashboard: one message per client, about the chosen invoices only."""
    other = make_invoice(people[0], "F2", days_ago(3))
    also = make_invoice(people[1], "F3", days_ago(3))
    camille.post(f"{C}commencer/", {"source": "factures", "cochee": [other.pk, also.pk]})
    batch = Batch.objects.get()
    words = {**WORDS, "about": "chosen", "body": "{{ factures }}"}
    camille.post(f"{C}{batch.pk}/", {**words, "faire": "verifier"})

    launched(camille, batch)

    found = {m.customer.name: m.text.strip() for m in Message.objects.select_related("customer")}
    assert found == {"Armor": "F2", "Bihan": "F3"}


@pytest.mark.parametrize("form", [{}, {"client": ["abc"]}, {"client": ["999999"]}])
def test_a_selection_of_nobody_is_told(camille: Client, form: dict[str, Any]) -> None:
    answer = camille.post(f"{C}commencer/", form, follow=True)

    assert "Cochez au moins une ligne." in text_of(answer)
    assert not Batch.objects.exists()


# --- the words ------------------------------------------------------------------------


def test_the_message_is_seen_on_real_clients_one_after_the_other(
    camille: Client, people: list[Customer]
) -> None:
    batch = begun(camille, *people)
    url = f"{C}{batch.pk}/apercu/"

    first = text_of(camille.post(url, {**WORDS, "n": "0"}))
    second = text_of(camille.post(url, {**WORDS, "n": "1"}))
    last = text_of(camille.post(url, {**WORDS, "n": "99"}))

    assert "Bonjour Armor," in first
    assert "1 / 4" in first
    assert "Bonjour Bihan," in second
    assert "Ne recevra rien.</strong> Aucune adresse e-mail valable." in last


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"body": "Bonjour {{ client.nm }}"}, "Vouliez-vous dire « client.nom »"),
        ({"subject": "{{ tableau_factures }}"}, "n’existe pas"),
        ({"body": "Vous devez {{ montant }}"}, "vous avez choisi de n’en rappeler aucune"),
        ({"body": ""}, "obligatoire"),
        ({"recent_days": "-3"}, "supérieure ou égale à 0"),
        ({"channel": "sms"}, "choix valide"),
    ],
)
def test_words_at_fault_are_refused_with_the_remedy_and_nothing_is_lost(
    camille: Client, people: list[Customer], change: dict[str, str], expected: str
) -> None:
    batch = begun(camille, *people)

    answer = camille.post(f"{C}{batch.pk}/", {**WORDS, **change, "faire": "verifier"})

    assert answer.status_code == 422
    assert expected in text_of(answer)
    batch.refresh_from_db()
    assert batch.body == WORDS["body"]


def test_a_template_lends_its_words_and_its_invoices(
    camille: Client, people: list[Customer], template: Template
) -> None:
    batch = begun(camille, *people)

    text = text_of(
        camille.post(f"{C}{batch.pk}/", {**WORDS, "faire": "modele", "modele": template.pk})
    )

    assert "{{ tableau_factures }}" in text
    assert 'value="late" selected' in text


def test_one_sends_the_message_to_oneself_and_it_counts_for_nothing(
    camille: Client, people: list[Customer], owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[dict[str, Any]] = []

    def keep(draft: Any, *, to: str, **how: Any) -> str:
        sent.append({"d": draft, "to": to, **how})
        return to

    monkeypatch.setattr(views, "send_trial", keep)
    batch = begun(camille, *people)

    answer = camille.post(f"{C}{batch.pk}/", {**WORDS, "faire": "essai", "n": "1"})

    assert sent[0]["to"] == owner.email
    assert sent[0]["subject"] == "[Essai] Nos congés"
    assert "Bonjour Bihan," in sent[0]["d"].text
    assert f"Essai envoyé à {owner.email}, comme le lirait Bihan." in text_of(answer)
    assert not Message.objects.exists()
    assert not Entry.objects.exists()


def test_a_server_that_refuses_the_trial_is_quoted(
    camille: Client, people: list[Customer], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_how: object) -> None:
        raise DeliveryError("550 no such user")

    monkeypatch.setattr(views, "send_trial", refuse)
    batch = begun(camille, *people)

    answer = camille.post(f"{C}{batch.pk}/", {**WORDS, "faire": "essai"})

    assert "550 no such user" in text_of(answer)


# --- checked, launched ----------------------------------------------------------------


def test_what_leaves_and_what_does_not_is_said_before(
    camille: Client, organisation: Organisation, plan: Plan, people: list[Customer]
) -> None:
    """S3-26: each reason by name, with the way to repair it."""
    make_customer(organisation, plan, "Exclu", excluded=True)
    batch = begun(camille, *Customer.objects.all())

    text = text_of(camille.get(f"{C}{batch.pk}/verifier/"))

    assert "3 e-mails partiront. 2 clients ne recevront rien." in text
    assert "Aucune adresse e-mail valable." in text
    assert f"/clients/{people[3].pk}/?onglet=contacts" in text
    assert "Exclu des relances, ou encore à vérifier." in text
    assert "compta@bihan.example" in text
    assert not Message.objects.exists()


def test_reading_one_message_after_the_other_surveys_nobody_again(
    camille: Client, people: list[Customer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands are surveyed when the page opens and when it leaves, not at each click."""
    batch = begun(camille, *people)
    real, asked = campaigns.survey, list[int]()

    def counting(organisation: Organisation, wish: Any, **when: Any) -> Any:
        asked.append(len(wish.customers))
        return real(organisation, wish, **when)

    monkeypatch.setattr(campaigns, "survey", counting)
    for query in ("", "?lire=" + str(people[1].pk), "?page=1"):
        text = text_of(camille.get(f"{C}{batch.pk}/verifier/{query}"))
        assert "3 e-mails partiront." in text
    assert asked == [4]
    Customer.objects.filter(pk=people[1].pk).update(excluded=True)
    assert "2 e-mails partiront." in text_of(camille.get(f"{C}{batch.pk}/verifier/"))


def test_it_leaves_once_with_its_result_per_client(camille: Client, people: list[Customer]) -> None:
    batch = begun(camille, *people)

    working = text_of(launched(camille, batch))
    assert "0 sur 3 partis, 1 client sans envoi" in working
    leave()
    done = text_of(camille.get(f"{C}{batch.pk}/"))

    assert "3 sur 3 partis, 1 client sans envoi" in done
    assert "Aucune adresse e-mail valable." in done
    assert text_of(camille.get(f"{C}{batch.pk}/?voir=rien")).count("data-row-link") == 1
    assert text_of(camille.get(f"{C}{batch.pk}/?voir=partis")).count("data-row-link") == 3
    assert Entry.objects.filter(kind="campaign").count() == 3
    assert "Campagne" in text_of(camille.get(f"{D}/clients/{people[1].pk}/?onglet=historique"))


def test_two_clicks_or_two_people_do_not_send_twice(
    camille: Client, people: list[Customer]
) -> None:
    batch = begun(camille, *people)
    launched(camille, batch)

    again = launched(camille, batch)

    assert "Camille Le Goff a déjà lancé cette campagne" in text_of(again)
    assert Message.objects.count() == 3
    late = camille.post(f"{C}{batch.pk}/", {**WORDS, "faire": "enregistrer"}, follow=True)
    assert "a déjà lancé cette campagne" in text_of(late)


def test_it_waits_for_the_day_and_hour_of_the_dossier(
    camille: Client, people: list[Customer], monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = begun(camille, *people)

    told = launched(camille, batch, quand="plus-tard", jour="2026-11-26", heure="14:30")

    batch.refresh_from_db()
    assert batch.not_before == datetime(2026, 11, 26, 13, 30, tzinfo=UTC)
    assert "partira le" in text_of(told)
    assert "14:30" in text_of(told)
    batch_kinds.work(NOW)
    assert not Message.objects.exists()
    batch_kinds.work(datetime(2026, 11, 26, 13, 31, tzinfo=UTC))
    assert Message.objects.count() == 3


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ({"quand": "plus-tard"}, "Choisissez un jour."),
        ({"quand": "plus-tard", "jour": "2026-11-24", "heure": "06:00"}, "déjà passée"),
        ({"quand": "jamais"}, "Ce qui partira"),
    ],
)
def test_an_hour_that_cannot_be_is_said(
    camille: Client, people: list[Customer], when: dict[str, str], expected: str
) -> None:
    batch = begun(camille, *people)

    assert expected in text_of(launched(camille, batch, **when))
    assert not BatchLine.objects.exists()


def test_a_sender_that_is_gone_is_said_before_and_nothing_leaves(
    camille: Client, people: list[Customer]
) -> None:
    batch = begun(camille, *people)
    Batch.objects.update(
        options=batch.options | {"customers": [people[0].pk], "sender": "mailbox-9"}
    )

    assert "n’existe plus" in text_of(camille.get(f"{C}{batch.pk}/"))
    assert "n’existe plus" in text_of(camille.get(f"{C}{batch.pk}/verifier/"))
    assert "n’existe plus" in text_of(launched(camille, batch))
    assert not BatchLine.objects.exists()


def test_what_has_not_left_is_stopped(camille: Client, people: list[Customer]) -> None:
    batch = begun(camille, *people)
    launched(camille, batch)
    first = Message.objects.order_by("pk")[0]
    Message.objects.filter(pk=first.pk).update(status="sent", sent_at=NOW)

    answer = camille.post(f"{C}{batch.pk}/arreter/", follow=True)

    assert "Campagne arrêtée : 2 messages de moins." in text_of(answer)
    assert sorted(Message.objects.values_list("status", flat=True)) == [
        "cancelled",
        "cancelled",
        "sent",
    ]
    assert "1 sur 3 partis" in text_of(answer)


def test_a_draft_is_thrown_away(camille: Client, people: list[Customer]) -> None:
    batch = begun(camille, *people)

    camille.post(f"{C}{batch.pk}/arreter/")

    assert not Batch.objects.exists()


def test_failures_become_work_on_the_morning_page_until_they_are_seen_to(
    camille: Client, organisation: Organisation, people: list[Customer]
) -> None:
    """A missing address is repaired and taken up again, or called and said to be done."""
    batch = begun(camille, *people)
    launched(camille, batch)
    leave()
    assert "1 client n’a rien reçu" in text_of(camille.get(f"{D}/"))

    Contact.objects.create(
        organisation=organisation, customer=people[3], name="Mme Mut", email="mut@muet.example"
    )
    again = camille.post(f"{C}{batch.pk}/reprendre/", follow=True)

    assert "1 client repris." in text_of(again)
    assert Message.objects.filter(recipients=["mut@muet.example"]).count() == 1
    assert Message.objects.count() == 4
    assert "n’a rien reçu" not in text_of(camille.get(f"{D}/"))


def test_failures_seen_to_leave_the_morning_page(camille: Client, people: list[Customer]) -> None:
    batch = begun(camille, *people)
    launched(camille, batch)

    camille.post(f"{C}{batch.pk}/vu/")

    assert "n’a rien reçu" not in text_of(camille.get(f"{D}/"))
    assert "1 client sans envoi, traité." in text_of(camille.get(f"{C}{batch.pk}/"))


def test_a_refused_message_is_shown_with_the_servers_answer(
    camille: Client, people: list[Customer]
) -> None:
    batch = begun(camille, *people)
    launched(camille, batch)
    Message.objects.filter(customer=people[1]).update(status="failed", error="550 user unknown")

    text = text_of(camille.get(f"{C}{batch.pk}/?voir=rien"))

    assert "550 user unknown" in text
    assert "2 clients n’ont rien reçu" in text


def test_letters_wait_to_be_printed(
    camille: Client, organisation: Organisation, plan: Plan
) -> None:
    posted = make_customer(
        organisation,
        plan,
        "Posté",
        email="",
        address="3 quai Ouest",
        postcode="29000",
        city="Quimper",
    )
    batch = begun(camille, posted, channel="letter")
    assert "1 courrier attendra d’être imprimé." in text_of(camille.get(f"{C}{batch.pk}/verifier/"))

    told = text_of(launched(camille, batch))

    assert "Courriers à imprimer" in told
    assert "À imprimer" in told
    assert "Posté" in text_of(camille.get(f"{D}/courriers/"))
    assert not Entry.objects.exists()


# --- three people, and how much it costs ----------------------------------------------


def test_a_reader_reads_and_changes_nothing(
    camille: Client, client: Client, people: list[Customer], colleague: User
) -> None:
    batch = begun(camille, *people)
    client.force_login(colleague)

    assert "Lecture seule" in text_of(client.get(C))
    assert "lecture seule" in text_of(client.get(f"{C}{batch.pk}/"))
    assert client.get(f"{C}nouvelle/").status_code == 403
    for deed in ("verifier", "arreter", "reprendre", "vu"):
        assert client.post(f"{C}{batch.pk}/{deed}/").status_code == 403, deed
    assert client.post(f"{C}{batch.pk}/", WORDS).status_code == 403
    assert client.post(f"{C}commencer/", {"client": people[0].pk}).status_code == 403


def test_a_stranger_finds_no_campaign(
    camille: Client, client: Client, people: list[Customer], stranger: User
) -> None:
    batch = begun(camille, *people)
    client.force_login(stranger)

    for dossier in ("ateliers-kerdoncuff", "ailleurs"):
        base = f"/d/{dossier}/campagnes/{batch.pk}/"
        assert client.get(base).status_code == 404
        for deed in ("apercu", "verifier", "arreter", "reprendre", "vu"):
            assert client.post(f"{base}{deed}/").status_code == 404, (dossier, deed)
    client.post("/d/ailleurs/campagnes/commencer/", {"client": people[0].pk})
    assert Batch.objects.count() == 1


def test_pages_cost_the_same_for_one_or_for_many(
    camille: Client,
    organisation: Organisation,
    plan: Plan,
    django_assert_max_num_queries: Any,
) -> None:
    for n in range(55):
        make_customer(organisation, plan, f"Zoé {n:02}", code=f"Z{n}")
    batch = begun(camille, *Customer.objects.all())
    with django_assert_max_num_queries(62):
        camille.get(f"{C}{batch.pk}/verifier/")
    launched(camille, batch)

    with django_assert_max_num_queries(29):
        text = text_of(camille.get(f"{C}{batch.pk}/"))
    with django_assert_max_num_queries(24):
        camille.get(C)

    assert "1 à 50 sur 55" in text
