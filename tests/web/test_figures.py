"""The figures of a large ledger are kept by due date, and are always those of the whole."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache

from relance.accounts.models import Organisation, User
from relance.ledger import services as ledger
from relance.ledger.models import Customer, Import, Invoice
from relance.web.queries import figures
from tests.conftest import NOW, TODAY, make_invoice


@pytest.fixture(autouse=True)
def _large(monkeypatch: pytest.MonkeyPatch) -> None:
    cache.clear()
    monkeypatch.setattr(figures, "LARGE", 1)


@pytest.fixture
def invoices(customer: Customer) -> list[Invoice]:
    return [
        make_invoice(customer, f"F-{days}", TODAY - timedelta(days=days), 100_00 + days)
        for days in (-20, -3, 0, 1, 30, 31, 60, 61, 90, 91, 400)
    ]


def both(organisation: Organisation, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """(kept by due date, read anew): totals and the five buckets."""
    found = []
    for large in (1, 1_000_000):
        monkeypatch.setattr(figures, "LARGE", large)
        one = figures.figures(organisation, TODAY, today=TODAY)
        found.append((one.currencies, one.totals, one.ageing.buckets, one.ageing.open))
    monkeypatch.setattr(figures, "LARGE", 1)
    return found


def test_they_follow_every_deed(
    organisation: Organisation,
    invoices: list[Invoice],
    owner: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def same() -> None:
        kept, exact = both(organisation, monkeypatch)
        assert kept == exact

    same()
    told = {"on": TODAY, "now": NOW, "actor": owner}
    ledger.record_payment(invoice=invoices[4], amount_cents=50_00, **told)
    same()
    ledger.record_payment(invoice=invoices[5], amount_cents=100_31, **told)
    same()
    ledger.promise(invoice=invoices[6], until=TODAY + timedelta(days=3), **told)
    same()
    ledger.open_dispute(invoice=invoices[7], **told)
    same()


def test_after_a_deed_only_its_days_are_read(
    organisation: Organisation,
    invoices: list[Invoice],
    owner: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Any] = []
    real = figures.ledger.open_by_due

    def spy(organisation: Organisation, on: Any, *, dues: Any = None) -> Any:
        asked.append(dues)
        return real(organisation, on, dues=dues)

    monkeypatch.setattr(figures.ledger, "open_by_due", spy)
    figures.figures(organisation, TODAY, today=TODAY)
    figures.figures(organisation, TODAY, today=TODAY)
    ledger.record_payment(invoice=invoices[4], amount_cents=1_00, on=TODAY, now=NOW, actor=owner)
    figures.figures(organisation, TODAY, today=TODAY)
    assert asked == [None, {invoices[4].due}]


def test_an_import_has_everything_read_again(
    organisation: Organisation, invoices: list[Invoice], customer: Customer
) -> None:
    before = figures.figures(organisation, TODAY, today=TODAY).totals.open.count
    make_invoice(customer, "IMPORTED", TODAY)
    Import.objects.create(
        organisation=organisation, kind="invoices", filename="a.csv", sha256="0", made_at=NOW
    )
    assert figures.figures(organisation, TODAY, today=TODAY).totals.open.count == before + 1


def test_what_is_kept_costs_four_questions(
    organisation: Organisation,
    invoices: list[Invoice],
    django_assert_num_queries: Callable[[int], Any],
) -> None:
    figures.figures(organisation, TODAY, today=TODAY)
    with django_assert_num_queries(4):
        figures.figures(organisation, TODAY, today=TODAY)
