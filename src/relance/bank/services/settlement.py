"""Credits settle invoices: by themselves when nothing is in doubt, else as a proposal (D4).

The chase stops at once because the payment is one of the ledger; whoever calls these verbs renews
the to-do of `Settled.customers`.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import NamedTuple

from django.db import transaction as database
from django.utils.translation import gettext as _

from relance.accounts.models import Organisation, User
from relance.bank.models import Link, Payer, Transaction
from relance.bank.services import overpaid, reversals
from relance.bank.services.errors import BankRefused
from relance.bank.services.state import renew
from relance.engine import matching
from relance.ledger import services as ledger
from relance.ledger.models import Customer, Invoice

MOST_PROPOSALS = 3


class Settled(NamedTuple):
    """Customers whose balance changed; counts of what was applied, proposed and taken back."""

    customers: set[int]
    automatic: int
    proposed: int
    reversed: int


@database.atomic
def settle(
    *, organisation: Organisation, transactions: Iterable[Transaction], on: date, now: datetime
) -> Settled:
    """Look for the invoices that these movements pay, and for the payments that they take back.

    Only an exact reference with the exact amount is applied; the rest becomes unconfirmed links.
    A credit that wants no receipt pays its invoice all the same; only an ignored one does not.
    """
    rows = [row for row in transactions if row.waiver != Transaction.Waiver.IGNORED]
    taken = set(Link.objects.filter(transaction__in=rows).values_list("transaction_id", flat=True))
    fresh = [row for row in rows if row.pk not in taken]
    incoming = [row for row in fresh if row.amount_cents > 0 and not row.reversal]
    customers: set[int] = set()
    paid: set[int] = set()
    automatic = proposed = undone = 0
    book = _book(organisation) if incoming else matching.open_book([], {}, [])
    for row in incoming:
        found = [one for one in matching.matches(_credit(row), book) if not paid & _ids(one)]
        if found and found[0].automatic and _still_owed(found[0]):
            customers |= _apply(row, found[0].shares, found[0].code, on, now, None)
            paid |= _ids(found[0])
            automatic += 1
        elif found:
            _propose(row, found[:MOST_PROPOSALS], now)
            proposed += 1
    for row in fresh:
        if row.reversal:
            back = reversals.take_back(row, cancel=cancel, on=on, now=now)
            customers |= back
            undone += bool(back)
    renew(row.pk for row in fresh)
    return Settled(customers, automatic, proposed, undone)


@database.atomic
def confirm(
    *,
    row: Transaction,
    shares: Sequence[tuple[int, int]],
    actor: User,
    on: date,
    now: datetime,
) -> Settled:
    """A person says which invoices the credit pays: (invoice id, cents) each.

    What is over becomes an unapplied credit of the customer, which the transaction holds too; his
    account is remembered as a payer's. BankRefused when the money is not enough, an invoice is
    settled, or two customers.
    """
    locked = Transaction.objects.select_for_update().get(pk=row.pk)
    if Link.objects.filter(transaction=locked, confirmed=True).exists():
        raise BankRefused(_("Cette opération est déjà associée."))
    meant = Invoice.objects.select_for_update().order_by("pk")  # another credit may pay it now
    invoices = meant.filter(
        organisation=locked.organisation, pk__in=[key for key, _cents in shares]
    ).in_bulk()
    if not shares or len(invoices) != len(shares):
        raise BankRefused(_("Choisissez au moins une facture de ce dossier."))
    owners = {one.customer_id for one in invoices.values()}
    if len(owners) > 1:
        raise BankRefused(_("Un virement règle les factures d’un seul client."))
    if any(one.currency != locked.currency for one in invoices.values()):
        raise BankRefused(_("La facture et le virement n’ont pas la même devise."))
    if any(not 0 < cents <= invoices[key].balance_cents for key, cents in shares):
        raise BankRefused(_("Une des factures est déjà réglée, ou doit moins que ce montant."))
    left = locked.amount_cents - sum(cents for _key, cents in shares)
    if left < 0:
        raise BankRefused(_("Le virement ne suffit pas à régler ce montant."))
    Link.objects.filter(transaction=locked, confirmed=False).delete()
    made = [matching.Share(key, cents) for key, cents in shares]
    customers = _apply(locked, made, "CHOSEN", on, now, actor)
    [customer_id] = owners
    if left:
        overpaid.keep(locked, customer_id, left, on, now, actor)
    if locked.iban:
        Payer.objects.update_or_create(
            organisation=locked.organisation,
            iban=matching.compact(locked.iban)[:40],
            defaults={"customer_id": customer_id},
        )
    renew([locked.pk])
    return Settled(customers, 0, 0, 0)


@database.atomic
def reject(*, row: Transaction) -> None:
    """None of the proposed invoices is meant: the proposals go, nothing is applied."""
    Link.objects.filter(transaction=row, invoice__isnull=False, confirmed=False).delete()
    renew([row.pk])


@database.atomic
def undo(*, row: Transaction, actor: User, on: date, now: datetime) -> Settled:
    """Take back what this credit settled: the invoices are open again, at their level."""
    customers = cancel(row, on, now, actor)
    renew([row.pk])
    return Settled(customers, 0, 0, len(customers))


def _book(organisation: Organisation) -> matching.Book:
    """The open invoices and known payers of the organisation, in three queries."""
    dues = Invoice.objects.filter(organisation=organisation, balance_cents__gt=0).values_list(
        "id", "customer_id", "number", "balance_cents", "currency", "due"
    )
    ibans = dict(Payer.objects.filter(organisation=organisation).values_list("iban", "customer_id"))
    names = Customer.objects.filter(organisation=organisation).values_list("id", "name")
    return matching.open_book(
        (matching.Due(*row[:5], row[5].isoformat()) for row in dues), ibans, names
    )


def _credit(row: Transaction) -> matching.Credit:
    return matching.Credit(
        row.amount_cents, row.currency, row.label, row.reference, row.name, row.iban
    )


def _ids(match: matching.Match) -> set[int]:
    return {share.invoice for share in match.shares}


def _still_owed(match: matching.Match) -> bool:
    """False when somebody paid one of them since the book was opened."""
    owed = dict(
        Invoice.objects.filter(pk__in=[share.invoice for share in match.shares]).values_list(
            "id", "balance_cents"
        )
    )
    return all(owed.get(share.invoice, 0) >= share.amount for share in match.shares)


def _apply(
    row: Transaction,
    shares: Sequence[matching.Share],
    code: str,
    on: date,
    now: datetime,
    actor: User | None,
) -> set[int]:
    invoices = Invoice.objects.select_related("organisation").in_bulk(
        [share.invoice for share in shares]
    )
    customers = set()
    for share in shares:
        invoice = invoices[share.invoice]
        payment = ledger.record_payment(
            invoice=invoice,
            amount_cents=share.amount,
            on=min(row.booked, on),
            now=now,
            actor=actor,
            reference=(row.reference or row.label)[:120],
        )
        Link.objects.create(
            organisation=row.organisation,
            transaction=row,
            invoice=invoice,
            payment=payment,
            amount_cents=share.amount,
            automatic=actor is None,
            reasons=[code],
            made_by=actor,
            made_at=now,
        )
        customers.add(invoice.customer_id)
    return customers


def _propose(row: Transaction, found: Sequence[matching.Match], now: datetime) -> None:
    """Unconfirmed links, the surest proposal first; an invoice stands in one of them only."""
    seen: set[int] = set()
    links = []
    for rank, match in enumerate(found, start=1):
        for share in match.shares:
            if share.invoice in seen:
                continue
            seen.add(share.invoice)
            links.append(
                Link(
                    organisation=row.organisation,
                    transaction=row,
                    invoice_id=share.invoice,
                    amount_cents=share.amount,
                    confirmed=False,
                    automatic=True,
                    reasons=[match.code, f"RANK_{rank}"],
                    made_at=now,
                )
            )
    Link.objects.bulk_create(links)


def cancel(row: Transaction, on: date, now: datetime, actor: User | None) -> set[int]:
    """Cancel the payments that a credit made; its links go."""
    customers = set()
    Transaction.objects.select_for_update().get(pk=row.pk)  # two who take it back at once
    links = Link.objects.select_related("invoice__organisation", "payment").filter(
        transaction=row, payment__isnull=False
    )
    for invoice, payment in ((link.invoice, link.payment) for link in links):
        if invoice is None or payment is None:
            continue
        ledger.record_payment(
            invoice=invoice,
            amount_cents=-payment.amount_cents,
            on=on,
            now=now,
            actor=actor,
            reference=payment.reference,
        )
        customers.add(invoice.customer_id)
    links.delete()
    overpaid.take_back(row, on, now, actor)
    renew([row.pk])
    return customers
