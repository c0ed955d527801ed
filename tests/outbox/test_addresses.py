"""An address that a file or a page brings is one to which the outbox can send."""

import pytest
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from hypothesis import given
from hypothesis import strategies as st

from relance.accounts.models import Organisation
from relance.formats.values import emails_of
from relance.outbox.mailboxes import automatic_sender
from relance.outbox.services import Draft, queue
from tests.conftest import NOW, TODAY, make_customer

_LOCAL = st.text("ab.'+_-9", min_size=1, max_size=8)
_LABEL = st.text("ab9-", min_size=1, max_size=4)


def draft(organisation: Organisation, customer: int, to: str) -> Draft:
    return Draft(
        organisation=organisation,
        customer_id=customer,
        on=TODAY,
        not_before=NOW,
        sender=automatic_sender(organisation).sender,
        recipients=[to],
        subject="Rappel",
        text="Bonjour",
    )


def _is_address(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return True


@given(local=_LOCAL, labels=st.lists(_LABEL, min_size=1, max_size=3))
def test_what_the_readers_take_the_outbox_takes(local: str, labels: list[str]) -> None:
    """Never silence (3.12): an address taken by the one and refused by the other says nothing."""
    good, _bad = emails_of(f"{local}@{'.'.join(labels)}")
    assert [address for address in good if not _is_address(address)] == []


@pytest.mark.parametrize("text", [".jean@orange.fr", "jean.@orange.fr", "a@b.123", "a@b.c"])
def test_an_address_that_no_server_takes_is_told_by_the_reader(text: str) -> None:
    assert emails_of(text) == ((), (text,))


@pytest.mark.parametrize("name", ["Ateliers Kerdoncuff\\", 'Le "Fournil"', "Durand, Père & Fils"])
def test_any_name_of_a_company_can_stand_before_its_address(
    organisation: Organisation, name: str
) -> None:
    organisation.name = name
    customer = make_customer(organisation, None)
    found = queue(drafts=[draft(organisation, customer.pk, "compta@delmas.example")], now=NOW)
    assert found.refused == []
