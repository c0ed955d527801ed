"""Why nothing was sent: each reason of S3 on the page of a real client, with its way out."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client

from relance.accounts import clock
from relance.accounts.models import DunningRole, Organisation, User
from relance.accounts.services import add_member
from relance.dunning import services
from relance.dunning.daily import refreshing, run
from relance.dunning.models import Action, Outlook, Plan, Step
from relance.ledger import services as ledger
from relance.ledger.models import Customer
from relance.outbox.models import Message, Status
from tests.conftest import NOW, TODAY, at, make_customer, make_invoice
from tests.web.record import D, days_ago, freeze, page

SOON = TODAY + timedelta(days=5)
When = dict[str, Any]


def when(on: date = TODAY) -> When:
    return {"on": on, "now": at(on), "actor": User.objects.order_by("id").first()}


def late(customer: Customer, days: int = 9, **fields: Any) -> Any:
    return make_invoice(customer, "F-1", days_ago(days), 100_00, **fields)


def _empty_plan(customer: Customer) -> None:
    late(customer)
    Step.objects.all().delete()


def _no_plan(customer: Customer) -> None:
    late(customer)
    customer.assignment.delete()


def _paused(customer: Customer) -> None:
    late(customer)
    Plan.objects.update(paused=True)


def _minimum(customer: Customer) -> None:
    late(customer)
    Plan.objects.update(minimum_cents=1_000_00)


def _credits(customer: Customer) -> None:
    late(customer)
    ledger.add_credit(customer=customer, number="A-1", total_cents=100_00, **when())


def _waiting(customer: Customer) -> None:
    late(customer, days=-1)
    services.set_level(customer, level=1, **when(days_ago(6)))


def _delay(customer: Customer) -> None:
    late(customer, days=10)
    services.mark_as_chased(customer, **when(days_ago(1)))


def _day_off(customer: Customer) -> None:
    """Its level is ready on the first of January, a public holiday."""
    make_invoice(customer, "F-1", date(2026, 12, 25), issued=days_ago(3))
    services.set_level(customer, level=1, **when())


def _manual(customer: Customer) -> None:
    late(customer)
    Step.objects.filter(level=2).update(automatic=False)


def _unreachable(customer: Customer) -> None:
    late(customer)
    Customer.objects.filter(pk=customer.pk).update(email_invalid_since=TODAY)


def _wordless(customer: Customer) -> None:
    late(customer)
    Step.objects.filter(level=2).update(template=None)


def _finished(customer: Customer) -> None:
    late(customer, days=60)
    services.set_level(customer, level=4, **when(days_ago(10)))


def _disputed(customer: Customer) -> None:
    ledger.open_dispute(invoice=late(customer), category="Prix", note="", **when())


def _promised(customer: Customer) -> None:
    ledger.promise(invoice=late(customer), until=SOON, **when())


def _invoice_held(customer: Customer) -> None:
    ledger.hold(invoice=late(customer), until=SOON, **when())


def _customer_held(customer: Customer) -> None:
    late(customer)
    ledger.hold(customer=customer, until=SOON, **when())


def _excluded(customer: Customer) -> None:
    late(customer)
    ledger.exclude(customer=customer, **when())


def _judged(customer: Customer) -> None:
    late(customer)
    ledger.edit_customer(customer=customer, changes={"judgment_on": days_ago(2)}, **when())


Case = tuple[Callable[[Customer], object], str, str]
CASES: dict[str, Case] = {
    "NO_OPEN_INVOICE": (lambda _c: None, "aucune facture à régler", "campagnes/nouvelle/?client="),
    "NO_PLAN": (_no_plan, "Aucun plan de relance", "onglet=definition#plan"),
    "EMPTY_PLAN": (_empty_plan, "ne contient aucun niveau", "onglet=definition#plan"),
    "PLAN_PAUSED": (_paused, "est en pause", "/plans/"),
    "BELOW_MINIMUM": (_minimum, "inférieur au minimum du plan", "/plans/"),
    "BALANCE_NOT_POSITIVE": (_credits, "rien à réclamer", "#avoirs"),
    "EXCLUDED": (_excluded, "exclu des relances", "#relances"),
    "CUSTOMER_ON_HOLD": (_customer_held, "suspendues jusqu’au", "#relances"),
    "NOTHING_CHASEABLE": (_disputed, "fait l’objet d’un litige", "/litige/clos/"),
    "NOT_YET_TRIGGERED": (_waiting, "n’est à échéance que", "/relancer/"),
    "MIN_CONTACT_DELAY": (_delay, "jours doivent séparer deux messages", "/relancer/"),
    "PENDING_MANUAL": (_manual, "se fait à la main", "?action="),
    "NO_RECIPIENT": (_unreachable, "aucun destinataire utilisable", "onglet=contacts"),
    "NO_TEMPLATE": (_wordless, "n’a pas de modèle", "?action="),
    "END_OF_PLAN": (_finished, "Tous les niveaux du plan sont passés", "/relancer/"),
    "DISPUTED": (_disputed, "fait l’objet d’un litige", "/litige/clos/"),
    "PROMISED": (_promised, "a promis de régler", "/reprise/"),
    "INVOICE_ON_HOLD": (_invoice_held, "mise en attente jusqu’au", "/reprise/"),
    "PLAN_OFF": (lambda c: late(c, plan_on=False), "désactivé pour cette facture", "/plan/"),
    "BY_HAND_MODE": (lambda c: late(c, mode="direct_debit"), "prélèvement", "onglet="),
    "BEFORE_JUDGMENT": (_judged, "procédure collective", "onglet="),
}


def read(browser: Client, customer: Customer, query: str = "") -> str:
    return page(browser, customer, query).replace("\u00a0", " ").replace("\u202f", " ")


@pytest.mark.parametrize("code", CASES)
def test_every_reason_is_named_on_the_page_with_a_way_out(
    camille: Client, customer: Customer, code: str
) -> None:
    """S3-26: the code for support, the sentence for Camille, the remedy one click away."""
    make, words, remedy = CASES[code]
    make(customer)
    run.run(customer.organisation, on=TODAY, now=NOW, spread=False, pause=0)
    text = read(camille, customer)
    assert words in text
    assert remedy in text
    codes = text.split('class="reason-codes">')[1].split("<")[0]
    assert code in codes


def test_a_day_off_is_named_too(camille: Client, customer: Customer) -> None:
    """S3-26: only the calendar holds it back; the first of January, seen from before."""
    _day_off(customer)
    text = read(camille, customer, "?le=2027-01-01")
    assert "NOT_A_WORKING_DAY" in text
    assert "ce n’est pas un jour ouvré" in text


@pytest.mark.parametrize("code", ["NO_OPEN_INVOICE", "NO_PLAN", "EMPTY_PLAN"])
def test_where_no_relance_can_trigger_the_remedy_is_a_campaign(
    camille: Client, customer: Customer, code: str
) -> None:
    """S3-03 to S3-05: « Aucune action à effectuer », and a campaign already about this client."""
    CASES[code][0](customer)
    text = read(camille, customer)
    head = text.split('class="page-state"')[1].split("</header>")[0]
    assert "Aucune action à effectuer" in head
    assert f"/campagnes/nouvelle/?client={customer.pk}" in head


def test_a_balance_that_is_not_right_is_reported_with_name_and_references(
    camille: Client, customer: Customer
) -> None:
    """S3-06: apply the credits, or tell the difference with the name and the references."""
    _credits(customer)
    head = read(camille, customer).split('class="page-state"')[1].split("</header>")[0]
    assert "Imputer les avoirs" in head
    assert "Signaler un écart" in head
    note = read(camille, customer, "?onglet=historique&note=ecart")
    assert "Écart de solde chez Pharmacie Delmas" in note
    assert "F-1, A-1" in note


@pytest.mark.parametrize(
    ("channel", "label"),
    [("email", "E-mail à envoyer"), ("letter", "Courrier à envoyer"), ("call", "Appel à faire"),
     ("sms", "SMS à envoyer"), ("task", "Tâche à faire")],
)  # fmt: skip
def test_the_label_is_that_of_the_pending_type(
    camille: Client, customer: Customer, channel: str, label: str
) -> None:
    """S3-07, S3-08: any type may stand in place of e-mail; its owner's button leads to his list."""
    late(customer)
    fields = {"phone": "01 02 03 04 05", "postcode": "29000", "city": "Quimper", "address": "Quai"}
    Customer.objects.filter(pk=customer.pk).update(**fields)
    Step.objects.filter(level=2).update(automatic=False, channel=channel)
    run.run(customer.organisation, on=TODAY, now=NOW, spread=False, pause=0)
    head = read(camille, customer).split('class="page-state"')[1].split("</header>")[0]
    assert label in head
    assert f"?action={Action.objects.get().pk}" in head


def test_one_who_does_not_own_it_sees_the_owners_on_hover_and_cannot_click(
    camille: Client, organisation: Organisation, customer: Customer
) -> None:
    """S3-10: the information icon names them, by mouse and by keyboard."""
    _manual(customer)
    run.run(organisation, on=TODAY, now=NOW, spread=False, pause=0)
    other = User.objects.create_user("paul@kerdoncuff.example", "motdepasse1", full_name="Paul")
    add_member(organisation=organisation, user=other, dunning_role=DunningRole.ACCOUNT_MANAGER)
    Action.objects.get().owners.set([other])
    head = read(camille, customer).split('class="page-state"')[1].split("</header>")[0]
    assert 'data-tip="Responsable : Paul"' in head
    assert 'aria-label="Responsable : Paul"' in head
    assert "?action=" not in head
    assert "Responsable : Paul." in read(camille, customer)  # Pourquoi ? names him as well


def test_relancer_stands_between_two_steps_and_says_which_is_next(
    camille: Client, customer: Customer
) -> None:
    """S3-15, S3-16, S3-19, D-19: the wording names what kind of action is planned."""
    late(customer, days=2)
    head = read(camille, customer).split('class="page-state"')[1].split("</header>")[0]
    assert "Relancer" in head
    assert "Prochaine action automatique planifiée le 30 nov." in head  # J+7 is a Sunday
    Step.objects.filter(level=2).update(automatic=False)
    head = read(camille, customer).split('class="page-state"')[1].split("</header>")[0]
    assert "Prochaine action manuelle planifiée le 29 nov." in head


@pytest.mark.parametrize(("hours", "shown"), [(-25, False), (-24, True), (-1, True)])
def test_from_twenty_four_hours_before_the_next_automatic_action_takes_its_place(
    camille: Client,
    customer: Customer,
    monkeypatch: pytest.MonkeyPatch,
    hours: int,
    shown: bool,
) -> None:
    """S3-17, S3-18, D-19: it leaves on 24 November at 08:30."""
    late(customer, days=7)
    services.set_level(customer, level=1, **when(days_ago(10)))
    monkeypatch.setattr(clock, "now", lambda: NOW + timedelta(hours=hours))
    head = read(camille, customer).split('class="page-state"')[1].split("</header>")[0]
    assert ("Prochaine action (automatique) le 24 nov." in head) is shown
    assert ("Relancer" in head) is not shown


def test_a_message_that_is_written_is_not_told_as_sent(camille: Client, customer: Customer) -> None:
    """A counter never says « sent » before it is: queued, it leaves; approved first, it waits."""
    late(customer)
    run.run(customer.organisation, on=TODAY, now=NOW, spread=False, pause=0)
    text = read(camille, customer)
    assert "est écrit et part aujourd’hui" in text
    assert "est parti aujourd’hui" not in text
    Message.objects.update(status=Status.TO_APPROVE)
    text = read(camille, customer)
    assert "E-mail à approuver" in text
    assert "attend l’accord d’une personne" in text


def test_several_invoices_set_aside_share_their_reason_in_one_sentence(
    camille: Client, customer: Customer
) -> None:
    """S3-26: « nothing chaseable » explains itself by what its invoices have in common."""
    for number in ("F-1", "F-2"):
        invoice = make_invoice(customer, number, days_ago(9))
        ledger.open_dispute(invoice=invoice, category="Prix", note="", **when())
    assert "Ses 2 factures ouvertes ont la même raison. Toutes sont en litige." in read(
        camille, customer
    )
    ledger.promise(invoice=make_invoice(customer, "F-3", days_ago(3)), until=SOON, **when())
    assert "2 en litige, 1 sous promesse" in read(camille, customer)


def test_a_day_gone_by_offers_no_remedy_of_today(camille: Client, customer: Customer) -> None:
    """A hold lifted now changes nothing of last week's answer."""
    _customer_held(customer)
    past = read(camille, customer, f"?le={days_ago(3)}").split('id="reason"')[1]
    assert "Lever l’attente" not in past
    assert "Que faire aujourd’hui ?" in past
    assert "Lever l’attente" in read(camille, customer).split('id="reason"')[1]


def test_an_administrator_takes_an_action_over_before_he_can_do_it(
    camille: Client, organisation: Organisation, customer: Customer, owner: User
) -> None:
    """S3-11, D-20: he cannot send what is not his; he first makes himself an owner."""
    _manual(customer)
    run.run(organisation, on=TODAY, now=NOW, spread=False, pause=0)
    action = Action.objects.get()
    other = User.objects.create_user("paul@kerdoncuff.example", "motdepasse1", full_name="Paul")
    add_member(organisation=organisation, user=other, dunning_role=DunningRole.ACCOUNT_MANAGER)
    action.owners.set([other])
    camille.post(f"{D}/actions/{action.pk}/envoyer/")
    assert not Message.objects.exists()
    camille.post(f"{D}/actions/{action.pk}/responsables/", {"owner": [owner.pk]})
    camille.post(f"{D}/actions/{action.pk}/envoyer/")
    assert Message.objects.get().made_by == owner


def test_an_address_repaired_on_the_spot_sends_the_action_and_stays_on_the_record(
    camille: Client, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3-14: the action says that nobody can be reached; one types an address, once."""
    freeze(monkeypatch, TODAY)
    _unreachable(customer)
    run.run(customer.organisation, on=TODAY, now=NOW, spread=False, pause=0)
    action = Action.objects.get()
    seen = camille.get(f"{D}/actions/{action.pk}/").content.decode()
    assert "Garder cette adresse sur sa fiche" in seen
    camille.post(f"{D}/actions/{action.pk}/envoyer/", {"to": "anne@delmas.example", "keep": "1"})
    customer.refresh_from_db()
    assert (customer.email, customer.email_invalid_since) == ("anne@delmas.example", None)
    assert Message.objects.get().recipients == ["anne@delmas.example"]
    assert Action.objects.count() == 1


def test_one_trouble_is_one_line(camille: Client, customer: Customer) -> None:
    """An address that its server refused is told once, by the action that asks for a better one."""
    late(customer)
    run.run(customer.organisation, on=TODAY, now=NOW, spread=False, pause=0)
    Message.objects.update(status=Status.FAILED, error="550 5.1.1 unknown user")
    Message.objects.get().lines.update(live=False)
    Customer.objects.filter(pk=customer.pk).update(email_invalid_since=TODAY)
    refreshing.refresh(customer.organisation, [customer.pk], on=TODAY, now=NOW)
    assert Outlook.objects.get().code == "NO_RECIPIENT"
    text = camille.get(f"{D}/").content.decode()
    errors = text.split('aria-labelledby="s-errors"')[1].split("</section>")[0]
    assert errors.count("Pharmacie Delmas") == 1


def test_s3_01_the_two_scopes_trigger_each_their_own_way(
    camille: Client, organisation: Organisation, plan: Plan
) -> None:
    """S3-01: by client one invoice carries for all; by invoice each follows the plan alone."""
    customer = make_customer(organisation, plan)
    make_invoice(customer, "F-1", days_ago(8))
    make_invoice(customer, "F-2", days_ago(1))
    assert "F-1 est la facture porteuse" in read(camille, customer)
    Plan.objects.update(scope="invoice")
    text = read(camille, customer)
    assert "F-1 suit le plan seule" in text
    assert "F-2 suit le plan seule" in text


def test_s3_02_the_state_is_checked_in_three_places(
    camille: Client, organisation: Organisation, customer: Customer
) -> None:
    """S3-02: the list of actions, the history with the last reminder, the state of the record."""
    _manual(customer)
    services.set_level(customer, level=1, **when(days_ago(20)))
    run.run(organisation, on=TODAY, now=NOW, spread=False, pause=0)
    assert "Pharmacie Delmas" in camille.get(f"{D}/actions/?vue=toutes&q=delmas").content.decode()
    assert "Niveau choisi à la main" in read(camille, customer, "?onglet=historique")
    assert "E-mail à envoyer" in read(camille, customer)
