"""`relance bench` measures each part of the main job beside its reference."""

import json
import os
import tempfile
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from relance.ops.bench.banking import PAGES as BANK_PAGES
from relance.ops.bench.figures import Figure
from relance.ops.bench.pages import PAGES

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One quick run of the whole, on every database that is reachable."""
    file = tmp_path_factory.mktemp("bench") / "bench.json"
    out = StringIO()
    call_command("bench", quick=True, json=file, stdout=out)
    found: dict[str, Any] = json.loads(file.read_text())
    found["table"] = out.getvalue()
    return found


def figures(report: dict[str, Any], database: str) -> dict[str, dict[str, Any]]:
    """The figures of one database by the first words of their names."""
    return {
        figure["name"].partition(",")[0]: figure
        for figure in report["figures"]
        if figure["database"] == database
    }


def test_each_part_of_the_main_job_has_a_figure(report: dict[str, Any]) -> None:
    everywhere = {"first pass", "daily pass", "second pass", "import", "mails", "letters"}
    everywhere |= {name.partition(",")[0] for name, _address in [*PAGES, *BANK_PAGES]}
    everywhere |= {"statement"}
    databases = ["sqlite"]
    if os.environ.get("RELANCE_TEST_DATABASE_URL"):
        databases.append("postgresql")
    assert set(figures(report, "")) == {"engine"}
    for database in databases:
        assert set(figures(report, database)) == everywhere
    assert {figure["database"] for figure in report["figures"]} == {"", *databases}
    assert all(figure["ours"] > 0 for figure in report["figures"])


def test_the_reference_of_the_same_run_stands_beside_it(report: dict[str, Any]) -> None:
    found = figures(report, "sqlite")
    for name in ("daily pass", "second pass", "import", "mails"):
        figure = found[name]
        assert figure["ratio"] == round(figure["ours"] / figure["reference"], 3)
    assert found["daily pass"]["target"] == found["second pass"]["target"] == 2.5
    assert found["mails"]["target"] == 0.8


def test_the_pass_measured_is_an_ordinary_day(report: dict[str, Any]) -> None:
    """Some customers act, most do not; every level is computed; then nothing is left to do."""
    customers = report["sizes"]["customers"]
    found = figures(report, "sqlite")
    [day] = found["daily pass"]["details"]["runs"]
    assert 0 < day["queued"] <= customers * 0.06
    assert [one["rows"] for one in found["daily pass"]["details"]["references"]] == [customers]
    [again] = found["second pass"]["details"]["runs"]
    assert (again["customers"], again["queued"], again["opened"]) == (customers, 0, 0)


def test_memory_is_that_of_the_measured_process(report: dict[str, Any]) -> None:
    lowest = 10 if Path("/proc/self/status").exists() else 0  # where the system does not tell
    assert all(lowest <= figure["peak_mb"] < 250 for figure in report["figures"])


def test_the_table_has_a_line_for_each_figure(report: dict[str, Any]) -> None:
    lines = report["table"].splitlines()
    assert len(lines) == 1 + len(report["figures"])
    assert "decisions/s" in lines[1]
    assert "≤ 2.5" in report["table"]
    assert "≥ 0.8" in report["table"]


def test_nothing_is_left_behind(report: dict[str, Any]) -> None:
    assert not list(Path(tempfile.gettempdir()).glob(f"relance-bench-{os.getpid()}-*"))


def test_a_target_is_a_ceiling_for_seconds_and_a_floor_for_rates() -> None:
    assert Figure("pass", "sqlite", "s", 2.0, 1.0, 2.5).reached is True
    assert Figure("pass", "sqlite", "s", 3.0, 1.0, 2.5).reached is False
    assert Figure("mails", "sqlite", "mails/s", 90.0, 100.0, 0.8).reached is True
    assert Figure("mails", "sqlite", "mails/s", 70.0, 100.0, 0.8).reached is False
    assert Figure("engine", "", "decisions/s", 1.0).reached is None


def test_every_busy_page_is_measured_beside_a_bare_query(report: dict[str, Any]) -> None:
    """p95 of the server's milliseconds against its ceiling, and p50 in the table."""
    pages = [
        one
        for one in report["figures"]
        if one["unit"] == "ms" and not one["name"].startswith("banque")
    ]
    assert {one["name"] for one in pages if one["database"] == "sqlite"} == {n for n, _a in PAGES}
    for one in pages:
        assert one["reference"] > 0
        assert 0 < one["details"]["p50"] <= one["details"]["p95"] == one["ours"]
        assert one["reached"] is (one["ours"] <= 100)
    assert "tableau de bord, par client" in report["table"]


def test_a_new_statement_and_the_pages_of_banque_are_measured(report: dict[str, Any]) -> None:
    """The statement within its ceiling, though small here; every page with p50 and p95."""
    own = [one for one in report["figures"] if one["database"] == "sqlite"]
    banque = {one["name"] for one in own if one["name"].startswith("banque")}
    assert banque == {name for name, _address in BANK_PAGES}
    [statement] = [one for one in own if one["name"].startswith("statement")]
    assert statement["ceiling"] == 5
    assert statement["details"]["report"]["automatic"] > 0
