"""From a wanted step to the message that says it: recipients, words, table of invoices.

Everything for a whole chunk of actions is read in a few queries, then rendered one by one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import lru_cache
from html import escape
from typing import Any, NamedTuple

import nh3
from django.utils.safestring import mark_safe
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _

from relance.accounts.models import Organisation, User
from relance.dunning.models import Channel, Step, Template
from relance.dunning.wording import formal_notice, letters, templating
from relance.engine import model as engine
from relance.engine import wording
from relance.formats.text import fold
from relance.ledger.models import Contact, Customer, Invoice, Site
from relance.outbox import mailboxes
from relance.outbox.mailboxes import Sender
from relance.outbox.models import Status
from relance.outbox.services import POSTED, Draft, Line

# The same days and often the same amounts come back in thousands of messages.
_money_words = lru_cache(maxsize=4096)(wording.money_words)


@lru_cache(maxsize=4096)
def _dated(day: date, language: str | None) -> str:
    return wording.date_words(day, _)


def _date_words(day: date) -> str:
    """The day in the language that is active: the customer's."""
    return _dated(day, get_language())


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

    def addressed_first(self, action: engine.Action) -> list[str]:
        """The functions of contacts that the level of this action writes to first."""
        return self.functions.get((action.plan, action.level), [])


def open_book(organisation: Organisation, wanted: Sequence[Wanted]) -> Book:
    """Read what is needed to write all of `wanted`, in six queries at most."""
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
    words: dict[tuple[int, int], Words] = {}
    consents: dict[tuple[int, int], Consent] = {}
    functions: dict[tuple[engine.Id, int], list[str]] = {}
    for (
        plan,
        level,
        functions_first,
        template,
        subject,
        body,
        to_confirm,
        send_bare,
    ) in Step.objects.filter(
        organisation=organisation, plan_id__in={w.action.plan for w in wanted}
    ).values_list(
        "plan_id",
        "level",
        "functions",
        "template_id",
        "template__subject",
        "template__body",
        "to_confirm",
        "send_without_pdf",
    ):
        functions[plan, level] = [fold(name) for name in functions_first]
        if template is not None:
            words[plan, level] = Words(subject, body)
            consents[plan, level] = Consent(to_confirm, not send_bare)
    bare: set[int] = set()
    if any(consent.needs_pdf for consent in consents.values()):
        without = Invoice.objects.filter(
            organisation=organisation, id__in=invoice_ids, document=""
        ).values_list("id", flat=True)
        bare = set(without)
    return Book(
        organisation, customers, contacts, favourites, sites, words, consents, bare, functions
    )


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
    names = {
        "client.nom": customer.name,
        "client.code": customer.code,
        "contact.nom": to[0].name if to else customer.name,
        "entreprise.nom": organisation.name,
        "entreprise.iban": organisation.iban,
        "signature": signature or organisation.signature or organisation.name,
        "date": _date_words(on),
        "date_limite": _date_words(formal_notice.deadline(on)),
        "niveau": action.name,
        "montant": _money_words(action.amount, action.currency),
        "nombre_factures": str(len(invoices)),
        "factures": ", ".join(invoice.number for invoice in invoices),
        "retard": str(max(late, 0)),
        "derniere_relance": _date_words(max(contacts)) if contacts else "",
    }
    if not invoices:  # a campaign may speak of something else
        return templating.Values(names, {"tableau_factures": ("", "")})
    carrier = next((i for i in invoices if i.id == action.reference), invoices[0])
    names |= {
        "facture.numero": carrier.number,
        "facture.date": _date_words(carrier.issued),
        "facture.echeance": _date_words(carrier.due),
        "facture.reste_du": _money_words(carrier.balance, carrier.currency),
    }
    return templating.Values(names, {"tableau_factures": table(invoices, action.amount)})


_BODY = (
    "margin:0;padding:24px;background:#ffffff;color:#1f1c19;"
    "font:15px/1.5 -apple-system,'Segoe UI',Roboto,Arial,sans-serif"
)
_TABLE = "border-collapse:collapse;width:100%;max-width:600px;margin:0 0 14px"
_HEAD = (
    "text-align:left;font-weight:500;color:#544e47;border-bottom:1px solid #cfc8bc;"
    "padding:4px 8px 4px 0"
)
_CELL = "border-bottom:1px solid #e7e2da;padding:4px 8px 4px 0"
_TOTAL = "font-weight:600;padding:4px 8px 4px 0"
_RIGHT = "text-align:right;white-space:nowrap;padding-right:0"


@lru_cache(maxsize=16)
def _headings(language: str | None) -> tuple[str, str, str, str]:
    """The fixed words of the table, looked up once per language of the process."""
    return _("Facture"), _("Échéance"), _("Reste dû"), _("Total à régler")


def table(invoices: Sequence[engine.Invoice], amount: int) -> tuple[str, str]:
    """The table of invoices as aligned text and as HTML."""
    *head, total_words = _headings(get_language())
    rows = [(i.number, _date_words(i.due), _money_words(i.balance, i.currency)) for i in invoices]
    total = (total_words, "", _money_words(amount, invoices[0].currency))
    lines = [head, *rows, total]
    widths = [max(len(line[column]) for line in lines) for column in range(3)]
    text = "\n".join(
        f"{a.ljust(widths[0])}  {b.ljust(widths[1])}  {c.rjust(widths[2])}".rstrip()
        for a, b, c in lines
    )
    body = "".join(
        f'<tr><td style="{_CELL}">{escape(number)}</td><td style="{_CELL}">{due}</td>'
        f'<td style="{_CELL};{_RIGHT}" class="amount">{balance}</td></tr>'
        for number, due, balance in rows
    )
    html = (
        f'<table class="invoices" style="{_TABLE}"><thead><tr><th style="{_HEAD}">{head[0]}</th>'
        f'<th style="{_HEAD}">{head[1]}</th>'
        f'<th style="{_HEAD};{_RIGHT}" class="amount">{head[2]}</th></tr></thead>'
        f'<tbody>{body}</tbody><tfoot><tr><td colspan="2" style="{_TOTAL}">{total[0]}</td>'
        f'<td style="{_TOTAL};{_RIGHT}" class="amount">{total[2]}</td></tr></tfoot></table>'
    )
    return text, html


def page(subject: str, body: str, language: str) -> str:
    """A whole HTML mail, its styles on the elements: readable in the plainest client."""
    return (
        f'<!doctype html><html lang="{escape(language)}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(subject)}</title></head>"
        f'<body style="{_BODY}"><div style="max-width:600px">{body}</div></body></html>'
    )


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
    action, money = wanted.action, _money_words
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
            table=letters.plain_table(asked, action.amount, action.currency, _date_words, money),
            date_words=_date_words(on),
            currency=action.currency,
            signature=filling.names["signature"],
            attention=_attention(book, customer, keys),
            registered=registered,
            formal=formal_notice.of_letter(chosen, customer, keys, on, action.currency, money),
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


def held_back(book: Book, action: engine.Action) -> str:
    """Why an automatic message waits for a person: MISSING_PDF (D-15), TO_CONFIRM, or nothing."""
    consent = book.consents.get((int(action.plan), action.level))
    if consent is None:
        return ""
    if consent.needs_pdf and any(key in book.bare for key in action.invoices):
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

    `channel` replaces the step's own (D-09): email, letter or registered_letter. `words` replace
    those of the step's template: for all, or by (plan, level). A letter is addressed to a place:
    its `recipients` are empty, and `letter["to"]` too when the customer has no postal address
    (the outbox then refuses it with NO_ADDRESS). Without `sender` they leave from where
    `mailboxes` says by default: a person's own choice, or the organisation's (S2-19, S4-05).
    """
    book = open_book(organisation, wanted)
    if sender is None and made_by is not None:
        sender = mailboxes.sender_of(organisation, made_by)
    origin = sender or mailboxes.automatic_sender(organisation)
    replies = _replies(book, origin) if made_by is None else {}
    made = []
    for item in wanted:
        step = (int(item.action.plan), item.action.level)
        chosen = words.get(step) if isinstance(words, Mapping) else words
        method = channel or item.action.channel
        draft = _draft(book, item, on, not_before, made_by, chosen, method, origin)
        reply_to = replies.get(draft.debtor_id, origin.reply_to)
        draft = replace(draft, action_id=action_id, batch_id=batch_id, reply_to=reply_to)
        made.append(draft)
    return made


def _replies(book: Book, origin: Sender) -> dict[int, str]:
    """Who reads the replies to automatic messages of the system's address, by customer (S2-21)."""
    if origin.reply_to or origin.key != mailboxes.SYSTEM:
        return {}
    managers = {pk: customer.manager_id for pk, customer in book.customers.items()}
    readers = mailboxes.readers_of(book.organisation, managers.values())
    return {pk: readers[manager] for pk, manager in managers.items()}


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
    reason = held_back(book, action) if made_by is None else ""
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


def fragment(html: str) -> str:
    """The body of a stored mail, cleaned for showing inside a page of ours (styles dropped)."""
    return mark_safe(  # noqa: S308 - nh3 is what makes it safe
        nh3.clean(
            html,
            tags={"p", "br", "strong", "em", "table", "thead", "tbody", "tfoot", "tr", "th", "td"},
            attributes={"table": {"class"}, "td": {"class", "colspan"}, "th": {"class"}},
            clean_content_tags={"script", "style", "title", "head"},
        )
    )
