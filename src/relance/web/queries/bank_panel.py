"""The panel of a transaction: its associations, what was found for it, what was asked about it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from relance.accounts.access import Access
from relance.bank.models import Document, Link, Transaction
from relance.ledger.models import Invoice
from relance.receipts.models import Answer, Asked
from relance.web.queries import bank
from relance.web.queries.receipts import hears

REASONS: dict[str, Any] = {
    "AMOUNT": gettext_lazy("même montant"),
    "DATE": gettext_lazy("dates proches"),
    "NAME": gettext_lazy("fournisseur reconnu dans le libellé"),
    "REFERENCE": gettext_lazy("numéro de facture et montant exacts"),
    "REFERENCE_PART": gettext_lazy("numéro de facture reconnu, montant inférieur au dû"),
    "REFERENCE_OVER": gettext_lazy("numéro de facture reconnu, montant supérieur au dû"),
    "SUM": gettext_lazy("somme exacte de plusieurs factures de ce client"),
    "NEAR": gettext_lazy("client reconnu, montant à quelques centimes près"),
}
"""On what a proposal rests, in words; AMOUNT of an invoice has its own."""
OF_PAYER = gettext_lazy("client reconnu et montant exact")
MOST_CHOICES = 30


class Found(NamedTuple):
    """A document proposed for the transaction, and why."""

    link: Link
    document: Document
    why: str


class Share(NamedTuple):
    """An invoice of a proposal: what the transaction would pay of it, in cents."""

    invoice: Invoice
    cents: int


class Proposal(NamedTuple):
    """Invoices of one customer that a credit may pay."""

    rank: int
    customer: str
    why: str
    shares: list[Share]


class Held(NamedTuple):
    """A confirmed association: `kind` is document, invoice, over or expense."""

    link: Link
    kind: str
    name: str
    cents: int
    visible: bool


@dataclass
class Panel:
    """All that the panel of one transaction shows; amounts in cents, positive.

    `note`, why nothing is asked, may be a client's: it goes with his answer (D-22).
    """

    row: Transaction
    association: bank.Association
    receipt: bank.Receipt
    held: list[Held] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)
    proposals: list[Proposal] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    choices: list[Document] = field(default_factory=list)
    expense: str = ""
    note: str = ""
    lacking: int = 0

    @property
    def settles(self) -> bool:
        """Whether it pays invoices: then it is undone as a whole."""
        return any(one.kind == "invoice" for one in self.held)

    @property
    def may_add(self) -> bool:
        """Something lacks, or an invoice was cut to the amount and a credit note explains it."""
        return self.lacking > 0 or any(
            one.link.document is not None
            and (one.link.document.amount_cents or 0) > 0
            and (one.link.document.left_cents or 0) > 0
            for one in self.held
        )

    @property
    def may_settle(self) -> bool:
        """Money came in and nothing is associated yet."""
        return self.row.amount_cents > 0 and not self.held


def panel(access: Access, row: Transaction) -> Panel:
    """In six queries whatever the history."""
    links = list(
        Link.objects.filter(transaction=row)
        .select_related("document", "invoice__customer", "made_by")
        .order_by("id")
    )
    papers = [link.document_id for link in links if link.document_id]
    answers = Answer.objects.filter(transaction=row).select_related("document")
    every = list(answers.order_by("-at", "-id")[:20])
    heard = [one for one in every if hears(access, one)]
    asked = Asked.objects.filter(transaction=row).select_related("request__made_by")
    shown = Panel(
        row=row,
        association=bank.association(access, row, links),
        receipt=bank.receipt(row, links),
        held=[_held(access, link) for link in links if link.confirmed],
        found=_found(access, links),
        proposals=_proposals(links),
        asked=list(asked.order_by("-request__made_at", "-id")[:20]),
        answers=heard,
        note=row.waiver_note if len(heard) == len(every) else "",
        expense=next((link.label for link in links if link.label), ""),
        lacking=max(0, row.lacking_cents),
    )
    if shown.may_add and not row.waiver:
        shown.choices = choices(access, row, exclude=papers)
    return shown


def choices(access: Access, row: Transaction, *, exclude: Sequence[int | None]) -> list[Document]:
    """Documents to choose from: what is left of them, those of the same amount first."""
    wanted = abs(row.amount_cents)
    rows = bank.unassociated(bank.visible_documents(access)).exclude(
        pk__in=[key for key in exclude if key]
    )
    same = list(rows.filter(left_cents=wanted).order_by("-received_at", "-id")[:10])
    others = rows.filter(~Q(left_cents=wanted) | Q(left_cents=None))
    return same + list(others.order_by("-received_at", "-id")[: MOST_CHOICES - len(same)])


def _held(access: Access, link: Link) -> Held:
    kind = "document" if link.document_id else "invoice" if link.invoice_id else "expense"
    kind = "over" if link.credit_id else kind
    visible = link.document is None or bank.sees(access, link.document)
    return Held(link, kind, bank.name_of(access, link), abs(link.amount_cents), visible)


def _found(access: Access, links: Sequence[Link]) -> list[Found]:
    found = []
    for link in links:
        if link.confirmed or link.document is None:
            continue
        if bank.sees(access, link.document):
            words = [str(REASONS[code]) for code in link.reasons if code in REASONS]
            found.append(Found(link, link.document, ", ".join(words)))
    return found


def _proposals(links: Sequence[Link]) -> list[Proposal]:
    """Proposed invoices by rank; each invoice stands in one proposal."""
    ranked: dict[int, list[Link]] = {}
    for link in links:
        if not link.confirmed and link.invoice is not None:
            ranked.setdefault(_rank(link), []).append(link)
    made = []
    for rank, parts in sorted(ranked.items()):
        code = next((one for one in parts[0].reasons if not one.startswith("RANK_")), "")
        why = str(OF_PAYER if code == "AMOUNT" else REASONS.get(code, _("à vérifier")))
        shares = [Share(one.invoice, abs(one.amount_cents)) for one in parts if one.invoice]
        made.append(Proposal(rank, shares[0].invoice.customer.name, why, shares))
    return made


def _rank(link: Link) -> int:
    marks = [code.removeprefix("RANK_") for code in link.reasons if code.startswith("RANK_")]
    return int(marks[0]) if marks and marks[0].isdecimal() else 1
