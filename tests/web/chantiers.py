"""Encaissements of chantiers: a plan by age and by invoice, as a building company sets it up."""

from datetime import date, timedelta
from html import unescape
from typing import Any

from django.test import Client

from relance.accounts.models import Organisation
from relance.dunning.daily import run
from relance.dunning.models import Plan, Step, Template, ToChase
from relance.ledger.models import Contact, Customer, Invoice, Site
from tests.conftest import NOW, TODAY, at, make_customer, make_invoice

D = "/d/ateliers-kerdoncuff"
LIST = f"{D}/a-relancer/"
LEVELS = [("Pré-rappel", -5), ("Premier rappel", 7), ("Second rappel", 15), ("Mise en demeure", 30)]


def plan_by_age(organisation: Organisation, *, automatic: tuple[int, ...] = ()) -> Plan:
    """J−5, J+7, J+15, J+30 by e-mail, each with its template; no delay between contacts."""
    plan = Plan.objects.create(
        organisation=organisation,
        name="Chantiers",
        scope="invoice",
        progression="age",
        min_contact_days=0,
    )
    for level, (name, days) in enumerate(LEVELS, 1):
        template = Template.objects.create(
            organisation=organisation,
            name=name,
            subject=f"{name} : {{{{ factures }}}}",
            body="Bonjour,\n\n{{ tableau_factures }}\n\n{{ signature }}",
        )
        Step.objects.create(
            organisation=organisation,
            plan=plan,
            level=level,
            name=name,
            days=days,
            channel="email",
            automatic=level in automatic,
            template=template,
            send_without_pdf=True,
        )
    return plan


def site_of(customer: Customer, name: str = "Quai Ouest", *favourites: str) -> Site:
    """A chantier whose favourites are new contacts with these addresses."""
    site = Site.objects.create(organisation=customer.organisation, customer=customer, name=name)
    for email in favourites:
        contact = Contact.objects.create(
            organisation=customer.organisation, customer=customer, name=email[:8], email=email
        )
        site.contacts.add(contact)
        site.favourites.add(contact)
    return site


def late(customer: Customer, number: str, days: int, site: Site | None = None) -> Invoice:
    """An invoice `days` late today (negative: due in so many days)."""
    return make_invoice(customer, number, TODAY - timedelta(days=days), 120_000, site=site)


def debtor(
    organisation: Organisation, plan: Plan, name: str = "Roussel", **more: object
) -> Customer:
    return make_customer(organisation, plan, name, **more)


def look(organisation: Organisation) -> None:
    """The morning's pass, so that the list is made."""
    run.run(organisation, on=TODAY, now=NOW, spread=False, pause=0)


def morning(organisation: Organisation, on: date) -> None:
    """The pass of another day."""
    run.run(organisation, on=on, now=at(on), spread=False, pause=0)


def words(answer: Any) -> str:
    """The text of an answer, its no-break spaces written as spaces."""
    return unescape(answer.content.decode()).replace("\u00a0", " ").replace("\u202f", " ")


def page(client: Client, query: str = "") -> str:
    """The list, which answers."""
    answer = client.get(f"{LIST}{query}")
    assert answer.status_code == 200
    return words(answer)


def section(text: str, level: str) -> str:
    """The part of the page that belongs to one level."""
    start = text.index(f'data-level-name="{level}"')
    return text[start : text.index("</tbody>", start)]


def window(client: Client, *invoices: Invoice) -> str:
    """The mail window about these encaissements, as the button opens it."""
    answer = client.get(
        f"{LIST}relancer/", {"ligne": [one.pk for one in invoices]}, headers={"HX-Request": "true"}
    )
    assert answer.status_code == 200
    return words(answer)


def send(client: Client, *invoices: Invoice, **more: Any) -> Any:
    """What « Envoyer par mail » posts; the words are those of the window."""
    line = ToChase.objects.filter(invoice__in=invoices).first()
    assert line is not None
    values: dict[str, Any] = {
        "ligne": [one.pk for one in invoices],
        "niveau": f"{line.plan_id}-{line.level}",
        "sender": "organisation",
        "subject": "Votre facture",
        "body": "Bonjour,\n\n{{ tableau_factures }}",
        "faire": "envoyer",
    }
    return client.post(f"{LIST}relancer/", values | more)


def mark(client: Client, *invoices: Invoice, note: str = "", level: str = "") -> Any:
    line = ToChase.objects.filter(invoice__in=invoices).first()
    level = level or (f"{line.plan_id}-{line.level}" if line else "1-2")
    ids = [one.pk for one in invoices]
    return client.post(
        f"{LIST}deja-relance/", {"ligne": ids, "niveau": level, "note": note}, follow=True
    )


__all__ = [
    "LIST",
    "D",
    "at",
    "debtor",
    "late",
    "look",
    "mark",
    "morning",
    "page",
    "plan_by_age",
    "section",
    "send",
    "site_of",
    "window",
    "words",
]
