"""Missing receipts: the four kinds, the schedule, the recipients (S0-05 to S0-37)."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relance.engine.model import Reason
from relance.engine.receipts import (
    Reader,
    Request,
    Transaction,
    due_since,
    eligible,
    missing,
    request,
    send_dates,
    to_chase,
)

DAY = date(2025, 3, 10)
ACCOUNTED = Transaction(1, DAY, -100_00, associated=True, documents=1, covered=100_00)
READER = Reader("u", "all", "R2", wants_mail=True)


@pytest.mark.parametrize(
    ("transaction", "kind"),
    [
        (ACCOUNTED, None),
        (ACCOUNTED._replace(associated=False, documents=0, covered=0), "not_associated"),
        (ACCOUNTED._replace(documents=0, covered=0), "without_document"),
        (ACCOUNTED._replace(covered=99_99), "partial"),
        (ACCOUNTED._replace(associated=False, documents=0, covered=0, potential=True), "potential"),
        (ACCOUNTED._replace(covered=50_00, potential=True), "potential"),
        (ACCOUNTED._replace(potential=True), None),
        (ACCOUNTED._replace(documents=0, covered=0, ignored=True), None),
        (ACCOUNTED._replace(amount=100_00, covered=99_99), "partial"),
    ],
)
def test_exactly_four_kinds_are_chased(transaction: Transaction, kind: str | None) -> None:
    """S0-05 to S0-09: credits as well as debits; complete or ignored ones never."""
    assert missing(transaction) == kind


def test_the_request_covers_the_period_only_newest_first() -> None:
    """S0-22, S0-23: both days of the period are in it."""
    bare = [ACCOUNTED._replace(id=n, on=DAY + timedelta(days=n), documents=0, covered=0) for n in range(10)]
    chosen = to_chase(bare, DAY + timedelta(days=2), DAY + timedelta(days=5))
    assert [one.id for one in chosen] == [5, 4, 3, 2]


def test_a_message_shows_four_transactions_and_more_behind() -> None:
    """S0-30, S0-31, D-04."""
    bare = [ACCOUNTED._replace(id=n, documents=0, covered=0) for n in range(5)]
    five, four = request(bare, [READER], DAY), request(bare[:4], [READER], DAY)
    assert isinstance(five, Request)
    assert isinstance(four, Request)
    assert (len(five.shown), five.has_more) == (4, True)
    assert (len(four.shown), four.has_more) == (4, False)


@pytest.mark.parametrize(
    ("reader", "receives"),
    [
        (READER, True),
        (READER._replace(collecte="full", bank="R3"), True),
        (READER._replace(collecte="own"), False),
        (READER._replace(bank="R1"), False),
        (READER._replace(wants_mail=False), False),
    ],
)
def test_recipients_pass_three_tests_together(reader: Reader, receives: bool) -> None:
    """S0-12 to S0-15, D-22."""
    assert eligible(reader) is receives


def test_nothing_missing_or_nobody_to_ask_is_said() -> None:
    """S0-36, S0-37."""
    assert request([ACCOUNTED], [READER], DAY) == Reason("NOTHING_MISSING")
    bare = ACCOUNTED._replace(documents=0)
    refused = request([bare], [READER._replace(bank="R0")], DAY)
    assert isinstance(refused, Reason)
    assert refused.code == "NO_ELIGIBLE_RECIPIENT"


@pytest.mark.parametrize(
    ("days", "year", "month", "expected"),
    [
        ((31,), 2025, 1, [31]),
        ((31,), 2025, 4, [30]),
        ((29,), 2025, 2, [28]),
        ((29,), 2024, 2, [29]),
        ((30, 31), 2025, 2, [28]),
        ((30, 31), 2025, 3, [30, 31]),
        ((15, 1), 2025, 6, [1, 15]),
    ],
)
def test_the_days_of_a_month_count_from_the_stored_day(
    days: tuple[int, ...], year: int, month: int, expected: list[int]
) -> None:
    """S0-18 to S0-20, D-01: two days on one date are one e-mail; February does not move March."""
    assert [day.day for day in send_dates(days, year, month)] == expected


def test_a_missed_day_is_caught_up_once() -> None:
    served = date(2025, 1, 31)
    assert due_since((31, 15), served, date(2025, 2, 14)) is None
    assert due_since((31, 15), served, date(2025, 2, 15)) == date(2025, 2, 15)
    caught_up = due_since((31, 15), served, date(2025, 3, 2))
    assert caught_up == date(2025, 2, 28)
    assert due_since((31, 15), caught_up, date(2025, 3, 3)) is None


def test_dates_are_promised_unless_the_option_moves_them_to_working_days() -> None:
    """D-02: 15 February 2025 is a Saturday."""
    served = date(2025, 2, 1)
    assert due_since((15,), served, date(2025, 2, 15)) == date(2025, 2, 15)
    assert due_since((15,), served, date(2025, 2, 16), working_days_of="metropole") is None
    assert due_since((15,), served, date(2025, 2, 17), working_days_of="metropole") == date(2025, 2, 17)


@given(
    st.lists(st.integers(1, 31), min_size=1, max_size=2),
    st.dates(date(2023, 1, 1), date(2025, 1, 1)),
    st.lists(st.integers(1, 40), min_size=1, max_size=12),
)
def test_however_the_server_runs_every_month_is_served_and_no_date_twice(
    days: list[int], start: date, gaps: list[int]
) -> None:
    served, today, sent = start, start, []
    for gap in gaps:
        today += timedelta(days=gap)
        due = due_since(days, served, today)
        if due is not None:
            sent.append(due)
            served = due
        every = [start + timedelta(days=n) for n in range(1, (today - start).days + 1)]
        promised = [day for day in every if day in send_dates(days, day.year, day.month)]
        assert (promised[-1:] or [start])[0] == served
    assert len(sent) == len(set(sent))
