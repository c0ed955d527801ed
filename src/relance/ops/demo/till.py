"""The bank of the company of the demonstration: what its customers paid, and what it spent.

The credits are those that its books know already, held to the invoices that they paid; one more
came this morning and waits for somebody to say which invoice it is.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from random import Random

from relance.accounts.models import Organisation, User
from relance.bank.models import BankAccount, BankRule, Link, Transaction
from relance.bank.services import links, settlement, statements
from relance.bank.services.state import renew
from relance.ledger.models import Invoice, Payment
from relance.ops.demo.firm import QUIET, SHOPS, Move, ofx

DAYS = 60
UNNAMED = "VIREMENT RECU CE JOUR"


def keep_bank(organisation: Organisation, *, on: date, now: datetime) -> None:
    """Two months of the account up to local date `on`, as if imported at `now`."""
    owner = organisation.memberships.select_related("user").order_by("pk")[0].user
    first = on - timedelta(days=DAYS)
    paid = list(
        Payment.objects.filter(
            organisation=organisation, credit=None, on__gte=first, on__lte=on, amount_cents__gt=0
        )
        .select_related("invoice__customer")
        .order_by("on", "pk")
    )
    for place, label in enumerate(QUIET[1:], 1):
        BankRule.objects.create(organisation=organisation, position=place, words=label)
    received = [
        Move(one.on, one.amount_cents, one.invoice.customer.name[:32], f"VIR {one.invoice.number}")
        for one in paid
    ]
    today = _today(organisation, on)
    raw = ofx(sorted([*received, *_spent(first, on), *today]), "30006000011234567890189")
    statements.import_file(
        organisation=organisation, raw=raw, filename="releve.ofx", on=on, now=now, actor=owner
    )
    BankAccount.objects.filter(organisation=organisation).update(name="Compte courant")
    links.apply_rules(organisation, Transaction.objects.filter(organisation=organisation))
    _hold(organisation, paid, owner, now)
    rows = Transaction.objects.filter(organisation=organisation, label__endswith=UNNAMED)
    settlement.settle(organisation=organisation, transactions=rows, on=on, now=now)


def _spent(first: date, on: date) -> list[Move]:
    dice = Random("kerdoncuff")  # noqa: S311 - a story, not a secret
    moves, day = [], first
    while day <= on:
        label = dice.choice([*SHOPS, *QUIET[1:]])
        moves.append(Move(day, -dice.randrange(1200, 160000, 5), label, f"{label} Carte"))
        day += timedelta(days=dice.randint(2, 5))
    return moves


def _today(organisation: Organisation, on: date) -> list[Move]:
    """A transfer of exactly what a customer owes, who did not say for which invoice."""
    owing = Invoice.objects.filter(organisation=organisation, balance_cents__gt=0, due__lt=on)
    invoice = owing.select_related("customer").order_by("-balance_cents", "pk").first()
    if invoice is None:
        return []
    return [Move(on, invoice.balance_cents, invoice.customer.name[:32], UNNAMED)]


def _hold(organisation: Organisation, paid: Sequence[Payment], owner: User, now: datetime) -> None:
    """Each credit holds the invoice that it paid, as its import would have done that day."""
    rows: dict[tuple[date, int, str], list[Transaction]] = {}
    for row in Transaction.objects.filter(organisation=organisation, amount_cents__gt=0):
        rows.setdefault((row.booked, row.amount_cents, row.label), []).append(row)
    made = []
    for one in paid:
        label = f"VIR {one.invoice.number}"
        found = [
            row
            for key, those in rows.items()
            if key[:2] == (one.on, one.amount_cents) and label in key[2]
            for row in those
        ]
        if not found:
            continue
        rows[found[0].booked, found[0].amount_cents, found[0].label].remove(found[0])
        made.append(
            Link(
                organisation=organisation,
                transaction=found[0],
                invoice=one.invoice,
                payment=one,
                amount_cents=one.amount_cents,
                automatic=True,
                reasons=["REFERENCE"],
                made_by=owner,
                made_at=now,
            )
        )
    Link.objects.bulk_create(made, batch_size=500)
    renew(link.transaction_id for link in made)
