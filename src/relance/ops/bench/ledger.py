"""A large ledger written by a few SQL statements, as it stands on a morning of ordinary days.

Every customer has five open invoices, nine days apart: due dates go from 90 days before the
morning to 60 days after it. What the plan asked for on the days before the morning is in the
history, so that only the steps of the day are wanted: three or four customers in a hundred.
"""

from datetime import date
from typing import NamedTuple

from django.db import connection
from django.db.backends.utils import CursorWrapper

from relance.accounts.models import Organisation, User
from relance.accounts.services import found_organisation
from relance.dunning.models import Plan, Step, Template
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
            _after_ids_of_our_own(cursor, table)
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


def _numbers(last: int) -> str:
    if _is_sqlite():
        rest = f"SELECT i + 1 FROM s WHERE i < {last}"  # noqa: S608
        return f"WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL {rest})"
    return f"WITH s AS (SELECT generate_series(1, {last}) AS i)"


def _customers(organisation: int, count: int) -> str:
    no = truth(False)
    return f"""
        INSERT INTO ledger_customer (id, organisation_id, code, name, search, email, phone,
            address, postcode, city, country, siren, regime, language, excluded, to_review,
            created_at)
        {_numbers(count)}
        SELECT i, {organisation}, 'C' || i, 'Client ' || i, 'client ' || i,
            'c' || i || '@client.example', '', '', '29000', 'Quimper', 'FR', '', 'business',
            'fr', {no}, {no}, '2026-01-01 00:00:00' FROM s"""  # noqa: S608


def _assignments(organisation: int, plan: int) -> str:
    return f"""
        INSERT INTO dunning_assignment (organisation_id, customer_id, plan_id, given_by)
        SELECT {organisation}, id, {plan}, 'hand' FROM ledger_customer"""  # noqa: S608


def _invoices(organisation: int, count: int, place: int, late: Late) -> str:
    """Invoice number `place` of every customer: ids follow the months, as in a real ledger."""
    yes, no = truth(True), truth(False)
    days = f"{late.first} + (i * 7919) % {late.last - late.first + 1} - {9 * place}"
    due = day_plus(literal(MORNING), f"-({days})")
    issued = day_plus(literal(MORNING), f"-({days}) - 60")
    return f"""
        INSERT INTO ledger_invoice (id, organisation_id, customer_id, number, issued, due,
            due_estimated, total_cents, balance_cents, currency, mode, plan_on, disputed, document)
        {_numbers(count)}
        SELECT {place * count} + i, {organisation}, i, 'F-' || ({place * count} + i), {issued},
            {due}, {no}, 10000 + i % 90000, 10000 + i % 90000, 'EUR', 'transfer', {yes}, {no}, ''
        FROM s"""  # noqa: S608


def _entries(organisation: int, plan: int) -> str:
    """Each step of the carrying invoices on the day it was due, until the day before."""
    yes, no = truth(True), truth(False)
    done_on = day_plus("v.due", "st.days")
    return f"""
        INSERT INTO dunning_entry (organisation_id, customer_id, "on", kind, plan_id, reference_id,
            level, currency, channel, by_run, is_contact, void)
        SELECT {organisation}, v.customer_id, {done_on}, 'sent', {plan}, v.id, st.level, 'EUR',
            st.channel, {yes}, {yes}, {no}
        FROM ledger_invoice v CROSS JOIN dunning_step st
        WHERE v.id = v.customer_id AND {done_on} < {literal(MORNING)} ORDER BY 3, 2"""  # noqa: S608


def _after_ids_of_our_own(cursor: CursorWrapper, table: str) -> None:
    """PostgreSQL's sequence goes on after the ids written by hand; SQLite sees them itself."""
    if not _is_sqlite():
        cursor.execute(
            f"SELECT setval(pg_get_serial_sequence('{table}', 'id'),"  # noqa: S608
            f" (SELECT MAX(id) FROM {table}))"
        )
