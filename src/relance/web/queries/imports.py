"""What the undoing of an import has to know of the rooms above the ledger."""

from collections.abc import Sequence

from relance.dunning.models import Entry
from relance.outbox.models import Message, MessageInvoice


def chased(table: str, ids: Sequence[int]) -> set[int]:
    """The invoices or customers that a message or an entry speaks of."""
    if table == "customer":
        told = Message.objects.filter(customer_id__in=ids).values_list("customer_id", flat=True)
        done = Entry.objects.filter(customer_id__in=ids).values_list("customer_id", flat=True)
        return set(told) | set(done)
    lines = MessageInvoice.objects.filter(invoice_id__in=ids).values_list("invoice_id", flat=True)
    entries = Entry.objects.filter(reference_id__in=ids).values_list("reference_id", flat=True)
    return set(lines) | {key for key in entries if key is not None}
