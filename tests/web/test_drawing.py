"""The server-drawn pictures: where things fall, what is said in words, what is escaped."""

import re
from datetime import date, timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest

from relance.web import styleguide
from relance.web.drawing import (
    AgeBand,
    Bar,
    Line,
    Mark,
    Slip,
    TimeAxis,
    ageing_bar,
    bar_chart,
    fluid_axis,
    sparkline,
    time_axis,
)

START = date(2026, 11, 2)


def labels(svg: str) -> list[tuple[float, float, str]]:
    found = re.findall(r'<text[^>]* x="([\d.-]+)" y="([\d.-]+)"[^>]*>([^<]*)</text>', svg)
    return [(float(x), float(y), words) for x, y, words in found]


@pytest.mark.parametrize("width", [328, 668, 1044])
@pytest.mark.parametrize(
    "axis", [styleguide.plan_axis(), styleguide.days_axis(), styleguide.reason_axis()]
)
def test_every_style_and_width_is_well_formed_and_named(axis: TimeAxis, width: int) -> None:
    root = ElementTree.fromstring(time_axis(axis, width))  # noqa: S314
    assert root.get("role") == "img"
    assert axis.title in (root.findtext("title") or "")
    assert axis.description in (root.findtext("desc") or "")
    _x, _y, box_width, height = (float(part) for part in (root.get("viewBox") or "").split())
    assert box_width == width
    assert all(0 <= y <= height for _x, y, _words in labels(time_axis(axis, width)))


def test_a_day_stands_in_the_middle_of_its_slot() -> None:
    axis = TimeAxis(START, START + timedelta(9), "t", marks=(Mark(START, "auto"),))
    assert 'cx="10" cy=' in time_axis(axis, 200)


def test_marks_and_lines_outside_the_period_are_not_drawn() -> None:
    outside = START - timedelta(3)
    axis = TimeAxis(
        START,
        START + timedelta(9),
        "t",
        marks=(Mark(outside, "auto", "x"),),
        lines=(Line(outside),),
    )
    svg = time_axis(axis)
    assert "dw-auto" not in svg
    assert "dw-ink" not in svg


def test_labels_that_would_touch_stand_on_different_heights() -> None:
    marks = tuple(
        Mark(START + timedelta(n), "auto", f"Dernier rappel ({n})") for n in (0, 2, 4, 40)
    )
    axis = TimeAxis(START, START + timedelta(59), "t", marks=marks)
    heights = {words: y for _x, y, words in labels(time_axis(axis)) if words.startswith("Dernier")}
    near = [heights[f"Dernier rappel ({n})"] for n in (0, 2, 4)]
    assert len(set(near)) == 3
    assert heights["Dernier rappel (40)"] == max(near)


def test_neighbouring_rest_days_are_one_shade() -> None:
    weekend = frozenset({date(2026, 11, 7), date(2026, 11, 8), date(2026, 11, 11)})
    svg = time_axis(TimeAxis(START, START + timedelta(13), "t", rest_days=weekend), 280)
    assert re.findall(r'class="dw-rest" x="(\d+)" y="[^"]+" width="(\d+)"', svg) == [
        ("100", "40"),
        ("180", "20"),
    ]


def test_a_slip_shows_where_the_step_wanted_to_be_and_its_new_day() -> None:
    slip = Slip(START + timedelta(2), START + timedelta(4), "J+10 → J+12", "3")
    svg = time_axis(TimeAxis(START, START + timedelta(9), "t", style="plan", slips=(slip,)), 1000)
    assert "dw-slip" in svg
    assert "dw-arrow" in svg
    assert "J+10 → J+12" in svg


def test_what_a_user_wrote_is_escaped() -> None:
    mark = Mark(START, "auto", "<b>&", "<i>", "1")
    svg = time_axis(
        TimeAxis(START, START + timedelta(30), "<u>", style="plan", marks=(mark,)), 1000
    )
    assert "<b>" not in svg
    assert "<i>" not in svg
    assert "&lt;b&gt;&amp;" in svg
    assert "<u>" not in svg


def test_a_year_is_written_only_where_it_changes() -> None:
    axis = TimeAxis(date(2026, 12, 1), date(2027, 2, 28), "t")
    months = [words for _x, _y, words in labels(time_axis(axis)) if not words.isdigit()]
    assert months == ["décembre", "janvier\u00a02027", "février\u00a02027"]


def test_the_ageing_bar_gives_every_band_its_label_and_amount() -> None:
    bands = [AgeBand("Non échu", 100), AgeBand("1 à 30 j", 0), AgeBand("31 à 60 j", 99_999_900)]
    html = ageing_bar(bands, "Âge des créances")
    assert html.count('height="14"></rect>') == 2
    assert all(band.label in html for band in bands)
    smallest = float(re.findall(r'width="([\d.]+)" height="14"', html)[0])
    assert smallest >= 2.9


def test_an_empty_ledger_draws_an_empty_bar_and_an_empty_line() -> None:
    assert "<rect class" not in ageing_bar([], "Âge").split("</svg>")[0]
    assert "spark-line" not in sparkline([], "DSO")


def test_the_last_value_of_a_line_is_dotted_and_a_flat_line_is_level() -> None:
    flat = sparkline([47, 47, 47], "DSO")
    assert 'cx="126" cy="20"' in flat
    falling = sparkline([58, 47], "DSO")
    assert 'd="M4 8L126 32"' in falling


def test_columns_reach_up_to_a_round_number() -> None:
    svg = bar_chart([Bar("nov.", 188, over=34)], "Messages")
    assert ">200</text>" in svg
    assert "bar-part--over" in svg


def test_a_fluid_picture_exists_once_for_each_width_that_the_style_sheet_knows() -> None:
    axis = styleguide.days_axis()
    html = fluid_axis(axis)
    css = (Path(styleguide.__file__).parent / "static/relance/css/drawings.css").read_text()
    for width in (328, 668, 1044, 1640):
        assert f'drawing-at--{width}"><svg viewBox="0 0 {width} ' in html
        assert f".drawing-at--{width} {{ display: block; }}" in css
    ids = re.findall(r'id="(hatch-\w+)"', html)
    assert len(ids) == len(set(ids)) == 4
