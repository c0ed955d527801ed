"""What an import brings, seen from here: new customers get a plan, those touched a new look."""

from collections.abc import Sequence
from datetime import date, datetime

from relance.accounts import clock
from relance.accounts.models import Organisation
from relance.dunning.models import Assignment, Plan
from relance.dunning.run import refresh, refresh_all
from relance.dunning.services.addresses import readdress
from relance.ledger import imports
from relance.ledger.models import Contact, Credit, Customer, Import, Invoice, Payment
from relance.outbox.models import WAITING, Message

LOOK_AT_SOME = 5_000
"""Above this many customers touched, every customer of the organisation is looked at again."""


def run_import(import_id: int, now: datetime) -> Import:
    """Run an import as the ledger does, then give its customers their plan and their outlook."""
    imported = imports.run_import(import_id, now, on_customers=give_default_plan)
    touched(imported, on=clock.local_date(imported.organisation, now))
    return imported


def give_default_plan(organisation: Organisation, customers: Sequence[int]) -> None:
    """New customers follow the default plan, if there is one; those from a FEC wait for review.

    The journal keeps one line per import and none per customer: `given_by` says where from.
    """
    plan = Plan.objects.filter(organisation=organisation, is_default=True).first()
    if plan is None or not customers:
        return
    fresh = Customer.objects.filter(
        organisation=organisation, id__in=customers, to_review=False, assignment__isnull=True
    )
    Assignment.objects.bulk_create(
        [
            Assignment(organisation=organisation, customer_id=key, plan=plan, given_by="import")
            for key in fresh.values_list("id", flat=True)
        ],
        batch_size=2000,
    )


def touched(imported: Import, *, on: date) -> None:
    """Look again at the customers that an import, or its undoing, has changed.

    What waits to leave goes to the addresses that the file brought.
    """
    organisation = imported.organisation
    rows = imported.changes.values("row_id")
    ids: set[int] = set()
    for table, found in (
        ("customer", Customer.objects.values_list("id", flat=True)),
        ("contact", Contact.objects.values_list("customer_id", flat=True)),
        ("invoice", Invoice.objects.values_list("customer_id", flat=True)),
        ("credit", Credit.objects.values_list("customer_id", flat=True)),
        ("payment", Payment.objects.values_list("invoice__customer_id", flat=True)),
    ):
        mine = found.filter(organisation=organisation, id__in=rows.filter(table=table))
        ids.update(mine.distinct()[: LOOK_AT_SOME + 1])
    waiting = Message.objects.filter(
        organisation=organisation, status__in=WAITING, automatic=True
    ).values_list("customer_id", flat=True)
    readdress(organisation, sorted(ids.intersection(waiting)))
    if len(ids) > LOOK_AT_SOME or imported.status == "undone":
        refresh_all(organisation, on=on)
    else:
        refresh(organisation, sorted(ids), on=on)
