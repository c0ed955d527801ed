"""Messages that wait follow their customer to the addresses he has now."""

from collections.abc import Sequence
from contextlib import suppress

from relance.accounts.models import Organisation
from relance.dunning.daily.rechecking import as_action
from relance.dunning.wording import messages
from relance.engine import model as engine
from relance.outbox import services as outbox
from relance.outbox.models import Message


def readdress(organisation: Organisation, customers: Sequence[int]) -> int:
    """Give the automatic messages that have not begun to leave today's addresses; how many.

    A message is written minutes before it leaves, or days when its server makes it wait: an
    address corrected meanwhile is the one that counts. Without any address left a message stays
    as it is, and the re-check cancels it (NO_RECIPIENT, engine rules 3.12).
    """
    waiting = Message.objects.filter(
        organisation=organisation,
        customer_id__in=customers,
        status__in=outbox.NOT_GONE,
        automatic=True,
        channel="email",
    ).prefetch_related("lines")
    found = [(one, as_action(one, list(one.lines.all()))) for one in waiting]
    nothing = engine.Case(0, None, ())
    book = messages.open_book(
        organisation, [messages.Wanted(action, nothing) for _message, action in found]
    )
    changed = 0
    for message, action in found:
        ids = [int(key) for key in action.invoices]
        first = book.addressed_first(action)
        to = [one.email for one in messages.recipients(book, message.debtor_id, ids, first)]
        if not to or to == message.recipients:
            continue
        with suppress(outbox.OutboxError):  # it has begun to leave, or the address is none
            outbox.edit(
                message=message,
                subject=message.subject,
                text=message.text,
                html=message.html,
                recipients=to,
                copies=message.copies,
            )
            changed += 1
    return changed
