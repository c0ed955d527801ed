"""Chantiers and contacts on the page of a client (S4-27 to S4-29)."""

import pytest
from django.test import Client

from relance.accounts.models import Organisation, User
from relance.dunning.daily import run
from relance.history.models import Event
from relance.ledger.models import Contact, Customer, Site
from relance.outbox.models import Message
from tests.conftest import NOW, TODAY, make_customer
from tests.web.chantiers import D, debtor, late, plan_by_age, words


@pytest.fixture
def roussel(organisation: Organisation) -> Customer:
    return make_customer(organisation, None, "Roussel BTP", code="ROUSSEL")


@pytest.fixture
def quai(roussel: Customer) -> Site:
    return Site.objects.create(
        organisation=roussel.organisation, customer=roussel, name="Quai Ouest"
    )


def contact(customer: Customer, name: str, email: str = "", role: str = "") -> Contact:
    return Contact.objects.create(
        organisation=customer.organisation, customer=customer, name=name, email=email, role=role
    )


def tab(client: Client, customer: Customer, name: str) -> str:
    answer = client.get(f"{D}/clients/{customer.pk}/?onglet={name}")
    assert answer.status_code == 200
    return words(answer)


def attach(client: Client, site: Site, one: Contact, **more: str) -> str:
    answer = client.post(
        f"{D}/chantiers/{site.pk}/contact/", {"contact": one.pk, **more}, follow=True
    )
    assert answer.status_code == 200
    return words(answer)


def test_a_contact_is_attached_as_default_recipient_and_bears_a_star(
    camille: Client, roussel: Customer, quai: Site
) -> None:
    """S4-27, S4-29: « Destinataire par défaut » while attaching; the star says it."""
    chef = contact(roussel, "Anne Caradec", "chef@roussel.example", "Conducteur de travaux")
    text = tab(camille, roussel, "chantiers")
    assert "aucun destinataire favori" in text
    assert "Destinataire par défaut" in text
    text = attach(camille, quai, chef, favori="1")
    assert list(quai.favourites.all()) == [chef]
    assert 'aria-pressed="true"' in text
    assert "Anne Caradec, destinataire par défaut" in text
    assert "Conducteur de travaux" in text
    assert "aucun destinataire favori" not in text


def test_several_contacts_may_be_default_recipients_and_all_receive(
    camille: Client, organisation: Organisation
) -> None:
    """S4-28: every relance of the chantier goes to all of them."""
    plan = plan_by_age(organisation, automatic=(2,))
    client = debtor(organisation, plan)
    site = Site.objects.create(organisation=organisation, customer=client, name="Quai Ouest")
    for name in ("ana", "ben"):
        attach(camille, site, contact(client, name, f"{name}@roussel.example"), favori="1")
    late(client, "F-1", 8, site)
    run.run(organisation, on=TODAY, now=NOW, spread=False, pause=0)
    assert set(Message.objects.get().recipients) == {
        "ana@roussel.example",
        "ben@roussel.example",
    }


def test_the_star_is_taken_off_and_the_contact_stays_attached(
    camille: Client, roussel: Customer, quai: Site
) -> None:
    chef = contact(roussel, "Anne", "chef@roussel.example")
    attach(camille, quai, chef, favori="1")
    text = attach(camille, quai, chef)
    assert 'aria-pressed="false"' in text
    assert not quai.favourites.exists()
    assert list(quai.contacts.all()) == [chef]
    text = attach(camille, quai, chef, retirer="1")
    assert not quai.contacts.exists()
    assert "Aucun contact associé" in text
    kinds = [event.kind for event in Event.objects.filter(customer_id=roussel.pk)]
    assert kinds.count("site_contact") == 3


def test_a_contact_without_address_cannot_receive(
    camille: Client, roussel: Customer, quai: Site
) -> None:
    text = attach(camille, quai, contact(roussel, "Sans adresse"), favori="1")
    assert "n’a pas d’adresse e-mail" in text
    assert not quai.favourites.exists()
    attach(camille, quai, Contact.objects.get())
    assert quai.contacts.count() == 1


def test_the_contact_of_another_client_is_not_there(
    camille: Client, organisation: Organisation, quai: Site
) -> None:
    other = make_customer(organisation, None, "Autre", code="AUTRE")
    answer = camille.post(
        f"{D}/chantiers/{quai.pk}/contact/", {"contact": contact(other, "X", "x@x.example").pk}
    )
    assert answer.status_code == 404
    for value in ("", "abc", "99999999999999999999999"):
        answer = camille.post(f"{D}/chantiers/{quai.pk}/contact/", {"contact": value})
        assert answer.status_code in (302, 404)
    assert not quai.contacts.exists()


def test_an_address_is_marked_invalid_with_its_reason_and_made_valid_again(
    camille: Client, roussel: Customer, quai: Site
) -> None:
    chef = contact(roussel, "Anne", "chef@roussel.example")
    url = f"{D}/contacts/{chef.pk}/validite/"
    answer = camille.post(url, {"valide": "0", "motif": "A quitté l’entreprise"}, follow=True)
    text = words(answer)
    assert "invalide depuis le 24 novembre 2026, A quitté l’entreprise" in text
    attach(camille, quai, chef, favori="1")
    assert "adresse invalide" in tab(camille, roussel, "chantiers")
    text = words(camille.post(url, {"valide": "1"}, follow=True))
    assert "invalide depuis" not in text
    chef.refresh_from_db()
    assert (chef.invalid_since, chef.invalid_reason) == (None, "")
    assert "Adresse de nouveau valide" in tab(camille, roussel, "historique")


def test_functions_are_proposed_for_a_contact(camille: Client, roussel: Customer) -> None:
    text = words(camille.get(f"{D}/clients/{roussel.pk}/?onglet=contacts&contact=nouveau"))
    assert 'list="contact-roles"' in text
    assert "Conducteur de travaux" in text


def test_a_reader_sees_the_stars_and_no_button(
    client: Client, colleague: User, roussel: Customer, quai: Site
) -> None:
    chef = contact(roussel, "Anne", "chef@roussel.example")
    quai.contacts.add(chef)
    quai.favourites.add(chef)
    client.force_login(colleague)
    text = tab(client, roussel, "chantiers")
    assert "Anne" in text
    assert "Destinataire par défaut" in text
    assert "Associer" not in text
    answer = client.post(f"{D}/chantiers/{quai.pk}/contact/", {"contact": chef.pk})
    assert answer.status_code == 403
    assert client.post(f"{D}/contacts/{chef.pk}/validite/", {}).status_code == 403


def test_a_stranger_attaches_nobody(
    client: Client, stranger: User, roussel: Customer, quai: Site
) -> None:
    chef = contact(roussel, "Anne", "chef@roussel.example")
    client.force_login(stranger)
    for slug in ("ateliers-kerdoncuff", "ailleurs"):
        answer = client.post(f"/d/{slug}/chantiers/{quai.pk}/contact/", {"contact": chef.pk})
        assert answer.status_code == 404
        answer = client.post(f"/d/{slug}/contacts/{chef.pk}/validite/", {"valide": "0"})
        assert answer.status_code == 404
    chef.refresh_from_db()
    assert chef.invalid_since is None


def test_the_page_of_many_sites_costs_a_fixed_number_of_queries(
    camille: Client, roussel: Customer, django_assert_max_num_queries: object
) -> None:
    for number in range(12):
        site = Site.objects.create(
            organisation=roussel.organisation, customer=roussel, name=f"Chantier {number}"
        )
        chef = contact(roussel, f"Chef {number}", f"c{number}@roussel.example")
        site.contacts.add(chef)
        site.favourites.add(chef)
    with django_assert_max_num_queries(56):  # type: ignore[operator]
        assert tab(camille, roussel, "chantiers").count(", destinataire par défaut") == 12
