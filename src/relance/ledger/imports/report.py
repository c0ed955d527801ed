"""The refused lines of an import as a workbook: as they were in the file, with the reason."""

from collections.abc import Iterator
from typing import BinaryIO

from django.utils.translation import gettext as _

from relance.formats.tabular import Row
from relance.formats.text import cell_text
from relance.formats.workbook import Column, Sheet, Value, write_workbook
from relance.ledger.imports.errors import ImportFileError
from relance.ledger.imports.setup import settings_of, table_of
from relance.ledger.models import Import


def write_refused(imported: Import, target: BinaryIO) -> int:
    """Write an XLSX of the refused lines: line, reason, then the cells of the file, so that
    they can be corrected and imported again. The number of lines."""
    reasons = dict(
        imported.lines.filter(refused=True).order_by("-id").values_list("line", "message")
    )
    columns = [Column(_("Ligne"), "number", 8), Column(_("Raison"), "text", 60)]
    cells: dict[int, list[str]] = {}
    if imported.kind != Import.Kind.FEC:
        try:
            table = table_of(imported, settings_of(imported.options, imported.made_at.date()))
        except ImportFileError:
            table = None
        if table is not None:
            columns += [Column(name or f"{rank}") for rank, name in enumerate(table.header, 1)]
            for row in table.rows():
                if isinstance(row, Row) and row.line in reasons:
                    cells[row.line] = [cell_text(cell) for cell in row.cells]

    def rows() -> Iterator[list[Value]]:
        for line in sorted(reasons):
            yield [line, reasons[line], *cells.get(line, [])]

    return write_workbook(target, [Sheet(_("Lignes refusées"), columns, rows())])
