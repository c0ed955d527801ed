"""Pages of a list that never cost more than its first ten thousand lines.

The database counts no further, and nobody reads the two-hundredth page: beyond it, one filters,
turns the order, or takes the workbook, which holds every line.
"""

from collections.abc import Sequence
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet

PAGE = 50
MOST = 10_000
"""Lines that are counted and can be paged through."""


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts at most `MOST` rows; `capped` when there are more."""

    capped = False

    @property
    def count(self) -> int:
        """Rows that can be reached."""
        if not hasattr(self, "_count"):
            self._count = self._bounded()
        return self._count

    def _bounded(self) -> int:
        rows: Any = self.object_list
        if not isinstance(rows, QuerySet):
            return min(len(rows), MOST)
        found = rows.order_by().values("pk")[: MOST + 1].count()
        self.capped = found > MOST
        return min(found, MOST)


def page_of(
    rows: Any, number: str | None, *, size: int = PAGE, known: int | None = None
) -> Page[Any]:
    """A page of a queryset; what is no number is the first, what is beyond is the last.

    `known` is how many rows there are, when that was counted already.
    """
    paginator = CappedPaginator(rows, size)
    if known is not None:
        paginator._count, paginator.capped = min(known, MOST), known > MOST
    return paginator.get_page(number or 1)


def in_turn(parts: Sequence[QuerySet[Any]], first: int, last: int) -> list[Any]:
    """Rows `first` to `last` of lists that follow one another; the later ones only if needed.

    So each part walks its own index instead of being sorted together with the others. A part is
    counted, by its own rows, as far as the page reaches and no further.
    """
    found: list[Any] = []
    for part in parts:
        if last <= 0:
            break
        mine = list(part[max(0, first) : last])
        before = max(0, first) + len(mine) if mine or first <= 0 else part[:first].count()
        found += mine
        first, last = first - before, last - before
    return found
