"""From a wanted step to the message that says it: recipients, words, table of invoices.

Everything for a whole chunk of actions is read in a few queries, then rendered one by one.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any, NamedTuple

from django.utils.translation import override

from relance.accounts.models import Organisation, User
from relance.dunning.models import Channel, Step, Template
from relance.dunning.wording import (
    charges,
    enclosures,
    formal_notice,
    letters,
    origins,
    sms,
    templating,
)
from relance.dunning.wording.sheet import date_words, money_words, page, table
from relance.engine import model as engine
from relance.formats.text import fold
from relance.ledger.models import Contact, Customer, Invoice, Site
from relance.outbox.mailboxes import Sender
from relance.outbox.models import Status
from relance.outbox.services import POSTED, Draft, Line


class Wanted(NamedTuple):
    """A step that the engine wants, with the case it was decided on."""

    action: engine.Action
    case: engine.Case


class Words(NamedTuple):
    """Subject and body as typed in a template or in the writing window."""

    subject: str
    body: str


class Recipient(NamedTuple):
    name: str
    email: str


class Consent(NamedTuple):
    """What keeps an automatic message of a step back until a person lets it go."""

    to_confirm: bool
    needs_pdf: bool


class Book(NamedTuple):
    """What the messages of a chunk are made from, by id; `bare` are invoices without a PDF."""

    organisation: Organisation
    customers: dict[int, Customer]
    contacts: dict[int, list[Contact]]
    favourites: dict[int, list[Contact]]
    sites: dict[int, int]
    words: dict[tuple[int, int], Words]
    consents: dict[tuple[int, int], Consent]
    bare: set[int]
    functions: dict[tuple[engine.Id, int], list[str]]
    enclosed: dict[tuple[int, int], enclosures.Enclosed]
    charges: charges.Charges

    def addressed_first(self, action: engine.Action) -> list[str]:
        """The functions of contacts that the level of this action writes to first."""
        return self.functions.get((action.plan, action.level), [])


def open_book(organisation: Organisation, wanted: Sequence[Wanted]) -> Book:
    """Read what is needed to write all of `wanted`, in seven queries at most.

    What the law adds to the invoices is counted when the words of one of them ask for it.
    """
    customer_ids = {w.action.customer for w in wanted}
    invoice_ids = {key for w in wanted for key in w.action.invoices}
    customers = Customer.objects.filter(organisation=organisation).in_bulk(customer_ids)
    contacts: dict[int, list[Contact]] = {}
    for contact in Contact.objects.filter(
        organisation=organisation, customer_id__in=customer_ids, invalid_since__isnull=True
    ).exclude(email=""):
        contacts.setdefault(contact.customer_id, []).append(contact)
    sites = dict(
        Invoice.objects.filter(
            organisation=organisation, id__in=invoice_ids, site__isnull=False
        ).values_list("id", "site_id")
    )
    favourites = {
        site.pk: [c for c in site.favourites.all() if c.email and c.invalid_since is None]
        for site in Site.objects.filter(
            organisation=organisation, id__in=set(sites.values())
        ).prefetch_related("favourites")
    }
    levels = _levels(organisation, {w.action.plan for w in wanted})
    bare: set[int] = set()
    if any(consent.needs_pdf for consent in levels.consents.values()):
        without = Invoice.objects.filter(
            organisation=organisation, id__in=invoice_ids, document=""
        ).values_list("id", flat=True)
        bare = set(without)
    return Book(
        organisation,
        customers,
        contacts,
        favourites,
        sites,
        levels.words,
        levels.consents,
        bare,
        levels.functions,
        enclosures.read(levels.templates),
        charges.Charges(organisation, list(customers), sorted(map(int, invoice_ids))),
    )


class _Levels(NamedTuple):
    """What the levels of some plans say, by (plan, level): `templates` are key and RIB or not."""

    words: dict[tuple[int, int], Words]
    consents: dict[tuple[int, int], Consent]
    functions: dict[tuple[engine.Id, int], list[str]]
    templates: dict[tuple[int, int], tuple[int, bool]]


def _levels(organisation: Organisation, plans: Collection[engine.Id]) -> _Levels:
    found = _Levels({}, {}, {}, {})
    rows = Step.objects.filter(organisation=organisation, plan_id__in=plans).values_list(
        "plan_id",
        "level",
        "functions",
        "template_id",
        "template__subject",
        "template__body",
        "to_confirm",
        "send_without_pdf",
        "template__with_rib",
    )
    for plan, level, first, template, subject, body, to_confirm, send_bare, with_rib in rows:
        found.functions[plan, level] = [fold(name) for name in first]
        if template is not None:
            found.words[plan, level] = Words(subject, body)
            found.templates[plan, level] = (template, bool(with_rib))
            found.consents[plan, level] = Consent(to_confirm, not send_bare)
    return found


def recipients(
    book: Book, customer_id: int, invoices: Iterable[int], functions: Sequence[str] = ()
) -> list[Recipient]:
    """Who receives a message about these invoices, each address once.

    The contacts who hold the first of the `functions` (folded) that somebody holds; without any,
    the favourites of the invoice's site (S4-28); else the customer's default contacts; else the
    address of the tab Définition (S1-12); else any contact with an address.
    """
    found: dict[str, Recipient] = {}
    for function in functions:
        for contact in book.contacts.get(customer_id, []):
            if fold(contact.role) == function:
                found.setdefault(contact.email, Recipient(contact.name, contact.email))
        if found:
            return list(found.values())
    for invoice in list(invoices) or [0]:  # without any, those of the customer
        chosen = book.favourites.get(book.sites.get(invoice, 0), [])
        if not chosen:
            contacts = book.contacts.get(customer_id, [])
            chosen = [contact for contact in contacts if contact.is_default]
            customer = book.customers[customer_id]
            if not chosen and customer.email and customer.email_invalid_since is None:
                found.setdefault(customer.email, Recipient(customer.name, customer.email))
                continue
            chosen = chosen or contacts[:1]
        for contact in chosen:
            found.setdefault(contact.email, Recipient(contact.name, contact.email))
    return list(found.values())


def values(
    book: Book, wanted: Wanted, to: Sequence[Recipient], on: date, signature: str = ""
) -> templating.Values:
    """What fills the template of this action; amounts in French writing."""
    organisation, action = book.organisation, wanted.action
    customer = book.customers[int(action.customer)]
    chosen = set(action.invoices)
    invoices = sorted(
        (i for i in wanted.case.invoices if i.id in chosen), key=lambda i: (i.due, i.number)
    )
    contacts = [e.on for e in wanted.case.history if e.contact and e.on < on]
    late = max(((on - invoice.due).days for invoice in invoices), default=0)
    names = charges.Values({}, book.charges, (customer.pk, chosen, on, action.currency))
    names |= {
        "client.nom": customer.name,
        "client.code": customer.code,
        "contact.nom": to[0].name if to else customer.name,
        "entreprise.nom": organisation.name,
        "entreprise.iban": organisation.iban,
        "signature": signature or organisation.signature or organisation.name,
        "date": date_words(on),
        "date_limite": date_words(formal_notice.deadline(on)),
        "niveau": action.name,
        "montant": money_words(action.amount, action.currency),
        "nombre_factures": str(len(invoices)),
        "factures": ", ".join(invoice.number for invoice in invoices),
        "retard": str(max(late, 0)),
        "derniere_relance": date_words(max(contacts)) if contacts else "",
    }
    if not invoices:  # a campaign may speak of something else
        return templating.Values(names, {"tableau_factures": ("", "")})
    carrier = next((i for i in invoices if i.id == action.reference), invoices[0])
    names |= {
        "facture.numero": carrier.number,
        "facture.date": date_words(carrier.issued),
        "facture.echeance": date_words(carrier.due),
        "facture.reste_du": money_words(carrier.balance, carrier.currency),
    }
    return templating.Values(names, {"tableau_factures": table(invoices, action.amount)})


def write(
    book: Book, wanted: Wanted, on: date, *, words: Words | None = None, signature: str = ""
) -> tuple[templating.Rendered, list[Recipient]]:
    """The message of one action, in the words of its template or in those given."""
    action = wanted.action
    keys = [int(key) for key in action.invoices]
    to = recipients(book, int(action.customer), keys, book.addressed_first(action))
    chosen = words or book.words[int(action.plan), action.level]
    language = book.customers[int(action.customer)].language
    with override(language):  # the customer's, whoever sends it
        filling = values(book, wanted, to, on, signature)
    filled = templating.render(chosen.subject, chosen.body, filling)
    return filled._replace(html=page(filled.subject, filled.html, language)), to


def letter(
    book: Book,
    wanted: Wanted,
    on: date,
    *,
    words: Words | None = None,
    signature: str = "",
    registered: bool = False,
) -> dict[str, Any]:
    """The letter of one action as data for the printer (see `letters.compose`)."""
    action, money = wanted.action, money_words
    keys = [int(key) for key in action.invoices]
    to = recipients(book, int(action.customer), keys, book.addressed_first(action))
    chosen = words or book.words[int(action.plan), action.level]
    customer = book.customers[int(action.customer)]
    asked = sorted(
        (i for i in wanted.case.invoices if i.id in action.invoices),
        key=lambda i: (i.due, i.number),
    )
    with override(customer.language):
        filling = values(book, wanted, to, on, signature)
        return letters.compose(
            book.organisation,
            customer,
            subject=templating.render(chosen.subject, "", filling).subject,
            pieces=templating.pieces(chosen.body, filling),
            table=letters.plain_table(asked, action.amount, action.currency, date_words, money),
            date_words=date_words(on),
            currency=action.currency,
            signature=str(filling.names["signature"]),
            attention=_attention(book, customer, keys),
            registered=registered,
            formal=formal_notice.of_letter(
                chosen,
                customer,
                keys,
                action.currency,
                money,
                lambda: book.charges.statement(customer.pk, on),
            ),
        )


def _attention(book: Book, customer: Customer, invoices: Iterable[int]) -> str:
    """The person whom a letter names under the company: a favourite, or a default contact."""
    for invoice in invoices:
        for contact in book.favourites.get(book.sites.get(invoice, 0), []):
            return contact.name
    for contact in book.contacts.get(customer.pk, []):
        if contact.is_default:
            return contact.name
    return ""


def held_back(book: Book, action: engine.Action, method: str = Channel.EMAIL) -> str:
    """Why an automatic message waits for a person: MISSING_PDF (D-15), TO_CONFIRM, or nothing."""
    consent = book.consents.get((int(action.plan), action.level))
    if consent is None:
        return ""
    attaches = consent.needs_pdf and method == Channel.EMAIL
    if attaches and any(key in book.bare for key in action.invoices):
        return "MISSING_PDF"
    return "TO_CONFIRM" if consent.to_confirm else ""


def drafts(
    organisation: Organisation,
    wanted: Sequence[Wanted],
    on: date,
    *,
    not_before: datetime,
    made_by: User | None = None,
    words: Words | Mapping[tuple[int, int], Words] | None = None,
    action_id: int | None = None,
    channel: str = "",
    batch_id: int | None = None,
    sender: Sender | None = None,
) -> list[Draft]:
    """Rendered drafts for `wanted`, in the same order, ready for `outbox.queue`.

    `channel` replaces the step's own (D-09): email, letter, registered_letter or sms. `words`
    replace those of the step's template: for all, or by (plan, level). A letter is addressed to a
    place: its `recipients` are empty, and `letter["to"]` too when the customer has no postal
    address (the outbox then refuses it with NO_ADDRESS). Without `sender` they leave from where
    `mailboxes` says by default: a person's own choice, or the plan's, or the organisation's
    (S2-19, S4-05).
    """
    book = open_book(organisation, wanted)
    start = origins.open_origins(
        organisation, {w.action.plan for w in wanted}, book.customers, made_by, sender
    )
    own = enclosures.given(organisation, book.enclosed, now=not_before)
    made = []
    for item in wanted:
        step = (int(item.action.plan), item.action.level)
        chosen = words.get(step) if isinstance(words, Mapping) else words
        method = channel or item.action.channel
        draft = _draft(book, item, on, not_before, made_by, chosen, method, start.of(step[0]))
        draft = replace(
            draft,
            action_id=action_id,
            batch_id=batch_id,
            reply_to=start.reply_to(step[0], draft.debtor_id),
            enclosed=own.get(step, ()) if draft.channel == Channel.EMAIL else (),
        )
        if method == Channel.SMS:
            people = book.contacts.get(draft.debtor_id, [])
            draft = sms.as_sms(draft, book.customers[draft.debtor_id], people)
        made.append(draft)
    return made


def _draft(
    book: Book,
    item: Wanted,
    on: date,
    not_before: datetime,
    made_by: User | None,
    words: Words | None,
    method: str,
    origin: Sender,
) -> Draft:
    action, organisation = item.action, book.organisation
    signature = str(made_by) if made_by else ""
    rendered, to = write(book, item, on, words=words, signature=signature)
    posted = None
    if method in POSTED:
        registered = method == Channel.REGISTERED_LETTER
        posted = letter(book, item, on, words=words, signature=signature, registered=registered)
    reason = ""
    if made_by is None:
        asks = words or book.words[int(action.plan), action.level]
        reason = _without_rate(book, action, on, asks) or held_back(book, action, method)
    return Draft(
        organisation=organisation,
        customer_id=int(action.customer),
        purpose="step",
        channel=method if posted else Channel.EMAIL,
        automatic=made_by is None,
        on=on,
        not_before=not_before,
        plan_id=int(action.plan),
        reference_id=int(action.reference),
        level=action.level,
        level_name=action.name,
        currency=action.currency,
        amount_cents=action.amount,
        sender=origin.sender,
        mailbox=origin.mailbox,
        recipients=[] if posted else [one.email for one in to],
        subject=rendered.subject,
        text=rendered.text,
        html=rendered.html,
        lines=_lines(item),
        made_by=made_by,
        status=Status.TO_APPROVE if reason else Status.QUEUED,
        reason=reason,
        letter=posted,
    )


def _without_rate(book: Book, action: engine.Action, on: date, words: Words) -> str:
    """MISSING_RATE when the words ask for an amount of the law that nobody can count yet."""
    if not charges.uses(templating.names_of(f"{words.subject} {words.body}")):
        return ""
    asked = (int(action.customer), action.invoices, on, action.currency)
    return "MISSING_RATE" if charges.Values({}, book.charges, asked).missing else ""


def _lines(item: Wanted) -> list[Line]:
    balances = {invoice.id: invoice.balance for invoice in item.case.invoices}
    return [
        Line(
            invoice_id=int(key),
            amount_cents=balances[key],
            carrier=key in item.action.carriers,
            plan_id=int(item.action.plan),
            cycle=cycle(item.case, item.action, key),
            level=item.action.level,
        )
        for key in item.action.invoices
    ]


def cycle(case: engine.Case, action: engine.Action, reference: engine.Id) -> int:
    """How many times this carrier began again: it makes a repeated step a different one.

    Counted from history, so that two processes that see the same facts find the same number
    and the unique constraint lets only one of them through.
    """
    return sum(
        1
        for entry in case.history
        if entry.plan == action.plan
        and entry.reference == reference
        and (
            entry.kind == "level_set"
            or (entry.kind in ("sent", "marked", "skipped") and entry.level == action.level)
        )
    )


def text_of(template: Template) -> Words:
    """The words of a stored template."""
    return Words(template.subject, template.body)
