"""What a credit paid over: an unapplied credit of the customer, which the transaction holds."""

from datetime import date, datetime

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from relance.accounts.models import User
from relance.bank.models import Link, Transaction
from relance.bank.services.errors import BankRefused
from relance.ledger import services as ledger
from relance.ledger.models import Credit, Customer


def keep(
    row: Transaction, customer_id: int, cents: int, on: date, now: datetime, actor: User
) -> None:
    """`cents` of the transaction are the customer's to use: nothing of it is left to justify."""
    earlier = _of(row).count()
    credit = ledger.add_credit(
        customer=Customer.objects.select_related("organisation").get(pk=customer_id),
        number=_number(row) if not earlier else f"{_number(row)}-{earlier}",
        total_cents=cents,
        on=min(row.booked, on),
        now=now,
        actor=actor,
        currency=row.currency,
    )
    Link.objects.create(
        organisation=row.organisation,
        transaction=row,
        credit=credit,
        amount_cents=cents,
        reasons=["OVER"],
        made_by=actor,
        made_at=now,
    )


def take_back(row: Transaction, on: date, now: datetime, actor: User | None) -> None:
    """It goes with the payment.

    BankRefused when a person undoes what has served for another invoice since.
    """
    Link.objects.filter(transaction=row, credit__isnull=False).delete()
    over = list(_of(row))
    total = sum(one.total_cents for one in over)
    left = sum(one.left_cents for one in over)
    if total <= 0:
        return
    if actor is not None and left < total:
        raise BankRefused(_("Le trop-perçu a déjà servi à régler une autre facture."))
    if left > 0:
        ledger.add_credit(
            customer=over[0].customer,
            number=f"{_number(row)}-{len(over)}",
            total_cents=-left,
            on=on,
            now=now,
            actor=actor,
            currency=row.currency,
        )


def _of(row: Transaction) -> QuerySet[Credit]:
    """The credits made of this transaction, those that took one back included; of no other."""
    numbers = Q(number=_number(row)) | Q(number__startswith=f"{_number(row)}-")
    return Credit.objects.filter(numbers, organisation=row.organisation)


def _number(row: Transaction) -> str:
    return f"TROP-PERCU-{row.pk}"
