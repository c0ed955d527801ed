"""What dunning tells the outbox: is a message still wanted, and what follows once it has left.

The outbox knows nothing of plans; it calls these two per batch (engine rules 3.11, D-07).
"""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta

from relance.accounts import clock
from relance.accounts.bulk import create_many
from relance.accounts.models import Organisation, User
from relance.dunning.by_hand import chosen
from relance.dunning.daily.bounces import bounced
from relance.dunning.daily.rechecking import Origin, origin_of, recheck_some, stopped_facts
from relance.dunning.daily.refreshing import refresh
from relance.dunning.facts import sending
from relance.dunning.facts.hours import may_leave, next_departure, quiet_until
from relance.dunning.facts.levels_shown import save_chases
from relance.dunning.models import Action, Entry, InvoiceChase
from relance.history import services as history
from relance.history.services import Fact
from relance.ledger import services as ledger
from relance.outbox.delivery import Cancel, Hooks, Postpone, Verdict
from relance.outbox.diversion import UNDONE
from relance.outbox.models import Attempt, Message, MessageInvoice, SmsAccount, Status

LOOK_AGAIN = timedelta(hours=1)
"""What waits for a fresh import is looked at again so often."""
_ENHANCED = re.compile(r"\b5\.(\d{1,3})\.\d{1,3}\b")


def hooks(now: Callable[[], datetime], *, by_day: bool = False) -> Hooks:
    """What the outbox asks and tells, bound to a clock: the real one, or a rehearsal's.

    `by_day`: what is automatic leaves in the organisation's hours only, also when it was delayed
    by a server out of reach (D-14); what a person sends leaves when he sends it.
    """
    return Hooks(
        recheck=lambda batch: recheck(batch, now(), by_day=by_day),
        record=record,
        ended=lambda batch: ended(batch, now()),
    )


def recheck(batch: Sequence[Message], now: datetime, *, by_day: bool = False) -> dict[int, Verdict]:
    """Verdicts by message id, asked of the engine with the facts of `now`; none means leave it."""
    verdicts: dict[int, Verdict] = {}
    by_organisation: dict[int, list[Message]] = defaultdict(list)
    for message in batch:
        by_organisation[message.organisation_id].append(message)
    for organisation in Organisation.objects.filter(pk__in=by_organisation):
        mine = by_organisation[organisation.pk]
        on = clock.local_date(organisation, now)
        if by_day and not may_leave(organisation, now):
            morning = next_departure(organisation, now)
            late = {m.pk for m in mine if m.automatic}
            verdicts |= {key: Postpone(morning, "OUTSIDE_HOURS") for key in late}
            mine = [m for m in mine if m.pk not in late]
        if texts := [m for m in mine if m.channel == "sms"]:
            found = _sms_verdicts(organisation, texts, now)
            verdicts |= found
            mine = [m for m in mine if m.pk not in found]
        if any(m.automatic for m in mine):
            stopped = sending.stop(organisation, on)
            if stopped and stopped.code == "DATA_TOO_OLD":
                old = {m.pk for m in mine if m.automatic}
                verdicts |= {key: Postpone(now + LOOK_AGAIN, stopped.code) for key in old}
                mine = [m for m in mine if m.pk not in old]
        for origin in Origin:
            some = [m for m in mine if origin_of(m) == origin]
            if some:
                verdicts |= recheck_some(organisation, on, some, origin)
    return verdicts


def _sms_verdicts(
    organisation: Organisation, texts: Sequence[Message], now: datetime
) -> dict[int, Verdict]:
    """No SMS at night nor on days off (B4), and none at all once its account is switched off."""
    if organisation.test_to:
        return {}
    if not SmsAccount.objects.filter(organisation=organisation, active=True).exists():
        return {message.pk: Cancel("NO_PROVIDER") for message in texts}
    until = quiet_until(organisation, now)
    return {message.pk: Postpone(until, "QUIET_HOURS") for message in texts} if until else {}


def record(sent: Sequence[Message]) -> None:
    """Write what follows from messages that have really left: entries, levels, history (D-07).

    Called inside the transaction that marks them sent.
    """
    lines: dict[int, list[MessageInvoice]] = defaultdict(list)
    for line in MessageInvoice.objects.filter(message__in=sent).order_by("id"):
        lines[line.message_id].append(line)
    by_day: dict[tuple[int, date], list[Message]] = defaultdict(list)
    organisations = Organisation.objects.in_bulk({m.organisation_id for m in sent})
    for message in sent:
        on = clock.local_date(organisations[message.organisation_id], sent_at(message))
        by_day[message.organisation_id, on].append(message)
    for (key, on), mine in sorted(by_day.items(), key=lambda item: item[0]):
        organisation = organisations[key]
        create_many(
            Entry, [entry for m in mine for entry in _entries(organisation, m, lines[m.pk], on)]
        )
        close_actions(mine, on=on)
        chases = [
            InvoiceChase(
                organisation=organisation,
                invoice_id=line.invoice_id,
                level=m.level or 0,
                level_name=m.level_name,
                last_on=on,
            )
            for m in mine
            for line in lines[m.pk]
        ]
        save_chases(chases)
        history.append(organisation, [f for m in mine for f in _facts(m, lines[m.pk], on)])
        # the pass already saw its own messages as done
        by_people = {m.debtor_id for m in mine if not m.automatic}
        if by_people:
            moment = max(sent_at(message) for message in mine)
            refresh(organisation, sorted(by_people), on=on, now=moment)


def _entries(
    organisation: Organisation, message: Message, lines: Sequence[MessageInvoice], on: date
) -> list[Entry]:
    base = {
        "organisation": organisation,
        "customer_id": message.customer_id,
        "on": on,
        "channel": message.channel,
        "currency": message.currency,
        "message_id": message.pk,
    }
    if message.purpose != Message.Purpose.STEP:
        return [Entry(kind=message.purpose, **base)]
    return [
        Entry(
            kind=Entry.Kind.SENT,
            plan_id=message.plan_id,
            reference_id=line.invoice_id,
            level=message.level or 0,
            by_run=message.automatic,
            action_id=message.action_id,
            **base,
        )
        for line in lines
        if line.carrier
    ]


def ended(stopped: Sequence[Message], now: datetime, *, actor: User | None = None) -> None:
    """Messages that did not leave, or nobody knows: the journal says so, and the customer is free.

    Called inside the transaction that makes them cancelled, failed or uncertain. `actor` stopped
    them; without one, the journal names the one who wrote them.
    """
    by_organisation: dict[int, list[Message]] = defaultdict(list)
    for message in stopped:
        by_organisation[message.organisation_id].append(message)
    for organisation in Organisation.objects.filter(pk__in=by_organisation):
        on = clock.local_date(organisation, now)
        mine = by_organisation[organisation.pk]
        history.append(organisation, stopped_facts(mine, on, now, actor))
        _refuse_addresses(organisation, mine, on, now)
        if undone := [one for one in mine if one.reason == UNDONE]:
            _undo(undone, now)
        debtors = {message.customer_id for message in mine if message.customer_id is not None}
        refresh(organisation, sorted(debtors), on=on, now=now)


def _undo(tested: Sequence[Message], now: datetime) -> None:
    """What a test mode sent reached no customer: like a mail that came back, it counts no more."""
    bounced(tested, now)
    done = [one.action_id for one in tested if one.action_id is not None]
    Action.objects.filter(pk__in=done, status=Action.Status.DONE).update(
        status=Action.Status.WITHDRAWN, withdrawn_reason=UNDONE, closed_by=None
    )


def _refuse_addresses(
    organisation: Organisation, stopped: Sequence[Message], on: date, now: datetime
) -> None:
    """Remember the addresses that their server does not know; one recipient at a time.

    A test went to none of them.
    """
    failed = [m for m in stopped if m.status == Status.FAILED and not m.diverted_to]
    alone = {m.pk: m for m in failed if len(m.recipients) == 1}
    last = {a.message_id: a for a in Attempt.objects.filter(message__in=alone).order_by("id")}
    for key, attempt in last.items():
        if is_unknown_address(attempt.code, attempt.answer):
            message = alone[key]
            ledger.refuse_address(
                organisation=organisation,
                email=message.recipients[0],
                customer_id=message.debtor_id,
                on=on,
                now=now,
            )


def is_unknown_address(code: int | None, answer: str) -> bool:
    """The server says that nobody lives there: 5.1.x (RFC 3463), or a bare 550, 551 or 553.

    A full box or a policy (5.2.x, 5.7.x) says nothing about the address.
    """
    if enhanced := _ENHANCED.search(answer):
        return enhanced.group(1) == "1"
    return code in (550, 551, 553)


def sent_at(message: Message) -> datetime:
    """When it left; the outbox gives only messages that have left."""
    if message.sent_at is None:
        raise ValueError(message.pk)
    return message.sent_at


def _facts(message: Message, lines: Sequence[MessageInvoice], on: date) -> list[Fact]:
    """One event per invoice told of, so that each invoice's history is whole (S2-16)."""
    data = {
        "level": message.level,
        "name": message.level_name,
        "purpose": message.purpose,
        "channel": message.channel,
        "to": message.recipients,
        "automatic": message.automatic,
        "amount_cents": message.amount_cents,
        "currency": message.currency,
        **({"diverted_to": message.diverted_to} if message.diverted_to else {}),
    }
    invoices: list[int | None] = [line.invoice_id for line in lines] or [None]
    return [
        Fact(
            "message_sent",
            sent_at(message),
            on,
            message.customer_id,
            invoice,
            message.pk,
            data=data,
            actor=message.made_by,
        )
        for invoice in invoices
    ]


def close_actions(sent: Sequence[Message], *, on: date) -> None:
    """The manual actions whose message has left are done, by the one who sent it.

    A pass may have withdrawn them while the message was on its way.
    """
    for message in sent:
        if message.action_id is not None:
            Action.objects.filter(
                pk=message.action_id, status__in=[Action.Status.OPEN, Action.Status.WITHDRAWN]
            ).update(
                status=Action.Status.DONE,
                closed_on=on,
                closed_by=message.made_by_id,
                withdrawn_reason="",
            )
    chosen.close_actions([m for m in sent if origin_of(m) is Origin.HAND], on=on)
