"""What people do with a mail that came in: see it, say whose it is, judge a refusal."""

from datetime import date, datetime

from django.db import transaction

from relance.accounts.models import User
from relance.history.services import Fact, append
from relance.ledger import services as ledger
from relance.ledger.models import Customer
from relance.outbox.models import Inbound


def mark_seen(inbound: Inbound, *, seen: bool, actor: User, now: datetime) -> None:
    """It leaves Aujourd'hui, or comes back; the first who saw it is kept."""
    mine = Inbound.objects.filter(pk=inbound.pk)
    if seen:
        mine.filter(seen_at=None).update(seen_at=now, seen_by=actor)
    else:
        mine.update(seen_at=None, seen_by=None)
    inbound.refresh_from_db(fields=["seen_at", "seen_by"])


@transaction.atomic
def assign(inbound: Inbound, customer: Customer, *, actor: User, on: date, now: datetime) -> bool:
    """A person says whose mail it is: it stands in that customer's history; False when it did.

    `customer` is of the same dossier (ValueError otherwise).
    """
    if customer.organisation_id != inbound.organisation_id:
        raise ValueError("the customer is of another dossier")
    fresh = Inbound.objects.select_for_update(of=("self",)).get(pk=inbound.pk)
    if fresh.customer_id == customer.pk:
        return False
    Inbound.objects.filter(pk=inbound.pk).update(customer=customer)
    data = {"inbound": inbound.pk, "from": inbound.sender, "subject": inbound.subject}
    append(
        inbound.organisation,
        [Fact("mail_assigned", now, on, customer.pk, None, None, data=data, actor=actor)],
    )
    inbound.refresh_from_db(fields=["customer"])
    return True


@transaction.atomic
def believe_refusal(inbound: Inbound, *, actor: User, on: date, now: datetime) -> bool:
    """A person trusts a refusal that names no message of ours: its address gets no mail any more.

    False when the mail has no customer or no address, or is no refusal.
    """
    refused = inbound.kind in (Inbound.Kind.HARD, Inbound.Kind.COMPLAINT)
    if not refused or inbound.customer_id is None or not inbound.address:
        return False
    ledger.refuse_address(
        organisation=inbound.organisation,
        email=inbound.address,
        customer_id=inbound.customer_id,
        on=on,
        now=now,
        reason=inbound.detail,
    )
    mark_seen(inbound, seen=True, actor=actor, now=now)
    return True
