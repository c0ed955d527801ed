"""Customers, contacts and sites: what was changed stays readable in the history."""

import pytest

from relance.accounts.models import User
from relance.history.models import Event
from relance.ledger import services
from relance.ledger.models import Contact, Customer

from .conftest import NOW, TODAY, a_customer


def test_editing_keeps_old_and_new_values(customer: Customer, owner: User) -> None:
    changed = services.edit_customer(
        customer=customer,
        changes={"name": "Société Générée", "city": "", "manager": owner},
        on=TODAY,
        now=NOW,
        actor=owner,
    )
    assert changed == ["name", "manager"]
    event = Event.objects.get(kind="customer_edited")
    assert event.data == {"name": ["Client C1", "Société Générée"], "manager": [None, "Camille B."]}
    assert event.actor_name == "Camille B."
    assert Customer.objects.get().search == "societe generee c1"


def test_a_corrected_address_is_no_longer_invalid(customer: Customer) -> None:
    """S3-14."""
    Customer.objects.update(email="vieux@exemple.fr", email_invalid_since=TODAY)
    services.edit_customer(
        customer=customer, changes={"email": "neuf@exemple.fr"}, on=TODAY, now=NOW
    )
    assert Customer.objects.get().email_invalid_since is None


def test_a_wrong_address_is_refused_with_its_field_and_nothing_changes(customer: Customer) -> None:
    with pytest.raises(services.CustomerError) as refused:
        services.edit_customer(
            customer=customer, changes={"name": "X", "email": "pas une adresse"}, on=TODAY, now=NOW
        )
    assert refused.value.field == "email"
    assert Customer.objects.get().name == "Client C1"


def test_the_balance_of_a_customer_is_no_editable_field(customer: Customer) -> None:
    with pytest.raises(TypeError):
        services.edit_customer(customer=customer, changes={"hold_until": TODAY}, on=TODAY, now=NOW)


def test_a_code_is_taken_once(customer: Customer) -> None:
    with pytest.raises(services.CustomerError) as refused:
        a_customer(customer.organisation, "C1")
    assert refused.value.field == "code"


def test_excluding_and_including(customer: Customer) -> None:
    services.exclude(customer=customer, on=TODAY, now=NOW)
    services.exclude(customer=customer, on=TODAY, now=NOW)
    assert Customer.objects.get().excluded
    services.include(customer=customer, on=TODAY, now=NOW)
    assert not Customer.objects.get().excluded
    kinds = list(Event.objects.order_by("seq").values_list("kind", flat=True))
    assert kinds == ["customer_added", "customer_excluded", "customer_included"]


def test_a_contact_is_added_then_edited(customer: Customer) -> None:
    contact = services.save_contact(
        customer=customer, name="Léa Roux", role="Comptable", email="lea@c1.fr", on=TODAY, now=NOW
    )
    Contact.objects.update(invalid_since=TODAY)
    contact.refresh_from_db()
    services.save_contact(
        customer=customer,
        contact=contact,
        name="Léa Roux",
        role="Comptable",
        email="roux@c1.fr",
        is_default=True,
        on=TODAY,
        now=NOW,
    )
    stored = Contact.objects.get()
    assert (stored.email, stored.is_default, stored.invalid_since) == ("roux@c1.fr", True, None)
    assert Event.objects.get(kind="contact_edited").data == {
        "contact": "Léa Roux",
        "email": ["lea@c1.fr", "roux@c1.fr"],
        "is_default": [False, True],
    }
    with pytest.raises(services.CustomerError):
        services.save_contact(customer=customer, name="", on=TODAY, now=NOW)


def test_a_site_has_several_favourites_of_its_customer(customer: Customer) -> None:
    """S4-27 to S4-29."""
    people = [
        services.save_contact(customer=customer, name=name, on=TODAY, now=NOW)
        for name in ("Léa", "Max")
    ]
    site = services.save_site(customer=customer, name="Gare", favourites=people, on=TODAY, now=NOW)
    assert list(site.favourites.order_by("name")) == people
    with pytest.raises(services.CustomerError):
        services.save_site(customer=customer, name="Gare", on=TODAY, now=NOW)
    stranger = services.save_contact(
        customer=a_customer(customer.organisation, "C2"), name="Zoé", on=TODAY, now=NOW
    )
    with pytest.raises(services.CustomerError):
        services.save_site(
            customer=customer, site=site, name="Gare", favourites=[stranger], on=TODAY, now=NOW
        )
