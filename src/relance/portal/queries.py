"""What those who are asked see of their request: where they are, what is left, what they said."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

from django.db.models import QuerySet

from relance.bank.models import Link, Missing, Transaction
from relance.receipts.models import Answer, Door
from relance.receipts.services import answers

PAGE = 50
SEGMENTS = 24
"""More transactions than that are shown as one bar."""


class Item(NamedTuple):
    """A line of the list; `state` is wanted, partial, confirm, given or answered, and `said`
    the answer given, if any. `whole_cents` and `lacking_cents` are positive."""

    row: Transaction
    name: str
    state: str
    said: Answer | None
    whole_cents: int
    lacking_cents: int
    current: bool

    @property
    def beside(self) -> str:
        """What the label of the bank says beside the name, such as the card; may be empty."""
        label, name = self.row.label, self.name
        if label[: len(name)].casefold() == name.casefold():
            return label[len(name) :].strip(" ,/-")
        return label


class Course(NamedTuple):
    """All transactions of the request in their order, by pk, with whether each is still missing."""

    order: list[tuple[int, bool]]

    @property
    def total(self) -> int:
        """How many were asked."""
        return len(self.order)

    @property
    def left(self) -> int:
        """How many are still missing."""
        return sum(missing for _pk, missing in self.order)

    @property
    def done(self) -> int:
        """How many have their receipt or their answer."""
        return self.total - self.left

    def place(self, pk: int) -> int | None:
        """Its place from 0, None when the request did not ask for it."""
        return next((n for n, (key, _missing) in enumerate(self.order) if key == pk), None)

    def next_after(self, pk: int) -> int | None:
        """The next one that is missing, from the top again after the last; never `pk` itself."""
        place = self.place(pk) or 0
        turned = self.order[place + 1 :] + self.order[:place]
        return next((key for key, missing in turned if missing and key != pk), None)

    def first(self) -> int | None:
        """The first one that is missing."""
        return next((key for key, missing in self.order if missing), None)

    def segments(self, pk: int | None) -> list[str]:
        """A class for each step of the progress; empty when there are too many to see."""
        if self.total > SEGMENTS:
            return []
        return [
            "is-now" if key == pk and missing else "" if missing else "is-done"
            for key, missing in self.order
        ]


def asked(door: Door) -> QuerySet[Transaction]:
    """The transactions of the request, newest first as in its message."""
    return Transaction.objects.filter(
        organisation_id=door.organisation_id, asked__request_id=door.request_id
    ).order_by("-booked", "-id")


def course(door: Door) -> Course:
    """Where one is in the request."""
    rows = asked(door).values_list("pk", "missing")
    return Course([(pk, bool(missing)) for pk, missing in rows])


def items(door: Door, way: Course, page: int, current: int | None) -> list[Item]:
    """The lines of a page (from 1) of the list, with the last answer to each."""
    start = (page - 1) * PAGE
    keys = [pk for pk, _missing in way.order[start : start + PAGE]]
    rows = Transaction.objects.in_bulk(keys)
    said = last_answers(keys)
    return [item(rows[pk], said.get(pk), pk == current) for pk in keys if pk in rows]


def item(row: Transaction, said: Answer | None, current: bool = False) -> Item:
    """A transaction as the one who is asked sees it."""
    lacking = row.lacking_cents if row.missing else 0
    if row.missing == Missing.POTENTIAL:
        state = "confirm"
    elif row.missing:
        state = "partial" if row.missing == Missing.PARTIAL else "wanted"
    else:
        state = "answered" if said and said.kind in answers.WAIVERS else "given"
    return Item(row, row.name or row.label, state, said, abs(row.amount_cents), lacking, current)


def last_answers(keys: Sequence[int]) -> dict[int, Answer]:
    """The last answer to each of these transactions."""
    rows = Answer.objects.filter(transaction_id__in=keys).order_by("at", "pk")
    return {answer.transaction_id: answer for answer in rows}


def proposed(row: Transaction) -> Link | None:
    """The receipt found that is shown first; the others follow when it is denied."""
    return next(iter(answers.found_for(row)), None) if row.missing == Missing.POTENTIAL else None


def whole_month(first: date | None, last: date | None) -> date | None:
    """The first day of the month that a period covers exactly, else None."""
    if first is None or last is None or first.day != 1:
        return None
    following = last + timedelta(days=1)
    same = (first.year, first.month) == (last.year, last.month)
    return first if same and following.day == 1 else None
