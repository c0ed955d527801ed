"""Avant l'envoi (A2): what leaves next is read, approved, held, reworded or dropped first."""

from datetime import date, timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client

from relance.accounts import clock
from relance.accounts.models import DunningRole, Organisation, User
from relance.accounts.services import add_member
from relance.dunning.daily import refreshing, run
from relance.dunning.daily.hooks import hooks
from relance.dunning.models import Entry, Plan, Step
from relance.dunning.recaps import recap_facts
from relance.history.models import Event
from relance.ledger import services as ledger
from relance.ledger.models import Customer
from relance.outbox import identity
from relance.outbox.channels.fake import FakeChannel
from relance.outbox.delivery import deliver_batch
from relance.outbox.models import Message, Status
from tests.conftest import NOW, TODAY, at, make_customer, make_invoice
from tests.web.morning import url

TOMORROW = TODAY + timedelta(days=1)
D = "/d/ateliers-kerdoncuff/avant-envoi/"


def look(organisation: Organisation, on: date = TODAY) -> None:
    """Outlooks as of the day, with nothing sent."""
    refreshing.refresh_all(organisation, on=on, now=at(on))


def page(client: Client, query: str = "") -> str:
    answer = client.get(D + query)
    assert answer.status_code == 200
    return unescape(answer.content.decode()).replace("\u00a0", " ").replace("\u202f", " ")


def morning_of(monkeypatch: pytest.MonkeyPatch, hours_before: int = 2) -> None:
    """Camille looks before the hour of departure."""
    early = NOW - timedelta(hours=hours_before)
    monkeypatch.setattr(clock, "now", lambda: early)


def late_customer(organisation: Organisation, plan: Plan, name: str = "Delmas") -> Customer:
    """His second level leaves today."""
    customer = make_customer(organisation, plan, name, code=name)
    make_invoice(customer, f"F-{name}", TODAY - timedelta(days=8), 120_00)
    return customer


def do(browser: Client, verb: str, **values: Any) -> str:
    answer = browser.post(D + "faire/", {"faire": verb} | values, follow=True)
    assert answer.status_code == 200
    return unescape(answer.content.decode()).replace("\u00a0", " ").replace("\u202f", " ")


def pass_today(organisation: Organisation) -> None:
    run.run(organisation, on=TODAY, now=NOW, spread=False, pause=0)


def deliver(moment: Any = NOW) -> None:
    deliver_batch(
        worker=identity.new_name(),
        now=lambda: moment,
        hooks=hooks(lambda: moment),
        channels={"email": lambda: FakeChannel()},
    )


def test_what_leaves_next_is_read_in_full_before_it_is_written(
    camille: Client, organisation: Organisation, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A2: a true dry run: to whom, which level, how much, the very text; nothing is written."""
    late_customer(organisation, plan)
    morning_of(monkeypatch)
    look(organisation)
    seen = page(camille)
    assert "Delmas" in seen
    assert "Second rappel (2)" in seen
    assert "120,00" in seen
    assert "compta@delmas.example" in seen
    assert "Vos factures échues" in seen
    assert "F-Delmas" in seen
    assert not Message.objects.exists()


def test_a_request_for_receipts_on_its_way_is_no_relance_and_hides_none(
    camille: Client, organisation: Organisation, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S0-02: it leaves by the same outbox and chases no customer: this page is not about it."""
    late_customer(organisation, plan)
    morning_of(monkeypatch)
    look(organisation)
    asked = Message.objects.create(
        organisation=organisation,
        purpose=Message.Purpose.RECEIPTS,
        automatic=True,
        status=Status.QUEUED,
        on=TODAY,
        not_before=NOW,
        sender="collect@relance.example",
        recipients=["client@delmas.example"],
        subject="Justificatifs manquants",
        text="Bonjour",
        made_at=NOW,
    )

    seen = page(camille)

    assert "Delmas" in seen
    assert "Justificatifs manquants" not in seen
    assert "Cochez au moins un message" in do(camille, "ignorer", message=asked.pk)
    assert camille.get(f"{D}message/{asked.pk}/").status_code == 404
    morning = camille.get(url("today", organisation)).content.decode()
    assert "client@delmas.example</a>" in morning
    [row] = recap_facts._leaving(organisation, TODAY)
    assert row.name == "Delmas"


def test_the_strip_counts_the_thirty_days_to_come(
    camille: Client, organisation: Organisation, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A2: a day of the strip shows what leaves then, rendered as of that day."""
    customer = make_customer(organisation, plan, "Ferrand", code="FERRAND")
    make_invoice(customer, "F-9", TODAY - timedelta(days=4))  # level 2 in three days
    morning_of(monkeypatch)
    look(organisation)
    assert "Ferrand" not in page(camille)
    day = TODAY + timedelta(days=3)
    seen = page(camille, f"?jour={day}")
    assert "Ferrand" in seen
    assert "F-9" in seen


def test_what_one_holds_is_written_now_and_the_pass_does_not_write_it_again(
    camille: Client, organisation: Organisation, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A2: held it stays in sight, leaves nothing to the pass, and leaves once approved."""
    customer = late_customer(organisation, plan)
    morning_of(monkeypatch)
    look(organisation)
    said = do(camille, "retenir", client=customer.pk)
    assert "1 message retenu" in said
    message = Message.objects.get()
    assert (message.status, message.on) == (Status.DRAFT, TODAY)
    pass_today(organisation)
    run.run(organisation, on=TOMORROW, now=at(TOMORROW), spread=False, pause=0)
    assert Message.objects.count() == 1
    held = page(camille, "?vue=retenus")
    assert "Delmas" in held
    assert "Retenu par Camille Le Goff" in held
    do(camille, "approuver", message=message.pk, vue="retenus")
    deliver(at(TOMORROW))
    message.refresh_from_db()
    assert message.status == Status.SENT
    assert Entry.objects.get(kind="sent").level == 2


def test_words_changed_before_the_departure_are_those_that_leave(
    camille: Client, organisation: Organisation, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A2: editing a message not yet written writes it for its day; the table keeps its place."""
    customer = late_customer(organisation, plan)
    morning_of(monkeypatch)
    look(organisation)
    form = camille.post(f"{D}client/{customer.pk}/ecrire/", follow=True)
    assert "{{ tableau_factures }}" in unescape(form.content.decode())
    message = Message.objects.get()
    assert message.status == Status.QUEUED
    camille.post(
        f"{D}message/{message.pk}/modifier/",
        {
            "to": "direction@delmas.example",
            "subject": "Entre nous",
            "body": "Cher <b>client</b>,\n\n{{ tableau_factures }}\n\nMerci.",
        },
    )
    pass_today(organisation)
    deliver()
    message.refresh_from_db()
    assert Message.objects.count() == 1
    assert (message.status, message.subject) == (Status.SENT, "Entre nous")
    assert message.recipients == ["direction@delmas.example"]
    assert "F-Delmas" in message.text
    assert "<b>client" not in message.html
    assert "&lt;b&gt;client" in message.html


def test_changed_words_are_stopped_rather_than_written_over_when_an_invoice_is_paid(
    camille: Client, organisation: Organisation, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """3.11: what a person wrote is never silently replaced by the template."""
    customer = late_customer(organisation, plan)
    paid = make_invoice(customer, "F-2", TODAY - timedelta(days=3), 50_00)
    morning_of(monkeypatch)
    look(organisation)
    camille.post(f"{D}client/{customer.pk}/ecrire/")
    message = Message.objects.get()
    camille.post(
        f"{D}message/{message.pk}/modifier/",
        {"to": "a@delmas.example", "subject": "S", "body": "Deux factures."},
    )
    ledger.record_payment(invoice=paid, amount_cents=50_00, on=TODAY, now=NOW)
    assert "Les factures concernées ont changé" in page(camille)
    deliver()
    message.refresh_from_db()
    assert (message.status, message.reason) == (Status.CANCELLED, "CHANGED")


def test_a_wrong_address_or_variable_is_refused_beside_its_field(
    camille: Client, organisation: Organisation, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer = late_customer(organisation, plan)
    morning_of(monkeypatch)
    look(organisation)
    camille.post(f"{D}client/{customer.pk}/ecrire/")
    message = Message.objects.get()
    before = message.text
    for values, said in (
        ({"to": "pas une adresse", "subject": "S", "body": "B"}, "n’est pas valable"),
        ({"to": "a@b.example", "subject": "S", "body": "{{ inconnu }}"}, "inconnu"),
    ):
        answer = camille.post(f"{D}message/{message.pk}/modifier/", values)
        assert answer.status_code == 422
        assert said in unescape(answer.content.decode())
    message.refresh_from_db()
    assert message.text == before


def test_a_message_nobody_wants_is_not_written_again_by_the_next_pass(
    camille: Client, organisation: Organisation, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Section 4: said never, its level counts as passed and as no contact; the page says so."""
    customer = late_customer(organisation, plan)
    morning_of(monkeypatch)
    look(organisation)
    said = do(camille, "ignorer", client=customer.pk)
    assert "son niveau compte comme passé, sans contact" in said
    pass_today(organisation)
    assert Message.objects.get().status == Status.CANCELLED
    entry = Entry.objects.get()
    assert (entry.kind, entry.level, entry.is_contact) == ("skipped", 2, False)


def test_a_customer_left_alone_loses_his_messages_until_the_day(
    camille: Client, organisation: Organisation, plan: Plan
) -> None:
    """« Mettre en attente »: the message goes, the level stays, and it comes back afterwards."""
    customer = late_customer(organisation, plan)
    pass_today(organisation)
    message = Message.objects.get()
    do(camille, "attendre", message=message.pk, until=str(TODAY + timedelta(days=6)))
    message.refresh_from_db()
    assert (message.status, message.reason) == (Status.CANCELLED, "CUSTOMER_ON_HOLD")
    later = TODAY + timedelta(days=7)
    run.run(organisation, on=later, now=at(later), spread=False, pause=0)
    assert Message.objects.filter(status=Status.QUEUED, customer=customer, level=2).exists()
    do(camille, "attendre", client=customer.pk, until=str(TODAY - timedelta(days=1)))
    customer.refresh_from_db()
    assert customer.hold_until == TODAY + timedelta(days=6)  # a day in the past is refused


@pytest.fixture
def to_confirm(organisation: Organisation, plan: Plan) -> list[Message]:
    """Three messages that a level « à confirmer » made today."""
    Step.objects.filter(plan=plan, level=2).update(to_confirm=True)
    for name in ("Alpha", "Bravo", "Charlie"):
        late_customer(organisation, plan, name)
    pass_today(organisation)
    found = list(Message.objects.order_by("id"))
    assert {one.status for one in found} == {Status.TO_APPROVE}
    return found


def test_a_level_to_confirm_waits_for_consent_and_the_plan_waits_with_it(
    camille: Client, organisation: Organisation, to_confirm: list[Message]
) -> None:
    """Nothing leaves without consent; days later the message is still the only one."""
    deliver()
    later = TODAY + timedelta(days=9)
    run.run(organisation, on=later, now=at(later), spread=False, pause=0)
    assert Message.objects.count() == 3
    assert "3 attendent votre accord" in page(camille)
    do(camille, "approuver", message=to_confirm[0].pk, vue="approuver")
    deliver(at(later))
    assert [one.status for one in Message.objects.order_by("id")] == [
        Status.SENT,
        Status.TO_APPROVE,
        Status.TO_APPROVE,
    ]


def test_all_are_approved_in_one_go(camille: Client, to_confirm: list[Message]) -> None:
    said = do(camille, "approuver", tous="1", vue="approuver")
    assert "3 messages approuvés" in said
    assert {one.status for one in Message.objects.all()} == {Status.QUEUED}
    assert Event.objects.filter(kind="message_released").count() == 3


def test_paid_meanwhile_it_is_said_at_once_and_swept_by_the_next_pass(
    camille: Client, organisation: Organisation, to_confirm: list[Message]
) -> None:
    """Complaint of beyond.md C: never chase one who has paid, not even with consent."""
    invoice = to_confirm[0].lines.get().invoice
    ledger.record_payment(invoice=invoice, amount_cents=120_00, on=TODAY, now=NOW)
    assert "Ne partira pas" in page(camille, "?vue=approuver")
    run.run(organisation, on=TOMORROW, now=at(TOMORROW), spread=False, pause=0)
    to_confirm[0].refresh_from_db()
    assert to_confirm[0].status == Status.CANCELLED


def test_the_second_of_two_people_learns_who_did_it(
    camille: Client, client: Client, organisation: Organisation, to_confirm: list[Message]
) -> None:
    """Two on one list: one approves, the other reads her name; nothing is done twice."""
    other = User.objects.create_user("paul@kerdoncuff.example", "motdepasse1", full_name="Paul")
    add_member(organisation=organisation, user=other, dunning_role=DunningRole.ACCOUNT_MANAGER)
    do(camille, "approuver", message=to_confirm[0].pk, vue="approuver")
    second = Client()
    second.force_login(other)
    said = do(second, "approuver", message=to_confirm[0].pk, vue="approuver")
    assert "Approuvé par Camille Le Goff" in said
    assert Event.objects.filter(kind="message_released").count() == 1


def test_what_does_not_leave_is_grouped_by_reason_with_its_remedy(
    camille: Client, organisation: Organisation, plan: Plan
) -> None:
    """A1: `2 clients : délai minimum de contact`, then each of them with his own facts."""
    make_customer(organisation, plan, "Rien")
    for name in ("Un", "Deux"):
        customer = make_customer(organisation, plan, name)
        make_invoice(customer, f"F-{name}", TODAY - timedelta(days=8))
        ledger.hold(customer=customer, until=TOMORROW, on=TODAY, now=NOW, actor=None)
    lost = make_customer(organisation, plan, "Perdu", email="")
    make_invoice(lost, "F-P", TODAY - timedelta(days=8))
    look(organisation)
    seen = page(camille, "?vue=freins")
    assert "2 clients : mis en attente" in seen
    assert "mis en attente" in seen
    assert "aucun destinataire valable" in seen
    each = page(camille, "?vue=freins&raison=CUSTOMER_ON_HOLD")
    assert "Deux" in each
    assert "25 novembre 2026" in each
    assert camille.get(D + "?vue=freins&raison=NIMPORTE").status_code == 404


def test_suspended_sending_says_that_nothing_leaves(
    camille: Client, organisation: Organisation, plan: Plan
) -> None:
    late_customer(organisation, plan)
    look(organisation)
    Organisation.objects.update(sending_on=False)
    assert "rien ne partira tout seul" in page(camille)


def test_a_reader_reads_everything_and_changes_nothing(
    client: Client, colleague: User, organisation: Organisation, to_confirm: list[Message]
) -> None:
    client.force_login(colleague)
    seen = page(client, "?vue=approuver")
    assert "Alpha" in seen
    assert "lecture seule" in seen
    for path in ("faire/", f"message/{to_confirm[0].pk}/modifier/"):
        answer = client.post(D + path, {"faire": "approuver", "message": to_confirm[0].pk})
        assert answer.status_code == 403
    assert Message.objects.filter(status=Status.TO_APPROVE).count() == 3


def test_a_stranger_finds_nothing_and_cannot_slip_in_a_message_of_others(
    client: Client, stranger: User, organisation: Organisation, to_confirm: list[Message]
) -> None:
    client.force_login(stranger)
    assert client.get(D).status_code == 404
    client.post(
        "/d/ailleurs/avant-envoi/faire/",
        {"faire": "approuver", "message": [one.pk for one in to_confirm], "client": "1"},
    )
    assert Message.objects.filter(status=Status.TO_APPROVE).count() == 3


@pytest.mark.parametrize(
    "query",
    [
        "?jour=hier&page=x&vue=zz&rang=99999999999999",
        "?jour=0001-01-01",
        "?q=%3Cscript%3E&page=-4",
        "?vue=freins&page=0",
    ],
)
def test_hostile_addresses_are_left_aside(
    camille: Client, organisation: Organisation, plan: Plan, query: str
) -> None:
    late_customer(organisation, plan)
    look(organisation)
    answer = camille.get(D + query)
    assert answer.status_code == 200
    assert b"<script>" not in answer.content


def test_fifty_lines_cost_what_one_costs(
    camille: Client,
    organisation: Organisation,
    plan: Plan,
    monkeypatch: pytest.MonkeyPatch,
    django_assert_max_num_queries: Any,
) -> None:
    morning_of(monkeypatch)
    for n in range(55):
        late_customer(organisation, plan, f"C{n:02}")
    look(organisation)
    with django_assert_max_num_queries(56):
        seen = page(camille)
    assert "55 clients recevront" in seen
    assert url("before_list", organisation) == D
