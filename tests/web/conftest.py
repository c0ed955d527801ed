"""Camille at her desk, on the morning of the tests."""

import pytest
from django.test import Client

from relance.accounts import clock
from relance.accounts.models import Organisation, User
from relance.outbox import domains
from tests.conftest import NOW
from tests.receipts.conftest import accountant, add_client, bring, dossier, firm

__all__ = ["accountant", "add_client", "anne", "bring", "camille", "dossier", "firm"]


@pytest.fixture(autouse=True)
def _frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)


@pytest.fixture
def camille(client: Client, owner: User, organisation: Organisation) -> Client:
    client.force_login(owner)
    return client


@pytest.fixture
def anne(client: Client, accountant: User) -> Client:
    """Anne Morel, accountant and administrator of her firm."""
    client.force_login(accountant)
    return client


@pytest.fixture(autouse=True)
def silent_dns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages that look at a domain ask nobody outside; a test that wants answers gives them."""

    def ask(name: str) -> list[str]:
        raise domains.SilentError(name)

    monkeypatch.setattr(domains, "txt", ask)
