"""Garde-fous: the switch, the test mode and fresh facts, on their page and over every other."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from relance.accounts.models import Organisation, User
from relance.dunning.daily import run
from relance.ledger.models import Customer, Import
from relance.ops.hooks import hooks
from relance.outbox import identity, test_mode
from relance.outbox.channels.fake import FakeChannel
from relance.outbox.delivery import deliver_batch
from relance.outbox.models import Message, Status
from tests.conftest import NOW, TODAY, make_invoice

PAGES = ("today", "customer_list", "outbox_list", "plan_list", "before_list", "bank_list")


@pytest.fixture
def guard(organisation: Organisation) -> str:
    return reverse("settings_guard", args=[organisation.slug])


@pytest.fixture
def yann(colleague: User) -> Client:
    client = Client()
    client.force_login(colleague)
    return client


@pytest.fixture
def eve(stranger: User) -> Client:
    client = Client()
    client.force_login(stranger)
    return client


def old_import(organisation: Organisation, days: int) -> None:
    at = NOW - timedelta(days=days)
    Import.objects.create(
        organisation=organisation, kind="invoices", status="done", made_at=at, finished_at=at
    )


def text(client: Client, url: str) -> str:
    return client.get(url).content.decode()


def test_the_switch_is_told_on_every_page_with_who_turned_it_and_when(
    camille: Client, yann: Client, organisation: Organisation, owner: User, guard: str
) -> None:
    camille.post(guard, {"deed": "off"})
    organisation.refresh_from_db()
    assert not organisation.sending_on
    for name in PAGES:
        page = text(camille, reverse(name, args=[organisation.slug]))
        assert "Envois automatiques suspendus." in page
        assert "Suspendus par Camille Le Goff le mardi\u00a024\u00a0novembre à 08:30." in page
    assert "Suspendus par Camille" in text(yann, reverse("today", args=[organisation.slug]))
    camille.post(guard, {"deed": "on"})
    assert "Suspendus par" not in text(camille, reverse("today", args=[organisation.slug]))


def test_entering_and_leaving_the_test_mode_says_before_and_after_what_it_does(
    camille: Client, organisation: Organisation, customer: Customer, guard: str
) -> None:
    """n relances d’essai seront oubliées: said before one leaves."""
    make_invoice(customer, "F-1", TODAY - timedelta(days=8))
    page = camille.post(guard, {"deed": "test", "to": "essai@kerdoncuff.example"}, follow=True)
    assert "tout part désormais à essai@kerdoncuff.example" in page.content.decode()
    organisation.refresh_from_db()
    run.run(organisation, on=TODAY, now=NOW, spread=False, pause=0)
    line, later = FakeChannel(), NOW + timedelta(minutes=1)
    deliver_batch(
        worker=identity.new_name(),
        now=lambda: later,
        hooks=hooks(lambda: later),
        channels={"email": lambda: line},
    )
    assert [one.recipients for one in line.taken] == [["essai@kerdoncuff.example"]]
    for name in PAGES:
        page_text = text(camille, reverse(name, args=[organisation.slug]))
        assert "Mode test." in page_text
    assert "1 message d’essai est parti\u00a0: il sera oublié." in text(camille, guard)
    page = camille.post(guard, {"deed": "leave"}, follow=True)
    assert "1 message d’essai est oublié" in page.content.decode()
    message = Message.objects.get()
    assert (message.status, message.reason) == (Status.CANCELLED, "TEST")
    assert "le client n’a rien reçu" in text(
        camille, reverse("outbox_list", args=[organisation.slug]) + "?etat=annules"
    )


def test_a_wrong_address_is_refused_where_it_is_typed(
    camille: Client, organisation: Organisation, guard: str
) -> None:
    page = camille.post(guard, {"deed": "test", "to": "<script>"})
    assert "errorlist" in page.content.decode()
    assert "<script>alert" not in page.content.decode()
    organisation.refresh_from_db()
    assert organisation.test_to == ""


def test_old_facts_are_told_on_every_page_with_the_way_out(
    camille: Client, yann: Client, organisation: Organisation, customer: Customer, guard: str
) -> None:
    """In a banner with Importer, in Avant l’envoi, and in Pourquoi."""
    make_invoice(customer, "F-1", TODAY - timedelta(days=8))
    old_import(organisation, 8)
    for name in ("today", "outbox_list", "before_list"):
        page = text(camille, reverse(name, args=[organisation.slug]))
        assert "Envois automatiques en pause." in page
        assert "Le dernier import date du 16\u00a0novembre\u00a02026, il y a 8\u00a0jours" in page
        assert f'href="{reverse("import_list", args=[organisation.slug])}">Importer' in page
    why = reverse("customer_detail", args=[organisation.slug, customer.pk])
    assert text(camille, why).count("Le dernier import date du") == 2
    assert ">Importer</a></div>" not in text(yann, reverse("today", args=[organisation.slug]))
    camille.post(guard, {"deed": "fresh", "on": "on", "days": "30"})
    organisation.refresh_from_db()
    assert organisation.fresh_days == 30
    assert "en pause." not in text(camille, reverse("today", args=[organisation.slug]))
    camille.post(guard, {"deed": "fresh", "days": "30"})
    organisation.refresh_from_db()
    assert organisation.fresh_days is None


@pytest.mark.parametrize("days", ["0", "-1", "abc", "9999", ""])
def test_an_impossible_number_of_days_changes_nothing(
    camille: Client, organisation: Organisation, guard: str, days: str
) -> None:
    page = camille.post(guard, {"deed": "fresh", "on": "on", "days": days})
    assert "errorlist" in page.content.decode()
    organisation.refresh_from_db()
    assert organisation.fresh_days == 7


def test_only_an_administrator_of_the_dossier_turns_anything(
    camille: Client, yann: Client, eve: Client, organisation: Organisation, guard: str
) -> None:
    assert camille.get(guard).status_code == 200
    for client, status in ((yann, 403), (eve, 404)):
        assert client.get(guard).status_code == status
        assert client.post(guard, {"deed": "off"}).status_code == status
        assert client.post(guard, {"deed": "test", "to": "a@b.example"}).status_code == status
    organisation.refresh_from_db()
    assert (organisation.sending_on, organisation.test_to) == (True, "")


def test_letters_are_not_printed_in_test_mode(
    camille: Client, organisation: Organisation, owner: User
) -> None:
    test_mode.enter(organisation, to="essai@k.example", actor=owner, on=TODAY, now=NOW)
    url = reverse("letter_print", args=[organisation.slug])
    page = camille.post(url, {"lettre": "1"}, follow=True).content.decode()
    assert "rien ne s’imprime" in page
