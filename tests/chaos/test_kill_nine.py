"""A8: at most once, never lost, whatever is killed when."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from relance.ops import worker

SCENARIO = Path(__file__).with_name("kill_nine.py")
MAILS, KILLS = 1000, 50
LANES_KILLED_AT_ONCE = worker.LANES


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of its own; PostgreSQL is where RELANCE_TEST_DATABASE_URL says."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'outbox.sqlite3'}"
        return
    server = urlsplit(os.environ["RELANCE_TEST_DATABASE_URL"])
    name = f"relance_chaos_{os.getpid()}"
    with psycopg.connect(urlunsplit(server), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        yield urlunsplit(server._replace(path=f"/{name}"))
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """PostgreSQL takes part when there is one; nothing is skipped."""
    known = ["sqlite"]
    if os.environ.get("RELANCE_TEST_DATABASE_URL"):
        known.append("postgresql")
    metafunc.parametrize("database_url", known, indirect=True)


@pytest.mark.chaos
def test_fifty_kills_while_a_thousand_mails_leave(database_url: str, tmp_path: Path) -> None:
    """Every mail arrives exactly once, or is listed as uncertain and arrived at most once."""
    done = subprocess.run(
        [sys.executable, SCENARIO, tmp_path, str(MAILS), str(KILLS), "20260302"],
        env={
            **os.environ,
            "RELANCE_DATA_DIR": str(tmp_path),
            "RELANCE_DATABASE_URL": database_url,
        },
        stdout=subprocess.PIPE,
        timeout=180,
        check=True,
    )
    report = json.loads(done.stdout)
    assert report["arrived_twice"] == []
    assert report["sent_but_not_arrived"] == []
    assert report["arrived_but_not_known"] == []
    assert set(report["statuses"]) <= {"sent", "uncertain"}
    assert sum(report["statuses"].values()) == MAILS
    assert report["statuses"].get("uncertain", 0) <= KILLS * LANES_KILLED_AT_ONCE
    assert report["journal_matches"], "each mail that left has one line in the journal"
    assert report["journal_broken_at"] is None
    assert report["exit_codes"] == [0, 0], "workers told to stop end by themselves"
