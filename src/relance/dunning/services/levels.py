"""Levels said by hand: marked as already chased, set, and the plan a customer follows."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime

from django.db import transaction
from django.utils.translation import gettext as _

from relance.accounts.models import Organisation, User
from relance.dunning.daily.refreshing import refresh
from relance.dunning.facts.gather import rules_of
from relance.dunning.facts.levels_shown import follow_plan
from relance.dunning.models import Action, Assignment, InvoiceChase, Plan
from relance.dunning.services.common import Refused, case_of, chased, enter, tell
from relance.engine import deeds
from relance.engine import model as engine
from relance.engine.progress import progress
from relance.history import services as history
from relance.history.models import Event
from relance.history.services import Fact
from relance.ledger.models import Customer, Invoice
from relance.outbox import services as outbox
from relance.outbox.models import Message


@transaction.atomic
def mark_as_chased(
    customer: Customer,
    *,
    actor: User,
    on: date,
    now: datetime,
    invoice: Invoice | None = None,
    note: str = "",
) -> None:
    """A relance made elsewhere, by telephone for instance (S4-23): a contact, next level done.

    `note`: what came of it, kept in the journal.

    In invoice scope `invoice` says which; in customer scope every carrier is meant. A message
    that still waits has done nothing yet: the mark takes its level, and the re-check stops it.
    Refused when it was marked on `on` already: one call, told twice, is one level.
    """
    organisation = customer.organisation
    Customer.objects.select_for_update(no_key=True).get(pk=customer.pk)
    waiting = Message.objects.filter(customer=customer, status__in=outbox.NOT_GONE)
    case = case_of(
        organisation,
        customer.pk,
        on,
        without_messages=list(waiting.values_list("pk", flat=True)),
    )
    one = _scoped(case, invoice)
    entries = deeds.marked(case, on, rules_of(organisation), one)
    _refuse_second(customer, case, entries)
    enter(organisation, customer.pk, entries)
    before = _chases_of(entries)
    for entry in entries:
        if entry.reference is not None and case.plan:
            level = _raised(case, entry)
            name = case.plan.steps[level - 1].name if level else ""
            chased(organisation, [entry.reference], on, level, name)
    data: dict[str, object] = {"by": "hand", "note": note, "before": before}
    _after_deed("marked_as_chased", customer, entries, actor=actor, on=on, now=now, data=data)


def _refuse_second(customer: Customer, case: engine.Case, entries: Iterable[engine.Entry]) -> None:
    """A second click, or a second person, on the same day."""
    marked = {
        (done.on, done.plan, done.reference)
        for done in case.history
        if done.kind == "marked" and done.reference is not None
    }
    if not all((entry.on, entry.plan, entry.reference) in marked for entry in entries):
        return
    event = (
        Event.objects.filter(
            organisation_id=customer.organisation_id,
            customer_id=customer.pk,
            kind="marked_as_chased",
        )
        .order_by("-seq")
        .first()
    )
    who = event.actor_name if event else ""
    raise Refused(
        _("Déjà marqué comme relancé aujourd’hui par %(who)s.") % {"who": who}
        if who
        else _("Déjà marqué comme relancé aujourd’hui."),
        "ALREADY_TODAY",
    )


def _chases_of(entries: Iterable[engine.Entry]) -> dict[str, list[object]]:
    """What lists said of these references before, so that the mark can be undone."""
    keys = [int(entry.reference) for entry in entries if entry.reference is not None]
    return {
        str(chase.invoice_id): [
            chase.level,
            chase.level_name,
            chase.last_on.isoformat() if chase.last_on else None,
        ]
        for chase in InvoiceChase.objects.filter(invoice_id__in=keys)
    }


@transaction.atomic
def set_level(
    customer: Customer,
    *,
    level: int,
    actor: User,
    on: date,
    now: datetime,
    invoice: Invoice | None = None,
) -> None:
    """Choose the level by hand (S1-18): it counts as reached from now on, 0 starts again.

    Refused without a plan, or above its last level.
    """
    organisation = customer.organisation
    case = case_of(organisation, customer.pk, on)
    if case.plan is None:
        raise Refused(
            _("Ce client n’a pas de plan de relance\u00a0: assignez-en un d’abord."), "NO_PLAN"
        )
    if not 0 <= level <= len(case.plan.steps):
        raise Refused(_("Ce niveau n’existe pas dans le plan du client."), "NO_SUCH_LEVEL")
    entries = deeds.level_set(case, on, rules_of(organisation), level, _scoped(case, invoice))
    if not entries:
        raise Refused(_("Aucune facture de ce client ne peut porter ce niveau."), "NO_CARRIER")
    enter(organisation, customer.pk, entries)
    name = case.plan.steps[level - 1].name if level else ""
    for entry in entries:
        if entry.reference is not None:
            InvoiceChase.objects.update_or_create(
                organisation=organisation,
                invoice_id=entry.reference,
                defaults={"level": level, "level_name": name},
            )
    _after_deed(
        "level_set",
        customer,
        entries,
        actor=actor,
        on=on,
        now=now,
        data={"level": level, "name": name},
    )


def _raised(case: engine.Case, entry: engine.Entry) -> int:
    """The level that a mark gives its carrier; 0 at or under the one reached: a date only."""
    done = progress(
        one for one in case.history if (one.plan, one.reference) == (entry.plan, entry.reference)
    )
    return entry.level if entry.level > done.reached else 0


def _scoped(case: engine.Case, invoice: Invoice | None) -> engine.Id | None:
    """The invoice of a deed in invoice scope; in customer scope the deed is the customer's."""
    if case.plan is not None and case.plan.scope == "invoice":
        return invoice.pk if invoice else None
    return None


def _after_deed(
    kind: str,
    customer: Customer,
    entries: Iterable[engine.Entry],
    *,
    actor: User,
    on: date,
    now: datetime,
    data: dict[str, object],
) -> None:
    """Withdraw what the deed makes pointless, tell the journal, look again."""
    organisation = customer.organisation
    references = [int(entry.reference) for entry in entries if entry.reference is not None]
    Action.objects.filter(
        customer=customer, reference_id__in=references, status=Action.Status.OPEN
    ).update(status=Action.Status.WITHDRAWN, closed_on=on, closed_by=actor, withdrawn_reason=kind)
    tell(kind, organisation, customer.pk, references, actor=actor, on=on, now=now, data=data)
    refresh(organisation, [customer.pk], on=on, now=now)


@transaction.atomic
def assign_plan(
    organisation: Organisation,
    *,
    customers: Sequence[Customer],
    plan: Plan | None,
    actor: User | None,
    on: date,
    now: datetime,
    given_by: str = "hand",
) -> None:
    """Give these customers a plan, or none (S2-10). Progress of another plan is kept, unused."""
    ids = [customer.pk for customer in customers]
    before = Assignment.objects.filter(organisation=organisation, customer_id__in=ids)
    kept = set(before.filter(plan=plan).values_list("customer_id", flat=True)) if plan else set()
    before.delete()
    if plan is not None:
        follow_plan(organisation, [key for key in ids if key not in kept], plan)
        Assignment.objects.bulk_create(
            [
                Assignment(organisation=organisation, customer_id=key, plan=plan, given_by=given_by)
                for key in ids
            ],
            batch_size=2000,
        )
    data = {"plan_id": plan.pk if plan else None, "plan": plan.name if plan else ""}
    history.append(
        organisation,
        [Fact("plan_assigned", now, on, key, data=data, actor=actor) for key in ids],
    )
    refresh(organisation, ids, on=on, now=now)
