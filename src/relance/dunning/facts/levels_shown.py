"""The levels that lists show, brought back to the plan that a customer now follows.

`InvoiceChase` is a copy of what was last said about an invoice. Under another plan that level
does not count (engine rules, section 4): what was done under the new plan does, if anything.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date

from django.db.models import Max

from relance.accounts import clock
from relance.accounts.bulk import update_many, upsert_many
from relance.accounts.models import Organisation
from relance.dunning.models import Assignment, Entry, InvoiceChase, Plan
from relance.engine.progress import progress
from relance.outbox.models import MessageInvoice, Status

CHUNK = 1000


def save_chases(chases: list[InvoiceChase]) -> None:
    """Insert or replace the copies for lists; an ad-hoc message changes the date only."""
    levelled = {chase.invoice_id: chase for chase in chases if chase.level}
    dated = {chase.invoice_id: chase for chase in chases if chase.invoice_id not in levelled}
    for rows, fields in (
        (levelled, ["level", "level_name", "last_on"]),
        (dated, ["last_on"]),
    ):
        upsert_many(InvoiceChase, list(rows.values()), unique="invoice", update=fields)


def follow_plan(organisation: Organisation, customers: Sequence[int], plan: Plan) -> None:
    """Show the levels of these customers' open invoices as `plan` counts them."""
    names = dict(plan.steps.values_list("level", "name"))
    for start in range(0, len(customers), CHUNK):
        _follow(organisation, customers[start : start + CHUNK], plan, names)


def _follow(
    organisation: Organisation, customers: Sequence[int], plan: Plan, names: dict[int, str]
) -> None:
    chases = list(
        InvoiceChase.objects.filter(
            organisation=organisation,
            invoice__customer_id__in=customers,
            invoice__balance_cents__gt=0,
        )
    )
    if not chases:
        return
    done: dict[int, list[Entry]] = defaultdict(list)
    for entry in Entry.objects.filter(
        organisation=organisation, customer_id__in=customers, plan=plan, void=False
    ).order_by("on", "id"):
        if entry.reference_id is not None:
            done[entry.reference_id].append(entry)
    told = _told(chases, plan)
    for chase in chases:
        own = done.get(chase.invoice_id)
        reached = progress(own).reached if own else 0  # type: ignore[arg-type]
        chase.level = reached if own else told.get(chase.invoice_id, 0)
        chase.level_name = names.get(chase.level, "")
    update_many(InvoiceChase, ["level", "level_name"], chases)


def _told(chases: Sequence[InvoiceChase], plan: Plan) -> dict[int, int]:
    """The level of the last message of this plan in whose table each invoice stood."""
    lines = MessageInvoice.objects.filter(
        invoice_id__in=[chase.invoice_id for chase in chases],
        plan_id=plan.pk,
        live=True,
        message__status=Status.SENT,
    ).order_by("message__sent_at", "id")
    return {key: level or 0 for key, level in lines.values_list("invoice_id", "level")}


def recount(organisation: Organisation, customers: Sequence[int], invoices: Sequence[int]) -> None:
    """Show again what was last done about these invoices, after a message of theirs came back.

    Its date is that of the last message that reached somebody, or of the last mark by hand; the
    level is what the customer's plan counts.
    """
    last: dict[int, date] = {}
    reached = MessageInvoice.objects.filter(
        organisation=organisation, invoice_id__in=invoices, message__status=Status.SENT
    ).order_by()
    for key, at in reached.values_list("invoice_id").annotate(at=Max("message__sent_at")):
        if at is not None:
            last[key] = clock.local_date(organisation, at)
    marked = Entry.objects.filter(
        organisation=organisation,
        reference_id__in=invoices,
        kind__in=[Entry.Kind.SENT, Entry.Kind.MARKED],
        void=False,
    ).order_by()
    for key, on in marked.values_list("reference_id").annotate(on=Max("on")):
        last[key] = max(on, last.get(key, on))
    chases = list(InvoiceChase.objects.filter(organisation=organisation, invoice_id__in=invoices))
    for chase in chases:
        chase.last_on = last.get(chase.invoice_id)
        if chase.last_on is None:
            chase.level, chase.level_name = 0, ""
    update_many(InvoiceChase, ["level", "level_name", "last_on"], chases)
    by_plan: dict[int, list[int]] = defaultdict(list)
    followed = Assignment.objects.filter(organisation=organisation, customer_id__in=customers)
    for customer, plan_id in followed.values_list("customer_id", "plan_id"):
        by_plan[plan_id].append(customer)
    for plan in Plan.objects.filter(pk__in=by_plan):
        follow_plan(organisation, by_plan[plan.pk], plan)
