"""relance worker: deliver messages and start the runs, until told to stop."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from relance.accounts import clock
from relance.ops import worker
from relance.ops.hooks import hooks
from relance.ops.server import WorkerProcess
from relance.ops.turn import tick, whole_tick


class Command(BaseCommand):
    help = "Deliver what is due and run each dossier at its hour; several workers may work at once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="do what is due now, then end")
        parser.add_argument(
            "--processes", type=int, default=1, metavar="N", help="how many share the sending"
        )

        parser.add_argument(
            "--beside", type=int, metavar="PID", help="end when this process, its parent, does"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        beside = [WorkerProcess() for _each in range(options["processes"] - 1)]
        for child in beside:
            child.start()
        try:
            worker.run(
                hooks=hooks(clock.now, by_day=True),
                tick=whole_tick if options["once"] else tick,
                once=options["once"],
                beside=options["beside"],
            )
        finally:
            for child in beside:
                child.stop()
