"""A bank account and its movements, for the pages of Banque."""

from datetime import date

from relance.accounts.models import Organisation
from relance.bank.models import BankAccount, Transaction
from relance.bank.services.state import renew
from relance.formats.text import fold
from tests.conftest import TODAY


def account_of(organisation: Organisation, number: str = "FR7612345") -> BankAccount:
    """The account of that number, made when it is not there."""
    return BankAccount.objects.get_or_create(organisation=organisation, number=number)[0]


def movement(
    organisation: Organisation,
    cents: int,
    label: str = "CARTE METRO NANTES",
    on: date = TODAY,
    **more: object,
) -> Transaction:
    """One movement of the account, as an import leaves it."""
    more.setdefault("account", account_of(organisation))
    row = Transaction.objects.create(
        organisation=organisation,
        key=f"k{Transaction.objects.count()}",
        booked=on,
        amount_cents=cents,
        label=label,
        search=fold(label),
        missing="not_associated",
        **more,
    )
    renew([row.pk])
    row.refresh_from_db()
    return row
