"""Reading a table of invoices, with payments and credits in columns of the same row.

What the columns mean together:

- a type "avoir" or a negative total makes a credit note; amounts are then absolute;
- ``left`` rules: paid = total − left; an empty ``left`` means settled, since chasing a
  paid invoice is the worse mistake; ``left`` above the total is refused;
- without ``left``, ``paid`` is an amount or a word ("oui", "payée");
- ``paid_on`` alone means fully paid on that date; a payment without date takes the
  caller's ``paid_on``;
- dates that contradict each other (due or paid before issue) are kept with a remark:
  real ledgers hold prepayments;
- an empty amount is read as 0.00 with a remark, so the row is there and settled;
- one number on several lines: identical lines count once, different ones are all refused.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator
from typing import NamedTuple

from relance.formats.columns import (
    Columns,
    Profile,
    ReadOptions,
    check_columns,
    inspect,
    number_key,
)
from relance.formats.faults import Fault, Refused, Remark
from relance.formats.rows import NOBODY, Cells, Party
from relance.formats.tabular import Row, Table, subtotal_label
from relance.formats.text import Cell, cell_text, fold
from relance.formats.values import (
    InvoiceKind,
    Mode,
    currency_of,
    invoice_kind,
    level_of,
    paid_word,
)


class InvoiceRow(NamedTuple):
    """An invoice or a credit note to import.

    Cents are integers ≥ 0 whatever the kind; ``left_cents`` is what stays open, 0 when
    overpaid. Dates are local dates. ``number_given`` is False for a number made here.
    ``paid_on`` is None when nothing is paid; ``paid_on_assumed`` says it is the caller's.
    ``level`` is None when no column gives it.
    """

    line: int
    number: str
    number_given: bool
    customer_key: str
    customer_code: str
    customer_name: str
    kind: InvoiceKind
    issue_on: dt.date
    due_on: dt.date
    due_estimated: bool
    total_cents: int
    paid_cents: int
    left_cents: int
    paid_on: dt.date | None
    paid_on_assumed: bool
    currency: str
    mode: Mode
    label: str
    level: int | None
    party: Party
    remarks: tuple[Remark, ...]


class _Money(NamedTuple):
    kind: InvoiceKind
    total: int
    paid: int
    paid_on: dt.date | None
    assumed: bool
    currency: str | None


def read_invoices(
    table: Table, columns: Columns, options: ReadOptions, profile: Profile | None = None
) -> Iterator[InvoiceRow | Fault]:
    """The rows of a table as invoices, and a fault for each line that is not imported.

    ``profile`` spares the first pass when `columns.inspect` was already called. Faults of
    the whole file come first and end the reading. Lines that share a number come when
    the last of them is met, so lines are not always in order.
    """
    unfit = check_columns(table, columns, "invoices")
    if unfit:
        yield from unfit
        return
    profile = profile or inspect(table, columns, options)
    if profile.faults:
        yield from profile.faults
        return
    reader = _Reader(table, columns, options, profile)
    for item in table.rows():
        if isinstance(item, Fault):
            yield item
        else:
            yield from reader.read(item)
    yield from reader.rest()


class _Reader:
    def __init__(
        self, table: Table, columns: Columns, options: ReadOptions, profile: Profile
    ) -> None:
        self.cells = Cells(table.header, columns, profile, options)
        self.columns, self.options, self.header = columns, options, table.header
        self.repeated = profile.repeated
        self.has_left, self.has_paid = "left" in columns, "paid" in columns
        self.has_kind, self.has_total = "kind" in columns, "total" in columns
        self.has_level, self.has_currency = "level" in columns, "currency" in columns
        self.has_number, self.has_label = "number" in columns, "label" in columns
        self.ordinals: dict[str, int] = {}
        self.waiting: dict[str, list[InvoiceRow | None]] = {}

    def read(self, row: Row) -> Iterator[InvoiceRow | Fault]:
        """The outcome of one row; none for a line that waits for those of its number."""
        key = ""
        if self.repeated:
            key = number_key(row.cells, self.columns, self.options)
        try:
            made: InvoiceRow | Fault = self._invoice(row)
        except Refused as refusal:
            made = self._why(row, refusal.fault)
        if not key or key not in self.repeated:
            yield made
            return
        same = self.waiting.setdefault(key, [])
        if isinstance(made, Fault):
            same.append(None)
            yield made
        else:
            same.append(made)
        if len(same) == self.repeated[key]:
            yield from _settle(self.waiting.pop(key))

    def rest(self) -> Iterator[InvoiceRow | Fault]:
        """The lines still waiting at the end of the file."""
        for same in self.waiting.values():
            yield from _settle(same)

    def _why(self, row: Row, fault: Fault) -> Fault:
        """A refused row may be a subtotal or a repeated header, which is no mistake."""
        if fault.code in ("bad_date", "missing_issue_date", "missing_customer"):
            texts = [cell_text(cell) for cell in row.cells]
            if fault.code == "bad_date" and tuple(map(fold, texts)) == tuple(
                map(fold, self.header)
            ):
                return Fault("header_repeated", line=row.line)
            label = subtotal_label(row.cells)
            if label is not None and fault.code != "bad_date":
                return Fault("subtotal", line=row.line, facts={"label": label})
        return fault.at(row.line)

    def _invoice(self, row: Row) -> InvoiceRow:
        line, cells = row
        get, remarks = self.cells, []  # type: Cells, list[Remark]
        issue, due, estimated = self._dates(cells, remarks)
        key, code, name = get.customer(cells)
        money = self._money(cells, issue, remarks)
        number = get.text(cells, "number") if self.has_number else ""
        given = bool(number)
        if not given:
            number = self._made_number(key, issue, due, money)
            if self.has_number:
                remarks.append(get.fault("number_missing", "number", number=number))
        party = get.party(cells, remarks)
        return InvoiceRow(
            line,
            number,
            given,
            key,
            code,
            name,
            money.kind,
            issue,
            due,
            estimated,
            money.total,
            money.paid,
            max(0, money.total - money.paid),
            money.paid_on,
            money.assumed,
            self._currency(cells, money),
            get.mode(cells),
            get.text(cells, "label") if self.has_label else "",
            self._level(cells, remarks),
            party,
            tuple(remark.at(line) for remark in remarks) if remarks else (),
        )

    def _dates(self, cells: list[Cell], remarks: list[Remark]) -> tuple[dt.date, dt.date, bool]:
        get = self.cells
        issue, due = get.date(cells, "issue_on"), get.date(cells, "due_on")
        if issue is None:
            if due is None:
                field = "issue_on" if "issue_on" in self.columns else "due_on"
                raise Refused(get.fault("missing_issue_date", field))
            if "issue_on" in self.columns:
                remarks.append(get.fault("issue_from_due", "issue_on", due_on=due.isoformat()))
            return due, due, False
        if due is None:
            days = self.options.terms_days
            due = issue + dt.timedelta(days=days)
            facts = {"due_on": due.isoformat(), "days": days}
            remarks.append(get.fault("due_estimated", "due_on", **facts))
            return issue, due, True
        if due < issue:
            facts = {"due_on": due.isoformat(), "issue_on": issue.isoformat()}
            remarks.append(get.fault("due_before_issue", "due_on", **facts))
        return issue, due, False

    def _money(self, cells: list[Cell], issue: dt.date, remarks: list[Remark]) -> _Money:
        get = self.cells
        total = get.amount(cells, "total", remarks) if self.has_total else None
        left = get.amount(cells, "left", remarks) if self.has_left else None
        amount, word = self._paid(cells, remarks) if self.has_paid else (None, None)
        paid_on = get.date(cells, "paid_on")
        currency = (total or left or (None, None))[1]
        left_cents = None if left is None else left.cents
        if total is not None:
            cents = total.cents
        elif left_cents is not None:
            cents = left_cents + abs(amount or 0) * (-1 if left_cents < 0 else 1)
        else:
            field = "total" if self.has_total else "left"
            remarks.append(get.fault("amount_missing", field))
            return _Money(self._kind(cells, 0, remarks), 0, 0, paid_on, False, None)
        kind = self._kind(cells, cents, remarks)
        if left_cents is not None:
            left_cents = self._left(cents, left_cents, kind)
        sign = -1 if cents < 0 else 1
        if amount is not None:
            amount *= sign if sign * amount >= 0 else 1
            if amount < 0:
                amount = -amount
                remarks.append(get.fault("paid_sign", "paid", paid_cents=amount))
        paid = self._settled(abs(cents), left_cents, amount, word, paid_on, remarks)
        return self._paid_when(kind, abs(cents), paid, paid_on, issue, currency, remarks)

    def _left(self, total: int, left: int, kind: InvoiceKind) -> int:
        """What is left, in the direction of the total: negative when overpaid."""
        if kind == "credit_note":
            left = abs(left)
        if left > abs(total):
            facts = {"left_cents": left, "total_cents": abs(total)}
            raise Refused(self.cells.fault("left_exceeds_total", "left", **facts))
        return left

    def _settled(
        self,
        total: int,
        left: int | None,
        amount: int | None,
        word: bool | None,
        paid_on: dt.date | None,
        remarks: list[Remark],
    ) -> int:
        """Cents paid, from whichever of left, paid and paid_on the row gives."""
        get = self.cells
        if left is not None:
            if amount is not None and self.has_total and amount != total - left:
                facts = {"paid_cents": amount, "left_cents": left, "total_cents": total}
                remarks.append(get.fault("paid_and_left_disagree", "paid", **facts))
            return total - left
        if amount is not None:
            return amount
        if word is not None:
            return total if word else 0
        if paid_on is not None:
            return total
        if self.has_left:
            remarks.append(get.fault("left_empty", "left"))
            return total
        return 0

    def _paid_when(
        self,
        kind: InvoiceKind,
        total: int,
        paid: int,
        paid_on: dt.date | None,
        issue: dt.date,
        currency: str | None,
        remarks: list[Remark],
    ) -> _Money:
        get = self.cells
        if paid == 0:
            if paid_on is not None and total:
                fact = paid_on.isoformat()
                remarks.append(get.fault("paid_on_ignored", "paid_on", paid_on=fact))
                paid_on = None
            return _Money(kind, total, 0, paid_on, False, currency)
        if paid > total:
            facts = {"paid_cents": paid, "total_cents": total}
            field = "left" if self.has_left else "paid"
            remarks.append(get.fault("overpaid", field, **facts))
        if paid_on is None:
            # never before the invoice itself, which would be a remark of our own making
            return _Money(kind, total, paid, max(self.options.paid_on, issue), True, currency)
        if paid_on < issue:
            facts_on = {"paid_on": paid_on.isoformat(), "issue_on": issue.isoformat()}
            remarks.append(get.fault("paid_before_issue", "paid_on", **facts_on))
        return _Money(kind, total, paid, paid_on, False, currency)

    def _paid(self, cells: list[Cell], remarks: list[Remark]) -> tuple[int | None, bool | None]:
        cell = cells[self.columns["paid"]]
        if type(cell) is bool:
            return None, cell
        if type(cell) is str and cell[:1].isalpha():
            word = paid_word(cell_text(cell))
            if word is not None:
                return None, word
        amount = self.cells.amount(cells, "paid", remarks)
        return (None if amount is None else amount.cents), None

    def _kind(self, cells: list[Cell], cents: int, remarks: list[Remark]) -> InvoiceKind:
        get = self.cells
        said = None
        if self.has_kind:
            text = get.text(cells, "kind")
            said = invoice_kind(text)
            if said == "other":
                raise Refused(get.fault("type_refused", "kind", value=text))
            if said is None:
                remarks.append(get.fault("type_unknown", "kind", value=text))
        if said == "credit_note":
            return "credit_note"
        if cents < 0:
            remarks.append(get.fault("credit_note_by_sign", "total" if self.has_total else "left"))
            return "credit_note"
        return "invoice"

    def _currency(self, cells: list[Cell], money: _Money) -> str:
        text = self.cells.text(cells, "currency") if self.has_currency else ""
        if not text:
            return money.currency or self.options.currency
        found = currency_of(text)
        if found is None:
            raise Refused(self.cells.fault("currency_unknown", "currency", value=text))
        return found

    def _level(self, cells: list[Cell], remarks: list[Remark]) -> int | None:
        text = self.cells.text(cells, "level") if self.has_level else ""
        if not text:
            return None
        found = level_of(text)
        if found is None:
            remarks.append(self.cells.fault("level_invalid", "level", value=text))
        return found

    def _made_number(self, key: str, issue: dt.date, due: dt.date, money: _Money) -> str:
        """A number that the same row gets again next time, whatever was paid since."""
        facts = f"{key}\x1f{issue}\x1f{due}\x1f{money.kind}\x1f{money.total}"
        digest = hashlib.blake2b(facts.encode(), digest_size=5).hexdigest().upper()
        number = f"SN-{issue}-{digest}"
        ordinal = self.ordinals.get(number, 0) + 1
        self.ordinals[number] = ordinal
        return number if ordinal == 1 else f"{number}-{ordinal}"


def _settle(same: list[InvoiceRow | None]) -> Iterator[InvoiceRow | Fault]:
    """The outcome of the lines that share one number."""
    rows = [row for row in same if row is not None]
    if not rows:
        return
    first = rows[0]
    if all(_content(row) == _content(first) for row in rows[1:]):
        yield first
        for row in rows[1:]:
            yield Fault("duplicate_identical", line=row.line, facts={"first": first.line})
        return
    lines = [row.line for row in rows]
    for row in rows:
        others = [line for line in lines if line != row.line]
        shown = others if len(others) <= 10 else [*others[:10], "…"]
        yield Fault(
            "duplicate_conflict", line=row.line, facts={"number": row.number, "others": shown}
        )


def _content(row: InvoiceRow) -> InvoiceRow:
    return row._replace(line=0, remarks=(), party=NOBODY)
