"""relance run: the daily pass by hand."""

from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from relance.accounts import clock
from relance.dunning.daily import run
from relance.dunning.models import Run
from relance.ops import worker
from relance.ops.arguments import add_organisation, local_day, organisation_of
from relance.ops.hooks import hooks


class Command(BaseCommand):
    help = (
        "Decide what is to be done today and queue it. With --date, for another day: to go through "
        "the past of a ledger day by day. With --send, what is due leaves at once."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_organisation(parser)
        parser.add_argument("--date", type=local_day, metavar="AAAA-MM-JJ")
        parser.add_argument("--send", action="store_true", help="deliver what is due, then end")

    def handle(self, *args: Any, **options: Any) -> None:
        organisation = organisation_of(options["organisation"])
        moment = clock.now()
        today = clock.local_date(organisation, moment)
        on = options["date"] or today
        if on != today:
            moment = clock.local_moment(organisation, on)
        later = Run.objects.filter(organisation=organisation, on__gt=on).order_by("on").first()
        if later:
            raise CommandError(
                f"La journée du {later.on.isoformat()} est déjà faite : on ne revient pas avant."
            )
        record = run.run(organisation, on=on, now=moment, spread=False)
        self.stdout.write(
            f"{on.isoformat()} : {record.customers} clients, {record.queued} messages en file, "
            f"{record.opened} actions ouvertes, {record.withdrawn} retirées"
        )
        if options["send"]:
            self._send(moment if on != today else None)

    def _send(self, moment: datetime | None) -> None:
        """Deliver by the clock of that day, or by the real one."""

        def now() -> datetime:
            return moment or clock.now()

        report = worker.drain(hooks=hooks(now), now=now)
        self.stdout.write(
            f"{report.sent} partis, {report.cancelled} annulés, {report.retrying} à réessayer, "
            f"{report.failed} en échec, {report.uncertain} incertains"
        )
