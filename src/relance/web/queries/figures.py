"""The figures above the list: four totals, ageing and the DSO, as of a local date.

They read the whole ledger, so they are kept until the journal, an import or the day changes. Of a
large ledger what is open is kept by due date: after a deed, only the days of the invoices that the
journal names since are read again; its DSO is at most ten minutes old.
"""

from datetime import date
from typing import NamedTuple

from django.core.cache import cache

from relance.accounts.models import Organisation
from relance.history.models import Chain, Event
from relance.ledger import queries as ledger
from relance.ledger.models import Import, Invoice, Payment

MONTHS = 12
SALES_MONTHS = 3
KEPT_SECONDS = 600
LARGE = 20_000
"""Invoices from which the figures are kept by due date."""
MOST_TOLD = 500
MOST_DUES = 20
"""Beyond, everything is read again: an index is walked faster than a hundred days are visited."""


class Dso(NamedTuple):
    """Days of sales outstanding at the end of each month, oldest first; the last one is now."""

    values: tuple[float, ...]
    ends: tuple[date, ...]

    @property
    def now(self) -> int:
        """Days, rounded."""
        return round(self.values[-1])

    @property
    def change(self) -> int:
        """Days more (positive) or fewer than at the first month shown."""
        return round(self.values[-1]) - round(self.values[0])


class Figures(NamedTuple):
    """Everything for one currency; `currencies` are those with something open on the date."""

    currency: str
    currencies: tuple[str, ...]
    totals: ledger.Totals
    ageing: ledger.Ageing
    dso: Dso | None

    @property
    def overdue_share(self) -> float:
        """Percentage points of what is open."""
        whole = self.totals.open.cents
        return 100 * self.totals.overdue.cents / whole if whole else 0.0


def figures(organisation: Organisation, on: date, currency: str = "", *, today: date) -> Figures:
    """The figures on `on`, in `currency` if it has something open, else in the first one."""
    if on == today and _is_large(organisation, on):
        return _of_today(organisation, on, currency)
    key = f"figures:{organisation.pk}:{on}:{currency[:3]}:{_state(organisation)}"
    known: Figures | None = cache.get(key)
    if known is None:
        known = _compute(organisation, on, currency)
        cache.set(key, known, KEPT_SECONDS)
    return known


def _is_large(organisation: Organisation, on: date) -> bool:
    """More invoices than can be read for every page; money dated later needs the exact way."""
    invoices = Invoice.objects.filter(organisation=organisation).order_by()
    if invoices.values("pk")[: LARGE + 1].count() <= LARGE:
        return False
    return not Payment.objects.filter(organisation=organisation, on__gt=on).exists()


class _Kept(NamedTuple):
    """What is open by currency and due date at a point of the journal, and what is set apart."""

    seq: int
    imports: str
    by_due: dict[str, dict[date, ledger.Sums]]
    apart: dict[str, tuple[ledger.Sums, ledger.Sums]]


def _of_today(organisation: Organisation, on: date, currency: str) -> Figures:
    seq, imports = _point(organisation)
    key = f"open:{organisation.pk}:{on}"
    kept: _Kept | None = cache.get(key)
    if kept is None or (kept.seq, kept.imports) != (seq, imports):
        kept = _renewed(organisation, on, kept, seq, imports)
        cache.set(key, kept, KEPT_SECONDS)
    currencies = tuple(sorted(kept.by_due, key=lambda code: (code != "EUR", code)))
    chosen = currency if currency in kept.by_due else (currencies[0] if currencies else "EUR")
    apart = kept.apart.get(chosen, (ledger.NOTHING, ledger.NOTHING))
    totals, ageing = ledger.summed(kept.by_due.get(chosen, {}), apart, on)
    return Figures(chosen, currencies, totals, ageing, _kept_dso(organisation, on, chosen))


def _renewed(
    organisation: Organisation, on: date, kept: _Kept | None, seq: int, imports: str
) -> _Kept:
    """All of it again, or only the due dates of the invoices told of since.

    Only an import moves a due date or writes without telling of each invoice.
    """
    apart = ledger.set_apart(organisation, on)
    dues: set[date] | None = None
    if kept is not None and kept.imports == imports and kept.seq <= seq:
        told = Event.objects.filter(
            organisation=organisation, seq__gt=kept.seq, invoice_id__isnull=False
        ).order_by()
        keys = {key for key in told.values_list("invoice_id", flat=True)[: MOST_TOLD + 1] if key}
        if len(keys) <= MOST_TOLD:
            rows = Invoice.objects.filter(organisation=organisation, pk__in=keys)
            dues = set(rows.values_list("due", flat=True))
    if kept is None or dues is None or len(dues) > MOST_DUES:
        return _Kept(seq, imports, ledger.open_by_due(organisation, on), apart)
    by_due = {
        code: {due: sums for due, sums in days.items() if due not in dues}
        for code, days in kept.by_due.items()
    }
    for code, days in ledger.open_by_due(organisation, on, dues=dues).items():
        by_due.setdefault(code, {}).update(days)
    return _Kept(seq, imports, {code: days for code, days in by_due.items() if days}, apart)


def _kept_dso(organisation: Organisation, on: date, currency: str) -> Dso | None:
    key = f"dso:{organisation.pk}:{on}:{currency}"
    known: tuple[Dso | None] | None = cache.get(key)
    if known is None:
        months = ledger.months(organisation, on, count=MONTHS + SALES_MONTHS, currency=currency)
        known = (dso(months),)
        cache.set(key, known, KEPT_SECONDS)
    return known[0]


def _point(organisation: Organisation) -> tuple[int, str]:
    """The end of the journal, and what changes with an import or the tolerance."""
    seq, _dot, rest = _state(organisation).partition(":")
    return int(seq) if seq.isdecimal() else 0, rest


def _state(organisation: Organisation) -> str:
    """Changes whenever a verb of the ledger or an import has written something."""
    seq = Chain.objects.filter(organisation=organisation).values_list("seq", flat=True).first()
    imported = (
        Import.objects.filter(organisation=organisation)
        .order_by("-id")
        .values_list("id", "status", "done_lines")
        .first()
    )
    return f"{seq}:{imported}:{organisation.tolerance_cents}".replace(" ", "")


def _compute(organisation: Organisation, on: date, currency: str) -> Figures:
    totals = ledger.totals(organisation, on)
    currencies = tuple(sorted(totals, key=lambda code: (code != "EUR", code)))
    chosen = currency if currency in totals else (currencies[0] if currencies else "EUR")
    ageing = ledger.ageing(organisation, on).get(chosen, ledger.Ageing())
    return Figures(
        chosen,
        currencies,
        totals.get(chosen, ledger.Totals()),
        ageing,
        dso(ledger.months(organisation, on, count=MONTHS + SALES_MONTHS, currency=chosen)),
    )


def dso(months: list[ledger.Month]) -> Dso | None:
    """Simple DSO at each month's end: receivable over the sales of three months, times their days.

    Law-and-money C: 30 000 over 60 000 in 90 days is 45 days. None when a quarter has no sales.
    """
    values: list[float] = []
    ends: list[date] = []
    for last in range(SALES_MONTHS, len(months)):
        sales = sum(month.invoiced_cents for month in months[last - SALES_MONTHS + 1 : last + 1])
        if sales <= 0:
            values.clear()
            ends.clear()
            continue
        span = (months[last].end - months[last - SALES_MONTHS].end).days
        values.append(max(months[last].receivable_cents, 0) / sales * span)
        ends.append(months[last].end)
    return Dso(tuple(values), tuple(ends)) if len(values) > 1 else None


def has_invoices(organisation: Organisation) -> bool:
    """False for a dossier where nothing was imported yet."""
    return Invoice.objects.filter(organisation=organisation).exists()
