"""How long an SMS is for the network: its alphabet, its parts, and what makes it dearer.

GSM 03.38 (3GPP TS 23.038): 160 units of 7 bits in one part, 153 in each of several, for the basic
alphabet, whose extension table costs two units a character; any other character turns the whole
message into UCS-2: 70 units of 16 bits, 67 in each of several. The French
traps: ê, ç, œ, ’ and « » are not in the alphabet, é, à, ù and Ç are.
"""

from typing import NamedTuple

BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""The 127 characters that cost one unit (the escape is none)."""

EXTENSION = "\f^{}\\[~]|€"
"""Those that cost two: the escape and another."""

ONE, SEVERAL = 160, 153
UCS2_ONE, UCS2_SEVERAL = 70, 67

PLAINER: dict[str, str] = {
    "’": "'",
    "‘": "'",
    "“": '"',
    "”": '"',
    "„": '"',
    "«": '"',
    "»": '"',
    "–": "-",
    "—": "-",
    "−": "-",
    "‑": "-",
    "…": "...",
    "\u00a0": " ",
    "\u202f": " ",
    "\u2009": " ",
    "\u200b": "",
    "\t": " ",
    "œ": "oe",
    "Œ": "OE",
    "â": "a",
    "ê": "e",
    "ë": "e",
    "î": "i",
    "ï": "i",
    "ô": "o",
    "û": "u",
    "ÿ": "y",
    "ç": "c",
    "À": "A",
    "Â": "A",
    "È": "E",
    "Ê": "E",
    "Ë": "E",
    "Î": "I",
    "Ï": "I",
    "Ô": "O",
    "Ù": "U",
    "Û": "U",
    "•": "-",
}
"""What is offered in place of characters outside the alphabet; nothing is replaced unasked."""

_UNITS = {**dict.fromkeys(BASIC, 1), **dict.fromkeys(EXTENSION, 2)}


class Count(NamedTuple):
    """`units` in all, `parts` that are paid, `left` units before another part begins.

    `forcing` are the characters outside GSM-7, each once, in order; empty when `encoding` is
    "gsm7", otherwise it is "ucs2".
    """

    encoding: str
    units: int
    parts: int
    left: int
    forcing: tuple[str, ...]


def count(text: str) -> Count:
    """Parts and units of a text; an empty one has no part.

    A character of two units never lies across two parts: the unit before it is lost.
    """
    forcing = tuple(dict.fromkeys(sign for sign in text if sign not in _UNITS))
    if forcing:
        sizes = [2 if ord(sign) > 0xFFFF else 1 for sign in text]
        return _packed("ucs2", sizes, UCS2_ONE, UCS2_SEVERAL, forcing)
    return _packed("gsm7", [_UNITS[sign] for sign in text], ONE, SEVERAL, ())


def _packed(
    encoding: str, sizes: list[int], one: int, several: int, forcing: tuple[str, ...]
) -> Count:
    units = sum(sizes)
    if units <= one:
        return Count(encoding, units, 1 if sizes else 0, one - units, forcing)
    parts, used = 1, 0
    for size in sizes:
        if used + size > several:
            parts, used = parts + 1, 0
        used += size
    return Count(encoding, units, parts, several - used, forcing)


def plainer(text: str) -> str:
    """The same text with every character of `PLAINER` replaced."""
    return "".join(PLAINER.get(sign, sign) for sign in text)


def saves(text: str) -> int:
    """How many parts `plainer` would save; 0 when it is not worth offering."""
    return count(text).parts - count(plainer(text)).parts
