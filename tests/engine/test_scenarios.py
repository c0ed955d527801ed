"""The scenarios of the folder ``scenarios``: the worked examples T-… and the clauses that are easy to get wrong."""

from __future__ import annotations

import pytest

from .scenario import Scenario, check, scenarios

ALL = scenarios()


@pytest.mark.parametrize("scenario", ALL, ids=[scenario.title for scenario in ALL])
def test_scenario(scenario: Scenario) -> None:
    """Every action of the period, and every reason of the days asked, are exactly those written."""
    check(scenario)


def test_every_worked_example_has_its_scenario() -> None:
    """Section 9 of the engine rules: no row without a scenario."""
    rows = [15, 16, 17, 19, 20, 21, 22, 23, 24, 25, 30, 31, 33, 34, 43, 44, 10, 11, 45]
    titles = " ".join(scenario.title for scenario in ALL)
    assert [row for row in rows if f"T-{row}" not in titles] == []
