"""The first morning after an import: what is owed but follows no plan yet."""

from datetime import timedelta
from html import unescape

import pytest
from django.test import Client

from relance.accounts import clock
from relance.accounts.models import Organisation, User
from tests.conftest import NOW, TODAY, make_customer, make_invoice


def test_customers_who_owe_without_a_plan_are_not_passed_over(
    client: Client, owner: User, organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S2-10: freshly imported invoices are not "nothing to chase"; the remedy is a plan."""
    monkeypatch.setattr(clock, "now", lambda: NOW)
    client.force_login(owner)
    make_invoice(make_customer(organisation, None), "F1", TODAY - timedelta(days=9))

    text = unescape(client.get(f"/d/{organisation.slug}/").content.decode())

    assert "1 client vous doit de l’argent et ne suit aucun plan" in text
    assert "Importez vos factures pour commencer." not in text
    assert "clients/?etat=sansplan" in text
