"""A batch of relances (S1): each line is one message, asked for at the level its sender saw."""

from collections.abc import Sequence
from datetime import date, datetime

from relance.dunning.by_hand.gates import Answer, Ask
from relance.dunning.models import Batch, BatchLine
from relance.dunning.services import relances
from relance.dunning.services.managers import still_acting
from relance.dunning.wording import messages
from relance.engine.model import Reason
from relance.ledger.models import Invoice


def ask_of(line: BatchLine) -> Ask:
    """What a line asks: `before` may hold its own addresses (`to`) and its `carriers`."""
    own = line.before or {}
    carriers = own.get("carriers")
    return Ask(
        line.customer_id,
        tuple(line.invoices),
        line.level,
        tuple(carriers) if carriers else None,
        tuple(own.get("to", ())),
    )


def words_of(batch: Batch) -> messages.Words | None:
    """The words typed for the whole batch; None: those of each level's template."""
    return messages.Words(batch.subject, batch.body) if batch.body else None


def handle(batch: Batch, lines: Sequence[BatchLine], on: date, now: datetime) -> None:
    """Queue the messages of these lines; a refused one says why, and names who was first."""
    actor = still_acting(batch.organisation, batch.made_by)
    if actor is None:
        for line in lines:
            line.status, line.reason = BatchLine.Status.REFUSED, "NO_SENDER"
            line.detail = relances.sentence(Reason("NO_SENDER"))
        return
    outcomes = relances.send(
        batch.organisation,
        [ask_of(line) for line in lines],
        relances.Sending(
            channel=batch.channel,
            actor=actor,
            on=on,
            now=now,
            words=words_of(batch),
            sender_key=batch.options.get("sender", ""),
            copy_to_me=bool(batch.options.get("copy")),
            batch_id=batch.pk,
        ),
    )
    numbers = numbers_of([reason for one in outcomes for reason in one.refusals])
    for line, outcome in zip(lines, outcomes, strict=True):
        _note(line, outcome, numbers)


def numbers_of(refusals: Sequence[Reason]) -> dict[int, str]:
    """Numbers of the invoices that these reasons name, by id; one query."""
    named = {reason.invoice for reason in refusals if reason.invoice}
    return dict(Invoice.objects.filter(pk__in=named).values_list("pk", "number")) if named else {}


def note_answer(line: BatchLine, answer: Answer, numbers: dict[int, str]) -> None:
    """Write on a draft's line what would leave, or why not."""
    wanted = answer.wanted
    line.reason = "" if wanted else answer.refusals[0].code if answer.refusals else "SETTLED"
    line.detail = "\n".join(_sentences(answer.refusals, numbers, whole=wanted is None))
    line.level = wanted.level if wanted else None
    line.level_name = wanted.name if wanted else ""
    if wanted:
        line.amount_cents = wanted.amount
        line.before = {**(line.before or {}), "leaving": len(wanted.invoices)}


def _note(line: BatchLine, outcome: relances.Outcome, numbers: dict[int, str]) -> None:
    message = outcome.message
    line.status = BatchLine.Status.DONE if message else BatchLine.Status.REFUSED
    line.reason = outcome.refusals[0].code if outcome.refusals else ""
    line.detail = "\n".join(_sentences(outcome.refusals, numbers, whole=message is None))
    if message:
        line.message_id = message.pk
        line.level, line.level_name = message.level, message.level_name
        line.amount_cents, line.currency = message.amount_cents, message.currency


def _sentences(refusals: Sequence[Reason], numbers: dict[int, str], *, whole: bool) -> list[str]:
    """Each reason once; with the numbers of its invoices when the others leave without them."""
    said: dict[str, list[str]] = {}
    for reason in refusals:
        number = numbers.get(int(reason.invoice)) if reason.invoice else None
        said.setdefault(relances.sentence(reason), []).extend([number] if number else [])
    if whole and len(said) == 1:
        return list(said)
    return [f"{', '.join(who)} : {text}" if who else text for text, who in said.items()]
