"""A large ledger written by a few SQL statements, as it stands on a morning of ordinary days.

Every customer has five open invoices, nine days apart: due dates go from 90 days before the
morning to 60 days after it. What the plan asked for on the days before the morning is in the
history, so that only the steps of the day are wanted: three or four customers in a hundred.
"""

import json
from datetime import date
from typing import Any, NamedTuple

from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.models import DateTimeField, Field, Model

from relance.accounts.models import Organisation, User
from relance.accounts.services import found_organisation
from relance.dunning.models import Assignment, Entry, Plan, Step, Template
from relance.ledger.models import Customer, Invoice
from relance.ops.bench.cases import MORNING

INVOICES = 5
STEPS = [(7, "email"), (15, "email"), (30, "email"), (45, "email"), (60, "call")]
BODY = "Bonjour,\n\n{{ tableau_factures }}\n\nMerci de votre règlement.\n{{ signature }}"


class Late(NamedTuple):
    """Days from the due date of the carrying invoices to the morning; negative: not yet due."""

    first: int
    last: int


ORDINARY = Late(-24, 90)


def build(customers: int, late: Late = ORDINARY) -> Organisation:
    """Organisation, plan, `customers` with five invoices each, and what was done until now."""
    owner = User.objects.create_user("bench@relance.example", None)
    organisation = found_organisation(
        name="Mesures", owner=owner, email_from="relances@mesures.example"
    )
    plan = _plan(organisation)
    with connection.cursor() as cursor:
        cursor.execute(_customers(organisation.pk, customers))
        cursor.execute(_assignments(organisation.pk, plan.pk))
        for place in range(INVOICES):
            cursor.execute(_invoices(organisation.pk, customers, place, late))
        cursor.execute(_entries(organisation.pk, plan.pk))
        for table in ("ledger_customer", "ledger_invoice"):
            after_ids_of_our_own(cursor, table)
        cursor.execute("ANALYZE" if connection.vendor == "sqlite" else "VACUUM ANALYZE")
    return organisation


def _plan(organisation: Organisation) -> Plan:
    template = Template.objects.create(
        organisation=organisation, name="Rappel", subject="Vos factures, {{ montant }}", body=BODY
    )
    plan = Plan.objects.create(organisation=organisation, name="Standard")
    Step.objects.bulk_create(
        Step(
            organisation=organisation,
            plan=plan,
            level=level,
            name=f"Niveau {level}",
            days=days,
            channel=channel,
            automatic=channel == "email",
            template=template if channel == "email" else None,
        )
        for level, (days, channel) in enumerate(STEPS, 1)
    )
    return plan


def _is_sqlite() -> bool:
    return connection.vendor == "sqlite"


def day_plus(day: str, days: str) -> str:
    """SQL of a date expression plus a number of days."""
    return f"date({day}, ({days}) || ' days')" if _is_sqlite() else f"({day} + ({days})::int)"


def literal(day: date) -> str:
    """SQL of a date."""
    return f"'{day.isoformat()}'" if _is_sqlite() else f"DATE '{day.isoformat()}'"


def truth(value: bool) -> str:
    """SQL of a boolean."""
    return str(int(value)) if _is_sqlite() else str(value).lower()


def insert(model: type[Model], values: dict[str, str], rest: str, *, before: str = "") -> str:
    """SQL that inserts `SELECT values rest`, with the usual value of every column not named.

    `values` are SQL expressions by field or column name; `before` is a WITH clause.
    """
    columns: dict[str, str] = {}
    for field in model._meta.concrete_fields:
        column = field.column or field.name
        if field.name in values or column in values:
            columns[column] = values.get(field.name) or values[column]
        elif not (field.primary_key or field.null):
            columns[column] = _usual(field)
    unknown = set(values) - columns.keys() - {f.name for f in model._meta.concrete_fields}
    if unknown:
        raise ValueError(f"{model.__name__}: {unknown}")
    names = ", ".join(f'"{name}"' for name in columns)
    return (
        f'INSERT INTO "{model._meta.db_table}" ({names}) {before} '
        f"SELECT {', '.join(columns.values())} {rest}"
    )


def _usual(field: "Field[Any, Any]") -> str:
    """SQL of the value that Django would give: the default, or nothing as a text."""
    value = field.get_default()
    if isinstance(value, bool):
        return truth(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list | dict):
        return f"'{json.dumps(value)}'"
    if isinstance(field, DateTimeField):
        return "'2026-01-01 00:00:00+00:00'"
    return f"'{value or ''}'"


def _numbers(last: int) -> str:
    if _is_sqlite():
        rest = f"SELECT i + 1 FROM s WHERE i < {last}"  # noqa: S608
        return f"WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL {rest})"
    return f"WITH s AS (SELECT generate_series(1, {last}) AS i)"


def _customers(organisation: int, count: int) -> str:
    values = {
        "id": "i",
        "organisation": str(organisation),
        "code": "'C' || i",
        "name": "'Client ' || i",
        "search": "'client ' || i",
        "email": "'c' || i || '@client.example'",
        "postcode": "'29000'",
        "city": "'Quimper'",
        "regime": "'business'",
    }
    return insert(Customer, values, "FROM s", before=_numbers(count))


def _assignments(organisation: int, plan: int) -> str:
    values = {"organisation": str(organisation), "customer": "id", "plan": str(plan)}
    return insert(Assignment, values, "FROM ledger_customer")


def _invoices(organisation: int, count: int, place: int, late: Late) -> str:
    """Invoice number `place` of every customer: ids follow the months, as in a real ledger."""
    days = f"{late.first} + (i * 7919) % {late.last - late.first + 1} - {9 * place}"
    values = {
        "id": f"{place * count} + i",
        "organisation": str(organisation),
        "customer": "i",
        "number": f"'F-' || ({place * count} + i)",
        "issued": day_plus(literal(MORNING), f"-({days}) - 60"),
        "due": day_plus(literal(MORNING), f"-({days})"),
        "total_cents": "10000 + i % 90000",
        "balance_cents": "10000 + i % 90000",
    }
    return insert(Invoice, values, "FROM s", before=_numbers(count))


def _entries(organisation: int, plan: int) -> str:
    """Each step of the carrying invoices on the day it was due, until the day before."""
    done_on = day_plus("v.due", "st.days")
    values = {
        "organisation": str(organisation),
        "customer": "v.customer_id",
        "on": done_on,
        "kind": "'sent'",
        "plan": str(plan),
        "reference": "v.id",
        "level": "st.level",
        "channel": "st.channel",
        "by_run": truth(True),
    }
    return insert(
        Entry,
        values,
        f"""FROM ledger_invoice v CROSS JOIN dunning_step st
        WHERE v.id = v.customer_id AND {done_on} < {literal(MORNING)}
        ORDER BY {done_on}, v.customer_id""",
    )


def after_ids_of_our_own(cursor: CursorWrapper, table: str) -> None:
    """PostgreSQL's sequence goes on after the ids written by hand; SQLite sees them itself."""
    if not _is_sqlite():
        cursor.execute(
            f"SELECT setval(pg_get_serial_sequence('{table}', 'id'),"  # noqa: S608
            f" (SELECT MAX(id) FROM {table}))"
        )
