"""A bank file of any known kind: recognised by what it holds, never by its name."""

from typing import NamedTuple

from relance.formats.bank.camt import is_camt, read_camt
from relance.formats.bank.cfonb import is_cfonb, read_cfonb
from relance.formats.bank.model import Statement
from relance.formats.bank.mt940 import is_mt940, read_mt940
from relance.formats.bank.ofx import is_ofx, read_ofx
from relance.formats.faults import Fault

HEAD = 4096
MAX_BYTES = 50_000_000


class BankFile(NamedTuple):
    """``kind`` is camt, ofx, cfonb or mt940."""

    kind: str
    statements: list[Statement]


def read_bank_file(raw: bytes) -> BankFile | Fault:
    """The statements of a file, or why it is refused as a whole.

    Faults: ``empty_file``, ``file_too_large``, ``bank_unknown`` (a table may still be read by
    the columns a person chooses), and those of the reader that recognised it.
    """
    if not raw.strip():
        return Fault("empty_file")
    if len(raw) > MAX_BYTES:
        return Fault("file_too_large", facts={"size": len(raw), "limit": MAX_BYTES})
    if is_camt(raw[:HEAD]):
        return _file("camt", read_camt(raw))
    text = _text(raw)
    if is_ofx(text[:HEAD]):
        return _file("ofx", read_ofx(text))
    if is_cfonb(text):
        return _file("cfonb", read_cfonb(text))
    if is_mt940(text):
        return _file("mt940", read_mt940(text))
    return Fault("bank_unknown")


def _file(kind: str, read: list[Statement] | Fault) -> BankFile | Fault:
    return read if isinstance(read, Fault) else BankFile(kind, read)


def _text(raw: bytes) -> str:
    """UTF-8 when it is, else Windows-1252 (and latin-1 for the five bytes it lacks)."""
    for codec in ("utf-8-sig", "cp1252"):
        try:
            return raw.decode(codec)
        except UnicodeDecodeError:
            continue
    return raw.decode("latin-1")
