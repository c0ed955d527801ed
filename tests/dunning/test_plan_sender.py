"""What a plan says of its messages: from which mailbox they leave, and what goes with them."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from relance.accounts.models import Organisation, User
from relance.dunning.daily import run
from relance.dunning.models import Plan, Template
from relance.ledger.models import Customer
from relance.outbox import own_files
from relance.outbox.models import Mailbox, Message
from tests.conftest import NOW, TODAY, make_customer, make_invoice

Box = Callable[..., Mailbox]


@pytest.fixture
def box(organisation: Organisation) -> Box:
    def box(address: str, **fields: Any) -> Mailbox:
        values = {"host": "smtp.example", "checked_at": NOW} | fields
        return Mailbox.objects.create(organisation=organisation, address=address, **values)

    return box


def pass_of(organisation: Organisation, customer: Customer) -> Message:
    """The message that the daily pass makes for a customer."""
    make_invoice(customer, f"F-{customer.pk}", TODAY - timedelta(days=7))
    run.run(organisation, on=TODAY, now=NOW, pause=0)
    return Message.objects.get(customer=customer)


def test_a_plan_sends_from_its_own_mailbox_and_the_others_from_the_companys(
    organisation: Organisation, plan: Plan, customer: Customer, box: Box
) -> None:
    box("compta@kerdoncuff.example", is_default=True)
    plan.mailbox = box("export@kerdoncuff.example", name="Export")
    plan.save()

    message = pass_of(organisation, customer)

    assert message.mailbox == plan.mailbox
    assert message.sender == '"Export" <export@kerdoncuff.example>'
    plan.mailbox = None
    plan.save()
    other = pass_of(organisation, make_customer(organisation, plan, "Autre"))
    assert other.mailbox is not None
    assert other.mailbox.address == "compta@kerdoncuff.example"


@pytest.mark.parametrize("fields", [{"checked_at": None}, {"retired_at": NOW}])
def test_a_mailbox_that_is_none_any_more_gives_way_to_the_companys(
    organisation: Organisation,
    plan: Plan,
    customer: Customer,
    box: Box,
    fields: dict[str, Any],
) -> None:
    common = box("compta@kerdoncuff.example", is_default=True)
    plan.mailbox = box("export@kerdoncuff.example", **fields)
    plan.save()
    assert pass_of(organisation, customer).mailbox == common


def test_a_mailbox_that_rests_keeps_the_messages_of_its_plan(
    organisation: Organisation, plan: Plan, customer: Customer, box: Box
) -> None:
    """As every mailbox does: what it cannot send now it sends later, from the same address."""
    plan.mailbox = box(
        "export@kerdoncuff.example", paused_until=NOW + timedelta(hours=1), failures=2
    )
    plan.save()
    assert pass_of(organisation, customer).mailbox == plan.mailbox


def test_nobodys_own_mailbox_carries_what_leaves_by_itself(
    organisation: Organisation, plan: Plan, customer: Customer, owner: User, box: Box
) -> None:
    plan.mailbox = box("moi@kerdoncuff.example", owner=owner)
    plan.save()
    assert pass_of(organisation, customer).mailbox is None


def test_what_a_template_encloses_leaves_with_its_messages(
    organisation: Organisation,
    plan: Plan,
    template: Template,
    customer: Customer,
    owner: User,
    tmp_path: Path,
    settings: Any,
) -> None:
    """Own files and the RIB: one stored file each, however many messages take it."""
    settings.MEDIA_ROOT = tmp_path
    kept, gone = (
        own_files.add(
            organisation, name=name, raw=b"%PDF-" + name.encode(), actor=owner, on=TODAY, now=NOW
        )
        for name in ("CGV.pdf", "Ancien.pdf")
    )
    template.files.set([kept, gone])
    template.with_rib = True
    template.save()
    own_files.retire(gone, actor=owner, on=TODAY, now=NOW)

    without = pass_of(organisation, customer)
    assert list(without.files.values_list("name", flat=True)) == ["CGV.pdf"], "no IBAN, no RIB"
    Organisation.objects.update(iban="FR76 3000 6000 0112 3456 7890 189", bic="AGRIFRPP")
    organisation.refresh_from_db()
    messages = [
        pass_of(organisation, make_customer(organisation, plan, name)) for name in ("Un", "Deux")
    ]
    for message in messages:
        files = message.files.order_by("pk").values_list("name", "file")
        assert [name for name, _file in files] == ["CGV.pdf", "RIB.pdf"]
        assert files[0][1] == kept.file.name
    assert len({m.files.get(name="RIB.pdf").file.name for m in messages}) == 1
