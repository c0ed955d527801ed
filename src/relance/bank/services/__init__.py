"""Verbs of the bank feed; each in one transaction, with the local date and the moment passed in."""

from relance.bank.services.statements import BankFileError, Preview, import_file, preview_file

__all__ = ["BankFileError", "Preview", "import_file", "preview_file"]
