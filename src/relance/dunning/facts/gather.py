"""Read the facts of many customers as tuples, as they stood on a date, and build engine cases.

A few queries per chunk of customers, whatever their number; no model instance on this path.
The ledger stores what is true now; what came after the date asked (payments, disputes, holds)
is looked up and undone, so that yesterday's question gets yesterday's answer.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from datetime import date
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import CharField, Exists, F, IntegerField, Q, QuerySet, Sum
from django.db.models.functions import Cast

from relance.accounts.models import Organisation
from relance.dunning.models import Assignment, Entry, Plan, Step
from relance.engine import model as engine
from relance.ledger.models import Contact, Credit, Customer, Dispute, Hold, Invoice, Payment
from relance.outbox.models import MessageInvoice, PostalAccount, SmsAccount, Status
from relance.outbox.provider_care import leaves_alone

IN_FLIGHT = (
    Status.TO_APPROVE,
    Status.QUEUED,
    Status.SENDING,
    Status.RETRYING,
    Status.UNCERTAIN,
    Status.SENT,  # until its entries are written
)
HELD = (Status.DRAFT, Status.TO_APPROVE)
"""Waiting for a person: as long as it does, a step counts as done on the day decided.

So the plan neither writes it again nor goes on behind its back.
"""


class Days(dict[Any, Any]):
    """Each distinct date is parsed once; dates that are dates already come back unchanged."""

    def __missing__(self, value: Any) -> date | None:
        day = date.fromisoformat(value) if isinstance(value, str) else value
        self[value] = day
        return day


def day_of(field: str) -> Any:
    """A date column in the cheapest form that the database can give (see `Days`)."""
    if connection.vendor == "sqlite":
        return Cast(field, CharField())
    return F(field)


def read(rows: "QuerySet[Any, Any]") -> list[tuple[Any, ...]]:
    """The rows of a `values_list` as the driver gives them, in the order asked.

    Django makes the SQL; what it does to each row afterwards would take as long as the query.
    So booleans and dates go through `flag_of`, `day_of` and `Days`.
    """
    try:
        sql, parameters = rows.query.sql_with_params()
    except EmptyResultSet:
        return []
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


def flag_of(field: str) -> Any:
    """A boolean column as it lies in the database: 0 and 1 need no conversion on SQLite."""
    if connection.vendor == "sqlite":
        return Cast(field, IntegerField())
    return F(field)


class Window(NamedTuple):
    """Customers to look at: consecutive ids (the pass), or a few chosen ones (a page).

    Tables without an index over organisation and customer are asked by customer alone, for SQLite
    without statistics would walk all rows of the organisation; what belongs to the customers of
    another dossier in between is never looked up.
    """

    first: int = 0
    last: int = 0
    ids: tuple[int, ...] = ()

    def q(self, field: str = "customer_id") -> Q:
        """The condition on a foreign key to the customer."""
        if self.ids:
            return Q(**{f"{field}__in": self.ids})
        return Q(**{f"{field}__gte": self.first, f"{field}__lte": self.last})


def rules_of(organisation: Organisation) -> engine.Rules:
    """What the organisation set, as the engine takes it."""
    return engine.Rules(
        zone=organisation.zone,
        tolerance=organisation.tolerance_cents,
        by_hand_modes=frozenset(organisation.by_hand_modes),
    )


def to_engine(
    plan: Plan, steps: Sequence[Step], alone: Collection[str] | None = None
) -> engine.Plan:
    """A stored plan as engine tuples; a channel without provider is left to a person.

    `alone`: the channels that have one, when they are known already.
    """
    if alone is None:
        alone = leaves_alone(plan.organisation_id)
    return engine.Plan(
        id=plan.pk,
        scope=plan.scope,  # type: ignore[arg-type]
        progression=plan.progression,  # type: ignore[arg-type]
        steps=tuple(
            engine.Step(
                level=step.level,
                name=step.name,
                anchor=step.anchor,  # type: ignore[arg-type]
                days=step.days,
                channel=step.channel,  # type: ignore[arg-type]
                automatic=step.automatic and step.channel in alone,
                repeat_every=step.repeat_every,
                has_template=step.template_id is not None
                or step.channel not in engine.ADDRESSED_CHANNELS,
            )
            for step in sorted(steps, key=lambda step: step.level)
        ),
        grouping=plan.grouping,  # type: ignore[arg-type]
        min_contact_days=plan.min_contact_days,
        minimum=plan.minimum_cents,
        paused=plan.paused,
        name=plan.name,
    )


def plans_of(organisation: Organisation) -> dict[int, engine.Plan]:
    """Every plan of the organisation by id."""
    plans = list(
        Plan.objects.filter(organisation=organisation)
        .annotate(
            posted=Exists(PostalAccount.objects.filter(organisation=organisation, active=True)),
            texted=Exists(SmsAccount.objects.filter(organisation=organisation, active=True)),
        )
        .prefetch_related("steps")
    )
    found: dict[int, engine.Plan] = {}
    for plan in plans:
        alone = {"email"} | ({"letter"} if plan.posted else set())
        alone |= {"sms"} if plan.texted else set()
        found[plan.pk] = to_engine(plan, list(plan.steps.all()), alone)
    return found


def cases(
    organisation: Organisation,
    on: date,
    window: Window,
    plans: dict[int, engine.Plan],
    *,
    without_messages: Collection[int] = (),
    without_actions_of: date | None = None,
) -> Iterator[engine.Case]:
    """One case per customer of the window, in order of id.

    `without_messages`: messages whose own traces are left out (a re-check does not see itself).
    `without_actions_of`: what people did on that day from the to-do list is left out, because the
    actions of one day are re-checked together before the first of them (engine rules, 3.10).
    """
    days = Days()
    invoices = _invoices(organisation, on, window, days)
    history = _history(organisation, on, window, days, without_messages, without_actions_of)
    unapplied = _credits(organisation, on, window)
    holds = _customer_holds(organisation, on, window)
    reachable = _reachable_by_contact(window)
    customers = (
        Customer.objects.filter(window.q("id"), organisation=organisation)
        .order_by("id")
        .values_list(
            "id",
            flag_of("excluded"),
            flag_of("to_review"),
            day_of("hold_until"),
            day_of("judgment_on"),
            "email",
            day_of("email_invalid_since"),
            "phone",
            day_of("phone_invalid_since"),
            "postcode",
            day_of("address_invalid_since"),
        )
    )
    followed = dict(
        read(Assignment.objects.filter(window.q()).values_list("customer_id", "plan_id"))
    )
    empty: tuple[Any, ...] = ()
    for row in read(customers):
        key, excluded, review, hold, judgment, email, bad, phone, dead, postcode, left = row
        has_email = (email and bad is None) or key in reachable
        yield engine.Case(
            key,
            plans.get(followed.get(key, 0)),
            invoices.get(key, empty),
            history.get(key, empty),
            unapplied.get(key, engine.NO_CREDITS),
            bool(excluded or review),
            holds[key] if key in holds else days[hold],
            days[judgment],
            _UNREACHABLE[
                bool(has_email), bool(phone and dead is None), bool(postcode and left is None)
            ],
        )


_as = tuple.__new__
"""`_as(engine.Invoice, facts)`: a named tuple at a third of the price of calling its class."""

_BY_DUE = itemgetter(3, 0)
"""Due date, then id."""

_DEEDS: dict[str, engine.Kind] = {"step": "sent", "ad_hoc": "ad_hoc", "campaign": "campaign"}

_UNREACHABLE = {
    (email, phone, postcode): frozenset(
        (() if email else ("email",))
        + (() if phone else ("sms",))
        + (() if postcode else ("letter", "registered_letter"))
    )
    for email in (False, True)
    for phone in (False, True)
    for postcode in (False, True)
}


def _invoices(
    organisation: Organisation, on: date, window: Window, days: Days
) -> dict[int, list[engine.Invoice]]:
    paid_later = _paid_later(organisation, on, window)
    disputes = _disputes(organisation, on, window)
    holds = _invoice_holds(organisation, on, window)
    found: dict[int, list[engine.Invoice]] = defaultdict(list)
    chosen = Q(balance_cents__gt=0)
    if paid_later:
        chosen |= Q(id__in=paid_later)
    rows = Invoice.objects.filter(window.q(), chosen, organisation=organisation).values_list(
        "customer_id",
        "id",
        "number",
        day_of("issued"),
        day_of("due"),
        "total_cents",
        "balance_cents",
        "currency",
        "mode",
        flag_of("plan_on"),
        flag_of("disputed"),
        day_of("promise_until"),
        day_of("hold_until"),
    )
    changed = paid_later.keys() | disputes.keys() | holds.keys()
    facts_of = partial(_with_dates, days) if connection.vendor == "sqlite" else _AS_THEY_ARE
    for row in read(rows):
        invoice = _as(engine.Invoice, facts_of(row))
        if changed and invoice.id in changed:
            key = row[1]
            promise_until, hold_until = holds.get(key, invoice[10:12])
            invoice = invoice._replace(
                balance=invoice.balance + paid_later.get(key, 0),
                disputed=disputes.get(key, invoice.disputed),
                promise_until=promise_until,
                hold_until=hold_until,
            )
        found[row[0]].append(invoice)
    for mine in found.values():  # five at a time: cheaper than all together in the database
        mine.sort(key=_BY_DUE)
    return found


_AS_THEY_ARE = itemgetter(slice(1, None))


def _with_dates(days: Days, row: tuple[Any, ...]) -> tuple[Any, ...]:
    """The facts of an invoice, in the order of `engine.Invoice`, from a row of SQLite."""
    (
        _customer, key, number, issued, due, total, balance, currency, mode, plan_on, disputed,
        promise, hold,
    ) = row  # fmt: skip
    return (
        key, number, days[issued], days[due], total, balance, currency, mode, plan_on, disputed,
        days[promise], days[hold],
    )  # fmt: skip


def _paid_later(organisation: Organisation, on: date, window: Window) -> dict[int, int]:
    """Cents paid after `on`, by invoice."""
    rows = (
        Payment.objects.filter(
            window.q("invoice__customer_id"), organisation=organisation, on__gt=on
        )
        .values_list("invoice_id")
        .annotate(Sum("amount_cents"))
    )
    return dict(rows)


def _disputes(organisation: Organisation, on: date, window: Window) -> dict[int, bool]:
    """Whether an invoice was in dispute on `on`, for those where that is not what it is now."""
    later = Dispute.objects.filter(
        Q(opened_on__gt=on) | Q(resolved_on__gt=on),
        window.q("invoice__customer_id"),
        organisation=organisation,
    ).values_list("invoice_id", "opened_on")
    then: dict[int, bool] = {}
    for invoice, opened in later:
        then[invoice] = then.get(invoice, False) or opened <= on
    return then


def _changed_holds(on: date, window: Window) -> QuerySet[Hold]:
    return Hold.objects.filter(Q(made_on__gt=on) | Q(ended_on__gt=on), window.q())


def _invoice_holds(
    organisation: Organisation, on: date, window: Window
) -> dict[int, tuple[date | None, date | None]]:
    """(promise until, hold until) on `on`, for the invoices where a hold changed since."""
    changed = list(
        _changed_holds(on, window)
        .filter(invoice__isnull=False)
        .values_list("invoice_id", flat=True)
    )
    then: dict[int, tuple[date | None, date | None]] = {key: (None, None) for key in changed if key}
    in_force = _in_force(organisation, on).filter(invoice_id__in=then)
    for invoice, kind, until in in_force.values_list("invoice_id", "kind", "until"):
        promise, hold = then[invoice]
        then[invoice] = (until, hold) if kind == Hold.Kind.PROMISE else (promise, until)
    return then


def _customer_holds(organisation: Organisation, on: date, window: Window) -> dict[int, date | None]:
    changed = _changed_holds(on, window).filter(invoice__isnull=True)
    then: dict[int, date | None] = dict.fromkeys(changed.values_list("customer_id", flat=True))
    in_force = _in_force(organisation, on).filter(invoice__isnull=True, customer_id__in=then)
    then.update(in_force.values_list("customer_id", "until"))
    return then


def _in_force(organisation: Organisation, on: date) -> QuerySet[Hold]:
    return Hold.objects.filter(
        Q(ended_on__isnull=True) | Q(ended_on__gt=on), organisation=organisation, made_on__lte=on
    ).order_by("made_on", "id")


def _credits(organisation: Organisation, on: date, window: Window) -> dict[int, dict[str, int]]:
    """Unapplied credit on `on`, in cents, by customer and currency."""
    found: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    known = Credit.objects.filter(window.q(), on__lte=on)
    for customer, currency, cents in known.exclude(left_cents=0).values_list(
        "customer_id", "currency", "left_cents"
    ):
        found[customer][currency] += cents
    applied_later = Payment.objects.filter(
        window.q("credit__customer_id"),
        organisation=organisation,
        on__gt=on,
        credit__on__lte=on,
    )
    for customer, currency, cents in applied_later.values_list(
        "credit__customer_id", "credit__currency", "amount_cents"
    ):
        found[customer][currency] += cents
    return found


def _reachable_by_contact(window: Window) -> set[int]:
    """Customers without an address of their own but with a contact who has one."""
    return set(
        Contact.objects.filter(
            window.q(),
            Q(customer__email="") | Q(customer__email_invalid_since__isnull=False),
            invalid_since__isnull=True,
        )
        .exclude(email="")
        .values_list("customer_id", flat=True)
    )


def _history(
    organisation: Organisation,
    on: date,
    window: Window,
    days: Days,
    without_messages: Collection[int],
    without_actions_of: date | None,
) -> dict[int, list[engine.Entry]]:
    """What was done until `on`, in order, with what is about to leave counted as done."""
    found: dict[int, list[engine.Entry]] = defaultdict(list)
    rows = Entry.objects.filter(
        window.q(), organisation=organisation, on__lte=on, void=False
    ).order_by("customer_id", "on", "id")
    if without_actions_of:
        rows = rows.exclude(on=without_actions_of, action_id__isnull=False)
    done = rows.values_list(
        "customer_id",
        day_of("on"),
        "plan_id",
        "reference_id",
        "level",
        "kind",
        flag_of("is_contact"),
        flag_of("by_run"),
        "currency",
    )
    for customer, day, *rest in read(done):
        found[customer].append(_as(engine.Entry, (days[day], *rest)))
    in_flight = MessageInvoice.objects.filter(
        Q(carrier=True) | ~Q(message__purpose="step"),  # a free message is a contact, of no step
        window.q("message__customer_id"),
        Q(message__status__in=IN_FLIGHT) | Q(message__status=Status.DRAFT, message__automatic=True),
        message__organisation=organisation,  # not the line's: from the few messages to their lines
        message__recorded=False,
        message__on__lte=on,
    ).exclude(message_id__in=without_messages)
    if without_actions_of:
        in_flight = in_flight.exclude(
            message__on=without_actions_of, message__action_id__isnull=False
        )
    leaving = in_flight.values_list(
        "message__customer_id",
        day_of("message__on"),
        "plan_id",
        "invoice_id",
        "level",
        "message__purpose",
        flag_of("message__automatic"),
        "message__currency",
        "message__status",
    )
    for customer, day, plan, reference, level, purpose, auto, currency, status in read(leaving):
        deed, when = _DEEDS[purpose], on if status in HELD else days[day]
        found[customer].append(
            engine.Entry(when, plan, reference, level or 0, deed, True, auto, currency)
        )
    return found
