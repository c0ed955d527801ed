"""A print run of many letters, from the queue to the PDF/A, beside the same words set bare."""

import json
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from io import BytesIO
from statistics import median
from typing import Any

import typst
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image

from relance.accounts import clock
from relance.accounts.models import Organisation, User
from relance.dunning.daily.hooks import hooks
from relance.dunning.wording import letters
from relance.engine.wording import money_words
from relance.ledger.models import Customer, Invoice
from relance.ops.bench.cases import MORNING
from relance.outbox import print_runs, services
from relance.outbox.channels.letter import typeset
from relance.outbox.channels.letter.logos import accepted
from relance.outbox.models import Message

BARE = """#set page(paper: "a4", margin: 20mm)
#set text(font: "Libertinus Serif", size: 11pt)
#for words in json(bytes(sys.inputs.letters)) { page(words.join(linebreak())) }
"""
PLACES = (
    "29000 Quimper",
    "75011 Paris",
    "42000 Saint-Étienne",
    "1000 Bruxelles",
    "97400 Saint-Denis",
)


def measure(rounds: int) -> dict[str, Any]:
    """Letters a second of `print_runs.make` over all customers of the scratch ledger.

    Each has a letterhead with a logo and the five invoices of its customer; every tenth has a
    table of sixty lines over three pages.
    """
    organisation = Organisation.objects.get()
    moment = clock.local_moment(organisation, MORNING) + timedelta(hours=2)
    actor = User.objects.create_user("letters@relance.example", None)
    _letterhead(organisation)
    product, bare, pages = [], [], 0
    for _round in range(rounds):
        waiting = services.queue(drafts=list(_drafts(organisation, moment)), now=moment).messages
        ids = [message.pk for message in waiting]
        started = time.perf_counter()
        made = print_runs.make(
            organisation=organisation,
            message_ids=ids,
            actor=actor,
            now=moment,
            hooks=hooks(lambda: moment),
        )
        product.append(time.perf_counter() - started)
        if made.run.letters != len(ids):
            raise SystemExit(f"{made.run.letters} printed of {len(ids)}")
        pages = made.run.pages
        bare.append(_bare(waiting))
        print_runs.put_back(run=made.run)
        Message.objects.filter(pk__in=ids).delete()
    return {
        "letters": len(ids),
        "pages": pages,
        "per_second": len(ids) / median(product),
        "bare_per_second": len(ids) / median(bare),
        "seconds": product,
        "bare_seconds": bare,
    }


def _letterhead(organisation: Organisation) -> None:
    picture = BytesIO()
    Image.radial_gradient("L").resize((1000, 300)).save(picture, "PNG")
    logo = accepted(picture.getvalue())
    organisation.logo.name = default_storage.save(f"logos/{logo.name}", ContentFile(logo.content))
    organisation.address = "4 quai de l’Odet\n29000 Quimper"
    organisation.legal_form = "SAS au capital de 120 000 €, RCS Quimper 552 100 554"
    organisation.letter_footer = "Tél. 02 98 00 00 00"
    organisation.save()


def _drafts(organisation: Organisation, moment: datetime) -> Iterator[services.Draft]:
    owed: dict[int, list[Invoice]] = {}
    for invoice in Invoice.objects.filter(due__lt=MORNING).order_by("due", "pk"):
        owed.setdefault(invoice.customer_id, []).append(invoice)
    for customer in Customer.objects.order_by("pk"):
        mine = owed.get(customer.pk)
        if not mine:
            continue
        postcode, _space, city = PLACES[customer.pk % len(PLACES)].partition(" ")
        customer.address = f"{customer.pk % 200 + 1} rue des Halles"
        customer.postcode, customer.city = postcode, city
        customer.country = "BE" if city == "Bruxelles" else "FR"
        yield _draft(organisation, customer, mine, moment)


def _draft(
    organisation: Organisation, customer: Customer, mine: Sequence[Invoice], moment: datetime
) -> services.Draft:
    cents = sum(one.balance_cents for one in mine)
    rows = [
        [
            one.number,
            f"{one.issued:%d/%m/%Y}",
            f"{one.due:%d/%m/%Y}",
            money_words(one.balance_cents, "EUR"),
        ]
        for one in mine
    ]
    if customer.pk % 10 == 0:
        rows = (rows * 60)[:60]
    letter = letters.compose(
        organisation,
        customer,
        subject=f"Vos factures échues, {customer.code}",
        pieces=[
            ("", "Madame, Monsieur,"),
            ("", f"Sauf erreur de notre part, {customer.name} nous doit encore ces factures. " * 3),
            ("tableau_factures", "F"),
            ("", "Merci de procéder à leur règlement par virement.\nCamille Le Goff"),
        ],
        table=letters.Table(
            ["Facture", "Date", "Échéance", "Reste dû"],
            rows,
            ("Total à régler", money_words(cents, "EUR")),
        ),
        date_words="24 novembre 2026",
        currency="EUR",
        signature="Camille Le Goff",
    )
    return services.Draft(
        organisation=organisation,
        customer_id=customer.pk,
        on=MORNING,
        not_before=moment,
        sender="relance@bench.example",
        recipients=[],
        subject="Vos factures échues",
        text="Sauf erreur de notre part.",
        channel="letter",
        purpose=Message.Purpose.AD_HOC,
        amount_cents=cents,
        lines=[services.Line(one.pk, one.balance_cents) for one in mine],
        letter=letter,
    )


def _bare(waiting: Sequence[Message]) -> float:
    """Seconds of Typst for the same words on as many sheets, without layout, logo or PDF/A."""
    words = []
    for message in waiting:
        letter = message.letter or {}
        texts = [block["text"] for block in letter["blocks"]]
        rows = ["  ".join(row) for row in letter["rows"]]
        words.append([*letter["from"], *letter["to"], letter["subject"], *texts, *rows])
    started = time.perf_counter()
    compiler = typst.Compiler(
        BARE.encode(),
        root=str(typeset.FOLDER),
        ignore_system_fonts=True,
        sys_inputs={"letters": json.dumps(words)},
    )
    compiler.compile(format="pdf", pdf_tags=False)
    return time.perf_counter() - started
