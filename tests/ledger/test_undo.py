"""An import is undone whole, or says what stays and why."""

from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile

from relance.accounts.models import Organisation, User
from relance.history.services import verify
from relance.ledger import checks, imports, services
from relance.ledger.imports import running
from relance.ledger.models import (
    Contact,
    Credit,
    Customer,
    Import,
    Invoice,
    Payment,
    Site,
)

from .conftest import NOW, TODAY, day

HEADER = "Code client;Client;N° facture;Date;Échéance;Total TTC;Reste à payer;Date de règlement"
FILE = f"""{HEADER}
C1;Morel;F-1;10/01/2026;10/02/2026;100,00;100,00;
C1;Morel;F-2;10/01/2026;10/02/2026;200,00;50,00;15/03/2026
C2;Perrin;F-3;12/01/2026;13/02/2026;300,00;0,00;
C2;Perrin;A-1;12/01/2026;13/02/2026;-40,00;-40,00;
"""


@pytest.fixture(autouse=True)
def _quick(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.MEDIA_ROOT = tmp_path
    monkeypatch.setattr(running, "PAUSE", 0)


def bring(
    organisation: Organisation,
    content: str,
    *,
    kind: str = "",
    on: str = "2026-06-30",
    actor: User | None = None,
    **options: Any,
) -> Import:
    """Upload a file and accept what is proposed."""
    imported = imports.store_upload(
        organisation=organisation,
        content=ContentFile(content.encode(), "fichier.csv"),
        filename="fichier.csv",
        now=NOW,
        actor=actor,
    )
    imported.kind = kind or imported.kind
    settings = imports.Settings(on=day(on), **options)
    columns = {}
    if imported.kind != "fec":
        table = imports.table_of(imported, settings)
        columns = imports.propose_mapping(imported, table, settings.on).columns
    imports.choose_mapping(imported=imported, columns=columns, settings=settings)
    return imported


def load(organisation: Organisation, content: str, **options: Any) -> Import:
    return imports.run_import(bring(organisation, content, **options).pk, NOW)


def counts(imported: Import) -> tuple[int, int, int, int]:
    return imported.created, imported.updated, imported.unchanged, imported.refused


def ledger(organisation: Organisation) -> list[tuple[Any, ...]]:
    """Everything an import writes, to compare before and after."""
    rows: list[tuple[Any, ...]] = []
    for model, names in (
        (Customer, ("code", "name", "email", "phone", "city")),
        (Contact, ("customer__code", "name", "email")),
        (Site, ("customer__code", "name")),
        (
            Invoice,
            ("number", "issued", "due", "total_cents", "balance_cents", "mode", "site__name"),
        ),
        (Credit, ("number", "on", "total_cents", "used_cents", "left_cents")),
        (Payment, ("invoice__number", "on", "amount_cents")),
    ):
        found = model._default_manager.filter(organisation=organisation).values_list(*names)
        rows += sorted((model.__name__, *row) for row in found)
    return rows


def sound(organisation: Organisation) -> bool:
    return not list(checks.differences(organisation)) and verify(organisation) is None


def nobody(table: str, ids: Any) -> set[int]:
    return set()


def undo(imported: Import, chased: imports.Chased = nobody) -> imports.UndoPlan:
    return imports.undo_import(imported=imported, chased=chased, on=TODAY, now=NOW)


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
