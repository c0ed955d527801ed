"""Which column holds which field: proposed from the headers, checked against the rows.

A mapping is ``{field code: column index from 0}`` over `fields.CATALOGUE`; it is remembered
under `signature`, so that the same export is recognised next month.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from relance.formats.amounts import Amount, Decimal, DecimalScan, parse_amount
from relance.formats.dates import DateOrder, Order, OrderScan, parse_date
from relance.formats.faults import Fault
from relance.formats.fields import (
    BUCKETS,
    FIELDS,
    MAX_HEADER,
    Subject,
    fields_for,
    header_fields,
    synonyms,
)
from relance.formats.tabular import Row, Table
from relance.formats.text import Cell, cell_text, fold
from relance.formats.values import paid_word

Columns = Mapping[str, int]
"""Field code → column index from 0."""

NEEDED: dict[Subject, tuple[tuple[str, ...], ...]] = {
    "invoices": (("customer_name", "customer_code"), ("issue_on", "due_on"), ("total", "left")),
    "customers": (("customer_name", "customer_code"),),
}
"""Of each group at least one field must be mapped."""


class Proposal(NamedTuple):
    """A proposed mapping with a confidence from 0 to 1 for each field, the columns left
    aside (indexes), and the groups of `NEEDED` that nothing fills (French labels).
    """

    columns: dict[str, int]
    confidence: dict[str, float]
    unmapped: tuple[int, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read what a file leaves open.

    ``paid_on``: local date given to payments without one. ``date_order`` and ``decimal``
    force what is otherwise inferred per column. ``terms_days``: calendar days from issue to
    an absent due date. ``number_per_customer``: invoice numbers are unique per customer
    only, not within the organisation.
    """

    paid_on: dt.date
    date_order: Order | None = None
    decimal: Decimal | None = None
    currency: str = "EUR"
    terms_days: int = 30
    number_per_customer: bool = False


class Profile(NamedTuple):
    """What one pass over a table tells. ``rows``: filled rows; ``refused``: lines refused
    before any mapping; ``orders``: date field → order and whether it is proved; ``decimals``:
    amount field → decimal sign or None; ``faults``: file-level conflicts to settle first;
    ``repeated``: invoice number (as `number_key`) → times, of those met more than once.
    """

    rows: int
    refused: int
    orders: dict[str, DateOrder]
    decimals: dict[str, Decimal | None]
    faults: tuple[Fault, ...]
    repeated: dict[str, int]

    @property
    def ambiguous_dates(self) -> tuple[str, ...]:
        """The date fields read day first for want of proof, to be said in the preview."""
        return tuple(code for code, found in self.orders.items() if not found.certain)


def signature(header: Sequence[str]) -> str:
    """A stable key of 32 hex digits for a header, blind to case, accents and punctuation."""
    folded = "\x1f".join(fold(name) for name in header)
    return hashlib.blake2b(folded.encode(), digest_size=16).hexdigest()


def propose(
    header: Sequence[str], rows: Sequence[Row] = (), subject: Subject = "invoices"
) -> Proposal:
    """The most likely mapping; sample rows veto a header whose values cannot be the field."""
    wanted = {field.code for field in fields_for(subject)}
    scored: list[tuple[float, int, int, str]] = []
    for index, name in enumerate(header):
        for code, score, rank in _candidates(name):
            if code in wanted:
                fit = _fit(code, [row.cells[index] for row in rows if index < len(row.cells)])
                if fit > 0:
                    scored.append((-round(score * fit, 2), rank, index, code))
    columns: dict[str, int] = {}
    confidence: dict[str, float] = {}
    for score, _, index, code in sorted(scored):
        if code not in columns and index not in columns.values():
            columns[code], confidence[code] = index, -score
    unmapped = tuple(i for i in range(len(header)) if i not in columns.values())
    missing = tuple(_group_label(g) for g in NEEDED[subject] if not any(c in columns for c in g))
    return Proposal(columns, confidence, unmapped, missing)


def guess_subject(header: Sequence[str], rows: Sequence[Row] = ()) -> Subject:
    """``invoices`` when a date and an amount are found, else ``customers``."""
    found = propose(header, rows, "invoices").columns
    dated = "issue_on" in found or "due_on" in found
    return "invoices" if dated and ("total" in found or "left" in found) else "customers"


def aged_buckets(header: Sequence[str]) -> tuple[str, ...]:
    """The headers that are buckets of an aged balance, when at least three are."""
    found = tuple(name for name in header if fold(name) in BUCKETS)
    return found if len(found) >= 3 else ()


def check_columns(table: Table, columns: Columns, subject: Subject) -> list[Fault]:
    """What keeps this mapping from being read: ``bad_mapping``, ``missing_column`` or
    ``aged_balance``; empty when it can be.
    """
    faults = _bad_indexes(table, columns)
    faults += [
        Fault("missing_column", facts={"field": _group_label(group)})
        for group in NEEDED[subject]
        if not any(code in columns for code in group)
    ]
    buckets = aged_buckets(table.header)
    if faults and buckets and subject == "invoices":
        return [Fault("aged_balance", facts={"buckets": list(buckets)})]
    return faults


def inspect(table: Table, columns: Columns, options: ReadOptions) -> Profile:
    """Read the whole table once to settle date orders, decimal signs and repeated numbers.

    A date column without proof takes the proved order of the others. Reasons to stop are
    in ``faults``; a forced ``date_order`` silences them.
    """
    wrong = _bad_indexes(table, columns)
    if wrong:
        return Profile(0, 0, {}, {}, tuple(wrong), {})
    dates = {c: (i, OrderScan()) for c, i in columns.items() if FIELDS[c].kind == "date"}
    amounts = {c: (i, DecimalScan()) for c, i in columns.items() if FIELDS[c].kind == "amount"}
    scans, decimal_scans = list(dates.values()), list(amounts.values())
    seen: dict[str, int] = {}
    numbered = "number" in columns
    count = refused = 0
    files: list[Fault] = []
    for item in table.rows():
        if isinstance(item, Fault):
            refused += 1
            if item.severity == "file":
                files.append(item)
            continue
        count += 1
        line, cells = item
        for index, orders in scans:
            orders.add(line, cells[index])
        for index, decimals in decimal_scans:
            decimals.add(cells[index])
        key = number_key(cells, columns, options) if numbered else ""
        if key:
            seen[key] = seen.get(key, 0) + 1
    found, faults = _orders(table, dates, options)
    return Profile(
        rows=count,
        refused=refused,
        orders=found,
        decimals={c: options.decimal or scan.sign for c, (_, scan) in amounts.items()},
        faults=(*files, *faults),
        repeated={key: times for key, times in seen.items() if times > 1},
    )


def _bad_indexes(table: Table, columns: Columns) -> list[Fault]:
    return [
        Fault("bad_mapping", facts={"index": index + 1, "field": _label(code)})
        for code, index in columns.items()
        if code not in FIELDS or not 0 <= index < len(table.header)
    ]


def number_key(cells: Sequence[Cell], columns: Columns, options: ReadOptions) -> str:
    """The identity of the invoice on this row: its number, preceded by its customer when
    numbers are unique per customer only; "" when the row has no number.
    """
    index = columns.get("number", -1)
    number = cell_text(cells[index]) if index >= 0 else ""
    if not number or not options.number_per_customer:
        return number
    code, name = (
        cell_text(cells[columns[field]]) if field in columns else ""
        for field in ("customer_code", "customer_name")
    )
    return f"{customer_key(code, name)}\x1f{number}"


def customer_key(code: str, name: str) -> str:
    """Identity of a customer: ``c:`` and the code when there is one (case and spaces apart),
    else ``n:`` and the folded name; "" when there is neither.
    """
    if code:
        return "c:" + "".join(code.split()).casefold()
    if not name:
        return ""
    return "n:" + (fold(name) or name.casefold())


def _orders(
    table: Table, dates: Mapping[str, tuple[int, OrderScan]], options: ReadOptions
) -> tuple[dict[str, DateOrder], list[Fault]]:
    if options.date_order is not None:
        return {code: DateOrder(options.date_order, True) for code in dates}, []
    found: dict[str, DateOrder] = {}
    faults: list[Fault] = []
    for code, (index, scan) in dates.items():
        verdict = scan.verdict()
        if isinstance(verdict, Fault):
            faults.append(verdict._replace(column=column_name(table.header, index)))
        else:
            found[code] = verdict
    proved = {found[code].order for code in found if dates[code][1].dmy or dates[code][1].mdy}
    if len(proved) == 1:
        order = proved.pop()
        found = {code: DateOrder(order, True) for code in found}
    return found, faults


def column_name(header: Sequence[str], index: int) -> str:
    """The header of a column as shown to a person; its rank when it has none."""
    return header[index] or f"n°\u00a0{index + 1}"


def _candidates(name: str) -> list[tuple[str, float, int]]:
    """Fields a header may name, with a score from 0 to 1 and a rank to break draws."""
    exact = header_fields(name)
    if exact or len(name) > MAX_HEADER:
        return [(code, 1.0, rank) for code, rank in exact]
    folded = f" {fold(name)} "
    best: dict[str, float] = {}
    for key, codes in synonyms().items():
        if len(key) >= 5 and f" {key} " in folded:
            for code, _ in codes:
                best[code] = max(best.get(code, 0.0), 0.4 + 0.3 * len(key) / len(folded))
    return [(code, score, 99) for code, score in best.items()]


def _fit(code: str, cells: Sequence[Cell]) -> float:
    """1 when the values can be this field, 0 when they cannot, between when some cannot."""
    filled = [cell for cell in cells if cell_text(cell)]
    kind = FIELDS[code].kind
    if not filled:
        return 0.9
    good = sum(_is_fit(code, kind, cell) for cell in filled) / len(filled)
    return good if good >= 0.5 else 0.0


def _is_fit(code: str, kind: str, cell: Cell) -> bool:
    if kind == "date":
        return any(isinstance(parse_date(cell, order), dt.date) for order in ("dmy", "mdy"))
    if code == "paid" and paid_word(cell_text(cell)) is not None:
        return True
    if kind == "amount":
        return isinstance(parse_amount(cell), Amount)
    if kind == "email":
        return "@" in cell_text(cell)
    if code in ("country", "city", "contact", "regime"):
        return any(c.isalpha() for c in cell_text(cell))
    return not isinstance(cell, dt.date)


def _label(code: str) -> str:
    return FIELDS[code].label if code in FIELDS else code


def _group_label(group: tuple[str, ...]) -> str:
    return " ou ".join(_label(code) for code in group)
