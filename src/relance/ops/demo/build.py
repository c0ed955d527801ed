"""Live through the invented world: the engine, the outbox and people do what they do every day.

Everything goes through the services that pages and workers use, with that day's clock.
"""

import random
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.core.files.base import ContentFile
from django.db import transaction
from django.db.models import Q

from relance.accounts import clock
from relance.accounts.models import DunningRole, Organisation, User
from relance.accounts.services import add_member, found_organisation
from relance.dunning import services
from relance.dunning.daily import refreshing, run
from relance.dunning.models import Action, Outlook, Plan, Step, Template
from relance.engine.calendar import is_working_day
from relance.engine.wording import MONTHS
from relance.ledger import services as ledger
from relance.ledger.models import Contact, Credit, Customer, Hold, Invoice, Site
from relance.ops import worker
from relance.ops.demo import channels, documents, words
from relance.ops.demo.clients import CAMILLE, Client
from relance.ops.demo.desk import Desk
from relance.ops.demo.line import CutLine
from relance.ops.demo.post import Refusing
from relance.ops.demo.world import Bill, Deed, World
from relance.ops.hooks import hooks
from relance.outbox import print_runs
from relance.outbox.channels.email import EmailChannel
from relance.outbox.delivery import Hooks
from relance.outbox.models import Message
from relance.outbox.services import POSTED

UNCERTAIN = "Imprimerie Le Bihan"
REFUSED = "Roussel BTP"
BANK, DEPARTURE, PEOPLE = time(7, 40), time(8, 30), time(10, 40)
"""Local hours: when the bank is read, when messages leave, when people do their list."""

LIST_DAYS = (1, 4)
"""Long ago people did their list on Tuesdays and Fridays; lately every day."""
EARLIEST = 5 + max(-level.days for plan in words.PLANS for level in plan.levels)
"""A step before the due date may leave earlier still, when its day is no working day."""
BEFORE = 1
"""The highest level that comes before the due date in one of the plans."""

Tell = Callable[[str], None]


@dataclass
class Builder:
    """One building: what was made so far, found again by its place in the world."""

    world: World
    tell: Tell
    refusing: Refusing
    until: datetime
    organisation: Organisation = field(init=False)
    desk: Desk = field(init=False)
    people: dict[str, User] = field(default_factory=dict)
    plans: dict[str, Plan] = field(default_factory=dict)
    customers: list[Customer] = field(default_factory=list)
    sites: dict[tuple[int, str], Site] = field(default_factory=dict)
    invoices: dict[int, Invoice] = field(default_factory=dict)
    credits: dict[int, Credit] = field(default_factory=dict)
    pdfs: dict[int, "Future[bytes]"] = field(default_factory=dict)
    touched: set[int] = field(default_factory=set)
    last_run: date = date.min

    def moment(self, on: date, at: time) -> datetime:
        """The local hour `at` of a day, as an aware moment."""
        return datetime.combine(on, at, ZoneInfo(self.organisation.timezone))

    def build(self) -> None:
        """Found the company, then live its days in order up to the moment `until`."""
        pool = ThreadPoolExecutor(1)
        try:
            self._print_documents(pool)
            with transaction.atomic():
                self._found()
            self._live()
            with transaction.atomic():
                self._look_again()
                channels.connect(self.organisation, self.moment(self.world.frame.first, time(9)))
        finally:
            pool.shutdown(cancel_futures=True)

    def _print_documents(self, pool: ThreadPoolExecutor) -> None:
        for place, bill in enumerate(self.world.bills):
            if bill.recent:
                client = self.world.clients[bill.client]
                to = documents.Addressee(client.name, [f"{client.postcode} {client.city}"])
                self.pdfs[place] = pool.submit(documents.pdf, bill, to)

    # --- the company -------------------------------------------------------------

    def _found(self) -> None:
        first = self.world.frame.first
        for person in words.PEOPLE:
            self.people[person.key] = User.objects.create_user(
                person.email, words.PASSWORD, full_name=person.name
            )
        self.organisation = found_organisation(
            name=words.COMPANY,
            owner=self.people[CAMILLE],
            email_from=words.FROM,
            reply_to=words.REPLY_TO,
            signature=words.SIGNATURE,
            address=words.ADDRESS,
            iban=words.IBAN,
            send_at=DEPARTURE,
        )
        for person in words.PEOPLE:
            add_member(
                organisation=self.organisation,
                user=self.people[person.key],
                dunning_role=DunningRole[person.role],
            )
        self._write_plans()
        now = self.moment(first, time(9))
        for client in self.world.clients:
            self._welcome(client, first, now)
        for key in ("invoice", ""):
            pairs = zip(self.world.clients, self.customers, strict=True)
            services.assign_plan(
                self.organisation,
                customers=[customer for client, customer in pairs if client.plan == key],
                plan=self.plans.get(key),
                actor=self.people[CAMILLE],
                on=first,
                now=now,
            )
        self.desk = Desk(self.organisation, self.people, self.plans, self.world.frame)
        self.desk.settle_in(first, now)
        Customer.objects.filter(organisation=self.organisation).update(created_at=now)

    def _write_plans(self) -> None:
        templates = {
            one.key: Template.objects.create(
                organisation=self.organisation,
                name=one.name,
                channel=one.channel,
                subject=one.subject,
                body=one.body,
            )
            for one in words.TEMPLATES
        }
        for key in words.LETTERS_TOO:
            same = templates[key]
            Template.objects.create(
                organisation=self.organisation,
                name=same.name,
                channel="letter",
                subject=same.subject,
                body=same.body.replace("Bonjour", "Madame, Monsieur").replace(
                    "répondez-nous", "écrivez-nous"
                ),
            )
        for plan in words.PLANS:
            self.plans[plan.key] = Plan.objects.create(
                organisation=self.organisation,
                name=plan.name,
                scope=plan.scope,
                progression=plan.progression,
                grouping=plan.grouping,
                is_default=plan.key == "standard",
            )
            Step.objects.bulk_create(
                Step(
                    organisation=self.organisation,
                    plan=self.plans[plan.key],
                    level=number,
                    name=level.name,
                    days=level.days,
                    channel=level.channel,
                    automatic=level.automatic,
                    template=templates[level.template],
                )
                for number, level in enumerate(plan.levels, 1)
            )

    def _welcome(self, client: Client, on: date, now: datetime) -> None:
        customer = ledger.add_customer(
            organisation=self.organisation,
            code=f"C{len(self.customers) + 1:04d}",
            name=client.name,
            on=on,
            now=now,
            email=client.email,
            phone=f"02 98 00 {len(self.customers):02d} 10",
            address=f"{len(self.customers) * 3 % 87 + 1} rue du Port" if client.postcode else "",
            postcode=client.postcode,
            city=client.city,
            regime=client.regime,
            manager=self.people[client.manager],
        )
        place = len(self.customers)
        self.customers.append(customer)
        favourites: dict[str, list[Contact]] = {site: [] for site in client.sites}
        for one in client.contacts:
            contact = ledger.save_contact(
                customer=customer,
                name=one.name,
                role=one.role,
                email=one.email,
                phone=one.phone,
                is_default=one.is_default,
                on=on,
                now=now,
            )
            for site in one.sites:
                favourites[site].append(contact)
        for name, chosen in favourites.items():
            self.sites[place, name] = ledger.save_site(
                customer=customer, name=name, favourites=chosen, on=on, now=now
            )

    # --- the days ----------------------------------------------------------------

    def _live(self) -> None:
        of = self.world.frame
        by_day: dict[date, list[Deed]] = {}
        for deed in self.world.deeds:
            by_day.setdefault(max(deed.on, of.first), []).append(deed)
        day = min(by_day, default=of.first)
        told = None
        while day <= of.today:
            if (day.year, day.month) != told:
                told = (day.year, day.month)
                self.tell(f"{MONTHS[day.month - 1]} {day.year}")
            with transaction.atomic():
                self._live_day(day, by_day.get(day, []))
            day += timedelta(days=1)

    def _live_day(self, day: date, deeds: Sequence[Deed]) -> None:
        morning = self.moment(day, BANK)
        if morning <= self.until:
            for deed in deeds:
                if deed.morning:
                    self._do(deed, day, morning)
        start = self.moment(day, DEPARTURE)
        if start <= self.until:
            self._depart(day, start)
            self.desk.morning(day, start + timedelta(minutes=5))
        noon = self.moment(day, PEOPLE)
        if noon <= self.until and is_working_day(self.organisation.zone, day):
            talks = [deed for deed in deeds if not deed.morning]
            for deed in talks:
                self._do(deed, day, noon)
            spoken_to = {self.customers[deed.client].pk for deed in talks}
            refreshing.refresh(self.organisation, sorted(spoken_to), on=day, now=noon)
            with_actions = Action.objects.filter(customer__in=spoken_to, status=Action.Status.OPEN)
            self.touched -= spoken_to - set(with_actions.values_list("customer_id", flat=True))
            if day > self.world.frame.recently or day.weekday() in LIST_DAYS:
                self._do_the_list(day, noon)
            self.touched |= self.desk.noon(day, noon)

    def _quiet(self, day: date) -> bool:
        """True when a run on `day` would neither send, open nor withdraw anything.

        An action needs a step whose day has come. Of a customer to whom nothing happened since
        he was last looked at, his outlook tells that day; of another, no step can come earlier
        than `EARLIEST` days before an open invoice is due, and only his own open actions can be
        withdrawn. A step that already waits for a person changes nothing while it waits, unless
        it comes before the due date, which ends it, or the plan is by invoice, where another
        invoice of his may have a step of its own.
        """
        mine = {"organisation": self.organisation}
        waiting = Q(state="pending", next_level__gt=BEFORE) & Q(
            customer__assignment__plan__scope="customer"
        )
        steps = Outlook.objects.filter(next_on__lte=day, **mine).exclude(waiting)
        ended = Hold.objects.filter(until__gte=self.last_run, until__lt=day, **mine)
        if steps.exclude(customer__in=self.touched).exists() or ended.exists():
            return False
        theirs = {"customer__in": self.touched, **mine}
        near = Invoice.objects.filter(
            balance_cents__gt=0, due__lte=day + timedelta(days=EARLIEST), **theirs
        )
        return not (
            near.exists() or Action.objects.filter(status=Action.Status.OPEN, **theirs).exists()
        )

    def _depart(self, day: date, start: datetime) -> None:
        if day < self.world.frame.runs[2] and self._quiet(day):
            return
        self.last_run, self.touched = day, set()
        if not run.run(self.organisation, on=day, now=start, spread=False, pause=0).queued:
            return
        left = start + timedelta(seconds=20 + day.toordinal() * 37 % 190)
        latest = day == self.world.frame.runs[0]
        refused = self._address(REFUSED)
        self.refusing.addresses = {refused} if latest and refused else set()
        lost = self._address(UNCERTAIN) if latest else ""
        told = hooks(lambda: left)
        # Nothing happened since the run of this same moment: a re-check would find the same.
        worker.drain(
            hooks=Hooks(record=told.record, ended=told.ended),
            now=lambda: left,
            channels={"email": lambda: CutLine(lost) if lost else EmailChannel()},
        )

    def _address(self, name: str) -> str:
        return next((c.email for c in self.customers if c.name == name), "")

    def _do_the_list(self, day: date, now: datetime) -> None:
        """Everybody does their list: Camille at once, Yann the day after, as a rule."""
        waiting = Action.objects.filter(
            organisation=self.organisation, status=Action.Status.OPEN, reason=""
        )
        if not waiting.exists():
            return
        waiting = waiting.select_related("customer", "plan", "organisation")
        sent: list[Message] = []
        for action in waiting.order_by("id"):
            client = self.world.clients[self.customers.index(action.customer)]
            fresh = action.due_on >= self.world.frame.runs[2] - timedelta(days=3)
            owner = self.people[client.manager]
            if (client.left_to_do and fresh) or (
                client.manager != CAMILLE and action.due_on >= day
            ):
                continue
            sent += self._do_one(action, owner, day, now)
        later = now + timedelta(seconds=services.UNDO_SECONDS + 3)
        self._post([one for one in sent if one.channel in POSTED], later)
        if any(one.channel not in POSTED for one in sent):
            worker.drain(hooks=hooks(lambda: later), now=lambda: later)

    def _post(self, letters: Sequence[Message], now: datetime) -> None:
        """Each of the people prints their own letters, and says that they are in the post."""
        told = hooks(lambda: now)
        for person in {one.made_by for one in letters if one.made_by}:
            mine = [one.pk for one in letters if one.made_by == person]
            made = print_runs.make(
                organisation=self.organisation, message_ids=mine, actor=person, now=now, hooks=told
            )
            print_runs.confirm(run=made.run, actor=person, now=now, hooks=told)

    def _do_one(self, action: Action, owner: User, day: date, now: datetime) -> list[Message]:
        """One manual action by its owner; the message that is to leave, if any."""
        dice = random.Random(f"{action.customer.code} {action.level} {day}")  # noqa: S311
        try:
            if dice.random() < 0.05:
                services.skip_action(action, actor=owner, on=day, now=now)
            elif action.channel == "email" or action.channel in POSTED:
                return [services.send_action(action, actor=owner, on=day, now=now)]
            else:
                note = dice.choice(words.CALL_NOTES)
                services.complete_action(action, actor=owner, on=day, now=now, note=note)
        except services.Refused:
            pass  # paid or held meanwhile: the next run withdraws it
        return []

    # --- deeds -------------------------------------------------------------------

    def _do(self, deed: Deed, on: date, now: datetime) -> None:
        self.touched.add(self.customers[deed.client].pk)
        getattr(self, f"_on_{deed.kind}")(deed, on, now)

    def _on_bill(self, deed: Deed, on: date, now: datetime) -> None:
        bill: Bill = self.world.bills[deed.bill]
        invoice = ledger.add_invoice(
            customer=self.customers[bill.client],
            number=bill.number,
            issued=bill.issued,
            due=bill.due,
            total_cents=bill.cents,
            mode=bill.mode,
            site=self.sites.get((bill.client, bill.site)),
            on=on,
            now=now,
        )
        self.invoices[deed.bill] = invoice
        if deed.bill in self.pdfs:
            content = ContentFile(self.pdfs.pop(deed.bill).result(), f"{bill.number}.pdf")
            ledger.attach_document(invoice=invoice, content=content, on=on, now=now)

    def _on_payment(self, deed: Deed, on: date, now: datetime) -> None:
        invoice = self.invoices[deed.bill]
        reference = "Prélèvement" if invoice.mode == "direct_debit" else "Virement"
        ledger.record_payment(
            invoice=invoice, amount_cents=deed.cents, on=on, now=now, reference=reference
        )

    def _on_credit(self, deed: Deed, on: date, now: datetime) -> None:
        number = f"A-{on.year}-{len(self.credits) + 31:04d}"
        self.credits[deed.client] = ledger.add_credit(
            customer=self.customers[deed.client],
            number=number,
            total_cents=deed.cents,
            on=on,
            now=now,
        )

    def _on_dispute(self, deed: Deed, on: date, now: datetime) -> None:
        category, _sep, note = deed.text.partition("|")
        invoice, actor = self.invoices[deed.bill], self._manager(deed)
        if invoice.balance_cents > 0:
            ledger.open_dispute(
                invoice=invoice, on=on, now=now, actor=actor, category=category, note=note
            )

    def _on_settled(self, deed: Deed, on: date, now: datetime) -> None:
        invoice = self.invoices[deed.bill]
        if invoice.disputed:
            ledger.resolve_dispute(invoice=invoice, on=on, now=now, actor=self._manager(deed))

    def _on_promise(self, deed: Deed, on: date, now: datetime) -> None:
        invoice = self.invoices[deed.bill]
        if deed.until and invoice.balance_cents > 0:
            ledger.promise(
                invoice=invoice,
                until=max(deed.until, on),
                amount_cents=deed.cents,
                on=on,
                now=now,
                actor=self._manager(deed),
            )

    def _on_hold(self, deed: Deed, on: date, now: datetime) -> None:
        if deed.until:
            customer = self.customers[deed.client]
            actor = self._manager(deed)
            ledger.hold(
                customer=customer, until=deed.until, on=on, now=now, actor=actor, note=deed.text
            )

    def _on_judgment(self, deed: Deed, on: date, now: datetime) -> None:
        ledger.edit_customer(
            customer=self.customers[deed.client],
            changes={"judgment_on": on},
            on=on,
            now=now,
            actor=self._manager(deed),
        )

    def _on_exclude(self, deed: Deed, on: date, now: datetime) -> None:
        customer = self.customers[deed.client]
        ledger.exclude(customer=customer, on=on, now=now, actor=self._manager(deed))

    def _manager(self, deed: Deed) -> User:
        return self.people[self.world.clients[deed.client].manager]

    def _look_again(self) -> None:
        """What lists say of each customer is of today, even before the first run of the day."""
        today = clock.local_date(self.organisation, self.until)
        ids = [one.pk for one in self.customers]
        refreshing.refresh(self.organisation, ids, on=today, now=self.until)
