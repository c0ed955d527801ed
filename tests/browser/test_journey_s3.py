"""The story of « pourquoi pas de relance » (S3): what the page of a client says, day after day."""

import re
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Locator, Page, expect
from pytest_django.live_server_helper import LiveServer

from relance.accounts.models import DunningRole, Organisation, User
from relance.accounts.services import add_member
from relance.dunning.models import Action, Plan, Template
from relance.ledger import services as ledger
from relance.ledger.models import Customer
from relance.outbox.models import Message
from tests.browser.conftest import Office, go, log_in, log_out
from tests.conftest import TODAY, at, make_customer, make_invoice

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

D = "/d/ateliers-kerdoncuff"
DUE = date(2026, 11, 13)
"""A Friday: J+7 and J+12 are working days."""


@pytest.fixture
def paul(organisation: Organisation) -> User:
    """An account manager, no administrator."""
    user = User.objects.create_user("paul@kerdoncuff.example", "motdepasse1", full_name="Paul Riou")
    add_member(organisation=organisation, user=user, dunning_role=DunningRole.ACCOUNT_MANAGER)
    return user


def state(page: Page) -> Locator:
    """What stands at the top right of the page of a client."""
    return page.locator(".page-state")


def open_record(page: Page, server: LiveServer, customer: Customer, query: str = "") -> None:
    page.goto(f"{server.url}{D}/clients/{customer.pk}/{query}")


def day(office: Office, on: date) -> list[str]:
    """A whole morning of the worker: the subjects of what left."""
    office.morning(on)
    return [mail.subject for mail in (*office.turn(), *office.turn(hours=1))]


def _words_named_as_their_levels(customer: Customer, plan: Plan) -> None:
    customer.phone = "02 98 00 00 00"
    customer.save()
    for step in plan.steps.filter(channel="email"):
        step.template = Template.objects.create(
            organisation=customer.organisation, name=step.name, subject=step.name, body="Bonjour"
        )
        step.save()


def _the_call_is_made(page: Page) -> None:
    button = state(page).get_by_role("link", name="Appel à faire")
    expect(button).to_be_visible()
    button.click()
    expect(page.locator("#panel h2")).to_have_text("Pharmacie Delmas")
    page.get_by_label("Ce qui s’est dit").fill("Chèque posté hier")
    page.get_by_role("radio", name="Joint", exact=True).check()
    page.get_by_role("button", name="Noter le résultat").click()
    expect(page.locator(".list-table, .empty, main").first).to_be_visible()
    expect(page.get_by_role("link", name="Pharmacie Delmas")).to_have_count(0)
    assert Action.objects.get().note == "Chèque posté hier"


def test_the_state_at_the_top_right_from_the_first_reminder_to_the_call(
    page: Page,
    live_server: LiveServer,
    owner: User,
    customer: Customer,
    plan: Plan,
    office: Office,
) -> None:
    """S3-02, S3-15 to S3-25: the days of one invoice; 5 days between two, J+10 goes at J+12."""
    _words_named_as_their_levels(customer, plan)
    make_invoice(customer, "F-1", DUE, 2000_00)
    office.morning(date(2026, 11, 5))
    log_in(page, live_server, owner.email)

    # between two planned actions: Relancer, and which one is next
    open_record(page, live_server, customer)
    expect(state(page).get_by_role("link", name="Relancer")).to_be_visible()
    expect(state(page)).to_contain_text("Prochaine action automatique planifiée le 10 nov.")

    # one day before, the announcement takes its place
    office.morning(date(2026, 11, 9))
    open_record(page, live_server, customer)
    expect(state(page)).to_contain_text("Prochaine action (automatique) le 10 nov.")
    expect(state(page).get_by_role("link", name="Relancer")).to_have_count(0)

    assert day(office, date(2026, 11, 10)) == ["Préavis"]
    assert day(office, date(2026, 11, 20)) == ["Second rappel"]

    # J+10 is a Monday, and nothing leaves: five days since the last contact
    assert day(office, date(2026, 11, 23)) == []
    open_record(page, live_server, customer)
    expect(state(page)).to_contain_text("Prochaine action automatique planifiée le 25 nov.")
    reason = page.locator("#reason")
    expect(reason).to_contain_text("cinq jours doivent séparer deux messages")
    expect(reason).to_contain_text("MIN_CONTACT_DELAY")
    expect(reason).to_contain_text("J+12 ou DMC de 3 j")
    remedy = reason.locator(".remedy", has_text="Changer le plan Standard")
    expect(remedy.get_by_role("link")).to_have_attribute("href", f"{D}/plans/{plan.pk}/")

    # the plan itself warns of it, with the days
    remedy.get_by_role("link").click()
    expect(page.locator("main")).to_contain_text("J+12")

    assert day(office, date(2026, 11, 24)) == []
    assert day(office, date(2026, 11, 25)) == ["Dernier rappel"]

    # the history: the last reminder and its date
    open_record(page, live_server, customer, "?onglet=historique")
    latest = page.locator("main").get_by_role("listitem").filter(has_text="Dernier rappel").first
    expect(latest).to_contain_text("25 nov.")
    left = Message.objects.get(subject="Dernier rappel").sent_at
    assert left is not None
    hour = left.astimezone(ZoneInfo("Europe/Paris"))
    expect(latest).to_contain_text(f"Envoyé à {hour:%H:%M} à compta@pharmacie.example")

    # J+20, a call to make: the label is that of the action, and it is mine
    assert day(office, date(2026, 12, 3)) == []
    open_record(page, live_server, customer)
    _the_call_is_made(page)


def _all_actions_due_today_of(page: Page, client: str) -> None:
    """Under Actions, Toutes: what is to do, due today, by the name of the client."""
    go(page, "Actions")
    page.get_by_role("link", name="Toutes").click()
    page.locator("select[name=statut]").select_option(label="À faire")
    page.locator("select[name=echeance]").select_option(label="Aujourd’hui")
    page.get_by_label("Chercher un client").fill(client)
    page.get_by_role("button", name="Filtrer").click()


def test_an_action_that_is_not_mine_and_how_it_becomes_mine(
    page: Page,
    live_server: LiveServer,
    owner: User,
    paul: User,
    organisation: Organisation,
    customer: Customer,
    plan: Plan,
    office: Office,
) -> None:
    """S3-02, S3-07 to S3-13: owner or not, who is to do it, since when; an Admin takes it over."""
    plan.steps.update(automatic=False)
    make_invoice(customer, "F-1", TODAY - timedelta(days=7), 700_00)
    other = make_customer(organisation, plan, "Transports Le Guen", code="GUEN")
    make_invoice(other, "G-1", TODAY - timedelta(days=7), 50_00)
    assert day(office, TODAY) == []
    action = Action.objects.get(customer=customer)
    action.owners.set([paul])

    # Camille sees whose it is, and cannot click
    log_in(page, live_server, owner.email)
    open_record(page, live_server, customer)
    expect(state(page)).to_contain_text("E-mail à envoyer")
    expect(state(page).get_by_role("link", name="E-mail à envoyer")).to_have_count(0)
    info = state(page).get_by_role("button", name="Responsable : Paul Riou")
    expect(info).to_have_attribute("data-tip", "Responsable : Paul Riou")

    _all_actions_due_today_of(page, "delmas")
    rows = page.locator(".list-table tbody tr")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Pharmacie Delmas")

    # the next day: waiting since yesterday, and who should have done it
    office.morning(TODAY + timedelta(days=1))
    page.locator("select[name=echeance]").select_option("")
    page.get_by_role("button", name="Filtrer").click()
    expect(rows).to_contain_text("hier")
    expect(rows).to_contain_text("Paul Riou")

    # she is an administrator
    rows.get_by_role("link", name="Pharmacie Delmas").click()
    panel = page.locator("#panel")
    expect(panel).to_contain_text("Cette action revient à Paul Riou.")
    expect(panel.get_by_role("button", name="Envoyer")).to_have_count(0)
    panel.get_by_role("button", name="M’en charger").click()
    open_record(page, live_server, customer)
    state(page).get_by_role("link", name="E-mail à envoyer").click()
    expect(panel.locator("h2")).to_have_text("Pharmacie Delmas")
    panel.get_by_role("button", name="Envoyer").click()
    expect(page.locator("#toasts")).to_contain_text("Message à Pharmacie Delmas")
    [mail] = office.turn()
    assert mail.to == ["compta@pharmacie.example"]
    assert Action.objects.get(pk=action.pk).status == Action.Status.DONE

    theirs = Action.objects.get(customer=other)
    theirs.owners.set([owner])
    log_out(page)
    log_in(page, live_server, paul.email)
    page.goto(f"{live_server.url}{D}/actions/{theirs.pk}/")
    _may_be_read_and_no_more(page)


def _may_be_read_and_no_more(page: Page) -> None:
    """Paul, who is no administrator, before what is Camille's."""
    expect(page.locator("#panel")).to_contain_text("Cette action revient à Camille Le Goff.")
    expect(page.locator("#panel")).to_contain_text("Un administrateur peut vous la confier.")
    for name in ("Envoyer", "Ignorer", "M’en charger"):
        expect(page.locator("#panel").get_by_role("button", name=name)).to_have_count(0)


def test_no_action_to_do_says_why_and_leads_to_the_remedy(
    page: Page,
    live_server: LiveServer,
    owner: User,
    organisation: Organisation,
    plan: Plan,
    template: Template,
    office: Office,
) -> None:
    """S3-03 to S3-06, S3-26: nothing due, no plan, a balance of zero; each with its way out."""
    nothing = make_customer(organisation, plan, "Cinéma L’Éden", code="EDEN")
    no_plan = make_customer(organisation, None, "Garage Le Roux", code="GARAGE")
    make_invoice(no_plan, "G-1", TODAY - timedelta(days=9), 10_00)
    credited = make_customer(organisation, plan, "Hôtel Beauséjour", code="HOTEL")
    make_invoice(credited, "H-1", TODAY - timedelta(days=9), 100_00)
    ledger.add_credit(
        customer=credited, number="A-1", total_cents=100_00, on=TODAY, now=at(TODAY), actor=owner
    )
    office.turn()
    log_in(page, live_server, owner.email)

    # nothing due: a campaign writes to him all the same
    open_record(page, live_server, nothing)
    expect(state(page)).to_contain_text("Aucune action à effectuer")
    expect(state(page)).to_contain_text("aucune facture à régler")
    state(page).get_by_role("link", name="Écrire par une campagne").click()
    expect(page.locator("main")).to_contain_text("Cinéma L’Éden")
    page.get_by_role("button", name="Écrire").click()
    page.get_by_label("Objet").fill("Nos nouveaux horaires")
    page.locator("[name=body]").fill("Bonjour,\n\nnous ouvrons aussi le samedi.")
    page.get_by_role("button", name="Vérifier avant l’envoi").click()
    expect(page.locator("main")).to_contain_text("1 e-mail partira")
    page.get_by_role("button", name="Envoyer", exact=True).click()
    expect(page.locator("main")).to_contain_text("Cinéma L’Éden")
    mails = [*office.turn(), *office.turn(minutes=5)]
    assert [(mail.to, mail.subject) for mail in mails] == [
        (["compta@eden.example"], "Nos nouveaux horaires")
    ]

    # no plan: he is given one, and the page has changed its mind
    open_record(page, live_server, no_plan)
    expect(state(page)).to_contain_text("Aucune action à effectuer")
    expect(state(page).get_by_role("link", name="Écrire par une campagne")).to_be_visible()
    state(page).get_by_role("link", name="Assigner un plan").click()
    page.locator("#plan").get_by_label("Plan de relance").select_option(label="Standard")
    page.locator("#plan").get_by_role("button", name="Assigner").click()
    expect(state(page)).not_to_contain_text("Aucune action à effectuer")

    # a credit as large as what he owes: apply it, or report the difference
    open_record(page, live_server, credited)
    expect(state(page)).to_contain_text("Aucune action à effectuer")
    expect(state(page).get_by_role("link", name="Imputer les avoirs")).to_be_visible()
    state(page).get_by_role("link", name="Signaler un écart").click()
    note = page.get_by_label("Note sur ce client")
    expect(note).to_have_value(re.compile("Écart de solde chez Hôtel Beauséjour.* H-1, A-1"))
    assert Message.objects.filter(customer=credited).count() == 0


def test_a_missing_address_makes_an_action_that_is_repaired_on_the_spot(
    page: Page,
    live_server: LiveServer,
    owner: User,
    organisation: Organisation,
    plan: Plan,
    office: Office,
) -> None:
    """S3-14: nothing left automatically, because nobody could be reached."""
    silent = make_customer(organisation, plan, "Ferme de Kerloc’h", code="FERME", email="")
    make_invoice(silent, "F-1", TODAY - timedelta(days=9), 45_00)
    assert day(office, TODAY) == []
    log_in(page, live_server, owner.email)
    open_record(page, live_server, silent)
    state(page).get_by_role("link", name="E-mail à envoyer").click()
    panel = page.locator("#panel")
    panel.locator("[name=to]").fill("gaec@kerloch.example")
    panel.get_by_label("Garder cette adresse sur sa fiche").check()
    panel.get_by_role("button", name="Envoyer").click()
    expect(page.locator("#toasts")).to_contain_text("Message à Ferme de Kerloc’h")
    [mail] = office.turn()
    assert mail.to == ["gaec@kerloch.example"]
    silent.refresh_from_db()
    assert silent.email == "gaec@kerloch.example"
