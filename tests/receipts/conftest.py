"""A client file with its firm, its users and a bank account."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest

from relance.accounts.models import (
    BankRole,
    CollectRole,
    Firm,
    FirmMembership,
    Membership,
    Organisation,
    User,
)
from relance.bank.models import BankAccount, Transaction
from tests.conftest import TODAY

Bring = Callable[..., Transaction]
AddClient = Callable[..., User]


@pytest.fixture
def firm(db: None) -> Firm:
    firm = Firm.objects.create(name="Cabinet Morel et Associés")
    user = User.objects.create_user("anne@morel.example", "motdepasse1", full_name="Anne Morel")
    FirmMembership.objects.create(firm=firm, user=user, is_admin=True)
    return firm


@pytest.fixture
def accountant(firm: Firm) -> User:
    return User.objects.get(firm_memberships__firm=firm)


@pytest.fixture
def dossier(firm: Firm) -> Organisation:
    return Organisation.objects.create(name="Brasserie du Port", slug="brasserie", firm=firm)


@pytest.fixture
def add_client(dossier: Organisation) -> AddClient:
    def add(
        name: str = "yann",
        bank: BankRole = BankRole.R2,
        collect: CollectRole = CollectRole.ALL,
        wants: bool = True,
        of: Organisation | None = None,
    ) -> User:
        user = User.objects.create_user(f"{name}@port.example", "motdepasse1", full_name=name)
        Membership.objects.create(
            organisation=of or dossier,
            user=user,
            bank_role=bank,
            collect_role=collect,
            wants_receipt_mails=wants,
        )
        return user

    return add


@pytest.fixture
def bring(dossier: Organisation) -> Bring:
    def make(
        cents: int = -5602,
        label: str = "CARTE",
        on: date | None = None,
        of: Organisation | None = None,
        **more: object,
    ) -> Transaction:
        account, _new = BankAccount.objects.get_or_create(
            organisation=of or dossier, number="FR7612345"
        )
        more.setdefault("missing", "not_associated")
        return Transaction.objects.create(
            organisation=account.organisation,
            account=account,
            key=str(Transaction.objects.count()),
            booked=on or TODAY - timedelta(days=20),
            amount_cents=cents,
            label=label,
            search=label.lower(),
            **more,
        )

    return make
