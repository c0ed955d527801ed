"""Credits of the bank and the invoices they pay (formats D4): automatic only when nothing is in doubt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relance.engine.matching import Book, Credit, Due, Match, matches, open_book

DURAND, MARTIN = 1, 2
DUES = [
    Due(10, DURAND, "FA-2026-0042", 120000, "EUR", "2026-10-01"),
    Due(11, DURAND, "FA-2026-0043", 80000, "EUR", "2026-10-15"),
    Due(12, DURAND, "FA-2026-0050", 5050, "EUR", "2026-11-01"),
    Due(20, MARTIN, "20260099", 33333, "EUR", "2026-10-20"),
    Due(21, MARTIN, "FA-2026-0070", 80000, "USD", "2026-10-21"),
]
BOOK = open_book(DUES, {"FR76 3000 6000 0112 3456 7890 189": DURAND}, [(DURAND, "Durand SA"), (MARTIN, "Martin")])


def first(credit: Credit, book: Book = BOOK) -> Match:
    return matches(credit, book)[0]


def pay(amount: int, label: str = "", **more: str) -> Credit:
    return Credit(amount, "EUR", label, **more)


@pytest.mark.parametrize(
    "label",
    [
        "VIR DURAND FA-2026-0042",
        "FACTURE FA 2026 0042 MERCI",
        "Règlement fa20260042",
        "FA-2026-42",
        "vir.inst/FA/2026/0042",
    ],
)
def test_an_exact_number_and_amount_settle_by_themselves(label: str) -> None:
    match = first(pay(120000, label))
    assert (match.code, match.automatic, match.shares) == ("REFERENCE", True, ((10, 120000),))


def test_a_structured_reference_counts_as_the_number() -> None:
    assert first(pay(33333, "VIREMENT", reference="20260099")).automatic


@pytest.mark.parametrize("label", ["FA-2026-00421", "XFA-2026-0042", "REF 2026", "42"])
def test_a_number_inside_another_or_too_short_is_none(label: str) -> None:
    assert matches(pay(120000, label), BOOK) == []


def test_several_numbers_whose_sum_is_exact_settle_together() -> None:
    match = first(pay(200000, "FA-2026-0042 et FA-2026-0043"))
    assert (match.automatic, [share.invoice for share in match.shares]) == (True, [10, 11])


def test_an_exact_number_with_less_money_is_a_part_payment_to_confirm() -> None:
    match = first(pay(50000, "acompte FA-2026-0042"))
    assert (match.code, match.automatic, match.shares) == ("REFERENCE_PART", False, ((10, 50000),))


def test_more_money_than_owed_leaves_an_unapplied_rest_to_confirm() -> None:
    match = first(pay(130000, "FA-2026-0042"))
    assert (match.code, match.automatic, match.left) == ("REFERENCE_OVER", False, 10000)


def test_the_amount_of_a_known_payer_is_only_proposed() -> None:
    by_account = first(pay(80000, "VIR SEPA", iban="FR7630006000011234567890189"))
    by_name = first(pay(80000, "VIR SEPA", name="DURAND S.A."))
    assert by_account == by_name
    assert (by_account.code, by_account.automatic, by_account.shares) == ("AMOUNT", False, ((11, 80000),))


def test_an_exact_sum_of_a_payers_invoices_is_proposed() -> None:
    match = first(pay(85050, "VIR", name="Durand SA"))
    assert (match.code, match.automatic) == ("SUM", False)
    assert {share.invoice for share in match.shares} == {11, 12}


def test_a_few_cents_apart_is_proposed_and_the_excess_left() -> None:
    near = first(pay(33330, "VIR", name="Martin"))
    assert (near.code, near.shares, near.left) == ("NEAR", ((20, 33330),), 0)
    over = first(pay(33337, "VIR", name="Martin"))
    assert (over.shares, over.left) == (((20, 33333),), 4)


def test_another_currency_never_matches() -> None:
    assert matches(pay(80000, "FA-2026-0070", name="Martin"), BOOK) == []


def test_two_customers_with_the_same_number_are_a_tie_for_a_person() -> None:
    twins = [Due(1, 1, "2026001", 100, "EUR", "a"), Due(2, 2, "2026-001", 100, "EUR", "b")]
    found = matches(pay(100, "2026001"), open_book(twins, {}, []))
    assert len(found) == 2
    assert not any(match.automatic for match in found)


def test_a_debit_pays_nothing() -> None:
    assert matches(pay(-120000, "FA-2026-0042"), BOOK) == []


numbers = st.from_regex(r"[A-Z]{0,2}-?20\d{2}-?\d{1,4}", fullmatch=True)
dues = st.lists(
    st.builds(
        lambda customer, number, balance: (customer, number, balance),
        st.integers(1, 4),
        numbers,
        st.integers(1, 5000),
    ),
    max_size=12,
)


@given(dues, st.integers(1, 12000), st.text(max_size=30), st.data())
def test_no_proposal_gives_away_more_than_came_or_than_is_owed(
    rows: list[tuple[int, str, int]], amount: int, noise: str, data: st.DataObject
) -> None:
    book_rows = [Due(i, c, n, b, "EUR", f"{i:03}") for i, (c, n, b) in enumerate(rows)]
    quoted = data.draw(st.lists(st.sampled_from(book_rows), max_size=3)) if book_rows else []
    label = " ".join([*(due.number for due in quoted), noise])
    balance = {due.id: due.balance for due in book_rows}
    owner = {due.id: due.customer for due in book_rows}
    found = matches(Credit(amount, "EUR", label, name="N"), open_book(book_rows, {}, [(1, "NNN"), (1, "N")]))
    for match in found:
        assert sum(share.amount for share in match.shares) + match.left == amount
        assert all(0 < share.amount <= balance[share.invoice] for share in match.shares)
        assert {owner[share.invoice] for share in match.shares} == {match.customer}
        if match.automatic:
            assert match.left == 0
            assert all(share.amount == balance[share.invoice] for share in match.shares)
    assert sum(match.automatic for match in found) <= 1
