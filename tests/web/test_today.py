"""Aujourd'hui: what waits for whom, what leaves, what went wrong, and the deeds of its panel."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client

from relance.accounts.models import DunningRole, Organisation, User
from relance.accounts.services import add_member
from relance.dunning import services
from relance.dunning.daily import run
from relance.dunning.models import Action, Entry, Plan, Step, Template
from relance.ledger import services as ledger
from relance.ledger.models import Customer
from relance.outbox import services as outbox
from relance.outbox.models import Message, Status
from tests.conftest import NOW, TODAY, at, make_customer, make_invoice
from tests.web.morning import YESTERDAY, at_level, url, waiting

PIECE = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relance.accounts.clock.now", lambda: NOW - timedelta(hours=1))


@pytest.fixture
def signed(client: Client) -> Callable[[User], Client]:
    def sign(user: User) -> Client:
        client.force_login(user)
        return client

    return sign


@pytest.fixture
def by_hand(organisation: Organisation, template: Template) -> Plan:
    """One e-mail to send by hand three days after the due date, then a call and a letter."""
    plan = Plan.objects.create(organisation=organisation, name="Grands comptes")
    letter = Template.objects.create(
        organisation=organisation,
        name="Lettre",
        channel="letter",
        subject="Mise en demeure",
        body="Madame,\n\n{{ tableau_factures }}",
    )
    for level, (name, days, channel, words) in enumerate(
        [
            ("Rappel", 3, "email", template),
            ("Appel", 20, "call", None),
            ("Mise en demeure", 40, "letter", letter),
        ],
        1,
    ):
        Step.objects.create(
            organisation=organisation,
            plan=plan,
            level=level,
            name=name,
            days=days,
            channel=channel,
            template=words,
        )
    return plan


def page(client: Client, organisation: Organisation, query: str = "") -> str:
    return client.get(url("today", organisation) + query).content.decode()


def test_the_page_says_who_waits_and_what_leaves(
    organisation: Organisation,
    owner: User,
    by_hand: Plan,
    plan: Plan,
    signed: Callable[[User], Client],
) -> None:
    """A2: my actions, the next departure, the sentence of the morning, the foot on every page."""
    waiting(organisation, by_hand, "Alpha", late=9)
    ready = make_customer(organisation, plan, "Bravo")
    make_invoice(ready, "F-B", TODAY - timedelta(days=7), 5_000)
    run.run(organisation, on=YESTERDAY, now=at(YESTERDAY), pause=0)
    text = page(signed(owner), organisation)
    assert "mardi\u00a024\u00a0novembre" in text
    assert "1 action vous attend." in text
    assert "1 message part à 08:30." in text
    assert "Part automatiquement à 08:30" in text
    assert "Départ à 08:30" in text
    assert "1\u00a0message prêt" in text
    assert "Vos factures échues, 1 234,56 €" in text, "the very text that will leave"
    assert "Rappel\u00a0(1)" in text


def test_a_page_without_anything_says_when_the_next_thing_happens(
    organisation: Organisation, owner: User, plan: Plan, signed: Callable[[User], Client]
) -> None:
    client = signed(owner)
    assert "Importer des factures" in page(client, organisation)
    make_invoice(make_customer(organisation, plan), "F-1", date(2026, 12, 11))
    text = page(client, organisation)
    assert "Rien à relancer aujourd’hui." in text
    assert "11\u00a0décembre" in text


def test_the_page_costs_the_same_for_one_line_and_for_thirty(
    organisation: Organisation,
    owner: User,
    by_hand: Plan,
    plan: Plan,
    signed: Callable[[User], Client],
    django_assert_max_num_queries: Any,
) -> None:
    client = signed(owner)
    for number in range(30):
        make_invoice(
            make_customer(organisation, by_hand, f"Main {number:02}"),
            f"M-{number}",
            TODAY - timedelta(days=9),
        )
        make_invoice(
            make_customer(organisation, plan, f"Seul {number:02}"),
            f"S-{number}",
            TODAY - timedelta(days=7),
        )
    run.run(organisation, on=YESTERDAY, now=at(YESTERDAY), pause=0)
    with django_assert_max_num_queries(76):
        text = page(client, organisation)
    assert "30 actions vous attendent." in text
    assert "Voir les 27 autres messages" in text


def test_sending_queues_the_message_for_ten_seconds_and_calling_it_back_reopens(
    organisation: Organisation, owner: User, by_hand: Plan, signed: Callable[[User], Client]
) -> None:
    """S3-09: nothing has left during the ten seconds; `z` gives the line back."""
    action = waiting(organisation, by_hand)
    client = signed(owner)
    answer = client.post(url("action_send", organisation, action.pk), headers=PIECE)
    message = Message.objects.get()
    assert (message.status, message.action_id) == (Status.QUEUED, action.pk)
    assert message.not_before == NOW - timedelta(hours=1) + timedelta(seconds=10)
    assert f"action-{action.pk}" in answer.headers["HX-Trigger"]
    assert "Message à Alpha, départ dans" in answer.content.decode()
    assert "Aucune action ne vous attend." in page(client, organisation)
    answer = client.post(url("message_undo", organisation, message.pk), headers=PIECE)
    assert answer.headers["HX-Redirect"].endswith(f"?action={action.pk}")
    message.refresh_from_db()
    assert (message.status, message.reason) == (Status.CANCELLED, "CALLED_BACK")
    assert "1 action vous attend." in page(client, organisation)


def test_calling_back_too_late_says_so(
    organisation: Organisation, owner: User, by_hand: Plan, signed: Callable[[User], Client]
) -> None:
    action = waiting(organisation, by_hand)
    client = signed(owner)
    client.post(url("action_send", organisation, action.pk))
    message = Message.objects.get()
    Message.objects.update(status=Status.SENDING)
    answer = client.post(url("message_undo", organisation, message.pk), follow=True)
    assert "Trop tard" in answer.content.decode()


def test_a_second_person_learns_who_was_faster(
    organisation: Organisation, owner: User, by_hand: Plan, signed: Callable[[User], Client]
) -> None:
    """S3-09: the same action sent twice leaves once, and the panel names the first."""
    second = User.objects.create_user("paul@kerdoncuff.example", "x", full_name="Paul Kerdoncuff")
    add_member(organisation=organisation, user=second, dunning_role=DunningRole.FINANCE)
    action = waiting(organisation, by_hand)
    signed(owner).post(url("action_skip", organisation, action.pk))
    answer = signed(second).post(url("action_send", organisation, action.pk), headers=PIECE)
    text = answer.content.decode()
    assert "déjà close par Camille Le Goff" in text
    assert not Message.objects.exists()


def test_sending_twice_queues_once(
    organisation: Organisation, owner: User, by_hand: Plan, signed: Callable[[User], Client]
) -> None:
    action = waiting(organisation, by_hand)
    client = signed(owner)
    client.post(url("action_send", organisation, action.pk))
    answer = client.post(url("action_send", organisation, action.pk), headers=PIECE)
    assert Message.objects.count() == 1
    assert "déjà en route" in answer.content.decode()


def test_ignoring_passes_the_level_and_can_be_taken_back(
    organisation: Organisation, owner: User, by_hand: Plan, signed: Callable[[User], Client]
) -> None:
    action = waiting(organisation, by_hand)
    client = signed(owner)
    client.post(url("action_skip", organisation, action.pk))
    action.refresh_from_db()
    assert action.status == Action.Status.SKIPPED
    client.post(url("action_unskip", organisation, action.pk))
    action.refresh_from_db()
    assert action.status == Action.Status.OPEN
    assert not Entry.objects.filter(kind="skipped", void=False).exists()
    assert "1 action vous attend." in page(client, organisation)


def test_what_another_has_ignored_is_not_mine_to_take_back(
    organisation: Organisation, owner: User, by_hand: Plan, signed: Callable[[User], Client]
) -> None:
    second = User.objects.create_user("paul@kerdoncuff.example", "x", full_name="Paul Kerdoncuff")
    add_member(organisation=organisation, user=second, dunning_role=DunningRole.FINANCE)
    action = waiting(organisation, by_hand)
    signed(owner).post(url("action_skip", organisation, action.pk))
    answer = signed(second).post(url("action_unskip", organisation, action.pk), follow=True)
    assert "ne peut plus être reprise" in answer.content.decode()
    action.refresh_from_db()
    assert action.status == Action.Status.SKIPPED


def test_a_call_is_done_with_its_note(
    organisation: Organisation, owner: User, by_hand: Plan, signed: Callable[[User], Client]
) -> None:
    action = at_level(organisation, by_hand, 2, late=30)
    client = signed(owner)
    text = page(client, organisation, f"?action={action.pk}")
    assert "Ce qu’a donné l’appel" in text
    said = {"result": "reached", "note": "Paie vendredi"}
    client.post(url("action_result", organisation, action.pk), said)
    action.refresh_from_db()
    done = (Action.Status.DONE, "Paie vendredi", "reached")
    assert (action.status, action.note, action.result) == done
    assert Entry.objects.filter(action_id=action.pk, kind="sent", level=2).exists()


def test_words_changed_in_the_panel_are_those_that_leave(
    organisation: Organisation, owner: User, by_hand: Plan, signed: Callable[[User], Client]
) -> None:
    action = waiting(organisation, by_hand)
    client = signed(owner)
    form = client.get(url("action_edit", organisation, action.pk)).content.decode()
    assert "{{ tableau_factures }}" in form
    assert "Camille Le Goff" in form
    client.post(
        url("action_send", organisation, action.pk),
        {
            "to": "dg@alpha.example; achats@alpha.example",
            "subject": "Bonjour <b>",
            "body": "Un <script>mot</script>\n\n{{ tableau_factures }}",
            "copy": "on",
        },
    )
    message = Message.objects.get()
    assert message.recipients == ["dg@alpha.example", "achats@alpha.example"]
    assert message.copies == [owner.email]
    assert "<script>" not in message.html
    assert "F-Alpha" in message.text


def test_an_unknown_variable_in_changed_words_is_refused_with_a_suggestion(
    organisation: Organisation, owner: User, by_hand: Plan, signed: Callable[[User], Client]
) -> None:
    action = waiting(organisation, by_hand)
    answer = signed(owner).post(
        url("action_send", organisation, action.pk),
        {"to": "a@b.example", "subject": "x", "body": "{{ client.nam }}"},
        headers=PIECE,
    )
    assert "Vouliez-vous dire « client.nom »" in answer.content.decode().replace("\u00a0", " ")
    assert not Message.objects.exists()


@pytest.mark.parametrize("typed", ["pas une adresse", "a@b.example\r\nBcc: x@y.example", ","])
def test_a_wrong_address_is_refused_where_it_was_typed(
    organisation: Organisation,
    owner: User,
    by_hand: Plan,
    signed: Callable[[User], Client],
    typed: str,
) -> None:
    action = waiting(organisation, by_hand, email="")
    answer = signed(owner).post(
        url("action_send", organisation, action.pk), {"to": typed}, headers=PIECE
    )
    assert "note--error" in answer.content.decode()
    assert not Message.objects.exists()


def test_a_customer_without_address_is_an_error_with_its_remedy(
    organisation: Organisation, owner: User, plan: Plan, signed: Callable[[User], Client]
) -> None:
    """S3-14, D-12: not in the to-do, an error; one address typed here sends it all the same."""
    action = waiting(organisation, plan, "Sans adresse", email="")
    client = signed(owner)
    text = page(client, organisation)
    assert "Aucune adresse e-mail valable" in text
    assert "Aucune action ne vous attend." in text
    client.post(url("action_send", organisation, action.pk), {"to": "compta@trouve.example"})
    assert Message.objects.get().recipients == ["compta@trouve.example"]


def test_failed_and_uncertain_messages_are_errors_until_they_are_settled(
    organisation: Organisation, owner: User, by_hand: Plan, signed: Callable[[User], Client]
) -> None:
    action = waiting(organisation, by_hand)
    client = signed(owner)
    client.post(url("action_send", organisation, action.pk))
    message = Message.objects.get()
    outbox.mark_failed(message=message, answer="550 5.1.1 User unknown", now=NOW)
    text = page(client, organisation)
    assert "Adresse refusée par son serveur" in text
    assert "1 action vous attend." in text, "its step may be sent again"
    Message.objects.update(status=Status.UNCERTAIN)
    text = page(client, organisation)
    assert "Envoi incertain" in text
    assert "Aucune action ne vous attend." in text, "it may have arrived: not offered again"


def test_a_broken_promise_stays_until_a_person_takes_it_up(
    organisation: Organisation, owner: User, customer: Customer, signed: Callable[[User], Client]
) -> None:
    invoice = make_invoice(customer, "F-P", TODAY - timedelta(days=5), 415_80)
    made, until = TODAY - timedelta(days=4), TODAY - timedelta(days=2)
    ledger.promise(invoice=invoice, until=until, on=made, now=at(made), amount_cents=415_80)
    client = signed(owner)
    assert "Promis pour le 22\u00a0nov., rien reçu" in page(client, organisation)
    ledger.record_payment(invoice=invoice, amount_cents=200_00, on=YESTERDAY, now=at(YESTERDAY))
    assert "Reçu 200,00\u00a0€ sur 415,80\u00a0€" in page(client, organisation)
    services.mark_as_chased(customer, actor=owner, on=TODAY, now=NOW)
    assert "Promesses non tenues" not in page(client, organisation)


def test_a_reader_sees_everything_and_is_told_why_he_can_do_nothing(
    organisation: Organisation, colleague: User, by_hand: Plan, signed: Callable[[User], Client]
) -> None:
    """S3-10: owners are named, no button is there, and the address refuses too."""
    action = waiting(organisation, by_hand)
    client = signed(colleague)
    answer = client.get(url("action_detail", organisation, action.pk), headers=PIECE)
    text = answer.content.decode()
    assert "Camille Le Goff" in text
    assert "lecture seule" in text
    assert "Ignorer" not in text
    assert client.post(url("action_send", organisation, action.pk)).status_code == 403


def test_an_administrator_who_is_no_owner_makes_himself_one_first(
    organisation: Organisation, owner: User, by_hand: Plan, signed: Callable[[User], Client]
) -> None:
    """S3-11, D-20."""
    other = User.objects.create_user("paul@kerdoncuff.example", "x", full_name="Paul Kerdoncuff")
    add_member(organisation=organisation, user=other, dunning_role=DunningRole.FINANCE)
    action = waiting(organisation, by_hand)
    action.owners.set([other])
    client = signed(owner)
    text = client.get(url("action_detail", organisation, action.pk), headers=PIECE).content.decode()
    assert "Paul Kerdoncuff" in text
    assert "M’en charger" in text
    refused = client.post(url("action_send", organisation, action.pk), headers=PIECE)
    assert "revient à Paul Kerdoncuff" in refused.content.decode()
    client.post(url("action_owners", organisation, action.pk), {"me": "1"})
    assert set(action.owners.all()) == {other, owner}
    client.post(url("action_send", organisation, action.pk))
    assert Message.objects.count() == 1


def test_owners_are_members_who_may_write_and_never_nobody(
    organisation: Organisation,
    owner: User,
    colleague: User,
    stranger: User,
    by_hand: Plan,
    signed: Callable[[User], Client],
) -> None:
    action = waiting(organisation, by_hand)
    answer = signed(owner).post(
        url("action_owners", organisation, action.pk),
        {"owner": [colleague.pk, stranger.pk, "x"]},
        headers=PIECE,
    )
    assert "au moins un responsable" in answer.content.decode()
    assert list(action.owners.all()) == [owner]


def test_suspended_sending_is_said_in_the_page_and_in_the_foot(
    organisation: Organisation, owner: User, plan: Plan, signed: Callable[[User], Client]
) -> None:
    make_invoice(make_customer(organisation, plan), "F-1", TODAY - timedelta(days=7))
    run.run(organisation, on=YESTERDAY, now=at(YESTERDAY), pause=0)
    organisation.sending_on = False
    organisation.save()
    text = page(signed(owner), organisation)
    assert "Envois suspendus" in text
    assert "Les envois automatiques sont suspendus." in text


def test_once_the_run_is_over_the_foot_counts_what_has_really_left(
    organisation: Organisation,
    owner: User,
    plan: Plan,
    signed: Callable[[User], Client],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Never "sent" for what is only queued; the same words on every page."""
    for number in range(2):
        customer = make_customer(organisation, plan, f"Client {number}")
        make_invoice(customer, f"F-{number}", TODAY - timedelta(days=7))
    run.run(organisation, on=TODAY, now=NOW, pause=0)
    monkeypatch.setattr("relance.accounts.clock.now", lambda: NOW + timedelta(minutes=10))
    client = signed(owner)
    text = page(client, organisation)
    assert "Parti à 08:30" in text
    assert "0\u00a0message sur 2" in text
    assert "En train de partir" in text
    Message.objects.update(status=Status.SENT, sent_at=NOW)
    text = client.get(url("outbox_list", organisation)).content.decode()
    assert "2\u00a0messages sur 2" in text
    assert "Prochain\u00a0: mer. 08:30" in text


def test_a_preview_is_signed_by_the_one_who_would_send(
    organisation: Organisation,
    owner: User,
    colleague: User,
    by_hand: Plan,
    signed: Callable[[User], Client],
) -> None:
    action = waiting(organisation, by_hand)
    text = signed(colleague).get(url("action_detail", organisation, action.pk)).content.decode()
    assert "Cordialement,<br>\nCamille Le Goff" in text or "Cordialement,<br>Camille" in text


def test_an_automatic_message_is_read_in_full_before_it_leaves(
    organisation: Organisation, owner: User, plan: Plan, signed: Callable[[User], Client]
) -> None:
    customer = make_customer(organisation, plan)
    make_invoice(customer, "F-7", TODAY - timedelta(days=7))
    run.run(organisation, on=YESTERDAY, now=at(YESTERDAY), pause=0)
    text = signed(owner).get(url("departure_detail", organisation, customer.pk)).content.decode()
    assert "F-7" in text
    assert "Part tout seul à 08:30" in text


def test_the_list_of_actions_filters_by_state_day_owner_and_name(
    organisation: Organisation, owner: User, by_hand: Plan, signed: Callable[[User], Client]
) -> None:
    """S3-02, S3-12, S3-13: since when, and who."""
    waiting(organisation, by_hand, "Dupont & Fils")
    client = signed(owner)
    address = url("action_list", organisation)
    for query, there in [
        ("", True),
        ("?vue=toutes&statut=open", True),
        ("?vue=toutes&statut=done", False),
        ("?vue=toutes&echeance=retard", True),
        ("?vue=toutes&echeance=aujourdhui", False),
        ("?vue=toutes&q=D%C3%BBPONT", True),
        ("?vue=toutes&q=zorro", False),
        ("?vue=toutes&type=call", False),
        (f"?vue=toutes&responsable={owner.pk}", True),
        ("?vue=toutes&statut=%27--&page=zzz&responsable=999999999999999999999", True),
    ]:
        text = client.get(address + query).content.decode()
        assert ("Dupont &amp; Fils" in text) is there, query


@pytest.mark.parametrize("asked", ["²", "9" * 30, "9" * 5_000, "-1", "%00", "٣", "1 OR 1=1"])
def test_hostile_numbers_in_the_address_are_left_aside(
    organisation: Organisation,
    owner: User,
    by_hand: Plan,
    signed: Callable[[User], Client],
    asked: str,
) -> None:
    action = waiting(organisation, by_hand)
    client = signed(owner)
    assert "Alpha" in page(client, organisation, f"?action={asked}")
    answer = client.post(
        url("action_skip", organisation, action.pk), {"next": asked}, headers=PIECE
    )
    assert answer.status_code == 200
    owners = client.post(url("action_owners", organisation, action.pk), {"owner": [asked]})
    assert owners.status_code == 200
    assert client.get(f"/d/{organisation.slug}/actions/{'9' * 30}/").status_code == 404
