"""A form sent twice sends once: a double click, the page loaded again, the button pressed anew.

Each case posts the same form twice in a row with the same data, lets everything leave, and counts
what arrived. Trials are left out: two trials are two trials. Requests for receipts carry the id
of the last request seen (test_receipts), prints the run that they confirm (test_print_runs); two
connections at the very same moment are in tests/outbox/test_two_people.py.
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from relance.accounts import clock
from relance.accounts.models import Firm, Organisation, User
from relance.dunning.daily import refreshing, run
from relance.dunning.models import Action, Plan, Step, ToChase
from relance.ledger.models import Customer
from relance.ops import turn, worker
from relance.ops.hooks import hooks
from relance.outbox.channels.fake import FakeChannel
from relance.outbox.models import Message, Status
from relance.receipts.models import Request, Round
from relance.receipts.services import rounds
from tests.conftest import NOW, TODAY, make_customer, make_invoice
from tests.receipts.conftest import AddClient, Bring
from tests.web import test_batches as lots
from tests.web import test_campaigns as campaigns
from tests.web.lots import book_of
from tests.web.test_firm import many

D = "/d/ateliers-kerdoncuff"
LATER = NOW + timedelta(minutes=30)


def arrived() -> list[tuple[str, ...]]:
    """To whom something leaves once everybody has done his part, sorted."""
    taken = FakeChannel()
    turn.whole_tick(LATER)
    for _each in range(2):
        worker.drain(
            hooks=hooks(lambda: LATER), now=lambda: LATER, channels={"email": lambda: taken}
        )
    return sorted(tuple(message.recipients) for message in taken.taken)


def twice(client: Client, url: str, data: Mapping[str, Any]) -> None:
    """The same form again; whatever it is answered, it is an answer."""
    for _click in range(2):
        assert client.post(url, data).status_code in (200, 302, 409, 422)


@pytest.fixture
def late(organisation: Organisation, plan: Plan) -> Customer:
    """His second level is a person's to send."""
    Step.objects.filter(plan=plan).update(automatic=False)
    customer = make_customer(organisation, plan, "Armor")
    make_invoice(customer, "F-1", TODAY - timedelta(days=8))
    return customer


def key_of(client: Client, url: str) -> str:
    found = re.search(r'name="cle" value="(\w+)"', client.get(url).content.decode())
    assert found
    return found.group(1)


def written(customer: Customer, **more: Any) -> dict[str, Any]:
    invoices = list(customer.invoices.values_list("pk", flat=True))
    words = {"subject": "Point", "body": "Bonjour,\n\n{{ tableau_factures }}"}
    return {"to": "a@b.example", "facture": invoices, "faire": "envoyer", **words, **more}


def test_relancer_from_the_customer_s_page(camille: Client, late: Customer) -> None:
    """S2-01, S3-16: the form opened anew asks once; said again, it is another message."""
    url = f"{D}/clients/{late.pk}/relancer/"
    twice(camille, url, written(late, cle=key_of(camille, url)))
    first = Message.objects.get()
    assert arrived() == [("a@b.example",)]
    key = key_of(camille, url)
    twice(camille, url, written(late, cle=key))
    assert arrived() == []
    twice(camille, url, written(late, cle=key, vu=first.pk))
    assert arrived() == [("a@b.example",)]


def test_a_form_called_back_may_send_again_and_somebody_else_s_key_opens_nothing(
    camille: Client, late: Customer, owner: User
) -> None:
    url = f"{D}/clients/{late.pk}/relancer/"
    camille.post(url, written(late, cle="abc"))
    message = Message.objects.get()
    camille.post(f"{url}{message.pk}/annuler/")
    camille.post(url, written(late, cle="abc"))
    other = make_customer(late.organisation, late.assignment.plan, "Bihan")
    make_invoice(other, "F-2", TODAY - timedelta(days=8))
    camille.post(f"{D}/clients/{other.pk}/relancer/", written(other, cle="abc", to="c@d.example"))
    assert arrived() == [("a@b.example",), ("c@d.example",)]


def test_a_letter_from_the_customer_s_page(camille: Client, late: Customer) -> None:
    """S2-01."""
    Customer.objects.update(address="3 rue du Port", postcode="29000", city="Quimper")
    url = f"{D}/clients/{late.pk}/relancer/"
    twice(
        camille, url, written(late, canal="courrier", cle=key_of(camille, url + "?canal=courrier"))
    )
    assert Message.objects.filter(status=Status.QUEUED, channel="letter").count() == 1


def test_envoyer_of_a_step_that_waits_for_a_person(
    camille: Client, organisation: Organisation, late: Customer
) -> None:
    """S3-08."""
    run.run(organisation, on=TODAY, now=NOW)
    action = Action.objects.get(status=Action.Status.OPEN)
    twice(camille, f"{D}/actions/{action.pk}/envoyer/", {})
    assert len(arrived()) == 1


def test_relancer_par_mail_of_the_list(
    camille: Client, organisation: Organisation, late: Customer
) -> None:
    """S4-16, one and several."""
    refreshing.refresh_all(organisation, on=TODAY, now=NOW)
    other = make_customer(organisation, late.assignment.plan, "Bihan")
    make_invoice(other, "F-2", TODAY - timedelta(days=8))
    refreshing.refresh_all(organisation, on=TODAY, now=NOW)
    [one], [two] = list(late.invoices.all()), list(other.invoices.all())
    line = ToChase.objects.get(invoice=one)
    values = {
        "niveau": f"{line.plan_id}-{line.level}",
        "sender": "organisation",
        "subject": "Votre facture",
        "body": "Bonjour,\n\n{{ tableau_factures }}",
        "faire": "envoyer",
    }
    twice(camille, f"{D}/a-relancer/relancer/", values | {"ligne": [one.pk]})
    twice(camille, f"{D}/a-relancer/relancer/", values | {"ligne": [one.pk, two.pk]})
    assert len(arrived()) == 2


def test_a_batch(camille: Client, organisation: Organisation, plan: Plan) -> None:
    """S2-02."""
    book_of(organisation, plan)
    batch = lots.search(camille)
    twice(camille, f"{lots.URL}{batch.pk}/envoyer/", {})
    found = arrived()
    assert found
    assert len(found) == len(set(found))


def test_the_same_clients_in_two_batches_let_go_one_after_the_other(
    camille: Client, organisation: Organisation, plan: Plan
) -> None:
    book_of(organisation, plan)
    one, two = lots.search(camille), lots.search(camille)
    for batch in (one, two):
        camille.post(f"{lots.URL}{batch.pk}/envoyer/")
    found = arrived()
    assert found
    assert len(found) == len(set(found))


def test_a_campaign_launched_stopped_and_taken_up(
    camille: Client, organisation: Organisation, plan: Plan
) -> None:
    people = [make_customer(organisation, plan, name) for name in ("Armor", "Bihan")]
    batch = campaigns.begun(camille, *people)
    for _click in range(2):
        campaigns.launched(camille, batch)
    twice(camille, f"{campaigns.C}{batch.pk}/reprendre/", {})
    assert arrived() == [("compta@armor.example",), ("compta@bihan.example",)]


def test_an_approval(
    camille: Client,
    organisation: Organisation,
    plan: Plan,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    customer = make_customer(organisation, plan, "Armor")
    make_invoice(customer, "F-1", TODAY - timedelta(days=8))
    run.run(organisation, on=TODAY, now=NOW)
    message = Message.objects.get()
    Message.objects.update(status=Status.TO_APPROVE, reason="TO_CONFIRM")
    data = {"faire": "approuver", "message": message.pk, "client": customer.pk}
    twice(camille, f"{D}/avant-envoi/faire/", data)
    monkeypatch.setattr(clock, "now", lambda: LATER)
    assert len(arrived()) == 1


@pytest.mark.parametrize(
    ("status", "path", "data"),
    [
        (Status.FAILED, "reessayer", {}),
        (Status.UNCERTAIN, "trancher", {"sent": "0"}),
        (Status.BOUNCED, "reessayer", {}),
    ],
)
def test_send_again_of_what_failed_bounced_or_is_uncertain(
    camille: Client, late: Customer, status: str, path: str, data: dict[str, str]
) -> None:
    """Pressed twice, and once more when it has left."""
    camille.post(f"{D}/clients/{late.pk}/relancer/", written(late))
    message = Message.objects.get()
    Message.objects.update(status=status, handed_at=NOW, attempts=1)
    url = f"{D}/messages/{message.pk}/{path}/"
    twice(camille, url, data)
    assert arrived() == [("a@b.example",)]
    twice(camille, url, data)
    assert arrived() == []


def test_one_request_to_several_dossiers_of_a_firm(
    anne: Client, firm: Firm, bring: Bring, add_client: AddClient
) -> None:
    """S0-29: also when the first has already left while its page was being loaded."""
    made = many(firm, bring, add_client, 6)
    keys = [one.pk for one in made]
    query = "&".join(f"dossier={key}" for key in keys)
    page = anne.get(f"/cabinet/{firm.pk}/demander/?{query}").content.decode()
    found = re.search(r'name="newest" value="(\d+)"', page)
    assert found
    data = {"dossier": keys, "newest": found.group(1)}
    anne.post(f"/cabinet/{firm.pk}/demander/envoi/", data)
    rounds.work(NOW)
    asked = Request.objects.count()
    assert asked
    again = anne.post(f"/cabinet/{firm.pk}/demander/envoi/", data)
    assert again.headers["Location"] == f"/cabinet/{firm.pk}/envois/{Round.objects.get().pk}/"
    other = {**data, "dossier": keys[:2]}
    refused = anne.post(f"/cabinet/{firm.pk}/demander/envoi/", other, follow=True)
    assert "déjà été lancée" in refused.content.decode()
    rounds.work(NOW)
    assert (Round.objects.count(), Request.objects.count()) == (1, asked)
