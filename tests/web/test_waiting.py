"""What leaves the to-do at once, who may be put in charge, hours far from Paris."""

from datetime import timedelta

import pytest
from django.test import Client

from relance.accounts.models import Organisation, User
from relance.dunning.models import Plan, Step
from relance.history.services import Fact, append
from relance.ledger import services as ledger
from relance.ledger.models import Customer
from tests.conftest import NOW, TODAY
from tests.web.morning import url, waiting


@pytest.fixture(autouse=True)
def frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relance.accounts.clock.now", lambda: NOW - timedelta(hours=1))


def test_a_paid_invoice_leaves_the_to_do_at_once(
    client: Client, organisation: Organisation, owner: User, plan: Plan
) -> None:
    """S4-32: not only after the pass of the next morning."""
    Step.objects.filter(plan=plan).update(automatic=False)
    action = waiting(organisation, plan)
    client.force_login(owner)
    record = url("customer_detail", organisation, action.customer_id)
    assert "Alpha" in client.get(url("action_list", organisation)).content.decode()
    assert "E-mail à envoyer" in client.get(record).content.decode()

    ledger.record_payment(invoice=action.reference, amount_cents=123_456, on=TODAY, now=NOW)

    assert "Alpha" not in client.get(url("action_list", organisation)).content.decode()
    assert "E-mail à envoyer" not in client.get(record).content.decode()


def test_hours_are_those_of_the_dossier(
    client: Client, organisation: Organisation, owner: User, customer: Customer
) -> None:
    Organisation.objects.filter(pk=organisation.pk).update(timezone="Indian/Reunion")
    append(organisation, [Fact("message_sent", NOW, TODAY, customer.pk, data={"level": 1})])
    client.force_login(owner)
    page = client.get(url("customer_detail", organisation, customer.pk)).content.decode()
    assert "Envoyé à 11:30" in page


def test_a_reader_is_not_put_in_charge_of_a_client(
    client: Client, organisation: Organisation, owner: User, colleague: User, customer: Customer
) -> None:
    """S3-08, S3-09: the one in charge owns the actions, and must be able to do them."""
    client.force_login(owner)
    tab = f"{url('customer_detail', organisation, customer.pk)}?onglet=definition"
    page = client.get(tab).content.decode()
    assert f'<option value="{owner.pk}"' in page
    assert f'<option value="{colleague.pk}"' not in page
