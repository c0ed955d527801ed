"""A line of values without axis, for a trend read at a glance beside its figure."""

from collections.abc import Sequence

from django.utils.safestring import SafeString

from relance.web.drawing.svg import join, number, picture, tag

_WIDTH, _HEIGHT, _PAD = 130.0, 40.0, 4.0


def sparkline(values: Sequence[float], title: str, description: str = "") -> SafeString:
    """The values (oldest first) as a line, the last one dotted, over a dotted mean.

    `description` is what the line says in words ("58 j en décembre, 47 j en novembre").
    """
    if not values:
        return picture(_WIDTH, _HEIGHT, "", title, description)
    low, high = min(values), max(values)
    spread = (high - low) or 1.0
    step = (_WIDTH - 2 * _PAD) / max(len(values) - 1, 1)

    def height(value: float) -> float:
        share = 0.5 if high == low else (high - value) / spread
        return 8 + share * (_HEIGHT - 16)

    points = [(_PAD + i * step, height(value)) for i, value in enumerate(values)]
    mean = height(sum(values) / len(values))
    line = "M" + "L".join(f"{number(x)} {number(y)}" for x, y in points)
    return picture(
        _WIDTH,
        _HEIGHT,
        join(
            [
                tag("path", cls="spark-base", d=f"M0 {number(mean)}H{number(_WIDTH)}"),
                tag("path", cls="spark-line", d=line),
                tag("circle", cls="spark-dot", cx=points[-1][0], cy=points[-1][1], r=2.6),
            ]
        ),
        title,
        description,
    )
