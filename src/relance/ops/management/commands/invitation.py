"""relance invitation: the link of a person who has not chosen a password yet, once more."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from relance.accounts.models import User
from relance.ops.invited import show_link


class Command(BaseCommand):
    help = "Print a new invitation link for somebody who has not chosen a password yet."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", metavar="EMAIL")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(email=options["email"].strip().lower(), is_active=True).first()
        if user is None:
            raise CommandError("Personne n’a cette adresse.")
        show_link(self.stdout, user)
