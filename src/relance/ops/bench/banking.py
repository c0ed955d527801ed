"""A dossier with years of bank behind it: a new statement matched, and the pages of Banque.

50 000 transactions of two accounts over five years, 20 000 documents of which a quarter wait, and
open invoices; then a statement of 1 000 lines, some of which pay invoices or have their receipt.
"""

import time
from datetime import date, timedelta
from typing import Any

from relance.bank.models import BankAccount, BankRule, Document, Link, Transaction
from relance.ops.bench.cases import MORNING

Found = dict[str, Any]
NAMES = ("METRO", "ORANGE PRO", "TOTALENERGIES", "SACEM", "EDF", "OVH", "LIDL", "PEAGE A11")
DAYS = 1_800
EVERY = 4
"""One document in so many waits for its transaction."""
INVOICES = 2_000

PAGES: list[tuple[str, str]] = [
    ("banque, à valider", ""),
    ("banque, un mois", "?du=2025-10-01&au=2025-10-31"),
    ("banque, toutes", "?etat=tout"),
    ("banque, toutes, page 150", "?etat=tout&page=150"),
    ("banque, par montant", "?etat=tout&tri=-montant"),
    ("banque, un libellé", "?etat=tout&q=sacem 1234"),
    ("banque, un montant", "?etat=tout&montant=123,45"),
    ("banque, une opération", "{row}/"),
    ("banque, justificatifs", "justificatifs/"),
    ("banque, un fournisseur", "justificatifs/?vue=tous&q=lidl"),
    ("banque, comptes", "comptes/"),
    ("banque, règles", "regles/"),
]


def prepare(transactions: int, documents: int) -> Found:
    """An empty database becomes the dossier."""
    from django.core.management import call_command

    from relance.accounts.models import User
    from relance.accounts.services import found_organisation
    from relance.bank.services.state import renew, renew_documents

    started = time.perf_counter()
    call_command("migrate", verbosity=0, skip_checks=True)
    owner = User.objects.create_user("bench@relance.example", None)
    organisation = found_organisation(name="Mesures", owner=owner)
    accounts = [
        BankAccount.objects.create(organisation=organisation, number=f"FR76{place}")
        for place in range(2)
    ]
    rows = [_transaction(organisation.pk, accounts[i % 2], i) for i in range(transactions)]
    Transaction.objects.bulk_create(rows, batch_size=2000)
    papers = [_document(organisation.pk, rows[i * 2 % transactions], i) for i in range(documents)]
    Document.objects.bulk_create(papers, batch_size=2000)
    links = [
        _link(organisation.pk, rows[i * 2 % transactions], paper)
        for i, paper in enumerate(papers)
        if i % EVERY
    ]
    Link.objects.bulk_create(links, batch_size=2000)
    BankRule.objects.create(organisation=organisation, position=1, words="péage")
    renew(row.pk for row in rows)
    renew_documents(paper.pk for paper in papers)
    _invoices(organisation)
    return {"seconds": time.perf_counter() - started}


def _transaction(organisation: int, account: BankAccount, i: int) -> Transaction:
    label = f"{NAMES[i % len(NAMES)]} {i}"
    return Transaction(
        organisation_id=organisation,
        account=account,
        key=f"k{i}",
        booked=MORNING - timedelta(days=DAYS - i * DAYS // 50_000),
        amount_cents=(500 + (i * 7919) % 300_000) * (1 if i % 10 == 0 else -1),
        label=label,
        search=label.lower(),
        missing="not_associated",
        waiver="exempt" if i % 8 == 7 else "",
    )


def _document(organisation: int, row: Transaction, i: int) -> Document:
    waits = i % EVERY == 0
    cents = abs(row.amount_cents)
    return Document(
        organisation_id=organisation,
        file=f"documents/{i}.pdf",
        filename=f"facture-{i}.pdf",
        sha256=f"{i:064x}",
        mime="application/pdf",
        size=10_000,
        received_at=f"{row.booked.isoformat()} 08:00:00+00:00",
        on=MORNING if waits else row.booked,
        amount_cents=cents,
        left_cents=cents,
        supplier=row.label.rsplit(" ", 1)[0],
    )


def _link(organisation: int, row: Transaction, paper: Document) -> Link:
    return Link(
        organisation_id=organisation,
        transaction=row,
        document=paper,
        amount_cents=row.amount_cents,
        made_at="2026-01-01 00:00:00+00:00",
    )


def _invoices(organisation: Any) -> None:
    from relance.ledger.models import Customer, Invoice

    customers = [
        Customer(organisation=organisation, name=f"Client {i}", code=f"C{i}", search=f"client {i}")
        for i in range(INVOICES // 4)
    ]
    Customer.objects.bulk_create(customers, batch_size=1000)
    due = MORNING - timedelta(days=10)
    Invoice.objects.bulk_create(
        [
            Invoice(
                organisation=organisation,
                customer=customers[i % len(customers)],
                number=f"FA-2026-{i:05d}",
                issued=due - timedelta(days=30),
                due=due,
                total_cents=10_000 + i,
                balance_cents=10_000 + i,
            )
            for i in range(INVOICES)
        ],
        batch_size=1000,
    )


def statement(lines: int, day: date) -> bytes:
    """An OFX statement: one line in five pays an invoice, two have a receipt that waits."""
    waiting = Document.objects.filter(left_cents__gt=0).values_list("left_cents", flat=True)
    amounts = [cents or 0 for cents in waiting[:lines]]
    body = []
    for i in range(lines):
        if i % 5 == 0:
            cents, label = 10_000 + i, f"VIR SEPA FA 2026 {i:05d}"
        elif i % 5 < 3 and amounts:
            cents, label = -amounts[i % len(amounts)], f"CB {NAMES[i % len(NAMES)]} {i}"
        else:
            cents, label = -(700 + i * 13), f"{NAMES[i % len(NAMES)]} {i}"
        body.append(
            f"<STMTTRN><DTPOSTED>{day:%Y%m%d}<TRNAMT>{cents / 100:.2f}<FITID>N{i}<NAME>{label}"
            "</STMTTRN>"
        )
    head = "OFXHEADER:100\n<OFX><STMTRS><CURDEF>EUR<ACCTID>FR760"
    return f"{head}{''.join(body)}</STMTRS></OFX>".encode()


def take_in(lines: int) -> Found:
    """A new statement from its upload to its report."""
    from relance.accounts import clock
    from relance.accounts.models import Organisation, User
    from relance.bank.services import feed, statements

    organisation, owner = Organisation.objects.get(), User.objects.get()
    now = clock.local_moment(organisation, MORNING)
    raw = statement(lines, MORNING)
    started = time.perf_counter()
    imported = feed.receive(
        organisation=organisation, raw=raw, filename="releve.ofx", now=now, actor=owner
    )
    found = statements.read_file(raw)
    statements.preview_file(organisation=organisation, raw=raw, found=found)
    taken = feed.take_in(imported=imported, found=found, on=MORNING, now=now, actor=owner)
    seconds = time.perf_counter() - started
    report = dict(taken.imported.report)
    if taken.imported.added != lines or not report["automatic"] or not report["receipts"]:
        raise SystemExit(f"{taken.imported.added} lines of {lines}: {report}")
    return {"seconds": seconds, "report": report}


def measure(rounds: int) -> Found:
    """Milliseconds of each page of Banque, through the whole of Django."""
    from django.conf import settings
    from django.test import Client

    from relance.accounts import clock
    from relance.accounts.models import Organisation, User
    from relance.ops.bench.pages import points, timed

    organisation = Organisation.objects.get()
    now = clock.local_moment(organisation, MORNING)
    clock.now = lambda: now
    settings.ALLOWED_HOSTS = ["testserver"]
    client = Client()
    client.force_login(User.objects.get())
    row = Transaction.objects.exclude(missing="").latest("booked").pk
    found = []
    for name, address in PAGES:
        url = f"/d/{organisation.slug}/banque/{address.format(row=row)}"
        piece = {"HX-Request": "true"} if "{row}" in address else {}
        times = timed(client, url, piece, rounds + 1)
        found.append({"name": name, "first": times[0], **points(times[1:])})
    return {"pages": found}
