"""What came of a call or of a task: written down, and followed by what people expect of it."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from django.db import transaction
from django.utils.translation import gettext as _

from relance.accounts.models import User
from relance.dunning.daily.refreshing import refresh
from relance.dunning.models import Action, Channel
from relance.dunning.services.actions import (
    about,
    complete_action,
    locked,
    require_owner,
    skip_action,
    wanted_action,
)
from relance.dunning.services.common import Refused, tell
from relance.engine.calendar import next_working_day
from relance.ledger import services as ledger
from relance.ledger.models import Invoice
from relance.ledger.services import LedgerError


class Result(StrEnum):
    """What came of it; stored as `Action.result`."""

    REACHED = "reached"
    NO_ANSWER = "no_answer"
    LEFT_MESSAGE = "left_message"
    PROMISED = "promised"
    DISPUTED = "disputed"
    WRONG_NUMBER = "wrong_number"
    DONE = "done"
    NOT_DONE = "not_done"


OF_CALLS = (
    Result.REACHED,
    Result.PROMISED,
    Result.DISPUTED,
    Result.LEFT_MESSAGE,
    Result.NO_ANSWER,
    Result.WRONG_NUMBER,
)
OF_TASKS = (Result.DONE, Result.NOT_DONE)
STAYS_OPEN = (Result.NO_ANSWER, Result.WRONG_NUMBER)
"""Nobody was reached: it is no contact, no level rises, and the call is still to be made."""


class Agreed(NamedTuple):
    """A promise (until this local date, cents of it when they were said) or a dispute (about what).

    `invoice_ids` are those it is about; none means all of the call.
    """

    until: date | None = None
    amount_cents: int | None = None
    category: str = ""
    invoice_ids: Sequence[int] = ()


def results_of(action: Action) -> Sequence[Result]:
    """What can come of this action; nothing for what is no call and no task."""
    return {Channel.CALL: OF_CALLS, Channel.TASK: OF_TASKS}.get(Channel(action.channel), ())


@transaction.atomic
def record_result(
    action: Action,
    result: Result,
    *,
    actor: User,
    on: date,
    now: datetime,
    note: str = "",
    agreed: Agreed | None = None,
) -> None:
    """Write down what came of a call or a task, with what follows from it.

    Joined, a message left, a promise, a dispute: the level is reached and it is a contact; the
    promise or the dispute is opened on its invoices. No answer: it comes back the next working
    day. A wrong number is marked, and the call stays to be made. A task not done is passed, and
    its note says why. `Refused` with the reason, also when somebody did it meanwhile.
    """
    if result not in results_of(action):
        raise Refused(_("Ce résultat n’est pas celui d’une telle action."), "NO_RESULT")
    agreed = agreed or Agreed()
    if result is Result.PROMISED and (agreed.until is None or agreed.until < on):
        raise Refused(_("Dites pour quel jour\u00a0: aujourd’hui ou plus tard."), "NO_DATE")
    if result is Result.NOT_DONE and not note.strip():
        raise Refused(_("Dites en note pourquoi ce n’est pas fait."), "NO_NOTE")
    if result in STAYS_OPEN:
        _try_again(action, result, actor=actor, on=on, now=now, note=note)
        return
    if result is Result.NOT_DONE:
        skip_action(action, actor=actor, on=on, now=now, note=note, result=result)
        return
    told = _told(action, agreed, on) if result in (Result.PROMISED, Result.DISPUTED) else []
    complete_action(action, actor=actor, on=on, now=now, note=note, result=result)
    try:
        for invoice in told:
            if result is Result.PROMISED and agreed.until is not None:
                cents = agreed.amount_cents if len(told) == 1 else None
                ledger.promise(
                    invoice=invoice,
                    until=agreed.until,
                    on=on,
                    now=now,
                    actor=actor,
                    amount_cents=cents,
                    note=note,
                )
            elif result is Result.DISPUTED:
                ledger.open_dispute(
                    invoice=invoice,
                    on=on,
                    now=now,
                    actor=actor,
                    category=agreed.category,
                    note=note,
                )
    except LedgerError as no:
        raise Refused(str(no), "LEDGER") from no
    if told:
        refresh(action.organisation, [action.customer_id], on=on, now=now)


def _told(action: Action, agreed: Agreed, on: date) -> list[Invoice]:
    """The invoices of the call that were spoken of. Refused when it is not wanted any more."""
    wanted = {int(key) for key in wanted_action(action, on=on).action.invoices}
    chosen = wanted & set(agreed.invoice_ids) if agreed.invoice_ids else wanted
    invoices = Invoice.objects.filter(organisation=action.organisation, pk__in=chosen)
    return list(invoices.order_by("due", "number"))


def _try_again(
    action: Action, result: Result, *, actor: User, on: date, now: datetime, note: str
) -> None:
    action = locked(action)
    require_owner(action, actor)
    action.result, action.note = result, note
    if result is Result.NO_ANSWER:
        zone = action.organisation.zone
        action.due_on = max(action.due_on, next_working_day(zone, on + timedelta(days=1)))
    action.save(update_fields=["result", "note", "due_on"])
    tell(
        "call_tried",
        action.organisation,
        action.customer_id,
        [action.reference_id],
        actor=actor,
        on=on,
        now=now,
        data=about(action) | {"result": result, "note": note, "again": action.due_on.isoformat()},
    )
    if result is Result.WRONG_NUMBER:
        ledger.refuse_phone(customer=action.customer, on=on, now=now, reason=note, actor=actor)
    refresh(action.organisation, [action.customer_id], on=on, now=now)
