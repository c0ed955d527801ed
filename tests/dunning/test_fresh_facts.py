"""Nothing leaves by itself on an import that is too old; people may always send."""

from datetime import date, datetime, timedelta

import pytest

from relance.accounts.models import Organisation, User
from relance.bank.models import BankImport
from relance.dunning.daily import run
from relance.dunning.daily.hooks import hooks
from relance.dunning.facts import sending
from relance.dunning.models import Run
from relance.dunning.services.writing import write_to
from relance.dunning.wording.messages import Words
from relance.engine.wording import sentence
from relance.ledger import services as ledger
from relance.ledger.models import Customer, Import
from relance.outbox import identity
from relance.outbox.channels.fake import FakeChannel
from relance.outbox.delivery import Report, deliver_batch
from relance.outbox.models import Message, Status
from tests.conftest import at, make_invoice

DUE = date(2026, 11, 2)
PASS = DUE + timedelta(days=7)
"""Monday 9 November 2026, a level leaves."""


def imported(organisation: Organisation, on: datetime, kind: str = "invoices") -> Import:
    return Import.objects.create(
        organisation=organisation, kind=kind, status="done", made_at=on, finished_at=on
    )


def deliver(now: datetime) -> Report:
    return deliver_batch(
        worker=identity.new_name(),
        now=lambda: now,
        hooks=hooks(lambda: now),
        channels={"email": FakeChannel},
    )


def pass_of(organisation: Organisation, on: date) -> Run:
    return run.run(organisation, on=on, now=at(on), spread=False, pause=0)


def test_an_import_of_eight_days_ago_keeps_everything_back_and_says_so(customer: Customer) -> None:
    make_invoice(customer, "F-1", DUE)
    imported(customer.organisation, at(PASS - timedelta(days=8)))
    done = pass_of(customer.organisation, PASS)
    assert (done.queued, done.held) == (0, 1)
    reason = sending.stop(customer.organisation, PASS)
    assert reason is not None
    assert reason.code == "DATA_TOO_OLD"
    assert "1er\u00a0novembre\u00a02026, il y a 8\u00a0jours" in sentence(reason)


@pytest.mark.parametrize("days", [0, 7])
def test_an_import_within_the_limit_keeps_nothing_back(customer: Customer, days: int) -> None:
    make_invoice(customer, "F-1", DUE)
    imported(customer.organisation, at(PASS - timedelta(days=days)))
    assert pass_of(customer.organisation, PASS).queued == 1


@pytest.mark.parametrize("kind", ["", "customers"])
def test_a_ledger_typed_by_hand_is_never_too_old(customer: Customer, kind: str) -> None:
    """Never imported, or only a list of customers: people type what they know."""
    make_invoice(customer, "F-1", DUE)
    if kind:
        imported(customer.organisation, at(PASS - timedelta(days=90)), kind)
    assert pass_of(customer.organisation, PASS).queued == 1


def test_a_statement_of_the_bank_is_fresh_news_too(customer: Customer) -> None:
    make_invoice(customer, "F-1", DUE)
    imported(customer.organisation, at(PASS - timedelta(days=60)))
    BankImport.objects.create(
        organisation=customer.organisation, kind="camt", made_at=at(PASS - timedelta(days=2))
    )
    assert pass_of(customer.organisation, PASS).queued == 1


def test_the_guard_can_be_off(customer: Customer) -> None:
    Organisation.objects.update(fresh_days=None)
    make_invoice(customer, "F-1", DUE)
    imported(customer.organisation, at(PASS - timedelta(days=400)))
    customer.organisation.refresh_from_db()
    assert pass_of(customer.organisation, PASS).queued == 1


def test_what_is_queued_waits_for_a_fresh_import_then_goes_with_the_recheck(
    customer: Customer,
) -> None:
    """Written while the facts were fresh, due to leave when they are not any more."""
    invoice = make_invoice(customer, "F-1", DUE)
    old = imported(customer.organisation, at(PASS))
    pass_of(customer.organisation, PASS)
    later = at(PASS + timedelta(days=8))
    assert deliver(later).postponed == 1
    message = Message.objects.get()
    assert (message.status, message.reason) == (Status.QUEUED, "DATA_TOO_OLD")
    old.finished_at = later
    old.save()
    assert deliver(later + timedelta(minutes=61)).sent == 1
    assert invoice.pk


def test_what_was_paid_meanwhile_does_not_leave_after_the_import(customer: Customer) -> None:
    invoice = make_invoice(customer, "F-1", DUE)
    old = imported(customer.organisation, at(PASS))
    pass_of(customer.organisation, PASS)
    later = at(PASS + timedelta(days=8))
    deliver(later)
    old.finished_at = later
    old.save()
    ledger.record_payment(invoice=invoice, amount_cents=100_00, on=PASS, now=later)
    assert deliver(later + timedelta(minutes=61)).cancelled == 1


def test_the_pass_of_the_day_is_done_again_once_a_fresh_import_has_come(customer: Customer) -> None:
    """Held back at 8:30, imported at 9:30: it leaves today, once."""
    make_invoice(customer, "F-1", DUE)
    imported(customer.organisation, at(PASS - timedelta(days=30)))
    now = at(PASS)
    run.tick(now)
    assert Message.objects.count() == 0
    run.tick(now + timedelta(minutes=30))
    assert Message.objects.count() == 0
    imported(customer.organisation, now + timedelta(hours=1))
    assert [one.queued for one in run.tick(now + timedelta(hours=1, minutes=1))] == [1]
    assert run.tick(now + timedelta(hours=1, minutes=2)) == []
    assert Message.objects.count() == 1


def test_a_person_may_send_on_old_facts(customer: Customer, owner: User) -> None:
    invoice = make_invoice(customer, "F-1", DUE)
    imported(customer.organisation, at(PASS - timedelta(days=30)))
    now = at(PASS)
    write_to(
        customer,
        invoices=[invoice],
        words=Words("Votre facture", "Bonjour"),
        actor=owner,
        on=PASS,
        now=now,
    )
    assert deliver(now + timedelta(minutes=1)).sent == 1
