"""relance create-firm: a cabinet and its first administrator."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from relance.accounts.firms import found_firm
from relance.ops.invited import add_person_arguments, refusals_told, show_link


class Command(BaseCommand):
    help = (
        "Found a firm of accountants. Its first administrator chooses a password by the link that "
        "is printed: no password is ever typed on the command line."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME", help="of the firm")
        add_person_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        with refusals_told():
            member = found_firm(
                name=options["name"], email=options["email"], full_name=options["full_name"]
            )
        self.stdout.write(f"Cabinet « {member.firm.name} » créé (n° {member.firm.pk}).")
        show_link(self.stdout, member.user)
