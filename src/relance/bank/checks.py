"""Recompute the copies that the bank feed keeps, and say where they differ (doctor)."""

from collections.abc import Iterator

from relance.accounts.models import Organisation
from relance.bank.models import Document, Transaction
from relance.bank.services.state import CHUNK, wrong_documents, wrong_transactions


def differences(organisation: Organisation) -> Iterator[str]:
    """One French sentence per copy that is wrong: what is associated, covered, missing or left."""
    for ids in _parts(Transaction, organisation):
        for row, names in wrong_transactions(ids):
            yield f"opération {row.pk} {row.label[:40]} : {', '.join(names)} ne concordent pas"
    for ids in _parts(Document, organisation):
        for paper, left in wrong_documents(ids):
            yield f"justificatif {paper.pk} : reste {paper.left_cents} au lieu de {left}"


def _parts(
    model: type[Transaction] | type[Document], organisation: Organisation
) -> Iterator[list[int]]:
    last = 0
    while True:
        rows = model._default_manager.filter(organisation=organisation, pk__gt=last)
        ids = list(rows.order_by("pk").values_list("pk", flat=True)[:CHUNK])
        if not ids:
            return
        yield ids
        last = ids[-1]
