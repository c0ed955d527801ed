"""Files of invoices, customers and accounts (FEC) into the ledger.

`intake` stores and previews, `running` writes in chunks that survive a kill, `undo` takes back,
`report` gives the refused lines. The readers themselves are in `formats`.
"""

from relance.ledger.imports.errors import ImportFileError, ImportStateError
from relance.ledger.imports.intake import (
    Preview,
    choose_mapping,
    discard,
    ledger_of,
    preview,
    propose_mapping,
    store_upload,
)
from relance.ledger.imports.report import write_refused
from relance.ledger.imports.running import mark_interrupted, run_import
from relance.ledger.imports.setup import Settings, columns_of, fields_of, settings_of, table_of
from relance.ledger.imports.undo import Chased, UndoPlan, plan_undo, undo_import

__all__ = [
    "Chased",
    "ImportFileError",
    "ImportStateError",
    "Preview",
    "Settings",
    "UndoPlan",
    "choose_mapping",
    "columns_of",
    "discard",
    "fields_of",
    "ledger_of",
    "mark_interrupted",
    "plan_undo",
    "preview",
    "propose_mapping",
    "run_import",
    "settings_of",
    "store_upload",
    "table_of",
    "undo_import",
    "write_refused",
]
