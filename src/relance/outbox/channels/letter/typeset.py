"""From data to PDF/A by Typst: words come as data, never as source, so none is evaluated.

Only Typst's own fonts are used, all embedded; the same data and moment give the same bytes.
"""

import json
import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import typst

FOLDER = Path(__file__).parent
STANDARD: Final = "a-2b"
"""PDF/A-2b (ISO 19005-2): kept readable for as long as the proof may be asked for."""
LONGEST_WORD = 40
ZERO_WIDTH_SPACE = "\u200b"
NO_BREAK_SPACE = "\u00a0"
STAND_IN = "\u25a1"
"""Printed for a character that no font of ours draws: it is seen to be missing."""
_NOT_DRAWN = "could not be displayed with"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]")
_THOUSANDS = re.compile(r"(?<=\d)\u202f(?=\d)")
"""The narrow space is nearly none in Libertinus; figures are read by their groups."""
_PLAIN = re.compile(r"[\x09\x0a\x20-\u024f\u2009-\u2026\u202f\u20ac\u2212]*")


class Compiled(NamedTuple):
    """A PDF, and the values of its marks named `start`."""

    pdf: bytes
    starts: list[Any]


def compiled(
    source: str,
    inputs: Mapping[str, Any],
    *,
    at: datetime,
    folder: Path = FOLDER,
    files: Mapping[str, bytes] | None = None,
) -> Compiled:
    """The PDF of a source of `folder`, dated `at`.

    `inputs` are put into JSON, `files` are pictures by the plain name that the source reads. A
    character that cannot be drawn becomes `STAND_IN`.
    """
    clean = {key: _clean(value) for key, value in inputs.items()}
    with TemporaryDirectory(prefix="relance-letters-") as made:
        place = Path(made) / source
        place.write_bytes((folder / source).read_bytes())
        for name, content in (files or {}).items():
            place.with_name(name).write_bytes(content)
        try:
            return _compile(place, clean, at)
        except typst.TypstError as fault:
            if _NOT_DRAWN not in str(fault):
                raise
        drawable = {key: _drawable(value) for key, value in clean.items()}
        return _compile(place, drawable, at)


def _compile(source: Path, inputs: Mapping[str, Any], at: datetime) -> Compiled:
    compiler = typst.Compiler(
        str(source),
        root=str(source.parent),
        ignore_system_fonts=True,
        sys_inputs={key: json.dumps(value, ensure_ascii=False) for key, value in inputs.items()},
    )
    made = compiler.compile(
        format="pdf", timestamp=int(at.timestamp()), pdf_standards=STANDARD, pdf_tags=False
    )
    starts = json.loads(compiler.query("<start>", field="value"))
    return Compiled(made if isinstance(made, bytes) else b"", starts)


def _clean(value: Any) -> Any:
    """The same data without control characters, in which an endless word may be broken."""
    if isinstance(value, str):
        text = _CONTROL.sub("", value.replace("\r\n", "\n"))
        text = _THOUSANDS.sub(NO_BREAK_SPACE, text)
        if len(text) <= LONGEST_WORD:
            return text
        return re.sub(rf"\S{{{LONGEST_WORD}}}(?=\S)", lambda m: m.group() + ZERO_WIDTH_SPACE, text)
    return _through(value, _clean)


def _drawable(value: Any) -> Any:
    """The same data with a sign in the place of what no font draws."""
    if isinstance(value, str):
        if _PLAIN.fullmatch(value):
            return value
        return "".join(one if _is_drawn(one) else STAND_IN for one in value)
    return _through(value, _drawable)


def _through(value: Any, change: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: change(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [change(one) for one in value]
    return value


@lru_cache(maxsize=4096)
def _is_drawn(char: str) -> bool:
    """Asked of the fonts themselves, once for each character."""
    if unicodedata.category(char) in ("Mn", "Mc", "Me"):
        return _is_drawn(unicodedata.normalize("NFC", f"e{char}")[:1])
    source = b'#set text(font: ("Libertinus Serif", "New Computer Modern", "DejaVu Sans Mono"))\n'
    compiler = typst.Compiler(
        source + b"#sys.inputs.char", ignore_system_fonts=True, sys_inputs={"char": char}
    )
    try:
        compiler.compile(format="pdf", pdf_standards=STANDARD, pdf_tags=False)
    except typst.TypstError:
        return False
    return True
