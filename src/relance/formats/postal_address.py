"""An address as the post reads it: NF Z 10-011, at most six lines of 38 characters.

From the name to the town, then the country abroad as a seventh line; the last three lines in
capitals without accents or punctuation. Words are abbreviated only on a line that is too long.
Nothing is ever cut off: what does not fit is a fault, with what to do about it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import NamedTuple

from relance.formats.countries import DOMESTIC, NAMES

WIDTH = 38
"""Characters of a line, spaces included."""
MOST_LINES = 6
"""Without the country, which may come as a seventh."""

_WAYS = {
    "ALLEE": "ALL", "ALLEES": "ALL", "AVENUE": "AV", "BATIMENT": "BAT", "BOULEVARD": "BD",
    "CARREFOUR": "CAR", "CHAUSSEE": "CHS", "CHEMIN": "CHE", "CORNICHE": "COR", "COURS": "CRS",
    "DOMAINE": "DOM", "DESCENTE": "DSC", "ECART": "ECA", "ESPLANADE": "ESP", "FAUBOURG": "FG",
    "GRANDE RUE": "GR", "HAMEAU": "HAM", "HALLE": "HLE", "IMMEUBLE": "IMM", "IMPASSE": "IMP",
    "LIEU DIT": "LD", "LOTISSEMENT": "LOT", "MARCHE": "MAR", "MONTEE": "MTE", "PASSAGE": "PAS",
    "PLACE": "PL", "PLAINE": "PLN", "PLATEAU": "PLT", "PROMENADE": "PRO", "PARVIS": "PRV",
    "QUARTIER": "QUA", "QUAI": "QU", "RESIDENCE": "RES", "ROUTE": "RTE", "ROND POINT": "RPT",
    "RUELLE": "RLE", "ROCADE": "ROC", "SENTIER": "SEN", "SENTE": "SEN", "SQUARE": "SQ",
    "TERRE PLEIN": "TPL", "TRAVERSE": "TRA", "VILLAGE": "VLGE", "VILLA": "VLA",
    "ZONE ARTISANALE": "ZA", "ZONE COMMERCIALE": "ZC", "ZONE INDUSTRIELLE": "ZI",
    "ZONE D ACTIVITE": "ZA", "ZONE D ACTIVITES": "ZA", "ZONE D AMENAGEMENT CONCERTE": "ZAC",
    "CENTRE COMMERCIAL": "CCAL", "APPARTEMENT": "APP", "ESCALIER": "ESC", "ETAGE": "ETG",
}  # fmt: skip
_WORDS = {
    "CAPITAINE": "CAP", "CARDINAL": "CDL", "COLONEL": "CNL", "COMMANDANT": "CDT", "DOCTEUR": "DR",
    "GENERAL": "GAL", "GRAND": "GD", "GRANDE": "GDE", "GRANDS": "GDS", "GRANDES": "GDES",
    "HAUT": "HT", "HAUTE": "HTE", "HAUTS": "HTS", "HAUTES": "HTES", "INFERIEUR": "INF",
    "INGENIEUR": "ING", "LIEUTENANT": "LT", "MARECHAL": "MAL", "MONSEIGNEUR": "MGR",
    "NOTRE DAME": "ND", "PETIT": "PT", "PETITE": "PTE",
    "PETITS": "PTS", "PETITES": "PTES", "PRESIDENT": "PDT", "PROFESSEUR": "PR", "RECTEUR": "RECT",
    "SAINT": "ST", "SAINTE": "STE", "SAINTS": "STS", "SAINTES": "STES", "SERGENT": "SGT",
    "SUPERIEUR": "SUP", "VIEILLE": "VLE", "VIEUX": "VX",
}  # fmt: skip
_TOWNS = {"SAINT": "ST", "SAINTE": "STE", "SAINTS": "STS", "SAINTES": "STES"}
_NAMES_SHORT = {
    "ASSOCIATION": "ASS", "COMPAGNIE": "CIE", "ETABLISSEMENT": "ETS", "ETABLISSEMENTS": "ETS",
    "SOCIETE": "STE",
}  # fmt: skip
_PLAIN = str.maketrans(
    {"œ": "oe", "Œ": "OE", "æ": "ae", "Æ": "AE", "ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L",
     "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "TH", "ı": "i"}
)  # fmt: skip

_NO_STREET = {"BATIMENT", "IMMEUBLE", "RESIDENCE", "APPARTEMENT", "ESCALIER", "ETAGE"}
_TYPES = "|".join(
    [*(_WAYS.keys() - _NO_STREET), "RUE", "COUR", "MAIL", "VOIE", "CLOS", "PORT",
     "ZA", "ZI", "ZAC", "AV", "BD", "PL", "RTE", "CHE", "IMP", "SQ", "ALL"]
)  # fmt: skip
_STREET = re.compile(rf"\d+(?!E )[A-Z]? (?!EME |ER |E |ETAGE).*|({_TYPES})\b.*")
_BOX = re.compile(r"(B ?P|C ?S|TSA|CEDEX|POSTE RESTANTE)\b.*")
_TOWN_LINE = re.compile(r"\d{5}\s+\D.*")

Translate = Callable[[str], str]


def _(text: str) -> str:
    """Mark a gettext source string; it is translated when shown."""
    return text


SENTENCES: dict[str, str] = {
    "NO_NAME": _("L’adresse ne nomme personne."),
    "NO_STREET": _("L’adresse n’a pas de rue."),
    "NO_TOWN": _("L’adresse n’a pas de ville."),
    "NO_POSTCODE": _("L’adresse n’a pas de code postal."),
    "BAD_POSTCODE": _("Le code postal «\u00a0{value}\u00a0» n’a pas cinq chiffres."),
    "UNKNOWN_COUNTRY": _("Le pays «\u00a0{value}\u00a0» n’est pas connu."),
    "TOO_LONG": _(
        "Une ligne d’adresse compte au plus 38\u00a0caractères\u00a0: «\u00a0{value}\u00a0» en a"
        " {length}, même abrégée. Raccourcissez-la."
    ),
    "TOO_MANY_LINES": _(
        "Une adresse compte au plus 6\u00a0lignes\u00a0: celle-ci en demande {length}."
        " Retirez-en une ou raccourcissez-la."
    ),
}


class PostalFault(NamedTuple):
    """Why an address cannot be printed: a code of `SENTENCES`, the words meant, and a count."""

    code: str
    value: str = ""
    length: int = 0

    def sentence(self, translate: Translate = str) -> str:
        """What is wrong and what to do, as plain French text."""
        words = translate(SENTENCES[self.code])
        return words.format(value=self.value, length=self.length)


class PostalAddress(NamedTuple):
    """`lines` from the name to the town or country; they may be printed when there is no fault."""

    lines: tuple[str, ...]
    faults: tuple[PostalFault, ...] = ()


def format_address(
    name: str,
    *,
    attention: str = "",
    address: str = "",
    postcode: str = "",
    city: str = "",
    country: str = "FR",
) -> PostalAddress:
    """The block of an envelope (NF Z 10-011); `address` holds lines, `country` an ISO code.

    Without `city`, the town is looked for in the address itself, as `29000 Quimper`. Foreign
    addresses keep their own writing, for the post of their country reads it, but for the town.
    """
    home = country.strip().upper() in DOMESTIC
    typed = [line for line in map(_clean, address.splitlines()) if line]
    code = re.sub(r"\s", "", postcode) if home else postcode
    town = _clean(f"{code} {city}") if city.strip() else ""
    if not town and home:
        found = [line for line in typed if _TOWN_LINE.fullmatch(line)]
        town = found[-1] if found else ""
        typed = [line for line in typed if line != town]
    upper, after = (_capitals, _BOX) if home else (str, re.compile("(?!)"))
    before, street, rest = _sorted_out(typed, after) if home else (typed, "", [])
    block = _Block()
    block.add(_clean(name), _NAMES_SHORT)
    if _clean(attention) != _clean(name):
        block.add(_clean(attention), _NAMES_SHORT)
    for line in before:
        block.add(line, _WAYS | _WORDS if home else {})
    for line in (street, *rest):
        block.add(upper(line), _WAYS | _WORDS)
    block.add(upper(town).upper(), _TOWNS if home else {})
    lines = block.fitted()
    faults = [
        *_missing(name, typed, town, code if city.strip() else None, home=home),
        *block.faults(lines),
    ]
    if not home:
        land = NAMES.get(country.strip().upper(), "")
        lines += [land or _clean(country).upper()]
        faults += [] if land else [PostalFault("UNKNOWN_COUNTRY", _clean(country))]
    return PostalAddress(tuple(lines), tuple(faults))


def _missing(
    name: str, typed: list[str], town: str, code: str | None, *, home: bool
) -> list[PostalFault]:
    """What a letter cannot do without; without `code` the town came with its own."""
    found = [] if _clean(name) else [PostalFault("NO_NAME")]
    found += [] if typed else [PostalFault("NO_STREET")]
    found += [] if town else [PostalFault("NO_TOWN")]
    if home and code is not None and not re.fullmatch(r"[0-9]{5}", code):
        found.append(PostalFault("BAD_POSTCODE", code) if code else PostalFault("NO_POSTCODE"))
    return found


def _sorted_out(typed: list[str], after: re.Pattern[str]) -> tuple[list[str], str, list[str]]:
    """What stands before the street (building, person), the street, and what follows it."""
    plain = [_capitals(line) for line in typed]
    place = next((n for n, line in enumerate(plain) if _STREET.fullmatch(line)), None)
    if place is None:
        ways = [n for n, line in enumerate(plain) if not after.fullmatch(line)]
        place = ways[-1] if ways else 0
    return typed[:place], "".join(typed[place : place + 1]), typed[place + 1 :]


def _clean(text: str) -> str:
    """One line without control or invisible characters, spaces counted once."""
    kept = "".join(
        " " if unicodedata.category(char) in _INVISIBLE else char
        for char in unicodedata.normalize("NFC", text)
    )
    return " ".join(kept.split()).strip(" ,;")


_INVISIBLE = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp", "Zs"})


def _capitals(text: str) -> str:
    """Capitals without accents or punctuation, as lines 4 to 6 want them."""
    apart = unicodedata.normalize("NFKD", text.translate(_PLAIN)).upper().translate(_PLAIN)
    bare = "".join(char for char in apart if not unicodedata.combining(char))
    letters = "".join(char if char.isalnum() else " " for char in bare)
    return " ".join(unicodedata.normalize("NFC", letters).split())


class _Block:
    """The lines of an address while they are made to fit."""

    def __init__(self) -> None:
        self._lines: list[tuple[str, Mapping[str, str]]] = []

    def add(self, line: str, shorter: Mapping[str, str]) -> None:
        """One more line, with the abbreviations it may take; an empty one is none."""
        if line:
            self._lines.append((line, shorter))

    def fitted(self) -> list[str]:
        """Lines that are too long are abbreviated, then go on on a line of their own."""
        made: list[str] = []
        for line, shorter in self._lines:
            parts = _wrapped(line if len(line) <= WIDTH else _abbreviated(line, shorter))
            if shorter is _NAMES_SHORT and len(_wrapped(line)) == len(parts):
                parts = _wrapped(line)  # a shorter name that saves no line is only uglier
            made += parts
        return made

    def faults(self, lines: list[str]) -> list[PostalFault]:
        """What no abbreviation helps."""
        found = [PostalFault("TOO_LONG", one, len(one)) for one in lines if len(one) > WIDTH]
        if len(lines) > MOST_LINES:
            found.append(PostalFault("TOO_MANY_LINES", length=len(lines)))
        return found


def _abbreviated(line: str, shorter: Mapping[str, str]) -> str:
    """The line with as few words abbreviated as make it fit: kinds of ways first, then titles."""
    for word, sign in shorter.items():
        if len(line) <= WIDTH:
            break
        line = re.sub(rf"(?<!\w){_any_accent(word)}(?!\w)", sign, line, flags=re.IGNORECASE)
    return line


_LOOSE = {"A": "[aàâä]", "C": "[cç]", "E": "[eéèêë]", "I": "[iîï]", "O": "[oôö]", "U": "[uùûü]",
          " ": "[ ’'-]"}  # fmt: skip


def _any_accent(word: str) -> str:
    return "".join(_LOOSE.get(char, char) for char in word)


def _wrapped(line: str) -> list[str]:
    """Broken between words so that every part fits, where words allow it."""
    made: list[str] = []
    for word in line.split(" "):
        if made and len(made[-1]) + 1 + len(word) <= WIDTH:
            made[-1] += f" {word}"
        else:
            made.append(word)
    return made
