"""A file comes in: stored, recognised, its columns proposed, a few rows shown. Nothing is written
to the ledger here."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from itertools import islice
from typing import Any, NamedTuple

from django.conf import settings as django_settings
from django.core.files.base import File
from django.db import transaction
from django.utils.translation import gettext as _

from relance.accounts.models import Organisation, User
from relance.formats import columns as formats
from relance.formats.columns import Profile
from relance.formats.customers import CustomerRow, read_customers
from relance.formats.faults import Fault
from relance.formats.fec import is_fec, read_fec
from relance.formats.fec_model import FecLedger
from relance.formats.invoices import InvoiceRow, read_invoices
from relance.formats.tabular import Table, open_table
from relance.ledger.imports.errors import ImportFileError
from relance.ledger.imports.setup import (
    Settings,
    columns_of,
    fields_of,
    settings_of,
    subject_of,
    table_of,
)
from relance.ledger.models import Import, ImportStatus, MappingProfile

LOOKED_AT = 2_000
"""Lines read for the faults of a preview."""

SHOWN = 20
"""Typed rows shown by a preview."""


class Preview(NamedTuple):
    """What the first lines become under a mapping. `sentences` quotes a few faults in full;
    `counts` has (severity, code, how many, one sentence) over the first `LOOKED_AT` lines.
    `faults` keep the file from being run until they are settled.
    """

    rows: list[InvoiceRow | CustomerRow]
    counts: list[tuple[str, str, int, str]]
    faults: list[str]
    profile: Profile | None


@transaction.atomic
def store_upload(
    *,
    organisation: Organisation,
    content: "File[Any]",
    filename: str,
    now: datetime,
    actor: User | None = None,
) -> Import:
    """Keep an uploaded file and recognise what it is.

    Raises ImportFileError with a French sentence, and keeps nothing, when it is too large,
    empty, no table, or a workbook made to harm.
    """
    limit = django_settings.IMPORT_MAX_BYTES
    size = content.size
    if size > limit:
        fault = Fault("file_too_large", facts={"size": size, "limit": limit})
        raise ImportFileError(fault.message, "file")
    digest = hashlib.sha256()
    for block in content.chunks():
        digest.update(block)
    name = " ".join(filename.replace("\\", "/").rsplit("/", 1)[-1].split())[-200:] or "import"
    imported = Import(
        organisation=organisation,
        kind=Import.Kind.INVOICES,
        filename=name,
        sha256=digest.hexdigest(),
        made_by=actor,
        made_at=now,
    )
    imported.file.save(f"{organisation.pk}/{digest.hexdigest()[:32]}", content, save=False)
    try:
        imported.kind = _kind(imported.file.path, name)
    except ImportFileError:
        imported.file.delete(save=False)
        raise
    imported.save()
    return imported


def _kind(path: str, filename: str) -> str:
    with open(path, "rb") as stream:
        text = not stream.read(4).startswith(b"PK")
    if text and is_fec(path):
        return Import.Kind.FEC
    opened = open_table(path, filename)
    if isinstance(opened, Fault):
        raise ImportFileError(opened.message, "file")
    if formats.aged_buckets(opened.header):
        faults = formats.check_columns(opened, {}, "invoices")
        if faults and faults[0].code == "aged_balance":
            raise ImportFileError(faults[0].message, "file")
    subject = formats.guess_subject(opened.header, opened.sample())
    return Import.Kind.CUSTOMERS if subject == "customers" else Import.Kind.INVOICES


class Proposed(NamedTuple):
    """A mapping to start from: `remembered` when this header was imported before."""

    columns: dict[str, int]
    confidence: dict[str, float]
    settings: Settings
    remembered: bool


def propose_mapping(imported: Import, table: Table, on: date) -> Proposed:
    """The columns last chosen for this header, else those that the headers suggest."""
    profile = MappingProfile.objects.filter(
        organisation=imported.organisation_id,
        kind=imported.kind,
        signature=formats.signature(table.header),
    ).first()
    settings = settings_of(imported.options, on)
    if profile is not None:
        kept = settings_of({**profile.options, "on": ""}, settings.on)
        columns = dict(profile.mapping)
        return Proposed(columns, {}, replace(kept, sheet=settings.sheet), True)
    found = formats.propose(table.header, table.sample(), subject_of(imported.kind))
    kept_codes = {field.code for field in fields_of(imported.kind)}
    columns = {code: index for code, index in found.columns.items() if code in kept_codes}
    return Proposed(columns, found.confidence, settings, False)


def preview(
    imported: Import, table: Table, columns: Mapping[str, int], settings: Settings
) -> Preview:
    """The first rows and faults as this mapping would have them; the ledger is not read."""
    subject = subject_of(imported.kind)
    wrong = formats.check_columns(table, columns, subject)
    if wrong:
        return Preview([], [], [fault.message for fault in wrong], None)
    profile = formats.inspect(table, columns, settings.reading)
    if profile.faults:
        return Preview([], [], [fault.message for fault in profile.faults], profile)
    read = read_customers if subject == "customers" else read_invoices
    rows: list[InvoiceRow | CustomerRow] = []
    seen: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], str] = {}
    outcomes = read(table, columns, settings.reading, profile)
    for outcome in islice(outcomes, LOOKED_AT):
        if isinstance(outcome, Fault):
            faults: tuple[Fault, ...] = (outcome,)
        else:
            faults = outcome.remarks
            if len(rows) < SHOWN:
                rows.append(outcome)
        for fault in faults:
            key = (fault.severity, fault.code)
            seen[key] += 1
            if key not in first:
                first[key] = fault.message
    counts = [(*key, number, first[key]) for key, number in seen.most_common()]
    order = ("refused", "remark", "unchanged", "skipped")
    counts.sort(key=lambda count: order.index(count[0]))
    return Preview(rows, counts, [], profile)


def ledger_of(imported: Import, settings: Settings) -> FecLedger:
    """The customers and open items of a FEC. Raises ImportFileError."""
    found = read_fec(imported.file.path, imported.filename, terms=settings.terms)
    if isinstance(found, Fault):
        raise ImportFileError(found.message)
    return found


@transaction.atomic
def choose_mapping(
    *, imported: Import, columns: Mapping[str, int], settings: Settings, kind: str = ""
) -> None:
    """Keep the chosen columns and options on the import, and remember them for this header.

    Raises ImportFileError when a required column is missing or one does not exist.
    """
    if imported.status not in (ImportStatus.UPLOADED, ImportStatus.FAILED):
        raise ImportFileError(
            _("Cet import est déjà fait\u00a0: sa correspondance ne change plus.")
        )
    imported.kind = kind or imported.kind
    imported.mapping = dict(columns)
    imported.options = settings.as_json()
    if imported.kind != Import.Kind.FEC:
        table = table_of(imported, settings)
        wrong = formats.check_columns(table, columns_of(imported), subject_of(imported.kind))
        if wrong:
            raise ImportFileError(" ".join(fault.message for fault in wrong))
        MappingProfile.objects.update_or_create(
            organisation=imported.organisation,
            kind=imported.kind,
            signature=formats.signature(table.header),
            defaults={"mapping": imported.mapping, "options": imported.options},
        )
    imported.save(update_fields=["kind", "mapping", "options"])


@transaction.atomic
def discard(*, imported: Import) -> None:
    """Forget a file that was never run. Raises ImportFileError when it wrote something."""
    if imported.status == ImportStatus.RUNNING or imported.changes.exists():
        raise ImportFileError(_("Cet import a écrit des données\u00a0: annulez-le plutôt."))
    imported.file.delete(save=False)
    imported.delete()
