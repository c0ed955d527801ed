"""Reading a table of customers. Several lines of one customer are its several contacts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from relance.formats.columns import Columns, Profile, ReadOptions, check_columns, inspect
from relance.formats.faults import Fault, Refused, Remark
from relance.formats.rows import Cells, Party
from relance.formats.tabular import Row, Table, subtotal_label
from relance.formats.text import cell_text, fold
from relance.formats.values import Mode, Terms, currency_of, terms_of


class CustomerRow(NamedTuple):
    """A customer to import. ``extra`` marks a further line of a customer already given:
    only its contact and e-mails are new. ``terms`` is None and ``currency`` "" when absent.
    """

    line: int
    customer_key: str
    customer_code: str
    customer_name: str
    party: Party
    mode: Mode
    currency: str
    terms: Terms | None
    plan: str
    manager: str
    extra: bool
    remarks: tuple[Remark, ...]


def read_customers(
    table: Table, columns: Columns, options: ReadOptions, profile: Profile | None = None
) -> Iterator[CustomerRow | Fault]:
    """The rows of a table as customers, and a fault for each line that is not imported."""
    unfit = check_columns(table, columns, "customers")
    if unfit:
        yield from unfit
        return
    profile = profile or inspect(table, columns, options)
    if profile.faults:
        yield from profile.faults
        return
    cells = Cells(table.header, columns, profile, options)
    header = tuple(map(fold, table.header))
    seen: dict[str, tuple[int, set[tuple[str, tuple[str, ...]]]]] = {}
    for item in table.rows():
        if isinstance(item, Fault):
            yield item
            continue
        try:
            row = _customer(item, cells)
        except Refused as refusal:
            yield _why(item, refusal.fault)
            continue
        if tuple(fold(cell_text(cell)) for cell in item.cells) == header:
            yield Fault("header_repeated", line=item.line)
            continue
        person = (row.party.contact, row.party.emails)
        if row.customer_key not in seen:
            seen[row.customer_key] = (row.line, {person})
            yield row
            continue
        first, people = seen[row.customer_key]
        if person in people or not any(person):
            yield Fault("customer_repeated", line=row.line, facts={"first": first})
            continue
        people.add(person)
        remark = Fault("customer_extra", line=row.line, facts={"first": first})
        yield row._replace(extra=True, remarks=(*row.remarks, remark))


def _why(row: Row, fault: Fault) -> Fault:
    label = subtotal_label(row.cells) if fault.code == "missing_customer" else None
    if label is not None:
        return Fault("subtotal", line=row.line, facts={"label": label})
    return fault.at(row.line)


def _customer(row: Row, get: Cells) -> CustomerRow:
    line, cells = row
    remarks: list[Remark] = []
    key, code, name = get.customer(cells)
    currency = get.text(cells, "currency")
    iso = currency_of(currency) if currency else ""
    if iso is None:
        raise Refused(get.fault("currency_unknown", "currency", value=currency))
    text = get.text(cells, "terms_days")
    terms = terms_of(text) if text else None
    if text and terms is None:
        remarks.append(get.fault("terms_invalid", "terms_days", value=text))
    party = get.party(cells, remarks)
    return CustomerRow(
        line=line,
        customer_key=key,
        customer_code=code,
        customer_name=name,
        party=party,
        mode=get.mode(cells),
        currency=iso,
        terms=terms,
        plan=get.text(cells, "plan"),
        manager=get.text(cells, "manager"),
        extra=False,
        remarks=tuple(remark.at(line) for remark in remarks),
    )
