"""What became of the files somebody sent by e-mail, and the mail that tells him, line by line."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override

from relance.accounts.models import User
from relance.outbox.notices import Sheet, write_down
from relance.receipts.models import Incoming

USEFUL = timedelta(days=3)
MOST_LINES = 200
"""Of a workbook, told one by one; the page tells all."""


class FileReport(NamedTuple):
    """What became of one file: `outcome` is kept, known, associated, refused, left or read.

    `lines` are those of a workbook that was read: their number, `workbook.Reported.outcome`, the
    transaction's name (its reference when unknown) and what is said of it.
    """

    name: str
    outcome: str
    why: str = ""
    document_id: int | None = None
    lines: tuple[tuple[int, str, str, str], ...] = ()

    def stored(self) -> dict[str, Any]:
        """As plain JSON."""
        return self._asdict() | {"lines": [list(line) for line in self.lines]}


def write(
    *,
    incoming: Incoming,
    reports: Sequence[FileReport],
    user: User,
    on: date,
    now: datetime,
) -> None:
    """Queue the report to the sender `user`, once for each mail."""
    with override(user.language):
        told = [(one, words_of(one)) for one in reports if one.outcome != "left"]
        if not told:
            return
        lines = [line for one in reports for line in one.lines if line[1] not in ("empty",)]
        context = {
            "dossier": incoming.organisation.name,
            "subject": incoming.inbound.subject,
            "files": told,
            "lines": [
                (number, name, line_words(outcome), detail)
                for number, outcome, name, detail in lines[:MOST_LINES]
            ],
            "more": max(0, len(lines) - MOST_LINES),
        }
        text = render_to_string("receipts/report.txt", context)
        tidy = "\n".join(line.rstrip() for line in text.splitlines()).strip() + "\n"
        sheet = Sheet(subject_of(reports), tidy, render_to_string("receipts/report.html", context))
    write_down(
        organisation=incoming.organisation,
        user=user,
        kind=f"d{incoming.pk}"[:12],
        on=on,
        sheet=sheet,
        unsubscribe="",
        useful_until=now + USEFUL,
        now=now,
    )


def subject_of(reports: Sequence[FileReport]) -> str:
    """`3 documents reçus, 12 réponses notées, 3 lignes à revoir`; refused files come first.

    Lines to look at again are those that were refused or are of no transaction known here.
    """
    counts = Counter(one.outcome for one in reports)
    kept = counts["kept"] + counts["associated"] + counts["known"]
    answered = sum(line[1] == "accepted" for one in reports for line in one.lines)
    refused = counts["refused"]
    parts = []
    if refused:
        words = ngettext("%(n)s fichier refusé", "%(n)s fichiers refusés", refused)
        parts.append(words % {"n": refused})
    if kept:
        words = ngettext("%(n)s document reçu", "%(n)s documents reçus", kept)
        parts.append(words % {"n": kept})
    if answered or counts["read"]:
        words = ngettext("%(n)s réponse notée", "%(n)s réponses notées", answered)
        parts.append(words % {"n": answered})
    again = sum(line[1] in ("refused", "unknown") for one in reports for line in one.lines)
    if again:
        words = ngettext("%(n)s ligne à revoir", "%(n)s lignes à revoir", again)
        parts.append(words % {"n": again})
    return ", ".join(parts)


def words_of(one: FileReport) -> str:
    """What became of a file, in a sentence."""
    match one.outcome:
        case "kept":
            return _("Reçu, il attend d’être associé.")
        case "known":
            return _("Déjà reçu\u00a0: gardé une seule fois.")
        case "associated":
            return _("Reçu et associé à l’opération demandée.")
        case "left":
            return _("Petite image d’une signature, laissée de côté.")
        case "read":
            accepted = sum(line[1] == "accepted" for line in one.lines)
            words = ngettext(
                "Tableau lu\u00a0: %(n)s réponse notée.",
                "Tableau lu\u00a0: %(n)s réponses notées.",
                accepted,
            )
            return words % {"n": accepted}
        case _:
            return _("Refusé\u00a0: %(why)s") % {"why": one.why}


def line_words(outcome: str) -> str:
    """The outcome of a line of a workbook."""
    return {
        "accepted": _("Acceptée"),
        "done": _("Déjà justifiée"),
        "unknown": _("Inconnue"),
    }.get(outcome, _("Refusée"))
