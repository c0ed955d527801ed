"""What the verbs of the ledger refuse, each with one French sentence for the person."""


class LedgerError(Exception):
    """A refused act. `message` is a French sentence; `field` names the input at fault, or ""."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class MoneyError(LedgerError):
    """A payment or a credit that cannot be recorded as asked."""


class DisputeError(LedgerError):
    """A dispute opened twice, or resolved when there is none."""


class HoldError(LedgerError):
    """A promise or a hold with a date that makes no sense, or nothing to release."""


class CustomerError(LedgerError):
    """A customer, contact, site or invoice whose fields break a rule."""


class DocumentError(LedgerError):
    """An attached file that is not a PDF, or too large."""
