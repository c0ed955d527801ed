"""What several commands ask in the same words: which dossier, which date, which customer."""

import argparse
from datetime import date

from django.core.management.base import CommandError, CommandParser
from django.db.models import Q

from relance.accounts.models import Organisation
from relance.ledger.models import Customer


def add_organisation(parser: CommandParser) -> None:
    """--organisation SLUG; may be left out when there is only one."""
    parser.add_argument("--organisation", metavar="SLUG", help="dossier; default: the only one")


def local_day(text: str) -> date:
    """An ISO date of the command line, or argparse's own refusal."""
    try:
        return date.fromisoformat(text)
    except ValueError as fault:
        raise argparse.ArgumentTypeError(f"{text!r} n’est pas une date AAAA-MM-JJ") from fault


def organisation_of(slug: str | None) -> Organisation:
    """The dossier named, or the only one; CommandError with the list of slugs otherwise."""
    every = list(Organisation.objects.order_by("slug"))
    if slug is None and len(every) == 1:
        return every[0]
    for organisation in every:
        if organisation.slug == slug:
            return organisation
    names = ", ".join(organisation.slug for organisation in every) or "aucun"
    raise CommandError(f"Dossier à préciser avec --organisation ; dossiers : {names}")


def customer_of(organisation: Organisation, words: str) -> Customer:
    """The one customer with this code, or whose name holds these words."""
    customers = Customer.objects.filter(organisation=organisation)
    exact = customers.filter(code__iexact=words).first()
    if exact:
        return exact
    found = list(customers.filter(Q(name__icontains=words) | Q(search__contains=words.lower()))[:6])
    if len(found) == 1:
        return found[0]
    if not found:
        raise CommandError(f"Aucun client « {words} ».")
    names = ", ".join(f"{customer.code} ({customer.name})" for customer in found)
    raise CommandError(f"Plusieurs clients « {words} » : {names}")
