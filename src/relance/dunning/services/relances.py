"""Chase these invoices of this customer at their next level: by lot, from a list, or one by one.

The one verb behind Relances clients (S1), À relancer (S4) and single deeds. A person decides, so
the calendar and the minimum contact delay only warn; what would be wrong is refused as data.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import NamedTuple

from django.db import transaction
from django.utils.translation import gettext as _

from relance.accounts.models import Organisation, User
from relance.dunning.by_hand import gates
from relance.dunning.by_hand.gates import Answer, Ask, Past
from relance.dunning.daily.todo import ON_ITS_WAY
from relance.dunning.facts.gather import Window, cases, plans_of, rules_of
from relance.dunning.models import Channel, InvoiceChase, Step
from relance.dunning.services.actions import UNDO_SECONDS
from relance.dunning.services.common import Refused
from relance.dunning.wording import messages
from relance.dunning.wording.methods import words_for
from relance.engine import model as engine
from relance.engine import wording
from relance.engine.model import Reason
from relance.history.models import Event
from relance.ledger.models import Customer, Invoice
from relance.outbox import mailboxes
from relance.outbox import services as outbox
from relance.outbox.models import Message, MessageInvoice
from relance.outbox.provider_care import leaves_alone

METHODS = (Channel.LETTER, Channel.EMAIL, Channel.SMS)
"""How a relance may be sent by lot (S1-07); SMS without a provider says so."""


class Outcome(NamedTuple):
    """What `send` did with one ask: a message, or none; the reasons of what stayed behind."""

    answer: Answer
    message: Message | None
    refusals: tuple[Reason, ...]


class Sending(NamedTuple):
    """How a person sends: by which channel, who, on which local date, at which moment (UTC).

    `words` replace those of the templates; `sender_key` is one of `mailboxes.senders`, without
    it the person's default; `copy_to_me` adds a blind copy (S2-20).
    """

    channel: str
    actor: User
    on: date
    now: datetime
    words: messages.Words | None = None
    sender_key: str = ""
    copy_to_me: bool = False
    batch_id: int | None = None


def asks_of(organisation: Organisation, invoices: Sequence[Invoice], *, grouped: bool) -> list[Ask]:
    """One ask per customer and currency when `grouped` (S1-14), else one per invoice (S1-22)."""
    if not grouped:
        return [Ask(one.customer_id, (one.pk,)) for one in invoices]
    together: dict[tuple[int, str], list[int]] = defaultdict(list)
    for one in invoices:
        together[one.customer_id, one.currency].append(one.pk)
    return [Ask(customer, tuple(ids)) for (customer, _currency), ids in together.items()]


def carrier_ask(
    organisation: Organisation,
    reference: Invoice,
    *,
    on: date,
    level: int | None = None,
    recipients: Sequence[str] = (),
) -> Ask:
    """The ask of one carrier of the plan (S4-16): in customer scope its message also tells of all
    that is overdue in that currency, and the level of the reference alone rises; in invoice scope
    it is the invoice alone.
    """
    scope = _scope_of(reference)
    told = [reference.pk]
    if scope == "customer":
        others = Invoice.objects.filter(
            organisation=organisation,
            customer_id=reference.customer_id,
            currency=reference.currency,
            balance_cents__gt=0,
            due__lt=on,
            plan_on=True,
        ).exclude(pk=reference.pk)
        rules = rules_of(organisation)
        told += [
            one.pk
            for one in others.order_by("due", "id")
            if one.mode not in rules.by_hand_modes and not one.disputed and _is_free(one, on)
        ]
    return Ask(reference.customer_id, tuple(told), level, (reference.pk,), tuple(recipients))


def _scope_of(invoice: Invoice) -> str:
    steps = Step.objects.filter(plan__assignments__customer_id=invoice.customer_id)
    return steps.values_list("plan__scope", flat=True).first() or ""


def _is_free(invoice: Invoice, on: date) -> bool:
    return not any(until and until >= on for until in (invoice.promise_until, invoice.hold_until))


def answers(
    organisation: Organisation,
    asks: Sequence[Ask],
    *,
    channel: str,
    on: date,
    words: messages.Words | None = None,
) -> list[Answer]:
    """What would leave of each ask on local date `on`, and why the rest would not.

    Writes nothing and renders nothing: a fixed number of queries, whatever the number of asks.
    """
    if not asks:
        return []
    plans, rules = plans_of(organisation), rules_of(organisation)
    keys = sorted({key for ask in asks for key in ask.invoices})
    customers = tuple(sorted({ask.customer_id for ask in asks}))
    known = {
        int(case.customer): case for case in cases(organisation, on, Window(ids=customers), plans)
    }
    past = {
        key: Past(level, last_on)
        for key, level, last_on in InvoiceChase.objects.filter(
            organisation=organisation, invoice_id__in=keys
        ).values_list("invoice_id", "level", "last_on")
    }
    taken = on_their_way(organisation, keys)
    written = set(words_for(organisation, plans, channel))
    if words is not None:
        written = {(plan, step.level) for plan, one in plans.items() for step in one.steps}
    sms_ready = channel == Channel.SMS and channel in leaves_alone(organisation.pk)
    found = [
        gates.answer(
            ask,
            known[ask.customer_id],
            on,
            rules,
            past=past,
            taken=taken,
            channel=channel,
            templates=written,
            sms_ready=sms_ready,
        )
        for ask in asks
    ]
    return _with_names(organisation, found, on)


def on_their_way(organisation: Organisation, invoices: Sequence[int]) -> dict[int, str]:
    """Who is chasing these invoices at this moment: a message of a step is on its way."""
    lines = MessageInvoice.objects.filter(
        organisation=organisation,
        invoice_id__in=invoices,
        live=True,
        message__purpose=Message.Purpose.STEP,
        message__status__in=ON_ITS_WAY,
    ).select_related("message__made_by")
    return {
        line.invoice_id: str(line.message.made_by) if line.message.made_by else ""
        for line in lines.order_by("id")
    }


def _with_names(organisation: Organisation, found: list[Answer], on: date) -> list[Answer]:
    """The refusals of what somebody else did, with his name."""
    asked = {
        int(key)
        for one in found
        for reason in one.refusals
        if reason.code in ("ALREADY_TODAY", "LEVEL_MOVED")
        for key in ([reason.invoice] if reason.invoice else one.ask.invoices)
    }
    if not asked:
        return found
    names = doers(organisation, asked)
    return [
        one._replace(refusals=tuple(_named(reason, one.ask, names) for reason in one.refusals))
        for one in found
    ]


def doers(organisation: Organisation, invoices: Iterable[int]) -> dict[int, str]:
    """Who last raised the level of each invoice, from the journal."""
    kinds = ("message_sent", "marked_as_chased", "action_done", "action_skipped", "level_set")
    events = Event.objects.filter(
        organisation=organisation, invoice_id__in=set(invoices), kind__in=kinds
    ).order_by("seq")
    return {int(key): name for key, name in events.values_list("invoice_id", "actor_name") if key}


def _named(reason: Reason, ask: Ask, names: Mapping[int, str]) -> Reason:
    if reason.code not in ("ALREADY_TODAY", "LEVEL_MOVED"):
        return reason
    keys = [int(reason.invoice)] if reason.invoice else list(ask.invoices)
    who = next((names[key] for key in keys if names.get(key)), "")
    return reason._replace(facts={**reason.facts, "who": who})


def prepare(
    organisation: Organisation, asks: Sequence[Ask], how: Sending
) -> list[tuple[Answer, outbox.Draft | None]]:
    """Each ask with its message written in full, ready for the outbox; None when it is refused.

    `how.words` replace those of the templates. The message may be called back for `UNDO_SECONDS`.
    Raises `mailboxes.UnknownSenderError` when the sender chosen is not his.
    """
    found = answers(organisation, asks, channel=how.channel, on=how.on, words=how.words)
    going = [one for one in found if one.wanted is not None]
    key = how.sender_key
    sender = mailboxes.sender_of(organisation, how.actor, key) if key else None
    made = messages.drafts(
        organisation,
        [messages.Wanted(one.wanted, one.case) for one in going if one.wanted is not None],
        how.on,
        not_before=how.now + timedelta(seconds=UNDO_SECONDS),
        made_by=how.actor,
        words=how.words
        or words_for(organisation, {int(o.wanted.plan) for o in going if o.wanted}, how.channel),
        channel=how.channel,
        batch_id=how.batch_id,
    )
    by_mail = how.channel == Channel.EMAIL
    drafts: dict[int, outbox.Draft] = {}
    for one, draft in zip(going, made, strict=True):
        to = list(one.ask.recipients) or list(draft.recipients)
        draft = replace(
            draft,
            recipients=to if by_mail else draft.recipients,
            copies=[how.actor.email] if how.copy_to_me and by_mail else [],
        )
        if sender:
            draft = replace(
                draft, sender=sender.sender, reply_to=sender.reply_to, mailbox=sender.mailbox
            )
        drafts[id(one)] = draft
    return [(one, drafts.get(id(one))) for one in found]


@transaction.atomic
def send(organisation: Organisation, asks: Sequence[Ask], how: Sending) -> list[Outcome]:
    """Queue the messages of these asks; their levels rise when they have really left (D-07).

    The outcomes are in the order of the asks. Two people never decide about one customer at the
    same time; a step that the pass queued in between is refused by the outbox.
    """
    _take(organisation, asks)
    prepared = prepare(organisation, asks, how)
    drafts = [draft for _answer, draft in prepared if draft is not None]
    queued = outbox.queue(drafts=drafts, now=how.now)
    refused = {id(refusal.draft): refusal for refusal in queued.refused}
    told = [line.invoice_id for refusal in queued.refused for line in refusal.draft.lines]
    first = on_their_way(organisation, told) if told else {}
    written = iter(queued.messages)
    outcomes = []
    for answer, draft in prepared:
        refusals, message = answer.refusals, None
        if draft is not None and id(draft) in refused:
            refusals = (_refusal(refused[id(draft)], first), *refusals)
        elif draft is not None:
            message = next(written)
        outcomes.append(Outcome(answer, message, refusals))
    return outcomes


def _take(organisation: Organisation, asks: Sequence[Ask]) -> None:
    """Hold the customers until the end of the transaction; SQLite has one writer anyhow."""
    mine = Customer.objects.select_for_update(no_key=True).filter(
        organisation=organisation, pk__in={ask.customer_id for ask in asks}
    )
    list(mine.order_by("pk").values_list("pk", flat=True))


def _refusal(refusal: outbox.Refusal, first: Mapping[int, str]) -> Reason:
    """`first`: who is chasing which invoice, for the one who came second."""
    code = "NO_EMAIL" if refusal.code == "NO_RECIPIENT" else refusal.code
    names = (first.get(line.invoice_id, "") for line in refusal.draft.lines)
    who = next((name for name in names if name), "")
    return Reason(code, {"address": refusal.detail, "who": who})


def send_one(organisation: Organisation, ask: Ask, how: Sending) -> Message:
    """`send` for one message; `Refused` with the first reason when it does not leave whole.

    With several invoices of which some are refused, the message leaves about the others.
    """
    [outcome] = send(organisation, [ask], how)
    if outcome.message is None:
        raise refused(outcome.refusals)
    return outcome.message


def preview_one(organisation: Organisation, ask: Ask, how: Sending) -> outbox.Draft:
    """The message that `send_one` would send; `Refused` with the reason when it would not."""
    [(answer, draft)] = prepare(organisation, [ask], how)
    if draft is None:
        raise refused(answer.refusals)
    return draft


def refused(refusals: Sequence[Reason]) -> Refused:
    """The first of these reasons as the exception that verbs raise."""
    first = refusals[0] if refusals else Reason("SETTLED")
    return Refused(sentence(first), first.code)


def sentence(reason: Reason) -> str:
    """Why something is not chased by hand, in plain words."""
    facts = dict(reason.facts)
    who = str(facts.get("who", ""))
    match reason.code:
        case "ALREADY_QUEUED":
            if who:
                return _("Une relance est déjà en route, envoyée par %(who)s.") % {"who": who}
            return _("Une relance automatique est déjà en route.")
        case "ALREADY_TODAY":
            if who:
                return _("Déjà relancée aujourd’hui par %(who)s.") % {"who": who}
            return _("Déjà relancée aujourd’hui.")
        case "LEVEL_MOVED":
            by = _(" par %(who)s") % {"who": who} if who else ""
            return _(
                "Le niveau a changé depuis votre recherche%(by)s\u00a0: le prochain est maintenant "
                "«\u00a0%(name)s (%(level)s)\u00a0»."
            ) % {"by": by, "name": facts.get("name", ""), "level": facts.get("level", "")}
        case "NO_EMAIL":
            return _("Aucune adresse e-mail valable.")
        case "BAD_ADDRESS":
            return _("L’adresse «\u00a0%(address)s\u00a0» n’est pas valable.") % {
                "address": facts.get("address", "")
            }
        case "NO_ADDRESS":
            return _("Aucune adresse postale complète.")
        case "NO_PROVIDER":
            return _("Aucun opérateur de SMS n’est raccordé.")
        case "NO_PHONE":
            return _("Aucun numéro de mobile valable.")
        case "NO_SENDER":
            return _("La personne qui avait préparé cet envoi ne peut plus agir dans ce dossier.")
        case "TWO_CURRENCIES":
            return _("Un message ne peut pas mêler deux monnaies.")
        case "RECENT_CONTACT":
            return _(
                "Client contacté le %(day)s\u00a0: le délai minimum court jusqu’au %(until)s."
            ) % {
                "day": _day(facts["contact"]),
                "until": _day(facts["until"]),
            }
        case "CREDITS":
            return _("%(amount)s de règlements ou d’avoirs ne sont pas affectés.") % {
                "amount": wording.money_words(int(str(facts["credits"])), str(facts["currency"]))
            }
    return wording.sentence(reason, _)


def _day(value: engine.Fact) -> str:
    return wording.date_words(value, _) if isinstance(value, date) else str(value)


def advice(code: str) -> str:
    """What to do about a refusal, in a few words."""
    match code:
        case "NO_EMAIL" | "BAD_ADDRESS":
            return _("Ajoutez une adresse dans l’onglet Définition, ou envoyez un courrier.")
        case "NO_ADDRESS":
            return _("Complétez l’adresse dans l’onglet Définition, ou envoyez un e-mail.")
        case "ALREADY_QUEUED" | "ALREADY_TODAY" | "LEVEL_MOVED":
            return _("Relancez la recherche pour voir où en sont ses factures.")
        case "NO_PROVIDER":
            return _("Raccordez-en un dans Paramètres, Canaux, ou choisissez Courrier ou Mail.")
        case "NO_PHONE":
            return _("Corrigez le numéro dans l’onglet Définition, ou envoyez un e-mail.")
        case "TWO_CURRENCIES":
            return _("Cochez les factures d’une seule monnaie.")
        case "NO_TEMPLATE":
            return _("Rédigez le modèle de ce niveau pour cette méthode d’envoi.")
        case "CANCELLED":
            return ""
    return wording.advice(Reason(code), _) if code in wording.ADVICE else ""
