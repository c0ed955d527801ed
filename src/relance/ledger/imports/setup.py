"""An import as the readers take it: its file opened, its columns and options typed."""

from dataclasses import dataclass
from datetime import date
from typing import Any, cast

from django.utils.translation import gettext as _

from relance.formats.amounts import Decimal
from relance.formats.columns import ReadOptions
from relance.formats.dates import Order
from relance.formats.faults import Fault
from relance.formats.fields import Field, Subject, fields_for
from relance.formats.tabular import Table, open_table
from relance.formats.values import Terms
from relance.ledger.imports.errors import ImportFileError
from relance.ledger.models import Import

# Levels, plans and managers belong to rooms above the ledger; it could not keep them.
_NOT_KEPT = frozenset({"level", "label", "plan", "manager", "terms_days"})


@dataclass(frozen=True, slots=True)
class Settings:
    """What a person chose for a file; kept as plain JSON in `Import.options`.

    `on` is the local date given to payments that have none, `terms_days` calendar days.
    """

    on: date
    date_order: Order | None = None
    decimal: Decimal | None = None
    sheet: str | None = None
    currency: str = "EUR"
    terms_days: int = 30
    end_of_month: bool = False

    @property
    def reading(self) -> ReadOptions:
        """The same as the readers of tables take it."""
        return ReadOptions(
            paid_on=self.on,
            date_order=self.date_order,
            decimal=self.decimal,
            currency=self.currency,
            terms_days=self.terms_days,
        )

    @property
    def terms(self) -> Terms:
        """The payment terms given to a FEC, which has no due dates (formats D1)."""
        return Terms(self.terms_days, self.end_of_month)

    def as_json(self) -> dict[str, Any]:
        """Plain values, read back by `settings_of`."""
        return {
            "on": self.on.isoformat(),
            "date_order": self.date_order or "",
            "decimal": self.decimal or "",
            "sheet": self.sheet or "",
            "currency": self.currency,
            "terms_days": self.terms_days,
            "end_of_month": self.end_of_month,
        }


def settings_of(options: dict[str, Any], on: date) -> Settings:
    """The settings kept in JSON; `on` is taken when none was kept yet."""
    kept = options.get("on")
    return Settings(
        on=date.fromisoformat(kept) if kept else on,
        date_order=cast("Order | None", options.get("date_order") or None),
        decimal=options.get("decimal") or None,
        sheet=options.get("sheet") or None,
        currency=options.get("currency") or "EUR",
        terms_days=int(options.get("terms_days", 30)),
        end_of_month=bool(options.get("end_of_month")),
    )


def subject_of(kind: str) -> Subject:
    """Which catalogue of fields a kind of import has."""
    return "customers" if kind == Import.Kind.CUSTOMERS else "invoices"


def fields_of(kind: str) -> list[Field]:
    """The fields that an import of this kind keeps, in the order of the catalogue."""
    return [field for field in fields_for(subject_of(kind)) if field.code not in _NOT_KEPT]


def table_of(imported: Import, settings: Settings) -> Table:
    """The stored file opened. Raises ImportFileError with the reader's sentence."""
    try:
        opened = open_table(imported.file.path, imported.filename, sheet=settings.sheet)
    except OSError as error:
        raise ImportFileError(
            _("Le fichier de cet import n’est plus là. Déposez-le de nouveau.")
        ) from error
    if isinstance(opened, Fault):
        raise ImportFileError(opened.message)
    return opened


def columns_of(imported: Import) -> dict[str, int]:
    """The chosen columns: field code to column index from 0."""
    return {str(code): int(index) for code, index in imported.mapping.items()}
