"""The little language of users' templates: `{{ client.nom }}` from a fixed list, and blocks.

Nothing is evaluated: a name is in the list or it is refused when the template is saved, with a
suggestion. Text is escaped when it becomes HTML, so a value can never bring markup.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import NamedTuple

from django.utils.html import escape
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from relance.outbox.services import one_line

VARIABLES: dict[str, object] = {
    "client.nom": gettext_lazy("Nom du client"),
    "client.code": gettext_lazy("Code du client"),
    "contact.nom": gettext_lazy("Nom du destinataire"),
    "entreprise.nom": gettext_lazy("Nom de votre entreprise"),
    "entreprise.iban": gettext_lazy("IBAN de votre entreprise"),
    "signature": gettext_lazy("Signature"),
    "date": gettext_lazy("Date du message"),
    "date_limite": gettext_lazy("Date limite d’une mise en demeure, 15 jours après"),
    "niveau": gettext_lazy("Nom du niveau de relance"),
    "montant": gettext_lazy("Somme des restes dus"),
    "nombre_factures": gettext_lazy("Nombre de factures"),
    "factures": gettext_lazy("Numéros des factures"),
    "facture.numero": gettext_lazy("Numéro de la facture porteuse"),
    "facture.date": gettext_lazy("Date de la facture porteuse"),
    "facture.echeance": gettext_lazy("Échéance de la facture porteuse"),
    "facture.reste_du": gettext_lazy("Reste dû de la facture porteuse"),
    "penalites": gettext_lazy("Pénalités de retard dues ce jour"),
    "indemnite": gettext_lazy("Indemnité de 40 € par facture en retard"),
    "total_avec_penalites": gettext_lazy("Total avec pénalités et indemnité"),
    "retard": gettext_lazy("Retard le plus long, en jours"),
    "derniere_relance": gettext_lazy("Date de la relance précédente"),
}
BLOCKS: dict[str, object] = {"tableau_factures": gettext_lazy("Tableau des factures")}
OVERDUE_ONLY = {"retard"}

_TAG = re.compile(r"\{\{([^{}]*)\}\}")
_BROKEN = re.compile(r"\{\{|\}\}|\{%|%\}")


class TemplateFault(NamedTuple):
    """Why a template is refused, as a French sentence."""

    code: str
    message: str


class Values(NamedTuple):
    """What fills a template: plain strings for names, (text, html) for blocks.

    A name that is None has nothing to say: the line that holds it is left out.
    """

    names: Mapping[str, str | None]
    blocks: Mapping[str, tuple[str, str]]


class Rendered(NamedTuple):
    """A message ready to be stored: both bodies say the same."""

    subject: str
    text: str
    html: str


def faults(source: str, *, blocks_allowed: bool = True) -> list[TemplateFault]:
    """Everything that makes `source` unfit to be saved; an empty list when it may be."""
    known = [*VARIABLES, *(BLOCKS if blocks_allowed else ())]
    found = [_unknown(name, known) for name in _names(source) if name not in known]
    if broken := _BROKEN.search(_TAG.sub("", source)):
        found.append(
            TemplateFault(
                "BROKEN_TAG",
                _(
                    "Une variable s’écrit {{ client.nom }}\u00a0: "
                    "«\u00a0%(sign)s\u00a0» est resté seul."
                )
                % {"sign": broken.group()},
            )
        )
    return found


def _names(source: str) -> list[str]:
    """The names between braces; found in linear time, whatever was typed."""
    return [name.strip() for name in _TAG.findall(source)]


def names_of(source: str) -> set[str]:
    """The variables and blocks that `source` uses."""
    return set(_names(source))


def overdue_names(source: str) -> list[str]:
    """The variables of `source` that mean nothing before the due date (a *before* step warns)."""
    return sorted(OVERDUE_ONLY.intersection(_names(source)))


def render(subject: str, body: str, values: Values) -> Rendered:
    """Fill both; paragraphs are separated by an empty line. Unknown names stay visible as typed.

    They cannot occur in a saved template: `faults` refused them.
    """
    text_parts, html_parts = [], []
    for paragraph, block in _paragraphs(body, values):
        if block:
            as_text, as_html = values.blocks[block]
            text_parts.append(as_text)
            html_parts.append(as_html)
            continue
        text_parts.append(_fill(paragraph, values, lambda s: s))
        html = _fill(paragraph, values, lambda s: str(escape(s)))
        html_parts.append("<p>" + html.replace("\n", "<br>\n") + "</p>")
    filled = one_line(_fill(subject, values, lambda s: s))
    return Rendered(filled, "\n\n".join(text_parts) + "\n", "\n".join(html_parts))


def pieces(body: str, values: Values) -> list[tuple[str, str]]:
    """The filled body for what is not HTML: a block's name and its text, "" and the words else."""
    return [
        (block, values.blocks[block][0] if block else _fill(paragraph, values, lambda s: s))
        for paragraph, block in _paragraphs(body, values)
    ]


def _paragraphs(body: str, values: Values) -> Iterator[tuple[str, str]]:
    """What stands between empty lines, with the name of the block that it is alone, if any."""
    spoken = [line for line in body.replace("\r\n", "\n").split("\n") if _speaks(line, values)]
    for paragraph in re.split(r"\n\s*\n", "\n".join(spoken).strip()):
        block = _TAG.fullmatch(paragraph.strip())
        name = block.group(1).strip() if block else ""
        yield paragraph, name if name in values.blocks else ""


def _speaks(line: str, values: Values) -> bool:
    """False for a line that holds a name with nothing to say."""
    return all(values.names.get(name, "") is not None for name in _names(line))


def _fill(source: str, values: Values, convert: Callable[[str], str]) -> str:
    """Replace the names; the words between them go through `convert` too."""
    out, position = [], 0
    for tag in _TAG.finditer(source):
        out.append(convert(source[position : tag.start()]))
        name = tag.group(1).strip()
        if name in values.blocks:
            out.append(convert(values.blocks[name][0]))
        else:
            out.append(convert(values.names.get(name, tag.group()) or ""))
        position = tag.end()
    out.append(convert(source[position:]))
    return "".join(out)


def _unknown(name: str, known: list[str]) -> TemplateFault:
    close = get_close_matches(name, known, n=1, cutoff=0.4)
    if close:
        message = _(
            "La variable «\u00a0%(name)s\u00a0» n’existe pas. Vouliez-vous dire "
            "«\u00a0%(close)s\u00a0»\u202f?"
        ) % {
            "name": name,
            "close": close[0],
        }
    else:
        message = _(
            "La variable «\u00a0%(name)s\u00a0» n’existe pas. Choisissez-en une dans la liste."
        ) % {"name": name}
    return TemplateFault("UNKNOWN_VARIABLE", message)
