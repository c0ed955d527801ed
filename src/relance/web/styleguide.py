"""Invented sample data for the style guide page; nothing else uses it."""

import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from relance.web import french
from relance.web.drawing import (
    AgeBand,
    Bar,
    Guard,
    Line,
    Mark,
    Slip,
    TimeAxis,
    ageing_bar,
    bar_chart,
    fluid_axis,
    legend,
    sparkline,
    time_axis,
)
from relance.web.templatetags.relance import STATUSES

TODAY = date(2026, 11, 24)


def _weekends(start: date, days: int) -> frozenset[date]:
    every = (start + timedelta(n) for n in range(days))
    return frozenset(day for day in every if day.weekday() >= 5)


def plan_axis() -> TimeAxis:
    """Five steps around a due date; the third wanted a day that the guard band forbids."""
    start = date(2026, 11, 14)
    marks = (
        Mark(date(2026, 11, 17), "auto", "Préavis (1)", "J−3, mar. 17 nov.", "1", "email"),
        Mark(date(2026, 11, 27), "auto", "Second rappel (2)", "J+7, ven. 27 nov.", "2", "email"),
        Mark(date(2026, 12, 2), "auto", "Dernier rappel (3)", "J+12, mer. 2 déc.", "3", "email"),
        Mark(date(2026, 12, 10), "manual", "Appel (4)", "J+20, jeu. 10 déc.", "4", "phone"),
        Mark(
            date(2026, 12, 18), "manual", "Mise en demeure (5)", "J+28, ven. 18 déc.", "5", "letter"
        ),
    )
    labels = {3: "DMC, 5 j", 4: "DMC, 5 j"}
    return TimeAxis(
        start=start,
        end=start + timedelta(39),
        title="Plan Standard autour d’une échéance au 20 novembre",
        description="Le Dernier rappel (3) voulait J+10 et part à J+12, après le délai minimum.",
        style="plan",
        marks=marks,
        guards=tuple(Guard(m.day, 5, labels.get(n, "")) for n, m in enumerate(marks, 1)),
        slips=(Slip(date(2026, 11, 30), date(2026, 12, 2), "J+10 → J+12", "3"),),
        lines=(Line(date(2026, 11, 20), "Échéance", "ven. 20 nov."),),
        rest_days=_weekends(start, 40),
    )


def days_axis() -> TimeAxis:
    """The sixty days after today, to the end of the plan."""
    marks = (
        Mark(date(2026, 11, 25), "auto", "Dernier rappel (3)"),
        Mark(date(2026, 12, 3), "manual", "Appel (4)"),
        Mark(date(2026, 12, 11), "manual", "Mise en demeure (5)"),
    )
    return TimeAxis(
        start=TODAY,
        end=TODAY + timedelta(59),
        title="Les 60 prochains jours",
        description="Dernier rappel (3) le 25 novembre, Appel (4) le 3 décembre, puis la fin.",
        marks=marks,
        guards=tuple(Guard(mark.day, 5) for mark in marks),
        lines=(Line(TODAY),),
        rest_days=_weekends(TODAY, 60),
        dotted_from=date(2026, 12, 17),
        end_note="Fin du plan, une action vous sera proposée",
    )


def reason_axis() -> TimeAxis:
    """Why nothing left today: last contact, guard band, trigger, departure."""
    return TimeAxis(
        start=date(2026, 11, 18),
        end=date(2026, 11, 27),
        title="Pourquoi rien n’est parti le 24 novembre",
        description="Contact le 20, délai de cinq jours, départ le 25.",
        style="reason",
        marks=(
            Mark(date(2026, 11, 20), "contact", "contact"),
            Mark(date(2026, 11, 23), "wanted", "J+10"),
            Mark(date(2026, 11, 25), "auto", "départ"),
        ),
        guards=(Guard(date(2026, 11, 20), 5),),
        lines=(Line(TODAY, "ce jour"),),
        rest_days=_weekends(date(2026, 11, 18), 10),
    )


def _icons() -> list[str]:
    """Every icon of the sprite, by name."""
    sprite = Path(__file__).parent / "static/relance/icons.svg"
    found: list[str] = re.findall(r'<symbol id="([^"]+)" viewBox="0 0 16 16"', sprite.read_text())
    return found


def _ageing() -> list[AgeBand]:
    amounts = (12140200, 4691600, 2230600, 1184200, 1191100)
    names = ("Non échu", "1 à 30 j", "31 à 60 j", "61 à 90 j", "plus de 90 j")
    return [AgeBand(name, cents) for name, cents in zip(names, amounts, strict=True)]


def _replay() -> list[Bar]:
    ends = [date(2025, 12, 1)] + [date(2026, month, 1) for month in range(1, 12)]
    months = [french.month_name(day, short=True) for day in ends]
    counts = (148, 138, 170, 162, 155, 168, 148, 112, 158, 182, 188, 172)
    late = (26, 22, 28, 26, 25, 28, 24, 20, 25, 32, 34, 29)
    return [Bar(*row) for row in zip(months, counts, late, strict=True)]


def _plan_steps() -> list[dict[str, Any]]:
    rows = (
        (1, "Préavis", "email", 742, "131, 18 %", "–"),
        (2, "Second rappel", "email", 611, "293, 48 %", "12"),
        (3, "Dernier rappel", "email", 318, "171, 54 %", "318"),
        (4, "Appel", "call", 147, "60, 41 %", "9"),
        (5, "Mise en demeure", "letter", 87, "–", "4"),
    )
    keys = ("n", "name", "channel", "messages", "paid", "late")
    return [dict(zip(keys, row, strict=True)) for row in rows]


def samples() -> dict[str, Any]:
    """The context of `styleguide.html`."""
    reason, days, plan = reason_axis(), days_axis(), plan_axis()
    dso = (58, 57, 59, 58, 55, 55, 54, 51, 50, 51, 48, 47)
    return {
        "today": TODAY,
        "other_year": date(2025, 10, 1),
        "first_of_month": date(2026, 11, 1),
        "yesterday": TODAY - timedelta(1),
        "last_friday": date(2026, 11, 20),
        "plan_axis": fluid_axis(plan),
        "days_axis": fluid_axis(days),
        "reason_axis": time_axis(reason, 335),
        "axis_legend": legend(
            [("auto", "automatique"), ("manual", "à faire par vous"), ("guard", "délai minimum")]
        ),
        "plan_legend": legend(
            [
                ("auto", "automatique"),
                ("manual", "à la main"),
                ("guard", "DMC : aucun message pendant 5 jours"),
                ("rest", "week-end"),
            ]
        ),
        "ageing": ageing_bar(_ageing(), "Âge des créances"),
        "dso": sparkline(dso, "DSO sur 12 mois", "58 j en décembre, 47 j en novembre"),
        "replay": bar_chart(_replay(), "Messages rejoués, par mois"),
        "plan_steps": _plan_steps(),
        "icons": _icons(),
        "statuses": list(STATUSES),
        "steps": ["Préavis", "Second rappel", "Dernier rappel", "Appel", "Mise en demeure"],
    }
