"""What may be done with a message, and what the database forbids."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from relance.accounts.models import User
from relance.ledger.models import Customer, Invoice
from relance.outbox import delivery, services
from relance.outbox.delivery import Hooks
from relance.outbox.models import Attempt, Message, MessageInvoice, Status
from relance.outbox.services import Line

from .conftest import NOW, make_draft, make_invoice

pytestmark = pytest.mark.django_db

QueueOne = Callable[..., Message]


def in_state(message: Message, status: str, **fields: object) -> Message:
    Message.objects.filter(pk=message.pk).update(status=status, **fields)
    message.refresh_from_db()
    return message


def test_a_queued_message_is_stored_in_full(customer: Customer, invoice: Invoice) -> None:
    draft = make_draft(customer, invoice, copies=["camille@example.org"])
    message = services.queue(drafts=[draft], now=NOW).messages[0]
    message.refresh_from_db()
    assert message.status == Status.QUEUED
    assert (message.subject, message.text, message.html) == (draft.subject, draft.text, draft.html)
    assert (message.recipients, message.copies) == (["dupont@example.com"], ["camille@example.org"])
    assert (message.made_at, message.not_before) == (NOW, NOW)
    line = message.lines.get()
    assert (line.invoice, line.amount_cents, line.live) == (invoice, 120_000, True)


def test_each_message_has_its_own_id_in_the_domain_of_its_sender(customer: Customer) -> None:
    drafts = [make_draft(customer, sender="Bureau <b@société.example>") for _ in range(3)]
    refs = {message.message_ref for message in services.queue(drafts=drafts, now=NOW).messages}
    assert len(refs) == 3
    assert all(ref.endswith("@xn--socit-esab.example>") for ref in refs)


def test_the_same_step_twice_is_refused_and_the_others_are_kept(
    customer: Customer, invoice: Invoice
) -> None:
    other = make_invoice(customer, "F-2")
    first, again, else_ = (make_draft(customer, i) for i in (invoice, invoice, other))
    done = services.queue(drafts=[first, again, else_], now=NOW)
    assert len(done.messages) == 2
    assert done.refused == [services.Refusal(again, "ALREADY_QUEUED")]
    done = services.queue(drafts=[again], now=NOW)
    assert (done.messages, len(done.refused)) == ([], 1)


def test_another_cycle_level_or_plan_is_another_step(customer: Customer, invoice: Invoice) -> None:
    lines = [
        Line(invoice.pk, 1, True, plan, cycle, level)
        for plan, cycle, level in [(1, 0, 1), (1, 1, 1), (1, 0, 2), (2, 0, 1)]
    ]
    drafts = [make_draft(customer, lines=[line]) for line in lines]
    assert len(services.queue(drafts=drafts, now=NOW).messages) == 4


def test_ad_hoc_relances_and_invoices_that_do_not_carry_may_repeat(
    customer: Customer, invoice: Invoice
) -> None:
    ad_hoc = make_draft(customer, lines=[Line(invoice.pk, 1)], purpose="ad_hoc", plan_id=None)
    told_of = make_draft(customer, lines=[Line(invoice.pk, 1, False, 1, 0, 1)])
    done = services.queue(drafts=[ad_hoc, ad_hoc, told_of, told_of], now=NOW)
    assert len(done.messages) == 4


def test_the_database_itself_forbids_the_same_step_twice(
    customer: Customer, invoice: Invoice
) -> None:
    """Architecture rule 5."""
    services.queue(drafts=[make_draft(customer, invoice)], now=NOW)
    line = MessageInvoice.objects.get()
    line.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        line.save()


def test_a_race_lost_to_the_constraint_costs_only_that_draft(
    customer: Customer, invoice: Invoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody queues the step between the question and the writing."""
    services.queue(drafts=[make_draft(customer, invoice)], now=NOW)
    monkeypatch.setattr(services, "_without_steps_taken", lambda drafts: (drafts, []))
    drafts = [make_draft(customer, make_invoice(customer, f"G-{n}")) for n in range(3)]
    taken = make_draft(customer, invoice)
    done = services.queue(drafts=[*drafts[:2], taken, drafts[2]], now=NOW)
    assert len(done.messages) == 3
    assert done.refused == [services.Refusal(taken, "ALREADY_QUEUED")]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"recipients": []}, "NO_RECIPIENT"),
        ({"recipients": ["dupont"]}, "BAD_ADDRESS"),
        ({"recipients": ["dupont@example.com\r\nBcc: a@b.example"]}, "BAD_ADDRESS"),
        ({"copies": ["@example.com"]}, "BAD_ADDRESS"),
        ({"sender": "Nobody"}, "BAD_ADDRESS"),
        ({"reply_to": "x y@example.com"}, "BAD_ADDRESS"),
    ],
)
def test_what_cannot_be_addressed_is_refused_with_its_reason(
    customer: Customer, fields: dict[str, object], code: str
) -> None:
    done = services.queue(drafts=[make_draft(customer, **fields)], now=NOW)
    assert (done.messages, [refusal.code for refusal in done.refused]) == ([], [code])


def test_a_line_break_in_a_subject_is_stored_as_a_space(queue_one: QueueOne) -> None:
    assert queue_one(subject="Facture\r\nBcc: x@y.example").subject == "Facture Bcc: x@y.example"
    assert len(queue_one(subject="é" * 400).subject) == 300


def test_control_characters_of_a_spoilt_import_do_not_leave(queue_one: QueueOne) -> None:
    message = queue_one(subject="a\x00b", text="un\x00\n\tdeux\x07", html="<p>\x00</p>")
    message.refresh_from_db()
    assert (message.subject, message.text, message.html) == ("a b", "un\n\tdeux", "<p></p>")


def test_a_thousand_drafts_cost_few_questions(
    customer: Customer, invoice: Invoice, django_assert_max_num_queries: Callable[[int], object]
) -> None:
    drafts = [
        make_draft(customer, lines=[Line(invoice.pk, 1, True, 1, cycle, 1)])
        for cycle in range(1000)
    ]
    with django_assert_max_num_queries(60):  # type: ignore[attr-defined]
        assert len(services.queue(drafts=drafts, now=NOW).messages) == 1000


@pytest.mark.parametrize("status", ["draft", "to_approve", "queued", "retrying"])
def test_what_waits_can_be_cancelled_and_frees_its_step(
    queue_one: QueueOne, invoice: Invoice, status: str
) -> None:
    message = in_state(queue_one(invoice), status)
    services.cancel(message=message, reason="SETTLED", now=NOW)
    assert (message.status, message.reason, message.ended_at) == ("cancelled", "SETTLED", NOW)
    queue_one(invoice)


@pytest.mark.parametrize("status", ["sending", "sent", "uncertain", "failed", "cancelled"])
def test_what_is_leaving_or_gone_cannot_be_cancelled(
    queue_one: QueueOne, invoice: Invoice, status: str
) -> None:
    message = in_state(queue_one(invoice), status)
    with pytest.raises(services.StateConflictError) as conflict:
        services.cancel(message=message, reason="SETTLED", now=NOW)
    assert conflict.value.status == status
    assert MessageInvoice.objects.get().live


def test_cancelling_many_leaves_those_that_left(queue_one: QueueOne) -> None:
    waiting, gone = queue_one(), in_state(queue_one(), "sent")
    ids = services.cancel_many(message_ids=[waiting.pk, gone.pk], reason="EXCLUDED", now=NOW)
    assert ids == [waiting.pk]


def test_a_message_held_back_leaves_only_when_released(queue_one: QueueOne) -> None:
    message = queue_one()
    services.hold(message=message)
    assert message.status == Status.DRAFT
    services.release(message=message, now=NOW)
    assert message.status == Status.QUEUED


def test_words_change_only_before_the_message_leaves(queue_one: QueueOne) -> None:
    message = queue_one()
    words = {"subject": "Autre", "text": "t", "html": "", "recipients": ["a@b.fr"], "copies": []}
    services.edit(message=message, **words)  # type: ignore[arg-type]
    assert (message.subject, message.recipients) == ("Autre", ["a@b.fr"])
    with pytest.raises(services.OutboxError, match="BAD_ADDRESS"):
        services.edit(message=message, **{**words, "recipients": ["a"]})  # type: ignore[arg-type]
    with pytest.raises(services.StateConflictError):
        services.edit(message=in_state(message, "sending"), **words)  # type: ignore[arg-type]


def test_a_failed_message_is_tried_again_under_a_new_id(
    queue_one: QueueOne, invoice: Invoice
) -> None:
    message = queue_one(invoice)
    services.mark_failed(message=message, answer="no such user", now=NOW)
    assert not message.lines.get().live
    old = message.message_ref
    services.retry(message=message, now=NOW + timedelta(days=1))
    assert (message.status, message.error) == (Status.QUEUED, "")
    assert message.message_ref != old
    assert message.lines.get().live


def test_the_tries_of_a_message_that_came_back_keep_the_message_id_they_left_under(
    queue_one: QueueOne, invoice: Invoice
) -> None:
    """A9: sent again it gets another one; what the first sending was stays known."""
    message = in_state(queue_one(invoice), "bounced", handed_sha256="ab" * 32)
    old = message.message_ref
    for outcome in ("temporary", "sent"):
        Attempt.objects.create(
            organisation=message.organisation, message=message, at=NOW, worker="w", outcome=outcome
        )
    services.retry(message=message, now=NOW)
    tries = message.tries.order_by("pk").values_list("message_ref", "sha256")
    assert list(tries) == [(old, ""), (old, "ab" * 32)]
    assert message.handed_sha256 == ""


def test_a_failed_message_whose_step_was_queued_anew_is_not_tried_again(
    queue_one: QueueOne, invoice: Invoice
) -> None:
    message = queue_one(invoice)
    services.mark_failed(message=message, answer="no such user", now=NOW)
    queue_one(invoice)
    with pytest.raises(services.StepAlreadyQueuedError):
        services.retry(message=message, now=NOW)
    message.refresh_from_db()
    assert message.status == Status.FAILED


@pytest.fixture
def uncertain(queue_one: QueueOne, invoice: Invoice) -> Message:
    return in_state(queue_one(invoice), "uncertain", handed_at=NOW, claimed_by="gone")


def test_a_person_says_that_an_uncertain_message_left(
    uncertain: Message, django_user_model: type[User]
) -> None:
    actor = django_user_model.objects.create_user("camille@example.org")
    services.settle_uncertain(message=uncertain, sent=True, actor=actor, now=NOW)
    assert (uncertain.status, uncertain.sent_at, uncertain.recorded) == ("sent", NOW, False)
    assert Attempt.objects.get().worker == "camille@example.org"
    told: list[Message] = []
    assert delivery.record_pending(hooks=Hooks(record=told.extend), message_ids=[]) == 0
    assert delivery.record_pending(hooks=Hooks(record=told.extend)) == 1
    assert told == [uncertain]
    with pytest.raises(services.StateConflictError):
        services.settle_uncertain(message=uncertain, sent=False, actor=actor, now=NOW)


def test_a_person_says_that_an_uncertain_message_is_to_be_sent_again(
    uncertain: Message, django_user_model: type[User]
) -> None:
    actor = django_user_model.objects.create_user("camille@example.org")
    services.settle_uncertain(message=uncertain, sent=False, actor=actor, now=NOW)
    assert (uncertain.status, uncertain.handed_at) == ("queued", None)
    assert uncertain.lines.get().live


def test_what_bounced_counts_no_more(queue_one: QueueOne, invoice: Invoice) -> None:
    """Spec mail B3."""
    message = queue_one(invoice)
    services.mark_sent(message=message, now=NOW)
    assert message.status == Status.SENT
    services.mark_bounced(message=message, answer="5.1.1", now=NOW)
    assert services.is_void(message)
    assert not message.lines.get().live


def test_what_came_back_and_is_sent_again_gets_its_entries_again(
    queue_one: QueueOne, invoice: Invoice, django_user_model: type[User]
) -> None:
    """Also when that try ends in doubt and a person says that it left."""
    message = in_state(queue_one(invoice), "bounced", recorded=True, sent_at=NOW)
    services.retry(message=message, now=NOW)
    doubtful = in_state(message, "uncertain", handed_at=NOW, claimed_by="gone")
    actor = django_user_model.objects.create_user("camille@example.org")
    services.settle_uncertain(message=doubtful, sent=True, actor=actor, now=NOW)
    told: list[Message] = []
    assert delivery.record_pending(hooks=Hooks(record=told.extend)) == 1
    assert told == [message]
