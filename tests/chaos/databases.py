"""The two databases of the scenario, and what may happen to each while workers use it."""

import os
import resource
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit

import psycopg

FULL_TRIGGER = """
CREATE TABLE chaos_full (id int);
CREATE FUNCTION chaos_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM chaos_full) THEN
        RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER chaos_message BEFORE INSERT OR UPDATE ON outbox_message
    FOR EACH STATEMENT EXECUTE FUNCTION chaos_refuse();
CREATE TRIGGER chaos_event BEFORE INSERT ON history_event
    FOR EACH STATEMENT EXECUTE FUNCTION chaos_refuse();
"""


class Database(Protocol):
    """What the scenario does to a database."""

    url: str
    interrupts: str

    def prepare(self) -> None:
        """Called once the tables are there."""

    def interrupt(self) -> None:
        """Let it be gone for a moment."""

    def fill_up(self, workers: Sequence[int], *, full: bool) -> None:
        """Make it refuse whatever would be written, or accept it again."""

    def end(self) -> None:
        """Nothing of it is left behind."""


class Sqlite:
    """A file. Gone: another process holds it longer than anybody waits.

    Full: the kernel refuses each write to any file (RLIMIT_FSIZE), as it does on a full disk.
    """

    interrupts = "database held beyond the time-out"

    def __init__(self, folder: Path) -> None:
        self.path = folder / "chaos.sqlite3"
        self.url = f"sqlite:///{self.path}"

    def prepare(self) -> None:
        """Nothing is needed."""

    def interrupt(self) -> None:
        import sqlite3

        line = sqlite3.connect(self.path, timeout=30, isolation_level=None)
        line.execute("BEGIN IMMEDIATE")
        time.sleep(1.5)
        line.execute("ROLLBACK")
        line.close()

    def fill_up(self, workers: Sequence[int], *, full: bool) -> None:
        size = 4096 if full else resource.RLIM_INFINITY
        for pid in workers:
            with suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def end(self) -> None:
        """Its folder goes with the scenario's."""


class Postgres:
    """A database of an existing server. Gone: every connection to it is cut.

    Full: its tables of messages and events refuse with the server's own code (53100).
    """

    interrupts = "connections cut"

    def __init__(self, server: str) -> None:
        self.server = urlsplit(server)
        self.name = f"relance_chaos_{os.getpid()}"
        self._admin(f"CREATE DATABASE {self.name}")
        self.url = urlunsplit(self.server._replace(path=f"/{self.name}"))

    def _admin(self, sql: str) -> None:
        with psycopg.connect(urlunsplit(self.server), autocommit=True) as admin:
            admin.execute(sql)

    def prepare(self) -> None:
        with psycopg.connect(self.url, autocommit=True) as line:
            line.execute(FULL_TRIGGER)

    def interrupt(self) -> None:
        with psycopg.connect(urlunsplit(self.server), autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = %s AND pid <> pg_backend_pid()",
                [self.name],
            )

    def fill_up(self, workers: Sequence[int], *, full: bool) -> None:
        with psycopg.connect(self.url, autocommit=True) as line:
            line.execute("INSERT INTO chaos_full VALUES (1)" if full else "DELETE FROM chaos_full")

    def end(self) -> None:
        self._admin(f"DROP DATABASE {self.name} WITH (FORCE)")


class OwnPostgres(Postgres):
    """A server of its own, with fsync. Gone: stopped at once, as by a crash, and started."""

    interrupts = "server restarted at once (-m immediate)"

    def __init__(self) -> None:
        self.folder, self.port = Path(tempfile.mkdtemp(prefix="relance-chaos-")), _free_port()
        self.log = self.folder / "server.log"
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        folder = self.folder
        self._do("initdb", "-D", f"{folder}/data", "-A", "trust", "-U", "postgres", "-N")
        self._do("pg_ctl", "-D", f"{folder}/data", "-w", "-l", self.log, "-o", self._how(), "start")
        super().__init__(f"postgres://postgres@127.0.0.1:{self.port}/postgres")

    def _how(self) -> str:
        return f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=on"

    def _do(self, program: str, *words: object) -> None:
        command = [_binaries() / program, *words]
        who: dict[str, object] = {}
        if os.getuid() == 0:  # it refuses to run as root
            who = {"user": "postgres", "group": "postgres", "extra_groups": []}
        subprocess.run(  # type: ignore[call-overload]
            [str(word) for word in command],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd="/",
            timeout=120,
            **who,
        )

    def interrupt(self) -> None:
        data = f"{self.folder}/data"
        how = ["-w", "-m", "immediate", "-l", self.log, "-o", self._how()]
        self._do("pg_ctl", "-D", data, *how, "restart")

    def end(self) -> None:
        self._do("pg_ctl", "-D", f"{self.folder}/data", "-w", "-m", "immediate", "stop")
        shutil.rmtree(self.folder)


def known() -> list[str]:
    """The kinds of database that this machine has."""
    if _binaries().name or os.environ.get("RELANCE_TEST_DATABASE_URL"):
        return ["sqlite", "postgresql"]
    return ["sqlite"]


def made(kind: str, folder: Path) -> Database:
    """A fresh database; PostgreSQL in a server of its own where its programs are installed."""
    if kind == "sqlite":
        return Sqlite(folder)
    if _binaries().name:
        return OwnPostgres()
    return Postgres(os.environ["RELANCE_TEST_DATABASE_URL"])


def _binaries() -> Path:
    """Where initdb and pg_ctl live; an empty path when they are not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    beside = shutil.which("initdb")
    return Path(beside).parent if beside else Path()


def _free_port() -> int:
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        return int(line.getsockname()[1])
