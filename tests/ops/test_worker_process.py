"""The worker beside the pages ends with them, also when they cannot tell it to."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from relance.ops import worker
from relance.outbox import identity
from relance.outbox.delivery import Hooks

PAGES = """
import signal, time
from relance.ops.server import WorkerProcess
child = WorkerProcess()
child.start()
while child._child is None:
    time.sleep(0.01)
print(child._child.pid, flush=True)
signal.pause()
"""


def test_a_worker_whose_pages_are_killed_ends_by_itself(tmp_path: Path) -> None:
    """`kill -9` of `relance serve` or `relance demo`: nothing goes on sending unseen."""
    pages = subprocess.Popen(
        [sys.executable, "-c", PAGES],
        env={
            **os.environ,
            "RELANCE_DATA_DIR": str(tmp_path),
            "RELANCE_DATABASE_URL": f"sqlite:///{tmp_path / 'empty.sqlite3'}",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert pages.stdout
    child = int(pages.stdout.readline())
    begun = identity._started(child)
    assert begun
    pages.kill()
    pages.wait()
    limit = time.monotonic() + 60
    while identity._started(child) == begun and time.monotonic() < limit:
        time.sleep(0.05)
    gone = identity._started(child) != begun
    if not gone:
        os.kill(child, signal.SIGKILL)
    assert gone


def test_a_worker_whose_parent_lives_works_on() -> None:
    stop = threading.Event()
    watch = threading.Thread(target=worker._watch, args=(os.getppid(), stop))
    watch.start()
    assert not stop.wait(0.2)
    stop.set()
    watch.join(10)
    assert not watch.is_alive()


def test_a_worker_started_by_a_process_that_is_gone_already_does_not_begin() -> None:
    stop = threading.Event()
    worker._watch(os.getpid(), stop)  # nobody is his own parent
    assert stop.is_set()
    assert worker.work(stop=stop, hooks=Hooks(), lanes=0).claimed == 0
