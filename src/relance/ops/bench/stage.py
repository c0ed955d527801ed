"""Scratch databases, the processes of a bench, and their memory."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

LOOK_EVERY = 0.02  # seconds between two looks at the memory
Found = dict[str, Any]


@dataclass(frozen=True)
class Stage:
    """A scratch database of one vendor, and the environment that leads processes to it."""

    vendor: str
    environment: dict[str, str]

    def run(self, part: str, **options: object) -> Found:
        """Run one part in a process of its own; what it found, with `peak_mb` of its tree."""
        return run_part(part, options, self.environment)


@contextmanager
def sqlite() -> Iterator[Stage]:
    """A data directory with an SQLite file, removed at the end."""
    with _folder() as folder:
        yield Stage("sqlite", {"RELANCE_DATA_DIR": str(folder), "RELANCE_DATABASE_URL": ""})


@contextmanager
def postgresql(url: str) -> Iterator[Stage]:
    """A database of its own in the server of `url`, dropped at the end."""
    name = f"relance_bench_{os.getpid()}"
    with _folder() as folder:
        _create(url, name)
        try:
            own = urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
            yield Stage(
                "postgresql", {"RELANCE_DATA_DIR": str(folder), "RELANCE_DATABASE_URL": own}
            )
        finally:
            with psycopg.connect(url, autocommit=True) as server:
                server.execute(
                    sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
                )


def _create(url: str, name: str) -> None:
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=f"relance-bench-{os.getpid()}-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def smtp_sink() -> Iterator[dict[str, str]]:
    """A local SMTP server in a process of its own; the environment that leads to it."""
    with _folder() as folder:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "relance.ops.bench.sink", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            port = process.stdout.readline().strip() if process.stdout else ""
            yield {"RELANCE_SMTP_HOST": "127.0.0.1", "RELANCE_SMTP_PORT": port}
        finally:
            process.communicate()  # its input ends: so does it


def run_part(part: str, options: Found, environment: dict[str, str]) -> Found:
    """Start `parts` in a process; raises CalledProcessError with what it said when it breaks."""
    command = [sys.executable, "-m", "relance.ops.bench.parts", part, json.dumps(options)]
    process = subprocess.Popen(  # noqa: S603
        command,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "relance.conf.settings",
            **environment,
        },
        stdout=subprocess.PIPE,
        text=True,
    )
    watch = _Watch(process.pid)
    watch.start()
    said, _errors = process.communicate()
    watch.ended.set()
    watch.join()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, said)
    found: Found = json.loads(said.splitlines()[-1])
    return {**found, "peak_mb": watch.peak_mb}


class _Watch(threading.Thread):
    """The sum of the highest memory (VmHWM) of a process and of all its descendants.

    Their peaks need not come at the same moment, so the sum errs on the high side.
    """

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self.root, self.ended = root, threading.Event()
        self.peaks: dict[int, int] = {}

    @property
    def peak_mb(self) -> float:
        """Megabytes; 0 where there is no /proc."""
        return round(sum(self.peaks.values()) / 1024, 1)

    def run(self) -> None:
        while not self.ended.wait(LOOK_EVERY):
            for pid in [self.root, *_descendants(self.root)]:
                self.peaks[pid] = max(self.peaks.get(pid, 0), _highest(pid))


def _descendants(pid: int) -> Iterator[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(one) for task in tasks for one in (task / "children").read_text().split()]
    except OSError:
        return
    for child in children:
        yield child
        yield from _descendants(child)


def _highest(pid: int) -> int:
    """Kilobytes."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return 0
