"""A step that a person chose by hand, from the moment before it leaves to what it ends.

The calendar of the plan does not stop it; what would be wrong today does (3.11).
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date

from relance.accounts.models import Organisation
from relance.dunning.by_hand import gates
from relance.dunning.models import Action
from relance.dunning.wording import messages
from relance.dunning.wording.methods import words_for
from relance.engine import model as engine
from relance.outbox.delivery import Cancel, Rewrite, Verdict
from relance.outbox.models import Message, MessageInvoice


def recheck(
    organisation: Organisation,
    on: date,
    message: Message,
    case: engine.Case,
    lines: Sequence[MessageInvoice],
    rules: engine.Rules,
) -> Verdict | None:
    """What to do just before it leaves; None lets it leave as it is.

    Of a batch, in the words of the template, it is written again without what was paid meanwhile;
    words typed by a person cannot be.
    """
    if case.plan is not None and case.plan.id != message.plan_id:
        return Cancel("REPLACED")  # the customer follows another plan now: its levels are others
    asked = {line.invoice_id: line.amount_cents for line in lines}
    carriers = [line.invoice_id for line in lines if line.carrier]
    left, code = gates.still_wanted(
        case, on, rules, level=message.level or 0, invoices=asked, carriers=carriers
    )
    if code:
        return Cancel(code)
    balances = {int(invoice.id): invoice.balance for invoice in case.invoices}
    if len(left) == len(asked) and all(balances[key] == asked[key] for key in left):
        return None
    words = words_for(organisation, [message.plan_id or 0], message.channel)
    if message.batch_id is None or (message.plan_id or 0, message.level or 0) not in words:
        return Cancel("CHANGED")
    action = _what_is_left(message, left, [key for key in carriers if key in left], balances)
    [draft] = messages.drafts(
        organisation,
        [messages.Wanted(action, case)],
        on,
        not_before=message.not_before,
        made_by=message.made_by,
        words=words,
        channel=message.channel,
    )
    return Rewrite.of(draft)


def _what_is_left(
    message: Message, left: Sequence[int], carriers: Sequence[int], balances: dict[int, int]
) -> engine.Action:
    reference = message.reference_id if message.reference_id in carriers else carriers[0]
    return engine.Action(
        customer=message.customer_id or 0,
        currency=message.currency,
        plan=message.plan_id or 0,
        level=message.level or 0,
        name=message.level_name,
        channel=message.channel,  # type: ignore[arg-type]
        automatic=False,
        reference=reference or 0,
        invoices=tuple(left),
        carriers=tuple(carriers),
        amount=sum(balances[key] for key in left),
        since=message.on,
    )


def close_actions(sent: Sequence[Message], *, on: date) -> None:
    """A level chosen by hand has left: what waited to be done at that level is done by it."""
    if not sent:
        return
    carriers: dict[int, set[int]] = defaultdict(set)
    for message_id, invoice in MessageInvoice.objects.filter(
        message__in=sent, carrier=True
    ).values_list("message_id", "invoice_id"):
        carriers[message_id].add(invoice)
    done_by = {
        (message.plan_id, message.level, message.currency, invoice): message.made_by_id
        for message in sent
        for invoice in carriers[message.pk]
    }
    for action in Action.objects.filter(
        customer_id__in={message.customer_id for message in sent}, status=Action.Status.OPEN
    ):
        key = (action.plan_id, action.level, action.currency, action.reference_id)
        if key in done_by:
            action.status, action.closed_on = Action.Status.DONE, on
            action.closed_by_id = done_by[key]
            action.save(update_fields=["status", "closed_on", "closed_by"])
