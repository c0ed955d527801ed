"""C6: at most once, never lost, always shown, whatever breaks around the workers.

`make chaos` runs the same with ten thousand messages. A failure prints the seed: replay it with
`python tests/chaos/scenario.py --database … --messages … --seed …`.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos import databases, table

SCENARIO = Path(__file__).with_name("scenario.py")
MESSAGES, SEED = 1000, 20260329


@pytest.mark.chaos
@pytest.mark.parametrize("database", databases.known())
def test_whatever_breaks_each_message_arrives_once_or_is_shown_as_uncertain(database: str) -> None:
    """Workers killed and stopped, servers that lie, a database that goes, time that leaps."""
    command = [SCENARIO, "--database", database, "--messages", MESSAGES, "--seed", SEED]
    done = subprocess.run(
        [sys.executable, *map(str, command), "--seconds", "900", "--json"],
        stdout=subprocess.PIPE,
        timeout=1000,
        check=True,
    )
    report = json.loads(done.stdout)
    assert table.broken(report) == [], table.printed(report)
    happened = set(report["events"])
    assert len(happened) >= 6, "every kind of event took place"
    assert len(report["faults"]) >= 20, "the mail server failed in every part of the conversation"
