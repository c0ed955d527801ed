"""A letter as plain data, ready for the printer: addresses, date, words, table of invoices.

What is decided here is frozen with the message; `outbox.channels.letter` only lays it out.
"""

import re
from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _

from relance.accounts.models import Organisation
from relance.ledger.models import Customer

POSTCODE_AND_CITY = re.compile(r"\d{5}\s+\D.*")
COUNTRIES = {
    "AT": "AUTRICHE",
    "BE": "BELGIQUE",
    "CA": "CANADA",
    "CH": "SUISSE",
    "CZ": "TCHÉQUIE",
    "DE": "ALLEMAGNE",
    "DK": "DANEMARK",
    "DZ": "ALGÉRIE",
    "ES": "ESPAGNE",
    "FI": "FINLANDE",
    "GB": "ROYAUME-UNI",
    "GR": "GRÈCE",
    "HU": "HONGRIE",
    "IE": "IRLANDE",
    "IT": "ITALIE",
    "LU": "LUXEMBOURG",
    "MA": "MAROC",
    "MC": "MONACO",
    "NL": "PAYS-BAS",
    "NO": "NORVÈGE",
    "PL": "POLOGNE",
    "PT": "PORTUGAL",
    "RO": "ROUMANIE",
    "SE": "SUÈDE",
    "SN": "SÉNÉGAL",
    "TN": "TUNISIE",
    "US": "ÉTATS-UNIS",
}


def address_lines(customer: Customer, attention: str = "") -> list[str]:
    """The address block, from the name to the country; empty when a letter would not arrive.

    It needs a street and a town: the fields of the customer, or a town written in the address
    itself. Lines follow NF Z 10-011: the last one is the town, or the country abroad.
    """
    street = _lines(customer.address)
    town = f"{customer.postcode} {customer.city.upper()}".strip()
    if not customer.city:
        found = [line for line in street if POSTCODE_AND_CITY.fullmatch(line)]
        if not found:
            return []
        town = found[-1].upper()
        street = [line for line in street if line != found[-1]]
    if not street:
        return []
    names = [customer.name] + ([attention] if attention and attention != customer.name else [])
    country = customer.country.upper()
    abroad = [COUNTRIES.get(country, country)] if country not in ("", "FR") else []
    return [*names, *street, town, *abroad]


def sender_lines(organisation: Organisation) -> list[str]:
    """Who writes: name, address, SIREN."""
    siren = [f"SIREN {organisation.siren}"] if organisation.siren else []
    return [organisation.name, *_lines(organisation.address), *siren]


def place(organisation: Organisation) -> str:
    """The town before the date, read from the address; empty when it holds none."""
    for line in reversed(_lines(organisation.address)):
        if POSTCODE_AND_CITY.fullmatch(line):
            town = re.sub(r"\s+CEDEX.*", "", line.split(maxsplit=1)[1], flags=re.IGNORECASE)
            return town.title() if town.isupper() else town
    return ""


def compose(
    organisation: Organisation,
    customer: Customer,
    *,
    subject: str,
    pieces: Sequence[tuple[str, str]],
    rows: Sequence[Sequence[str]],
    total: str,
    date_words: str,
    currency: str,
    signature: str,
    attention: str = "",
    registered: bool = False,
) -> dict[str, Any]:
    """What is stored as `Message.letter`; every text in the language that is active.

    `pieces` come from `templating.pieces`; `rows` hold number, date, due date and amount in words.
    Its `to` is empty when the customer has no complete postal address: the outbox refuses it.
    """
    town = place(organisation)
    dateline = _("%(place)s, le %(date)s") % {"place": town, "date": date_words}
    return {
        "to": address_lines(customer, attention),
        "from": sender_lines(organisation),
        "place": town,
        "date": date_words,
        "dateline": dateline if town else date_words,
        "language": customer.language,
        "registered": _("Lettre recommandée avec avis de réception") if registered else "",
        "subject_label": _("Objet"),
        "page_label": _("Page"),
        "subject": subject,
        "blocks": [
            {"kind": "invoices" if name == "tableau_factures" else "text", "text": text}
            for name, text in pieces
        ],
        "head": [_("Facture"), _("Date"), _("Échéance"), _("Reste dû")],
        "rows": [list(row) for row in rows],
        "total": [_("Total à régler"), total],
        "currency": currency,
        "signature": signature,
    }


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
