"""The morning page: what waits for me, what leaves by itself, what went wrong, who broke his word.

Each section costs a fixed number of queries, whatever the size of the ledger.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from relance.accounts import clock
from relance.accounts.access import Access
from relance.accounts.models import User
from relance.dunning import queries as dunning
from relance.dunning.daily.todo import ON_ITS_WAY
from relance.dunning.facts import hours
from relance.dunning.models import Action, Entry, Mention, Outlook
from relance.dunning.wording import messages
from relance.ledger.models import Customer, Hold, Invoice, Payment
from relance.outbox.models import Message, MessageInvoice, Status
from relance.web.queries import campaigns, sending

SHOWN = 100
"""Lines of one section before it sends to the full list."""
READ_AHEAD = 60
"""Automatic messages worked out in full for the page; beyond, they are only counted."""
ERRORS_DAYS = 30
PROMISE_DAYS = 14
"""A broken promise stays in sight so long, unless a person took it up."""


class Tally(NamedTuple):
    """How many lines a section has, and their cents in the currency of the first."""

    lines: int
    cents: int


def on_their_way(access: Access) -> QuerySet[Message]:
    """Messages of manual actions that have not ended: their action waits for nobody."""
    return access.all(Message).filter(status__in=ON_ITS_WAY, action_id__isnull=False)


def waiting_actions(access: Access) -> QuerySet[Action]:
    """Open actions of the organisation whose message is not already leaving.

    One whose invoice was paid since the last pass waits for nobody any more (S4-32).
    """
    return (
        access.all(Action)
        .filter(status=Action.Status.OPEN, reference__balance_cents__gt=0)
        .exclude(pk__in=on_their_way(access).values("action_id"))
    )


def my_actions(access: Access, user: User, on: date | None = None) -> QuerySet[Action]:
    """What I can do now (S3-09): mine, open, with somebody to write to; oldest first.

    Those that cannot leave for want of an address or a template stand among the errors. A call
    that nobody answered comes back on its day: it is left out before, when `on` is given.
    """
    rows = waiting_actions(access)
    if on is not None:
        rows = rows.exclude(result="no_answer", due_on__gt=on)
    return rows.filter(owners=user, reason="").select_related("customer").order_by("due_on", "id")


def blocked_actions(access: Access) -> QuerySet[Action]:
    """Open actions that have no address or no template (S3-14, S4-25, D-12), oldest first."""
    return (
        waiting_actions(access)
        .exclude(reason="")
        .select_related("customer")
        .order_by("due_on", "id")
    )


def refused_for(access: Access, actions: Collection[Action]) -> dict[int, Message]:
    """The message that came to nothing before each of these actions was asked of a person."""
    found: dict[tuple[int, int | None, int | None], Message] = {}
    for message in (
        access.all(Message)
        .filter(
            customer_id__in={one.customer_id for one in actions},
            status__in=[Status.FAILED, Status.BOUNCED],
        )
        .order_by("id")
    ):
        found[message.debtor_id, message.reference_id, message.level] = message
    return {
        one.pk: found[key]
        for one in actions
        if (key := (one.customer_id, one.reference_id, one.level)) in found
    }


def summed(actions: QuerySet[Action]) -> Tally:
    """Count and cents of these actions."""
    found = actions.aggregate(lines=Count("pk"), cents=Coalesce(Sum("amount_cents"), 0))
    return Tally(found["lines"], found["cents"])


def troubled_messages(access: Access, today: date) -> QuerySet[Message]:
    """Messages that failed, came back or are uncertain, and that nothing has replaced since.

    A failure leaves the list when its step was written anew, when nothing of it is owed any
    more, or after `ERRORS_DAYS` calendar days; an uncertain one stays until a person settles it.
    """
    newer = Message.objects.filter(
        organisation=OuterRef("organisation"),
        customer=OuterRef("customer"),
        id__gt=OuterRef("pk"),
        reference_id=OuterRef("reference_id"),
        level=OuterRef("level"),
    )
    owed = MessageInvoice.objects.filter(message=OuterRef("pk"), invoice__balance_cents__gt=0)
    # the action that its failure made is the line of this trouble
    asked = Action.objects.filter(
        organisation=OuterRef("organisation"),
        customer=OuterRef("customer"),
        reference_id=OuterRef("reference_id"),
        level=OuterRef("level"),
        status=Action.Status.OPEN,
    ).exclude(reason="")
    failed = Q(status__in=[Status.FAILED, Status.BOUNCED], on__gte=today - timedelta(ERRORS_DAYS))
    failed &= ~Q(purpose=Message.Purpose.CAMPAIGN)  # told together, by `campaigns.to_repair`
    # each state by its index first: asked for together, SQLite reads every message
    candidates = [
        access.all(Message).filter(status=status).values("pk")
        for status in (Status.UNCERTAIN, Status.FAILED, Status.BOUNCED)
    ]
    return (
        access.all(Message)
        .filter(pk__in=candidates[0].union(*candidates[1:], all=True))
        .filter(
            Q(status=Status.UNCERTAIN) | (failed & ~Exists(newer) & Exists(owed) & ~Exists(asked))
        )
        .select_related("customer")
        .order_by("-id")
    )


class Trouble(NamedTuple):
    """What waits beside the to-do list: blocked actions (`mine` of them), messages, promises,
    and campaigns with clients who got nothing.
    """

    blocked: int
    mine: int
    messages: int
    promises: int
    campaigns: int

    @property
    def all(self) -> int:
        return self.blocked + self.messages + self.promises + self.campaigns


def trouble(access: Access, today: date) -> Trouble:
    """The counts of the navigation, in a few queries."""
    blocked = blocked_actions(access).aggregate(
        all=Count("pk", distinct=True),
        mine=Count("pk", filter=Q(owners=access.user), distinct=True),
    )
    return Trouble(
        blocked["all"],
        blocked["mine"],
        troubled_messages(access, today).count(),
        broken_promises(access, today).count(),
        len(campaigns.to_repair(access, today)),
    )


@dataclass(frozen=True)
class Departure:
    """What leaves by itself at `at` (UTC): all that could be worked out, and how many in all."""

    at: datetime
    on: date
    wanted: list[messages.Wanted]
    names: dict[int, str]
    customers: int

    @property
    def complete(self) -> bool:
        """True when every message was worked out; otherwise customers are counted instead."""
        return self.customers <= READ_AHEAD

    @property
    def count(self) -> int:
        """Messages when they are known, else customers."""
        return len(self.wanted) if self.complete else self.customers

    @property
    def cents(self) -> int:
        return sum(one.action.amount for one in self.wanted)

    def lines(self, limit: int | None = None) -> list[dict[str, Any]]:
        """Rows to show, the largest amount first."""
        return [
            {"action": one.action, "name": self.names[int(one.action.customer)]}
            for one in self.wanted[:limit]
        ]


def departure(access: Access, now: datetime, *, limit: int = READ_AHEAD) -> Departure:
    """The next departure, its largest messages first; nothing while sending is switched off."""
    organisation = access.organisation
    at = hours.next_departure(organisation, now)
    on = clock.local_date(organisation, at)
    if sending.stop(organisation, clock.local_date(organisation, now)):
        return Departure(at, on, [], {}, 0)
    customers = access.all(Outlook).filter(next_automatic=True, next_on__lte=on).count()
    wanted = dunning.next_departure(organisation, on, limit=limit) if customers else []
    names = dict(
        access.all(Customer)
        .filter(pk__in={one.action.customer for one in wanted})
        .values_list("pk", "name")
    )
    return Departure(at, on, wanted, names, customers)


def mentions(access: Access) -> QuerySet[Mention]:
    """The notes that name me and that I have not read, the latest first."""
    return (
        access.all(Mention)
        .filter(user=access.user, read_at__isnull=True)
        .select_related("customer", "invoice")
        .order_by("-id")
    )


def to_approve(access: Access) -> QuerySet[Message]:
    """Automatic messages that leave only once a person has agreed."""
    return access.all(Message).filter(status=Status.TO_APPROVE, automatic=True)


def leaving(access: Access) -> QuerySet[Message]:
    """Messages already written that have not left yet, the first to leave first.

    What was written ahead for a day to come stands in Avant l'envoi.
    """
    return (
        access.all(Message)
        .filter(status__in=[Status.QUEUED, Status.RETRYING, Status.SENDING])
        .select_related("customer")
        .order_by("not_before", "id")
    )


def broken_promises(access: Access, today: date) -> QuerySet[Hold]:
    """Promises whose day has passed with money still owed, until a person contacts the customer.

    Each has `received_cents`: what came for that invoice since the promise was made.
    """
    since = today - timedelta(PROMISE_DAYS)
    contacted = Entry.objects.filter(
        organisation=access.organisation,
        customer=OuterRef("customer"),
        on__gt=OuterRef("until"),
        is_contact=True,
        by_run=False,
        void=False,
    )
    received = (
        Payment.objects.filter(invoice=OuterRef("invoice"), on__gte=OuterRef("made_on"))
        .order_by()
        .values("invoice")
        .annotate(total=Sum("amount_cents"))
        .values("total")
    )
    return (
        access.all(Hold)
        .filter(
            kind=Hold.Kind.PROMISE,
            until__lt=today,
            until__gte=since,
            made_on__gte=since - timedelta(180),
            ended_on__isnull=True,
            invoice__balance_cents__gt=0,
        )
        .filter(~Exists(contacted))
        .annotate(received_cents=Coalesce(Subquery(received), 0), owed=F("invoice__balance_cents"))
        .select_related("customer", "invoice")
        .order_by("-until", "-id")
    )


def next_due(access: Access, today: date) -> date | None:
    """The next day on which something of the plans happens, or an invoice falls due."""
    planned = (
        access.all(Outlook)
        .filter(next_on__gt=today)
        .order_by("next_on")
        .values_list("next_on", flat=True)
        .first()
    )
    due = (
        access.all(Invoice)
        .filter(balance_cents__gt=0, due__gt=today)
        .order_by("due")
        .values_list("due", flat=True)
        .first()
    )
    return min((day for day in (planned, due) if day), default=None)


def callable_back(access: Access, user: User, now: datetime) -> QuerySet[Message]:
    """My messages that wait their ten seconds and can still be called back, newest first."""
    return (
        access.all(Message)
        .filter(status=Status.QUEUED, automatic=False, made_by=user, not_before__gt=now)
        .select_related("customer")
        .order_by("-id")[:5]
    )


def unplanned(access: Access) -> int:
    """Customers who owe something and follow no plan: nothing is ever proposed for them (S2-10)."""
    owing = access.all(Invoice).filter(customer=OuterRef("pk"), balance_cents__gt=0)
    return (
        access.all(Customer).filter(Exists(owing), assignment__isnull=True, excluded=False).count()
    )
