"""A letter as plain data, ready for the printer: addresses, date, words, table of invoices.

What is decided here is frozen with the message; `outbox.channels.letter` only lays it out.
"""

import re
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from relance.accounts.models import Organisation
from relance.engine import model as engine
from relance.formats.postal_address import PostalAddress, format_address
from relance.ledger.models import Customer

POSTCODE_AND_CITY = re.compile(r"\d{5}\s+\D.*")


class Table(NamedTuple):
    """The table of a letter, in words: the last `amounts` columns are amounts.

    `sums` are (label, amount) above the `total`; `notes` are small print below.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    total: tuple[str, str]
    amounts: int = 1
    sums: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = ()


class Formal(NamedTuple):
    """What a mise en demeure adds (A10): its table, the addressee's SIREN, what is enclosed."""

    table: Table
    siren: str
    enclosures: Sequence[str]


def postal_address(customer: Customer, attention: str = "") -> PostalAddress:
    """The address block of a customer (NF Z 10-011), with the faults that keep it from print."""
    return format_address(
        customer.name,
        attention=attention,
        address=customer.address,
        postcode=customer.postcode,
        city=customer.city,
        country=customer.country,
    )


def address_lines(customer: Customer, attention: str = "") -> list[str]:
    """The address block, from the name to the country; empty when a letter would not arrive."""
    found = postal_address(customer, attention)
    return [] if found.faults else list(found.lines)


def why_no_letter(customer: Customer) -> str:
    """The first reason for which no letter can be addressed to a customer, as a French sentence."""
    faults = postal_address(customer).faults
    return faults[0].sentence(_) if faults else ""


def sender_lines(organisation: Organisation) -> list[str]:
    """Who writes: name and address."""
    return [organisation.name, *_lines(organisation.address)]


def legal_lines(organisation: Organisation) -> list[str]:
    """Legal form with capital and register as typed, and the SIREN when it is not in it."""
    form, siren = organisation.legal_form, organisation.siren
    told = siren and siren in re.sub(r"\D", "", form)
    return [*([form] if form else []), *([f"SIREN {grouped(siren)}"] if siren and not told else [])]


def grouped(siren: str) -> str:
    """`552 100 554`; a SIRET ends with its five digits."""
    digits = re.sub(r"\s", "", siren)
    parts = [digits[:3], digits[3:6], digits[6:9], digits[9:]]
    return "\u00a0".join(part for part in parts if part)


def place(organisation: Organisation) -> str:
    """The town before the date, read from the address; empty when it holds none."""
    for line in reversed(_lines(organisation.address)):
        if POSTCODE_AND_CITY.fullmatch(line):
            town = re.sub(r"\s+CEDEX.*", "", line.split(maxsplit=1)[1], flags=re.IGNORECASE)
            return town.title() if town.isupper() else town
    return ""


def plain_table(
    invoices: Sequence[engine.Invoice],
    amount: int,
    currency: str,
    day_words: Callable[[date], str],
    money_words: Callable[[int, str], str],
) -> Table:
    """The invoices of a simple letter and what is left of them, in cents."""
    return Table(
        head=[_("Facture"), _("Date"), _("Échéance"), _("Reste dû")],
        rows=[
            [
                one.number,
                day_words(one.issued),
                day_words(one.due),
                money_words(one.balance, one.currency),
            ]
            for one in invoices
        ],
        total=(_("Total à régler"), money_words(amount, currency)),
    )


def compose(
    organisation: Organisation,
    customer: Customer,
    *,
    subject: str,
    pieces: Sequence[tuple[str, str]],
    table: Table,
    date_words: str,
    currency: str,
    signature: str,
    attention: str = "",
    registered: bool = False,
    formal: Formal | None = None,
) -> dict[str, Any]:
    """What is stored as `Message.letter`; every text in the language that is active.

    `pieces` come from `templating.pieces`. Its `to` is empty when the customer has no complete
    postal address, and `why_not` says why: the outbox refuses it.
    """
    town = place(organisation)
    dateline = _("%(place)s, le %(date)s") % {"place": town, "date": date_words}
    to = address_lines(customer, attention) or address_lines(customer)
    shown = formal.table if formal else table
    marks = [(_("N/Réf."), customer.code)] if customer.code else []
    if formal and formal.siren:
        marks.append((_("Votre SIREN"), grouped(formal.siren)))
    return {
        "to": to,
        "why_not": "" if to else why_no_letter(customer),
        "addressee": customer.name,
        "from": sender_lines(organisation),
        "legal": legal_lines(organisation),
        "logo": organisation.logo.name or "",
        "footer": organisation.letter_footer,
        "place": town,
        "date": date_words,
        "dateline": dateline if town else date_words,
        "language": customer.language,
        "registered": _("Lettre recommandée avec avis de réception") if registered else "",
        "references": [list(mark) for mark in marks],
        "enclosures": list(formal.enclosures) if formal else [],
        "enclosures_label": _("P. J."),
        "subject_label": _("Objet"),
        "page_label": _("Page"),
        "subject": subject,
        "blocks": [
            {"kind": "invoices" if name == "tableau_factures" else "text", "text": text}
            for name, text in pieces
        ],
        "head": list(shown.head),
        "rows": [list(row) for row in shown.rows],
        "amounts": shown.amounts,
        "sums": [list(one) for one in shown.sums],
        "notes": list(shown.notes),
        "total": list(shown.total),
        "currency": currency,
        "signature": signature,
        "formal": formal is not None,
    }


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
