"""The Excel that goes with a request, and the same one when it comes back (S0-33, S0-34, A7).

Its words are French whoever reads the pages, so that it can be read back by anybody.
"""

import io
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import NamedTuple

from django.core.signing import Signer
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from django.utils.translation import override

from relance.accounts.models import Organisation
from relance.bank.models import Missing, Transaction
from relance.bank.services.errors import BankRefused
from relance.formats.faults import Fault
from relance.formats.tabular import open_table
from relance.formats.text import cell_text, fold
from relance.formats.workbook import Column, Sheet, write_workbook
from relance.receipts.models import Answer, Door
from relance.receipts.services.answers import answer_no

MOST_LINES = 20_000


class Reported(NamedTuple):
    """One line of a returned workbook: `outcome` is accepted, empty, unknown, done or refused.

    `row` is the transaction that its reference names, None when unknown.
    """

    line: int
    outcome: str
    reference: str
    detail: str
    row: Transaction | None = None


@override("fr")
def choices() -> dict[str, str]:
    """The answers that one may choose in the workbook: French words to `Answer.Kind`."""
    kinds = (Answer.Kind.NONE, Answer.Kind.NOT_MINE, Answer.Kind.NOT_NEEDED)
    return {str(kind.label): str(kind) for kind in kinds}


@override("fr")
def write_request_workbook(rows: Iterable[Transaction]) -> bytes:
    """The transactions asked about, with room for an answer and a note, as an XLSX."""
    target = io.BytesIO()
    columns = [
        Column(_("Date"), "date", 12),
        Column(_("Libellé"), width=48),
        Column(_("Montant"), "money", 14),
        Column(_("Ce qui manque"), width=28),
        Column(_("Votre réponse"), width=30, choices=tuple(choices())),
        Column(_("Votre note"), width=40),
        Column(_("Référence (ne pas modifier)"), width=30),
    ]
    lines = (
        (
            row.booked,
            row.label or row.name,
            row.amount_cents,
            str(Missing(row.missing).label) if row.missing else "",
            None,
            None,
            reference_of(row),
        )
        for row in rows
    )
    write_workbook(target, [Sheet(_("Justificatifs"), columns, lines)])
    return target.getvalue()


def reference_of(row: Transaction) -> str:
    """What names a transaction in a workbook; another dossier's cannot be made up."""
    return f"{row.pk}-{_signature(row.organisation_id, row.pk)}"


def _signature(organisation_id: int, pk: int) -> str:
    return Signer(salt="receipts.workbook").signature(f"{organisation_id}:{pk}")[:16]


def read_answers(
    *,
    organisation: Organisation,
    raw: bytes,
    by: str,
    on: date,
    now: datetime,
    door: Door | None = None,
) -> list[Reported] | Fault:
    """Apply the answers of a returned workbook, line by line, with a report of every line.

    A line of another dossier, whose reference was changed, or that the request of the `door` did
    not ask about, is unknown and touches nothing. A line that cannot be read is refused.
    """
    table = open_table(raw, "reponses.xlsx")
    if isinstance(table, Fault):
        return table
    places = _places([str(name) for name in table.header])
    if places is None:
        return Fault("no_header", facts={"looked": 20})
    report: list[Reported] = []
    for row in table.rows():
        if isinstance(row, Fault):
            report.append(Reported(row.line or 0, "refused", "", row.message))
            continue
        if len(report) >= MOST_LINES:
            words = _("Ce tableau a trop de lignes\u00a0: à partir d’ici, rien n’a été lu.")
            report.append(Reported(row.line, "refused", "", words))
            break
        cells = [cell_text(cell) for cell in row.cells]
        cells += [""] * (max(places) + 1 - len(cells))
        report.append(
            _line(organisation, row.line, [cells[place] for place in places], by, on, now, door)
        )
    return report


def _places(header: Sequence[str]) -> tuple[int, int, int] | None:
    """Columns of the reference, the answer and the note, by their words, wherever they are."""
    folded = [fold(name) for name in header]
    found = [
        next((place for place, name in enumerate(folded) if name.startswith(word)), None)
        for word in ("reference", "votre reponse", "votre note")
    ]
    reference, answer, note = found
    if reference is None or answer is None:
        return None
    return reference, answer, answer if note is None else note


def _line(
    organisation: Organisation,
    line: int,
    cells: Sequence[str],
    by: str,
    on: date,
    now: datetime,
    door: Door | None,
) -> Reported:
    reference, said, note = (cell.strip() for cell in cells)
    row = _named(organisation, reference, door)
    if row is None:
        words = (
            _("Cette ligne n’est pas une opération de cette demande.")
            if door
            else _("La référence n’est pas celle d’une opération de ce dossier.")
        )
        return Reported(line, "unknown", reference, words)
    if not said:
        return Reported(line, "empty", reference, "", row)
    kind = next((value for words, value in choices().items() if fold(words) == fold(said)), "")
    if not kind:
        words = _("«\u00a0%(said)s\u00a0» n’est pas l’une des réponses proposées.") % {
            "said": said[:60]
        }
        return Reported(line, "refused", reference, words, row)
    try:
        answer_no(
            row=row,
            kind=kind,
            by=by,
            on=on,
            now=now,
            note="" if note == said else note,
            door=door,
        )
    except BankRefused as refusal:
        outcome = "done" if refusal.code == "done" else "refused"
        return Reported(line, outcome, reference, str(refusal), row)
    return Reported(line, "accepted", reference, said, row)


def _named(organisation: Organisation, reference: str, door: Door | None) -> Transaction | None:
    """The transaction of a reference; through a door only one that its request asked about."""
    key, dash, signature = reference.partition("-")
    if not dash or not key.isdecimal() or len(key) > 18:
        return None
    if not constant_time_compare(signature, _signature(organisation.pk, int(key))):
        return None
    rows = Transaction.objects.filter(organisation=organisation, pk=int(key))
    if door is not None:
        rows = rows.filter(asked__request_id=door.request_id)
    return rows.first()
