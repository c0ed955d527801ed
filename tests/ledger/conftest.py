"""A company of Lyon with one customer, and shorthands to write its ledger."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from relance.accounts.models import Organisation, User
from relance.accounts.services import found_organisation
from relance.ledger import services
from relance.ledger.imports import running
from relance.ledger.models import Customer, Invoice


def day(text: str) -> date:
    return date.fromisoformat(text)


NOW = datetime(2026, 6, 30, 9, 0, tzinfo=UTC)
TODAY = day("2026-06-30")


@pytest.fixture
def owner(db: None) -> User:
    return User.objects.create_user("camille@exemple.fr", "un long secret", full_name="Camille B.")


@pytest.fixture
def organisation(owner: User) -> Organisation:
    return found_organisation(name="Ateliers du Rhône", owner=owner)


@pytest.fixture
def customer(organisation: Organisation) -> Customer:
    return a_customer(organisation)


@pytest.fixture
def invoice(customer: Customer) -> Invoice:
    return an_invoice(customer)


def a_customer(organisation: Organisation, code: str = "C1", **fields: Any) -> Customer:
    fields.setdefault("name", f"Client {code}")
    return services.add_customer(organisation=organisation, code=code, on=TODAY, now=NOW, **fields)


def an_invoice(
    customer: Customer,
    number: str = "F-1",
    issued: str = "2026-01-10",
    due: str = "2026-02-10",
    cents: int = 100_00,
    **fields: Any,
) -> Invoice:
    return services.add_invoice(
        customer=customer,
        number=number,
        issued=day(issued),
        due=day(due),
        total_cents=cents,
        on=TODAY,
        now=NOW,
        **fields,
    )


@pytest.fixture(autouse=True)
def _quick(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.MEDIA_ROOT = tmp_path
    monkeypatch.setattr(running, "PAUSE", 0)
