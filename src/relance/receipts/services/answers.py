"""What a client answers about a transaction: documents, or an honest way to say no.

A "no" takes the transaction out of *À valider* at once, so that nobody is asked again for what he
has answered; the accountant sees it and accepts it, or asks again. Until he has, the client may
take it back.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

from django.db import transaction as database
from django.utils.translation import gettext as _

from relance.accounts.models import User
from relance.bank.models import Document, Link, Transaction
from relance.bank.services import links
from relance.bank.services.documents import store_document
from relance.bank.services.errors import BankRefused
from relance.history.services import Fact, append
from relance.receipts.models import Answer, Door

WAIVERS = {
    Answer.Kind.NONE: Transaction.Waiver.LOST,
    Answer.Kind.NOT_MINE: Transaction.Waiver.IGNORED,
    Answer.Kind.NOT_NEEDED: Transaction.Waiver.EXEMPT,
}
MOST_NOTE = 1000
MOST_FILES = 10


class Sent(NamedTuple):
    """A file that a client sends with his answer: its bytes and the name he gave it."""

    raw: bytes
    filename: str


class Refusal(NamedTuple):
    """A file that was not kept, and the French sentence that says why."""

    filename: str
    why: str


class Given(NamedTuple):
    """What became of several files: the answers kept, and the files refused."""

    answers: list[Answer]
    refused: list[Refusal]


@database.atomic
def answer_no(
    *,
    row: Transaction,
    kind: str,
    by: str,
    on: date,
    now: datetime,
    note: str = "",
    door: Door | None = None,
) -> Answer:
    """No receipt will come, and why. BankRefused when the transaction needs none any more."""
    if kind not in WAIVERS:
        raise BankRefused(_("Choisissez l’une des réponses proposées."), "bad_answer")
    locked = _asked(row)
    links.waive(
        rows=[locked], waiver=WAIVERS[Answer.Kind(kind)], actor=None, on=on, now=now, note=note
    )
    return _keep(locked, kind, by, on, now, note, door, None)


class No(NamedTuple):
    """A transaction of which no receipt will come: why (`Answer.Kind`), and a note."""

    row: Transaction
    kind: str
    note: str = ""


@database.atomic
def answer_no_each(
    noes: Sequence[No], *, by: str, on: date, now: datetime, door: Door | None = None
) -> set[int]:
    """Many at once, of one dossier, in few queries: the keys of those that were still asked for.

    The others need no receipt any more. BankRefused for an answer that is none.
    """
    if any(one.kind not in WAIVERS for one in noes):
        raise BankRefused(_("Choisissez l’une des réponses proposées."), "bad_answer")
    keys = [one.row.pk for one in noes]
    rows = Transaction.objects.select_for_update(of=("self",)).select_related("organisation")
    asked = {row.pk: row for row in rows.filter(pk__in=keys).order_by("pk") if row.missing}
    kept = [one._replace(row=asked[one.row.pk]) for one in noes if one.row.pk in asked]
    if not kept:
        return set()
    links.waive_each(
        [links.Waived(one.row, WAIVERS[Answer.Kind(one.kind)], one.note) for one in kept],
        actor=None,
        on=on,
        now=now,
    )
    Answer.objects.bulk_create(
        (
            Answer(
                organisation=one.row.organisation,
                transaction=one.row,
                door=door,
                kind=one.kind,
                note=one.note[:MOST_NOTE],
                by=by[:200],
                at=now,
            )
            for one in kept
        ),
        batch_size=500,
    )
    facts = [
        _fact(one.row, on, now, {"answer": one.kind, "by": by[:200], "note": one.note[:MOST_NOTE]})
        for one in kept
    ]
    append(kept[0].row.organisation, facts)
    return set(asked)


def answer_with(
    *,
    row: Transaction,
    raw: bytes,
    filename: str,
    by: str,
    on: date,
    now: datetime,
    note: str = "",
    door: Door | None = None,
) -> Answer:
    """One document dropped or photographed for this transaction; it covers what it lacks.

    BankRefused when the file is no document, or the transaction needs none any more.
    """
    given = answer_with_files(
        row=row, files=[Sent(raw, filename)], by=by, on=on, now=now, note=note, door=door
    )
    if given.refused:
        raise BankRefused(given.refused[0].why, "bad_file")
    return given.answers[0]


def answer_with_files(
    *,
    row: Transaction,
    files: Sequence[Sent],
    by: str,
    on: date,
    now: datetime,
    note: str = "",
    door: Door | None = None,
) -> Given:
    """Several documents for one transaction, the pages of a receipt or the parts of an amount.

    Those that say their amount cover it; those that say none share what is then lacking. A
    document too many is kept with the answer without being associated. A file that is no
    document is refused with its reason and the others are kept. They are read and stored before
    the transaction is locked: reading a photograph takes seconds. BankRefused when the
    transaction needs no receipt any more, or there are too many files.
    """
    _needed(row)
    if not 0 < len(files) <= MOST_FILES:
        raise BankRefused(
            _("Envoyez un fichier au moins, et %(most)s au plus.") % {"most": MOST_FILES},
            "bad_count",
        )
    papers: list[Document] = []
    refused: list[Refusal] = []
    for file in files:
        try:
            paper = store_document(
                organisation=row.organisation,
                raw=file.raw,
                filename=file.filename,
                on=on,
                now=now,
                source=Document.Source.ANSWER,
                sent_by=by,
            ).document
        except BankRefused as refusal:
            refused.append(Refusal(file.filename, str(refusal)))
        else:
            if paper not in papers:
                papers.append(paper)
    answers = _associate(row, papers, by, on, now, note, door) if papers else []
    return Given(answers, refused)


@database.atomic
def _associate(
    row: Transaction,
    papers: Sequence[Document],
    by: str,
    on: date,
    now: datetime,
    note: str,
    door: Door | None,
) -> list[Answer]:
    """An answer for each document; at least one of them covers something, or BankRefused."""
    locked = _asked(row)
    fresh = [paper for paper in papers if not _is_held(locked, paper)]
    linked = 0
    # invoices before the credit notes that are taken off them
    for paper in sorted(fresh, key=lambda one: (one.amount_cents or 0) < 0):
        if paper.left_cents is not None:
            linked += _associated(locked, paper, on, now, None)
    silent = [paper for paper in fresh if paper.left_cents is None]
    lacking = Transaction.objects.get(pk=locked.pk).lacking_cents
    for place, paper in enumerate(silent):
        cents = lacking // (len(silent) - place)
        if cents > 0:
            linked += _associated(locked, paper, on, now, cents)
            lacking -= cents
    if not linked:
        raise BankRefused(
            _(
                "Ce document justifie déjà une opération en entier\u00a0: envoyez "
                "celui de cet achat."
            ),
            "spent",
        )
    return [_keep(locked, Answer.Kind.DOCUMENT, by, on, now, note, door, paper) for paper in papers]


def _associated(
    row: Transaction, paper: Document, on: date, now: datetime, cents: int | None
) -> int:
    """One when it covers something; zero for a document too many, which stays with the answer."""
    try:
        links.associate(row=row, document=paper, actor=None, on=on, now=now, amount_cents=cents)
    except BankRefused:
        return 0
    return 1


def _is_held(row: Transaction, paper: Document) -> bool:
    return Link.objects.filter(transaction=row, document=paper, confirmed=True).exists()


def found_for(row: Transaction) -> list[Link]:
    """Receipts that were found for it and nobody has accepted yet, a recognised name first."""
    waiting = Link.objects.filter(transaction=row, confirmed=False, document__isnull=False)
    rows = waiting.select_related("document", "transaction").order_by("pk")
    return sorted(rows, key=lambda link: "NAME" not in link.reasons)


@database.atomic
def confirm(
    *,
    row: Transaction,
    link_id: int,
    by: str,
    on: date,
    now: datetime,
    note: str = "",
    door: Door | None = None,
) -> Answer:
    """The receipt found is the right one (D-23). BankRefused when it is not proposed any more."""
    locked = _asked(row)
    link = links.confirm_found(link=_proposed(locked, link_id), actor=None, on=on, now=now)
    return _keep(locked, Answer.Kind.DOCUMENT, by, on, now, note, door, link.document)


@database.atomic
def deny(*, row: Transaction, link_id: int, by: str, on: date, now: datetime) -> None:
    """The receipt found is another transaction's; it is not proposed again."""
    locked = _asked(row)
    links.deny(link=_proposed(locked, link_id), actor=None, on=on, now=now)
    _tell(locked, on, now, {"answer": "denied", "by": by[:200]})


def _proposed(row: Transaction, link_id: int) -> Link:
    link = Link.objects.filter(
        pk=link_id, transaction=row, confirmed=False, document__isnull=False
    ).first()
    if link is None:
        raise BankRefused(_("Cette proposition a déjà reçu une réponse."), "gone")
    return link


def said_no(row: Transaction) -> Answer | None:
    """The "no" that still stands and that nobody at the accountant's has read yet."""
    last = Answer.objects.filter(transaction=row).order_by("-at", "-pk").first()
    if last is None or last.handled_at is not None or last.kind not in WAIVERS:
        return None
    return last if row.waiver == WAIVERS[Answer.Kind(last.kind)] else None


@database.atomic
def take_back(*, row: Transaction, by: str, on: date, now: datetime) -> None:
    """The client erred, or found it: his "no" does not count any more. Idempotent.

    BankRefused once the accountant has read it.
    """
    locked = Transaction.objects.select_for_update(of=("self",)).get(pk=row.pk)
    if locked.missing:
        return
    answer = said_no(locked)
    if answer is None:
        raise BankRefused(_("Cette réponse a déjà été lue\u00a0: écrivez-nous plutôt."), "handled")
    Answer.objects.filter(pk=answer.pk).update(handled_at=now)
    links.waive(rows=[locked], waiver="", actor=None, on=on, now=now)
    _tell(locked, on, now, {"answer": "taken_back", "by": by[:200]})


@database.atomic
def accept(*, answer: Answer, actor: User, now: datetime) -> None:
    """The accountant has read it and leaves it so."""
    Answer.objects.filter(pk=answer.pk, handled_at__isnull=True).update(handled_at=now)


@database.atomic
def ask_again(*, answer: Answer, actor: User, on: date, now: datetime) -> None:
    """The accountant does not take "no" for an answer: the transaction is *À valider* again."""
    accept(answer=answer, actor=actor, now=now)
    row = Transaction.objects.select_for_update().get(pk=answer.transaction_id)
    links.waive(rows=[row], waiver="", actor=actor, on=on, now=now)


def _asked(row: Transaction) -> Transaction:
    locked = Transaction.objects.select_for_update(of=("self",)).select_related("organisation")
    return _needed(locked.get(pk=row.pk))


def _needed(row: Transaction) -> Transaction:
    if not row.missing:
        raise BankRefused(
            _("Cette opération est déjà justifiée\u00a0: il n’y a plus rien à faire."), "done"
        )
    return row


def _keep(
    row: Transaction,
    kind: str,
    by: str,
    on: date,
    now: datetime,
    note: str,
    door: Door | None,
    document: Document | None,
) -> Answer:
    answer = Answer.objects.create(
        organisation=row.organisation,
        transaction=row,
        door=door,
        kind=kind,
        document=document,
        note=note[:MOST_NOTE],
        by=by[:200],
        at=now,
    )
    data = {"answer": kind, "by": answer.by, "note": answer.note}
    if document is not None:
        data["file"] = document.filename
    _tell(row, on, now, data)
    return answer


def _tell(row: Transaction, on: date, now: datetime, data: dict[str, str]) -> None:
    append(row.organisation, [_fact(row, on, now, data)])


def _fact(row: Transaction, on: date, now: datetime, data: dict[str, str]) -> Fact:
    return Fact("receipt_answered", now, on, data={"transaction": row.pk} | data)
