"""SMS: what every provider does, the recipe of the one over HTTP, and once only, always."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from relance.accounts.models import Organisation, User
from relance.ledger.models import Customer, Invoice
from relance.outbox import claims, delivery, identity, providers, services
from relance.outbox.channels import tracking
from relance.outbox.channels.base import DeliveryError
from relance.outbox.channels.sms import SmsChannel
from relance.outbox.channels.sms.accounts import secrets_of, with_secrets
from relance.outbox.channels.sms.base import Sms, SmsProvider
from relance.outbox.channels.sms.fake import FakeSms
from relance.outbox.channels.sms.generic import GenericSms, Recipe, RecipeError, check_recipe
from relance.outbox.channels.tracking import AlreadyTakenError
from relance.outbox.delivery import Hooks, Report
from relance.outbox.models import Message, Pretended, SmsAccount, Status, Tracking
from tests.outbox.conftest import NOW, Clock, make_draft

from .web_server import Reply, Request, WebServer, serving

BODY = '{"to": "{to}", "content": "{text}", "from": "{sender}", "ref": "{reference}"}'
SMS = Sms(to="+33612345678", text="Bonjour", sender="MARTIN", key="key-1")


@dataclass
class Case:
    provider: SmsProvider
    held: Callable[[], int]
    fail: Callable[[str], None]


@pytest.fixture(params=["fake", "http"])
def case(request: Any, organisation: Organisation, settings: Any) -> Iterator[Case]:
    if request.param == "fake":
        fake = FakeSms(organisation.pk)
        errors = {
            "refused": DeliveryError("non", permanent=True),
            "later": DeliveryError("plus tard"),
            "lost": DeliveryError("perdu", uncertain=True),
            "account": DeliveryError("solde", unreachable=True),
        }
        yield Case(fake, Pretended.objects.count, lambda how: fake.faults.append(errors[how]))
        return
    settings.SMTP_PRIVATE_NETWORKS = True
    replies = {
        "refused": Reply(400, b'{"error": "bad number"}'),
        "later": Reply(429, b""),
        "lost": Reply(hang=True),
        "account": Reply(402, b"no credit"),
    }
    scripted: list[Reply] = []
    taken: list[Request] = []

    def answer(asked: Request) -> Reply:
        reply = scripted.pop(0) if scripted else None
        if reply is None or reply.hang:
            taken.append(asked)
        return reply or Reply(201, json.dumps({"messages": [{"id": len(taken)}]}).encode())

    with serving(answer) as server:
        recipe = Recipe(url=f"{server.url}/sms", ref_path="messages.0.id")
        yield Case(
            GenericSms(recipe, headers="Authorization: Bearer k", body=BODY),
            lambda: len(taken),
            lambda how: scripted.append(replies[how]),
        )


def test_a_message_is_taken_after_one_hand_over_and_has_a_reference(case: Case) -> None:
    marks: list[int] = []
    taken = case.provider.send(SMS, at=NOW, hand_over=lambda: marks.append(1))
    assert (bool(taken.ref), marks, case.held()) == (True, [1], 1)


def test_nothing_leaves_when_the_hand_over_is_refused(case: Case) -> None:
    def lost() -> None:
        raise claims.ClaimLostError

    with pytest.raises(claims.ClaimLostError):
        case.provider.send(SMS, at=NOW, hand_over=lost)
    assert case.held() == 0


@pytest.mark.parametrize(
    ("how", "permanent", "uncertain", "unreachable", "held"),
    [
        ("refused", True, False, False, 0),
        ("later", False, False, False, 0),
        ("account", False, False, True, 0),
        ("lost", False, True, False, 1),
    ],
)
def test_a_fault_says_what_is_known_about_the_message(
    case: Case, how: str, permanent: bool, uncertain: bool, unreachable: bool, held: int
) -> None:
    case.fail(how)
    with pytest.raises(DeliveryError) as fault:
        case.provider.send(SMS, at=NOW, hand_over=lambda: None)
    known = fault.value
    assert (known.permanent, known.uncertain, known.unreachable, case.held()) == (
        permanent,
        uncertain,
        unreachable,
        held,
    )


def test_what_became_of_it_is_told_in_our_words(case: Case) -> None:
    taken = case.provider.send(SMS, at=NOW, hand_over=lambda: None)
    events = case.provider.status(taken.ref, at=NOW + timedelta(hours=1))
    assert {event.status for event in events} <= {tracking.DELIVERED, tracking.ERROR}


def test_the_pretended_one_knows_its_keys_and_numbers_that_never_answer(
    organisation: Organisation,
) -> None:
    fake = FakeSms(organisation.pk)
    fake.send(SMS, at=NOW, hand_over=lambda: None)
    with pytest.raises(AlreadyTakenError):
        fake.send(SMS, at=NOW, hand_over=lambda: None)
    dead = fake.send(replace(SMS, to="+33612340000", key="2"), at=NOW, hand_over=lambda: None)
    [event] = fake.status(dead.ref, at=NOW + timedelta(minutes=2))
    assert event.status == tracking.ERROR


@pytest.fixture
def gateway(settings: Any) -> Iterator[WebServer]:
    settings.SMTP_PRIVATE_NETWORKS = True
    with serving(lambda asked: Reply(200, b'{"id": "m1", "status": "DELIVRD"}')) as server:
        yield server


HOSTILE = 'Dû : "1 200 €" & <b>\n{to} \\ ; x=1&y=2 ’'


def test_a_text_stays_a_text_in_json_in_a_form_and_in_an_address(gateway: WebServer) -> None:
    """No quote or ampersand of a message changes the request."""
    sms = replace(SMS, text=HOSTILE)

    def send(recipe: Recipe, body: str) -> Request:
        GenericSms(recipe, headers="X-Key: k", body=body).send(sms, at=NOW, hand_over=lambda: None)
        return gateway.requests[-1]

    asked = send(Recipe(url=gateway.url), BODY)
    assert json.loads(asked.body)["content"] == HOSTILE
    assert (asked.headers["content-type"], asked.headers["x-key"]) == ("application/json", "k")
    asked = send(Recipe(url=gateway.url, kind="form", to_plus=False), "to={to}&message={text}&a=1")
    assert asked.form == {"to": "33612345678", "message": HOSTILE, "a": "1"}
    url = f"{gateway.url}/send?to={{to}}&msg={{text}}&id={{reference}}"
    asked = send(Recipe(url=url, kind="none", method="GET"), "")
    assert asked.query == {"to": "+33612345678", "msg": HOSTILE, "id": "key-1"}


def test_the_state_is_asked_and_reports_are_read_by_the_same_recipe(gateway: WebServer) -> None:
    recipe = Recipe(
        url=gateway.url,
        status_url=f"{gateway.url}/state/{{ref}}",
        status_path="status",
        report_ref="id",
    )
    provider = GenericSms(recipe, headers="", body=BODY)
    [event] = provider.status("m 1", at=NOW)
    assert (event.status, gateway.requests[-1].path) == (tracking.DELIVERED, "/state/m%201")
    told = provider.read_report({"id": 7, "status": "Undelivered"}, at=NOW)
    assert told is not None
    assert (told[0], told[1].status) == ("7", tracking.ERROR)
    assert provider.read_report({"id": 7, "status": "sent"}, at=NOW) is None
    assert provider.read_report(["what"], at=NOW) is None


@pytest.mark.parametrize("status", [500, 504, 302, 100 + 199])
def test_an_answer_that_the_recipe_does_not_know_leaves_it_in_doubt(
    settings: Any, status: int
) -> None:
    settings.SMTP_PRIVATE_NETWORKS = True
    recipe = Recipe(success="200")
    with serving(lambda asked: Reply(status)) as server, pytest.raises(DeliveryError) as fault:
        GenericSms(replace(recipe, url=server.url), headers="", body=BODY).send(
            SMS, at=NOW, hand_over=lambda: None
        )
    assert fault.value.uncertain


@pytest.mark.parametrize(
    ("change", "headers", "body", "field", "code"),
    [
        ({"url": ""}, "", BODY, "url", "EMPTY"),
        ({"url": "javascript:alert(1)"}, "", BODY, "url", "WEB"),
        ({"method": "DELETE"}, "", BODY, "method", "UNKNOWN"),
        ({"success": "2xx"}, "", BODY, "success", "STATUSES"),
        ({}, "no colon", BODY, "headers", "HEADERS"),
        ({}, "Bad Name: x", BODY, "headers", "HEADERS"),
        ({}, "X: é", BODY, "headers", "HEADERS"),
        ({}, "", "{not json", "body", "JSON"),
        ({}, "", '{"to": "{to}"}', "body", "NO_PLACE"),
        ({"status_url": "https://x.example/"}, "", BODY, "status_url", "NO_PLACE"),
    ],
)
def test_a_recipe_that_could_never_work_is_refused(
    change: dict[str, str], headers: str, body: str, field: str, code: str
) -> None:
    recipe = replace(Recipe(url="https://sms.example/"), **change)
    with pytest.raises(RecipeError) as refused:
        check_recipe(recipe, headers=headers, body=body)
    assert (refused.value.field, refused.value.code) == (field, code)
    check_recipe(Recipe(url="https://sms.example/"), headers="A: b\n\nC: d", body=BODY)


@pytest.fixture
def account(organisation: Organisation) -> SmsAccount:
    return SmsAccount.objects.create(
        organisation=organisation, provider="fake", sender="MARTIN", active=True
    )


@pytest.fixture
def queue_sms(customer: Customer) -> Callable[..., Message]:
    def queue_sms(*invoices: Invoice, **fields: Any) -> Message:
        values = {"channel": "sms", "recipients": ["+33612345678"], "text": "Bonjour", "html": ""}
        draft = make_draft(customer, *invoices, **{**values, **fields})
        return services.queue(drafts=[draft], now=NOW).messages[0]

    return queue_sms


def deliver(clock: Clock) -> Report:
    return delivery.deliver_batch(
        worker=identity.new_name(), now=clock, hooks=Hooks(), channels={"sms": SmsChannel}
    )


def test_an_sms_leaves_once_and_what_became_of_it_is_learnt(
    account: SmsAccount, queue_sms: Callable[..., Message], invoice: Invoice, clock: Clock
) -> None:
    message = queue_sms(invoice)
    assert (deliver(clock).sent, deliver(clock)) == (1, Report())
    message.refresh_from_db()
    held = Pretended.objects.get()
    assert (message.status, message.provider_ref) == (Status.SENT, held.ref)
    assert held.what == {"to": "+33612345678", "text": "Bonjour", "sender": "MARTIN"}
    clock.forward(minutes=2)
    [news] = providers.poll(now=clock())
    assert [row.status for row in news.rows] == ["delivered"]
    assert [row.status for row in Tracking.objects.order_by("pk")] == ["submitted", "delivered"]


def test_killed_between_hand_over_and_answer_it_is_in_doubt_then_found(
    account: SmsAccount, queue_sms: Callable[..., Message], clock: Clock
) -> None:
    message = queue_sms()
    [mine] = claims.claim(worker="dead", at=clock(), limit=5, channels=["sms"])

    def killed() -> None:
        claims.mark_handing(message=mine, worker="dead", at=clock())

    SmsChannel().deliver(mine, at=clock(), hand_over=killed)  # and its process dies here
    delivery.settle_claims(claimant="dead", at=clock(), hooks=Hooks())
    message.refresh_from_db()
    assert message.status == Status.UNCERTAIN
    assert deliver(clock) == Report()
    clock.forward(minutes=11)
    assert providers.settle_doubts(now=clock()) == 1
    message.refresh_from_db()
    assert message.status == Status.SENT
    assert Pretended.objects.count() == 1


def test_a_provider_that_cannot_tell_leaves_the_doubt_to_a_person(
    organisation: Organisation,
    queue_sms: Callable[..., Message],
    owner: User,
    clock: Clock,
    settings: Any,
) -> None:
    settings.SMTP_PRIVATE_NETWORKS = True
    message = queue_sms()
    with serving(lambda asked: Reply(hang=True)) as server:
        mine = SmsAccount(organisation=organisation, provider="http", url=server.url, active=True)
        with_secrets(mine, headers="Authorization: Bearer s3cret", body=BODY)
        mine.save()
        assert "s3cret" not in mine.secrets
        assert secrets_of(mine) == ("Authorization: Bearer s3cret", BODY)
        assert deliver(clock).uncertain == 1
        clock.forward(minutes=11)
        assert providers.settle_doubts(now=clock()) == 0
        assert deliver(clock) == Report()
        assert len(server.requests) == 1
    message.refresh_from_db()
    assert message.status == Status.UNCERTAIN
    services.settle_uncertain(message=message, sent=True, actor=owner, now=clock())
    assert deliver(clock) == Report()


def test_an_sms_without_a_number_is_not_queued(
    account: SmsAccount, customer: Customer, clock: Clock
) -> None:
    draft = make_draft(customer, channel="sms", recipients=[], html="")
    queued = services.queue(drafts=[draft], now=NOW)
    assert [refusal.code for refusal in queued.refused] == ["NO_PHONE"]
