"""relance create-dossier: a company's own dossier, or one more of a firm."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Q

from relance.accounts import clock
from relance.accounts.firms import found_company
from relance.accounts.models import Firm
from relance.formats.values import siren_of
from relance.ops.invited import add_person_arguments, refusals_told, show_link
from relance.outbox.following import open_dossier


class Command(BaseCommand):
    help = (
        "Open a dossier. With --firm it is one of that firm's; without, that of a company on its "
        "own, whose first administrator chooses a password by the link that is printed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME", help="of the company")
        parser.add_argument("--siren", default="", help="SIREN, SIRET or VAT number")
        parser.add_argument("--firm", metavar="FIRM", help="name or number of its firm")
        add_person_arguments(parser, required=False)

    def handle(self, *args: Any, **options: Any) -> None:
        siren = siren_of(options["siren"])
        if siren is None:
            raise CommandError("Ce SIREN n’est pas valable\u00a0: vérifiez-le.")
        if bool(options["firm"]) == bool(options["email"]):
            raise CommandError(
                "Dites --firm, ou --email du premier administrateur : l’un des deux."
            )
        with refusals_told():
            if options["firm"]:
                firm = _firm(options["firm"])
                made = open_dossier(
                    firm=firm, name=options["name"], siren=siren, actor=None, now=clock.now()
                )
                self.stdout.write(f"Dossier « {made.name} » de {firm.name} : /d/{made.slug}/")
                return
            member = found_company(
                name=options["name"],
                email=options["email"],
                full_name=options["full_name"],
                siren=siren,
            )
        self.stdout.write(
            f"Dossier « {member.organisation.name} » : /d/{member.organisation.slug}/"
        )
        show_link(self.stdout, member.user)


def _firm(words: str) -> Firm:
    """The one firm of this number or name; CommandError with the list otherwise."""
    asked = Q(name__iexact=words) | Q(pk=int(words) if words.isdecimal() else 0)
    found = list(Firm.objects.filter(asked)[:2])
    if len(found) == 1:
        return found[0]
    names = ", ".join(f"{one.pk} ({one.name})" for one in Firm.objects.order_by("pk")[:20])
    raise CommandError(f"Cabinet à préciser ; cabinets : {names or 'aucun'}")
