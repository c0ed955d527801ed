"""Until when an absence note says that its writer is away (spec mail B2)."""

from datetime import date

import pytest

from relance.formats.absences import absent_until

RECEIVED = date(2026, 11, 24)


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("Je suis absente jusqu’au 4 décembre 2026 inclus.", date(2026, 12, 4)),
        ("Absent jusqu'au vendredi 4 décembre.", date(2026, 12, 4)),
        ("En congés du 23 novembre au 1er décembre, je vous répondrai", date(2026, 12, 1)),
        ("Je serai de retour le lundi 7 décembre 2026.", date(2026, 12, 6)),
        ("de retour au bureau le 07/12/2026", date(2026, 12, 6)),
        ("jusqu’au 03/01 (fermeture annuelle)", date(2027, 1, 3)),
        ("I am out of the office until December 4th, 2026.", date(2026, 12, 4)),
        ("I will be back on Monday 7 December", date(2026, 12, 6)),
        ("Out from 23 November to 4 December. Call Anne.", date(2026, 12, 4)),
        ("until 2026-12-04", date(2026, 12, 4)),
        ("I am currently away returning to the office on December 5th.", date(2026, 12, 4)),
    ],
)
def test_the_last_day_of_absence_is_read(text: str, last: date) -> None:
    assert absent_until(text, RECEIVED) == last


@pytest.mark.parametrize(
    "text",
    [
        "Je suis absent et ne lis pas mes mails.",
        "Votre facture du 12 novembre m’est bien parvenue.",
        "Absent jusqu’au 31 février 2027.",
        "Absent jusqu’au 4 décembre 2035.",
        "J’étais absent jusqu’au 20 novembre 2026.",
        "Back soon! " + "9" * 5000,
    ],
)
def test_a_note_without_a_usable_date_says_nothing(text: str) -> None:
    assert absent_until(text, RECEIVED) is None
