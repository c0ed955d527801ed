"""Shorthands of the tests of a client's pages."""

from datetime import date, timedelta
from html import unescape

import pytest
from django.test import Client

from relance.accounts import clock
from relance.ledger.models import Customer
from tests.conftest import TODAY, at

D = "/d/ateliers-kerdoncuff"


def page(client: Client, customer: Customer, query: str = "") -> str:
    """The text of the client's page, which answers."""
    answer = client.get(f"{D}/clients/{customer.pk}/{query}")
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def days_ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def freeze(monkeypatch: pytest.MonkeyPatch, on: date) -> None:
    monkeypatch.setattr(clock, "now", lambda: at(on))
