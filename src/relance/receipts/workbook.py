"""The Excel that goes with a request, and the same one when it comes back (S0-33, S0-34, A7).

Its words are French whoever reads the pages, so that it can be read back by anybody.
"""

import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple

from django.core.signing import Signer
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from django.utils.translation import override

from relance.accounts.models import Organisation
from relance.bank.models import Missing, Transaction
from relance.formats.faults import Fault
from relance.formats.tabular import open_table
from relance.formats.text import cell_text, fold
from relance.formats.workbook import Column, Sheet, write_workbook
from relance.receipts.models import Answer, Door
from relance.receipts.services.answers import No, answer_no_each

MOST_LINES = 20_000
CHUNK = 500


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
    lines: list[_Read | Reported] = []
    for row in table.rows():
        if isinstance(row, Fault):
            lines.append(Reported(row.line or 0, "refused", "", row.message))
            continue
        if len(lines) >= MOST_LINES:
            words = _("Ce tableau a trop de lignes\u00a0: à partir d’ici, rien n’a été lu.")
            lines.append(Reported(row.line, "refused", "", words))
            break
        cells = [cell_text(cell) for cell in row.cells]
        cells += [""] * (max(places) + 1 - len(cells))
        lines.append(_Read(row.line, *(cells[place].strip() for place in places)))
    report: list[Reported] = []
    for start in range(0, len(lines), CHUNK):
        report += _apply(organisation, lines[start : start + CHUNK], by, on, now, door)
    return report


def refusal_words(fault: Fault) -> str:
    """Why a returned workbook was not read, where nothing but that of a request is taken.

    The sentences of the readers advise other formats and exports, which are no way out here.
    """
    own = _("renvoyez celui que nous vous avons proposé, complété et enregistré au format .xlsx.")
    why = {
        "empty_file": _("Ce fichier est vide\u00a0: %(own)s"),
        "no_rows": _("Ce tableau ne contient plus aucune ligne d’opération\u00a0: %(own)s"),
        "no_sheet": _("Ce classeur ne contient plus aucune feuille remplie\u00a0: %(own)s"),
        "damaged": _("Ce classeur est abîmé et ne s’ouvre pas\u00a0: %(own)s"),
        "password": _(
            "Ce classeur est protégé par un mot de passe, ou d’un ancien format .xls\u00a0: %(own)s"
        ),
        "zip_bomb": _("Ce classeur est démesuré, il est refusé par sécurité\u00a0: %(own)s"),
        "file_too_large": _("Ce fichier est trop lourd\u00a0: %(own)s"),
        "too_many_rows": _("Ce tableau a trop de lignes\u00a0: %(own)s"),
        "too_many_columns": _("Ce tableau a trop de colonnes\u00a0: %(own)s"),
        "too_many_cells": _("Cette feuille est démesurée\u00a0: %(own)s"),
        "no_header": _(
            "Ce n’est pas le fichier que nous vous avons proposé, ou ses titres ont été changés."
        ),
    }
    other = _("Ce fichier n’est pas un classeur Excel\u00a0: %(own)s")
    return why.get(fault.code, other) % {"own": own}


class _Read(NamedTuple):
    line: int
    reference: str
    said: str
    note: str


def _apply(
    organisation: Organisation,
    lines: Sequence[_Read | Reported],
    by: str,
    on: date,
    now: datetime,
    door: Door | None,
) -> list[Reported]:
    """The report of some lines, whose answers are kept together."""
    named = _named(organisation, [one.reference for one in lines if isinstance(one, _Read)], door)
    kinds = {fold(words): kind for words, kind in choices().items()}
    report = [
        one if isinstance(one, Reported) else _judged(one, named.get(one.reference), kinds, door)
        for one in lines
    ]
    noes: dict[int, No] = {}
    first: dict[int, int] = {}
    for place, (one, told) in enumerate(zip(lines, report, strict=True)):
        row = told.row if told.outcome == "accepted" else None
        if isinstance(one, _Read) and row is not None and row.pk not in noes:
            note = "" if one.note == one.said else one.note
            noes[row.pk] = No(row, kinds[fold(one.said)], note)
            first[row.pk] = place
    kept = answer_no_each(list(noes.values()), by=by, on=on, now=now, door=door)
    done = _("Cette opération est déjà justifiée\u00a0: il n’y a plus rien à faire.")
    for place, told in enumerate(report):
        if told.outcome != "accepted" or told.row is None:
            continue
        if told.row.pk not in kept or first[told.row.pk] != place:
            report[place] = told._replace(outcome="done", detail=done)
    return report


def _judged(
    one: _Read, row: Transaction | None, kinds: Mapping[str, str], door: Door | None
) -> Reported:
    """What a line says; accepted when it may be kept."""
    if row is None:
        words = (
            _("Cette ligne n’est pas une opération de cette demande.")
            if door
            else _("La référence n’est pas celle d’une opération de ce dossier.")
        )
        return Reported(one.line, "unknown", one.reference, words)
    if not one.said:
        return Reported(one.line, "empty", one.reference, "", row)
    if fold(one.said) not in kinds:
        words = _("«\u00a0%(said)s\u00a0» n’est pas l’une des réponses proposées.") % {
            "said": one.said[:60]
        }
        return Reported(one.line, "refused", one.reference, words, row)
    return Reported(one.line, "accepted", one.reference, one.said, row)


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


def _named(
    organisation: Organisation, references: Iterable[str], door: Door | None
) -> dict[str, Transaction]:
    """The transactions of references; through a door only those that its request asked about."""
    keys: dict[str, int] = {}
    for reference in references:
        key, dash, signature = reference.partition("-")
        if not dash or not key.isdecimal() or len(key) > 18:
            continue
        if constant_time_compare(signature, _signature(organisation.pk, int(key))):
            keys[reference] = int(key)
    rows = Transaction.objects.filter(organisation=organisation, pk__in=set(keys.values()))
    if door is not None:
        rows = rows.filter(asked__request_id=door.request_id)
    found = {row.pk: row for row in rows}
    return {reference: found[key] for reference, key in keys.items() if key in found}
