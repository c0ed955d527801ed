"""relance bench: speed and memory of the main job, beside references of the same run."""

import json
import os
import platform
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from relance.ops.bench import stage
from relance.ops.bench.figures import (
    HEADER,
    ON_A_DATABASE,
    QUICK,
    TOPICS,
    Figure,
    Sizes,
    engine,
    line,
)

Place = Callable[[], AbstractContextManager[stage.Stage]]


class Command(BaseCommand):
    help = (
        "Measure the engine, the daily pass, the import, the mails and the pages on scratch "
        "databases: on SQLite, and on PostgreSQL when a server is named. Nothing of yours is "
        "touched."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--customers", type=int, metavar="N", help="5 invoices each; 200000")
        parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
        parser.add_argument("--only", nargs="+", choices=TOPICS, default=list(TOPICS))
        parser.add_argument(
            "--database",
            metavar="URL",
            default=os.environ.get("RELANCE_TEST_DATABASE_URL", ""),
            help="a PostgreSQL server; default: RELANCE_TEST_DATABASE_URL",
        )
        parser.add_argument("--quick", action="store_true", help="small numbers, to try it out")

    def handle(self, *args: Any, **options: Any) -> None:
        sizes = QUICK if options["quick"] else Sizes()
        if options["customers"]:
            sizes = sizes._replace(customers=options["customers"])
        self.stdout.write(HEADER)
        figures = []
        for figure in self._figures(sizes, options["only"], options["database"]):
            figures.append(figure)
            self.stdout.write(line(figure))
            self.stdout.flush()
        if options["json"]:
            found = {
                "machine": _machine(),
                "sizes": sizes._asdict(),
                "figures": [figure.as_json() for figure in figures],
            }
            options["json"].write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")

    def _figures(self, sizes: Sizes, topics: list[str], url: str) -> Iterator[Figure]:
        if "engine" in topics:
            yield from engine(sizes)
        places: list[Place] = [stage.sqlite]
        if url:
            places.append(partial(stage.postgresql, url))
        for place in places:
            for topic, measure in ON_A_DATABASE.items():
                if topic in topics:
                    with place() as scratch:
                        yield from measure(scratch, sizes)


def _machine() -> dict[str, Any]:
    return {
        "cores": len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count(),
        "load_before": os.getloadavg()[0],
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "system": platform.platform(),
    }
