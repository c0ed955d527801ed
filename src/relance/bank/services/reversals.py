"""A movement and its rejection cancel each other: neither wants a receipt, what it paid is owed."""

from collections.abc import Callable
from datetime import date, datetime, timedelta

from django.db import transaction as database

from relance.accounts.models import User
from relance.bank.models import Transaction
from relance.bank.services.errors import BankRefused
from relance.bank.services.state import renew
from relance.ledger import services as ledger

LONGEST = timedelta(days=400)
"""A direct debit may come back thirteen months later (SEPA, not authorised)."""
Cancel = Callable[[Transaction, date, datetime, User | None], set[int]]


def take_back(row: Transaction, *, cancel: Cancel, on: date, now: datetime) -> set[int]:
    """Find what `row` gives back and let both rest; the customers whose invoices are owed again.

    With a reference it is the latest of that reference, amount and account; without one, the
    only one of that amount: on a tie nothing is decided and both stay to be looked at.
    """
    source = _source(row)
    if source is None:
        return set()
    customers: set[int] = set()
    if row.amount_cents < 0:
        try:
            with database.atomic():
                customers = cancel(source, on, now, None)
        except (ledger.LedgerError, BankRefused):  # a person has cancelled these payments already
            customers = set()
    for one, other in ((source, row), (row, source)):
        if not one.waiver:
            Transaction.objects.filter(pk=one.pk).update(
                waiver=Transaction.Waiver.REVERSED,
                waiver_note=f"{other.booked.isoformat()} {other.label}"[:300],
            )
    renew([source.pk, row.pk])
    return customers


def _source(row: Transaction) -> Transaction | None:
    earlier = Transaction.objects.filter(
        account=row.account,
        amount_cents=-row.amount_cents,
        currency=row.currency,
        booked__range=(row.booked - LONGEST, row.booked),
        reversal=False,
    ).exclude(waiver=Transaction.Waiver.REVERSED)
    if row.reference:
        named = earlier.filter(reference=row.reference)
        return named.order_by("-booked", "-pk").first()
    found = list(earlier.order_by("-booked", "-pk")[:2])
    if len(found) > 1:  # of several, only one may have settled an invoice
        paid = list(earlier.filter(links__payment__isnull=False).distinct()[:2])
        found = paid if row.amount_cents < 0 else found
    return found[0] if len(found) == 1 else None
