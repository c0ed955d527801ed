"""Numbers as people type them (B4: French mobiles receive SMS, fixed lines do not)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance.formats.phones import PhoneError, e164, mobile, spaced, tel


@pytest.mark.parametrize(
    ("typed", "region", "known"),
    [
        ("06 12 34 56 78", "FR", "+33612345678"),
        ("0612345678", "", "+33612345678"),
        ("06.12.34.56.78", "FR", "+33612345678"),
        ("+33 (0)6 12 34 56 78", "FR", "+33612345678"),
        ("0033612345678", "FR", "+33612345678"),
        ("07 56 12 34 56", "FR", "+33756123456"),
        ("0692 12 34 56", "RE", "+262692123456"),
        ("+32 470 12 34 56", "FR", "+32470123456"),
        ("0470 12 34 56", "BE", "+32470123456"),
    ],
)
def test_a_mobile_is_written_as_networks_want_it(typed: str, region: str, known: str) -> None:
    assert mobile(typed, region) == known


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("", "EMPTY"),
        ("  ", "EMPTY"),
        ("bureau", "INVALID"),
        ("06 12 34", "INVALID"),
        ("06 12 34 56 78 90", "INVALID"),
        ("02 98 12 34 56", "FIXED"),
        ("09 72 12 34 56", "FIXED"),
        ("0 800 12 34 56", "FIXED"),
    ],
)
def test_what_is_none_says_why(typed: str, code: str) -> None:
    with pytest.raises(PhoneError) as refused:
        mobile(typed)
    assert refused.value.code == code


def test_a_fixed_line_can_be_called() -> None:
    assert e164("02 98 12 34 56") == tel("02 98 12 34 56") == "+33298123456"
    assert spaced("0298123456") == "02 98 12 34 56"
    assert spaced("+32470123456") == "+32 470 12 34 56"
    assert (tel("au bureau"), spaced("au bureau")) == ("", "au bureau")


@given(st.text(max_size=40), st.sampled_from(["FR", "BE", "", "XX"]))
def test_whatever_is_typed_gives_a_number_or_a_reason(text: str, region: str) -> None:
    try:
        answer = mobile(text, region)
    except PhoneError as refused:
        answer = refused.code
    assert answer.startswith("+") or answer in ("EMPTY", "INVALID", "FIXED")
