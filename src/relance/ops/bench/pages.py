"""The busiest pages over a large ledger, through the whole of Django, beside a bare query.

Each page is asked for once to warm up, then several times; its milliseconds are those of the
server: session, access, queries, template, everything but the network.
"""

import time
from typing import Any

Found = dict[str, Any]

PAGES: list[tuple[str, str]] = [
    ("aujourd'hui", ""),
    ("tableau de bord", "tableau-de-bord/"),
    ("tableau de bord, page 200", "tableau-de-bord/?page=200"),
    ("tableau de bord, page 20 000", "tableau-de-bord/?page=20000"),
    ("tableau de bord, par client", "tableau-de-bord/?tri=client"),
    ("tableau de bord, par numéro", "tableau-de-bord/?tri=numero"),
    ("tableau de bord, par échéance", "tableau-de-bord/?tri=-echeance"),
    ("tableau de bord, par reste dû", "tableau-de-bord/?tri=-reste"),
    ("tableau de bord, par niveau", "tableau-de-bord/?tri=-niveau"),
    ("tableau de bord, par relance", "tableau-de-bord/?tri=-relance"),
    ("tableau de bord, jamais relancées", "tableau-de-bord/?tri=relance"),
    ("tableau de bord, en litige", "tableau-de-bord/?etat=litiges"),
    ("tableau de bord, 31 à 60 j", "tableau-de-bord/?age=d31_60"),
    ("tableau de bord, un plan", "tableau-de-bord/?plan={plan}"),
    ("tableau de bord, un nom", "tableau-de-bord/?q=lemoine"),
    ("tableau de bord, un numéro", "tableau-de-bord/?q=F-4242"),
    ("clients", "clients/"),
    ("clients, page 200", "clients/?page=200"),
    ("clients, un nom", "clients/?q=lemoine"),
    ("clients, en retard", "clients/?etat=retard"),
    ("fiche client", "clients/{customer}/"),
    ("actions", "actions/"),
    ("actions, toutes", "actions/?vue=toutes"),
    ("envois", "envois/?etat=partis"),
    ("à relancer", "a-relancer/"),
    ("recherche, un nom", "@recherche/?q=lemoine"),
    ("recherche, un numéro", "@recherche/?q=12345"),
    ("recherche, un montant", "@recherche/?q=1 234,56"),
    ("recherche, rien", "@recherche/?q=introuvable"),
]
"""Words of the table, and the address under the dossier; @ when htmx asks for a piece."""

REFERENCE = (
    "SELECT id, number, due, balance_cents FROM ledger_invoice "
    "WHERE organisation_id = %s AND balance_cents > 0 ORDER BY due, id LIMIT 50"
)


def prepare(customers: int) -> Found:
    """An empty database becomes years of work over five invoices for each customer."""
    from django.core.management import call_command

    from relance.accounts.models import User
    from relance.ops.bench import books, ledger

    started = time.perf_counter()
    call_command("migrate", verbosity=0, skip_checks=True)
    books.fill(ledger.build(customers), User.objects.get())
    return {"seconds": time.perf_counter() - started}


def measure(rounds: int) -> Found:
    """Milliseconds of every page, and of the reference before and after them."""
    from django.conf import settings
    from django.test import Client

    from relance.accounts import clock
    from relance.accounts.models import Organisation, User
    from relance.dunning.models import Plan
    from relance.ledger.models import Customer
    from relance.ops.bench.cases import MORNING

    organisation = Organisation.objects.get()
    now = clock.local_moment(organisation, MORNING)
    clock.now = lambda: now
    settings.ALLOWED_HOSTS = ["testserver"]
    client = Client()
    client.force_login(User.objects.get())
    names = {"plan": Plan.objects.get(name="Standard").pk, "customer": Customer.objects.last().pk}  # type: ignore[union-attr]
    bare = _bare(organisation.pk, rounds)
    pages = []
    for name, address in PAGES:
        piece = {"HX-Request": "true"} if address.startswith("@") else {}
        url = f"/d/{organisation.slug}/" + address.lstrip("@").format(**names)
        times = timed(client, url, piece, rounds + 1)
        pages.append({"name": name, "first": times[0], **points(times[1:])})
    return {"pages": pages, "bare": points(bare + _bare(organisation.pk, rounds))}


def timed(client: Any, url: str, headers: dict[str, str], rounds: int) -> list[float]:
    """Milliseconds of each of so many looks at a page, that must answer 200."""
    times = []
    for _round in range(rounds):
        started = time.perf_counter()
        answer = client.get(url, headers=headers)
        times.append(1000 * (time.perf_counter() - started))
        if answer.status_code != 200:
            raise SystemExit(f"{url}: {answer.status_code}")
    return times


def _bare(organisation: int, rounds: int) -> list[float]:
    """Milliseconds of the fifty oldest open invoices by the driver alone."""
    from django.db import connection

    times = []
    with connection.cursor() as cursor:
        for _round in range(rounds):
            started = time.perf_counter()
            cursor.execute(REFERENCE, [organisation])
            cursor.fetchall()
            times.append(1000 * (time.perf_counter() - started))
    return times


def points(times: list[float]) -> dict[str, float]:
    """Median and the time that nineteen in twenty do not pass."""
    ordered = sorted(times)
    return {
        "p50": ordered[len(ordered) // 2],
        "p95": ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))],
    }
