"""People and a small ledger that every room's tests share."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import settings

from relance.accounts.models import DunningRole, Organisation, User
from relance.accounts.services import add_member, found_organisation
from relance.dunning.models import Assignment, Plan, Step, Template
from relance.ledger.models import Customer, Invoice

# a busy machine is slow, not wrong
settings.register_profile("house", deadline=None)
settings.load_profile("house")

TODAY = date(2026, 11, 24)
NOW = datetime(2026, 11, 24, 7, 30, tzinfo=UTC)
"""08:30 in Paris."""


def at(on: date) -> datetime:
    """08:30 in Paris (winter) on `on`."""
    return datetime(on.year, on.month, on.day, 7, 30, tzinfo=UTC)


@pytest.fixture
def owner(db: None) -> User:
    return User.objects.create_user(
        "camille@kerdoncuff.example", "motdepasse1", full_name="Camille Le Goff"
    )


@pytest.fixture
def organisation(owner: User) -> Organisation:
    return found_organisation(
        name="Ateliers Kerdoncuff", owner=owner, email_from="relances@kerdoncuff.example"
    )


@pytest.fixture
def colleague(organisation: Organisation) -> User:
    """A member of the same organisation who may read and change nothing."""
    user = User.objects.create_user("yann@kerdoncuff.example", "motdepasse1", full_name="Yann Riou")
    add_member(organisation=organisation, user=user, dunning_role=DunningRole.READ)
    return user


@pytest.fixture
def stranger(db: None) -> User:
    """The administrator of another organisation."""
    user = User.objects.create_user("eve@ailleurs.example", "motdepasse1", full_name="Ève Ailleurs")
    found_organisation(name="Ailleurs", owner=user)
    return user


@pytest.fixture
def template(organisation: Organisation) -> Template:
    return Template.objects.create(
        organisation=organisation,
        name="Rappel",
        subject="Vos factures échues, {{ montant }}",
        body="Bonjour,\n\n{{ tableau_factures }}\n\nCordialement,\n{{ signature }}",
    )


@pytest.fixture
def plan(organisation: Organisation, template: Template) -> Plan:
    """J−3, J+7, J+10 by e-mail, J+20 a call; DMC 5 days."""
    plan = Plan.objects.create(organisation=organisation, name="Standard")
    steps = [
        ("Préavis", -3, "email", True),
        ("Second rappel", 7, "email", True),
        ("Dernier rappel", 10, "email", True),
        ("Appel", 20, "call", False),
    ]
    Step.objects.bulk_create(
        Step(
            organisation=organisation,
            plan=plan,
            level=level,
            name=name,
            days=days,
            channel=channel,
            automatic=automatic,
            template=template if channel == "email" else None,
        )
        for level, (name, days, channel, automatic) in enumerate(steps, 1)
    )
    return plan


@pytest.fixture
def customer(organisation: Organisation, plan: Plan) -> Customer:
    return make_customer(organisation, plan)


def make_customer(
    organisation: Organisation, plan: Plan | None, name: str = "Pharmacie Delmas", **fields: object
) -> Customer:
    """A customer with an address, following `plan`."""
    code = str(fields.pop("code", name[:12].upper()))
    fields.setdefault("email", f"compta@{code.split()[0].lower()}.example")
    customer = Customer.objects.create(
        organisation=organisation, name=name, code=code, search=f"{name} {code}".lower(), **fields
    )
    if plan:
        Assignment.objects.create(organisation=organisation, customer=customer, plan=plan)
    return customer


def make_invoice(
    customer: Customer, number: str, due: date, cents: int = 100_00, **fields: object
) -> Invoice:
    """An open invoice issued thirty days before it is due."""
    fields.setdefault("issued", due - timedelta(days=30))
    fields.setdefault("balance_cents", cents)
    return Invoice.objects.create(
        organisation=customer.organisation,
        customer=customer,
        number=number,
        due=due,
        total_cents=cents,
        **fields,
    )
