"""Interest by semester and the flat fee, to the cent, against the reference examples of the law."""

from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relance.engine.late_fees import Claim, MissingRate, Owed, Rates, Semester, owed, sum_of


def _percent(text: str) -> Fraction:
    return Fraction(text)


REFI = "2023S1 2.50|2023S2 4.00|2024S1 4.50|2024S2 4.25|2025S1 3.15|2025S2 2.15|2026S1 2.15|2026S2 2.40"
LEGAL = "2023S1 2.06|2023S2 4.22|2024S1 5.07|2024S2 4.92|2025S1 3.71|2025S2 2.76|2026S1 2.62"


def _series(text: str) -> dict[Semester, Fraction]:
    pairs = (one.split() for one in text.split("|"))
    return {Semester(int(name[:4]), int(name[5])): _percent(rate) for name, rate in pairs}


RATES = Rates(_series(REFI), _series(LEGAL))


def claim(total: str, due: str, *payments: tuple[str, str], **more: object) -> Claim:
    cents = round(float(total) * 100)
    values: dict[str, object] = {
        "total": cents,
        "issued": date.fromisoformat(due) - timedelta(days=30),
        "due": date.fromisoformat(due),
        "regime": "business",
        "payments": [(date.fromisoformat(d), round(float(a) * 100)) for d, a in payments],
    }
    return Claim(**{**values, **more})  # type: ignore[arg-type]


def counted(one: Claim, on: str) -> Owed:
    answer = owed(one, date.fromisoformat(on), RATES)
    assert isinstance(answer, Owed)
    return answer


@pytest.mark.parametrize(
    ("one", "on", "interest"),
    [
        (claim("1200", "2025-05-15", ("2025-08-20", "1200")), "2025-11-01", 4026),
        (claim("1200", "2025-05-15", ("2025-07-10", "500"), ("2025-08-20", "700")), "2025-11-01", 3344),
        (claim("2400", "2024-06-20", ("2024-07-20", "2400")), "2024-07-20", 2827),
        (claim("10000", "2024-01-31", ("2024-03-01", "10000")), "2024-03-01", 11918),
        (claim("100", "2025-12-31", ("2026-01-01", "100")), "2026-01-01", 3),
        (claim("3600", "2026-05-31"), "2026-11-21", 21206),
    ],
)
def test_the_reference_examples_of_interest_to_the_cent(one: Claim, on: str, interest: int) -> None:
    """Examples 1, 2, 4, 5, 6 and 7: each semester at its own rate, 365 days, half up at the end."""
    answer = counted(one, on)
    assert answer.interest == interest
    assert answer.fee == 4000


def test_interest_first_puts_a_part_payment_on_interest_then_on_the_principal() -> None:
    """Example 3 (C. civ. 1343-1): 23.88 of the 500 cover interest, 723.88 go on bearing it."""
    one = claim("1200", "2025-05-15", ("2025-07-10", "500"), interest_first=True)
    answer = counted(one, "2025-08-20")
    assert (answer.interest, answer.interest_paid, answer.principal) == (3376, 2388, 72388)


def test_the_seventh_example_claims_principal_interest_and_fee() -> None:
    assert counted(claim("3600", "2026-05-31"), "2026-11-21").total == 385206


def test_the_delay_is_cut_at_the_change_of_semester() -> None:
    answer = counted(claim("1200", "2025-05-15"), "2025-08-20")
    assert [(piece.days, piece.rate) for piece in answer.pieces] == [
        (46, Fraction("13.15")),
        (51, Fraction("12.15")),
    ]


def test_a_missing_rate_refuses_with_its_semester() -> None:
    """No semester is counted at the last rate known."""
    assert owed(claim("100", "2026-12-15"), date(2027, 1, 5), RATES) == MissingRate(Semester(2027, 1), "refi")
    contract = claim("100", "2026-05-31", contract_rate=Fraction(12))
    assert owed(contract, date(2026, 8, 1), RATES) == MissingRate(Semester(2026, 2), "legal")


def test_a_contract_rate_below_three_times_the_legal_rate_is_raised_to_it() -> None:
    low = counted(claim("1000", "2025-03-31", contract_rate=Fraction(5)), "2025-04-30")
    assert [(piece.rate, piece.floored) for piece in low.pieces] == [(Fraction("11.13"), True)]
    high = counted(claim("1000", "2025-03-31", contract_rate=Fraction(15)), "2025-04-30")
    assert [(piece.rate, piece.floored) for piece in high.pieces] == [(Fraction(15), False)]


def test_a_consumer_owes_the_legal_rate_from_the_notice_and_never_a_fee() -> None:
    """D-26; before the mise en demeure nothing but the principal is owed."""
    silent = counted(claim("1000", "2025-01-31", regime="consumer"), "2025-06-30")
    assert (silent.interest, silent.fee, silent.why_none) == (0, 0, "NO_NOTICE")
    told = claim("1000", "2025-01-31", regime="consumer", notice_on=date(2025, 5, 31))
    answer = counted(told, "2025-06-30")
    assert (answer.interest, answer.fee) == (305, 0)  # 30 days at 3.71 %
    assert [piece.rate for piece in answer.pieces] == [Fraction("3.71")]


def test_a_public_buyer_keeps_the_rate_of_the_semester_in_which_interest_began() -> None:
    answer = counted(claim("1000", "2025-06-15", regime="public"), "2025-12-31")
    assert {piece.rate for piece in answer.pieces} == {Fraction("11.15")}
    assert answer.fee == 4000


def test_an_unknown_regime_is_charged_the_principal_only_and_says_so() -> None:
    answer = counted(claim("1000", "2025-01-31", regime="unknown"), "2025-06-30")
    assert (answer.total, answer.why_none) == (100000, "UNKNOWN_REGIME")


def test_the_fee_stays_due_when_the_invoice_was_paid_late_or_partly_in_time() -> None:
    late = counted(claim("1000", "2025-01-31", ("2025-02-03", "1000")), "2025-06-30")
    assert (late.principal, late.fee) == (0, 4000)
    partly = counted(claim("1000", "2025-01-31", ("2025-01-31", "900"), ("2025-02-02", "100")), "2025-06-30")
    assert partly.fee == 4000


def test_an_invoice_paid_in_time_owes_nothing_more() -> None:
    answer = counted(claim("1000", "2025-01-31", ("2025-01-31", "1000")), "2025-06-30")
    assert (answer.total, answer.why_none) == (0, "PAID_IN_TIME")


def test_a_payment_that_came_back_leaves_the_invoice_late_from_the_next_day() -> None:
    """A direct debit taken in time and rejected on 9 February: 19 days at 13.15 %, and the 40 €."""
    answer = counted(claim("1000", "2025-01-31", ("2025-01-31", "1000"), ("2025-02-09", "-1000")), "2025-02-28")
    assert (answer.principal, answer.interest, answer.fee) == (100000, 685, 4000)


def test_an_invoice_cancelled_by_a_credit_note_owes_no_fee() -> None:
    answer = counted(claim("1000", "2025-01-31", corrections=100000), "2025-06-30")
    assert (answer.total, answer.why_none) == (0, "CANCELLED_BY_CREDIT")


def test_a_correction_counts_from_the_start_and_a_gesture_from_its_date() -> None:
    whole = counted(claim("1000", "2025-01-31", corrections=50000), "2025-02-28").interest
    gesture = claim("1000", "2025-01-31", gestures=[(date(2025, 2, 14), 50000)])
    assert whole == 504
    assert counted(gesture, "2025-02-28").interest == 757


def test_the_opening_of_a_collective_procedure_stops_interest() -> None:
    """C. com. L622-28; an invoice for a later supply goes on."""
    one = claim("1000", "2025-01-31", judgment_on=date(2025, 2, 11))
    assert counted(one, "2025-06-30").pieces[-1].last == date(2025, 2, 10)
    due_after = claim("1000", "2025-02-28", judgment_on=date(2025, 2, 11))
    assert counted(due_after, "2025-06-30").why_none == "JUDGMENT"
    later = claim("1000", "2025-06-01", judgment_on=date(2025, 2, 11))
    assert counted(later, "2025-06-30").fee == 4000


def test_several_invoices_add_up_after_their_own_rounding() -> None:
    both = sum_of([counted(claim("100", "2025-12-31"), "2026-01-01")] * 2)
    assert (both.interest, both.fee, both.total) == (6, 8000, 28006)


days = st.dates(date(2023, 1, 1), date(2026, 10, 1))


@given(
    total=st.integers(1, 10**9),
    due=days,
    late=st.integers(0, 900),
    cut=st.integers(0, 900),
    paid=st.lists(st.tuples(st.integers(-60, 900), st.integers(1, 10**9)), max_size=4),
)
def test_interest_grows_with_time_and_its_pieces_cover_each_late_day_once(
    total: int, due: date, late: int, cut: int, paid: list[tuple[int, int]]
) -> None:
    end = min(due + timedelta(days=late), date(2026, 12, 31))
    early = min(due + timedelta(days=min(cut, late)), end)
    payments = [(due + timedelta(days=offset), cents) for offset, cents in paid]
    one = Claim(total, due - timedelta(days=30), due, "business", payments=payments)
    now, before = owed(one, end, RATES), owed(one, early, RATES)
    assert isinstance(now, Owed)
    assert isinstance(before, Owed)
    assert before.interest <= now.interest
    assert all(a.last < b.first for a, b in zip(now.pieces, now.pieces[1:], strict=False))
    assert all(piece.first > due and piece.last <= end for piece in now.pieces)
    left = total - sum(cents for day, cents in payments if day <= end)
    assert now.principal == max(left, 0)
