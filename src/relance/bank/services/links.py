"""Associations: a document with a transaction, in whole or in part, and what needs no document."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import NamedTuple

from django.db import transaction as database
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from relance.accounts.bulk import update_many
from relance.accounts.models import Organisation, User
from relance.bank.models import BankRule, Denial, Document, Link, Transaction
from relance.bank.services.errors import BankRefused
from relance.bank.services.proposals import propose, propose_for
from relance.bank.services.state import renew, renew_documents
from relance.formats.text import fold
from relance.history.services import Fact, append

__all__ = [
    "Waived",
    "apply_rules",
    "associate",
    "confirm_found",
    "deducts",
    "deny",
    "dissociate",
    "fits",
    "fits_anything",
    "name_expense",
    "propose",
    "propose_for",
    "waive",
    "waive_each",
]


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
    """The document covers `amount_cents` (positive, in the currency of the account) of the
    transaction: by default what both lack.

    A credit note that comes beside invoices is taken off what they cover (`deducts`), so that an
    invoice of 100 and a credit note of 20 justify a payment of 80. A document in another currency
    covers by default all that lacks, and serves whole. BankRefused when they belong to two
    dossiers, one of them is covered already, or the amount is more than is lacking or left.
    """
    locked = Transaction.objects.select_for_update().get(pk=row.pk)
    paper = Document.objects.select_for_update().get(pk=document.pk)
    if locked.organisation_id != paper.organisation_id:
        raise BankRefused(_("Ce justificatif n’est pas de ce dossier."))
    if Link.objects.filter(transaction=locked, document=paper, confirmed=True).exists():
        raise BankRefused(_("Ce justificatif est déjà associé à cette opération."))
    deducted = deducts(locked, paper)
    cents = _covering(locked, paper, amount_cents, deducted)
    Link.objects.filter(transaction=locked, document=paper, confirmed=False).delete()
    foreign = paper.currency != locked.currency and paper.left_cents is not None
    link = Link.objects.create(
        organisation=locked.organisation,
        transaction=locked,
        document=paper,
        amount_cents=cents if (locked.amount_cents > 0) != deducted else -cents,
        paper_cents=paper.left_cents if foreign else None,
        made_by=actor,
        made_at=now,
    )
    if deducted:
        _make_room(locked, cents)
    renew([locked.pk])
    renew_documents([paper.pk])
    _drop_spent(locked.pk, paper.pk)
    _tell("receipt_associated", locked, on, now, actor, {"file": paper.filename, "cents": cents})
    return link


def deducts(row: Transaction, paper: Document) -> bool:
    """The document is a credit note that is taken off the invoices of this transaction.

    On money that went out it is, unless it stands alone for exactly what lacks (a refund to a
    customer); on money that came in only beside an invoice that covers more.
    """
    if paper.amount_cents is None or paper.amount_cents >= 0:
        return False
    if row.amount_cents < 0:
        return row.lacking_cents != paper.left_cents
    return row.lacking_cents <= 0 and _room(row).exists()


def _room(row: Transaction) -> QuerySet[Link]:
    """Invoices of the transaction, in its currency, that have more than it took of them."""
    return Link.objects.filter(
        transaction=row,
        confirmed=True,
        paper_cents=None,
        document__amount_cents__gt=0,
        document__left_cents__gt=0,
    )


def _covering(row: Transaction, paper: Document, wanted: int | None, deducted: bool) -> int:
    """How many cents of the transaction the document covers, or takes off. BankRefused."""
    lacking, left = row.lacking_cents, paper.left_cents
    foreign = paper.currency != row.currency
    if left is not None and left <= 0 and not (foreign and wanted):
        raise BankRefused(_("Ce justificatif est déjà associé en entier."))
    if foreign and deducted and wanted is None:
        raise BankRefused(
            _("Cet avoir est en %(paper)s\u00a0: donnez son montant en %(own)s, devise du compte.")
            % {"paper": paper.currency, "own": row.currency}
        )
    if deducted:
        most = wanted if foreign and wanted else left or 0
    elif foreign or left is None:
        most = lacking
    else:
        most = min(lacking, left)
    if most <= 0:
        raise BankRefused(_("L’opération ou le justificatif est déjà associé en entier."))
    cents = most if wanted is None else wanted
    if not 0 < cents <= most:
        raise BankRefused(_("Ce montant dépasse ce qui reste à justifier."))
    return cents


def _make_room(row: Transaction, cents: int) -> None:
    """What a credit note takes off is covered by the invoices that were cut to the amount."""
    papers = []
    for link in _room(row).select_related("document").order_by("pk"):
        more = min(cents, link.document.left_cents or 0) if link.document else 0
        link.amount_cents += more if link.amount_cents > 0 else -more
        link.save(update_fields=["amount_cents"])
        papers.append(link.document_id)
        cents -= more
        if not cents:
            break
    renew_documents(key for key in papers if key)


@database.atomic
def dissociate(*, link: Link, actor: User, on: date, now: datetime) -> None:
    """The document is not this transaction's after all; an invoice is undone by `settlement`."""
    if link.document_id is None:
        raise BankRefused(_("Annulez plutôt le règlement de cette facture."))
    row, paper = link.transaction, link.document_id
    Transaction.objects.select_for_update().get(pk=row.pk)  # its copies are counted again
    Document.objects.select_for_update().get(pk=paper)
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
    each = [Waived(row, waiver, note) for row in rows]
    return waive_each(each, actor=actor, on=on, now=now)


class Waived(NamedTuple):
    """What becomes of a transaction: a `Transaction.Waiver` or nothing, and why."""

    row: Transaction
    waiver: str
    note: str = ""


@database.atomic
def waive_each(each: Sequence[Waived], *, actor: User | None, on: date, now: datetime) -> int:
    """The same for many, each with its own waiver and note, in few queries; how many changed.

    They are of one dossier.
    """
    if not each:
        return 0
    by_key = {one.row.pk: one for one in each}
    rows = Transaction.objects.select_for_update().filter(pk__in=by_key).order_by("pk")
    changed = []
    for row in rows:
        wanted = by_key[row.pk]
        if row.waiver != wanted.waiver:
            row.waiver, row.waiver_note, row.rule = wanted.waiver, wanted.note[:300], None
            changed.append(row)
    update_many(Transaction, ("waiver", "waiver_note", "rule"), changed)
    renew(by_key)
    facts = [
        _fact(
            "receipt_waived",
            one.row,
            on,
            now,
            actor,
            {"waiver": one.waiver, "note": one.note[:300]},
        )
        for one in each
    ]
    append(each[0].row.organisation, facts)
    return len(changed)


@database.atomic
def apply_rules(organisation: Organisation, rows: Iterable[Transaction]) -> int:
    """Waive what a rule says wants no receipt; the first rule that fits. How many were."""
    rules = list(BankRule.objects.filter(organisation=organisation))
    fitting: list[Transaction] = []
    if not rules:
        return 0
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
        and fits_anything(rule)
    )


def fits_anything(rule: BankRule) -> bool:
    """False for a rule without any condition: it fits nothing."""
    return bool(rule.words or rule.account_id or rule.least_cents or rule.most_cents)


@database.atomic
def confirm_found(*, link: Link, actor: User | None, on: date, now: datetime) -> Link:
    """A person accepts a receipt that was found (S0-08): the proposal becomes an association.

    What else was proposed for a document or a transaction that has nothing left goes. BankRefused
    when somebody has associated one of them meanwhile.
    """
    found = Link.objects.filter(pk=link.pk, confirmed=False, document__isnull=False).first()
    if found is None or found.document is None:
        raise BankRefused(_("Cette proposition n’existe plus\u00a0: elle a déjà reçu une réponse."))
    kept = associate(row=found.transaction, document=found.document, actor=actor, on=on, now=now)
    kept.automatic, kept.reasons = True, found.reasons
    kept.save(update_fields=["automatic", "reasons"])
    return kept


@database.atomic
def deny(*, link: Link, actor: User | None, on: date, now: datetime) -> None:
    """The receipt found is not this transaction's; it is not proposed again. Idempotent."""
    found = Link.objects.filter(pk=link.pk, confirmed=False, document__isnull=False).first()
    if found is None or found.document_id is None:
        return
    row = found.transaction
    Denial.objects.get_or_create(
        transaction=row,
        document_id=found.document_id,
        defaults={"organisation": found.organisation, "made_by": actor, "made_at": now},
    )
    found.delete()
    renew([row.pk])
    _tell("receipt_denied", row, on, now, actor, {})


@database.atomic
def name_expense(
    *, row: Transaction, label: str, actor: User, on: date, now: datetime
) -> Link | None:
    """Associate the transaction with a kind of expense; its receipt is still wanted (S0-06).

    An empty `label` takes the association away. BankRefused on an invoice's settlement.
    """
    locked = Transaction.objects.select_for_update().get(pk=row.pk)
    if Link.objects.filter(transaction=locked, invoice__isnull=False, confirmed=True).exists():
        raise BankRefused(_("Cette opération règle une facture\u00a0: elle est déjà associée."))
    named = Link.objects.filter(transaction=locked, document=None, invoice=None)
    named.delete()
    words, link = " ".join(label.split())[:80], None
    if words:
        link = Link.objects.create(
            organisation=locked.organisation,
            transaction=locked,
            label=words,
            amount_cents=locked.amount_cents,
            made_by=actor,
            made_at=now,
        )
    renew([locked.pk])
    _tell("expense_named", locked, on, now, actor, {"expense": words})
    return link


def _drop_spent(row_id: int, paper_id: int) -> None:
    """Proposals that an association has made pointless: nothing is lacking, or nothing left."""
    rows = set()
    for proposal in Link.objects.filter(
        Q(transaction_id=row_id) | Q(document_id=paper_id), confirmed=False, document__isnull=False
    ).select_related("transaction", "document"):
        row, paper = proposal.transaction, proposal.document
        covered = row.lacking_cents <= 0
        if covered or (paper is not None and paper.left_cents == 0):
            rows.add(row.pk)
            proposal.delete()
    renew(rows)


def _tell(
    kind: str,
    row: Transaction,
    on: date,
    now: datetime,
    actor: User | None,
    data: dict[str, object],
) -> None:
    append(row.organisation, [_fact(kind, row, on, now, actor, data)])


def _fact(
    kind: str,
    row: Transaction,
    on: date,
    now: datetime,
    actor: User | None,
    data: dict[str, object],
) -> Fact:
    about = {"transaction": row.pk, "label": row.label[:80], "amount_cents": row.amount_cents}
    return Fact(kind, now, on, data=about | data, actor=actor)
