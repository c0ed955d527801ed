"""Campagnes: one message, in one's own words, to any selection of customers (S3-04, S3-05).

A campaign changes no level; it counts as a contact (D-18). It is a `Batch` of kind CAMPAIGN: its
selection and its words are a draft until somebody launches it, then one line per customer is
frozen, and each is looked at again when its message is written.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from relance.accounts.models import Organisation, User
from relance.dunning.daily.rechecking import agreed_to_wait, never_addressed
from relance.dunning.facts.gather import Window, cases, plans_of
from relance.dunning.lots import batches
from relance.dunning.models import Batch, BatchLine, Channel
from relance.dunning.services.common import Refused, sender_for
from relance.dunning.services.managers import still_acting
from relance.dunning.wording import charges, letters, messages, templating
from relance.engine import model as engine
from relance.formats.text import fold
from relance.outbox import services as outbox
from relance.outbox.mailboxes import sender_of
from relance.outbox.models import Message, Status

CHUNK = 500
NONE, LATE, OPEN, CHOSEN = "none", "late", "open", "chosen"
"""Which invoices the message speaks of: none, those overdue, all open ones, those chosen."""

CHANNELS = (Channel.EMAIL, Channel.LETTER)
OF_INVOICES = frozenset(
    name
    for name in [*templating.VARIABLES, *templating.BLOCKS]
    if name.startswith("facture.")
    or name in {"montant", "nombre_factures", "factures", "retard", "tableau_factures"}
    or name in charges.NAMES
)
"""Variables that mean nothing without an invoice."""

ADDRESS_REASONS = frozenset({"NO_RECIPIENT", "NO_ADDRESS", "BAD_ADDRESS"})
"""Reasons that a person repairs by completing the customer; then the line is taken up again."""

AGAIN = [Status.FAILED, Status.BOUNCED]


class Wish(NamedTuple):
    """What a campaign says and to whom; `chosen` are invoice ids by customer, for CHOSEN.

    `recent_days`: those contacted less than so many calendar days ago are left out (0: nobody).
    `once`: of several customers with the same addresses, only the first gets the message.
    """

    customers: Sequence[int]
    words: messages.Words
    about: str = NONE
    channel: str = Channel.EMAIL
    chosen: Mapping[int, Sequence[int]] = {}
    recent_days: int = 0
    once: bool = False

    @property
    def speaks_of_invoices(self) -> bool:
        """Whether its words need an invoice to be filled."""
        return bool(OF_INVOICES & names_in(self.words))


class Item(NamedTuple):
    """One customer of a campaign: what he would be told of, or `code` and `detail` why not.

    `amount` in cents of `currency`; `to` are addresses, or the lines of a postal address.
    """

    customer: int
    name: str
    invoices: tuple[int, ...]
    amount: int
    currency: str
    to: tuple[str, ...]
    code: str = ""
    detail: str = ""


def names_in(words: messages.Words) -> set[str]:
    """The variables that these words use."""
    return templating.names_of(words.subject) | templating.names_of(words.body)


def faults(words: messages.Words, about: str) -> list[templating.TemplateFault]:
    """Everything that keeps these words from being sent to anybody, as sentences."""
    found = [
        *templating.faults(words.subject, blocks_allowed=False),
        *templating.faults(words.body),
    ]
    used = names_in(words)
    if "niveau" in used:
        text = _("La variable « niveau » n’a pas de sens ici : une campagne n’a pas de niveau.")
        found.append(templating.TemplateFault("NO_LEVEL", text))
    if about == NONE and (of_invoices := sorted(OF_INVOICES & used)):
        text = _(
            "Le texte parle de factures (« %(name)s ») et vous avez choisi de n’en rappeler aucune."
        ) % {"name": of_invoices[0]}
        found.append(templating.TemplateFault("NEEDS_INVOICES", text))
    return found


def asked(
    case: engine.Case, about: str, chosen: Iterable[int], on: date
) -> tuple[engine.Invoice, ...]:
    """The invoices that a message of `about` tells of, oldest first.

    Never one that is disputed, promised or on hold: it would ask for what was agreed to wait.
    """
    if about == NONE:
        return ()
    wanted = set(chosen)
    return tuple(
        one
        for one in sorted(case.invoices, key=lambda one: (one.due, one.number))
        if one.balance > 0
        and not agreed_to_wait(one, on)
        and (about != LATE or one.due < on)
        and (about != CHOSEN or one.id in wanted)
    )


def refusal(
    case: engine.Case, invoices: Sequence[engine.Invoice], wish: Wish, on: date
) -> tuple[str, str]:
    """Why this customer gets nothing, as (code, detail), his address apart; ("", "") if he does."""
    if stop := never_addressed(case, on):
        return (
            stop,
            case.hold_until.isoformat() if stop == "CUSTOMER_ON_HOLD" and case.hold_until else "",
        )
    if wish.speaks_of_invoices:
        if not invoices:
            return "NO_INVOICE", ""
        currencies = {one.currency for one in invoices}
        if len(currencies) > 1:
            return "TWO_CURRENCIES", ""
        [currency] = currencies
        if sum(one.balance for one in invoices) <= case.credits.get(currency, 0):
            return "BALANCE_NOT_POSITIVE", ""
    last = max((entry.on for entry in case.history if entry.contact), default=None)
    if last is not None and (on - last).days < wish.recent_days:
        return "RECENT_CONTACT", last.isoformat()
    return "", ""


def wish_of(batch: Batch, customers: Sequence[int] | None = None) -> Wish:
    """The wish stored in a campaign; `customers` restricts it."""
    options = batch.options
    return Wish(
        customers=options.get("customers", []) if customers is None else customers,
        words=messages.Words(batch.subject, batch.body),
        about=options.get("about", NONE),
        channel=batch.channel or Channel.EMAIL,
        chosen={int(key): keys for key, keys in options.get("chosen", {}).items()},
        recent_days=options.get("recent_days", 0),
        once=options.get("once", False),
    )


def survey(organisation: Organisation, wish: Wish, *, on: date) -> list[Item]:
    """Each customer of the wish with what he would get, or why he gets nothing; by chunks."""
    seen: dict[tuple[str, ...], str] = {}
    found: list[Item] = []
    for item, _wanted in _walk(organisation, wish, on):
        key = tuple(sorted(one.lower() for one in item.to))
        if wish.once and not item.code:
            if key in seen:
                item = item._replace(code="SAME_ADDRESS", detail=seen[key])
            else:
                seen[key] = item.name
        found.append(item)
    return sorted(found, key=lambda item: fold(item.name))


def _walk(
    organisation: Organisation, wish: Wish, on: date
) -> Iterator[tuple[Item, messages.Wanted]]:
    plans = plans_of(organisation)
    ids = sorted(set(wish.customers))
    for start in range(0, len(ids), CHUNK):
        window = Window(ids=tuple(ids[start : start + CHUNK]))
        known = list(cases(organisation, on, window, plans))
        told = [asked(one, wish.about, wish.chosen.get(int(one.customer), ()), on) for one in known]
        wanted = [
            about_these(case, invoices, on) for case, invoices in zip(known, told, strict=True)
        ]
        book = messages.open_book(organisation, wanted)
        for one, invoices in zip(wanted, told, strict=True):
            yield _item(book, one, invoices, wish, on), one


def about_these(case: engine.Case, invoices: Sequence[engine.Invoice], on: date) -> messages.Wanted:
    """What a message of no level is about, in the shape that the writer of messages takes."""
    first = invoices[0] if invoices else None
    keys = tuple(one.id for one in invoices)
    action = engine.Action(
        customer=case.customer,
        currency=first.currency if first else "EUR",
        plan=0,
        level=0,
        name="",
        channel="email",
        automatic=False,
        reference=first.id if first else 0,
        invoices=keys,
        carriers=(),
        amount=sum(one.balance for one in invoices),
        since=on,
    )
    return messages.Wanted(action, case)


def _item(
    book: messages.Book,
    wanted: messages.Wanted,
    invoices: Sequence[engine.Invoice],
    wish: Wish,
    on: date,
) -> Item:
    action = wanted.action
    customer = book.customers[int(action.customer)]
    keys = tuple(int(key) for key in action.invoices)
    code, detail = refusal(wanted.case, invoices, wish, on)
    if wish.channel == Channel.LETTER:
        to = tuple(letters.address_lines(customer))
        missing = "NO_ADDRESS"
    else:
        people = messages.recipients(book, customer.pk, keys)
        to = tuple(one.email for one in people)
        missing = "NO_RECIPIENT"
    if not code and not to:
        code = missing
    return Item(customer.pk, customer.name, keys, action.amount, action.currency, to, code, detail)


def counts(items: Sequence[Item]) -> Counter[str]:
    """How many customers per reason; those who get the message under the empty code."""
    return Counter(item.code for item in items)


def written(
    organisation: Organisation,
    wish: Wish,
    customer: int,
    *,
    on: date,
    now: datetime,
    actor: User,
    sender_key: str = "",
) -> tuple[Item, outbox.Draft] | None:
    """The message as this customer would get it, also when he will not; None for a stranger."""
    for item, wanted in _walk(organisation, wish._replace(customers=[customer]), on):
        [draft] = _drafts(organisation, wish, [wanted], actor, on, now, sender_key)
        return item, draft
    return None


def _drafts(
    organisation: Organisation,
    wish: Wish,
    wanted: Sequence[messages.Wanted],
    actor: User,
    on: date,
    now: datetime,
    sender_key: str,
    batch_id: int | None = None,
) -> list[outbox.Draft]:
    sender = sender_of(organisation, actor, sender_key)
    made = messages.drafts(
        organisation,
        wanted,
        on,
        not_before=now,
        made_by=actor,
        words=wish.words,
        channel=wish.channel,
        batch_id=batch_id,
    )
    return [
        replace(
            draft,
            purpose=Message.Purpose.CAMPAIGN,
            plan_id=None,
            reference_id=None,
            level=None,
            level_name="",
            sender=sender.sender,
            reply_to=sender.reply_to,
            mailbox=sender.mailbox,
            lines=[
                line._replace(carrier=False, plan_id=None, level=None, cycle=0)
                for line in draft.lines
            ],
        )
        for draft in made
    ]


# --- the draft, and its launch ----------------------------------------------------


@transaction.atomic
def save(
    organisation: Organisation,
    batch: Batch | None,
    *,
    values: Mapping[str, Any],
    actor: User,
    now: datetime,
) -> Batch:
    """Write a draft, new or changed. `values` are fields of `Batch`, `options` whole.

    `Refused` when it has been launched meanwhile.
    """
    if batch is None:
        return Batch.objects.create(
            organisation=organisation,
            kind=Batch.Kind.CAMPAIGN,
            made_by=actor,
            made_at=now,
            **values,
        )
    fresh = _locked(batch)
    if fresh.status != Batch.Status.DRAFT:
        raise _too_late(fresh)
    for name, value in values.items():
        setattr(fresh, name, value)
    fresh.save(update_fields=list(values))
    return fresh


def _locked(batch: Batch) -> Batch:
    return (
        Batch.objects.select_for_update(of=("self",))
        .select_related("organisation", "made_by")
        .get(pk=batch.pk)
    )


def _too_late(batch: Batch) -> Refused:
    return Refused(
        _("%(name)s a déjà lancé cette campagne : rien ne part deux fois.")
        % {"name": batch.made_by or _("Quelqu’un")},
        "ALREADY_STARTED",
    )


def launch(
    batch: Batch, *, actor: User, on: date, now: datetime, not_before: datetime | None = None
) -> Batch:
    """Freeze who gets it and let it leave, now or from `not_before` (UTC).

    One line per customer; those who get nothing have their reason at once. `Refused` when
    somebody was faster or has just changed it, when the words are at fault, or when nobody would
    get anything. The survey of thousands is made before the transaction, which stays short.
    """
    seen = Batch.objects.select_related("organisation", "made_by").get(pk=batch.pk)
    if seen.status != Batch.Status.DRAFT:
        raise _too_late(seen)
    wish = wish_of(seen)
    for fault in faults(wish.words, wish.about):
        raise Refused(fault.message, fault.code)
    if not wish.words.body.strip():
        raise Refused(_("Le message est vide."), "NO_WORDS")
    if not_before is not None and not_before <= now:
        raise Refused(_("Cette heure est déjà passée."), "PAST")
    sender_for(seen.organisation, actor, str(seen.options.get("sender", "")))
    items = survey(seen.organisation, wish, on=on)
    leaving = [item for item in items if not item.code]
    if not leaving:
        raise Refused(_("Personne ne recevrait ce message."), "NOBODY")
    with transaction.atomic():
        fresh = _locked(batch)
        if fresh.status != Batch.Status.DRAFT:
            raise _too_late(fresh)
        if wish_of(fresh) != wish or fresh.options.get("sender") != seen.options.get("sender"):
            raise Refused(
                _("Cette campagne vient d’être modifiée : relisez-la avant de la lancer."),
                "CHANGED",
            )
        batches.add_lines(fresh, [_line(item) for item in items])
        fresh.made_by, fresh.made_at = actor, now
        fresh.total, fresh.refused, fresh.done = len(items), len(items) - len(leaving), 0
        fresh.save(update_fields=["made_by", "made_at", "total", "refused", "done"])
        return batches.start(fresh, actor=actor, now=now, not_before=not_before)


@transaction.atomic
def discard(batch: Batch) -> None:
    """Delete a draft; `Refused` when somebody has launched it meanwhile."""
    fresh = _locked(batch)
    if fresh.status != Batch.Status.DRAFT:
        raise _too_late(fresh)
    fresh.delete()


def _line(item: Item) -> BatchLine:
    return BatchLine(
        customer_id=item.customer,
        invoices=list(item.invoices),
        amount_cents=item.amount,
        currency=item.currency,
        status=BatchLine.Status.REFUSED if item.code else BatchLine.Status.WAITING,
        reason=item.code,
        detail=item.detail,
    )


def handle(batch: Batch, lines: Sequence[BatchLine], on: date, now: datetime) -> None:
    """Write and queue the messages of these lines; say on each what became of it.

    Called by `batches` inside the transaction that stores the lines, so that a message and its
    line are there together or not at all. What changed since the launch decides again.
    """
    wish = wish_of(batch, [line.customer_id for line in lines])._replace(once=False)
    if wish.about == CHOSEN:
        wish = wish._replace(chosen={line.customer_id: line.invoices for line in lines})
    walked = {item.customer: (item, wanted) for item, wanted in _walk(batch.organisation, wish, on)}
    actor = still_acting(batch.organisation, batch.made_by)
    leaving: list[messages.Wanted] = []
    for line in lines:
        item, wanted = walked[line.customer_id]
        line.status, line.reason, line.detail = BatchLine.Status.REFUSED, item.code, item.detail
        if actor is None:
            line.reason, line.detail = "NO_SENDER", ""
        elif not item.code:
            leaving.append(wanted)
            line.invoices, line.amount_cents = list(item.invoices), item.amount
            line.currency = item.currency
    if actor is None or not leaving:
        return
    key = str(batch.options.get("sender", ""))
    try:
        sender_for(batch.organisation, actor, key)
    except Refused:
        for line in lines:
            line.reason = line.reason or "SENDER_GONE"
        return
    drafts = _drafts(batch.organisation, wish, leaving, actor, on, now, key, batch.pk)
    queued = outbox.queue(drafts=drafts, now=now)
    sent = {message.customer_id: message.pk for message in queued.messages}
    refused = {one.draft.customer_id: one for one in queued.refused}
    for line in lines:
        if line.customer_id in sent:
            line.status, line.message_id = BatchLine.Status.DONE, sent[line.customer_id]
        elif line.customer_id in refused:
            line.reason = refused[line.customer_id].code
            line.detail = refused[line.customer_id].detail


@transaction.atomic
def take_up(batch: Batch, *, actor: User, now: datetime) -> int:
    """Try again those whose address was missing or refused; how many.

    A message that failed or came back is void: its line may carry another one. What is uncertain
    is left to a person. `Refused` while the campaign is still at work.
    """
    fresh = _locked(batch)
    if fresh.status != Batch.Status.DONE:
        raise Refused(_("Cette campagne n’est pas terminée."), "NOT_DONE")
    lines = BatchLine.objects.filter(batch=fresh)
    missing = lines.filter(status=BatchLine.Status.REFUSED, reason__in=ADDRESS_REASONS)
    void = batches.messages_of(fresh).filter(status__in=AGAIN).values("pk")
    failed = lines.filter(status=BatchLine.Status.DONE, message_id__in=void)
    fresh_start = {"status": BatchLine.Status.WAITING, "reason": "", "message_id": None}
    again = failed.update(**fresh_start)
    anew = missing.update(**fresh_start)
    if again or anew:
        Batch.objects.filter(pk=fresh.pk).update(
            status=Batch.Status.RUNNING,
            finished_at=None,
            done=F("done") - again,
            refused=F("refused") - anew,
        )
        batches.tell("batch_taken_up", fresh, actor, now, {"lines": again + anew})
    return again + anew


@transaction.atomic
def settle(batch: Batch, *, actor: User, now: datetime) -> None:
    """A person has seen to the failures: they leave the list of what went wrong."""
    fresh = _locked(batch)
    fresh.options = fresh.options | {"settled": [str(actor), now.isoformat()]}
    fresh.save(update_fields=["options"])
    batches.tell("batch_settled", fresh, actor, now, {})
