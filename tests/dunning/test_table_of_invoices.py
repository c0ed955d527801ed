"""The table of invoices of a mail, as a phone shows it."""

from datetime import date

import pytest

from relance.dunning.wording import sheet
from relance.engine import model as engine

DAY = date(2026, 11, 2)


@pytest.mark.parametrize(
    ("number", "whole"), [("F-2026-0257", True), ("FA-2026-11-00257-AVENANT-BIS", False)]
)
def test_a_usual_number_is_not_broken_at_its_hyphens_a_long_one_may_be(
    number: str, whole: bool
) -> None:
    invoice = engine.Invoice(1, number, DAY, DAY, 123_45, 123_45)
    _text, html = sheet.table([invoice], 123_45)
    cell = html[: html.index(number)].rsplit("<td", 1)[1]
    assert ("white-space:nowrap" in cell) is whole
