"""relance explain: why, or why not, for one customer on any date."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from relance.accounts import clock
from relance.dunning.queries import explain
from relance.engine.wording import advice, date_words, sentence
from relance.ops.arguments import add_organisation, customer_of, local_day, organisation_of

STATES = {
    "acted": "Une relance a été faite ce jour-là.",
    "leaving": "Un message part ce jour-là.",
    "pending": "Une action attend une personne.",
    "waiting": "Rien ce jour-là : la prochaine étape est datée.",
    "nothing": "Rien à faire.",
}


class Command(BaseCommand):
    help = "Say why something was done for a customer on a date, or why not, with what to do."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("customer", metavar="CLIENT", help="code, or part of the name")
        parser.add_argument("--date", type=local_day, metavar="AAAA-MM-JJ")
        add_organisation(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        organisation = organisation_of(options["organisation"])
        customer = customer_of(organisation, options["customer"])
        today = clock.local_date(organisation, clock.now())
        on = options["date"] or today
        answer = explain(organisation, customer.pk, on=on, today=today)
        self.stdout.write(f"{customer.name}, {date_words(on)} : {STATES[answer.state]}")
        numbers = {invoice.id: invoice.number for invoice in answer.case.invoices}
        for entry in answer.done:
            number = numbers.get(entry.reference or 0, "")
            self.stdout.write(f"  fait    niveau {entry.level} {number}".rstrip())
        for action in answer.decision.actions:
            how = "automatique" if action.automatic else "à la main"
            self.stdout.write(f"  voulu   {action.name} ({action.level}), {action.channel}, {how}")
        for reason in answer.reasons:
            number = numbers.get(reason.invoice or 0, "")
            where = f" {number}" if number else ""
            self.stdout.write(f"  {reason.code}{where} : {sentence(reason)}")
            if remedy := advice(reason):
                self.stdout.write(f"      {remedy}")
