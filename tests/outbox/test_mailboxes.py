"""From which address a message leaves, and the mailboxes that people connect."""

from typing import Any

import pytest

from relance.accounts.models import DunningRole, Organisation, User
from relance.accounts.services import add_member
from relance.outbox import mailboxes
from relance.outbox.models import Mailbox

from .conftest import NOW


@pytest.fixture
def camille(organisation: Organisation) -> User:
    user = User.objects.create_user("camille@martin.example", full_name="Camille Le Goff")
    add_member(organisation=organisation, user=user, dunning_role=DunningRole.ADMIN)
    return user


def mailbox(organisation: Organisation, owner: User | None = None, **fields: Any) -> Mailbox:
    """A mailbox that has worked."""
    fields.setdefault("address", "compta@martin.example" if owner is None else owner.email)
    fields.setdefault("host", "smtp.martin.example")
    fields.setdefault("checked_at", NOW)
    return Mailbox.objects.create(organisation=organisation, owner=owner, **fields)


def test_everything_leaves_from_the_system_address_and_replies_go_to_the_user(
    organisation: Organisation, camille: User, settings
) -> None:
    """S2-19, S2-21, S2-23."""
    settings.DEFAULT_FROM_EMAIL = "collect@relance.example"
    [only] = mailboxes.senders(organisation, camille)
    assert only.sender == '"Atelier Martin" <collect@relance.example>'
    assert only.reply_to == "camille@martin.example"
    assert only.mailbox_id is None
    assert mailboxes.automatic_sender(organisation).sender == only.sender


def test_the_address_of_the_organisation_is_the_default_of_all(
    organisation: Organisation, camille: User
) -> None:
    """S4-05; the system's address stays a choice of the window (S4-06)."""
    organisation.email_from = "relances@martin.example"
    first, second = mailboxes.senders(organisation, camille)
    assert first.sender == '"Atelier Martin" <relances@martin.example>'
    assert first.reply_to == "camille@martin.example"
    assert second.key == "system"
    assert mailboxes.automatic_sender(organisation).address == "relances@martin.example"


def test_a_user_who_connected_his_mailbox_sends_from_it(
    organisation: Organisation, camille: User
) -> None:
    """S2-22: replies come back by themselves; nothing automatic leaves from it."""
    mine = mailbox(organisation, camille)
    organisation.email_from = "relances@martin.example"
    first, *others = mailboxes.senders(organisation, camille)
    assert (first.mailbox, first.own) == (mine, True)
    assert first.sender == '"Camille Le Goff" <camille@martin.example>'
    assert first.reply_to == ""
    assert [one.key for one in others] == ["organisation", "system"]
    assert mailboxes.automatic_sender(organisation).mailbox is None


def test_nobody_sends_from_the_mailbox_of_another(
    organisation: Organisation, camille: User
) -> None:
    yann = User.objects.create_user("yann@martin.example")
    key = f"mailbox-{mailbox(organisation, yann).pk}"
    assert key not in [one.key for one in mailboxes.senders(organisation, camille)]
    with pytest.raises(mailboxes.UnknownSenderError):
        mailboxes.sender_of(organisation, camille, key)
    assert mailboxes.sender_of(organisation, yann, key).address == "yann@martin.example"


def test_the_default_mailbox_of_the_organisation_carries_what_is_automatic(
    organisation: Organisation, camille: User
) -> None:
    """S4-05."""
    common = mailbox(organisation, is_default=True)
    other = mailbox(organisation, address="autre@martin.example")
    organisation.email_from = "relances@martin.example"
    found = mailboxes.senders(organisation, camille)
    assert [one.mailbox for one in found] == [common, None, None, other]
    automatic = mailboxes.automatic_sender(organisation)
    assert (automatic.mailbox, automatic.reply_to) == (common, "")


def test_a_mailbox_that_never_worked_is_not_offered(
    organisation: Organisation, camille: User
) -> None:
    mailbox(organisation, camille, checked_at=None)
    mailbox(organisation, retired_at=NOW)
    assert [one.key for one in mailboxes.senders(organisation, camille)] == ["system"]


def test_replies_to_automatic_messages_are_read_by_somebody(
    organisation: Organisation, camille: User
) -> None:
    """S2-21: the customer's manager, else an administrator."""
    yann = User.objects.create_user("yann@martin.example")
    gone = User.objects.create_user("gone@martin.example", is_active=False)
    assert mailboxes.readers_of(organisation, [yann.pk, gone.pk]) == {
        yann.pk: "yann@martin.example",
        gone.pk: "camille@martin.example",
        None: "camille@martin.example",
    }
