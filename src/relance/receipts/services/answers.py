"""What a client answers about a transaction: a document, or an honest way to say no.

A "no" takes the transaction out of *À valider* at once, so that nobody is asked again for what he
has answered; the accountant sees it and accepts it, or asks again.
"""

from datetime import date, datetime

from django.db import transaction as database
from django.utils.translation import gettext as _

from relance.accounts.models import User
from relance.bank.models import Document, Transaction
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


@database.atomic
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
    """A document dropped or photographed for this transaction; it covers what it lacks.

    BankRefused when the file is no document, or the transaction needs none any more.
    """
    locked = _asked(row)
    document = store_document(
        organisation=locked.organisation,
        raw=raw,
        filename=filename,
        on=on,
        now=now,
        source=Document.Source.ANSWER,
        sent_by=by,
    ).document
    lacking = abs(locked.amount_cents) - abs(locked.covered_cents)
    amount = lacking if document.left_cents is None else None
    links.associate(row=locked, document=document, actor=None, on=on, now=now, amount_cents=amount)
    return _keep(locked, Answer.Kind.DOCUMENT, by, on, now, note, door, document)


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
    fresh = locked.get(pk=row.pk)
    if not fresh.missing:
        raise BankRefused(
            _("Cette opération est déjà justifiée : il n’y a plus rien à faire."), "done"
        )
    return fresh


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
    data = {"transaction": row.pk, "answer": kind, "by": answer.by, "note": answer.note}
    append(row.organisation, [Fact("receipt_answered", now, on, data=data)])
    return answer
