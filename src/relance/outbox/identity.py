"""Who holds a claim, told so that any other process can find out whether it still lives.

A name reads `host/boot.namespace/pid.start/n`: on the same boot and pid namespace the kernel
knows for certain; elsewhere only the time since its last sign of life tells.
"""

import itertools
import os
import socket
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

SILENCE = timedelta(minutes=15)  # longer than one message with every command timing out
_numbers = itertools.count(1)


def new_name() -> str:
    """A claimant's name, different at each call and for each process; at most 80 characters."""
    pid = os.getpid()
    return f"{socket.gethostname()[:24]}/{_place()}/{pid}.{_started(pid)}/{next(_numbers)}"


def is_dead(name: str, *, last_sign: datetime, at: datetime) -> bool:
    """True when the claimant called `name` will certainly, or after SILENCE probably, not return.

    A wrong "dead" costs nothing worse than a message shown as uncertain: marks are conditional.
    """
    try:
        _host, place, process, _number = name.rsplit("/", 3)
        pid, started = process.split(".", 1)
        if place == _place():
            return _started(int(pid)) != started
    except ValueError:
        pass
    return at - last_sign > SILENCE


def same_boot(name: str) -> bool:
    """True unless the machine was started again since, losing what was not yet on the disk."""
    parts = name.split("/")
    return len(parts) == 4 and parts[1].split(".")[0] == _place().split(".")[0]


@cache
def _place() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]
        return f"{boot}.{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:  # not Linux
        return f"{socket.gethostname()[:8]}.0"


def _started(pid: int) -> str:
    """The kernel's start time of a living process, else an empty string (a zombie is dead)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        if Path("/proc/self/stat").exists():
            return ""
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return ""
        except PermissionError:
            pass
        return "alive"
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in "ZX" else fields[19]
