"""When a customer received a mise en demeure: a consumer owes interest from there (A8)."""

from datetime import date, datetime

from django.db import transaction
from django.utils.translation import gettext as _

from relance.accounts.models import User
from relance.history.services import Fact, append
from relance.ledger.models import Customer, Invoice
from relance.ledger.services.errors import LedgerError


@transaction.atomic
def record_notice(
    *, customer: Customer, received_on: date | None, on: date, now: datetime, actor: User
) -> int:
    """A mise en demeure about all that is open and due was received that day; how many invoices.

    None takes back what was typed before. Raises LedgerError for a day to come, or when nothing
    was due on it.
    """
    if received_on is not None and received_on > on:
        raise LedgerError(_("Une mise en demeure ne peut pas avoir été reçue dans le futur."))
    rows = Invoice.objects.select_for_update().filter(customer=customer, balance_cents__gt=0)
    if received_on is None:
        rows = rows.exclude(noticed_on=None)
    else:
        rows = rows.filter(due__lte=received_on)
    ids = list(rows.order_by("pk").values_list("pk", flat=True))
    if received_on is not None and not ids:
        raise LedgerError(_("Aucune facture n’était due à cette date."))
    Invoice.objects.filter(pk__in=ids).update(noticed_on=received_on)
    data = {"received_on": received_on.isoformat() if received_on else "", "invoices": len(ids)}
    fact = Fact("notice_received", now, on, customer.pk, data=data, actor=actor)
    append(customer.organisation, [fact])
    return len(ids)
