"""A batch is done once, line by line, whatever happens to those who do it."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import pytest
from django.core.management import call_command
from django.db import OperationalError

from relance.accounts import clock
from relance.accounts.models import DunningRole, Membership, Organisation, User
from relance.dunning.lots import batch_kinds, batches
from relance.dunning.lots.batches import Pace
from relance.dunning.models import Batch, BatchLine, Plan
from relance.dunning.services.common import Refused
from relance.history.models import Event
from relance.ledger.models import Customer
from relance.outbox.models import Message, Status
from tests.conftest import NOW, TODAY, make_customer, make_invoice

LATE = TODAY - timedelta(days=8)


@pytest.fixture
def batch(organisation: Organisation, plan: Plan, owner: User) -> Batch:
    """Five customers, one invoice each, by mail, at the level that Camille saw."""
    lines = []
    for number in range(5):
        customer = make_customer(organisation, plan, f"Client {number}", code=f"C{number}")
        invoice = make_invoice(customer, f"F-{number}", LATE)
        lines.append(BatchLine(customer=customer, invoices=[invoice.pk], level=2))
    return batches.open_batch(
        Batch(
            organisation=organisation,
            kind=Batch.Kind.RELANCE,
            title="Second rappel",
            channel="email",
            made_by=owner,
        ),
        lines,
        now=NOW,
    )


def statuses(batch: Batch) -> list[str]:
    return list(batch.lines.order_by("id").values_list("status", flat=True))


def test_a_batch_does_nothing_until_it_is_started(batch: Batch) -> None:
    batch_kinds.work(NOW)
    assert statuses(batch) == ["waiting"] * 5
    assert Message.objects.count() == 0


def test_the_worker_does_every_line_and_says_when_it_is_over(batch: Batch, owner: User) -> None:
    batches.start(batch, actor=owner, now=NOW)
    batch_kinds.work(NOW)
    batch.refresh_from_db()
    assert (batch.status, batch.done, batch.refused) == ("done", 5, 0)
    assert batch.finished_at == NOW
    assert Message.objects.filter(batch_id=batch.pk, level=2, made_by=owner).count() == 5
    kinds = Event.objects.filter(kind__startswith="batch_").order_by("seq")
    assert list(kinds.values_list("kind", flat=True)) == ["batch_started", "batch_done"]


def test_two_people_start_it_once_and_the_second_sees_who_did(
    batch: Batch, owner: User, colleague: User
) -> None:
    batches.start(batch, actor=owner, now=NOW)
    with pytest.raises(Refused, match="déjà été lancé par Camille Le Goff"):
        batches.start(batch, actor=colleague, now=NOW)


def test_it_may_wait_for_its_hour(batch: Batch, owner: User) -> None:
    later = NOW + timedelta(hours=3)
    batches.start(batch, actor=owner, now=NOW, not_before=later)
    assert batch.status == Batch.Status.SCHEDULED
    batch_kinds.work(later - timedelta(minutes=1))
    assert statuses(batch) == ["waiting"] * 5
    batch_kinds.work(later)
    assert statuses(batch) == ["done"] * 5


def test_a_worker_killed_in_a_chunk_leaves_no_trace_and_the_next_goes_on(
    batch: Batch, owner: User
) -> None:
    """No line is done twice: what the dead worker's chunk had written is gone with it."""
    batches.start(batch, actor=owner, now=NOW)
    seen: list[int] = []

    def killed(batch: Batch, lines: Sequence[BatchLine], on: date, now: datetime) -> None:
        batch_kinds.HANDLERS[batch.kind](batch, lines, on, now)
        seen.extend(line.pk for line in lines)
        if len(seen) > 2:
            raise SystemExit

    with pytest.raises(SystemExit):
        batches.advance(batch, handler=killed, now=NOW, pace=Pace(chunk=2))
    assert statuses(batch) == ["done"] * 2 + ["waiting"] * 3
    batch_kinds.work(NOW + timedelta(minutes=1))
    batch.refresh_from_db()
    assert (statuses(batch), batch.done) == (["done"] * 5, 5)
    assert Message.objects.count() == 5


def test_one_line_that_breaks_does_not_stop_the_others(batch: Batch, owner: User) -> None:
    batches.start(batch, actor=owner, now=NOW)
    poison = batch.lines.order_by("id")[1].pk

    def fragile(batch: Batch, lines: Sequence[BatchLine], on: date, now: datetime) -> None:
        if any(line.pk == poison for line in lines):
            raise ZeroDivisionError
        batch_kinds.HANDLERS[batch.kind](batch, lines, on, now)

    batches.advance(batch, handler=fragile, now=NOW)
    assert statuses(batch) == ["done", "refused", "done", "done", "done"]
    assert BatchLine.objects.get(pk=poison).reason == "ERROR"
    batch.refresh_from_db()
    assert (batch.status, batch.done, batch.refused) == ("done", 4, 1)


def test_a_busy_database_refuses_no_line(batch: Batch, owner: User) -> None:
    """The lines wait for the next turn of a worker."""
    batches.start(batch, actor=owner, now=NOW)

    def busy(batch: Batch, lines: Sequence[BatchLine], on: date, now: datetime) -> None:
        raise OperationalError("database is locked")

    batches.advance(batch, handler=busy, now=NOW)
    assert statuses(batch) == ["waiting"] * 5
    batch_kinds.work(NOW)
    assert statuses(batch) == ["done"] * 5


def test_a_batch_of_one_who_has_left_sends_nothing(batch: Batch, owner: User) -> None:
    """A lot scheduled before he left the dossier does not leave under his name."""
    batches.start(batch, actor=owner, now=NOW, not_before=NOW + timedelta(hours=1))
    Membership.objects.filter(user=owner).delete()
    batch_kinds.work(NOW + timedelta(hours=1))
    assert set(batch.lines.values_list("status", "reason")) == {("refused", "NO_SENDER")}
    assert not Message.objects.exists()


def test_a_refused_line_says_why(batch: Batch, owner: User) -> None:
    """S1-23: no address, no message, and a reason to read."""
    silent = batch.lines.order_by("id")[0].customer
    Customer.objects.filter(pk=silent.pk).update(email="")
    batches.start(batch, actor=owner, now=NOW)
    batch_kinds.work(NOW)
    line = batch.lines.get(customer=silent)
    assert (line.status, line.reason) == ("refused", "NO_EMAIL")
    assert line.detail == "Aucune adresse e-mail valable."


def test_two_batches_about_the_same_invoices_send_once_and_name_the_first(
    batch: Batch, owner: User, colleague: User
) -> None:
    Membership.objects.update(dunning_role=DunningRole.ACCOUNT_MANAGER)
    same = batches.open_batch(
        Batch(
            organisation=batch.organisation,
            kind=Batch.Kind.RELANCE,
            title="Second rappel",
            channel="email",
            made_by=colleague,
        ),
        [
            BatchLine(customer=line.customer, invoices=line.invoices, level=line.level)
            for line in batch.lines.select_related("customer")
        ],
        now=NOW,
    )
    batches.start(batch, actor=owner, now=NOW)
    batches.start(same, actor=colleague, now=NOW)
    batch_kinds.work(NOW)
    same.refresh_from_db()
    assert (same.done, same.refused) == (0, 5)
    assert {line.detail for line in same.lines.all()} == {
        "Une relance est déjà en route, envoyée par Camille Le Goff."
    }
    assert Message.objects.count() == 5


def test_the_rest_can_be_stopped_with_the_messages_that_have_not_left(
    batch: Batch, owner: User
) -> None:
    batches.start(batch, actor=owner, now=NOW)
    batch_kinds.advance(batch, now=NOW, pace=Pace(chunk=2, seconds=0))
    stopped = batches.cancel(batch, actor=owner, now=NOW)
    batch.refresh_from_db()
    assert stopped == 5
    assert (batch.status, batch.done, batch.refused) == ("cancelled", 2, 3)
    assert set(Message.objects.values_list("status", flat=True)) == {Status.CANCELLED}
    batch_kinds.work(NOW)
    assert Message.objects.count() == 2
    with pytest.raises(Refused, match="rien à arrêter"):
        batches.cancel(batch, actor=owner, now=NOW)


def test_thousands_are_stopped_by_short_transactions_that_may_be_taken_up_again(
    batch: Batch, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others write in between; a process that dies in the middle loses nothing."""
    monkeypatch.setattr(batches, "CHUNK", 2)
    batches.start(batch, actor=owner, now=NOW)
    batch_kinds.work(NOW)
    real, calls = batches.ended, []

    def dies(stopped: Sequence[Message], *args: object, **more: object) -> None:
        calls.append(len(stopped))
        if len(calls) == 2:
            raise KeyboardInterrupt
        real(stopped, NOW, actor=owner)

    with monkeypatch.context() as patched:
        patched.setattr(batches, "ended", dies)
        with pytest.raises(KeyboardInterrupt):
            batches.cancel(batch, actor=owner, now=NOW)
    assert calls == [2, 2]
    assert Message.objects.filter(status=Status.CANCELLED).count() == 2
    assert batches.cancel(batch, actor=owner, now=NOW) == 3
    with pytest.raises(Refused, match="Tout est déjà parti"):
        batches.cancel(batch, actor=owner, now=NOW)


def test_the_draft_of_another_person_is_not_stopped(batch: Batch, colleague: User) -> None:
    with pytest.raises(Refused, match="Camille Le Goff"):
        batches.cancel(batch, actor=colleague, now=NOW)
    assert statuses(batch) == ["waiting"] * 5


@pytest.mark.parametrize("large", [2, 100])
def test_a_batch_begins_whole_or_is_not_there(
    batch: Batch, owner: User, monkeypatch: pytest.MonkeyPatch, large: int
) -> None:
    """A crash between writing and starting leaves no draft behind."""
    monkeypatch.setattr(batches, "LARGE", large)

    def another() -> tuple[Batch, list[BatchLine]]:
        new = Batch(organisation=batch.organisation, kind=batch.kind, made_by=owner)
        return new, [BatchLine(customer_id=x.customer_id) for x in batch.lines.all()]

    whole = batches.begin(*another(), actor=owner, now=NOW)
    assert (whole.status, whole.total, whole.lines.count()) == ("running", 5, 5)

    def breaks(*args: object, **more: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(batches, "start", breaks)
    with pytest.raises(RuntimeError):
        batches.begin(*another(), actor=owner, now=NOW)
    assert set(Batch.objects.all()) == {batch, whole}


def test_the_command_of_the_worker_takes_it_up(
    batch: Batch, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)
    Organisation.objects.update(sending_on=False)  # the plan itself would have sent them first
    batches.start(batch, actor=owner, now=NOW)
    call_command("worker", "--once")
    assert statuses(batch) == ["done"] * 5


def test_what_became_of_its_messages_is_counted(batch: Batch, owner: User) -> None:
    batches.start(batch, actor=owner, now=NOW)
    batch_kinds.work(NOW)
    first, second = Message.objects.order_by("id")[:2]
    Message.objects.filter(pk=first.pk).update(status=Status.SENT)
    Message.objects.filter(pk=second.pk).update(status=Status.FAILED)
    assert batches.departures(batch) == (1, 3, 1)
