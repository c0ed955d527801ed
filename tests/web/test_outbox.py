"""Envois: messages by state with their remedies, one message as it was sent, the switch."""

import email
import email.policy
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.test import Client
from django.urls import reverse

from relance.accounts.models import Organisation, User
from relance.dunning.daily import run
from relance.dunning.models import Plan
from relance.history.models import Event
from relance.ledger.models import Customer, Invoice
from relance.outbox import services as outbox
from relance.outbox.models import Attempt, Message, MessageInvoice, Status
from relance.web.smtp_words import SENTENCES, cancelled_words, kind_of_answer
from tests.conftest import NOW, TODAY, make_customer, make_invoice

PIECE = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relance.accounts.clock.now", lambda: NOW)


@pytest.fixture
def signed(client: Client) -> Callable[[User], Client]:
    def sign(user: User) -> Client:
        client.force_login(user)
        return client

    return sign


@pytest.fixture
def message(organisation: Organisation, customer: Customer) -> Message:
    """An automatic message of today, in the queue."""
    make_invoice(customer, "F-7", TODAY - timedelta(days=7), 123_456)
    run.run(organisation, on=TODAY, now=NOW, spread=False, pause=0)
    return Message.objects.get()


def url(name: str, organisation: Organisation, *rest: object) -> str:
    return reverse(name, args=[organisation.slug, *rest])


def text_of(client: Client, address: str) -> str:
    return client.get(address).content.decode()


def test_a_file_has_the_name_that_the_mail_gives_it(
    organisation: Organisation, owner: User, message: Message, signed: Callable[[User], Client]
) -> None:
    """S2-17: the page says what left, also of a number that no file can be called by."""
    invoice = Invoice.objects.get()
    Invoice.objects.update(number="F/7")
    invoice.document.save("scan.PDF", ContentFile(b"%PDF-1.4"))
    Invoice.objects.update(number="F/7")
    message.refresh_from_db()
    client = signed(owner)
    eml = client.get(url("message_eml", organisation, message.pk)).content
    mail = email.message_from_bytes(eml, policy=email.policy.default)
    [attached] = [part.get_filename() for part in mail.iter_attachments()]
    assert attached == "F-7.pdf"
    assert attached in text_of(client, url("message_detail", organisation, message.pk))


def test_each_state_has_its_place_and_trouble_comes_first(
    organisation: Organisation, owner: User, message: Message, signed: Callable[[User], Client]
) -> None:
    client = signed(owner)
    address = url("outbox_list", organisation)
    for state, place in [
        (Status.QUEUED, "file"),
        (Status.SENT, "partis"),
        (Status.FAILED, "echecs"),
        (Status.BOUNCED, "echecs"),
        (Status.UNCERTAIN, "incertains"),
        (Status.CANCELLED, "annules"),
        (Status.EXPIRED, "annules"),
    ]:
        Message.objects.update(status=state)
        assert "Pharmacie Delmas" in text_of(client, f"{address}?etat={place}"), state
        shown_at_once = state not in (Status.CANCELLED, Status.EXPIRED)
        assert ("Pharmacie Delmas" in text_of(client, address)) is shown_at_once, state


def test_the_list_filters_and_hostile_filters_are_left_aside(
    organisation: Organisation, owner: User, message: Message, signed: Callable[[User], Client]
) -> None:
    client = signed(owner)
    address = url("outbox_list", organisation) + "?etat=file"
    for query, there in [
        ("&q=delmas", True),
        ("&q=zorro", False),
        ("&origine=auto", True),
        ("&origine=main", False),
        ("&du=2026-11-24&au=2026-11-24", True),
        ("&au=2026-11-23", False),
        ("&du=demain&origine=%27&avant=99999999999999999999999&q=%00", True),
        (f"&avant={message.pk}", False),
    ]:
        assert ("Pharmacie Delmas" in text_of(client, address + query)) is there, query


def test_pages_are_walked_by_key_and_cost_the_same(
    organisation: Organisation,
    owner: User,
    plan: Plan,
    signed: Callable[[User], Client],
    django_assert_max_num_queries: Any,
) -> None:
    for number in range(60):
        customer = make_customer(organisation, plan, f"Client {number:02}")
        make_invoice(customer, f"F-{number}", TODAY - timedelta(days=7))
    run.run(organisation, on=TODAY, now=NOW, spread=False, pause=0)
    Message.objects.update(status=Status.SENT, sent_at=NOW)
    client = signed(owner)
    address = url("outbox_list", organisation) + "?etat=partis"
    with django_assert_max_num_queries(26):
        first = text_of(client, address)
    assert first.count("data-row ") + first.count("data-row>") == 50
    last = Message.objects.order_by("-id")[49].pk
    assert f"avant={last}" in first
    second = text_of(client, f"{address}&avant={last}")
    assert second.count('id="message-') == 10


def test_a_message_is_shown_as_it_was_sent_without_its_markup_acting(
    organisation: Organisation, owner: User, message: Message, signed: Callable[[User], Client]
) -> None:
    """S2-17: headers, recipients, body; a hostile body is text, never a script."""
    Message.objects.update(html="<p onclick=x()>Bonjour</p><script>alert(1)</script>")
    text = text_of(signed(owner), url("message_detail", organisation, message.pk))
    assert "compta@pharmacie.example" in text
    assert "<p>Bonjour</p>" in text
    assert "alert(1)" not in text
    assert "F-7" in text


def test_the_eml_is_the_mail_itself(
    organisation: Organisation, owner: User, message: Message, signed: Callable[[User], Client]
) -> None:
    answer = signed(owner).get(url("message_eml", organisation, message.pk))
    assert answer.headers["Content-Type"] == "message/rfc822"
    mail = email.message_from_bytes(answer.content, policy=email.policy.default)
    assert mail["Message-ID"] == message.message_ref
    assert mail["Subject"] == message.subject


def test_a_failed_message_says_why_and_leaves_again_to_the_corrected_address(
    organisation: Organisation, owner: User, message: Message, signed: Callable[[User], Client]
) -> None:
    """The server's answer in French and as it came; one correction, then the queue again."""
    raw = "5.1.1 <compta@x>: Recipient address rejected: User unknown"
    outbox.mark_failed(message=message, answer=f"550 {raw}", now=NOW)
    Attempt.objects.create(
        organisation=organisation,
        message=message,
        at=NOW,
        worker="w",
        outcome="permanent",
        code=550,
        answer=raw,
    )
    client = signed(owner)
    text = text_of(client, url("message_detail", organisation, message.pk))
    assert "L’adresse n’existe pas chez son hébergeur." in text
    assert "User unknown" in text
    wrong = client.post(
        url("message_retry", organisation, message.pk), {"to": "pas une adresse"}, headers=PIECE
    )
    assert "n’est pas valable" in wrong.content.decode()
    message.refresh_from_db()
    assert message.status == Status.FAILED, "a refused correction changes nothing"
    client.post(url("message_retry", organisation, message.pk), {"to": "juste@delmas.example"})
    message.refresh_from_db()
    assert (message.status, message.recipients) == (Status.QUEUED, ["juste@delmas.example"])
    assert MessageInvoice.objects.get().live


def test_a_step_written_anew_is_not_sent_twice(
    organisation: Organisation, owner: User, message: Message, signed: Callable[[User], Client]
) -> None:
    outbox.mark_failed(message=message, answer="550 no", now=NOW)
    run.run(organisation, on=TODAY, now=NOW, spread=False, pause=0)
    assert Message.objects.count() == 2
    answer = signed(owner).post(url("message_retry", organisation, message.pk), headers=PIECE)
    assert "l’autre message la remplace" in answer.content.decode()
    message.refresh_from_db()
    assert message.status == Status.FAILED


def test_an_uncertain_message_is_settled_by_a_person_who_knows(
    organisation: Organisation, owner: User, message: Message, signed: Callable[[User], Client]
) -> None:
    client = signed(owner)
    Message.objects.update(status=Status.UNCERTAIN, handed_at=NOW)
    text = text_of(client, url("message_detail", organisation, message.pk))
    assert "Il est parti" in text
    assert "Renvoyer" in text
    assert "le client l’aura deux fois" in text
    client.post(url("message_settle", organisation, message.pk), {"sent": "1"})
    message.refresh_from_db()
    assert message.status == Status.SENT
    again = client.post(
        url("message_settle", organisation, message.pk), {"sent": "0"}, headers=PIECE
    )
    assert "Trop tard" in again.content.decode()
    message.refresh_from_db()
    assert message.status == Status.SENT


def test_an_uncertain_message_can_leave_again(
    organisation: Organisation, owner: User, message: Message, signed: Callable[[User], Client]
) -> None:
    Message.objects.update(status=Status.UNCERTAIN, handed_at=NOW)
    signed(owner).post(url("message_settle", organisation, message.pk), {"sent": "0"})
    message.refresh_from_db()
    assert message.status == Status.QUEUED


def test_the_page_says_when_an_uncertain_message_would_leave_again(
    organisation: Organisation,
    owner: User,
    message: Message,
    signed: Callable[[User], Client],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """D-14: what is automatic keeps to its hours; a person's own mail leaves at once."""
    sunday = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
    monkeypatch.setattr("relance.accounts.clock.now", lambda: sunday)
    Message.objects.update(status=Status.UNCERTAIN, handed_at=NOW, automatic=True)
    client, page = signed(owner), url("message_detail", organisation, message.pk)
    hour = organisation.send_at.strftime("%H:%M")
    text = text_of(client, page)
    [said] = re.findall("Le message repart[^<]*", text)
    assert said.startswith("Le message repart le 23\u00a0nov")
    assert f"à {hour}, à la prochaine heure d’envoi." in text
    assert "tout de suite" not in text
    Message.objects.update(automatic=False)
    assert "Le message repart tout de suite." in text_of(client, page)


def test_a_waiting_message_can_be_kept_back_with_its_reason(
    organisation: Organisation, owner: User, message: Message, signed: Callable[[User], Client]
) -> None:
    client = signed(owner)
    client.post(url("message_cancel", organisation, message.pk))
    text = text_of(client, url("message_detail", organisation, message.pk))
    assert "Annulé à la main." in text
    late = client.post(url("message_cancel", organisation, message.pk), headers=PIECE)
    assert "Trop tard" in late.content.decode()


def a_request(organisation: Organisation, **fields: Any) -> Message:
    """A request for receipts in the outbox: it chases no customer."""
    values = {
        "purpose": Message.Purpose.RECEIPTS,
        "status": Status.QUEUED,
        "on": TODAY,
        "not_before": NOW,
        "sender": "collect@relance.example",
        "recipients": ["client@delmas.example"],
        "subject": "Justificatifs manquants",
        "text": "Bonjour",
        "made_at": NOW,
        "message_ref": outbox.new_message_ref("collect@relance.example"),
    }
    return Message.objects.create(organisation=organisation, **(values | fields))


def test_the_morning_is_shown_while_a_request_for_receipts_leaves_or_is_uncertain(
    signed: Callable[[User], Client], owner: User, organisation: Organisation
) -> None:
    """S0-02: both chases share the outbox, so the morning names whom each message is for."""
    browser, morning = signed(owner), url("today", organisation)
    soon = NOW + timedelta(seconds=8)
    request = a_request(organisation, made_by=owner, not_before=soon)
    assert "Message à client@delmas.example" in browser.get(morning).content.decode()
    a_request(organisation, automatic=True)
    assert "client@delmas.example</a>" in browser.get(morning).content.decode()

    Message.objects.filter(pk=request.pk).update(status=Status.UNCERTAIN, handed_at=NOW)

    shown = browser.get(morning)
    assert shown.status_code == 200
    assert url("message_detail", organisation, request.pk) in shown.content.decode()


def test_a_request_for_receipts_can_be_kept_back_too(
    signed: Callable[[User], Client], owner: User, organisation: Organisation
) -> None:
    """It chases no customer: nothing of the plan is offered, and nothing of it is looked at."""
    asked = a_request(organisation, automatic=True)
    browser = signed(owner)
    shown = browser.get(url("message_detail", organisation, asked.pk)).content.decode()
    assert "Annuler ce message" in shown
    assert "Retenir ou modifier" not in shown

    browser.post(url("message_cancel", organisation, asked.pk))

    asked.refresh_from_db()
    assert (asked.status, asked.reason) == (Status.CANCELLED, "BY_HAND")
    assert Event.objects.get(message_id=asked.pk).actor_name == str(owner)


def test_a_reader_reads_and_no_deed_of_his_is_taken(
    organisation: Organisation,
    colleague: User,
    message: Message,
    signed: Callable[[User], Client],
) -> None:
    client = signed(colleague)
    text = text_of(client, url("message_detail", organisation, message.pk))
    assert "lecture seule" in text
    assert "Annuler ce message" not in text
    assert "Un administrateur peut les suspendre" in text_of(
        client, url("outbox_list", organisation)
    )
    for name in ("message_retry", "message_settle", "message_cancel", "message_undo"):
        assert client.post(url(name, organisation, message.pk)).status_code == 403
    assert client.post(url("sending_switch", organisation)).status_code == 403
    message.refresh_from_db()
    assert message.status == Status.QUEUED


def test_the_switch_suspends_what_leaves_by_itself_and_the_history_tells_it(
    organisation: Organisation, owner: User, message: Message, signed: Callable[[User], Client]
) -> None:
    client = signed(owner)
    answer = client.post(url("sending_switch", organisation), {"sending": "off"}, follow=True)
    assert "1 message en file ne partira pas." in answer.content.decode()
    organisation.refresh_from_db()
    assert not organisation.sending_on
    client.post(url("sending_switch", organisation), {"sending": "on"})
    organisation.refresh_from_db()
    assert organisation.sending_on
    events = Event.objects.filter(kind="sending_switched").order_by("seq")
    assert [event.data["sending_on"] for event in events] == [[True, False], [False, True]]


@pytest.mark.parametrize(
    ("code", "answer", "kind"),
    [
        (550, "5.1.1 User unknown", "address"),
        (550, "No such user here", "address"),
        (550, "5.1.2 Bad destination system", "domain"),
        (452, "4.2.2 Over quota", "full"),
        (550, "5.2.1 The account is disabled", "closed"),
        (552, "message exceeds size", "heavy"),
        (535, "5.7.8 Authentication failed", "login"),
        (554, "5.7.1 Message rejected as spam", "policy"),
        (None, "[Errno 111] Connection refused", "line"),
        (451, "Greylisted", "later"),
        (554, "Transaction failed", "refused"),
        (None, "", "refused"),
    ],
)
def test_what_a_server_answers_is_said_in_french(code: int | None, answer: str, kind: str) -> None:
    assert kind_of_answer(code, answer) == kind
    short, sentence = SENTENCES[kind]
    assert str(short)
    assert str(sentence).endswith(".")


def test_every_reason_to_cancel_has_words_without_holes() -> None:
    """The codes of the engine, and those of people and of the switch."""
    from relance.engine.model import REASON_CODES

    for code in [*REASON_CODES, "CALLED_BACK", "BY_HAND", "CHANGED", "never seen"]:
        words = cancelled_words(code)
        assert words.endswith(".")
        assert "—" not in words
        assert "{" not in words
