"""What Camille and Yann do at their desks, beside the list of the day, through the same verbs.

Rules give the plans, a campaign leaves, a lot is sent, letters are printed and posted, a level
waits for approval, a note names a colleague, views are kept, a mailbox waits for its trial.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Q

from relance.accounts.models import Organisation, SavedView, Subscription, User
from relance.dunning import services
from relance.dunning.daily.hooks import hooks
from relance.dunning.lots import batch_kinds, campaigns, selection
from relance.dunning.models import Batch, Channel, Plan, PlanRule, Step
from relance.dunning.plans import rules
from relance.dunning.recaps import recaps
from relance.dunning.services import notes
from relance.engine.calendar import is_working_day, previous_working_day
from relance.ledger.models import Customer, Invoice
from relance.ops import worker
from relance.ops.demo import words
from relance.ops.demo.clients import CAMILLE
from relance.ops.demo.world import ZONE, Frame
from relance.outbox import mailbox_care, print_runs
from relance.outbox.models import Mailbox, PrintRun

CAMPAIGN_DAYS = 38
"""The campaign left so long ago: between the settled past and what is open today."""
RECAP_DAYS = 7
"""Regular e-mails are read for so many days: one Monday among them."""


@dataclass
class Desk:
    """The people of the company at their pages; `days` are the dates that the world hangs on."""

    organisation: Organisation
    people: dict[str, User]
    plans: dict[str, Plan]
    days: Frame

    def settle_in(self, on: date, now: datetime) -> None:
        """On the first day: rules give the plans to all who have none by hand; views are kept."""
        camille = self.people[CAMILLE]
        for rule in words.RULES:
            plan = self.plans[rule.plan]
            conditions: list[rules.Condition] = [
                {"field": field, "op": op, "value": value} for field, op, value in rule.conditions
            ]
            rules.save_rule(
                PlanRule(), plan=plan, conditions=conditions, actor=camille, on=on, now=now
            )
        rules.apply_rules(self.organisation, actor=camille, on=on, now=now)
        for page, name, query in words.VIEWS:
            SavedView.objects.create(
                organisation=self.organisation, user=camille, page=page, name=name, query=query
            )
        Subscription.objects.bulk_create(
            Subscription(organisation=self.organisation, user=camille, kind=kind)
            for kind in Subscription.Kind.values
        )
        self._connect_mailbox(on, now)

    def _connect_mailbox(self, on: date, now: datetime) -> None:
        mailbox = Mailbox(
            organisation=self.organisation,
            name=words.COMPANY,
            address="facturation@kerdoncuff.example",
            host="smtp.kerdoncuff.example",
            username="facturation@kerdoncuff.example",
        )
        mailbox_care.save(
            mailbox, password=words.PASSWORD, actor=self.people[CAMILLE], on=on, now=now
        )

    def morning(self, on: date, now: datetime) -> None:
        """Regular e-mails of the last days, before the list is done."""
        if on > self.days.today - timedelta(days=RECAP_DAYS):
            recaps.work(now)

    def noon(self, on: date, now: datetime) -> set[int]:
        """What is done on this day; ids of the customers to whom it matters."""
        _latest, middle, first = self.days.runs
        found: set[int] = set()
        if on == worked(self.days.today - timedelta(days=CAMPAIGN_DAYS)):
            found |= self._send_campaign(on, now)
        if on == first:
            steps = Step.objects.filter(plan=self.plans["invoice"], level=2)
            steps.update(to_confirm=True)
            found |= self._send_lot(words.LOT, Channel.EMAIL, "transfer", on, now)
            found |= self._send_lot(words.LETTERS, Channel.LETTER, "cheque", on, now)
            self._print(on, now)
        if on == middle:
            self._post(now)
            found |= self._send_lot(words.LETTERS, Channel.LETTER, "cheque", on, now)
            self._draft_campaign(on, now)
            self._talk(on, now)
        return found

    # --- campaigns ---------------------------------------------------------------

    def _send_campaign(self, on: date, now: datetime) -> set[int]:
        """To everybody in Quimper and to those without address, so that reasons are seen."""
        mine = Customer.objects.filter(Q(city="Quimper") | Q(email=""))
        chosen = list(mine.filter(organisation=self.organisation).values_list("pk", flat=True))
        batch = self._campaign(words.CAMPAIGN, chosen, now, about=campaigns.NONE)
        campaigns.launch(batch, actor=self.people[CAMILLE], on=on, now=now)
        self._work_through(batch, now)
        return set(chosen)

    def _draft_campaign(self, on: date, now: datetime) -> None:
        late = Invoice.objects.filter(
            organisation=self.organisation, balance_cents__gt=0, due__lt=on - timedelta(days=20)
        )
        chosen = sorted(set(late.values_list("customer_id", flat=True)))
        self._campaign(words.YEAR_END, chosen, now, about=campaigns.LATE)

    def _campaign(
        self, said: words.Words, chosen: Sequence[int], now: datetime, *, about: str
    ) -> Batch:
        values: dict[str, Any] = {
            "title": said.name,
            "channel": said.channel,
            "subject": said.subject,
            "body": said.body,
            "options": {"customers": sorted(chosen), "about": about, "once": True},
        }
        return campaigns.save(
            self.organisation, None, values=values, actor=self.people[CAMILLE], now=now
        )

    # --- lots and letters --------------------------------------------------------

    def _send_lot(self, title: str, channel: str, mode: str, on: date, now: datetime) -> set[int]:
        """Relances clients: the second level of the plan by invoice, for one way of paying."""
        asked = selection.Criteria(
            level=2, mode=mode, plan=self.plans["invoice"].pk, least_days=8, most_days=12
        )
        batch = selection.search(
            self.organisation,
            asked,
            method=channel,
            grouped=True,
            actor=self.people[CAMILLE],
            on=on,
            now=now,
            title=title,
        )
        if not batch.total:
            batch.delete()
            return set()
        touched = set(batch.lines.values_list("customer_id", flat=True))
        selection.confirm(batch, actor=self.people[CAMILLE], now=now)
        self._work_through(batch, now)
        return touched

    def _work_through(self, batch: Batch, now: datetime) -> None:
        batch_kinds.advance(batch, now=now)
        later = now + timedelta(seconds=services.UNDO_SECONDS + 3)
        worker.drain(hooks=hooks(lambda: later), now=lambda: later)

    def _print(self, on: date, now: datetime) -> None:
        ids = list(print_runs.waiting(self.organisation).values_list("pk", flat=True))
        if ids:
            print_runs.make(
                organisation=self.organisation,
                message_ids=ids,
                actor=self.people[CAMILLE],
                now=now,
                hooks=hooks(lambda: now),
            )

    def _post(self, now: datetime) -> None:
        for run in PrintRun.objects.filter(organisation=self.organisation, confirmed_at=None):
            print_runs.confirm(
                run=run, actor=self.people[CAMILLE], now=now, hooks=hooks(lambda: now)
            )

    # --- notes -------------------------------------------------------------------

    def _talk(self, on: date, now: datetime) -> None:
        for author, name, text in words.NOTES:
            customer = Customer.objects.filter(organisation=self.organisation, name=name).first()
            if customer:
                notes.add_note(customer, text=text, actor=self.people[author], on=on, now=now)


def worked(day: date) -> date:
    """The day itself, or the last working day before it."""
    return day if is_working_day(ZONE, day) else previous_working_day(ZONE, day)
