"""Reading a FEC, the French ledger file (LPF art. A47 A-1): who owed what at closing.

A FEC is closed-year data without due dates and often with letters whose other leg is in
another year, so what comes out is for a person to review, never to chase by itself. The
shapes are in `fec_model`; the rules of open items are in `fec_open`.
"""

from __future__ import annotations

import datetime as dt
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import NamedTuple

from relance.formats.amounts import parse_amount
from relance.formats.dates import parse_date
from relance.formats.faults import Fault, Refused
from relance.formats.fec_model import DEFAULT_TERMS, FecLedger, FecLine, FecTotals
from relance.formats.fec_open import customers_of
from relance.formats.limits import Limits
from relance.formats.text import Source, fold, open_source, scan_text, source_size
from relance.formats.values import Terms
from relance.formats.workbook_in import foreign_kind

FEC_LIMITS = Limits(max_bytes=300_000_000, max_rows=3_000_000, max_line=100_000)
"""A ledger is larger than a list of invoices; only its customer lines are kept."""

MAX_REJECTS = 10_000
"""Rejected lines reported one by one; a file with more of them is no ledger."""

_NEEDED = ("comptenum", "ecrituredate")
_SHOWN = {"comptenum": "CompteNum", "ecrituredate": "EcritureDate", "debit": "Debit et Credit"}
_NAME = re.compile(r"(\d{9,14})FEC(\d{8})", re.IGNORECASE)


class _Header(NamedTuple):
    separator: str
    places: dict[str, int]
    width: int
    line: int


def is_fec(source: Source) -> bool:
    """Whether the first filled line is that of a FEC."""
    with open_source(source) as stream:
        head = stream.read(8192)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = head.decode("utf-16", errors="replace")
    else:
        text = head.decode("utf-8-sig", errors="replace")
    return not isinstance(_header(text.splitlines()), Fault)


def read_fec(
    source: Source,
    filename: str = "",
    *,
    terms: Terms = DEFAULT_TERMS,
    customer_terms: Mapping[str, Terms] | None = None,
    limits: Limits = FEC_LIMITS,
) -> FecLedger | Fault:
    """The customers of a ledger with their open items, its rejected lines and its totals.

    Due dates are estimated from ``terms`` (``customer_terms`` by customer key first).
    Faults: those of `text.scan_text`, ``file_too_large``, ``too_many_rows``,
    ``kind_not_supported``, ``fec_header``, ``no_rows``.
    """
    opened = _encoding(source, limits)
    if isinstance(opened, Fault):
        return opened
    with open_source(source) as raw:
        stream = io.TextIOWrapper(raw, encoding=opened, newline=None)
        first = [stream.readline() for _ in range(20)]
    header = _header(first)
    if isinstance(header, Fault):
        return header
    reading = _Reading(header)
    with open_source(source) as raw:
        reading.read(io.TextIOWrapper(raw, encoding=opened, newline=None))
    if not reading.lines:
        return reading.rejects[0] if reading.rejects else Fault("no_rows")
    return _ledger(reading, filename, opened, terms, customer_terms or {})


def _encoding(source: Source, limits: Limits) -> str | Fault:
    size = source_size(source)
    if size > limits.max_bytes:
        return Fault("file_too_large", facts={"size": size, "limit": limits.max_bytes})
    with open_source(source) as stream:
        head = stream.read(4096)
    if not head.strip():
        return Fault("empty_file")
    if head.startswith(b"PK"):
        return Fault("kind_not_supported", facts={"kind": "un classeur ou une archive ZIP"})
    other = foreign_kind(head, source)
    if other is not None:
        return other
    scan = scan_text(source, max_line=limits.max_line)
    if isinstance(scan, Fault):
        return "iso8859-15" if scan.code == "unknown_encoding" else scan
    if scan.lines > limits.max_rows:
        return Fault("too_many_rows", facts={"limit": limits.max_rows})
    return scan.encoding


def _header(lines: Sequence[str]) -> _Header | Fault:
    """The first filled line, split on the separator that gives the known names."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        best: dict[str, int] = {}
        found = ("\t", 0)
        for separator in ("\t", "|", ";", ","):
            names = [fold(cell).replace(" ", "") for cell in line.split(separator)]
            if len(names) > found[1]:
                best, found = (
                    {name: i for i, name in enumerate(names) if name},
                    (separator, len(names)),
                )
        missing = [_SHOWN[name] for name in _NEEDED if name not in best]
        if not ({"debit", "credit"} <= best.keys() or {"montant", "sens"} <= best.keys()):
            missing.append(_SHOWN["debit"])
        if missing:
            return Fault("fec_header", line=number, facts={"missing": missing})
        return _Header(found[0], best, found[1], number)
    return Fault("empty_file")


class _Reading:
    """One pass over the lines: totals of all accounts, and the customer lines kept."""

    def __init__(self, header: _Header) -> None:
        self.header = header
        self._lettered = "ecriturelet" in header.places
        self._signed = "debit" not in header.places
        needed = ("montant", "sens") if self._signed else ("debit", "credit")
        self._last = max(header.places[name] for name in (*_NEEDED, *needed))
        self.lines = 0
        self.debit = self.credit = 0
        self.last_on: dt.date | None = None
        self.kept: list[FecLine] = []
        self.rejects: list[Fault] = []
        self.rejected = 0

    @property
    def has_letters(self) -> bool:
        """Whether the file has a column of letters at all."""
        return self._lettered

    def read(self, stream: Iterator[str]) -> None:
        """Read every line below the header; a rejected one counts in no total."""
        separator = self.header.separator
        for number, text in enumerate(stream, start=1):
            if number <= self.header.line or not text.strip():
                continue
            cells = [cell.strip().strip('"') for cell in text.rstrip("\n").split(separator)]
            try:
                line = self._line(number, cells)
            except Refused as refusal:
                self.rejected += 1
                if len(self.rejects) < MAX_REJECTS:
                    self.rejects.append(refusal.fault.at(number))
                continue
            self.lines += 1
            self.debit += line.debit_cents
            self.credit += line.credit_cents
            if self.last_on is None or line.entry_on > self.last_on:
                self.last_on = line.entry_on
            if line.account.startswith("41"):
                self.kept.append(line)

    def _line(self, number: int, cells: list[str]) -> FecLine:
        if len(cells) <= self._last:
            facts = {"cells": len(cells), "expected": self.header.width}
            raise Refused(Fault("fec_few_cells", facts=facts))
        account = self._cell(cells, "comptenum")
        if not account:
            raise Refused(Fault("fec_no_account", column="CompteNum"))
        entry_on = self._date(cells, "ecrituredate", "EcritureDate")
        if entry_on is None:
            raise Refused(Fault("bad_date", column="EcritureDate", facts={"value": ""}))
        debit, credit = self._amounts(cells)
        if not account.startswith("41"):
            return FecLine(number, entry_on, account, debit, credit)
        return FecLine(
            number,
            entry_on,
            account,
            debit,
            credit,
            journal=self._cell(cells, "journalcode"),
            entry=self._cell(cells, "ecriturenum"),
            account_name=self._cell(cells, "comptelib"),
            aux=self._cell(cells, "compauxnum"),
            aux_name=self._cell(cells, "compauxlib"),
            piece=self._cell(cells, "pieceref"),
            piece_on=self._date(cells, "piecedate", "PieceDate"),
            label=self._cell(cells, "ecriturelib"),
            letter=self._cell(cells, "ecriturelet"),
            currency=self._cell(cells, "idevise"),
        )

    def _cell(self, cells: list[str], name: str) -> str:
        place = self.header.places.get(name, -1)
        return cells[place] if 0 <= place < len(cells) else ""

    def _date(self, cells: list[str], name: str, column: str) -> dt.date | None:
        found = parse_date(self._cell(cells, name))
        if isinstance(found, Fault):
            raise Refused(found._replace(column=column))
        return found

    def _amounts(self, cells: list[str]) -> tuple[int, int]:
        if not self._signed:
            return self._amount(cells, "debit", "Debit"), self._amount(cells, "credit", "Credit")
        amount = self._amount(cells, "montant", "Montant")
        side = self._cell(cells, "sens").upper()
        if side in ("D", "+1", "1", "+"):
            return amount, 0
        if side in ("C", "-1", "-"):
            return 0, amount
        raise Refused(Fault("fec_sign", column="Sens", facts={"value": side}))

    def _amount(self, cells: list[str], name: str, column: str) -> int:
        # no thousands separator in a FEC: the last sign is the decimal one
        text = self._cell(cells, name)
        found = parse_amount(text, "," if "," in text else ".")
        if isinstance(found, Fault):
            raise Refused(found._replace(column=column))
        return found.cents if found is not None else 0


def _ledger(
    reading: _Reading,
    filename: str,
    encoding: str,
    terms: Terms,
    customer_terms: Mapping[str, Terms],
) -> FecLedger:
    remarks: list[Fault] = []
    named = _NAME.search(PurePath(filename).name)
    closing = parse_date(named.group(2)) if named else None
    if not isinstance(closing, dt.date):
        closing = reading.last_on
        if filename:
            remarks.append(Fault("fec_name"))
    if not reading.has_letters:
        remarks.append(Fault("fec_no_letters"))
    gap = reading.debit - reading.credit
    if gap:
        facts = {"debit_cents": reading.debit, "credit_cents": reading.credit, "gap_cents": gap}
        remarks.append(Fault("fec_unbalanced", facts=facts))
    found = customers_of(reading.kept, terms, customer_terms)
    totals = FecTotals(
        lines=reading.lines,
        rejected=reading.rejected,
        debit_cents=reading.debit,
        credit_cents=reading.credit,
        customer_lines=sum(c.lines for c in found.customers),
        balance_cents=sum(c.balance_cents for c in found.customers),
        open_cents=sum(item.left_cents for c in found.customers for item in c.items),
        unlettered_cents=found.unlettered_cents,
        groups=sum(c.closed_groups + c.unbalanced_groups for c in found.customers),
        unbalanced_groups=sum(c.unbalanced_groups for c in found.customers),
        unbalanced_cents=found.unbalanced_cents,
        excluded_cents=found.excluded_cents,
    )
    siren = named.group(1) if named and len(named.group(1)) == 9 else ""
    return FecLedger(
        siren=siren,
        closing_on=closing,
        encoding=encoding,
        separator=reading.header.separator,
        customers=found.customers,
        rejects=tuple(reading.rejects),
        remarks=tuple(remarks),
        totals=totals,
    )
