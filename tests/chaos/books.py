"""The database's side of the scenario: what is to be sent, what is said of it, is it true."""

import json
import os
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from tests.chaos.work import SILENCE_SECONDS

if TYPE_CHECKING:  # Django is set up only later, in `open_books`
    from relance.accounts.models import Organisation
    from relance.ledger.models import Invoice
    from relance.outbox.services import Draft

Answer = TypeVar("Answer")
NOTICES = 20
"""Regular e-mails to users on the same server, which know no uncertainty: at most once."""


class Waits(NamedTuple):
    """Is nothing left to do; is something due at this moment."""

    nothing: bool
    due: bool


def open_books() -> None:
    """Set Django up in this process and make the tables."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "relance.conf.settings"
    os.environ.setdefault("RELANCE_LOG_LEVEL", "WARNING")
    import django
    from django.conf import settings

    settings.EMAIL_TIMEOUT = SILENCE_SECONDS
    if "timeout" in settings.DATABASES["default"].get("OPTIONS", {}):
        settings.DATABASES["default"]["OPTIONS"]["timeout"] = 1
    django.setup()
    from django.apps import apps
    from django.core.management import call_command

    # the tables as the models have them: quicker than two years of changes
    settings.MIGRATION_MODULES = dict.fromkeys(app.label for app in apps.get_app_configs())
    call_command("migrate", run_syncdb=True, verbosity=0)
    close()
    from relance.dunning.daily import hooks  # noqa: F401 - once here, not in each worker
    from relance.ops import worker  # noqa: F401


def close() -> None:
    """No connection is shared with a process forked from this one, nor survives a restart."""
    from django.db import connections

    connections.close_all()


def patiently(do: Callable[[], Answer]) -> Answer:
    """Ask the database, again when it is away; over a connection for this question alone."""
    from django.db import InterfaceError, OperationalError

    for _try in range(200):
        try:
            return do()
        except (OperationalError, InterfaceError):
            time.sleep(0.1)
        finally:
            close()
    return do()


def fill(messages: int, now: datetime, sms_url: str) -> None:
    """As many customers with an overdue invoice each, and a first reminder queued for each.

    Every tenth is an SMS, which leaves by an HTTP provider.
    """
    from relance.accounts.models import Organisation
    from relance.dunning.models import Plan, Step
    from relance.outbox import services
    from relance.outbox.provider_models import SmsAccount
    from relance.outbox.secrets import sealed

    organisation = Organisation.objects.create(name="Martin", slug="martin")
    plan = Plan.objects.create(organisation=organisation, name="Standard")
    Step.objects.create(
        organisation=organisation, plan=plan, level=1, name="Rappel", days=7, channel="email"
    )
    body = {"body": '{"to": "{to}", "text": "{text}", "key": "{reference}"}'}
    SmsAccount.objects.create(
        organisation=organisation,
        provider="http",
        url=sms_url,
        active=True,
        secrets=sealed(json.dumps(body)),
    )
    drafts = [_draft(invoice, plan.pk, now) for invoice in _owed(organisation, messages, now)]
    assert len(services.queue(drafts=drafts, now=now).messages) == messages
    _write_notices(organisation, now)
    close()


def _owed(organisation: "Organisation", count: int, now: datetime) -> "list[Invoice]":
    from relance.ledger.models import Customer, Invoice

    day = now.date() - timedelta(days=10)
    customers = Customer.objects.bulk_create(
        Customer(organisation=organisation, code=str(n), name=f"Client {n}", search=f"client {n}")
        for n in range(count)
    )
    return Invoice.objects.bulk_create(
        Invoice(
            organisation=organisation,
            customer=customer,
            number=f"F-{customer.code}",
            issued=day,
            due=day,
            total_cents=10_000,
            balance_cents=10_000,
        )
        for customer in customers
    )


def _draft(invoice: "Invoice", plan_id: int, now: datetime) -> "Draft":
    from relance.outbox.services import Draft, Line

    customer = invoice.customer
    by_sms = int(customer.code) % 10 == 0
    return Draft(
        organisation=customer.organisation,
        customer_id=customer.pk,
        on=now.date(),
        not_before=now,
        sender="collect@example.org",
        channel="sms" if by_sms else "email",
        recipients=[f"+336{int(customer.code):08}" if by_sms else f"c{customer.code}@example.com"],
        subject=f"Relance {customer.code}",
        text="Bonjour,\nune facture est échue.\n" * 20,
        html="<p>Bonjour, une facture est échue.</p>" * 20,
        automatic=True,
        plan_id=plan_id,
        level=1,
        level_name="Rappel",
        lines=[Line(invoice.pk, 10_000, carrier=True, plan_id=plan_id, level=1)],
        amount_cents=10_000,
    )


def _write_notices(organisation: "Organisation", now: datetime) -> None:
    from relance.accounts.models import User
    from relance.outbox import notices

    for number in range(NOTICES):
        notices.write_down(
            organisation=organisation,
            user=User.objects.create(email=f"user{number}@example.org"),
            kind="weekly",
            on=now.date(),
            sheet=notices.Sheet("Impayés", "Bonjour", "<p>Bonjour</p>"),
            unsubscribe="",
            useful_until=now + timedelta(days=9999),
            now=now,
        )


def hooks(now: Callable[[], datetime]) -> "object":
    """The chase's own entries, levels and journal; what is wanted is not asked again.

    The clock leaps by months here: the engine would rightly call most of it off.
    """
    from relance.dunning.daily.hooks import ended, record
    from relance.outbox.delivery import Hooks

    return Hooks(record=record, ended=lambda batch: ended(batch, now()))


def what_waits(now: datetime) -> Waits:
    """Whether anything is on its way, and whether any of it may leave now."""
    from django.db.models import Q

    from relance.outbox.models import WAITING, Message, Notice, Status

    def ask() -> Waits:
        some = Message.objects.filter(
            Q(status__in=[*WAITING, Status.SENDING]) | Q(status=Status.SENT, recorded=False)
        ).exists()  # one question: between two, a message may go from one state to the other
        late = Message.objects.filter(
            Q(status__in=WAITING, not_before__lte=now) | Q(status=Status.SENT, recorded=False)
        )
        notices = Notice.objects.filter(handed_at=None)
        due = late.exists() or notices.filter(not_before__lte=now).exists()
        return Waits(not some and not notices.exists(), due)

    return patiently(ask)


def arrivals(folder: Path) -> Counter[str]:
    """How often each message was accepted, by its name, as the server's disk has it."""
    lines = (folder / "accepted").read_text().splitlines()
    return Counter(name_of(line.partition("\t")[0]) for line in lines)


def name_of(ref: str) -> str:
    """What a Message-ID and the key given to a provider have in common."""
    return ref.strip("<>").partition("@")[0]


def report(folder: Path) -> dict[str, object]:
    """What arrived against what is said; each list of broken promises ought to be empty."""
    return patiently(lambda: _report(arrivals(folder)))


def _report(arrived: Counter[str]) -> dict[str, object]:
    from relance.accounts.models import Organisation
    from relance.dunning.models import Entry, InvoiceChase
    from relance.history.models import Event
    from relance.history.services import verify
    from relance.outbox.models import Message, Notice

    rows = list(Message.objects.values_list("pk", "message_ref", "status", "lines__invoice"))
    status = {name_of(ref): state for _pk, ref, state, _invoice in rows}
    told_users = Notice.objects.values_list("message_ref", "sent_at")
    notices = {name_of(ref): at for ref, at in told_users}
    sent = {pk for pk, _ref, state, _invoice in rows if state == "sent"}
    raised = {invoice for pk, _ref, _state, invoice in rows if pk in sent}
    entries = Counter(
        Entry.objects.filter(kind="sent", void=False).values_list("message_id", flat=True)
    )
    told = Event.objects.filter(kind="message_sent").values_list("message_id", flat=True)
    levels = set(InvoiceChase.objects.filter(level__gt=0).values_list("invoice_id", flat=True))
    gone = {ref for ref, state in status.items() if state == "sent"}
    return {
        "statuses": Counter(status.values()),
        "arrived": sum(arrived[ref] for ref in status),
        "uncertain and arrived": sum(s == "uncertain" and r in arrived for r, s in status.items()),
        "notices arrived": sum(arrived[ref] for ref in notices),
        "broken": {
            "arrived twice": [ref for ref, count in arrived.items() if count > 1],
            "said to be sent, never arrived": sorted(gone - set(arrived)),
            "arrived, not said to be": [
                ref
                for ref in arrived
                if status.get(ref) not in ("sent", "uncertain") and ref not in notices
            ],
            "notices said to be sent, never arrived": [
                ref for ref, at in notices.items() if at and ref not in arrived
            ],
            "still waiting": [
                r for r, s in status.items() if s not in ("sent", "uncertain", "failed")
            ],
            "entries other than one per message sent": sorted(
                key for key in entries.keys() | sent if entries[key] != (key in sent)
            ),
            "journal lines other than one per message sent": _odd(Counter(told), sent),
            "levels raised without a message that left, or the reverse": sorted(levels ^ raised),
            "journal broken at": [
                at for at in map(verify, Organisation.objects.all()) if at is not None
            ],
        },
    }


def _odd(counted: Counter[int | None], once: set[int]) -> list[int]:
    return sorted(key for key in counted.keys() | once if counted[key] != (key in once) and key)


def settle(folder: Path, now: datetime) -> None:
    """A person looks each uncertain message up at the receiving side, and says what he found."""
    from relance.accounts.models import User
    from relance.outbox.models import Message, Status
    from relance.outbox.services import settle_uncertain

    arrived = arrivals(folder)

    def say() -> None:
        actor = User.objects.first()
        assert actor
        for message in Message.objects.filter(status=Status.UNCERTAIN):
            found = name_of(message.message_ref) in arrived
            settle_uncertain(message=message, sent=found, actor=actor, now=now)

    patiently(say)
