"""Is a message still wanted: the engine asked again with the facts of the day (3.11)."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from enum import Enum

from relance.accounts.models import Organisation, User
from relance.dunning.by_hand import chosen
from relance.dunning.facts.gather import HELD, Window, cases, plans_of, rules_of
from relance.dunning.wording import messages
from relance.engine import model as engine
from relance.engine.review import recheck as engine_recheck
from relance.history import services as history
from relance.history.services import Fact
from relance.outbox import services as outbox
from relance.outbox.delivery import Cancel, Rewrite, Verdict
from relance.outbox.models import Message, MessageInvoice


class Origin(Enum):
    """Messages of one origin do not delay each other on one day; those of the others do (3.8)."""

    RUN = "run"
    ACTION = "action"
    HAND = "hand"
    FREE = "free"


def origin_of(message: Message) -> Origin:
    """Decided by the run, from the to-do list, chosen by hand, or typed between two steps."""
    if message.purpose != Message.Purpose.STEP:
        return Origin.FREE
    if message.action_id is not None:
        return Origin.ACTION
    return Origin.RUN if message.automatic else Origin.HAND


def recheck_some(
    organisation: Organisation, on: date, batch: list[Message], origin: Origin
) -> dict[int, Verdict]:
    lines: dict[int, list[MessageInvoice]] = defaultdict(list)
    for line in MessageInvoice.objects.filter(message__in=batch).order_by("id"):
        lines[line.message_id].append(line)
    plans, rules = plans_of(organisation), rules_of(organisation)
    window = Window(ids=tuple({m.debtor_id for m in batch}))
    today = {
        case.customer: case
        for case in cases(
            organisation,
            on,
            window,
            plans,
            without_messages=[m.pk for m in batch],
            without_actions_of=on if origin is Origin.ACTION else None,
        )
    }
    verdicts: dict[int, Verdict] = {}
    for message in batch:
        case = today[message.debtor_id]
        if message.automatic and not organisation.sending_on:
            verdicts[message.pk] = Cancel("SENDING_OFF")
            continue
        if message.purpose == Message.Purpose.CAMPAIGN and (stop := never_addressed(case, on)):
            verdicts[message.pk] = Cancel(stop)
            continue
        if origin is Origin.FREE:
            verdict = _recheck_free(case, message, lines[message.pk], on)
        elif origin is Origin.HAND:
            verdict = chosen.recheck(organisation, on, message, case, lines[message.pk], rules)
        else:
            verdict = _recheck_step(organisation, on, message, case, lines[message.pk], rules)
        if verdict:
            verdicts[message.pk] = verdict
    return verdicts


def never_addressed(case: engine.Case, on: date) -> str:
    """Why no campaign may reach this customer: EXCLUDED, JUDGMENT, CUSTOMER_ON_HOLD, or nothing."""
    if case.excluded:
        return "EXCLUDED"
    if case.judgment_on is not None and case.judgment_on <= on:
        return "JUDGMENT"
    if case.hold_until is not None and case.hold_until >= on:
        return "CUSTOMER_ON_HOLD"
    return ""


def agreed_to_wait(invoice: engine.Invoice, on: date) -> str:
    """Why no campaign may tell of this invoice: DISPUTED, PROMISED, INVOICE_ON_HOLD, or nothing."""
    if invoice.disputed:
        return "DISPUTED"
    if invoice.promise_until is not None and invoice.promise_until >= on:
        return "PROMISED"
    if invoice.hold_until is not None and invoice.hold_until >= on:
        return "INVOICE_ON_HOLD"
    return ""


def _recheck_free(
    case: engine.Case, message: Message, lines: Sequence[MessageInvoice], on: date
) -> Verdict | None:
    """A message written by a person replaces no step: it dies when what it asks is not owed.

    Its words are the person's own: nothing can be taken out of them. A campaign also dies when
    one of its invoices was agreed to wait; what a person wrote to one customer is his own choice.
    """
    owed = {invoice.id: invoice.balance for invoice in case.invoices if invoice.balance > 0}
    if lines and not any(line.invoice_id in owed for line in lines):
        return Cancel("SETTLED")
    if any(owed.get(line.invoice_id) != line.amount_cents for line in lines):
        return Cancel("CHANGED")
    if message.purpose == Message.Purpose.CAMPAIGN:
        told = {line.invoice_id for line in lines}
        for invoice in case.invoices:
            if invoice.id in told and (stop := agreed_to_wait(invoice, on)):
                return Cancel(stop)
    return None


def _recheck_step(
    organisation: Organisation,
    on: date,
    message: Message,
    case: engine.Case,
    lines: Sequence[MessageInvoice],
    rules: engine.Rules,
) -> Verdict | None:
    asked = as_action(message, lines)
    if case.plan:  # sent by another method than the step's own (D-09), it is still that step
        own = (step.channel for step in case.plan.steps if step.level == asked.level)
        asked = asked._replace(channel=next(own, asked.channel))
    answer = engine_recheck(case, on, asked, rules)
    if isinstance(answer, engine.Reason) and not message.automatic:
        # an address found meanwhile makes the step automatic again: it is still the same step
        answer = engine_recheck(case, on, asked._replace(automatic=True), rules)
    if isinstance(answer, engine.Reason):
        return Cancel(answer.code)
    if answer.amount == message.amount_cents and len(answer.invoices) == len(lines):
        return None
    if not message.automatic or message.made_by_id:  # a person's words are not written over
        return Cancel("CHANGED")
    [draft] = messages.drafts(
        organisation,
        [messages.Wanted(answer, case)],
        on,
        not_before=message.not_before,
        channel=message.channel,
    )
    return Rewrite.of(draft)


def as_action(message: Message, lines: Sequence[MessageInvoice]) -> engine.Action:
    """The stored message as the step that it says."""
    return engine.Action(
        customer=message.debtor_id,
        currency=message.currency,
        plan=message.plan_id or 0,
        level=message.level or 0,
        name=message.level_name,
        channel=message.channel,  # type: ignore[arg-type]
        automatic=message.automatic,
        reference=message.reference_id or 0,
        invoices=tuple(line.invoice_id for line in lines),
        carriers=tuple(line.invoice_id for line in lines if line.carrier),
        amount=message.amount_cents,
        since=message.on,
    )


def stopped_facts(
    stopped: Sequence[Message], on: date, now: datetime, actor: User | None = None
) -> list[Fact]:
    """What the journal keeps of messages that did not leave, by `actor` or by those who wrote."""
    return [
        Fact(
            f"message_{message.status}",
            now,
            on,
            message.customer_id,
            message.reference_id,
            message.pk,
            data={
                "level": message.level,
                "name": message.level_name,
                "purpose": message.purpose,
                "channel": message.channel,
                "reason": message.reason,
                "error": message.error[:300],
            },
            actor=actor or message.made_by,
        )
        for message in stopped
    ]


def sweep(organisation: Organisation, on: date, now: datetime, window: Window) -> None:
    """Cancel what waits for a person and is not wanted any more: paid, held, another level.

    Its step is then decided anew by the pass that calls this.
    """
    waiting = list(
        Message.objects.filter(
            window.q(),
            organisation=organisation,
            status__in=HELD,
            automatic=True,
            purpose=Message.Purpose.STEP,
            on__lte=on,
        )
    )
    if not waiting:
        return
    stopped = []
    for key, verdict in recheck_some(organisation, on, waiting, Origin.RUN).items():
        if isinstance(verdict, Cancel) and verdict.reason != "SENDING_OFF":
            message = next(one for one in waiting if one.pk == key)
            try:
                outbox.cancel(message=message, reason=verdict.reason, now=now)
            except outbox.StateConflictError:
                continue  # somebody was faster
            stopped.append(message)
    history.append(organisation, stopped_facts(stopped, on, now))
