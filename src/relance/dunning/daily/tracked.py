"""What follows when a provider tells what became of a letter or an SMS.

A letter's level is not taken back: it left, and a registered letter that its addressee refuses
or lets lie has its effects all the same. An SMS that was not delivered reached nobody: like a
mail that bounces it counts no more. What did not arrive because the place or the number is wrong
marks that place or number: the next step of that channel waits for a person (3.12).
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import partial

from django.db import transaction

from relance.accounts import clock
from relance.dunning.daily import bounces
from relance.dunning.daily.refreshing import refresh
from relance.history import services as history
from relance.history.services import Fact
from relance.ledger import services as ledger
from relance.ledger.models import Customer
from relance.outbox import providers
from relance.outbox import services as outbox
from relance.outbox.channels import tracking
from relance.outbox.providers import News

TOLD = (*tracking.ENDS, tracking.DEPOSIT, tracking.RECEIPT)
"""What the journal keeps; the rest stands with the message."""
WRONG_PLACE = (tracking.RETURNED, tracking.ERROR)


def tick(now: datetime) -> None:
    """One turn of the worker: ask about some messages and about those in doubt."""
    for _news in providers.poll(now=now, follow=follower(now)):
        pass
    providers.settle_doubts(now=now)


def follower(now: datetime) -> providers.Follow:
    """`follow` at that moment, as `outbox.providers` calls it."""
    return partial(follow, now=now)


@transaction.atomic
def follow(news: News, *, now: datetime) -> None:
    """Write what is worth remembering into the journal; mark what does not work."""
    message = news.message
    if message.diverted_to:
        return
    on = clock.local_date(message.organisation, now)
    facts = [
        Fact(
            "message_tracked",
            row.at,
            on,
            message.customer_id,
            None,
            message.pk,
            data={"status": row.status, "channel": message.channel, "detail": row.detail},
        )
        for row in news.rows
        if row.status in TOLD
    ]
    history.append(message.organisation, facts)
    back = news.came_back
    if back is None or back.status not in WRONG_PLACE or message.customer_id is None:
        return
    customer = Customer.objects.get(pk=message.customer_id)
    mark: Callable[..., bool] = ledger.refuse_place
    if message.channel == "sms":
        mark = ledger.refuse_phone
    mark(customer=customer, on=on, now=now, reason=back.detail[:300])
    if message.channel == "sms":
        with suppress(outbox.StateConflictError):  # a person said otherwise meanwhile
            outbox.mark_bounced(message=message, answer=back.detail, now=now)
            bounces.bounced([message], now)
    refresh(message.organisation, [customer.pk], on=on, now=now)
