"""Two people, or two workers, at the same moment: threads with connections of their own."""

import threading
import time
from collections.abc import Callable

from django.db import OperationalError, connection, transaction

LIMIT = 60.0
Deed = Callable[[], object]


class Crossing:
    """What `first` and `second` ended with: a result or the exception that they raised."""

    def __init__(self, first: Deed, second: Deed) -> None:
        self.deeds = {"first": first, "second": second}
        self.ended: dict[str, object] = {}
        self.began = threading.Event()
        self.waits = threading.Event()

    def run(self, name: str) -> None:
        """One thread: do, keep what it ended with, close the connection."""
        try:
            getattr(self, f"_{name}")()
        finally:
            connection.close()

    def _first(self) -> None:
        try:
            with transaction.atomic():
                self.ended["first"] = self.deeds["first"]()
                self.began.set()
                self._until_second_waits()
        except Exception as fault:
            self.ended["first"] = fault
        finally:
            self.began.set()

    def _second(self) -> None:
        self.began.wait(LIMIT)
        limit = time.monotonic() + LIMIT
        while "second" not in self.ended:
            try:
                self.ended["second"] = self.deeds["second"]()
            except OperationalError as busy:  # a database in memory does not wait, a file does
                if "locked" not in str(busy) or time.monotonic() > limit:
                    self.ended["second"] = busy
                self.waits.set()
                time.sleep(0.01)
            except Exception as fault:
                self.ended["second"] = fault

    def _until_second_waits(self) -> None:
        limit = time.monotonic() + LIMIT
        while "second" not in self.ended and not self.waits.is_set() and time.monotonic() < limit:
            if connection.vendor == "postgresql" and self._is_somebody_blocked():
                return
            time.sleep(0.01)

    def _is_somebody_blocked(self) -> bool:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT 1 FROM pg_locks"  # pg_stat_activity stands still within a transaction
                " WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
            )
            return cursor.fetchone() is not None


def crossing(first: Deed, second: Deed) -> tuple[object, object]:
    """`second` begins after `first` has acted and before it commits; what each ended with."""
    crossed = Crossing(first, second)
    threads = [threading.Thread(target=crossed.run, args=(name,)) for name in ("first", "second")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * LIMIT)
    return crossed.ended["first"], crossed.ended["second"]
