"""The web server with its worker beside it, in one process tree that starts and stops together."""

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from types import FrameType

import waitress
from django.core.wsgi import get_wsgi_application

log = logging.getLogger(__name__)

RESTART_PAUSE = 2.0
MOST_BODY = 150_000_000
"""Bytes of one request; more is refused before it fills the disk. Each page asks for less."""


class WorkerProcess:
    """`relance worker` as a child: started again when it dies, ended with its parent.

    It watches its parent itself, for a killed parent tells nobody.
    """

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        self._keeper = threading.Thread(target=self._keep, daemon=True)

    def start(self) -> None:
        """Start the child and keep it alive."""
        self._keeper.start()

    def stop(self) -> None:
        """End the child, which finishes the message it is handing over."""
        self._stopping.set()
        if self._child and self._child.poll() is None:
            self._child.terminate()
        self._keeper.join(timeout=15)

    def _keep(self) -> None:
        while not self._stopping.is_set():
            beside = ["--beside", str(os.getpid())]
            self._child = subprocess.Popen(  # noqa: S603 - this very program
                [sys.executable, "-m", "relance.ops.main", "worker", *beside], env=os.environ
            )
            code = self._child.wait()
            if not self._stopping.is_set():
                log.warning("the worker ended with %d; starting it again", code)
                self._stopping.wait(RESTART_PAUSE)


def serve(
    *, host: str, port: int, worker: bool = True, ready: Callable[[str], None] = lambda url: None
) -> None:
    """Serve until SIGINT or SIGTERM; `ready` is called with the address once it listens."""
    server = waitress.create_server(
        get_wsgi_application(), host=host, port=port, threads=8, max_request_body_size=MOST_BODY
    )
    child = WorkerProcess() if worker else None

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    if child:
        child.start()
    try:
        ready(f"http://{host}:{server.effective_port}/")
        server.run()
    finally:
        server.close()
        if child:
            child.stop()
