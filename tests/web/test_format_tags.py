"""How figures, dates, levels and states are written on every page."""

import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from django.template import Context, Template
from django.utils.translation import override

from relance.web import french
from relance.web.templatetags.relance import CHANNEL_ICONS, STATUSES

TODAY = date(2026, 11, 24)
WEB = Path(french.__file__).parent


def shown(source: str, **context: object) -> str:
    """The template text with our tags loaded; no-break spaces shown as `~` and `_`."""
    html = Template("{% load relance %}" + source).render(Context({"today": TODAY, **context}))
    return html.replace(french.NBSP, "~").replace(french.NNBSP, "_")


def words(html: str) -> str:
    return re.sub(r"<[^>]+>", "", html)


@pytest.mark.parametrize(
    ("cents", "currency", "text"),
    [
        (123456, "EUR", "1_234,56~€"),
        (0, "EUR", "0,00~€"),
        (5, "EUR", "0,05~€"),
        (-24000, "EUR", "−240,00~€"),
        (1_234_567_890, "EUR", "12_345_678,90~€"),
        (1234, "JPY", "1_234~JPY"),
        (1234567, "TND", "1_234,567~TND"),
        (100, "GBP", "1,00~£"),
        (None, "EUR", "–"),
    ],
)
def test_money_has_french_spaces_and_a_true_minus(
    cents: int | None, currency: str, text: str
) -> None:
    assert shown("{{ cents|money:currency }}", cents=cents, currency=currency) == text


def test_money_in_a_chart_legend_drops_its_cents_by_rounding() -> None:
    assert shown("{{ 12140250|money_whole }}") == "121_403~€"


def test_numbers_percentages_and_days() -> None:
    assert shown("{{ 1284|number }} {{ -3|number }}") == "1_284 −3"
    assert shown("{{ 43|percent }} {{ 4.25|percent:1 }} {{ nothing|percent }}", nothing=None) == (
        "43~% 4,3~% –"
    )
    assert shown("{{ 18|days_late }} {{ 0|days_late }} {{ 0|days }}") == "18~j – 0~j"


def test_zero_is_singular_in_french_and_plural_in_english() -> None:
    tag = '{% counted n "facture" "factures" %}'
    assert [shown(tag, n=n) for n in (0, 1, 2)] == ["0~facture", "1~facture", "2~factures"]
    with override("en"):
        assert shown('{% counted 0 "invoice" "invoices" %}') == "0~invoices"


@pytest.mark.parametrize(
    ("day", "style", "text"),
    [
        (date(2026, 11, 21), "short", "21~nov. 2026"),
        (date(2026, 11, 1), "short", "1er~nov. 2026"),
        (date(2024, 3, 3), "short", "3~mars~2024"),
        (date(2026, 11, 24), "weekday", "mar.~24~nov. 2026"),
        (date(2026, 11, 24), "long", "mardi~24~novembre 2026"),
        (date(2026, 11, 24), "weekday year", "mar.~24~nov.~2026"),
    ],
)
def test_day_and_month_never_separate_and_the_year_is_always_there_for_readers(
    day: date, style: str, text: str
) -> None:
    assert words(shown("{% date_fr day style %}", day=day, style=style)) == text


def test_the_current_year_is_understood_on_screen_and_the_tooltip_has_the_whole_date() -> None:
    html = shown("{% date_fr day %}", day=date(2026, 11, 21))
    assert '<span class="year-unsaid"> 2026</span>' in html
    assert 'datetime="2026-11-21"' in html
    assert 'title="samedi~21~novembre~2026"' in html
    assert "year-unsaid" not in shown("{% date_fr day %}", day=date(2025, 11, 21))


def test_the_er_of_the_first_is_raised_and_other_days_are_not() -> None:
    assert "1<sup>er</sup>~nov." in shown("{% date_fr day %}", day=date(2026, 11, 1))
    assert "<sup>" not in shown("{% date_fr day %}", day=date(2026, 11, 21))


def test_a_moment_is_shown_on_its_day_in_the_current_zone() -> None:
    late = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)
    assert 'datetime="2026-11-21"' in shown("{% date_fr moment %}", moment=late)


def test_today_may_come_from_the_shell_and_no_date_is_a_dash() -> None:
    house = {"today": None, "shell": {"today": TODAY}, "day": date(2026, 1, 2)}
    html = shown("{% date_fr day %}", **house)
    assert words(html) == "2~janv. 2026"
    assert "year-unsaid" in html
    assert shown("{% date_fr nothing %}{% relative_day nothing %}", nothing=None) == "––"


@pytest.mark.parametrize(
    ("day", "since", "event"),
    [
        (date(2026, 11, 24), "ce jour", "ce jour"),
        (date(2026, 11, 23), "hier", "hier"),
        (date(2026, 11, 21), "3~j", "sam."),
        (date(2026, 11, 17), "7~j", "17~nov."),
        (date(2026, 11, 25), "demain", "demain"),
        (date(2026, 11, 27), "dans~3~j", "27~nov."),
    ],
)
def test_the_margin_says_since_when_or_when_it_happened(day: date, since: str, event: str) -> None:
    assert words(shown("{% relative_day day %}", day=day)) == since
    assert words(shown('{% relative_day day "event" %}', day=day)) == event


def test_a_level_shows_its_ladder_then_its_name_and_number() -> None:
    html = shown('{% level 2 "Second rappel" steps=5 %}')
    assert (html.count("ladder-on"), html.count("ladder-off")) == (2, 3)
    assert words(html) == "Second rappel~(2)"
    assert words(shown('{% level 0 "Préavis" %}')) == "Jamais relancée"
    assert words(shown('{% level nothing never="Jamais" %}', nothing=None)) == "Jamais"


def test_a_level_above_the_plan_fills_every_tick() -> None:
    html = shown('{% level 7 "Ancien niveau" steps=3 %}')
    assert (html.count("ladder-on"), html.count("ladder-off")) == (3, 0)


def test_a_state_is_icon_word_and_colour_and_a_pill_only_when_asked() -> None:
    html = shown('{% status "late" "En retard de 18 j" %}')
    assert "status--late" in html
    assert "#clock" in html
    assert words(html) == "En retard de 18 j"
    assert "status--pill" not in html
    assert "status--pill" in shown('{% status "done" pill=True %}')
    assert words(shown('{% status "broken" %}')) == "Promesse rompue"


def test_an_icon_is_hidden_from_readers_unless_it_has_a_name() -> None:
    assert 'aria-hidden="true"' in shown('{% icon "bank" %}')
    named = shown("{% icon 'email' label=label %}", label='"><script>')
    assert 'role="img"' in named
    assert "<script>" not in named


def test_every_icon_that_is_used_stands_in_the_sprite() -> None:
    sprite = (WEB / "static/relance/icons.svg").read_text(encoding="utf-8")
    drawn = set(re.findall(r'<symbol id="([^"]+)"', sprite))
    used = {name for name, _word in STATUSES.values()} | set(CHANNEL_ICONS.values())
    for page in (WEB / "templates").rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        used |= set(re.findall(r"""{% icon ["']([\w-]+)["']""", text))
        used |= set(re.findall(r'icon_name="([\w-]+)"', text))
    assert used <= drawn, f"not in icons.svg: {sorted(used - drawn)}"


def test_the_phone_bar_takes_the_chosen_places_else_the_first_four() -> None:
    tag = "{% phone_places nav as places %}{% for place in places %}{{ place.label }} {% endfor %}"
    five = [{"items": [{"label": n} for n in "abc"]}, {"items": [{"label": n} for n in "de"]}]
    assert shown(tag, nav=five) == "a b c d "
    chosen = [{"items": [{"label": "a"}, {"label": "b", "phone": "B"}]}]
    assert shown(tag, nav=chosen) == "b "


def test_no_page_carries_inline_style_or_script() -> None:
    """The content security policy is `default-src 'self'`: they would be ignored."""
    inline = re.compile(
        r"\sstyle=|\son[a-z]+=[\"']|<style|<script(?![^>]*\ssrc=)|javascript:", re.I
    )
    for page in (WEB / "templates").rglob("*.html"):
        found = inline.search(page.read_text(encoding="utf-8"))
        assert found is None, f"{page.name}: {found.group() if found else ''}"
