"""relance serve: the pages and the worker, in one process tree."""

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser

from relance.ops.server import serve


class Command(BaseCommand):
    help = "Serve the pages, deliver messages and run each dossier at its hour."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--no-worker", action="store_true", help="a worker runs elsewhere")

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", verbosity=0, interactive=False)
        serve(
            host=options["host"],
            port=options["port"],
            worker=not options["no_worker"],
            ready=lambda url: self.stdout.write(f"Relance : {url}"),
        )
