"""Undo an import: delete what it created, restore what it changed, and say what stays and why.

What was touched since, or chased already, stays as it is. The plan is computed the same way
for the page that asks and for the act, which is one transaction: never half.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Model
from django.utils.translation import gettext as _

from relance.accounts.bulk import update_many
from relance.accounts.models import User
from relance.history.models import Event
from relance.history.services import Fact, append
from relance.ledger.imports.book import plain
from relance.ledger.imports.errors import ImportStateError
from relance.ledger.models import (
    Contact,
    Credit,
    Customer,
    Import,
    ImportChange,
    ImportStatus,
    Invoice,
    Payment,
    Site,
)

Chased = Callable[[str, Sequence[int]], set[int]]
"""Which of these rows ("invoice" or "customer", ids) a message or an entry speaks of: known by
the rooms above the ledger."""

_PART = 500


class Kept(NamedTuple):
    """A row that stays: its table, what a person calls it, and the reason in French."""

    table: str
    row_id: int
    label: str
    reason: str


@dataclass
class UndoPlan:
    """What undoing would do: numbers of rows by table, and those that stay."""

    deleted: dict[str, int] = field(default_factory=dict)
    restored: dict[str, int] = field(default_factory=dict)
    kept: list[Kept] = field(default_factory=list)
    _deletions: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    _changes: dict[str, list[ImportChange]] = field(default_factory=lambda: defaultdict(list))


def plan_undo(imported: Import, chased: Chased) -> UndoPlan:
    """What undoing this import would delete, restore and leave. Writes nothing.

    Raises ImportStateError unless the import is done, or failed after it had written.
    """
    if imported.status not in (ImportStatus.DONE, ImportStatus.FAILED):
        raise ImportStateError(_("Seul un import terminé peut être annulé."))
    plan = UndoPlan()
    kept_invoices = _invoices(imported, chased, plan)
    _payments(imported, plan, kept_invoices)
    _credits(imported, plan)
    _customers(imported, chased, plan)
    _small(imported, plan)
    plan.deleted = {table: len(ids) for table, ids in plan._deletions.items() if ids}
    plan.restored = {table: len(rows) for table, rows in plan._changes.items() if rows}
    return plan


@transaction.atomic
def undo_import(
    *,
    imported: Import,
    chased: Chased,
    on: date,
    now: datetime,
    actor: User | None = None,
) -> UndoPlan:
    """Undo as `plan_undo` says, in one transaction; what stays is listed in the answer."""
    imported = Import.objects.select_for_update().get(pk=imported.pk)
    plan = plan_undo(imported, chased)
    facts = _restore(imported, plan, on, now, actor)
    for table in ("payment", "invoice", "credit", "contact", "site", "customer"):
        for part in _parts(plan._deletions.get(table, [])):
            _TABLES[table]._default_manager.filter(pk__in=part).delete()
    imported.status = ImportStatus.UNDONE
    imported.options = {
        **imported.options,
        "undone": {
            "deleted": plan.deleted,
            "restored": plan.restored,
            "kept": [list(kept) for kept in plan.kept[:1000]],
        },
    }
    imported.save(update_fields=["status", "options"])
    data = {"import": imported.pk, "name": imported.filename, "kept": len(plan.kept)}
    append(imported.organisation, [*facts, Fact("import_undone", now, on, data=data, actor=actor)])
    return plan


_TABLES: dict[str, type[Model]] = {
    "customer": Customer,
    "contact": Contact,
    "site": Site,
    "invoice": Invoice,
    "credit": Credit,
    "payment": Payment,
}


def _changes(imported: Import, table: str) -> Iterator[list[ImportChange]]:
    """The changes of one table in parts, in the order they were made."""
    rows = imported.changes.filter(table=table).order_by("id").iterator(_PART)
    part: list[ImportChange] = []
    for row in rows:
        part.append(row)
        if len(part) == _PART:
            yield part
            part = []
    if part:
        yield part


def _touched(imported: Import, field_name: str, ids: Sequence[int]) -> set[int]:
    """Those that the journal speaks of since, other than by this import or by imports that were
    undone themselves."""
    own = {imported.pk} | set(
        Import.objects.filter(
            organisation=imported.organisation_id, status=ImportStatus.UNDONE
        ).values_list("id", flat=True)
    )
    events = Event.objects.filter(
        organisation=imported.organisation_id,
        seq__gt=imported.since_seq,
        **{f"{field_name}__in": ids},
    )
    return {
        key
        for key, data in events.values_list(field_name, "data")
        if data.get("import", data.get("undone_import")) not in own
    }


def _differs(row: Any, after: dict[str, Any] | None) -> bool:
    return any(plain(getattr(row, name)) != value for name, value in (after or {}).items())


def _invoices(imported: Import, chased: Chased, plan: UndoPlan) -> set[int]:
    kept: set[int] = set()
    for part in _changes(imported, "invoice"):
        ids = [change.row_id for change in part]
        stored = Invoice.objects.in_bulk(ids)
        told = chased("invoice", ids)
        touched = _touched(imported, "invoice_id", ids)
        for change in part:
            invoice = stored.get(change.row_id)
            if invoice is None:
                continue
            reason = ""
            if change.before is None and change.row_id in told:
                reason = _("déjà relancée")
            elif change.row_id in touched or _differs(invoice, change.after):
                reason = _("modifiée depuis l’import")
            if reason:
                kept.add(invoice.pk)
                plan.kept.append(Kept("invoice", invoice.pk, invoice.number, reason))
            elif change.before is None:
                plan._deletions["invoice"].append(invoice.pk)
            else:
                plan._changes["invoice"].append(change)
    return kept


def _payments(imported: Import, plan: UndoPlan, kept_invoices: set[int]) -> None:
    for part in _changes(imported, "payment"):
        rows = Payment.objects.in_bulk([change.row_id for change in part])
        plan._deletions["payment"] += [
            row.pk for row in rows.values() if row.invoice_id not in kept_invoices
        ]


def _credits(imported: Import, plan: UndoPlan) -> None:
    for part in _changes(imported, "credit"):
        stored = Credit.objects.in_bulk([change.row_id for change in part])
        for change in part:
            credit = stored.get(change.row_id)
            if credit is None:
                continue
            if _differs(credit, change.after):
                reason = _("imputé ou modifié depuis l’import")
                plan.kept.append(Kept("credit", credit.pk, credit.number, reason))
            elif change.before is None:
                plan._deletions["credit"].append(credit.pk)
            else:
                plan._changes["credit"].append(change)


def _customers(imported: Import, chased: Chased, plan: UndoPlan) -> None:
    going = {table: set(plan._deletions.get(table, ())) for table in ("invoice", "credit")}
    for part in _changes(imported, "customer"):
        ids = [change.row_id for change in part]
        stored = Customer.objects.in_bulk(ids)
        told, touched = chased("customer", ids), _touched(imported, "customer_id", ids)
        owing = _owners(Invoice, ids, going["invoice"]) | _owners(Credit, ids, going["credit"])
        for change in part:
            customer = stored.get(change.row_id)
            if customer is None:
                continue
            reason = ""
            if change.before is None:
                if customer.pk in owing:
                    reason = _("a encore des factures ou des avoirs")
                elif customer.pk in told:
                    reason = _("a déjà reçu un message")
                elif customer.pk in touched:
                    reason = _("modifié depuis l’import")
            elif _differs(customer, change.after):
                reason = _("modifié depuis l’import")
            if reason:
                plan.kept.append(Kept("customer", customer.pk, customer.name, reason))
            elif change.before is None:
                plan._deletions["customer"].append(customer.pk)
            else:
                plan._changes["customer"].append(change)


def _owners(
    model: type[Invoice] | type[Credit], customers: Sequence[int], going: set[int]
) -> set[int]:
    """Those of `customers` with a row that would not be deleted."""
    rows = model._default_manager.filter(customer_id__in=customers)
    return {customer for key, customer in rows.values_list("id", "customer_id") if key not in going}


def _small(imported: Import, plan: UndoPlan) -> None:
    """Contacts and sites go when nothing else hangs on them."""
    for part in _changes(imported, "contact"):
        ids = [change.row_id for change in part]
        plan._deletions["contact"] += Contact.objects.filter(
            pk__in=ids, favourite_of__isnull=True
        ).values_list("id", flat=True)
    going = set(plan._deletions.get("invoice", ()))
    for part in _changes(imported, "site"):
        ids = [change.row_id for change in part]
        used = {
            site
            for key, site in Invoice.objects.filter(site_id__in=ids).values_list("id", "site_id")
            if key not in going
        }
        plan._deletions["site"] += [key for key in ids if key not in used]


def _restore(
    imported: Import, plan: UndoPlan, on: date, now: datetime, actor: User | None
) -> list[Fact]:
    """Put old values back; the facts to remember."""
    facts = []
    for table, changes in plan._changes.items():
        model = _TABLES[table]
        for start in range(0, len(changes), _PART):
            part = changes[start : start + _PART]
            stored: dict[int, Any] = model._default_manager.in_bulk([c.row_id for c in part])
            by_names: dict[tuple[str, ...], dict[int, Any]] = defaultdict(dict)
            for change in reversed(part):
                row, before = stored[change.row_id], change.before or {}
                for name, value in before.items():
                    setattr(row, name, _column(model, name).to_python(value))
                by_names[tuple(before)][row.pk] = row
                if table == "customer":
                    facts.append(_fact("customer_edited", change, row.pk, None, on, now, actor))
                elif table == "invoice":
                    owner = row.customer_id
                    facts.append(_fact("invoice_edited", change, owner, row.pk, on, now, actor))
            for names, rows in by_names.items():
                update_many(model, names, rows.values())
    return facts


def _column(model: type[Model], name: str) -> Any:
    return model._meta.get_field(name)


def _fact(
    kind: str,
    change: ImportChange,
    customer_id: int,
    invoice_id: int | None,
    on: date,
    now: datetime,
    actor: User | None,
) -> Fact:
    before, after = change.before or {}, change.after or {}
    data: dict[str, Any] = {name: [after.get(name), value] for name, value in before.items()}
    data["undone_import"] = change.imported_id
    return Fact(kind, now, on, customer_id, invoice_id, data=data, actor=actor)


def _parts(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), _PART):
        yield ids[start : start + _PART]
