"""relance doctor: are the copies right, and is the journal whole?"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from relance.accounts import clock
from relance.accounts.models import Organisation
from relance.bank import checks as bank
from relance.dunning.daily import checks as dunning
from relance.dunning.facts import legal
from relance.dunning.wording.legal_words import missing_words
from relance.history import checking
from relance.history import services as history
from relance.ledger import checks as ledger
from relance.ops.arguments import organisation_of
from relance.outbox import checks as outbox


class Command(BaseCommand):
    help = "Recompute what is stored for lists, verify the journal, and say what differs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organisation", metavar="SLUG", help="dossier; default: every one")

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = options["organisation"]
        every = [organisation_of(chosen)] if chosen else list(Organisation.objects.all())
        self._warn_of_rates()
        faults = sum(self._examine(organisation) for organisation in every)
        if faults:
            raise CommandError(f"{faults} différences.", returncode=1)
        self.stdout.write("Tout concorde.")

    def _warn_of_rates(self) -> None:
        """A rate that is not known yet is no difference, but penalties are not counted for it."""
        today = clock.now().date()
        for missing in legal.missing_now(today):
            self.stdout.write(f"Taux manquant : {missing_words(missing)}")

    def _examine(self, organisation: Organisation) -> int:
        faults = [
            f"{found.table} {found.label}, {found.field} : {found.stored} au lieu de "
            f"{found.expected}"
            for found in ledger.differences(organisation)
        ]
        today = clock.local_date(organisation, clock.now())
        faults += dunning.differences(organisation, today)
        faults += bank.differences(organisation)
        faults += outbox.stuck(organisation, clock.now())
        broken = history.verify(organisation)
        if broken is not None:
            faults.append(f"le journal est rompu à l’événement {broken}")
        else:
            chain = checking.state(organisation)
            self.stdout.write(
                f"{organisation.slug} : journal intact, {chain.length} événements, "
                f"dernière empreinte {chain.hash}"
            )
        for fault in faults:
            self.stdout.write(f"{organisation.slug} : {fault}")
        for remark in outbox.remarks(organisation, clock.now()):
            self.stdout.write(f"{organisation.slug} : à voir : {remark}")
        return len(faults)
