"""Mails leave while everything around them breaks; then what arrived is held against the books.

Run as a process of its own; prints a table, or JSON with --json. The seed makes the same faults
meet the same mails and the same events come at the same points of the way; which worker is in
which line of code then is the machine's affair.
"""

import argparse
import json
import mmap
import os
import random
import secrets
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.chaos import databases, table

WORKERS = 3
BEGIN = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
"""Half an hour before Paris puts its clocks forward."""
JUMPS = [
    timedelta(minutes=45),
    -timedelta(hours=2),
    timedelta(minutes=20),
    timedelta(days=1),
    -timedelta(days=3),
    timedelta(hours=7),
    timedelta(days=209),
    timedelta(minutes=1),
    -timedelta(minutes=90),
]
"""Over the change of March and back, months ahead to the eve of the other change, and back."""
STALLED = 1.0
"""Seconds without an arrival after which the scenario looks whether time itself is in the way."""


class Clock:
    """The workers' clock: the machine's, plus an offset that all processes share in a file."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(struct.pack("d", (BEGIN - datetime.now(UTC)).total_seconds()))
        with path.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), 8)

    def now(self) -> datetime:
        offset: float = struct.unpack("d", self._shared[:8])[0]
        return datetime.now(UTC) + timedelta(seconds=offset)

    def move(self, by: timedelta) -> None:
        offset: float = struct.unpack("d", self._shared[:8])[0]
        self._shared[:8] = struct.pack("d", offset + by.total_seconds())


@dataclass
class Chaos:
    """The scenario: processes, what is to befall them, and what did."""

    folder: Path
    database: databases.Database
    messages: int
    seed: int
    deadline: float
    clock: Clock
    workers: dict[int, int] = field(default_factory=dict)
    stopped: dict[int, int] = field(default_factory=dict)
    server: "subprocess.Popen[bytes] | None" = None
    events: Counter[str] = field(default_factory=Counter)
    broke: list[int] = field(default_factory=list)
    full_until: float = 0
    calm: bool = False

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self._moved, self._seen = time.monotonic(), 0

    # --- processes -------------------------------------------------------------------------

    def serve(self) -> None:
        """Start the mail server, on the port it had."""
        port = self.folder / "port"
        known = port.read_text() if port.exists() else "0 0"
        command = [sys.executable, Path(__file__).with_name("mail_server.py"), self.folder, known]
        self.server = subprocess.Popen([*command, str(self.seed), str(int(self.calm))])
        if known == "0 0":
            self.wait_for(port.exists)

    def hire(self, number: int) -> None:
        """Start worker `number`; the odd ones live on another machine, so to speak."""
        from tests.chaos import work

        number_of_start = sum(self.events.values())
        pid = os.fork()
        if pid == 0:
            work.main(self.folder, self.clock, number, number_of_start)
        self.workers[number] = pid

    def dismiss(self) -> list[int]:
        """Tell all workers to stop; their exit codes."""
        self.wake()
        for pid in self.workers.values():
            os.kill(pid, signal.SIGTERM)
        codes = []
        for number, pid in list(self.workers.items()):
            self.wait_for(
                lambda p=pid: os.waitid(os.P_PID, p, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            )
            codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            del self.workers[number]
        return codes

    def end(self) -> None:
        """Whatever happened, no process stays."""
        for pid in self.workers.values():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)
        if self.server:
            self.server.kill()
            self.server.wait()

    def tell_where(self) -> None:
        """Each worker's threads on standard error: in which line they are."""
        self.wake()
        for number, pid in self.workers.items():
            os.kill(pid, signal.SIGUSR1)
            time.sleep(1)
            sys.stderr.write(f"worker {number}:\n" + (self.folder / f"stacks-{number}").read_text())

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Poll until it holds; TimeoutError at the end of the time given to the whole."""
        while not condition():
            if time.monotonic() > self.deadline:
                raise TimeoutError("the scenario did not end in its time")
            time.sleep(0.005)

    # --- what befalls them -----------------------------------------------------------------

    def plan(self) -> list[tuple[float, Callable[[], None]]]:
        """Events by the number of arrivals at which they come."""
        size = self.messages
        counts: list[tuple[Callable[[], None], int]] = [
            (self.kill, max(15, size // 100)),
            (self.stop, max(3, size // 1000)),
            (self.kill_server, max(2, size // 1000)),
            (self.interrupt, max(2, size // 1200)),
            (self.fill_up, max(2, size // 1500)),
            (self.jump, max(len(JUMPS), size // 600)),
        ]
        return sorted(
            (
                (self.dice.uniform(0.01, 0.85) * size, do)
                for do, count in counts
                for _ in range(count)
            ),
            key=lambda event: event[0],
        )

    def kill(self) -> None:
        number = self.dice.choice(sorted(self.workers))
        self.events["workers killed (-9)"] += 1
        os.kill(self.workers[number], signal.SIGKILL)
        os.waitpid(self.workers[number], 0)
        self.stopped.pop(number, None)
        self.hire(number)

    def stop(self) -> None:
        """For twenty minutes and more, as others' clocks say; the last one awake goes on."""
        awake = sorted(set(self.workers) - set(self.stopped))
        if len(awake) > 1:
            number = self.dice.choice(awake)
            self.events["workers stopped for 20 minutes"] += 1
            os.kill(self.workers[number], signal.SIGSTOP)
            self.stopped[number] = self.arrived() + max(20, self.messages // 50)
            self.clock.move(timedelta(minutes=21))

    def wake(self, arrived: int | None = None) -> None:
        for number, until in list(self.stopped.items()):
            if arrived is None or arrived >= until:
                os.kill(self.workers[number], signal.SIGCONT)
                del self.stopped[number]

    def kill_server(self) -> None:
        self.events["mail server killed (-9)"] += 1
        if self.server:
            self.server.kill()

    def interrupt(self) -> None:
        self.events[self.database.interrupts] += 1
        self.database.interrupt()

    def fill_up(self) -> None:
        self.events["disk full for a moment"] += 1
        self.full_until = time.monotonic() + self.dice.uniform(0.2, 1.5)
        self.database.fill_up(list(self.workers.values()), full=True)

    def free_disk(self) -> None:
        if self.full_until and time.monotonic() > self.full_until:
            self.full_until = 0
            self.database.fill_up(list(self.workers.values()), full=False)

    def jump(self) -> None:
        self.clock.move(JUMPS[self.events["clock moved"] % len(JUMPS)])
        self.events["clock moved"] += 1

    # --- the way ---------------------------------------------------------------------------

    def arrived(self) -> int:
        return (self.folder / "accepted").read_bytes().count(b"\n")

    def look_after(self) -> None:
        """The server is started again, and a worker that ended by itself is noted."""
        if self.server and self.server.poll() is not None:
            self.events["mail server started again"] += 1
            self.serve()
        for number, pid in list(self.workers.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                self.broke.append(os.waitstatus_to_exitcode(status))
                self.hire(number)

    def go(self) -> None:
        """Let everything happen, until nothing waits any more."""
        from tests.chaos import books

        events = self.plan()
        while True:
            if time.monotonic() > self.deadline:
                raise TimeoutError("the scenario did not end in its time")
            self.look_after()
            self.free_disk()
            arrived = self.arrived()
            self.wake(arrived)
            while events and arrived >= events[0][0]:
                events.pop(0)[1]()
            if arrived != self._seen:
                self._seen, self._moved = arrived, time.monotonic()
            elif time.monotonic() - self._moved > STALLED:
                self._moved = time.monotonic()
                self.wake()
                waits = books.what_waits(self.clock.now())
                if waits.nothing:
                    return
                if not waits.due:
                    self.clock.move(timedelta(hours=7))
            time.sleep(0.01)

    def send_again(self) -> None:
        """The rest of the way: a calm server, one worker, time passes by itself."""
        self.calm = True
        if self.server:
            self.server.kill()
            self.server.wait()
        self.serve()
        self.hire(0)
        self.go_calmly()

    def go_calmly(self) -> None:
        from tests.chaos import books

        while not (waits := books.what_waits(self.clock.now())).nothing:
            self.look_after()
            if not waits.due:
                self.clock.move(timedelta(hours=7))
            if time.monotonic() > self.deadline:
                raise TimeoutError("the scenario did not end in its time")
            time.sleep(0.2)


def run(kind: str, messages: int, seed: int, seconds: float) -> dict[str, object]:
    """The whole scenario on one kind of database; its report."""
    folder = Path(tempfile.mkdtemp(prefix="relance-chaos-"))
    begun = time.monotonic()
    database = databases.made(kind, folder)
    clock = Clock(folder / "clock")
    chaos = Chaos(folder, database, messages, seed, begun + seconds, clock)
    try:
        chaos.serve()
        os.environ["RELANCE_DATA_DIR"] = str(folder)
        os.environ["RELANCE_DATABASE_URL"] = database.url
        mails, sms = (folder / "port").read_text().split()
        os.environ["RELANCE_SMTP_PORT"], os.environ["RELANCE_SMTP_PRIVATE"] = mails, "1"
        from tests.chaos import books

        books.open_books()
        database.prepare()
        books.fill(messages, clock.now(), f"http://127.0.0.1:{sms}/")
        for number in range(WORKERS):
            chaos.hire(number)
        chaos.go()
        codes = chaos.dismiss()
        report = books.report(folder)
        books.settle(folder, clock.now())
        chaos.send_again()
        codes += chaos.dismiss()
        after = books.report(folder)
        return {
            "database": kind,
            "seed": seed,
            "messages": messages,
            "seconds": round(time.monotonic() - begun),
            "events": dict(chaos.events),
            "faults": Counter((folder / "faults").read_text().splitlines()),
            "exit_codes": codes,
            "ended_by_themselves": chaos.broke,
            "before": report,
            "after": after,
        }
    except TimeoutError:
        chaos.tell_where()
        raise
    finally:
        chaos.end()
        with suppress(Exception):
            from tests.chaos import books

            books.close()
        database.end()
        if not os.environ.get("RELANCE_CHAOS_KEEP"):
            shutil.rmtree(folder)


def main() -> None:
    """The command line; exit code 1 when a promise is broken."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--database", choices=databases.known())
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--seconds", type=float, default=3600, help="then it has failed")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    seed = secrets.randbelow(10**8) if options.seed is None else options.seed
    if options.database is None:  # each in a process of its own: Django knows one
        done = [
            subprocess.run([sys.executable, *sys.argv, "--database", kind, "--seed", str(seed)])
            for kind in databases.known()
        ]
        sys.exit(max(each.returncode for each in done))
    report = run(options.database, options.messages, seed, options.seconds)
    if options.json:
        sys.stdout.write(json.dumps(report))
        return
    sys.stdout.write(table.printed(report))
    sys.exit(1 if table.broken(report) else 0)


if __name__ == "__main__":
    main()
