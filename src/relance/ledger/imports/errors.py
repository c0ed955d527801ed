"""What an import refuses as a whole."""

from relance.ledger.services.errors import LedgerError


class ImportFileError(LedgerError):
    """A file or a mapping that cannot be read: nothing was written."""


class ImportStateError(LedgerError):
    """An act that does not fit the import's state: run twice at once, undone twice."""
