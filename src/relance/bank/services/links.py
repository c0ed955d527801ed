"""Associations: a document with a transaction, in whole or in part, and what needs no document."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta

from django.db import transaction as database
from django.db.models import Q
from django.utils.translation import gettext as _
from rapidfuzz import fuzz

from relance.accounts.models import Organisation, User
from relance.bank.models import BankRule, Document, Link, Transaction
from relance.bank.services.errors import BankRefused
from relance.bank.services.state import renew, renew_documents
from relance.formats.text import fold
from relance.history.services import Fact, append

BEFORE, AFTER = timedelta(days=60), timedelta(days=10)
"""A receipt is dated at most so long before the money moved, or after it."""
ALIKE = 70
"""Similarity of names, of 100, from which a supplier is recognised in a label."""


@database.atomic
def associate(
    *,
    row: Transaction,
    document: Document,
    actor: User | None,
    on: date,
    now: datetime,
    amount_cents: int | None = None,
) -> Link:
    """The document covers `amount_cents` (positive) of the transaction: by default what both lack.

    BankRefused when they belong to two dossiers, one of them is covered already, or the amount
    is more than the transaction lacks or the document has left.
    """
    locked = Transaction.objects.select_for_update().get(pk=row.pk)
    paper = Document.objects.select_for_update().get(pk=document.pk)
    if locked.organisation_id != paper.organisation_id:
        raise BankRefused(_("Ce justificatif n’est pas de ce dossier."))
    if Link.objects.filter(transaction=locked, document=paper, confirmed=True).exists():
        raise BankRefused(_("Ce justificatif est déjà associé à cette opération."))
    lacking = abs(locked.amount_cents) - abs(locked.covered_cents)
    most = lacking if paper.left_cents is None else min(lacking, paper.left_cents)
    cents = most if amount_cents is None else amount_cents
    if most <= 0:
        raise BankRefused(_("L’opération ou le justificatif est déjà associé en entier."))
    if not 0 < cents <= most:
        raise BankRefused(_("Ce montant dépasse ce qui reste à justifier."))
    Link.objects.filter(transaction=locked, document=paper, confirmed=False).delete()
    link = Link.objects.create(
        organisation=locked.organisation,
        transaction=locked,
        document=paper,
        amount_cents=cents if locked.amount_cents > 0 else -cents,
        made_by=actor,
        made_at=now,
    )
    renew([locked.pk])
    renew_documents([paper.pk])
    _tell("receipt_associated", locked, on, now, actor, {"file": paper.filename, "cents": cents})
    return link


@database.atomic
def dissociate(*, link: Link, actor: User, on: date, now: datetime) -> None:
    """The document is not this transaction's after all; an invoice is undone by `settlement`."""
    if link.document_id is None:
        raise BankRefused(_("Annulez plutôt le règlement de cette facture."))
    row, paper = link.transaction, link.document_id
    link.delete()
    renew([row.pk])
    renew_documents([paper])
    _tell("receipt_dissociated", row, on, now, actor, {})


@database.atomic
def waive(
    *,
    rows: Sequence[Transaction],
    waiver: str,
    actor: User | None,
    on: date,
    now: datetime,
    note: str = "",
) -> int:
    """These want no receipt (`Transaction.Waiver`); with an empty `waiver` they want one again."""
    ids = [row.pk for row in rows]
    changed = (
        Transaction.objects.filter(pk__in=ids)
        .exclude(waiver=waiver)
        .update(waiver=waiver, waiver_note=note[:300], rule=None)
    )
    renew(ids)
    for row in rows:
        _tell("receipt_waived", row, on, now, actor, {"waiver": waiver, "note": note[:300]})
    return changed


@database.atomic
def apply_rules(organisation: Organisation, rows: Iterable[Transaction]) -> int:
    """Waive what a rule says wants no receipt; the first rule that fits. How many were."""
    rules = list(BankRule.objects.filter(organisation=organisation))
    fitting = []
    for row in rows:
        rule = next((one for one in rules if fits(one, row)), None)
        if rule is not None and not row.waiver:
            row.waiver, row.rule = rule.effect, rule
            fitting.append(row)
    Transaction.objects.bulk_update(fitting, ["waiver", "rule"], batch_size=500)
    renew(row.pk for row in fitting)
    return len(fitting)


def fits(rule: BankRule, row: Transaction) -> bool:
    """True when every condition given holds: words of the label, account, absolute amount."""
    cents = abs(row.amount_cents)
    return (
        (not rule.words or fold(rule.words) in row.search)
        and rule.account_id in (None, row.account_id)
        and (rule.least_cents is None or cents >= rule.least_cents)
        and (rule.most_cents is None or cents <= rule.most_cents)
        and bool(rule.words or rule.account_id or rule.least_cents or rule.most_cents)
    )


@database.atomic
def propose(*, documents: Sequence[Document], now: datetime) -> int:
    """Unconfirmed links of documents with transactions of their amount, about their date.

    Reasons: AMOUNT, DATE, NAME. On a tie each is proposed and none decided (S0-08, D-23). How
    many links were made.
    """
    links: list[Link] = []
    for paper in documents:
        rows = _candidates(paper)
        named = [row for row in rows if _is_named(paper, row)]
        chosen = named or rows
        links += [
            Link(
                organisation=paper.organisation,
                transaction=row,
                document=paper,
                amount_cents=row.amount_cents,
                confirmed=False,
                automatic=True,
                reasons=["AMOUNT", "DATE", *(["NAME"] if named else [])],
                made_at=now,
            )
            for row in chosen[:5]
        ]
    Link.objects.bulk_create(links, ignore_conflicts=True)
    renew(link.transaction_id for link in links)
    return len(links)


def _candidates(paper: Document) -> list[Transaction]:
    """Transactions that lack a receipt, of the amount that the document has left, near its date."""
    if not paper.left_cents or paper.on is None:
        return []
    return list(
        Transaction.objects.filter(organisation=paper.organisation, waiver="")
        .filter(Q(amount_cents=-paper.left_cents) | Q(amount_cents=paper.left_cents))
        .filter(booked__gte=paper.on - AFTER, booked__lte=paper.on + BEFORE, documents=0)
        .filter(currency=paper.currency)
        .order_by("booked", "id")[:20]
    )


def _is_named(paper: Document, row: Transaction) -> bool:
    name = fold(paper.supplier)
    return len(name) > 2 and fuzz.partial_ratio(name, row.search) >= ALIKE


def _tell(
    kind: str,
    row: Transaction,
    on: date,
    now: datetime,
    actor: User | None,
    data: dict[str, object],
) -> None:
    about = {"transaction": row.pk, "label": row.label[:80], "amount_cents": row.amount_cents}
    append(row.organisation, [Fact(kind, now, on, data=about | data, actor=actor)])
