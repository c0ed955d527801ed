"""NF Z 10-011: what an envelope bears fits, whatever was typed, and nothing is lost on the way."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance.formats.postal_address import MOST_LINES, WIDTH, format_address

WORDS = ["Société", "Pharmacie", "du", "Léon", "Établissements", "Kerdoncuff", "et", "Fils", "Sàrl"]
names = st.lists(st.sampled_from(WORDS), min_size=1, max_size=12).map(" ".join)
EXTRA = ["Bâtiment C", "BP 123", "125 bis, avenue du Maréchal-Foch", "ZI Nord"]
streets = st.lists(st.sampled_from(EXTRA), max_size=2, unique=True).map(
    lambda lines: "\n".join(["12 rue de l’Église", *lines])
)
towns = st.sampled_from(["Quimper", "Saint-Étienne", "Évry Cedex 09", "L’Haÿ-les-Roses"])


def test_a_french_address_keeps_its_names_and_shouts_its_last_lines() -> None:
    """C1: lines 4 to 6 in capitals, without accents or punctuation."""
    made = format_address(
        "Pharmacie de l’Odéon",
        attention="Mme Hélène Bréhier",
        address="Bâtiment C, 2e étage\n12 bis, rue de l’Église\nBP 40",
        postcode="42 000",
        city="Saint-Étienne Cedex 2",
    )

    assert (
        made.lines
        == (
            "Pharmacie de l’Odéon",
            "Mme Hélène Bréhier",
            "Bâtiment C, 2e étage",
            "12 BIS RUE DE L EGLISE",
            "BP 40",
            "42 000 SAINT ETIENNE CEDEX 2",
        )
        or made.lines[-1] == "42000 SAINT ETIENNE CEDEX 2"
    )
    assert made.faults == ()


@pytest.mark.parametrize(
    ("street", "printed"),
    [
        ("12 avenue des Lilas", ["12 AVENUE DES LILAS"]),
        (
            "125 avenue du Maréchal de Lattre de Tassigny",
            ["125 AV DU MAL DE LATTRE DE TASSIGNY"],
        ),
        ("1250 boulevard Georges Clemenceau d’Orves", ["1250 BD GEORGES CLEMENCEAU D ORVES"]),
        (
            "1250 boulevard du Général Jean-Baptiste Kléber-Montplaisant",
            ["1250 BD DU GAL JEAN BAPTISTE KLEBER", "MONTPLAISANT"],
        ),
    ],
)
def test_words_are_abbreviated_only_where_the_line_is_too_long(
    street: str, printed: list[str]
) -> None:
    made = format_address("Delmas", address=street, postcode="29000", city="Quimper")

    assert list(made.lines[1:-1]) == printed
    assert not made.faults


def test_a_name_is_abbreviated_only_where_that_saves_a_line() -> None:
    place = {"address": "1 rue", "postcode": "29000", "city": "Quimper"}
    short = format_address("Établissements Le Bihan et Associés Frères", **place)
    long = format_address("Établissements Le Bihan et Associés de la Cornouaille", **place)

    assert short.lines[0] == "ETS Le Bihan et Associés Frères"
    assert long.lines[:2] == ("Établissements Le Bihan et Associés de", "la Cornouaille")


@pytest.mark.parametrize(
    ("country", "city", "last"),
    [
        ("BE", "Bruxelles", ["1000 BRUXELLES", "BELGIQUE"]),
        ("PT", "1000-001 Lisboa", ["1000 1000-001 LISBOA", "PORTUGAL"]),
        ("GB", "London", ["1000 LONDON", "ROYAUME-UNI"]),
        ("RE", "Saint-Denis", ["97400 SAINT DENIS"]),
    ],
)
def test_a_foreign_country_is_the_last_line_and_its_address_stays_its_own(
    country: str, city: str, last: list[str]
) -> None:
    made = format_address(
        "Delmas",
        address="Straße des 17. Juni 12",
        postcode="97400" if country == "RE" else "1000",
        city=city,
        country=country,
    )

    assert list(made.lines[-len(last) :]) == last
    assert made.lines[1] == (
        "STRASSE DES 17 JUNI 12" if country == "RE" else "Straße des 17. Juni 12"
    )


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"name": " "}, "NO_NAME"),
        ({"address": ""}, "NO_STREET"),
        ({"city": ""}, "NO_TOWN"),
        ({"postcode": ""}, "NO_POSTCODE"),
        ({"postcode": "2900"}, "BAD_POSTCODE"),
        ({"country": "QQ"}, "UNKNOWN_COUNTRY"),
        ({"name": "x" * 39}, "TOO_LONG"),
        ({"address": "\n".join(f"{n} rue" for n in range(6))}, "TOO_MANY_LINES"),
    ],
)
def test_what_cannot_be_printed_is_a_fault_with_its_french_sentence(
    fields: dict[str, str], code: str
) -> None:
    sound = {"name": "Delmas", "address": "1 rue", "postcode": "29000", "city": "Quimper"}
    made = format_address(**(sound | fields))  # type: ignore[arg-type]

    assert [fault.code for fault in made.faults] == [code]
    assert re.fullmatch(r"[A-ZU]\S.*\.", made.faults[0].sentence())
    assert "{" not in made.faults[0].sentence()


@given(names, names, streets, towns)
def test_an_address_without_fault_fits_its_window(
    name: str, attention: str, street: str, town: str
) -> None:
    made = format_address(name, attention=attention, address=street, postcode="29000", city=town)

    assert made.faults or len(made.lines) <= MOST_LINES
    assert all(0 < len(line) <= WIDTH and line == line.strip() for line in made.lines)
    assert re.fullmatch(r"[0-9A-Z ]+", made.lines[-1])


@given(names, streets, towns)
def test_an_address_that_fits_is_left_as_it_is(name: str, street: str, town: str) -> None:
    once = format_address(name, address=street, postcode="29000", city=town).lines
    again = format_address(once[0], address="\n".join(once[1:])).lines

    assert again == once


@given(
    st.text(max_size=120),
    st.text(max_size=200),
    st.text(max_size=60),
    st.sampled_from(["FR", "DE"]),
)
def test_whatever_is_typed_nothing_is_cut_off(
    name: str, address: str, city: str, country: str
) -> None:
    made = format_address(name, address=address, postcode="29000", city=city, country=country)

    if not made.faults:
        assert all(0 < len(line) <= WIDTH for line in made.lines)
        assert len(made.lines) <= MOST_LINES + (country != "FR")
    assert all(line.isprintable() for line in made.lines)
    letters = [char for char in unicodedata.normalize("NFC", name) if char.isalpha()]
    assert "".join(letters) in "".join(c for line in made.lines for c in line if c.isalpha()) or (
        len(name) > WIDTH  # "Société" may have become "STE"
    )
