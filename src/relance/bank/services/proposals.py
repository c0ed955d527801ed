"""Receipts found: documents and transactions of one amount, about one date. Never decided here."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from django.db import transaction as database
from rapidfuzz import fuzz

from relance.accounts.models import Organisation
from relance.bank.models import Denial, Document, Link, Transaction
from relance.bank.services.state import renew
from relance.formats.text import fold

BEFORE, AFTER = timedelta(days=60), timedelta(days=10)
"""A receipt is dated at most so long before the money moved, or after it."""
ALIKE = 70
"""Similarity of names, of 100, from which a supplier is recognised in a label."""
MOST = 5
"""Transactions proposed for one document."""
CHUNK = 500


@database.atomic
def propose(*, documents: Sequence[Document], now: datetime) -> int:
    """Unconfirmed links of documents with transactions of their amount, about their date.

    Reasons: AMOUNT, DATE, NAME. On a tie each is proposed and none decided (S0-08, D-23); what a
    person has denied is not proposed again. How many links were made.
    """
    by_dossier: dict[int, list[Document]] = defaultdict(list)
    for paper in documents:
        if paper.left_cents and paper.on is not None:
            by_dossier[paper.organisation_id].append(paper)
    return sum(_propose(key, papers, now) for key, papers in by_dossier.items())


def propose_for(
    *, organisation: Organisation, transactions: Iterable[Transaction], now: datetime
) -> int:
    """The same for transactions that came in: documents that were there before them."""
    amounts = {abs(row.amount_cents) for row in transactions}
    papers: list[Document] = []
    for part in _chunks(sorted(amounts)):
        papers += Document.objects.filter(organisation=organisation, left_cents__in=part)
    return propose(documents=papers, now=now)


def _propose(organisation_id: int, papers: Sequence[Document], now: datetime) -> int:
    rows = _lacking(organisation_id, papers)
    settled = _settled_pairs(papers)
    links: list[Link] = []
    for paper in papers:
        found = [
            row
            for row in rows.get((paper.left_cents or 0, paper.currency), ())
            if _is_near(paper, row) and (row.pk, paper.pk) not in settled
        ]
        named = [row for row in found if _is_named(paper, row)]
        links += [
            Link(
                organisation_id=organisation_id,
                transaction=row,
                document=paper,
                amount_cents=row.amount_cents,
                confirmed=False,
                automatic=True,
                reasons=["AMOUNT", "DATE", *(["NAME"] if named else [])],
                made_at=now,
            )
            for row in (named or found)[:MOST]
        ]
    Link.objects.bulk_create(links, batch_size=CHUNK, ignore_conflicts=True)
    renew(link.transaction_id for link in links)
    return len(links)


def _lacking(
    organisation_id: int, papers: Sequence[Document]
) -> Mapping[tuple[int, str], list[Transaction]]:
    """Transactions without any document, of the amounts that documents have left, oldest first."""
    amounts = {paper.left_cents or 0 for paper in papers}
    days = [paper.on for paper in papers if paper.on is not None]
    if not days:
        return {}
    found: dict[tuple[int, str], list[Transaction]] = defaultdict(list)
    for part in _chunks(sorted({sign * cents for cents in amounts for sign in (1, -1)})):
        for row in Transaction.objects.filter(
            organisation_id=organisation_id,
            amount_cents__in=part,
            booked__gte=min(days) - AFTER,
            booked__lte=max(days) + BEFORE,
            waiver="",
            documents=0,
        ).order_by("booked", "id"):
            found[abs(row.amount_cents), row.currency].append(row)
    return found


def _settled_pairs(papers: Sequence[Document]) -> set[tuple[int, int]]:
    """(transaction, document) that are linked already, or that a person has denied."""
    pairs: set[tuple[int, int]] = set()
    for part in _chunks([paper.pk for paper in papers]):
        for model in (Link, Denial):
            rows = model._default_manager.filter(document_id__in=part)
            pairs.update(rows.values_list("transaction_id", "document_id"))
    return pairs


def _is_near(paper: Document, row: Transaction) -> bool:
    return paper.on is not None and paper.on - AFTER <= row.booked <= paper.on + BEFORE


def _is_named(paper: Document, row: Transaction) -> bool:
    name = fold(paper.supplier)
    return len(name) > 2 and fuzz.partial_ratio(name, row.search) >= ALIKE


def _chunks(values: Sequence[int]) -> Iterable[Sequence[int]]:
    return (values[start : start + CHUNK] for start in range(0, len(values), CHUNK))
