"""What the readers of invoices and customers share: cells by field, and their remarks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from relance.formats.amounts import Amount, parse_amount
from relance.formats.columns import Columns, Profile, ReadOptions, column_name, customer_key
from relance.formats.dates import parse_date
from relance.formats.faults import Fault, Refused, Remark
from relance.formats.fields import FIELDS
from relance.formats.text import Cell, cell_text
from relance.formats.values import (
    Mode,
    Regime,
    country_of,
    emails_of,
    mode_of,
    regime_of,
    siren_of,
)


class Party(NamedTuple):
    """The contact details of a customer on one row. ``address`` is its lines; ``country``
    two letters or ""; ``siren`` nine digits or "".
    """

    emails: tuple[str, ...] = ()
    phone: str = ""
    contact: str = ""
    address: tuple[str, ...] = ()
    postcode: str = ""
    city: str = ""
    country: str = ""
    siren: str = ""
    regime: Regime = "unknown"
    site: str = ""


NOBODY = Party()

MAX_PARTIES = 20_000
"""Distinct details kept, since the rows of one customer repeat them."""

_PARTY = ("email", "phone", "contact", "address", "address2", "postcode", "city", "country",
          "siren", "regime", "site")  # fmt: skip


class Cells:
    """Reads the cells of one table by field; raises `Refused`, collects remarks."""

    def __init__(
        self, header: Sequence[str], columns: Columns, profile: Profile, options: ReadOptions
    ) -> None:
        self.header, self.columns, self.options = header, columns, options
        self._orders = {code: found.order for code, found in profile.orders.items()}
        self._decimals = profile.decimals
        self._names: dict[str, str] = {}
        self._party = tuple(columns[code] for code in _PARTY if code in columns)
        self._parties: dict[tuple[Cell, ...], Party] = {}
        self._mode = columns.get("mode", -1)
        self._modes: dict[Cell, Mode] = {}
        self._code, self._name = columns.get("customer_code", -1), columns.get("customer_name", -1)

    def fault(self, code: str, field: str, **facts: object) -> Fault:
        """A fault on the column of a field, without its line."""
        index = self.columns.get(field, -1)
        column = column_name(self.header, index) if index >= 0 else None
        return Fault(code, column=column, facts=facts)

    def text(self, cells: Sequence[Cell], field: str) -> str:
        """The clean text of a field, "" when it is not mapped; refuses one over its limit."""
        index = self.columns.get(field, -1)
        if index < 0:
            return ""
        text = cell_text(cells[index])
        limit = FIELDS[field].limit
        if len(text) > limit:
            raise Refused(
                self.fault("value_too_long", field, value=text[:80], size=len(text), limit=limit)
            )
        return text

    def date(self, cells: Sequence[Cell], field: str) -> dt.date | None:
        """The date of a field, None when empty or not mapped; refuses what is no date."""
        index = self.columns.get(field, -1)
        if index < 0:
            return None
        found = parse_date(cells[index], self._orders.get(field, "dmy"))
        if isinstance(found, Fault):
            raise Refused(found._replace(column=column_name(self.header, index)))
        return found

    def amount(self, cells: Sequence[Cell], field: str, remarks: list[Remark]) -> Amount | None:
        """The amount of a field, None when empty or not mapped; refuses what is none."""
        index = self.columns.get(field, -1)
        if index < 0:
            return None
        found = parse_amount(cells[index], self._decimals.get(field))
        if found is None:
            return None
        if isinstance(found, Fault):
            raise Refused(found._replace(column=column_name(self.header, index)))
        if found.rounded or found.ambiguous:
            code = "amount_rounded" if found.rounded else "amount_ambiguous"
            value = cell_text(cells[index])
            remarks.append(self.fault(code, field, value=value, amount_cents=found.cents))
        return found

    def customer(self, cells: Sequence[Cell]) -> tuple[str, str, str]:
        """Key, code and name of the customer. The name is the first spelling met for the
        key in this file, the code when there is no name. Refuses a row with neither.
        """
        code = self.text(cells, "customer_code") if self._code >= 0 else ""
        name = self.text(cells, "customer_name") if self._name >= 0 else ""
        key = customer_key(code, name)
        if not key:
            field = "customer_name" if self._name >= 0 else "customer_code"
            raise Refused(self.fault("missing_customer", field))
        if name:
            name = self._names.setdefault(key, name)
        else:
            name = self._names.get(key, code)
        return key, code, name

    def mode(self, cells: Sequence[Cell]) -> Mode:
        """The payment mode, "" when not given."""
        index = self._mode
        if index < 0:
            return ""
        cell = cells[index]
        known = self._modes.get(cell)
        if known is None:
            known = mode_of(self.text(cells, "mode"))
            if len(self._modes) < MAX_PARTIES:
                self._modes[cell] = known
        return known

    def party(self, cells: Sequence[Cell], remarks: list[Remark]) -> Party:
        """The contact details of the row; what is not valid is dropped with a remark."""
        if not self._party:
            return NOBODY
        raw = tuple([cells[index] for index in self._party])
        known = self._parties.get(raw)
        if known is not None:
            return known
        before = len(remarks)
        party = self._read_party(cells, remarks)
        if len(remarks) == before and len(self._parties) < MAX_PARTIES:
            self._parties[raw] = party
        return party

    def _read_party(self, cells: Sequence[Cell], remarks: list[Remark]) -> Party:
        good, bad = emails_of(self.text(cells, "email"))
        remarks += [self.fault("email_invalid", "email", value=piece) for piece in bad]
        siren = siren_of(self.text(cells, "siren"))
        country = country_of(self.text(cells, "country"))
        regime = regime_of(self.text(cells, "regime"))
        checked = (("siren", siren), ("country", country), ("regime", regime))
        for field, value in checked:
            if value is None:
                code = "siren_invalid" if field == "siren" else f"{field}_unknown"
                remarks.append(self.fault(code, field, value=self.text(cells, field)))
        lines = (self.text(cells, "address"), self.text(cells, "address2"))
        return Party(
            emails=good,
            phone=self.text(cells, "phone"),
            contact=self.text(cells, "contact"),
            address=tuple(line for line in lines if line),
            postcode=self.text(cells, "postcode"),
            city=self.text(cells, "city"),
            country=country or "",
            siren=siren or "",
            regime=regime or "unknown",
            site=self.text(cells, "site"),
        )
