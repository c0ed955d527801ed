"""The colours of the house: readable on every surface, and the same dark however it is chosen."""

import re
from pathlib import Path

import pytest

from relance.web import french

CSS = Path(french.__file__).parent / "static/relance/css"
TOKENS = (CSS / "tokens.css").read_text(encoding="utf-8")
SURFACES = ("canvas", "surface", "sunk", "paper", "selection")


def roles(start: str) -> dict[str, str]:
    """The colours declared in the block that opens after `start`."""
    block = TOKENS[TOKENS.index(start) :].split("}")[0]
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))


LIGHT = roles("\n:root {")
DARK = roles(':root[data-theme="dark"] {')


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("ink", ["text-1", "text-2", "text-3", "accent"])
@pytest.mark.parametrize("ground", SURFACES)
def test_text_is_readable_on_every_surface(theme: dict[str, str], ink: str, ground: str) -> None:
    assert contrast(theme[ink], theme[ground]) >= 4.5


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("state", ["late", "warn", "done", "promise", "accent"])
def test_a_state_is_readable_on_its_tint_and_in_a_line(theme: dict[str, str], state: str) -> None:
    for ground in (f"{state}-tint", "surface", "sunk", "selection"):
        assert contrast(theme[state], theme[ground]) >= 4.5


@pytest.mark.parametrize("theme", [LIGHT, {**LIGHT, **DARK}], ids=["light", "dark"])
def test_the_primary_button_is_readable_and_controls_have_an_edge(theme: dict[str, str]) -> None:
    assert contrast(theme["on-accent"], theme["accent-fill"]) >= 4.5
    assert contrast(theme["on-accent"], theme["accent-fill-hover"]) >= 4.5
    assert contrast(theme["control-edge"], theme["surface"]) >= 3


def test_dark_is_the_same_chosen_by_the_system_or_by_the_person() -> None:
    assert roles(':root:not([data-theme="light"]) {') == DARK


def test_no_component_knows_a_raw_colour() -> None:
    """One custom property per role: white on switches and the margin of the mark are literal."""
    for name in ("base", "layout", "controls", "lists", "components", "drawings"):
        raw = set(re.findall(r"#[0-9a-fA-F]{3,8}\b", (CSS / f"{name}.css").read_text()))
        assert raw <= {"#fff", "#e9a79b"}, f"{name}.css: {sorted(raw)}"


def test_every_colour_that_is_used_is_declared() -> None:
    declared = set(re.findall(r"(--[\w-]+):", TOKENS))
    for sheet in CSS.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        local = set(re.findall(r"(--[\w-]+):", text))
        assert set(re.findall(r"var\((--[\w-]+)\)", text)) <= declared | local, sheet.name
