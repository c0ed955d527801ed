"""Automatic messages kept back because an invoice has no PDF yet (D-15), until it has one."""

from relance.accounts.models import Organisation
from relance.dunning.models import Step
from relance.outbox.models import Message, MessageInvoice, Status

CODE = "MISSING_PDF"


def let_go(organisation: Organisation) -> int:
    """Release the messages whose invoices all have their PDF now; how many.

    One that its level wants approved goes on waiting, for that reason alone (TO_CONFIRM).
    """
    held = Message.objects.filter(
        organisation=organisation, status=Status.TO_APPROVE, automatic=True, reason=CODE
    )
    if not held.exists():
        return 0
    bare = MessageInvoice.objects.filter(message__in=held, invoice__document="")
    complete = held.exclude(pk__in=bare.values("message_id"))
    approved_first = set(
        Step.objects.filter(organisation=organisation, to_confirm=True).values_list(
            "plan_id", "level"
        )
    )
    rows = list(complete.values_list("pk", "plan_id", "level"))
    waiting = [pk for pk, plan, level in rows if (plan, level) in approved_first]
    free = [pk for pk, plan, level in rows if (plan, level) not in approved_first]
    held.filter(pk__in=waiting).update(reason="TO_CONFIRM")
    return held.filter(pk__in=free).update(status=Status.QUEUED, reason="")
