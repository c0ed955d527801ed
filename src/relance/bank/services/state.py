"""What a transaction still lacks: copies of its links, decided by the engine (S0-05 to S0-09)."""

from collections.abc import Iterable

from django.db.models import Count, Exists, OuterRef, Q, Sum
from django.db.models.functions import Abs, Coalesce

from relance.accounts.bulk import update_many
from relance.bank.models import Document, Link, Missing, Transaction
from relance.engine import receipts

COPIES = ("linked_cents", "covered_cents", "documents", "missing")
CHUNK = 500


def renew(transaction_ids: Iterable[int]) -> None:
    """Count the links of these transactions again and write what differs.

    An invoice that a credit pays is its own receipt: it covers what it is paid. So does the
    unapplied credit of what was paid over.
    """
    ids = sorted(set(transaction_ids))
    for start in range(0, len(ids), CHUNK):
        changed = [row for row, _names in wrong_transactions(ids[start : start + CHUNK])]
        for row in changed:
            for name, value in zip(COPIES, _copies(row), strict=True):
                setattr(row, name, value)
        update_many(Transaction, COPIES, changed)


def wrong_transactions(ids: list[int]) -> list[tuple[Transaction, list[str]]]:
    """Of these, the transactions whose copies differ from their links, and the names of those."""
    found = []
    for row in _counted(ids):
        pairs = zip(COPIES, _stored(row), _copies(row), strict=True)
        names = [name for name, stored, right in pairs if stored != right]
        if names:
            found.append((row, names))
    return found


def renew_documents(document_ids: Iterable[int]) -> None:
    """What is left of each document once its confirmed links are taken off."""
    changed = []
    for row, left in wrong_documents(sorted(set(document_ids))):
        row.left_cents = left
        changed.append(row)
    update_many(Document, ["left_cents"], changed)


def wrong_documents(ids: list[int]) -> list[tuple[Document, int | None]]:
    """Of these, the documents whose rest differs from their links, with what it should be."""
    rows = Document.objects.filter(pk__in=ids).annotate(
        used=Sum(
            Coalesce("links__paper_cents", Abs("links__amount_cents")),
            filter=Q(links__confirmed=True),
        )
    )
    found: list[tuple[Document, int | None]] = []
    for row in rows:
        left = None if row.amount_cents is None else abs(row.amount_cents) - (row.used or 0)
        if left != row.left_cents:
            found.append((row, left))
    return found


def _counted(ids: list[int]) -> Iterable[Transaction]:
    confirmed = Q(links__confirmed=True)
    proved = confirmed & (
        Q(links__document__isnull=False)
        | Q(links__invoice__isnull=False)
        | Q(links__credit__isnull=False)
    )
    waiting = Link.objects.filter(transaction=OuterRef("pk"), confirmed=False)
    return Transaction.objects.filter(pk__in=ids).annotate(
        now_linked=Sum("links__amount_cents", filter=confirmed),
        now_covered=Sum("links__amount_cents", filter=proved),
        now_documents=Count("links", filter=proved),
        now_associated=Count("links", filter=confirmed),
        now_potential=Exists(waiting),
    )


def _stored(row: Transaction) -> tuple[int, int, int, str]:
    return row.linked_cents, row.covered_cents, row.documents, row.missing


def _copies(row: Transaction) -> tuple[int, int, int, str]:
    linked = row.now_linked or 0  # type: ignore[attr-defined]
    covered = row.now_covered or 0  # type: ignore[attr-defined]
    documents = row.now_documents  # type: ignore[attr-defined]
    lacking = receipts.missing(
        receipts.Transaction(
            id=row.pk,
            on=row.booked,
            amount=row.amount_cents,
            associated=row.now_associated > 0,  # type: ignore[attr-defined]
            documents=documents,
            covered=covered if row.amount_cents > 0 else -covered,
            potential=row.now_potential,  # type: ignore[attr-defined]
            ignored=bool(row.waiver),
        )
    )
    return linked, covered, documents, Missing(lacking) if lacking else ""
