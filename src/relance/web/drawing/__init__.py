"""Pictures drawn on the server: plain dataclasses in, SVG markup out.

Pure: no clock, no database. Sizes are in CSS pixels of the view box, days are local dates,
money is in cents. Colours are CSS classes (drawings.css), so that dark mode needs nothing.
"""

from relance.web.drawing.ageing import AgeBand, ageing_bar
from relance.web.drawing.bars import Bar, bar_chart
from relance.web.drawing.sparkline import sparkline
from relance.web.drawing.svg import fluid, responsive
from relance.web.drawing.timeline import (
    Guard,
    Line,
    Mark,
    Slip,
    TimeAxis,
    fluid_axis,
    legend,
    time_axis,
)

__all__ = [
    "AgeBand",
    "Bar",
    "Guard",
    "Line",
    "Mark",
    "Slip",
    "TimeAxis",
    "ageing_bar",
    "bar_chart",
    "fluid",
    "fluid_axis",
    "legend",
    "responsive",
    "sparkline",
    "time_axis",
]
