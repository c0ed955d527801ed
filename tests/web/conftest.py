"""Camille at her desk, on the morning of the tests."""

import pytest
from django.test import Client

from relance.accounts import clock
from relance.accounts.models import Organisation, User
from tests.conftest import NOW


@pytest.fixture(autouse=True)
def _frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)


@pytest.fixture
def camille(client: Client, owner: User, organisation: Organisation) -> Client:
    client.force_login(owner)
    return client
