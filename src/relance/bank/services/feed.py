"""What happens when a statement comes in: import, rules, settlement of invoices, receipts found."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import NamedTuple

from django.db import transaction as database
from django.utils.translation import gettext as _

from relance.accounts.models import Organisation, User
from relance.bank.models import BankImport, BankMapping, Document, Transaction
from relance.bank.services import links, settlement, statements
from relance.bank.services.settlement import Settled
from relance.bank.services.statements import BankFileError
from relance.formats.bank import sheet
from relance.formats.bank.model import Statement
from relance.formats.bank.read import BankFile
from relance.formats.dates import Order
from relance.formats.faults import Fault
from relance.formats.limits import Limits
from relance.formats.tabular import Table, open_table

SHEET = "sheet"
UNNAMED = "?"
"""In the place of an account that a person is still to name."""
_LIMITS = Limits(max_rows=100_000)


class TakenIn(NamedTuple):
    """An import and what followed. `customers`: whose balance changed, for the chase."""

    imported: BankImport
    waived: int
    settled: Settled
    receipts_found: int

    @property
    def customers(self) -> set[int]:
        """Ids of the customers of invoices that were paid or opened again."""
        return self.settled.customers


class Choice(NamedTuple):
    """How a person reads a table: columns, account, and order of the dates when it is forced."""

    columns: dict[str, int]
    account: str
    order: Order | None = None
    currency: str = "EUR"


def receive(
    *, organisation: Organisation, raw: bytes, filename: str, now: datetime, actor: User | None
) -> BankImport:
    """Keep a file that can be a statement, to be previewed. BankFileError when it cannot.

    What no bank's format recognises may be a table, whose columns a person then names; a file
    that does not say whose account it tells of is asked about too.
    """
    try:
        kind = statements.read_file(raw, account=UNNAMED).kind
    except BankFileError as refused:
        if refused.code != "bank_unknown":
            raise
        table = open_table(raw, filename, limits=_LIMITS)
        if isinstance(table, Fault):
            message = table.message if table.severity == "file" else str(refused)
            raise BankFileError(message, table.code) from None
        if len(table.header) < 3:
            raise
        kind = SHEET
    return statements.store_upload(
        organisation=organisation, raw=raw, filename=filename, kind=kind, now=now, actor=actor
    )


def raw_of(imported: BankImport) -> bytes:
    """The file as it came."""
    with imported.file.open("rb") as stream:
        return bytes(stream.read())


def table_of(imported: BankImport) -> Table:
    """The table of an import of kind sheet. BankFileError when it cannot be opened."""
    table = open_table(raw_of(imported), imported.filename, limits=_LIMITS)
    if isinstance(table, Fault):
        raise BankFileError(table.message, table.code)
    return table


def proposed_choice(imported: BankImport, table: Table) -> tuple[Choice, bool]:
    """The columns as they were read last time under these headers (True), else as named."""
    known = BankMapping.objects.filter(
        organisation=imported.organisation, signature=sheet.signature(table.header)
    ).first()
    if known is not None:
        order: Order | None = known.order if known.order in ("dmy", "mdy") else None  # type: ignore[assignment]
        return Choice(known.columns, known.account, order), True
    return Choice(sheet.propose(table.header), ""), False


def read_table(table: Table, choice: Choice) -> tuple[BankFile, sheet.Sheet]:
    """The statement that a table is under a choice. BankFileError with the line."""
    error = sheet.check(choice.columns, len(table.header))
    if error:
        raise BankFileError(error, "bad_mapping")
    account = "".join(choice.account.split())[:40]
    if not account:
        raise BankFileError(_("Dites de quel compte ce fichier est le relevé."), "bank_no_account")
    read = sheet.read_sheet(
        table, choice.columns, account=account, currency=choice.currency, order=choice.order
    )
    if isinstance(read, Fault):
        raise BankFileError(read.message, read.code)
    found: list[Statement] = [read.statement]
    return BankFile(SHEET, found), read


def remember(imported: BankImport, table: Table, choice: Choice) -> None:
    """The next file with these headers is read the same way."""
    BankMapping.objects.update_or_create(
        organisation=imported.organisation,
        signature=sheet.signature(table.header),
        defaults={
            "columns": choice.columns,
            "order": choice.order or "",
            "account": "".join(choice.account.split())[:40],
        },
    )


@database.atomic
def take_in(
    *, imported: BankImport, found: BankFile, on: date, now: datetime, actor: User | None
) -> TakenIn:
    """Import a file, then everything that follows from what is new; all of it or nothing.

    The caller renews the chase of `customers`. BankFileError when the file was imported already.
    """
    organisation = imported.organisation
    statements.import_upload(imported=imported, found=found, on=on, now=now, actor=actor)
    fresh = list(Transaction.objects.filter(imported=imported).order_by("booked", "id"))
    return _follow(imported, organisation, fresh, on, now)


def _follow(
    imported: BankImport,
    organisation: Organisation,
    fresh: Sequence[Transaction],
    on: date,
    now: datetime,
) -> TakenIn:
    waived = links.apply_rules(organisation, fresh)
    settled = settlement.settle(organisation=organisation, transactions=fresh, on=on, now=now)
    found = links.propose_for(organisation=organisation, transactions=fresh, now=now)
    imported.report = {
        "waived": waived,
        "automatic": settled.automatic,
        "proposed": settled.proposed,
        "reversed": settled.reversed,
        "receipts": found,
    }
    imported.save(update_fields=["report"])
    return TakenIn(imported, waived, settled, found)


def propose_documents(
    organisation: Organisation, documents: Iterable[Document], *, now: datetime
) -> int:
    """Look for the transactions of documents that came in; their proposals are counted."""
    return links.propose(
        documents=[one for one in documents if one.organisation_id == organisation.pk], now=now
    )
