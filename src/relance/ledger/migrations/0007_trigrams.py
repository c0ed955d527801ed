"""Where PostgreSQL has pg_trgm and lets us, words are found inside names without reading them all.

SQLite reads its narrow index in less time than the rest of the page; without the extension
PostgreSQL reads the table, and only a search that finds little notices.
"""

from django.db import DatabaseError, migrations, transaction

TABLES = {"ledger_customer": "customer_words", "ledger_contact": "contact_words"}


def add(apps, schema_editor):
    """The extension and its indexes, or nothing."""
    if schema_editor.connection.vendor != "postgresql":
        return
    try:
        with transaction.atomic(schema_editor.connection.alias):
            schema_editor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
            for table, name in TABLES.items():
                schema_editor.execute(
                    f"CREATE INDEX {name} ON {table} USING gin (search gin_trgm_ops)"
                )
    except DatabaseError:
        return


def remove(apps, schema_editor):
    """The extension stays: others may use it."""
    if schema_editor.connection.vendor == "postgresql":
        for name in TABLES.values():
            schema_editor.execute(f"DROP INDEX IF EXISTS {name}")


class Migration(migrations.Migration):
    dependencies = [("ledger", "0006_search_and_lists")]

    operations = [migrations.RunPython(add, remove)]
