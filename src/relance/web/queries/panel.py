"""One action in full: the very text that will leave, who gets it, and why now."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from relance.accounts.access import Access
from relance.accounts.models import DunningRole, Membership, User
from relance.dunning import services
from relance.dunning.facts.gather import rules_of
from relance.dunning.models import Action, Channel, Entry, Step
from relance.dunning.services.calls import results_of
from relance.dunning.wording import enclosures, formal_notice, letters, messages, templating
from relance.dunning.wording.sheet import fragment
from relance.dunning.wording.sms import number_of, shortened
from relance.engine import model as engine
from relance.engine import wording
from relance.engine.decide import decide
from relance.formats import sms as sms_count
from relance.formats.phones import PhoneError, spaced, tel
from relance.ledger.models import Invoice, Payment
from relance.outbox import mailboxes
from relance.outbox.channels.email.mime import attached_name
from relance.outbox.models import Message
from relance.outbox.provider_care import leaves_alone
from relance.web import channel_words, french
from relance.web.queries.today import on_their_way
from relance.web.smtp_words import cancelled_words
from relance.web.templatetags.relance import level_name

WRITTEN = {Channel.EMAIL, Channel.LETTER, Channel.REGISTERED_LETTER, Channel.SMS}
POSTED = {Channel.LETTER, Channel.REGISTERED_LETTER}


class Sheet(NamedTuple):
    """What the customer will read; `html` is cleaned for our own pages."""

    sender: str
    to: list[messages.Recipient]
    subject: str
    html: str
    text: str
    attachments: list[str]
    letter: dict[str, Any] | None = None
    """What the printer lays out, when it is a letter: the same data, computed once."""
    lacks: Sequence[str] = ()
    """What a mise en demeure would not say, as sentences."""


class Because(NamedTuple):
    """One fact in the margin: the day, what happened, its icon and tone."""

    when: date | None
    title: str
    detail: str = ""
    icon: str = ""
    tone: str = ""


@dataclass
class Panel:
    """All that the side panel of one action shows; `refusal` is the sentence of a "no"."""

    action: Action
    steps: int
    owners: list[User]
    mine: bool
    can_write: bool
    on_its_way: Message | None = None
    sheet: Sheet | None = None
    refusal: str = ""
    code: str = ""
    facts: list[Because] = field(default_factory=list)
    invoices: list[engine.Invoice] = field(default_factory=list)
    members: list[User] = field(default_factory=list)
    alone: frozenset[str] = frozenset()
    script: str = ""
    sms: "sms_count.Count | None" = None
    number: str = ""

    @property
    def can_do(self) -> bool:
        """True when I may act on it now (S3-09, S3-10)."""
        return self.can_write and self.mine and self.is_open

    @property
    def is_open(self) -> bool:
        return self.action.status == Action.Status.OPEN and self.on_its_way is None

    @property
    def withdrawn(self) -> str:
        """Why nobody has to do it any more (3.10), as a sentence; empty when a person closed it."""
        code = self.action.withdrawn_reason
        return cancelled_words(code) if code else ""

    @property
    def is_email(self) -> bool:
        return self.action.channel == Channel.EMAIL

    @property
    def is_letter(self) -> bool:
        return self.action.channel in POSTED

    @property
    def is_sms(self) -> bool:
        return self.action.channel == Channel.SMS

    @property
    def is_call(self) -> bool:
        return self.action.channel == Channel.CALL

    @property
    def result_words(self) -> str:
        """What came of it, in a few words; empty when nothing was said."""
        return channel_words.result(self.action.result)

    @property
    def leaves_by_provider(self) -> bool:
        """True when a message of this channel leaves by itself once sent: no printer, no phone."""
        kind = Channel.LETTER if self.is_letter else self.action.channel
        return kind in self.alone

    @property
    def results(self) -> list[tuple[str, str]]:
        """What can come of it, with its words: of a call or a task."""
        return [(one, channel_words.result(one)) for one in results_of(self.action)]

    @property
    def phones(self) -> list[tuple[str, str, str]]:
        """Who can be called: name, number as it is read, number as it is dialled; best first."""
        customer = self.action.customer
        typed = [] if customer.phone_invalid_since else [(customer.name, customer.phone)]
        people = customer.contacts.exclude(phone="").order_by("-is_default", "name")
        typed += [(person.name, person.phone) for person in people]
        land = customer.country
        return [(name, spaced(text, land), tel(text, land)) for name, text in typed if text]


def panel(access: Access, action: Action, *, on: date) -> Panel:
    """Everything about one action, in a fixed number of queries."""
    owners = list(action.owners.order_by("full_name", "email"))
    shown = Panel(
        action=action,
        steps=Step.objects.filter(plan_id=action.plan_id).count(),
        owners=owners,
        mine=access.user in owners,
        can_write=access.can_write,
        on_its_way=on_their_way(access).filter(action_id=action.pk).order_by("-id").first(),
        members=may_own(access) if access.is_admin else [],
    )
    if not shown.is_open:
        return shown
    try:
        wanted = services.wanted_action(action, on=on)
    except services.Refused as no:
        shown.refusal, shown.code = str(no), no.code
        return shown
    shown.alone = leaves_alone(access.organisation.pk)
    chosen = set(wanted.action.invoices)
    shown.invoices = [one for one in wanted.case.invoices if one.id in chosen]
    shown.facts = because(access, action, wanted, on)
    book = messages.open_book(access.organisation, [wanted])
    if action.channel not in WRITTEN:
        if (action.plan_id, action.level) in book.words:
            rendered, _to = messages.write(book, wanted, on, signature=str(access.user))
            shown.script = rendered.text.strip()
        return shown
    if (action.plan_id, action.level) not in book.words:
        shown.code = "NO_TEMPLATE"
        shown.refusal = _("Aucun modèle n’est associé à ce niveau : choisissez-en un.")
        return shown
    signature = _signature(shown, access.user)
    shown.sheet = sheet(access, book, wanted, on, signature=signature)
    if shown.is_letter:
        _read_letter(shown, book, wanted, on, signature)
    if shown.is_sms:
        _read_sms(shown, book)
    if shown.is_letter and not letters.address_lines(action.customer):
        shown.code = "NO_ADDRESS"
        shown.refusal = _("Ce client n’a pas d’adresse postale complète\u00a0: complétez sa fiche.")
        shown.refusal += f" {letters.why_no_letter(action.customer)}"
    if shown.is_email and not shown.sheet.to:
        shown.code = "NO_RECIPIENT"
        shown.refusal = _("Ce client n’a aucune adresse e-mail valable.")
    return shown


def _read_letter(
    shown: Panel, book: messages.Book, wanted: messages.Wanted, on: date, signature: str
) -> None:
    """The letter itself: what is approved is what is printed, the law's amounts with it (A10)."""
    if shown.sheet is None:
        return
    registered = shown.action.channel == Channel.REGISTERED_LETTER
    letter = messages.letter(book, wanted, on, signature=signature, registered=registered)
    lacks = (
        formal_notice.lacks_of(book.organisation, shown.action.customer) if letter["formal"] else []
    )
    shown.sheet = shown.sheet._replace(letter=letter, lacks=lacks)


def _read_sms(shown: Panel, book: messages.Book) -> None:
    """Its text as it leaves, what it costs, and to which number."""
    if shown.sheet is None:
        return
    text = shortened(shown.sheet.text)
    shown.sheet = shown.sheet._replace(text=text)
    shown.sms = sms_count.count(text)
    customer = shown.action.customer
    try:
        shown.number = number_of(customer, book.contacts.get(customer.pk, []))
    except PhoneError:
        shown.number = ""
    if not shown.number and Channel.SMS in shown.alone:
        shown.code = "NO_PHONE"
        shown.refusal = _("Ce client n’a aucun numéro de mobile valable : corrigez sa fiche.")


def _signature(shown: Panel, reader: User) -> str:
    """Who would sign: the reader when it is his to send, else the first of its owners."""
    return str(reader if shown.mine or not shown.owners else shown.owners[0])


def sheet(
    access: Access,
    book: messages.Book,
    wanted: messages.Wanted,
    on: date,
    *,
    signature: str = "",
) -> Sheet:
    """The message of one step exactly as it will leave, with the names of its attachments."""
    rendered, to = messages.write(book, wanted, on, signature=signature)
    organisation = access.organisation
    by_hand = mailboxes.sender_of(organisation, access.user) if signature else None
    origin = by_hand or mailboxes.automatic_sender(organisation)
    documents = (
        access.all(Invoice)
        .filter(pk__in=wanted.action.invoices)
        .exclude(document="")
        .order_by("due", "number")
        .values_list("number", "document")
    )
    names = [attached_name(number, path) for number, path in documents]
    if wanted.action.channel == "email":
        step = (int(wanted.action.plan), wanted.action.level)
        names += book.enclosed.get(step, enclosures.NOTHING).names(organisation)
    return Sheet(
        origin.sender.replace('"', ""),
        to,
        rendered.subject,
        fragment(rendered.html),
        rendered.text,
        names,
    )


def editable_words(access: Access, action: Action, *, on: date) -> messages.Words:
    """The words of an action with its names filled in, the table of invoices left as a block.

    Refused when it is no longer wanted; without a template both are empty.
    """
    wanted = services.wanted_action(action, on=on)
    book = messages.open_book(access.organisation, [wanted])
    words = book.words.get((action.plan_id, action.level))
    if words is None:
        return messages.Words("", "")
    keys = [int(key) for key in wanted.action.invoices]
    first = book.addressed_first(wanted.action)
    to = messages.recipients(book, action.customer_id, keys, first)
    known = messages.values(book, wanted, to, on, str(access.user))
    filled = templating.render(words.subject, words.body, known._replace(blocks={}))
    return messages.Words(filled.subject, filled.text.strip())


def may_own(access: Access) -> list[User]:
    """Those who may own an action (S3-11): members who may write."""
    return [
        membership.user
        for membership in Membership.objects.filter(
            organisation=access.organisation, dunning_role__gte=DunningRole.ACCOUNT_MANAGER
        )
        .select_related("user")
        .order_by("user__full_name", "user__email")
    ]


def because(access: Access, action: Action, wanted: messages.Wanted, on: date) -> list[Because]:
    """Why now: the last contact, what triggered the step, what was paid, what is set aside."""
    facts = [_last_contact(action), *_trigger(action, wanted, on), _last_payment(access, action)]
    decision = decide(wanted.case, on, rules_of(access.organisation))
    numbers = {invoice.id: invoice.number for invoice in wanted.case.invoices}
    aside = [r for r in decision.invoice_reasons if r.code not in ("SETTLED", "NOT_ISSUED")]
    facts += [
        Because(
            None,
            _("%(number)s mise à part") % {"number": numbers.get(reason.invoice or 0, "")},
            wording.sentence(reason, _),
            "info",
        )
        for reason in aside[:3]
    ]
    return sorted(facts, key=lambda fact: (fact.when is None, fact.when or on))


def _last_contact(action: Action) -> Because:
    entry = (
        Entry.objects.filter(customer_id=action.customer_id, is_contact=True, void=False)
        .order_by("-on", "-id")
        .first()
    )
    if entry is None:
        return Because(None, _("Premier contact : ce client n’a jamais été relancé."))
    name = (
        Step.objects.filter(plan=entry.plan, level=entry.level)
        .values_list("name", flat=True)
        .first()
    )
    what = level_name(entry.level, name or "") if entry.level else entry.get_kind_display()
    if entry.kind == Entry.Kind.SENT and entry.channel == Channel.EMAIL:
        return Because(entry.on, _("%(level)s envoyé, toujours impayé.") % {"level": what})
    if entry.kind == Entry.Kind.MARKED:
        return Because(entry.on, _("%(level)s marqué comme fait à la main.") % {"level": what})
    return Because(entry.on, _("%(level)s fait, toujours impayé.") % {"level": what})


def _trigger(action: Action, wanted: messages.Wanted, on: date) -> list[Because]:
    plan = wanted.case.plan
    step = next((s for s in plan.steps if s.level == action.level), None) if plan else None
    carrier = next((i for i in wanted.case.invoices if i.id == wanted.action.reference), None)
    if plan is None or step is None or carrier is None:
        return []
    by_hand = _("étape automatique rendue à la main") if action.automatic else _("étape manuelle")
    title = _("%(when)s : %(step)s du plan %(plan)s.") % {
        "when": _when(step, carrier, on),
        "step": by_hand,
        "plan": plan.name,
    }
    return [Because(action.due_on, title[0].upper() + title[1:])]


def _when(step: engine.Step, carrier: engine.Invoice, on: date) -> str:
    """`7 jours après l'échéance du 15 nov.`"""
    distance = abs(step.days)
    days = french.counted(distance, _("jour"), _("jours"))
    if step.anchor == "previous":
        return _("%(days)s après la relance précédente") % {"days": days}
    if step.anchor == "issue":
        return _("%(days)s après la facture du %(day)s") % {
            "days": days,
            "day": french.date_text(carrier.issued, on),
        }
    day = french.date_text(carrier.due, on)
    if step.anchor == "due_month_end":
        return _("%(days)s après la fin du mois d’échéance (%(day)s)") % {"days": days, "day": day}
    if not distance:
        return _("le jour de l’échéance, le %(day)s") % {"day": day}
    if step.days < 0:
        return _("%(days)s avant l’échéance du %(day)s") % {"days": days, "day": day}
    return _("%(days)s après l’échéance du %(day)s") % {"days": days, "day": day}


def _last_payment(access: Access, action: Action) -> Because:
    payment = (
        access.all(Payment)
        .filter(invoice__customer_id=action.customer_id, amount_cents__gt=0)
        .select_related("invoice")
        .order_by("-on", "-id")
        .first()
    )
    if payment is None:
        return Because(None, _("Aucun règlement reçu de ce client à ce jour."))
    return Because(
        payment.on,
        _("Dernier règlement : %(amount)s sur %(number)s.")
        % {
            "amount": french.money(payment.amount_cents, payment.invoice.currency),
            "number": payment.invoice.number,
        },
    )
