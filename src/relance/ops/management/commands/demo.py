"""relance demo: an invented company with two years of relances, in the browser."""

import os
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from relance.ops.demo.launch import add_arguments


class Command(BaseCommand):
    help = "Build an invented company with two years of relances, and serve it until Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Begin again in a process whose settings are the demonstration's."""
        os.execv(  # noqa: S606 - the same command, before Django is loaded
            sys.executable, [sys.executable, "-m", "relance.ops.main", *sys.argv[1:]]
        )
