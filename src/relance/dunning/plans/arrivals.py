"""What an import brings, seen from here: new customers get a plan, those touched a new look."""

from datetime import date, datetime

from relance.accounts import clock
from relance.dunning.daily.refreshing import refresh, refresh_all
from relance.dunning.plans.rules import give_to_new
from relance.dunning.services.addresses import readdress
from relance.ledger import imports
from relance.ledger.models import (
    Contact,
    Credit,
    Customer,
    Import,
    ImportStatus,
    Invoice,
    Payment,
)
from relance.outbox.models import WAITING, Message

SETTLED_AT_ONCE = 2_000
LOOK_AT_SOME = 5_000
"""Above this many customers touched, every customer of the organisation is looked at again."""


def run_import(import_id: int, now: datetime) -> Import:
    """Run an import as the ledger does, then give its customers their plan and their outlook.

    They get a plan chunk by chunk, and again at the end: what they owe is known only then.
    """
    imported = imports.run_import(import_id, now, on_customers=give_to_new)
    if imported.status == ImportStatus.DONE:
        _settle(imported)
    touched(imported, on=clock.local_date(imported.organisation, now), now=now)
    return imported


def _settle(imported: Import) -> None:
    """The plan of those whom the file created, now that all of their invoices are there."""
    organisation = imported.organisation
    created = imported.changes.filter(table="customer", before__isnull=True)
    ids = list(created.order_by("row_id").values_list("row_id", flat=True))
    for start in range(0, len(ids), SETTLED_AT_ONCE):
        give_to_new(organisation, ids[start : start + SETTLED_AT_ONCE])


def touched(imported: Import, *, on: date, now: datetime) -> None:
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
        refresh_all(organisation, on=on, now=now)
    else:
        refresh(organisation, sorted(ids), on=on, now=now)
