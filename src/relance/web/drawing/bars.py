"""Columns over a short row of periods: messages by month, and the part of them that slipped."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString

from relance.web import french
from relance.web.drawing.svg import join, picture, tag, text


@dataclass(frozen=True)
class Bar:
    """One period: label under it, a count, how many of those stand out, chosen or not."""

    label: str
    count: int
    over: int = 0
    chosen: bool = False


def _rounded(maximum: int) -> int:
    """The first round number not under `maximum`: 1, 2 or 5 times a power of ten."""
    power = 1
    while True:
        for factor in (1, 2, 5):
            if factor * power >= maximum:
                return factor * power
        power *= 10


def bar_chart(
    bars: Sequence[Bar], title: str, width: float = 312, height: float = 136, numbers: bool = False
) -> SafeString:
    """Columns from zero to a round number; `numbers` writes each count above its column."""
    top = _rounded(max((bar.count for bar in bars), default=1) or 1)
    base, ceiling = height - 22.0, 18.0
    slot = width / max(len(bars), 1)
    thick = min(13.0, slot * 0.55)
    drawn = [
        tag("path", cls="bar-grid", d=f"M0 {y}H{width}")
        for y in (ceiling, (ceiling + base) / 2, base)
    ]
    if not numbers:
        drawn.append(text(width, ceiling - 4, french.number(top), "faint tiny", "end"))
    for index, bar in enumerate(bars):
        centre = (index + 0.5) * slot
        size, over = ((base - ceiling) * n / top for n in (bar.count, bar.over))
        kind = "chosen" if bar.chosen else "base"
        box = {"x": centre - thick / 2, "width": thick}
        drawn.append(tag("rect", cls=f"bar-part--{kind}", y=base - size, height=size, **box))
        if bar.over:
            drawn.append(tag("rect", cls="bar-part--over", y=base - size, height=over, rx=1, **box))
        if numbers and bar.count:
            drawn.append(text(centre, base - size - 4, french.number(bar.count), "tiny", "middle"))
        weight = "tiny strong" if bar.chosen else "tiny soft"
        drawn.append(text(centre, height - 6, bar.label, weight, "middle"))
    told = ", ".join(f"{bar.label} {bar.count}" for bar in bars)
    return picture(width, height, join(drawn), title, told)
