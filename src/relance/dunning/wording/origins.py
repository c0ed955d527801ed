"""From where the messages of a plan leave, and who reads the replies."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from relance.accounts.models import Organisation, User
from relance.dunning.models import Plan
from relance.engine import model as engine
from relance.ledger.models import Customer
from relance.outbox import mailboxes
from relance.outbox.mailboxes import Sender


class Origins(NamedTuple):
    """The sender of all, or of some plans their own; replies by customer where they differ."""

    default: Sender
    plans: dict[int, Sender]
    replies: dict[int, str]

    def of(self, plan: int) -> Sender:
        """From where the messages of this plan leave."""
        return self.plans.get(plan, self.default)

    def reply_to(self, plan: int, customer: int) -> str:
        """Where the replies of this customer go; "" when the sender's address is read."""
        if plan in self.plans:
            return self.plans[plan].reply_to
        return self.replies.get(customer, self.default.reply_to)


def open_origins(
    organisation: Organisation,
    plans: Collection[engine.Id],
    customers: Mapping[int, Customer],
    made_by: User | None,
    sender: Sender | None,
) -> Origins:
    """What a person chose or has by default; what leaves by itself goes by its plan's mailbox.

    A plan's mailbox that was removed or has never worked counts as none: its messages leave from
    the organisation's sender. One that rests keeps them waiting, as every mailbox does.
    """
    if sender is None and made_by is not None:
        sender = mailboxes.sender_of(organisation, made_by)
    if sender is not None:
        return Origins(sender, {}, {} if made_by else _replies(organisation, customers, sender))
    default = mailboxes.automatic_sender(organisation)
    named = Plan.objects.filter(pk__in=plans, mailbox__isnull=False).select_related("mailbox")
    own = {
        plan.pk: mailboxes.automatic_sender(organisation, plan.mailbox)
        for plan in named
        if plan.mailbox and mailboxes.may_be_automatic(plan.mailbox)
    }
    return Origins(default, own, _replies(organisation, customers, default))


def _replies(
    organisation: Organisation, customers: Mapping[int, Customer], origin: Sender
) -> dict[int, str]:
    """Who reads the replies to automatic messages of the system's address, by customer (S2-21)."""
    if origin.reply_to or origin.key != mailboxes.SYSTEM:
        return {}
    managers = {pk: customer.manager_id for pk, customer in customers.items()}
    readers = mailboxes.readers_of(organisation, managers.values())
    return {pk: readers[manager] for pk, manager in managers.items()}
