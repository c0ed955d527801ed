"""relance worker: deliver messages and start the runs, until told to stop."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from relance.accounts import clock
from relance.dunning.hooks import hooks
from relance.dunning.run import tick
from relance.ops import worker


class Command(BaseCommand):
    help = "Deliver what is due and run each dossier at its hour; several workers may work at once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="do what is due now, then end")

    def handle(self, *args: Any, **options: Any) -> None:
        worker.run(hooks=hooks(clock.now, by_day=True), tick=tick, once=options["once"])
