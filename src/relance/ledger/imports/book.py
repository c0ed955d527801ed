"""What the writers of an import share: who is already known, and what one chunk did."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple, Protocol

from django.utils.translation import gettext as _

from relance.accounts.models import User
from relance.formats.columns import customer_key
from relance.formats.faults import Fault
from relance.formats.rows import Party
from relance.formats.text import fold
from relance.history.services import Fact
from relance.ledger.models import Customer, Import, ImportLine
from relance.ledger.services.people import searchable

MAX_REMARKS = 500
"""Lines kept per kind of remark; the others are only counted."""


class Refusal(NamedTuple):
    """Why the ledger refuses a line that the reader accepted."""

    code: str
    message: str


class Change(NamedTuple):
    """A row of `ImportChange` to be written; `before` is None for a row that was created."""

    table: str
    row_id: int
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class OfCustomer(Protocol):
    """A row that names a customer."""

    @property
    def line(self) -> int: ...
    @property
    def customer_key(self) -> str: ...
    @property
    def customer_code(self) -> str: ...
    @property
    def customer_name(self) -> str: ...
    @property
    def party(self) -> Party: ...


@dataclass
class Chunk:
    """What one transaction writes beside the rows themselves."""

    imported: Import
    on: date
    now: datetime
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: int = 0
    changes: list[Change] = field(default_factory=list)
    lines: list[ImportLine] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    remarks: dict[str, int] = field(default_factory=dict)

    def refuse(self, line: int, refusal: Refusal) -> None:
        """A line that writes nothing, with its reason."""
        self.refused += 1
        self._line(line, refusal.code, refusal.message, refused=True)

    def fault(self, fault: Fault) -> None:
        """A line that the reader did not turn into a row."""
        if fault.severity in ("refused", "file"):
            self.refuse(fault.line or 0, Refusal(fault.code, fault.message))
            return
        if fault.severity == "unchanged":
            self.unchanged += 1
        self.remark(fault)

    def remark(self, fault: Fault) -> None:
        """Something to know about a line that was accepted or skipped."""
        seen = self.remarks[fault.code] = self.remarks.get(fault.code, 0) + 1
        if seen <= MAX_REMARKS:
            self._line(fault.line or 0, fault.code, fault.message, refused=False)

    def note(self, line: int, code: str, message: str) -> None:
        """A remark of the ledger itself."""
        seen = self.remarks[code] = self.remarks.get(code, 0) + 1
        if seen <= MAX_REMARKS:
            self._line(line, code, message, refused=False)

    def did(
        self,
        table: str,
        row_id: int,
        before: dict[str, Any] | None = None,
        after: dict[str, Any] | None = None,
    ) -> None:
        """Remember a row created (no `before`) or changed, so that it can be undone."""
        self.changes.append(Change(table, row_id, before, after))

    def fact(
        self, kind: str, customer_id: int, invoice_id: int | None, data: Mapping[str, Any]
    ) -> None:
        """A line of the history, which says which import wrote it."""
        self.facts.append(
            Fact(
                kind,
                self.now,
                self.on,
                customer_id,
                invoice_id,
                data={**data, "import": self.imported.pk},
                actor=self.actor,
            )
        )

    @property
    def actor(self) -> User | None:
        """Who gave the file."""
        return self.imported.made_by

    def _line(self, line: int, code: str, message: str, *, refused: bool) -> None:
        self.lines.append(
            ImportLine(
                organisation_id=self.imported.organisation_id,
                imported=self.imported,
                line=line,
                refused=refused,
                code=code,
                message=message,
            )
        )


class Book:
    """Customers of the organisation by code and by name, kept up to date while importing."""

    def __init__(self, imported: Import) -> None:
        self.imported = imported
        self.organisation = imported.organisation
        self._ids: dict[str, int] = {}
        self._taken: set[str] = set()
        self._twice: set[str] = set()
        rows = Customer.objects.filter(organisation=self.organisation).values_list(
            "id", "code", "name"
        )
        for key, code, name in rows.iterator(5_000):
            self._add(key, code, name)
        self.seen: set[str] = set()
        self.fresh: set[str] = set()

    def _add(self, key: int, code: str, name: str) -> None:
        self._taken.add(code)
        self._ids.setdefault(customer_key(code, ""), key)
        by_name = customer_key("", name)
        if self._ids.setdefault(by_name, key) != key:
            self._twice.add(by_name)

    def find(self, key: str) -> int | Refusal | None:
        """The customer behind a key of the readers; None when there is none yet."""
        if key in self._twice:
            return Refusal(
                "customer_ambiguous",
                _("Plusieurs clients portent ce nom. Ajoutez une colonne avec le code du client."),
            )
        return self._ids.get(key)

    def ensure(
        self, rows: Iterable[OfCustomer], chunk: Chunk, **fields: Any
    ) -> dict[str, int | Refusal]:
        """The customer of each row by key; those that do not exist are created from the row
        that names them first, with `fields` set on them."""
        found: dict[str, int | Refusal] = {}
        new: dict[str, Customer] = {}
        for row in rows:
            key = row.customer_key
            if key in found or key in new:
                continue
            known = self.find(key)
            if known is None:
                new[key] = self._new(row, fields)
            else:
                found[key] = known
        for key, made in zip(new, Customer.objects.bulk_create(new.values()), strict=True):
            self._add(made.pk, made.code, made.name)
            found[key] = made.pk
            chunk.did("customer", made.pk)
        self.fresh = set(new)
        return found

    def _new(self, row: OfCustomer, fields: Mapping[str, Any]) -> Customer:
        code = " ".join(row.customer_code.split()) or self._made_code(row.customer_name)
        self._taken.add(code)
        values = {**party_values(row.party), **fields}
        return Customer(
            organisation=self.organisation,
            code=code,
            name=row.customer_name,
            search=searchable(row.customer_name, code),
            **values,
        )

    def _made_code(self, name: str) -> str:
        """A code for a customer known by name only: its letters, made unique."""
        base = fold(name).upper().replace(" ", "-")[:50] or "CLIENT"
        code, rank = base, 1
        while code in self._taken:
            rank += 1
            code = f"{base}-{rank}"
        return code


def party_values(party: Party) -> dict[str, Any]:
    """The columns of a customer that a row gives; what it leaves empty is not there."""
    values = {
        "email": party.emails[0] if party.emails else "",
        "phone": party.phone,
        "address": "\n".join(party.address),
        "postcode": party.postcode,
        "city": party.city,
        "country": party.country,
        "siren": party.siren,
        "regime": "" if party.regime == "unknown" else party.regime,
    }
    return {name: value for name, value in values.items() if value}


def plain(value: Any) -> Any:
    """A column's value as JSON."""
    return value.isoformat() if isinstance(value, date) else value
