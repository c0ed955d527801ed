"""May anything leave by itself today: the switch, and how fresh what the ledger knows is.

By hand one may always send. Requests for receipts ask for the switch alone: no import makes a
missing receipt less missing, and many firms are given one statement a month.
"""

from datetime import date, datetime

from django.db.models import Max, OuterRef, Subquery

from relance.accounts import clock
from relance.accounts.models import Organisation
from relance.bank.models import BankImport
from relance.engine.gates import sending_refusal
from relance.engine.model import Reason
from relance.ledger.models import Import, ImportStatus

FEEDS = (Import.Kind.INVOICES, Import.Kind.FEC)
"""Imports that bring payments; a list of customers says nothing about who paid."""


def fed_at(organisation: Organisation) -> datetime | None:
    """When the ledger last heard of payments by a file, a statement of the bank included; UTC.

    None when it never did: then people type what they know.
    """
    ledger = (
        Import.objects.filter(organisation=OuterRef("pk"), kind__in=FEEDS, status=ImportStatus.DONE)
        .order_by()
        .values("organisation")
        .annotate(at=Max("finished_at"))
        .values("at")
    )
    bank = (
        BankImport.objects.filter(organisation=OuterRef("pk"), done=True)
        .order_by()
        .values("organisation")
        .annotate(at=Max("made_at"))
        .values("at")
    )
    moments = (
        Organisation.objects.filter(pk=organisation.pk)
        .values_list(Subquery(ledger), Subquery(bank))
        .first()
    )
    return max((at for at in moments or () if at is not None), default=None)


def stop(organisation: Organisation, on: date) -> Reason | None:
    """Why nothing leaves by itself on local date `on`: SENDING_OFF, DATA_TOO_OLD, or nothing."""
    asked = organisation.sending_on and organisation.fresh_days is not None
    return refusal(organisation, on, fed_at(organisation) if asked else None)


def refusal(organisation: Organisation, on: date, fed: datetime | None) -> Reason | None:
    """The same for those who know `fed_at` already."""
    return sending_refusal(
        sending_on=organisation.sending_on,
        fed_on=clock.local_date(organisation, fed) if fed else None,
        fresh_days=organisation.fresh_days,
        on=on,
    )
