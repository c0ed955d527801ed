"""relance serve: the pages and the worker, in one process tree."""

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser
from django.urls import reverse

from relance.accounts import first_start
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
            ready=self._ready,
        )

    def _ready(self, url: str) -> None:
        """The address; and for an installation without anybody, the one that begins it."""
        self.stdout.write(f"Relance : {url}")
        if first_start.is_empty():
            path = reverse("first_start_token", args=[first_start.token()])
            self.stdout.write(f"Premier démarrage : {url.rstrip('/')}{path}")
        self.stdout.flush()
