"""Movements that a bank announces: what is still to come on an account, and goes once booked."""

from collections import defaultdict
from datetime import date, timedelta

from relance.accounts.bulk import create_many
from relance.bank.models import BankAccount, BankImport, Pending, Transaction
from relance.formats.bank.model import Statement
from relance.formats.text import fold

ABOUT = timedelta(days=10)
"""A movement is booked at most so long before or after the day that was announced."""


def renew(
    imported: BankImport, account: BankAccount, statement: Statement, last: date | None
) -> None:
    """After the booked movements of a statement: what it announces, without what was booked.

    `last`: the local day up to which it tells. What was announced up to that day is booked now,
    or never will be; an older file announces nothing again for days that a newer one covers.
    """
    if last is not None:
        Pending.objects.filter(account=account, on__lte=last).delete()
    others = account.statements.exclude(imported=imported).exclude(last_on=None)
    covered = others.order_by("-last_on").values_list("last_on", flat=True).first()
    rows = [
        Pending(
            organisation=imported.organisation,
            account=account,
            imported=imported,
            on=one.booked,
            amount_cents=one.amount,
            currency=one.currency[:3],
            label=one.label[:500],
            name=one.name[:140],
            bank_ref=one.bank_ref[:140],
        )
        for one in statement.pending
        if covered is None or last is None or one.booked > covered or last >= covered
    ]
    known = {_said(row) for row in Pending.objects.filter(account=account)}
    create_many(Pending, [row for row in rows if _said(row) not in known])
    _drop_booked(account)


def _said(row: Pending) -> tuple[object, ...]:
    return row.on, row.amount_cents, row.currency, row.label, row.bank_ref


def _drop_booked(account: BankAccount) -> None:
    """Those that a transaction tells already: the bank's number, or words about that day."""
    rows = list(Pending.objects.filter(account=account))
    if not rows:
        return
    days = [row.on for row in rows]
    found = Transaction.objects.filter(
        account=account, booked__range=(min(days) - ABOUT, max(days) + ABOUT)
    ).values_list("amount_cents", "currency", "booked", "label", "bank_ref")
    booked: dict[tuple[int, str], list[tuple[date, str, str]]] = defaultdict(list)
    for cents, currency, on, label, ref in found.iterator(2000):
        booked[cents, currency].append((on, fold(label), ref))
    gone = []
    for row in rows:
        for on, label, ref in booked.get((row.amount_cents, row.currency), ()):
            if row.bank_ref and ref:
                same = row.bank_ref == ref
            else:
                same = abs(on - row.on) <= ABOUT and label == fold(row.label)
            if same:
                gone.append(row.pk)
                break
    Pending.objects.filter(pk__in=gone).delete()
