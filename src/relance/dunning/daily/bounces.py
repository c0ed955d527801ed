"""What follows in dunning from mails that came back: no level, no contact, a new look (B3)."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from relance.accounts import clock
from relance.accounts.models import Organisation
from relance.dunning.daily.refreshing import refresh
from relance.dunning.facts.levels_shown import recount
from relance.dunning.models import Entry
from relance.outbox.models import Message, MessageInvoice


def bounced(messages: Sequence[Message], now: datetime) -> None:
    """Messages that reached nobody: what was written for them counts no more (engine section 2).

    So the step is wanted again; without a usable address it is an action for a person
    (NO_RECIPIENT, 3.12). Called inside the transaction that makes them bounced.
    """
    by_organisation: dict[int, list[Message]] = defaultdict(list)
    for message in messages:
        by_organisation[message.organisation_id].append(message)
    for organisation in Organisation.objects.filter(pk__in=by_organisation):
        mine = by_organisation[organisation.pk]
        Entry.objects.filter(
            organisation=organisation, message_id__in=[one.pk for one in mine], void=False
        ).update(void=True)
        lines = MessageInvoice.objects.filter(message__in=mine)
        invoices = sorted(set(lines.values_list("invoice_id", flat=True)))
        customers = sorted({one.customer_id for one in mine if one.customer_id is not None})
        recount(organisation, customers, invoices)
        refresh(organisation, customers, on=clock.local_date(organisation, now), now=now)


def changed(organisation: Organisation, customers: Sequence[int], now: datetime) -> None:
    """An address of these customers was marked: look at them again."""
    refresh(organisation, sorted(customers), on=clock.local_date(organisation, now), now=now)
