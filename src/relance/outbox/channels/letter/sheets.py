"""Sheets beside the letters: the cover of a print run, and the page to try an envelope with."""

import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pikepdf
from django.utils.translation import gettext as _

from relance.outbox.channels.letter import Printed
from relance.outbox.channels.letter.typeset import compiled


def cover(
    *,
    organisation: str,
    title: str,
    made: str,
    facts: Sequence[tuple[str, str]],
    notes: Sequence[str],
    rows: Sequence[Sequence[str]],
    at: datetime,
) -> Printed:
    """The list of a run in the order of its letters, as a PDF/A without any letter in it.

    `rows` hold place, addressee, mark, town, pages and amount, all in words.
    """
    run: Mapping[str, Any] = {
        "organisation": organisation,
        "title": title,
        "made": made,
        "facts": [list(fact) for fact in facts],
        "notes": list(notes),
        "head": [_("N°"), _("Destinataire"), _("Ville"), _("Pages"), _("Montant")],
        "rows": [list(row) for row in rows],
        "warning": _("Bordereau à conserver\u00a0: il ne part dans aucune enveloppe."),
        "page_label": _("Page"),
    }
    pdf = compiled("cover.typ", {"run": run}, at=at).pdf
    with pikepdf.open(io.BytesIO(pdf)) as document:
        return Printed(pdf, [], len(document.pages))


def envelope_test(sender: str, *, at: datetime) -> bytes:
    """The page that shows, once folded into an envelope, whether its window shows the address."""
    sheet = {
        "from": sender,
        "title": _("Page d’essai d’enveloppe"),
        "to": [
            _("Société de démonstration SARL"),
            _("Service comptabilité fournisseurs"),
            "BATIMENT C RESIDENCE DES MAGNOLIAS",
            "125 BD GEORGES CLEMENCEAU",
            "BP 12345",
            "29000 QUIMPER CEDEX 9",
        ],
        "folds": [_("Premier pli (DL)"), _("Second pli (DL)")],
        "dl": _("Fenêtre DL, feuille calée en haut à gauche"),
        "c5": _("Fenêtre C5"),
        "seen": _("Visible dans toutes les positions de la feuille"),
        "words": [
            _(
                "Imprimez cette page en taille réelle (100\u00a0%), sans «\u00a0ajuster à la "
                "page\u00a0»."
            ),
            _(
                "Enveloppe DL\u00a0: pliez en trois sur les tirets. Enveloppe C5\u00a0: pliez en "
                "deux. L’adresse reste devant."
            ),
            _(
                "Glissez la feuille, puis secouez l’enveloppe dans tous les sens\u00a0: les six "
                "lignes doivent rester lisibles dans la fenêtre, et rien d’autre n’y paraître que "
                "les cadres de cette page, absents des courriers."
            ),
        ],
        "rule": _(
            "Cette règle mesure 10\u00a0cm. Sinon, l’imprimante change l’échelle\u00a0: "
            "corrigez-le d’abord."
        ),
    }
    return compiled("envelope.typ", {"sheet": sheet}, at=at).pdf
