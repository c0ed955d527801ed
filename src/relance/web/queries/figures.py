"""The figures above the list: four totals, ageing and the DSO, as of a local date.

They read the whole ledger, so they are kept until the journal, an import or the day changes.
"""

from datetime import date
from typing import NamedTuple

from django.core.cache import cache

from relance.accounts.models import Organisation
from relance.history.models import Chain
from relance.ledger import queries as ledger
from relance.ledger.models import Import, Invoice

MONTHS = 12
SALES_MONTHS = 3
KEPT_SECONDS = 600


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


def figures(organisation: Organisation, on: date, currency: str = "") -> Figures:
    """The figures on `on`, in `currency` if it has something open, else in the first one."""
    key = f"figures:{organisation.pk}:{on}:{currency[:3]}:{_state(organisation)}"
    known: Figures | None = cache.get(key)
    if known is None:
        known = _compute(organisation, on, currency)
        cache.set(key, known, KEPT_SECONDS)
    return known


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
