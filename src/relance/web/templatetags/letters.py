"""A letter on the screen: the very data that the printer lays out (`Message.letter`)."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from django import template

register = template.Library()


class Sum(NamedTuple):
    """A line under the rows: its words, small words under them, its amount as it is read."""

    label: str
    detail: str
    amount: str


@register.inclusion_tag("components/letter.html")
def letter_body(letter: Mapping[str, Any]) -> dict[str, Any]:
    """From its date to its signature, with the table, its sums, its notes and what is enclosed."""
    text = len(letter["head"]) - int(letter.get("amounts", 1))
    return {
        "letter": letter,
        "head": _marked(letter["head"], text),
        "rows": [_marked(row, text) for row in letter["rows"]],
        "sums": [
            Sum(one[0], one[1] if len(one) > 2 else "", one[-1]) for one in letter.get("sums", ())
        ],
    }


def _marked(cells: Sequence[str], text: int) -> list[tuple[str, bool]]:
    """Cells with whether they hold an amount: all after the first `text`."""
    return [(cell, n >= text) for n, cell in enumerate(cells)]
