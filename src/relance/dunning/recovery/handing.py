"""Handing a customer over to recovery: what will happen, the deed, and taking it back.

From the deed on nothing is chased any more: he is excluded for this reason, what waits to leave
is cancelled, what was to be done is withdrawn. The file is gathered afterwards (`building`).
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Count, Q, QuerySet, Sum
from django.utils.translation import gettext as _

from relance.accounts.models import User
from relance.dunning.daily.hooks import ended
from relance.dunning.daily.refreshing import refresh
from relance.dunning.models import Action, Recovery
from relance.dunning.services.common import Refused
from relance.engine import wording
from relance.history import services as history
from relance.history.models import Event
from relance.history.services import Fact
from relance.ledger import services as ledger
from relance.ledger.models import Customer, Invoice
from relance.outbox import services as outbox
from relance.outbox.models import Message, Status

GONE = [Status.SENT, Status.BOUNCED, Status.UNCERTAIN]
"""Messages that the other side has, or may have: all that a dossier tells of."""
CODE = "RECOVERY"
"""Reason of the messages that were cancelled for it."""


class Preview(NamedTuple):
    """What the deed will do and what the file will hold, in numbers.

    `owed` is (currency, cents, open invoices); `leaving` messages are beyond recall, `printed`
    letters are on paper; `without_pdf` open invoices have no document.
    """

    owed: list[tuple[str, int, int]]
    invoices: int
    without_pdf: int
    messages: int
    waiting: int
    leaving: int
    printed: int
    actions: int
    notes: int


def preview(customer: Customer) -> Preview:
    """The numbers of a customer; six queries, whatever he owes."""
    invoices = Invoice.objects.filter(customer=customer)
    still = invoices.filter(balance_cents__gt=0)
    mine = Message.objects.filter(customer=customer)
    waits = Q(status__in=outbox.NOT_GONE)
    counted = mine.aggregate(
        gone=Count("pk", filter=Q(status__in=GONE, diverted_to="")),
        waiting=Count("pk", filter=waits & Q(print_run=None)),
        printed=Count("pk", filter=waits & Q(print_run__isnull=False)),
        leaving=Count("pk", filter=Q(status=Status.SENDING)),
    )
    owed = still.values_list("currency").annotate(cents=Sum("balance_cents"), n=Count("pk"))
    return Preview(
        owed=list(owed.order_by("currency")),
        invoices=invoices.count(),
        without_pdf=still.filter(document="").count(),
        messages=counted["gone"],
        waiting=counted["waiting"],
        leaving=counted["leaving"],
        printed=counted["printed"],
        actions=open_actions(customer).count(),
        notes=Event.objects.filter(
            organisation=customer.organisation_id, customer_id=customer.pk, kind="note"
        ).count(),
    )


def open_actions(customer: Customer) -> QuerySet[Action]:
    """What is to be done by hand about a customer."""
    return Action.objects.filter(customer=customer, status=Action.Status.OPEN)


def recoveries(customer: Customer) -> QuerySet[Recovery]:
    """His dossiers, the newest first."""
    return (
        Recovery.objects.filter(organisation=customer.organisation_id, customer=customer)
        .select_related("organisation", "made_by", "taken_back_by")
        .order_by("-pk")
    )


def handed(customer: Customer) -> Recovery | None:
    """The dossier for which he has left the chase; None too when that was lifted elsewhere."""
    if not customer.excluded:
        return None
    found = recoveries(customer).filter(leaves=True, taken_back_at=None).first()
    if found is None:
        return None
    lifted = Event.objects.filter(
        organisation=customer.organisation_id,
        customer_id=customer.pk,
        kind="customer_included",
        at__gte=found.made_at,
    )
    return None if lifted.exists() else found


@transaction.atomic
def ask(
    *,
    customer: Customer,
    leaves: bool,
    with_notes: bool,
    handed_to: str,
    actor: User,
    on: date,
    now: datetime,
    seen: int | None = None,
) -> Recovery:
    """Ask for the dossier of a customer on a local date; with `leaves` he leaves the chase now.

    Refused when one is being gathered already, or when there is no invoice to tell of: of two
    people, or two clicks, one gets it. With `seen`, the key of the newest dossier that the page
    showed (0 for none), a page kept open makes no other beside one that it does not know of.
    """
    locked = Customer.objects.select_for_update().get(pk=customer.pk)
    at_work = recoveries(locked).filter(status__in=[Recovery.Status.ASKED, Recovery.Status.RUNNING])
    if (other := at_work.first()) is not None:
        who = other.made_by or _("quelqu’un")
        raise Refused(
            _("%(who)s a déjà demandé ce dossier : il se prépare.") % {"who": who}, "AT_WORK"
        )
    newest = recoveries(locked).first()
    if seen is not None and newest is not None and newest.pk != seen:
        raise Refused(_made_words(newest), "MADE")
    if not Invoice.objects.filter(customer=locked).exists():
        raise Refused(_("Ce client n’a aucune facture : il n’y a rien à recouvrer."), "NO_INVOICE")
    before = handed(locked)
    if leaves and before is not None:
        recoveries(locked).filter(pk=before.pk).update(taken_back_at=now, taken_back_by=actor)
    recovery = Recovery.objects.create(
        organisation=locked.organisation,
        customer=locked,
        on=on,
        with_notes=with_notes,
        leaves=leaves,
        was_excluded=before.was_excluded if before is not None else locked.excluded,
        handed_to=" ".join(handed_to.split())[:120],
        made_by=actor,
        made_at=now,
    )
    data = {"recovery": recovery.pk, "to": recovery.handed_to, "notes": with_notes}
    tell("recovery_asked", recovery, data, actor=actor, on=on, now=now)
    if leaves:
        _leave(locked, recovery, actor=actor, on=on, now=now)
    customer.excluded = locked.excluded
    return recovery


def _made_words(recovery: Recovery) -> str:
    """Who made it and when, in the organisation's time."""
    at = recovery.made_at.astimezone(ZoneInfo(recovery.organisation.timezone))
    values = {
        "who": recovery.made_by or _("Quelqu’un"),
        "day": wording.date_words(at.date(), _),
        "hour": at.strftime("%H:%M"),
        "to": recovery.handed_to,
    }
    if recovery.leaves and recovery.handed_to:
        words = _(
            "%(who)s l’a déjà remis à %(to)s le %(day)s à %(hour)s\u00a0: voyez le dossier "
            "ci-dessous avant d’en constituer un autre."
        )
    else:
        words = _(
            "%(who)s a déjà constitué ce dossier le %(day)s à %(hour)s\u00a0: voyez-le "
            "ci-dessous avant d’en constituer un autre."
        )
    return words % values


def _leave(customer: Customer, recovery: Recovery, *, actor: User, on: date, now: datetime) -> None:
    ledger.exclude(customer=customer, on=on, now=now, actor=actor)
    waiting = Message.objects.filter(
        customer=customer, status__in=outbox.NOT_GONE, print_run=None
    ).values_list("pk", flat=True)
    stopped = outbox.cancel_many(message_ids=list(waiting), reason=CODE, now=now)
    ended(list(Message.objects.filter(pk__in=stopped)), now, actor=actor)
    tell("recovery_handed", recovery, {"to": recovery.handed_to}, actor=actor, on=on, now=now)
    refresh(customer.organisation, [customer.pk], on=on, now=now)


@transaction.atomic
def take_back(*, customer: Customer, actor: User, on: date, now: datetime) -> Recovery:
    """Chase him again, unless he was excluded before; Refused when he was not handed over.

    His levels are where they were: the next pass goes on from there.
    """
    locked = Customer.objects.select_for_update().get(pk=customer.pk)
    recovery = handed(locked)
    if recovery is None:
        raise Refused(_("Ce client n’est pas, ou plus, remis au recouvrement."), "NOT_HANDED")
    recoveries(locked).filter(pk=recovery.pk).update(taken_back_at=now, taken_back_by=actor)
    recovery.taken_back_at, recovery.taken_back_by = now, actor
    if not recovery.was_excluded:
        ledger.include(customer=locked, on=on, now=now, actor=actor)
    data = {"recovery": recovery.pk}
    tell("recovery_taken_back", recovery, data, actor=actor, on=on, now=now)
    refresh(locked.organisation, [locked.pk], on=on, now=now)
    customer.excluded = locked.excluded
    return recovery


def tell(
    kind: str,
    recovery: Recovery,
    data: Mapping[str, object],
    *,
    actor: User | None,
    on: date,
    now: datetime,
) -> None:
    """What happened with a dossier, in the journal of its organisation."""
    fact = Fact(kind, now, on, recovery.customer_id, data=dict(data), actor=actor)
    history.append(recovery.organisation, [fact])
