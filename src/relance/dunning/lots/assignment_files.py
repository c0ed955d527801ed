"""Plans given by a file of two columns, code of the client and name of the plan (S2-10).

Read whole, line by line, each refused line with its reason; what remains becomes one change batch
per plan, which is previewed, worked through and undone like every other.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import NamedTuple

from django.db import transaction
from django.utils.translation import gettext as _

from relance.accounts.models import Organisation, User
from relance.dunning.lots import batches, changes
from relance.dunning.lots.changes import Change
from relance.dunning.models import Batch, Plan
from relance.dunning.services.common import Refused
from relance.formats.faults import Fault
from relance.formats.tabular import Row, Table
from relance.formats.text import cell_text, fold
from relance.ledger.models import Customer

CODES = ("code client", "code", "client", "reference client", "compte", "compte client")
PLANS = ("plan de relance", "plan", "nom du plan")
NO_PLAN = frozenset({"aucun", "aucun plan", "aucun plan de relance", "sans plan"})
CHUNK = 2_000
MOST_SHOWN = 200
"""Refused lines that the report quotes; the others are counted."""


class Unread(NamedTuple):
    """A line that is not taken, and why, in French."""

    line: int
    reason: str


class Read(NamedTuple):
    """What a file asks for: ids of customers by plan (None takes the plan away), and the rest."""

    wanted: dict[int | None, list[int]]
    faults: list[Unread]
    lines: int


class _Line(NamedTuple):
    line: int
    code: str
    plan: str


def read(organisation: Organisation, table: Table) -> Read:
    """Sort the lines of a file. Refused when it lacks one of the two columns."""
    header = [fold(name) for name in table.header]
    code = _column(header, CODES)
    plan = _column(header, PLANS)
    if code is None or plan is None or code == plan:
        raise Refused(
            _("Deux colonnes sont attendues : « Code client » et « Plan ». Ici : %(names)s.")
            % {"names": ", ".join(table.header) or "–"},
            "COLUMNS",
        )
    plans = {fold(one.name): one.pk for one in Plan.objects.filter(organisation=organisation)}
    found = Read({}, [], 0)
    seen: dict[int, int] = {}
    count = 0
    for some in _chunks(_lines(table, code, plan, found.faults)):
        count += len(some)
        known = _customers(organisation, [one.code for one in some])
        for one in some:
            customer, reason = known.get(one.code.upper()), ""
            if not one.code:
                reason = _("Le code client manque.")
            elif customer is None:
                reason = _("Aucun client ne porte le code %(code)s.") % {"code": one.code}
            elif customer in seen:
                reason = _("Ce client est déjà à la ligne %(line)d.") % {"line": seen[customer]}
            elif not one.plan:
                reason = _("Le plan manque : écrivez son nom, ou « Aucun ».")
            elif fold(one.plan) not in plans and fold(one.plan) not in NO_PLAN:
                reason = _("Aucun plan ne s’appelle « %(plan)s ».") % {"plan": one.plan}
            if reason or customer is None:
                found.faults.append(Unread(one.line, reason))
                continue
            seen[customer] = one.line
            found.wanted.setdefault(plans.get(fold(one.plan)), []).append(customer)
    return found._replace(lines=count, faults=sorted(found.faults))


def _column(header: Sequence[str], names: Iterable[str]) -> int | None:
    return next((header.index(name) for name in names if name in header), None)


def _lines(table: Table, code: int, plan: int, faults: list[Unread]) -> Iterator[_Line]:
    for row in table.rows():
        if isinstance(row, Fault):
            faults.append(Unread(row.line or 0, row.message))
        elif isinstance(row, Row):
            yield _Line(row.line, _text(row, code), _text(row, plan))


def _text(row: Row, place: int) -> str:
    return " ".join(cell_text(row.cells[place]).split())


def _chunks(lines: Iterator[_Line]) -> Iterator[list[_Line]]:
    some: list[_Line] = []
    for line in lines:
        some.append(line)
        if len(some) == CHUNK:
            yield some
            some = []
    if some:
        yield some


def _customers(organisation: Organisation, codes: Sequence[str]) -> dict[str, int]:
    """Ids by code in capitals, for codes typed in either case."""
    spelt = {way for code in codes for way in (code, code.upper(), code.lower())}
    rows = Customer.objects.filter(organisation=organisation, code__in=sorted(spelt))
    return {code.upper(): pk for code, pk in rows.values_list("code", "pk")}


@transaction.atomic
def prepare(
    organisation: Organisation, found: Read, *, filename: str, actor: User, on: date, now: datetime
) -> list[Batch]:
    """Write a draft per plan of the file that changes somebody; nothing is given yet.

    The first one holds the report of the file in its options: name, lines, faults, the others.
    """
    names = dict(Plan.objects.filter(organisation=organisation).values_list("pk", "name"))
    drafts: list[Batch] = []
    already = 0
    for plan, customers in found.wanted.items():
        foreseen = changes.foresee(organisation, Change(changes.PLAN, plan), customers, on=on)
        already += foreseen.kept["ALREADY"]
        if not foreseen.targets:
            continue
        given = names.get(plan) if plan else None
        what = _("Plan %(plan)s") % {"plan": given} if given else _("Aucun plan de relance")
        title = _("%(what)s, par le fichier %(file)s") % {"what": what, "file": filename}
        batch = changes.draft(organisation, foreseen, title=title, actor=actor, now=now)
        lines = changes.lines_of(batch, foreseen)
        drafts.append(batches.open_batch(batch, lines, now=now))
    if drafts:
        report = {
            "file": filename[:120],
            "lines": found.lines,
            "already": already,
            "refused": len(found.faults),
            "faults": [list(fault) for fault in found.faults[:MOST_SHOWN]],
            "drafts": [batch.pk for batch in drafts],
        }
        drafts[0].options = drafts[0].options | {"report": report}
        drafts[0].save(update_fields=["options"])
    return drafts


def drafts_of(batch: Batch) -> list[Batch]:
    """The batches of one file, from the first of them."""
    keys = batch.options.get("report", {}).get("drafts", [])
    found = Batch.objects.filter(organisation=batch.organisation, pk__in=keys)
    return list(found.order_by("pk"))
