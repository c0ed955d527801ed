"""Shorthands of the tests of imports: bring a file, load it, undo it, compare the ledger."""

from typing import Any

from django.core.files.base import ContentFile

from relance.accounts.models import Organisation, User
from relance.history.services import verify
from relance.ledger import checks, imports
from relance.ledger.models import (
    Contact,
    Credit,
    Customer,
    Import,
    Invoice,
    Payment,
    Site,
)
from tests.ledger.conftest import NOW, TODAY, day

HEADER = "Code client;Client;N° facture;Date;Échéance;Total TTC;Reste à payer;Date de règlement"
FILE = f"""{HEADER}
C1;Morel;F-1;10/01/2026;10/02/2026;100,00;100,00;
C1;Morel;F-2;10/01/2026;10/02/2026;200,00;50,00;15/03/2026
C2;Perrin;F-3;12/01/2026;13/02/2026;300,00;0,00;
C2;Perrin;A-1;12/01/2026;13/02/2026;-40,00;-40,00;
"""


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
