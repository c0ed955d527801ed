"""Justificatifs reçus: the documents of a dossier, those that wait for their transaction first."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from django.core.paginator import Page
from django.db.models import Q, QuerySet

from relance.accounts.access import Access
from relance.bank.models import Document, Link
from relance.web.queries import bank
from relance.web.queries.paging import page_of

WAITING = "attente"
VIEWS = (WAITING, "associes", "tous")


class Line(NamedTuple):
    """A document with what holds it, and what is proposed."""

    document: Document
    held: list[Link]
    proposed: int


@dataclass(frozen=True)
class Shown:
    """One page of documents."""

    page: Page[Any]
    lines: list[Line]
    view: str
    text: str


def documents(access: Access, *, view: str, text: str, page: str) -> Shown:
    """One page: a count, the documents, their links."""
    view = view if view in VIEWS else WAITING
    text = " ".join(text.replace("\0", "").split())[:80]
    rows: QuerySet[Document] = bank.visible_documents(access)
    if view == WAITING:
        rows = bank.unassociated(rows)
    elif view == "associes":
        held = Link.objects.filter(confirmed=True, document__isnull=False)
        rows = rows.filter(pk__in=held.values("document_id"))
    if text:
        rows = rows.filter(
            Q(supplier__icontains=text) | Q(filename__icontains=text) | Q(number__icontains=text)
        )
    shown = page_of(rows.order_by("-received_at", "-id"), page)
    found = list(shown.object_list)
    links: dict[int, list[Link]] = {}
    for link in Link.objects.filter(document__in=found).select_related("transaction"):
        links.setdefault(link.document_id or 0, []).append(link)
    lines = [
        Line(
            one,
            [link for link in links.get(one.pk, []) if link.confirmed],
            sum(1 for link in links.get(one.pk, []) if not link.confirmed),
        )
        for one in found
    ]
    return Shown(shown, lines, view, text)


def links_of(document: Document) -> list[Link]:
    """Its transactions: those it justifies, then those it may justify."""
    rows = Link.objects.filter(document=document).select_related("transaction")
    return list(rows.order_by("-confirmed", "transaction__booked", "id"))
