"""Run an import: chunks of rows, each in a transaction of its own, until the file ends.

A run that was killed goes on where its last committed chunk ended: the readers give the same
outcomes in the same order, and those already counted are passed over.
"""

import logging
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Protocol

from django.db import connection, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from relance.accounts import clock
from relance.accounts.bulk import insert_many, reserve_ids
from relance.accounts.models import Organisation
from relance.formats import columns as formats
from relance.formats.customers import read_customers
from relance.formats.faults import Fault
from relance.formats.invoices import read_invoices
from relance.history.models import Chain
from relance.history.services import Fact, append
from relance.ledger.imports.book import Book, Chunk
from relance.ledger.imports.errors import ImportFileError, ImportStateError
from relance.ledger.imports.fec import FecWriter, control, rows_of
from relance.ledger.imports.intake import ledger_of
from relance.ledger.imports.invoices import InvoiceWriter
from relance.ledger.imports.people import write_customers
from relance.ledger.imports.setup import Settings, columns_of, settings_of, subject_of, table_of
from relance.ledger.models import Import, ImportChange, ImportLine, ImportStatus

log = logging.getLogger(__name__)

CHUNK = 2_000
PAUSE = 0.02
"""Seconds left to other writers between two chunks on SQLite, which has one writer."""

SILENCE = timedelta(seconds=60)
"""A running import without sign of life for so long was killed."""


class Write(Protocol):
    """Writes one chunk of accepted rows."""

    def __call__(self, rows: list[Any], chunk: Chunk) -> None: ...


OnCustomers = Callable[[Organisation, list[int]], None]
"""Told the ids of the customers a chunk created, in its transaction: the plan of new customers
is a matter of the room above."""


def run_import(
    import_id: int,
    now: datetime,
    *,
    tick: Callable[[], datetime] = clock.now,
    on_customers: OnCustomers | None = None,
    chunk_size: int = CHUNK,
) -> Import:
    """Run or resume an import, synchronously; returns it done or failed, with its reason.

    `now` is the moment of the run; its local date is given to payments without one. `tick`
    gives the signs of life. Raises ImportStateError when it is done, undone or being run.
    """
    imported = _claim(import_id, now)
    try:
        settings = settings_of(imported.options, clock.local_date(imported.organisation, now))
        outcomes, write = _open(imported, settings)
        _go_through(imported, settings, outcomes, write, now, tick, on_customers, chunk_size)
    except ImportFileError as refused:
        _fail(imported, refused.message)
    except Exception:
        log.exception("import %s failed", import_id)
        _fail(
            imported,
            _(
                "L’import s’est arrêté sur une erreur inattendue. Ce qui est déjà compté est "
                "enregistré. Reprenez-le, ou annulez-le."
            ),
        )
    return imported


def mark_interrupted(now: datetime, organisation: Organisation | None = None) -> int:
    """Mark as failed, so that they can be resumed, the running imports that gave no sign of
    life for `SILENCE`; how many. For the start of the web process, and for pages."""
    silent = Import.objects.filter(
        Q(beat_at__isnull=True) | Q(beat_at__lt=now - SILENCE), status=ImportStatus.RUNNING
    )
    if organisation is not None:
        silent = silent.filter(organisation=organisation)
    return silent.update(
        status=ImportStatus.FAILED,
        error=_("L’import a été interrompu. Reprenez-le\u00a0: il continue où il s’est arrêté."),
    )


def _claim(import_id: int, now: datetime) -> Import:
    """Take the import over by one conditional update, so that it never runs twice at once."""
    free = Q(status__in=[ImportStatus.UPLOADED, ImportStatus.FAILED]) | Q(
        status=ImportStatus.RUNNING, beat_at__lt=now - SILENCE
    )
    taken = Import.objects.filter(free, pk=import_id).update(
        status=ImportStatus.RUNNING, beat_at=now, error=""
    )
    if not taken:
        raise ImportStateError(_("Cet import est déjà fait, annulé ou en cours."))
    return Import.objects.select_related("organisation", "made_by").get(pk=import_id)


def _open(imported: Import, settings: Settings) -> tuple[Iterator[Any], Write]:
    """The outcomes of the file and who writes them; sets the total and the options."""
    book = Book(imported)
    imported.options = {**imported.options, **settings.as_json()}
    if imported.kind == Import.Kind.FEC:
        ledger = ledger_of(imported, settings)
        rows = list(rows_of(ledger))
        imported.options["control"] = control(ledger)
        fec = FecWriter(book, ledger.closing_on)
        outcomes: Iterator[Any] = iter([*ledger.rejects, *ledger.remarks, *rows])
        imported.total_lines = len(ledger.rejects) + len(ledger.remarks) + len(rows)
        write: Write = fec.write
    else:
        table = table_of(imported, settings)
        columns = columns_of(imported)
        wrong = formats.check_columns(table, columns, subject_of(imported.kind))
        if wrong:
            raise ImportFileError(" ".join(fault.message for fault in wrong))
        profile = formats.inspect(table, columns, settings.reading)
        if profile.faults:
            raise ImportFileError(" ".join(fault.message for fault in profile.faults))
        imported.total_lines = profile.rows + profile.refused
        imported.options |= {"encoding": table.encoding, "separator": table.separator}
        if imported.kind == Import.Kind.CUSTOMERS:
            outcomes = read_customers(table, columns, settings.reading, profile)
            write = lambda rows, chunk: write_customers(book, rows, chunk)  # noqa: E731
        else:
            outcomes = read_invoices(table, columns, settings.reading, profile)
            write = InvoiceWriter(book, columns).write
    if not imported.done_lines:
        chain = Chain.objects.filter(organisation=imported.organisation).first()
        imported.since_seq = chain.seq if chain else 0
    imported.save(update_fields=["options", "total_lines", "since_seq"])
    return islice(outcomes, imported.done_lines, None), write


def _go_through(
    imported: Import,
    settings: Settings,
    outcomes: Iterator[Any],
    write: Write,
    now: datetime,
    tick: Callable[[], datetime],
    on_customers: OnCustomers | None,
    chunk_size: int,
) -> None:
    remarks: dict[str, int] = dict(imported.options.get("remarks", {}))
    while batch := list(islice(outcomes, chunk_size)):
        with transaction.atomic():
            chunk = Chunk(imported, settings.on, now, remarks=remarks)
            write([one for one in batch if not isinstance(one, Fault)], chunk)
            for one in batch:
                if isinstance(one, Fault):
                    chunk.fault(one)
            if on_customers is not None:
                made = [
                    c.row_id for c in chunk.changes if c.table == "customer" and c.before is None
                ]
                on_customers(imported.organisation, made)
            _save(imported, chunk, len(batch), tick())
        if connection.vendor == "sqlite":
            time.sleep(PAUSE)
    _finish(imported, settings, now, tick())


def _save(imported: Import, chunk: Chunk, read: int, at: datetime) -> None:
    owner = (imported.organisation_id, imported.pk)
    ids = reserve_ids(ImportChange, len(chunk.changes))
    insert_many(
        ImportChange,
        ("organisation", "imported", "table", "row_id", "before", "after", "id"),
        [(*owner, *change, key) for change, key in zip(chunk.changes, ids, strict=True)],
    )
    ImportLine.objects.bulk_create(chunk.lines)
    append(imported.organisation, chunk.facts)
    imported.done_lines += read
    imported.created += chunk.created
    imported.updated += chunk.updated
    imported.unchanged += chunk.unchanged
    imported.refused += chunk.refused
    imported.options["remarks"] = chunk.remarks
    imported.beat_at = at
    imported.save(
        update_fields=[
            "done_lines",
            "created",
            "updated",
            "unchanged",
            "refused",
            "options",
            "beat_at",
        ]
    )


@transaction.atomic
def _finish(imported: Import, settings: Settings, now: datetime, at: datetime) -> None:
    imported.status = ImportStatus.DONE
    imported.finished_at = imported.beat_at = at
    imported.total_lines = imported.done_lines
    imported.save(update_fields=["status", "finished_at", "beat_at", "total_lines"])
    data = {
        "import": imported.pk,
        "name": imported.filename,
        "created": imported.created,
        "updated": imported.updated,
        "unchanged": imported.unchanged,
        "refused": imported.refused,
    }
    fact = Fact("import_done", now, settings.on, data=data, actor=imported.made_by)
    append(imported.organisation, [fact])


def _fail(imported: Import, message: str) -> None:
    imported.status, imported.error = ImportStatus.FAILED, message
    imported.save(update_fields=["status", "error"])
