"""The to-do list, derived from decisions: opened, kept or withdrawn, each change told (3.10)."""

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from typing import NamedTuple

from django.db import IntegrityError, transaction

from relance.accounts.bulk import create_many
from relance.accounts.models import DunningRole, FirmMembership, Membership, Organisation
from relance.dunning.facts.gather import Window
from relance.dunning.models import Action, Step
from relance.engine import model as engine
from relance.engine.review import reconcile
from relance.history import services as history
from relance.history.services import Fact
from relance.ledger.models import Customer
from relance.outbox.models import Message, Status

ON_ITS_WAY = [
    Status.DRAFT,
    Status.TO_APPROVE,
    Status.QUEUED,
    Status.RETRYING,
    Status.SENDING,
    Status.UNCERTAIN,
]
"""States of a message whose action waits for nobody until it ends."""

REACHABLE = "REACHABLE"
"""Why an action is withdrawn: its customer can be reached again, so the step leaves by itself."""


class Day(NamedTuple):
    """The local date decided and the moment of the change (UTC)."""

    on: date
    now: datetime


def update(
    organisation: Organisation,
    day: Day,
    window: Window,
    decisions: Mapping[int, engine.Decision],
    *,
    opens: bool = True,
    spared: Mapping[int, engine.Decision] | None = None,
) -> tuple[int, int]:
    """Make the open to-do of these customers what the engine asks for; (opened, withdrawn).

    `spared`: decisions that leave out what people did from the list that day, because the actions
    of one day are re-checked together before the first of them; what they want stays open. An
    action whose message has not ended is left alone.
    """
    open_now: dict[int, list[Action]] = {}
    waiting = Action.objects.filter(
        window.q(), organisation=organisation, status=Action.Status.OPEN
    )
    leaving = _leaving(organisation, window)
    for row in waiting:
        open_now.setdefault(row.customer_id, []).append(row)
    facts: list[Fact] = []
    fresh: list[Action] = []
    to_do = {key for key, one in decisions.items() if one.manual} if opens else set()
    for customer in sorted((open_now.keys() | to_do) & decisions.keys()):
        rows = {stored(row).key: row for row in open_now.get(customer, [])}
        changes = reconcile([stored(row) for row in rows.values()], decisions[customer])
        for known, wanted in changes.keep:
            _retake(rows[known.key], wanted)
        if opens:
            fresh += [_action_row(organisation, customer, wanted) for wanted in changes.open]
        kept = {one.key for one in spared[customer].manual} if spared and customer in spared else ()
        for known, reason in changes.withdraw:
            row = rows[known.key]
            if row.pk in leaving or known.key in kept:
                continue
            code = _code(decisions[customer], known, reason)
            fact = _withdraw(row, code, day)
            facts += [fact] if fact else []
    withdrawn = len(facts)
    fresh = _open(organisation, fresh)
    facts += [_opened(row, day) for row in fresh]
    history.append(organisation, facts)
    return len(fresh), withdrawn


def _leaving(organisation: Organisation, window: Window) -> set[int | None]:
    """Actions of these customers whose message has not ended."""
    rows = Message.objects.filter(
        window.q(), organisation=organisation, status__in=ON_ITS_WAY, action_id__isnull=False
    )
    return set(rows.values_list("action_id", flat=True))


def _code(decision: engine.Decision, known: engine.Action, reason: engine.Reason) -> str:
    if any(one.key == known.key for one in decision.automatic):
        return REACHABLE
    return reason.code


def _withdraw(row: Action, code: str, day: Day) -> Fact | None:
    """None when somebody did it meanwhile."""
    still_open = Action.objects.filter(pk=row.pk, status=Action.Status.OPEN)
    if not still_open.update(
        status=Action.Status.WITHDRAWN, closed_on=day.on, withdrawn_reason=code
    ):
        return None
    return Fact(
        "action_withdrawn",
        day.now,
        day.on,
        row.customer_id,
        row.reference_id,
        data={"code": code, "level": row.level, "name": row.level_name},
    )


def _opened(row: Action, day: Day) -> Fact:
    data = {
        "level": row.level,
        "name": row.level_name,
        "channel": row.channel,
        "reason": row.reason,
    }
    return Fact("action_opened", day.now, day.on, row.customer_id, row.reference_id, data=data)


def stored(row: Action) -> engine.Action:
    """An open action as the engine knows it: enough to recognise it from one day to the next."""
    return engine.Action(
        customer=row.customer_id,
        currency=row.currency,
        plan=row.plan_id,
        level=row.level,
        name=row.level_name,
        channel=row.channel,  # type: ignore[arg-type]
        automatic=False,
        reference=row.reference_id,
        invoices=(row.reference_id,),
        carriers=(row.reference_id,),
        amount=row.amount_cents,
        since=row.due_on,
    )


def _action_row(organisation: Organisation, customer: int, wanted: engine.Action) -> Action:
    return Action(
        organisation=organisation,
        customer_id=customer,
        plan_id=wanted.plan,
        reference_id=wanted.reference,
        currency=wanted.currency,
        level=wanted.level,
        level_name=wanted.name,
        channel=wanted.channel,
        automatic=wanted.reason is not None and wanted.reason.code == "NO_RECIPIENT",
        reason=wanted.reason.code if wanted.reason else "",
        due_on=wanted.since,
        amount_cents=wanted.amount,
        invoice_count=len(wanted.invoices),
    )


def _retake(row: Action, wanted: engine.Action) -> None:
    """An action already open keeps its date; its invoices are those of the day."""
    reason = wanted.reason.code if wanted.reason else ""
    if (row.amount_cents, row.invoice_count, row.reason) != (
        wanted.amount,
        len(wanted.invoices),
        reason,
    ):
        row.amount_cents, row.invoice_count = wanted.amount, len(wanted.invoices)
        row.reason = reason
        row.save(update_fields=["amount_cents", "invoice_count", "reason"])


def _open(organisation: Organisation, rows: list[Action]) -> list[Action]:
    """Create the actions with their owners; those that somebody opened meanwhile are left out."""
    if not rows:
        return []
    try:
        with transaction.atomic():
            create_many(Action, rows)
    except IntegrityError:
        rows = _one_by_one(rows)
    _give(organisation, rows)
    return rows


def _one_by_one(rows: Iterable[Action]) -> list[Action]:
    created = []
    for row in rows:
        row.pk = None
        try:
            with transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError:
            continue
        created.append(row)
    return created


def _give(organisation: Organisation, rows: Collection[Action]) -> None:
    """Each belongs to the owners named by its level, else to the customer's manager, else to all.

    Only those who may act count; in a dossier that only its cabinet opens, the firm's members.
    """
    managers = dict(
        Customer.objects.filter(
            organisation=organisation, id__in={row.customer_id for row in rows}
        ).values_list("id", "manager_id")
    )
    members = Membership.objects.filter(
        organisation=organisation, dunning_role__gte=DunningRole.ACCOUNT_MANAGER
    )
    firm = FirmMembership.objects.filter(firm__organisations=organisation)
    everyone = list(members.values_list("user_id", flat=True))
    able = {*everyone, *firm.values_list("user_id", flat=True)}
    everyone = everyone or sorted(able)
    named = _named(organisation, rows)

    def owners_of(row: Action) -> list[int]:
        chosen = [one for one in named.get((row.plan_id, row.level), ()) if one in able]
        manager = managers[row.customer_id]
        return chosen or ([manager] if manager in able else everyone)

    owners = Action.owners.through
    owners.objects.bulk_create(
        [owners(action_id=row.pk, user_id=user) for row in rows for user in owners_of(row)],
        batch_size=2000,
    )


def _named(
    organisation: Organisation, rows: Collection[Action]
) -> dict[tuple[int, int], list[int]]:
    """Who does a level by hand, by (plan, level)."""
    found: dict[tuple[int, int], list[int]] = {}
    chosen = Step.owners.through.objects.filter(
        step__organisation=organisation, step__plan__in={row.plan_id for row in rows}
    ).order_by("id")
    for plan, level, user in chosen.values_list("step__plan_id", "step__level", "user_id"):
        found.setdefault((plan, level), []).append(user)
    return found
