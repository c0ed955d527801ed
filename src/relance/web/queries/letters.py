"""The letters to be printed, the prints that wait for their confirmation, and those of before."""

from typing import NamedTuple

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet, Sum

from relance.accounts.access import Access
from relance.outbox import print_runs
from relance.outbox.models import Message, PrintRun

PAGE = 50
MOST_OPEN = 20


class Waiting(NamedTuple):
    """What may be printed now: a page of letters, how many there are in all, and on other pages."""

    page: Page[Message]
    batch: int | None
    every: int
    rest: int


def waiting(access: Access, *, batch: str = "", page: str = "1") -> Waiting:
    """The letters that wait, or those of one batch, fifty on a page."""
    number = int(batch[:18]) if batch.isdecimal() else None
    letters = of_batch(access, number).select_related("customer", "made_by")
    shown = Paginator(letters, PAGE).get_page(page)
    count = shown.paginator.count
    return Waiting(shown, number, count, count - len(shown.object_list))


def of_batch(access: Access, batch: int | None) -> QuerySet[Message]:
    """All the letters that wait, or those of one batch."""
    letters = print_runs.waiting(access.organisation)
    return letters.filter(batch_id=batch) if batch is not None else letters


def to_confirm(access: Access) -> list[PrintRun]:
    """Prints that somebody holds in his hands, the oldest first."""
    runs = access.all(PrintRun).filter(confirmed_at=None).select_related("made_by")
    return list(runs.order_by("pk")[:MOST_OPEN])


def confirmed(access: Access, page: str = "1") -> Page[PrintRun]:
    """The prints of before, the latest first."""
    runs = access.all(PrintRun).exclude(confirmed_at=None)
    ordered = runs.select_related("made_by", "confirmed_by").order_by("-confirmed_at", "-pk")
    return Paginator(ordered, PAGE).get_page(page)


def of_run(run: PrintRun, page: str = "1") -> Page[Message]:
    """The letters of a print, in the order of its pages."""
    letters = run.messages.select_related("customer").order_by("letter__pages__0", "pk")
    return Paginator(letters, PAGE).get_page(page)


def sum_of(run: PrintRun) -> dict[str, int]:
    """Cents asked for by the letters of a print, by currency."""
    rows = run.messages.values_list("currency").annotate(cents=Sum("amount_cents"))
    return dict(rows.order_by("currency"))
