"""Dossiers de recouvrement beside the worker's turn: large ones take minutes, mails do not wait."""

import logging
import threading
from datetime import datetime

from django.db import connection

from relance.accounts import clock
from relance.dunning.recovery import building

log = logging.getLogger(__name__)

_builder: threading.Thread | None = None


def tick(now: datetime) -> None:
    """Start the one builder of this process when something waits and none is at work."""
    global _builder
    if (_builder is None or not _builder.is_alive()) and building.is_waiting(now):
        _builder = threading.Thread(target=_build, daemon=True, name="recoveries")
        _builder.start()


def _build() -> None:
    try:
        building.work(clock.now)
    except Exception:
        log.exception("dossiers de recouvrement broke off")
    finally:
        connection.close()


def whole(_now: datetime) -> None:
    """All that wait, in this thread: for `relance worker --once`."""
    building.work(clock.now)
