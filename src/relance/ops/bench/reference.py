"""The reference of the pass: one set-based SQL statement that computes the simple levels.

For every customer and currency: the invoice that carries, the level it has reached, the next
step with its date, and what is asked. It leaves out what only the engine knows (working days,
credits, judgments, to-do, words of messages, other scopes and progressions), so it is the least
that any program must spend on these rows inside the database itself.
"""

from datetime import date

from relance.ops.bench.ledger import day_plus, literal, truth

TABLE = "bench_levels"


def statement(organisation: int, on: date) -> str:
    """CREATE TABLE … AS SELECT, for the database of the default connection."""
    day, yes, no = literal(on), truth(True), truth(False)
    trigger, rested = day_plus("r.due", "s.days"), day_plus("m.last", "p.min_contact_days")
    later = (
        f"CASE WHEN m.last IS NOT NULL AND {rested} > {trigger} THEN {rested} ELSE {trigger} END"
    )
    return f"""
        CREATE TABLE {TABLE} AS
        WITH chaseable AS (
            SELECT v.id, v.customer_id, v.currency, v.number, v.due, v.total_cents,
                v.balance_cents, a.plan_id
            FROM ledger_invoice v
            JOIN ledger_customer c ON c.id = v.customer_id
            JOIN dunning_assignment a ON a.customer_id = c.id
            WHERE v.organisation_id = {organisation} AND v.balance_cents > 0
                AND v.issued <= {day} AND v.plan_on = {yes} AND v.disputed = {no}
                AND (v.promise_until IS NULL OR v.promise_until < {day})
                AND (v.hold_until IS NULL OR v.hold_until < {day})
                AND v.mode <> 'direct_debit' AND c.excluded = {no}
                AND (c.hold_until IS NULL OR c.hold_until < {day})),
        ranked AS (
            SELECT chaseable.*,
                ROW_NUMBER() OVER (PARTITION BY customer_id, currency
                    ORDER BY due, total_cents DESC, number) AS place,
                SUM(balance_cents) OVER (PARTITION BY customer_id, currency) AS balance,
                SUM(CASE WHEN due < {day} THEN balance_cents ELSE 0 END)
                    OVER (PARTITION BY customer_id, currency) AS asked
            FROM chaseable),
        reached AS (
            SELECT plan_id, reference_id, MAX(level) AS level FROM dunning_entry
            WHERE organisation_id = {organisation} AND void = {no} GROUP BY 1, 2),
        met AS (
            SELECT customer_id, MAX("on") AS last FROM dunning_entry
            WHERE organisation_id = {organisation} AND is_contact = {yes} AND void = {no}
            GROUP BY 1)
        SELECT r.customer_id, r.currency, r.id AS reference_id, r.asked,
            COALESCE(e.level, 0) AS reached, s.level AS next_level, s.channel,
            {later} AS next_on
        FROM ranked r
        JOIN dunning_plan p ON p.id = r.plan_id
        LEFT JOIN reached e ON e.plan_id = r.plan_id AND e.reference_id = r.id
        LEFT JOIN met m ON m.customer_id = r.customer_id
        LEFT JOIN dunning_step s
            ON s.plan_id = r.plan_id AND s.level = COALESCE(e.level, 0) + 1
        WHERE r.place = 1 AND r.balance >= p.minimum_cents"""  # noqa: S608
