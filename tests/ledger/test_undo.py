"""An import is undone whole, or says what stays and why."""

from typing import Any

import pytest

from relance.accounts.models import Organisation
from relance.ledger import imports, services
from relance.ledger.models import (
    Credit,
    Import,
    Invoice,
)
from tests.ledger.importing import FILE, ledger, load, nobody, sound, undo

from .conftest import NOW, TODAY


def test_undo_takes_back_everything(organisation: Organisation) -> None:
    plan = undo(load(organisation, FILE))
    assert plan.deleted == {"invoice": 3, "credit": 1, "customer": 2}
    assert ledger(organisation) == []
    assert Import.objects.get().status == "undone"
    assert sound(organisation)
    with pytest.raises(imports.ImportStateError):
        undo(Import.objects.get())


def test_undo_restores_what_a_later_file_changed(organisation: Organisation) -> None:
    first = load(organisation, FILE)
    before = ledger(organisation)
    second = load(
        organisation,
        FILE.replace("10/02/2026;100,00;100,00", "28/02/2026;120,00;20,00")
        .replace("-40,00;-40,00", "-40,00;-10,00")
        .replace("200,00;50,00", "200,00;150,00"),
    )
    assert second.updated == 3
    plan = undo(second)
    assert plan.restored == {"invoice": 2, "credit": 1}
    assert plan.deleted == {"payment": 2}
    assert ledger(organisation) == before
    assert sound(organisation)
    assert not imports.plan_undo(first, nobody).kept


def test_undo_leaves_what_changed_since_and_says_why(organisation: Organisation) -> None:
    imported = load(organisation, FILE)
    touched = Invoice.objects.get(number="F-1")
    services.open_dispute(invoice=touched, on=TODAY, now=NOW)
    chased = Invoice.objects.get(number="F-3").pk

    def told(table: str, ids: Any) -> set[int]:
        return {chased} if table == "invoice" else set()

    kept = {(k.label, k.reason) for k in imports.plan_undo(imported, told).kept}
    assert kept == {
        ("F-1", "modifiée depuis l’import"),
        ("F-3", "déjà relancée"),
        ("Morel", "a encore des factures ou des avoirs"),
        ("Perrin", "a encore des factures ou des avoirs"),
    }
    undo(imported, told)
    assert set(Invoice.objects.values_list("number", flat=True)) == {"F-1", "F-3"}
    assert not Credit.objects.exists()
    assert sound(organisation)


def test_an_earlier_import_is_not_undone_under_a_later_one(organisation: Organisation) -> None:
    first = load(organisation, FILE)
    load(organisation, FILE.replace("100,00;100,00", "100,00;90,00"))
    assert ("F-1", "modifiée depuis l’import") in {
        (k.label, k.reason) for k in imports.plan_undo(first, nobody).kept
    }
