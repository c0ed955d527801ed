"""The page of the dossier de recouvrement: seen before, done once, taken by those who may."""

import io
import zipfile
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse

from relance.accounts.models import DunningRole, Membership, Organisation, User
from relance.dunning.daily import run
from relance.dunning.models import Recovery
from relance.dunning.recovery import building
from relance.history.models import Event
from relance.ledger.models import Customer
from relance.outbox.models import Message, Status
from tests.conftest import NOW, TODAY, make_invoice

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def media(settings: object, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"  # type: ignore[attr-defined]


@pytest.fixture
def late(customer: Customer, organisation: Organisation) -> Customer:
    """A customer about whom a message waits to leave."""
    make_invoice(customer, "F-1", TODAY - timedelta(days=7), 1_500_00)
    run.run(organisation, on=TODAY, now=NOW)
    assert Message.objects.filter(status=Status.QUEUED).count() == 1
    return customer


def address(customer: Customer, name: str = "recovery_customer") -> str:
    return reverse(name, args=[customer.organisation.slug, customer.pk])


def record(client: Client, customer: Customer, tab: str = "definition") -> str:
    place = reverse("customer_detail", args=[customer.organisation.slug, customer.pk])
    return client.get(f"{place}?onglet={tab}").content.decode()


def test_one_sees_what_will_happen_before_it_does(camille: Client, late: Customer) -> None:
    """The act shows what it will do before: amounts, messages cancelled, what is missing."""
    words = camille.get(address(late)).content.decode()
    assert "1\u202f500,00\u00a0€" in words
    assert "1\u00a0message en attente sera annulé" in words
    assert "1 facture due sans PDF" in words
    assert address(late) in record(camille, late)
    assert not Recovery.objects.exists()


def test_the_dossier_is_asked_for_gathered_taken_and_taken_back(
    camille: Client, late: Customer
) -> None:
    """A9: done, shown while it goes on, downloaded, told in the journal; the fiche says why."""
    words = camille.post(
        address(late), {"sortir": "1", "a": "Me Le Bihan"}, follow=True
    ).content.decode()
    assert "n’est plus relancé" in words
    assert "every 2s" in words
    assert "Constituer un dossier" not in words
    message = Message.objects.get()
    assert (message.status, message.reason) == (Status.CANCELLED, "RECOVERY")
    assert "Dossier de recouvrement remis le" in record(camille, late)
    assert "Me Le Bihan" in record(camille, late)
    assert "Dossier de recouvrement remis le" in record(camille, late, "factures")
    one = Recovery.objects.get()
    building.work(lambda: NOW)
    state = camille.get(reverse("recovery_state", args=[one.organisation.slug, one.pk]))
    assert "Télécharger" in state.content.decode()
    assert "every 2s" not in state.content.decode()
    answer = camille.get(reverse("recovery_file", args=[one.organisation.slug, one.pk]))
    assert answer.headers["Content-Disposition"].startswith("attachment")
    with zipfile.ZipFile(io.BytesIO(b"".join(answer))) as pack:
        assert "manifest.json" in pack.namelist()
    words = camille.post(address(late, "recovery_take_back"), follow=True).content.decode()
    assert "de nouveau relancé" in words
    assert "Dossier de recouvrement remis le" not in record(camille, late)
    kinds = set(Event.objects.values_list("kind", flat=True))
    assert {"recovery_handed", "recovery_downloaded", "recovery_taken_back"} <= kinds


def test_a_double_click_or_two_people_make_one(camille: Client, late: Customer) -> None:
    camille.post(address(late), {"sortir": "1"})
    again = camille.post(address(late), {"sortir": "1"})
    assert again.status_code == 409
    assert "Camille Le Goff a déjà demandé ce dossier" in again.content.decode()
    assert Recovery.objects.count() == 1


def test_a_page_kept_open_makes_no_second_dossier_and_says_who_made_the_first(
    camille: Client, late: Customer
) -> None:
    """Two tabs: the second is told who handed him over, to whom and when; it may then insist."""
    assert 'name="vu" value="0"' in camille.get(address(late)).content.decode()
    camille.post(address(late), {"sortir": "1", "a": "Maître Kerjean", "vu": "0"})
    building.work(lambda: NOW)
    first = Recovery.objects.get()

    second = camille.post(address(late), {"sortir": "1", "a": "", "vu": "0"})
    words = second.content.decode()
    assert second.status_code == 409
    assert "Camille Le Goff l’a déjà remis à Maître Kerjean le" in words
    hour = first.made_at.astimezone(ZoneInfo(first.organisation.timezone)).strftime("%H:%M")
    assert f"à {hour}" in words
    first.refresh_from_db()
    assert (Recovery.objects.count(), first.taken_back_at) == (1, None)

    assert f'name="vu" value="{first.pk}"' in words
    assert camille.post(address(late), {"sortir": "1", "vu": str(first.pk)}).status_code == 302
    assert Recovery.objects.count() == 2


def test_without_the_tick_the_chase_goes_on(camille: Client, late: Customer) -> None:
    camille.post(address(late), {"a": ""})
    late.refresh_from_db()
    assert not late.excluded
    assert Message.objects.get().status == Status.QUEUED


def test_who_may_not_sees_why_and_a_stranger_sees_nothing(
    client: Client, late: Customer, owner: User, colleague: User, stranger: User
) -> None:
    """Finance hands over and takes; readers and account managers see it, with the reason."""
    client.force_login(owner)
    client.post(address(late), {"sortir": "1"})
    building.work(lambda: NOW)
    one = Recovery.objects.get()
    file = reverse("recovery_file", args=[one.organisation.slug, one.pk])
    state = reverse("recovery_state", args=[one.organisation.slug, one.pk])
    for role in (DunningRole.READ, DunningRole.ACCOUNT_MANAGER):
        Membership.objects.filter(user=colleague).update(dunning_role=role)
        client.force_login(colleague)
        assert "Il faut le rôle Finance" in client.get(address(late)).content.decode()
        assert client.post(address(late), {"sortir": "1"}).status_code == 403
        assert client.post(address(late, "recovery_take_back")).status_code == 403
        assert client.get(file).status_code == 403
        assert client.get(state).status_code == 200
    client.force_login(stranger)
    for place in (address(late), file, state):
        assert client.get(place).status_code == 404
    assert client.post(address(late, "recovery_take_back")).status_code == 404


def test_a_file_that_is_gone_or_not_ready_is_not_there(camille: Client, late: Customer) -> None:
    camille.post(address(late), {})
    one = Recovery.objects.get()
    file = reverse("recovery_file", args=[one.organisation.slug, one.pk])
    assert camille.get(file).status_code == 404
    building.work(lambda: NOW)
    one.refresh_from_db()
    one.file.storage.delete(one.file.name or "")
    assert camille.get(file).status_code == 404


def test_a_customer_who_owes_nothing_has_none(camille: Client, customer: Customer) -> None:
    answer = camille.post(address(customer), {"sortir": "1"})
    assert "aucune facture" in answer.content.decode()
    assert "Rien n’est dû aujourd’hui" in camille.get(address(customer)).content.decode()


def test_an_exclusion_lifted_elsewhere_ends_it(camille: Client, late: Customer) -> None:
    """The fiche never says "remis" of one who is chased, nor of a later exclusion of its own."""
    camille.post(address(late), {"sortir": "1"})
    lift = reverse("customer_exclude", args=[late.organisation.slug, late.pk])
    camille.post(lift, {"exclu": "0"})
    assert "remis le" not in record(camille, late)


def test_the_page_asks_little(
    camille: Client, late: Customer, django_assert_max_num_queries: object
) -> None:
    camille.get(address(late))
    with django_assert_max_num_queries(41):  # type: ignore[operator]
        camille.get(address(late))
