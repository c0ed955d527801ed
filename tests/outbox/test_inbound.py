"""Mails that come in: kept once, given to whom they belong, and what follows from them."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from django.db import DataError, connection

from relance.accounts.models import Organisation
from relance.formats.mail_words import Words
from relance.history.models import Event
from relance.history.services import verify
from relance.ledger.models import Contact, Customer, Invoice
from relance.outbox.inbound import applying, intake
from relance.outbox.inbound.addresses import organisation_of, own_address
from relance.outbox.inbound.handlers import Handlers
from relance.outbox.inbound.intake import take_in
from relance.outbox.inbound.routing import customer_of, is_at
from relance.outbox.inbound.work import handle_pending
from relance.outbox.models import Inbound, Message, MessageInvoice, Refusal, Status, Stray
from relance.outbox.services import Attached, queue
from tests.outbox.conftest import NOW, make_draft
from tests.outbox.mails import answer, bounce, complaint, unknown, with_file

Queue = Callable[..., Message]
DUPONT = "dupont@example.com"


@pytest.fixture
def sent(queue_one: Queue, invoice: Invoice, customer: Customer) -> Message:
    """A reminder that left to Dupont an hour ago."""
    Customer.objects.filter(pk=customer.pk).update(email=DUPONT)
    return left(queue_one(invoice))


def left(message: Message, status: str = Status.SENT) -> Message:
    Message.objects.filter(pk=message.pk).update(
        status=status,
        handed_at=NOW - timedelta(hours=1),
        sent_at=NOW - timedelta(hours=1) if status == Status.SENT else None,
        recorded=status == Status.SENT,
    )
    message.refresh_from_db()
    return message


def arrives(raw: bytes, organisation: Organisation | None = None, **hooks: object) -> Inbound:
    """The mail is taken in and handled at once."""
    kept = take_in(raw, inbox=None, organisation=organisation, now=NOW)
    assert isinstance(kept, Inbound)
    handle_pending(now=NOW, handlers=Handlers(**hooks))  # type: ignore[arg-type]
    kept.refresh_from_db()
    return kept


def kinds(organisation: Organisation) -> list[str]:
    return list(
        Event.objects.filter(organisation=organisation)
        .order_by("seq")
        .values_list("kind", flat=True)
    )


def test_a_reply_finds_its_thread_its_customer_and_stops_nothing(sent: Message) -> None:
    """Spec mail B2: it stands in the history, waits to be seen, and changes no message."""
    kept = arrives(answer(sent.message_ref))
    assert (kept.kind, kept.message, kept.customer) == (Inbound.Kind.REPLY, sent, sent.customer)
    assert kept.text == "Bonjour,\n\nLe virement part demain."
    assert kept.seen_at is None
    sent.refresh_from_db()
    assert sent.status == Status.SENT
    assert kinds(sent.organisation) == ["reply_received"]
    assert verify(sent.organisation) is None


def test_the_same_mail_is_taken_in_once_whatever_its_way_in(sent: Message) -> None:
    """A copy by IMAP and one by webhook differ in their trace only."""
    raw = answer(sent.message_ref)
    assert take_in(raw, inbox=None, organisation=None, now=NOW) is not None
    again = b"Received: from elsewhere\r\n" + raw.replace(b"\n", b"\r\n")
    assert take_in(again, inbox=None, organisation=sent.organisation, now=NOW) is None
    assert Inbound.objects.count() == 1


def test_a_mail_is_handled_once_whoever_tries(sent: Message) -> None:
    kept = arrives(answer(sent.message_ref))
    assert handle_pending(now=NOW, handlers=Handlers()) == 0
    assert Event.objects.filter(message_id=sent.pk).count() == 1
    assert kept.handled_at == NOW


def test_a_hard_bounce_undoes_the_message_and_disables_the_address(sent: Message) -> None:
    """Spec mail B3: no level, no contact; its steps may be queued again."""
    told: list[Message] = []
    kept = arrives(
        bounce(sent.message_ref, unknown(DUPONT)), bounced=lambda some, now: told.extend(some)
    )
    sent.refresh_from_db()
    assert sent.status == Status.BOUNCED
    assert "user unknown" in sent.error
    assert not MessageInvoice.objects.get(message=sent).live
    customer = Customer.objects.get(pk=sent.debtor_id)
    assert customer.email_invalid_since == NOW.date()
    assert "user unknown" in customer.email_invalid_reason
    assert told == [sent]
    assert kept.seen_at == NOW, "the error is shown among the errors, not among the replies"
    assert kinds(sent.organisation) == ["address_refused", "refusal_received", "message_bounced"]


def test_a_full_box_keeps_the_address_but_the_message_reached_nobody(sent: Message) -> None:
    arrives(bounce(sent.message_ref, (DUPONT, "5.2.2", "552 mailbox full")))
    sent.refresh_from_db()
    assert sent.status == Status.BOUNCED
    assert Customer.objects.get(pk=sent.debtor_id).email_invalid_since is None


def test_three_refusals_in_fourteen_days_are_as_good_as_a_dead_address(
    customer: Customer, sent: Message
) -> None:
    messages = [sent]
    for number in range(2):
        draft = make_draft(customer, level=2 + number)
        messages.append(left(queue(drafts=[draft], now=NOW).messages[0]))
    for number, message in enumerate(messages):
        assert Customer.objects.get(pk=customer.pk).email_invalid_since is None
        full = (DUPONT, "4.2.2", "452 mailbox full")
        arrives(bounce(message.message_ref, full, own_id=f"<b{number}@mx.example>"))
    customer.refresh_from_db()
    assert customer.email_invalid_since == NOW.date()
    assert customer.email_invalid_reason == "trois refus en quatorze jours"


def test_a_delay_is_no_failure(sent: Message) -> None:
    raw = bounce(sent.message_ref, (DUPONT, "4.4.1", "connection refused"), action="delayed")
    kept = arrives(raw)
    sent.refresh_from_db()
    assert (kept.kind, sent.status) == (Inbound.Kind.SOFT, Status.SENT)
    assert not Refusal.objects.exists()


def test_of_several_recipients_only_those_that_failed_are_marked(
    queue_one: Queue, invoice: Invoice, customer: Customer
) -> None:
    """The message bounced only once all of them have refused it."""
    for name in ("anne", "paul"):
        Contact.objects.create(
            organisation=customer.organisation,
            customer=customer,
            name=name,
            email=f"{name}@example.com",
        )
    to = ["Anne <Anne@example.com>", "paul@example.com"]
    message = left(queue_one(invoice, recipients=to))
    arrives(bounce(message.message_ref, unknown("anne@example.com")))
    message.refresh_from_db()
    assert message.status == Status.SENT
    refused = Contact.objects.filter(invalid_since__isnull=False)
    assert [one.name for one in refused] == ["anne"]
    arrives(bounce(message.message_ref, unknown("paul@example.com"), own_id="<b2@mx.example>"))
    message.refresh_from_db()
    assert message.status == Status.BOUNCED


def test_one_report_about_two_recipients_is_read_whole(queue_one: Queue, invoice: Invoice) -> None:
    message = left(queue_one(invoice, recipients=["a@example.com", "b@example.com"]))
    arrives(bounce(message.message_ref, unknown("a@example.com"), unknown("b@example.com")))
    message.refresh_from_db()
    assert message.status == Status.BOUNCED
    assert Refusal.objects.count() == 2


def test_a_forged_refusal_of_another_address_disables_nothing(sent: Message) -> None:
    """Its Message-ID is known; the address is none that we wrote to."""
    customer = Customer.objects.get(pk=sent.debtor_id)
    other = Contact.objects.create(
        organisation=sent.organisation, customer=customer, name="Paul", email="paul@example.com"
    )
    kept = arrives(bounce(sent.message_ref, unknown("paul@example.com")))
    sent.refresh_from_db()
    other.refresh_from_db()
    assert (sent.status, other.invalid_since) == (Status.SENT, None)
    assert kept.seen_at is None, "a person looks at it"


def test_a_message_diverted_by_the_test_mode_says_nothing_of_its_customer(sent: Message) -> None:
    Message.objects.filter(pk=sent.pk).update(diverted_to="essai@martin.example")
    arrives(bounce(sent.message_ref, unknown(DUPONT)))
    sent.refresh_from_db()
    assert sent.status == Status.SENT
    assert Customer.objects.get(pk=sent.debtor_id).email_invalid_since is None


def test_an_absence_note_says_until_when_and_is_no_answer(sent: Message) -> None:
    Contact.objects.create(
        organisation=sent.organisation, customer_id=sent.debtor_id, name="Zoé", email=DUPONT
    )
    raw = answer(
        sent.message_ref,
        "Je suis absente jusqu’au 12 mars 2026.",
        headers="Auto-Submitted: auto-replied\n",
    )
    kept = arrives(raw)
    assert (kept.kind, kept.absent_until) == (Inbound.Kind.AUTO_REPLY, date(2026, 3, 12))
    assert kept.seen_at == NOW, "nobody is asked to look at it"
    assert Contact.objects.get().absent_until == date(2026, 3, 12)
    assert kinds(sent.organisation) == ["absence_received"]


def test_whoever_complains_gets_no_mail_any_more(sent: Message) -> None:
    looked_at: list[int] = []
    kept = arrives(
        complaint(sent.message_ref, DUPONT),
        changed=lambda organisation, some, now: looked_at.extend(some),
    )
    sent.refresh_from_db()
    customer = Customer.objects.get(pk=sent.debtor_id)
    assert customer.email_invalid_reason == "a signalé nos e-mails comme indésirables"
    assert sent.status == Status.SENT, "it arrived"
    assert looked_at == [customer.pk]
    assert kept.seen_at is None


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (lambda ref: answer(ref), Status.SENT),
        (lambda ref: bounce(ref, unknown(DUPONT)), Status.BOUNCED),
        (lambda ref: bounce(ref, (DUPONT, "4.4.1", "later"), action="delayed"), Status.SENT),
    ],
)
def test_what_comes_back_settles_an_uncertain_message(
    queue_one: Queue, invoice: Invoice, raw: Callable[[str], bytes], status: str
) -> None:
    """It speaks of the Message-ID, so the message left: nobody has to say so."""
    message = left(queue_one(invoice), Status.UNCERTAIN)
    arrives(raw(message.message_ref))
    message.refresh_from_db()
    assert message.status == status
    if status == Status.SENT:
        assert message.sent_at == message.handed_at
        assert not message.recorded, "the worker writes its entries"
        assert "message_settled" in kinds(message.organisation)


def test_a_refusal_quicker_than_the_worker_waits_until_the_message_is_sent(
    queue_one: Queue, invoice: Invoice
) -> None:
    message = queue_one(invoice)
    Message.objects.filter(pk=message.pk).update(status=Status.SENDING, handed_at=NOW)
    kept = arrives(bounce(message.message_ref, unknown(DUPONT)))
    assert kept.handled_at is None
    left(message)
    assert handle_pending(now=NOW, handlers=Handlers()) == 1
    message.refresh_from_db()
    assert message.status == Status.BOUNCED


def test_a_handler_that_breaks_undoes_everything_and_is_tried_again(
    sent: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(some: object, now: object) -> None:
        raise RuntimeError("database gone")

    kept = arrives(bounce(sent.message_ref, unknown(DUPONT)), bounced=broken)
    sent.refresh_from_db()
    assert (kept.handled_at, sent.status) == (None, Status.SENT)
    later = NOW + timedelta(minutes=11)
    assert handle_pending(now=NOW, handlers=Handlers()) == 0, "it rests"
    assert handle_pending(now=later, handlers=Handlers()) == 1


def test_our_own_copy_is_no_answer(sent: Message) -> None:
    """Recevoir une copie (S2-20) may bring our own mail back to an inbox that is read."""
    raw = answer(own_id=sent.message_ref)
    assert take_in(raw, inbox=None, organisation=sent.organisation, now=NOW) is None
    assert not Inbound.objects.exists()


def test_a_mail_of_nobody_is_kept_for_the_operator_and_shown_to_no_dossier(
    organisation: Organisation,
) -> None:
    raw = answer("<unknown@elsewhere.example>", sender="qui@nulle-part.example")
    kept = take_in(raw, inbox=None, organisation=None, now=NOW)
    assert isinstance(kept, Stray)
    assert take_in(raw, inbox=None, organisation=None, now=NOW) is None
    assert not Inbound.objects.exists()
    assert kept.raw.read() == raw


def test_the_message_of_another_dossier_is_not_found_from_this_inbox(sent: Message) -> None:
    other = Organisation.objects.create(name="Ailleurs", slug="ailleurs")
    kept = arrives(answer(sent.message_ref), other)
    assert (kept.organisation, kept.message, kept.customer) == (other, None, None)


def test_a_sender_known_to_two_dossiers_is_given_to_neither(sent: Message) -> None:
    first = take_in(answer(own_id="<1@x>"), inbox=None, organisation=None, now=NOW)
    assert isinstance(first, Inbound)
    other = Organisation.objects.create(name="Ailleurs", slug="ailleurs")
    Customer.objects.create(organisation=other, code="D", name="D", search="d", email=DUPONT)
    second = take_in(answer(own_id="<2@x>"), inbox=None, organisation=None, now=NOW)
    assert isinstance(second, Stray)


@pytest.mark.parametrize("base", ["collect@relance.example", "@in.relance.example"])
def test_each_dossier_has_an_address_of_its_own(
    organisation: Organisation, settings, base: str
) -> None:
    settings.INBOUND_ADDRESS = base
    address = own_address(organisation)
    assert own_address(organisation) == address
    assert organisation_of(["x@y.example", address.upper()]) == organisation
    assert organisation_of([address.replace(organisation.inbound_key, "abcdefghij")]) is None
    kept = take_in(
        answer(to=f"Martin <{address}>", sender="nouveau@client.example"),
        inbox=None,
        organisation=None,
        now=NOW,
    )
    assert isinstance(kept, Inbound)
    assert (kept.organisation, kept.customer) == (organisation, None)


def test_without_a_setting_no_address_is_offered(organisation: Organisation) -> None:
    assert own_address(organisation) == ""
    assert organisation_of(["collect+abcdefghij@relance.example"]) is None


def test_files_sent_to_the_dossier_are_handed_on_as_documents(
    organisation: Organisation, settings
) -> None:
    settings.INBOUND_ADDRESS = "collect@relance.example"
    got: list[Attached] = []
    raw = with_file(to=own_address(organisation), name="../../etc/passwd.pdf")
    kept = arrives(raw, documents=lambda inbound, files, now: got.extend(files))
    assert kept.kind == Inbound.Kind.DOCUMENTS
    assert got == [Attached("etc-passwd.pdf", "application/pdf", b"%PDF-1.4\n")]


def test_an_answer_to_a_request_for_receipts_is_handed_on_with_its_files(
    queue_one: Queue,
) -> None:
    message = left(queue_one(customer_id=None, purpose=Message.Purpose.RECEIPTS, request_id=7))
    got: list[tuple[int | None, int]] = []

    def documents(inbound: Inbound, files: list[Attached], now: object) -> None:
        assert inbound.message is not None
        got.append((inbound.message.request_id, len(files)))

    arrives(with_file(message.message_ref), documents=documents)
    assert got == [(7, 1)]


def test_a_request_for_receipts_that_comes_back_is_bounced(queue_one: Queue) -> None:
    message = left(queue_one(customer_id=None, purpose=Message.Purpose.RECEIPTS, request_id=7))
    told: list[Message] = []
    arrives(
        bounce(message.message_ref, unknown(DUPONT)), bounced=lambda some, now: told.extend(some)
    )
    message.refresh_from_db()
    assert (message.status, told) == (Status.BOUNCED, [message])


def test_a_mail_that_another_worker_takes_in_at_this_moment_is_kept_once(
    sent: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have seen that it is new; the unique constraint decides, and no file is left behind."""
    raw = answer(sent.message_ref)
    kept = intake._kept

    def meanwhile(row: Inbound, content: bytes, digest: str) -> Inbound | None:
        monkeypatch.setattr(intake, "_kept", kept)
        assert take_in(raw, inbox=None, organisation=None, now=NOW) is not None
        return kept(row, content, digest)

    monkeypatch.setattr(intake, "_kept", meanwhile)
    assert take_in(raw, inbox=None, organisation=None, now=NOW) is None
    [one] = Inbound.objects.all()
    assert one.raw.read() == raw
    assert one.raw.storage.listdir("inbound")[1].count(one.raw.name.split("/")[1]) == 1


def test_of_two_workers_with_the_same_mail_in_hand_one_handles_it(sent: Message) -> None:
    kept = take_in(answer(sent.message_ref), inbox=None, organisation=None, now=NOW)
    assert isinstance(kept, Inbound)
    done = [applying.apply(inbound_id=kept.pk, handlers=Handlers(), now=NOW) for _worker in "ab"]
    assert done == [True, False]
    assert kinds(sent.organisation) == ["reply_received"]


HOSTILE = [
    (
        b"From: =?utf-8?q?A=00?= <a\x00b@c.fr>\r\nMessage-ID: <x\x00@y>\r\n"
        b"Subject: =?utf-8?q?a=00b?=\r\n\r\nBonjour\x00"
    ),
    (
        b"From: MAILER-DAEMON@x.fr\r\nContent-Type: multipart/report;"
        b" report-type=delivery-status; boundary=b\r\n\r\n--b\r\n"
        b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns;x\r\n\r\n"
        b"Final-Recipient: rfc822; a\x00b@c.fr\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        b"Diagnostic-Code: smtp; 550 5.1.1 \x00\r\n\r\n--b--\r\n"
    ),
    (
        b"In-Reply-To: <a\x00b@c>\r\nReferences: <q\x00@d>\r\nTo: x+\x00abc@x\r\n"
        b"From: a@b.fr\r\n\r\n\x00"
    ),
]


@pytest.mark.parametrize("raw", HOSTILE)
@pytest.mark.parametrize("scoped", [True, False])
def test_a_mail_of_characters_that_no_database_stores_is_taken_in_and_handled(
    organisation: Organisation, raw: bytes, scoped: bool
) -> None:
    """PostgreSQL refuses a NUL: the inbox would stand still at this mail for ever."""
    kept = take_in(raw, inbox=None, organisation=organisation if scoped else None, now=NOW)
    assert kept is not None
    told = " ".join(
        str(getattr(kept, name, "")) for name in ("sender", "subject", "text", "address")
    )
    assert "\x00" not in told
    handle_pending(now=NOW, handlers=Handlers())
    assert not Inbound.objects.filter(handled_at=None).exists()


def test_a_mail_whose_words_the_database_refuses_is_kept_for_a_person(
    organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = intake.route

    def refuses(reading: object, words: Words, **more: object) -> object:
        if words.sender:
            raise DataError("not in this encoding")
        return real(reading, words, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(intake, "route", refuses)
    raw = b"From: a@b.fr\r\nSubject: x\r\n\r\nBonjour"
    kept = take_in(raw, inbox=None, organisation=organisation, now=NOW)
    assert isinstance(kept, Inbound)
    assert (kept.sender, kept.raw.read()) == ("", raw)
    assert take_in(raw, inbox=None, organisation=organisation, now=NOW) is None


def test_the_customer_of_an_address_is_found_by_an_index(organisation: Organisation) -> None:
    """Whatever its case, in a dossier or in all of them; no mail that comes in reads them all."""
    if connection.vendor == "postgresql":  # it reads a small table whole, rightly
        connection.cursor().execute("SET LOCAL enable_seqscan = off")
    for rows, index in (
        (Customer.objects.filter(is_at(DUPONT)), "customer_email"),
        (Customer.objects.filter(is_at(DUPONT), organisation=organisation), "customer_email"),
        (Contact.objects.filter(is_at(DUPONT)), "contact_email"),
        (Contact.objects.filter(is_at(DUPONT), organisation=organisation), "contact_email"),
    ):
        assert index in rows.explain()


def test_an_address_is_the_same_in_other_case_but_no_pattern(customer: Customer) -> None:
    Customer.objects.filter(pk=customer.pk).update(email="Du_Pont@Example.com")
    assert customer_of(customer.organisation, "DU_PONT@example.COM") == customer.pk
    assert customer_of(customer.organisation, "du-pont@example.com") is None
