"""A file of the bank comes in: recognised, previewed, imported once."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from itertools import pairwise
from typing import Any, NamedTuple

from django.core.files.base import ContentFile
from django.db import transaction
from django.utils.translation import gettext as _

from relance.accounts.bulk import create_many
from relance.accounts.models import Organisation, User
from relance.bank.models import (
    BankAccount,
    BankImport,
    BankStatement,
    Missing,
    Transaction,
)
from relance.bank.services import announced
from relance.formats.bank.model import Movement, Statement
from relance.formats.bank.read import BankFile, read_bank_file
from relance.formats.faults import Fault
from relance.formats.text import fold
from relance.history.services import Fact, append

CHUNK = 1000


class BankFileError(Exception):
    """A file that is refused as a whole; the text is the French sentence that says why."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class Gap(NamedTuple):
    """Between two statements of an account the balance jumps: a file is missing.

    The cents are those of the balance before and after; the dates bound the hole.
    """

    account: str
    before: date | None
    before_cents: int
    after: date | None
    after_cents: int


class Part(NamedTuple):
    """One statement of a file: how many of its movements are new, and how many known."""

    statement: Statement
    known_account: bool
    added: int
    repeated: int


class Preview(NamedTuple):
    """What an import would do; `faults` are remarks of the reader, `gaps` are with its past."""

    kind: str
    parts: list[Part]
    remarks: list[Fault]
    gaps: list[Gap]

    @property
    def added(self) -> int:
        """Transactions that are new."""
        return sum(part.added for part in self.parts)

    @property
    def repeated(self) -> int:
        """Transactions already known: they add nothing."""
        return sum(part.repeated for part in self.parts)


def preview_file(
    *, organisation: Organisation, raw: bytes, found: BankFile | None = None
) -> Preview:
    """What `import_file` would do, without writing. Raises BankFileError.

    `found` is what a table was read as; other files are read from `raw`.
    """
    found = found or read_file(raw)
    accounts = _accounts(organisation, found.statements)
    parts, gaps = [], []
    for statement in found.statements:
        account = accounts.get(statement.account)
        known = _known(account, statement.movements) if account else set()
        fresh = sum(1 for one in statement.movements if one.key not in known)
        parts.append(Part(statement, account is not None, fresh, len(statement.movements) - fresh))
        gaps += _gaps(account, statement) if account else []
    remarks = [fault for statement in found.statements for fault in statement.remarks]
    return Preview(found.kind, parts, remarks, gaps)


@transaction.atomic
def import_file(
    *,
    organisation: Organisation,
    raw: bytes,
    filename: str,
    on: date,
    now: datetime,
    actor: User | None = None,
) -> BankImport:
    """Add the transactions of a file that are not known yet; the accounts it names are opened.

    The same file, or one that overlaps another, adds nothing twice (a movement's key is the
    bank's own number, or its date, amount and words). Raises BankFileError.
    """
    found = read_file(raw)
    imported = store_upload(
        organisation=organisation, raw=raw, filename=filename, kind=found.kind, now=now, actor=actor
    )
    return import_upload(imported=imported, found=found, on=on, now=now, actor=actor)


def store_upload(
    *,
    organisation: Organisation,
    raw: bytes,
    filename: str,
    kind: str,
    now: datetime,
    actor: User | None = None,
) -> BankImport:
    """Keep a file to be looked at before `import_upload`; `kind` is a reader's, or sheet."""
    digest = hashlib.sha256(raw).hexdigest()
    imported = BankImport(
        organisation=organisation,
        kind=kind,
        filename=_plain_name(filename),
        sha256=digest,
        made_by=actor,
        made_at=now,
        done=False,
    )
    imported.file.save(f"{organisation.pk}/{digest[:32]}", ContentFile(raw), save=False)
    imported.save()
    return imported


@transaction.atomic
def import_upload(
    *,
    imported: BankImport,
    found: BankFile,
    on: date,
    now: datetime,
    actor: User | None = None,
) -> BankImport:
    """Add what `found` tells and is not known yet. BankFileError when it was done already."""
    locked = BankImport.objects.select_for_update().get(pk=imported.pk)
    if locked.done:
        raise BankFileError(_("Ce fichier est déjà importé."), "already_done")
    organisation = imported.organisation
    imported.made_at, imported.made_by, imported.done = now, actor, True
    imported.remarks = [
        {"code": fault.code, "line": fault.line, "facts": fault.facts}
        for statement in found.statements
        for fault in statement.remarks
    ]
    for statement in found.statements:
        if statement.account:
            _add(imported, statement)
    imported.save(update_fields=["added", "repeated", "remarks", "done", "made_at", "made_by"])
    data = {
        "file": imported.filename,
        "kind": imported.kind,
        "added": imported.added,
        "repeated": imported.repeated,
    }
    append(organisation, [Fact("bank_imported", now, on, data=data, actor=actor)])
    return imported


def gaps_of(account: BankAccount) -> list[Gap]:
    """Holes between the statements of an account, oldest first."""
    rows = list(
        account.statements.filter(opening_cents__isnull=False, closing_cents__isnull=False)
        .order_by("last_on", "id")
        .values_list("first_on", "last_on", "opening_cents", "closing_cents")
    )
    holes = []
    for before, after in pairwise(rows):
        overlap = before[1] is not None and after[0] is not None and after[0] < before[1]
        if before[3] != after[2] and not overlap and before != after:
            holes.append(Gap(account.number, before[1], before[3] or 0, after[0], after[2] or 0))
    return holes


def _plain_name(filename: str) -> str:
    last = filename.replace("\\", "/").rsplit("/", 1)[-1]
    words = "".join(sign for sign in last if sign.isprintable()).split()
    return " ".join(words)[-200:] or "releve"


def read_file(raw: bytes, *, account: str = "") -> BankFile:
    """The statements of a bank's own format. Raises BankFileError with the sentence and line.

    `account` is whose they are when the file does not say (`bank_no_account`).
    """
    found = read_bank_file(raw)
    if isinstance(found, Fault):
        raise BankFileError(found.message, found.code)
    number = "".join(account.split())[:40]
    named = [one if one.account else one._replace(account=number) for one in found.statements]
    if any(not one.account and one.movements for one in named):
        raise BankFileError(
            _("Le fichier ne dit pas de quel compte il est le relevé\u00a0: choisissez-le."),
            "bank_no_account",
        )
    return BankFile(found.kind, named)


def _accounts(
    organisation: Organisation, statements: Iterable[Statement]
) -> dict[str, BankAccount]:
    numbers = {one.account for one in statements}
    rows = BankAccount.objects.filter(organisation=organisation, number__in=numbers)
    return {account.number: account for account in rows}


def _known(account: BankAccount, movements: Sequence[Movement]) -> set[str]:
    """The keys of those movements that the account has already."""
    keys = [one.key for one in movements]
    known: set[str] = set()
    for start in range(0, len(keys), CHUNK):
        rows = Transaction.objects.filter(account=account, key__in=keys[start : start + CHUNK])
        known.update(rows.values_list("key", flat=True))
    return known


def _gaps(account: BankAccount, statement: Statement) -> list[Gap]:
    """The hole that this statement would leave after the one before it."""
    first, last = _span(statement)
    if statement.opening is None or first is None:
        return []
    twin = {"opening_cents": statement.opening, "closing_cents": statement.closing}
    if account.statements.filter(first_on=first, last_on=last, **twin).exists():
        return []
    before = (
        account.statements.filter(last_on__lte=first, closing_cents__isnull=False)
        .order_by("-last_on", "-id")
        .first()
    )
    if before is None or before.closing_cents in (None, statement.opening):
        return []
    return [
        Gap(account.number, before.last_on, before.closing_cents or 0, first, statement.opening)
    ]


def _span(statement: Statement) -> tuple[date | None, date | None]:
    """First and last local day that a statement speaks of."""
    days = [one.booked for one in statement.movements]
    told = [day for day in (statement.opening_on, statement.closing_on) if day is not None]
    every = [*days, *told]
    return (min(every), max(every)) if every else (None, None)


def _add(imported: BankImport, statement: Statement) -> None:
    account, _created = BankAccount.objects.get_or_create(
        organisation=imported.organisation,
        number=statement.account[:40],
        defaults={"currency": statement.currency},
    )
    BankAccount.objects.select_for_update().get(pk=account.pk)  # two imports of one file at once
    first, last = _span(statement)
    BankStatement.objects.create(
        organisation=imported.organisation,
        account=account,
        imported=imported,
        number=statement.number[:60],
        first_on=first,
        last_on=last,
        opening_cents=statement.opening,
        closing_cents=statement.closing,
    )
    known = _known(account, statement.movements)
    fresh = [one for one in statement.movements if one.key not in known]
    rows = [_row(imported, account, one) for one in fresh]
    for start in range(0, len(rows), CHUNK):
        create_many(Transaction, rows[start : start + CHUNK])
    imported.added += len(rows)
    imported.repeated += len(statement.movements) - len(rows)
    announced.renew(imported, account, statement, last)


def _row(imported: BankImport, account: BankAccount, one: Movement) -> Transaction:
    values: dict[str, Any] = {
        "label": one.label[:500],
        "search": fold(f"{one.label} {one.name} {one.reference}")[:400],
        "reference": one.reference[:140],
        "bank_ref": one.bank_ref[:140],
        "name": one.name[:140],
        "iban": one.iban[:40],
    }
    return Transaction(
        organisation=imported.organisation,
        account=account,
        imported=imported,
        key=one.key,
        booked=one.booked,
        valued=one.valued,
        amount_cents=one.amount,
        currency=one.currency[:3],
        reversal=one.reversal,
        missing=Missing.NOT_ASSOCIATED,
        **values,
    )
