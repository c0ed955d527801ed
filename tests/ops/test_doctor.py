"""`relance doctor` tells of levels that nothing backs and of messages that do not go on."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from relance.accounts.models import Organisation
from relance.dunning.daily import run
from relance.dunning.models import InvoiceChase
from relance.ledger.models import Customer
from relance.ops import worker
from relance.ops.hooks import hooks
from relance.outbox.channels.fake import FakeChannel
from relance.outbox.models import Message, Status
from tests.conftest import NOW, TODAY, make_invoice

GONE, LATER = NOW + timedelta(hours=1), NOW + timedelta(hours=3)


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relance.accounts.clock.now", lambda: LATER)


@pytest.fixture
def chased(organisation: Organisation, customer: Customer) -> Message:
    """A reminder that has left, recorded by the real hooks."""
    make_invoice(customer, "F-1", TODAY - timedelta(days=7), 250_00)
    run.run(organisation, on=TODAY, now=NOW)
    worker.drain(hooks=hooks(lambda: GONE), now=lambda: GONE, channels={"email": FakeChannel})
    return Message.objects.get(status=Status.SENT)


def doctor() -> str:
    """What it says, its complaint about the number of faults included."""
    out = StringIO()
    try:
        call_command("doctor", stdout=out)
    except CommandError as faults:
        return f"{out.getvalue()}{faults}"
    return out.getvalue()


def test_a_level_raised_by_a_message_that_left_is_backed(chased: Message) -> None:
    assert "Tout concorde" in doctor()


def test_a_level_or_a_date_that_no_departure_backs_is_named(
    organisation: Organisation, customer: Customer, chased: Message
) -> None:
    other = make_invoice(customer, "F-2", TODAY + timedelta(days=60))
    InvoiceChase.objects.create(
        organisation=organisation, invoice=other, level=3, last_on=TODAY - timedelta(days=90)
    )
    said = doctor()
    assert "facture F-2 : niveau 3 en copie, qu’aucune relance partie ne fonde" in said
    assert f"facture F-2 : dernière relance {TODAY - timedelta(days=90)} en copie" in said
    assert "F-1" not in said


def test_a_message_stuck_on_its_way_or_gone_without_its_entries_is_named(chased: Message) -> None:
    Message.objects.filter(pk=chased.pk).update(recorded=False)
    assert f"message {chased.pk} : parti, mais absent de l’historique" in doctor()
    Message.objects.filter(pk=chased.pk).update(
        status=Status.SENDING, claimed_by="un worker", claimed_at=NOW
    )
    assert f"message {chased.pk} : en départ depuis" in doctor()


def test_uncertain_messages_and_a_queue_that_nobody_works_are_remarks_not_faults(
    organisation: Organisation, chased: Message
) -> None:
    Message.objects.filter(pk=chased.pk).update(
        status=Status.QUEUED, not_before=NOW - timedelta(hours=1)
    )
    InvoiceChase.objects.all().delete()
    said = doctor()
    assert "à voir : 1 messages dus attendent" in said
    Message.objects.filter(pk=chased.pk).update(status=Status.UNCERTAIN)
    assert "à voir : 1 envois incertains" in doctor()
