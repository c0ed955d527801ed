"""The facts the engine is given and the answers it gives back: plain tuples, nothing else.

Money is integer cents of the invoice's own currency. Dates are local dates of the organisation.
``until`` dates are inclusive: on that day nothing leaves, the next day the chase resumes.
Identifiers are whatever the caller uses (database ids or texts of a replay); the engine only compares them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from types import MappingProxyType
from typing import Literal, NamedTuple, TypeAlias

Id: TypeAlias = int | str
Anchor: TypeAlias = Literal["due", "issue", "due_month_end", "previous"]
Channel: TypeAlias = Literal["email", "letter", "registered_letter", "sms", "call", "task"]
Kind: TypeAlias = Literal["sent", "marked", "skipped", "level_set", "ad_hoc", "campaign"]
Scope: TypeAlias = Literal["customer", "invoice"]
Progression: TypeAlias = Literal["sequence", "age"]
Grouping: TypeAlias = Literal["none", "customer"]

AUTOMATIC_CHANNELS: frozenset[str] = frozenset({"email", "letter", "sms"})
"""The only channels that may leave without a person (engine rules, section 2)."""
ADDRESSED_CHANNELS: frozenset[str] = frozenset({"email", "letter", "registered_letter", "sms"})
"""The channels that need a recipient and a template."""

CUSTOMER_CODES = (
    "EXCLUDED",
    "NO_PLAN",
    "EMPTY_PLAN",
    "PLAN_PAUSED",
    "NO_OPEN_INVOICE",
    "NOTHING_CHASEABLE",
    "CUSTOMER_ON_HOLD",
    "BALANCE_NOT_POSITIVE",
    "BELOW_MINIMUM",
)
CARRIER_CODES = (
    "NOT_YET_TRIGGERED",
    "MIN_CONTACT_DELAY",
    "NOT_A_WORKING_DAY",
    "PENDING_MANUAL",
    "NO_RECIPIENT",
    "NO_TEMPLATE",
    "END_OF_PLAN",
)
INVOICE_CODES = (
    "NOT_ISSUED",
    "SETTLED",
    "PLAN_OFF",
    "DISPUTED",
    "PROMISED",
    "INVOICE_ON_HOLD",
    "BY_HAND_MODE",
    "BEFORE_JUDGMENT",
)
ACTION_CODES = ("REPLACED",)
"""Why an open action is withdrawn when nothing forbids it: another step or reference took its place."""
SENDING_CODES = ("SENDING_OFF", "DATA_TOO_OLD", "OUTSIDE_HOURS", "QUIET_HOURS", "NO_PROVIDER")
REASON_CODES = CUSTOMER_CODES + CARRIER_CODES + INVOICE_CODES + ACTION_CODES + SENDING_CODES

NO_CREDITS: Mapping[str, int] = MappingProxyType({})
NO_CHANNELS: frozenset[str] = frozenset()
Fact: TypeAlias = date | int | str
NO_FACTS: Mapping[str, Fact] = MappingProxyType({})


class Step(NamedTuple):
    """One level of a plan. ``days`` is negative only for a *before* step (anchor ``due``).

    ``has_template``: a text exists for this channel; False makes an automatic step impossible (3.12).
    """

    level: int
    name: str
    anchor: Anchor
    days: int
    channel: Channel
    automatic: bool
    repeat_every: int | None = None
    has_template: bool = True


class Plan(NamedTuple):
    """Steps in order of level 1..n. ``minimum`` in cents, ``min_contact_days`` in calendar days (S3-23, D-18)."""

    id: Id
    scope: Scope
    progression: Progression
    steps: tuple[Step, ...]
    grouping: Grouping = "none"
    min_contact_days: int = 5
    minimum: int = 0
    paused: bool = False
    name: str = ""


class Invoice(NamedTuple):
    """One instalment owed: ``balance`` (cents) is what is left on the date decided, ``number`` breaks ties as text."""

    id: Id
    number: str
    issued: date
    due: date
    total: int
    balance: int
    currency: str = "EUR"
    mode: str = "transfer"
    plan_on: bool = True
    disputed: bool = False
    promise_until: date | None = None
    hold_until: date | None = None


class Entry(NamedTuple):
    """One thing done, in the order in which things were done.

    ``plan`` and ``reference`` name the carrier (None for ad hoc and campaign); ``level`` is 0 when none was counted.
    ``contact``: it reached the customer (a task and a skip did not). ``by_run``: done by the run of its date, so that
    it delays nothing else in the runs of that same date. Failed and bounced messages are not entries at all.
    """

    on: date
    plan: Id | None
    reference: Id | None
    level: int
    kind: Kind
    contact: bool
    by_run: bool = False
    currency: str = "EUR"


class Case(NamedTuple):
    """All that is known of one customer on the date decided.

    ``history`` in the order in which it happened; entries dated after the date decided are ignored.
    ``credits``: unapplied credits in cents per currency. ``unreachable``: channels without a usable recipient.
    ``invoices`` may leave out the settled ones.
    """

    customer: Id
    plan: Plan | None
    invoices: Sequence[Invoice]
    history: Sequence[Entry] = ()
    credits: Mapping[str, int] = NO_CREDITS
    excluded: bool = False
    hold_until: date | None = None
    judgment_on: date | None = None
    unreachable: Collection[str] = NO_CHANNELS


class Rules(NamedTuple):
    """What the organisation set: public-holiday zone, tolerance in cents, payment modes chased by hand only."""

    zone: str = "metropole"
    tolerance: int = 0
    by_hand_modes: Collection[str] = frozenset({"direct_debit"})


class Reason(NamedTuple):
    """Why not: a code of ``REASON_CODES``, the facts that make it true, the last day it holds or the day it ends.

    ``until``: for a promise or a hold its inclusive date; for a dated step the day on which it is possible.
    """

    code: str
    facts: Mapping[str, Fact] = NO_FACTS
    until: date | None = None
    invoice: Id | None = None


class Action(NamedTuple):
    """One thing wanted on the date decided.

    ``automatic``: it leaves by itself today. Otherwise a person must do it, wanted ``since`` that date; ``reason``
    (NO_RECIPIENT, NO_TEMPLATE) then says why an automatic or addressed step became impossible.
    ``carriers``: the references that reach ``level`` when it is done (the reference alone in customer scope, every
    invoice in invoice scope). ``amount``: sum of the balances of ``invoices``, in cents.
    """

    customer: Id
    currency: str
    plan: Id
    level: int
    name: str
    channel: Channel
    automatic: bool
    reference: Id
    invoices: tuple[Id, ...]
    carriers: tuple[Id, ...]
    amount: int
    since: date
    reason: Reason | None = None

    @property
    def key(self) -> tuple[Id, str, Id, int]:
        """What makes two actions the same one from one day to the next (3.10)."""
        return (self.plan, self.currency, self.reference, self.level)


class Carrier(NamedTuple):
    """Where one carrier stands: level reached, the step that is next and when it can be done.

    ``earliest`` = the later of ``trigger`` and (last contact + minimum delay); ``wanted``: ``earliest``, moved to a
    working day for an automatic step; ``leaves``: the day on which it will be done as things stand; ``acts``: that
    day is the date decided; ``acted``: the carrier has already acted on it. ``contact``: the contact that counts.
    ``code``: why nothing leaves by itself today ("" for an automatic step that leaves today).
    Without a next step (END_OF_PLAN) ``step`` and the dates are None.
    """

    currency: str
    reference: Invoice
    reached: int
    step: Step | None
    trigger: date | None
    earliest: date | None
    wanted: date | None
    leaves: date | None
    acts: bool
    acted: bool
    contact: date | None
    code: str


class Decision(NamedTuple):
    """The whole answer for one customer on one date.

    ``reasons``: what stops the customer or one of his currencies. ``invoice_reasons``: why each invoice that is not
    chaseable is not. ``carriers``: one per carrier that passed the gates; their reasons come from
    ``wording.carrier_reason``.
    """

    on: date
    actions: tuple[Action, ...]
    carriers: tuple[Carrier, ...]
    reasons: tuple[Reason, ...]
    invoice_reasons: tuple[Reason, ...]

    @property
    def automatic(self) -> tuple[Action, ...]:
        """What leaves by itself today."""
        return tuple(action for action in self.actions if action.automatic)

    @property
    def manual(self) -> tuple[Action, ...]:
        """What waits for a person today: exactly the to-do list of this customer (3.10)."""
        return tuple(action for action in self.actions if not action.automatic)
