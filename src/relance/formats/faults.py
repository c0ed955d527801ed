"""Faults as values: a code, its facts, and a French sentence made of them.

A reader never throws a fault at its caller: it returns one (the whole file is refused)
or yields one among the rows (that line is refused, skipped or unchanged). A remark
rides on an accepted row and is the same shape. The sentence is built only when read, so
thousands of remarks stay cheap.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from relance.formats.sentences import SENTENCES

Severity = Literal["file", "refused", "unchanged", "skipped", "remark"]

SHOWN = 60
"""Characters of a value quoted in a sentence; the rest is cut."""

_NBSP = "\u00a0"


class Fault(NamedTuple):
    """What is wrong, where (1-based line of the file, header of the column), and why.

    ``facts`` is a flat mapping of JSON values: ``*_cents`` are integer cents, ``*_on`` are
    ISO dates, sizes are bytes or characters. ``message`` is plain French text.
    """

    code: str
    line: int | None = None
    column: str | None = None
    facts: dict[str, Any] = {}

    @property
    def severity(self) -> Severity:
        """``file``: nothing is read; ``refused``: this line is not imported; ``unchanged``:
        it repeats another line; ``skipped``: it is no data (subtotal); ``remark``: it is
        imported as the sentence says.
        """
        return SENTENCES[self.code][0]

    @property
    def message(self) -> str:
        """One French sentence naming line, column, value and what to do."""
        where = []
        if self.line is not None:
            where.append(f"Ligne{_NBSP}{self.line}")
        if self.column:
            where.append(f"colonne «{_NBSP}{shown(self.column)}{_NBSP}»")
        sentence = SENTENCES[self.code][1].format_map(
            {key: _fact(key, value) for key, value in self.facts.items()}
        )
        if not where:
            return sentence
        place = ", ".join(where)
        return f"{place[0].upper()}{place[1:]}{_NBSP}: {sentence[0].lower()}{sentence[1:]}"

    def at(self, line: int, column: str | None = None) -> Fault:
        """The same fault with its place filled in."""
        return self._replace(line=line, column=self.column if column is None else column)


Remark = Fault
"""A fault whose severity is ``remark``: it rides on an accepted row."""


class Refused(Exception):  # noqa: N818 - a refusal, not an error
    """Raised inside a reader only, to leave a nested loop; its public functions turn it
    into the fault it carries.
    """

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.code)
        self.fault = fault


def shown(value: object) -> str:
    """A value fit for a sentence: one line, printable, at most ``SHOWN`` characters."""
    text = " ".join(str(value)[: SHOWN * 4].split())
    if not text.isprintable():
        text = "".join(c if c.isprintable() else "\ufffd" for c in text)
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def grouped(number: int) -> str:
    """An integer with French thousands separators."""
    return f"{number:,}".replace(",", "\u202f").replace("-", "−")


def euros(cents: int) -> str:
    """Cents as a French amount without its currency: 123456 is "1 234,56"."""
    sign = "−" if cents < 0 else ""
    return f"{sign}{grouped(abs(cents) // 100)},{abs(cents) % 100:02d}"


def _fact(key: str, value: object) -> str:
    if key.endswith("_cents") and isinstance(value, int):
        return euros(value)
    if key.endswith("_on") and isinstance(value, str):
        return "/".join(reversed(value.split("-")))
    if isinstance(value, list | tuple):
        return ", ".join(shown(item) for item in value)
    if isinstance(value, bool) or not isinstance(value, int):
        return shown(value)
    return grouped(value)
