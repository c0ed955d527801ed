"""The length of an SMS as the networks count it (3GPP TS 23.038; B4 of the research)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance.formats.sms import BASIC, EXTENSION, PLAINER, count, plainer, saves

GSM = st.text(alphabet=BASIC + EXTENSION, max_size=700)


@pytest.mark.parametrize(
    ("text", "encoding", "units", "parts", "left"),
    [
        ("", "gsm7", 0, 0, 160),
        ("a" * 160, "gsm7", 160, 1, 0),
        ("a" * 161, "gsm7", 161, 2, 145),
        ("a" * 306, "gsm7", 306, 2, 0),
        ("a" * 307, "gsm7", 307, 3, 152),
        ("é" * 160, "gsm7", 160, 1, 0),
        ("€" * 80, "gsm7", 160, 1, 0),
        ("€" * 81, "gsm7", 162, 2, 143),
        ("’" + "a" * 69, "ucs2", 70, 1, 0),
        ("’" + "a" * 70, "ucs2", 71, 2, 63),
        ("😀" * 35, "ucs2", 70, 1, 0),
        ("😀" * 36, "ucs2", 72, 2, 61),
    ],
)
def test_known_lengths(text: str, encoding: str, units: int, parts: int, left: int) -> None:
    assert count(text)[:4] == (encoding, units, parts, left)


def test_a_sign_of_two_units_is_not_cut_between_two_parts() -> None:
    """152 units, then €: the 153rd is lost and a part more begins at once."""
    assert count("a" * 152 + "€" + "a" * 152).parts == 3
    assert count("a" * 151 + "€" + "a" * 153).parts == 2


@pytest.mark.parametrize("sign", "éèàùìòÇ€")
def test_french_letters_inside_the_alphabet(sign: str) -> None:
    assert count(sign).encoding == "gsm7"


@pytest.mark.parametrize("sign", ["ê", "ë", "î", "ï", "ô", "û", "ç", "œ", "’", "«", "»", "\u202f"])
def test_french_letters_outside_the_alphabet(sign: str) -> None:
    assert count(f"a{sign}b{sign}").forcing == (sign,)
    assert count(plainer(f"a{sign}b")).encoding == "gsm7"


def test_the_alphabet_has_its_127_characters_and_its_ten_of_two() -> None:
    assert (len(set(BASIC)), len(BASIC)) == (127, 127)
    assert len(EXTENSION) == 10


def test_replacements_are_inside_the_alphabet_and_what_they_replace_outside() -> None:
    for sign, instead in PLAINER.items():
        assert count(sign).encoding == "ucs2"
        assert count(instead).encoding == "gsm7"


@given(GSM)
def test_what_is_in_the_alphabet_is_counted_so_and_never_replaced(text: str) -> None:
    found = count(text)
    assert found.encoding == "gsm7"
    assert found.units == sum(2 if sign in EXTENSION else 1 for sign in text)
    assert plainer(text) == text
    assert saves(text) == 0


@given(st.text(max_size=400))
def test_parts_hold_all_units_and_no_part_is_empty(text: str) -> None:
    found = count(text)
    one, several = (160, 153) if found.encoding == "gsm7" else (70, 67)
    assert found.forcing == () or found.encoding == "ucs2"
    if found.units <= one:
        assert found.parts == (1 if text else 0)
    else:
        assert -(-found.units // several) <= found.parts <= -(-found.units // (several - 1))
        assert 0 <= found.left < several


@given(st.text(max_size=300), st.text(max_size=20))
def test_more_text_never_takes_fewer_parts(text: str, more: str) -> None:
    assert count(text + more).parts >= count(text).parts
