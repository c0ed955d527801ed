"""The story of « plan de relance des encaissements » (S4), in a company that works by chantier."""

from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from playwright.sync_api import Locator, Page, expect
from pytest_django.live_server_helper import LiveServer

from relance.accounts.models import Organisation, User
from relance.dunning.models import Plan, Template
from relance.history.models import Event
from relance.ledger import services as ledger
from relance.ledger.models import Invoice
from relance.outbox.models import Message
from tests.browser.conftest import Office, go, log_in
from tests.conftest import TODAY, make_invoice
from tests.web.chantiers import LIST, D, debtor, late, plan_by_age, site_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

MONDAY = TODAY + timedelta(days=6)


def line(page: Page, number: str) -> Locator:
    """The line of one encaissement in À relancer."""
    return page.locator("[data-row]").filter(has=page.get_by_label(f"Cocher {number}", exact=True))


def level(page: Page, name: str) -> Locator:
    """The part of À relancer that belongs to one level."""
    return page.locator(f"[data-level-name='{name}']")


def window(page: Page) -> Locator:
    return page.locator("dialog[open]")


def _the_sender_is_given(page: Page) -> None:
    go(page, "Paramètres")
    page.get_by_role("link", name="Mails").click()
    expect(page.get_by_role("heading", name="Relances d’encaissements")).to_be_visible()
    page.get_by_label("Adresse d’envoi").fill("encaissements@kerdoncuff.example")
    page.get_by_role("button", name="Enregistrer", exact=True).click()
    expect(page.locator("dl.facts")).to_contain_text("encaissements@kerdoncuff.example")


def test_the_plan_of_the_company_is_set_up(
    page: Page, live_server: LiveServer, owner: User, organisation: Organisation, office: Office
) -> None:
    """S4-01 to S4-14: the sender, then levels before and after, each with its template."""
    for name in ("Pré-rappel", "Premier rappel"):
        subject = f"{name} {{{{ factures }}}}"
        Template.objects.create(
            organisation=organisation, name=name, subject=subject, body="Bonjour"
        )
    log_in(page, live_server, owner.email)
    _the_sender_is_given(page)
    organisation.refresh_from_db()
    assert organisation.email_from == "encaissements@kerdoncuff.example"

    go(page, "Plans de relance")
    page.get_by_role("link", name="Nouveau plan").click()
    page.locator("[name=name]").fill("Chantiers")
    page.locator("[name=scope]").select_option("invoice")
    page.locator("[name=progression]").select_option("age")
    rows = page.locator(".plan-steps tbody tr")
    expect(rows).to_have_count(0)
    for number, (name, days, side, alone) in enumerate(
        [("Pré-rappel", "5", "before", True), ("Premier rappel", "7", "due", False)]
    ):
        page.get_by_role("button", name="Ajouter un niveau").click()
        expect(rows).to_have_count(number + 1)
        row = rows.nth(number)
        row.locator(".plan-automatic input").set_checked(alone, force=True)
        row.get_by_label("Nom du niveau").fill(name)
        row.get_by_label("Jours").fill(days)
        row.get_by_label("Déclenchement").select_option(side)
        expect(row.get_by_label("Canal")).to_have_value("email")
        row.get_by_label("Modèle").select_option(label=name)
    page.get_by_role("button", name="Enregistrer le plan").click()
    go(page, "Plans de relance")
    expect(page.locator("main")).to_contain_text("Pré-rappel (1), Premier rappel (2)")
    plan = Plan.objects.get(name="Chantiers")
    assert list(
        plan.steps.values_list("days", "automatic", "template__name").order_by("level")
    ) == [
        (-5, True, "Pré-rappel"),
        (7, False, "Premier rappel"),
    ]

    # five days before the due date it leaves alone; seven days after, it is to be chased
    client = debtor(organisation, plan)
    site = site_of(client, "Quai Ouest", "chef@roussel.example")
    soon = make_invoice(client, "F-1", TODAY + timedelta(days=5), site=site)
    make_invoice(client, "F-2", TODAY - timedelta(days=7), site=site)
    for one in Invoice.objects.all():
        one.document.save(f"{one.number}.pdf", ContentFile(b"%PDF-1.4 facture"))
    mails = [*office.turn(), *office.turn(hours=1)]
    assert [(mail.to, mail.subject) for mail in mails] == [
        (["chef@roussel.example"], f"Pré-rappel {soon.number}")
    ]
    assert "encaissements@kerdoncuff.example" in mails[0].sender
    go(page, "À relancer")
    expect(level(page, "Premier rappel (2)")).to_contain_text("F-2")
    expect(page.locator("main")).not_to_contain_text("F-1")


def test_one_by_mail_then_several_of_one_level(
    page: Page, live_server: LiveServer, owner: User, organisation: Organisation, office: Office
) -> None:
    """S4-06, S4-12, S4-15 to S4-19, S4-31, S4-32: each to the people of its own chantier."""
    client = debtor(organisation, plan_by_age(organisation))
    invoices = {
        number: late(client, number, days, site_of(client, f"Chantier {number}", email))
        for number, days, email in (
            ("F-1", 8, "un@roussel.example"),
            ("F-2", 9, "deux@roussel.example"),
            ("F-3", 10, "trois@roussel.example"),
            ("F-4", 20, "quatre@roussel.example"),
            ("F-5", 11, "cinq@roussel.example"),
        )
    }
    office.turn()
    log_in(page, live_server, owner.email)
    go(page, "À relancer")
    expect(level(page, "Premier rappel (2)")).to_contain_text("4 encaissements")
    expect(level(page, "Second rappel (3)")).to_contain_text("F-4")

    # one: the window holds the words of its level; the sender may be changed there
    line(page, "F-1").get_by_role("link", name="Relancer par mail").click()
    expect(window(page).locator("[name=subject]")).to_have_value("Premier rappel : F-1")
    expect(window(page).get_by_label("un@roussel.example")).to_be_checked()
    expect(window(page).locator("[name=sender]")).to_be_visible()
    window(page).get_by_role("button", name="Envoyer par mail").click()
    expect(page.locator("[data-toast]")).to_contain_text("départ dans")
    expect(line(page, "F-1")).to_have_count(0)
    [mail] = office.turn()
    assert (mail.to, mail.subject) == (["un@roussel.example"], "Premier rappel : F-1")

    # one is paid meanwhile: it is to be chased no more
    ledger.record_payment(
        invoice=invoices["F-5"], amount_cents=120_000, on=TODAY, actor=owner, now=office.now()
    )
    page.goto(f"{live_server.url}{LIST}")
    expect(line(page, "F-5")).to_have_count(0)

    # several of one level, never of two
    page.get_by_label("Cocher F-2", exact=True).check()
    expect(page.get_by_label("Cocher F-4", exact=True)).to_be_disabled()
    page.get_by_label("Cocher F-3", exact=True).check()
    page.locator(".chase-bar").get_by_role("button", name="Relancer par mail").click()
    expect(window(page)).to_contain_text("2 messages")
    window(page).get_by_role("button", name="Envoyer par mail").click()
    expect(page.locator("#batch-state")).to_contain_text("2 sur 2")
    mails = office.turn()
    assert sorted((mail.to[0], mail.subject) for mail in mails) == [
        ("deux@roussel.example", "Premier rappel : F-2"),
        ("trois@roussel.example", "Premier rappel : F-3"),
    ]
    go(page, "À relancer")
    expect(line(page, "F-2")).to_have_count(0)
    expect(line(page, "F-4")).to_have_count(1)


def test_a_chantier_without_favourite_asks_for_its_recipients_once(
    page: Page, live_server: LiveServer, owner: User, organisation: Organisation, office: Office
) -> None:
    """S4-20 to S4-22, S4-25 to S4-29: the error of an automatic level, the window, the star."""
    client = debtor(organisation, plan_by_age(organisation, automatic=(1, 2, 3, 4)), email="")
    site = site_of(client, "Quai Ouest")
    late(client, "F-1", 8, site)
    assert [*office.turn(), *office.turn(hours=1)] == []
    log_in(page, live_server, owner.email)
    go(page, "À relancer")
    expect(level(page, "Premier rappel (2)")).to_contain_text("1 erreur")
    expect(line(page, "F-1")).to_contain_text("Aucun destinataire par défaut")

    # by hand, and the addresses are kept
    line(page, "F-1").get_by_role("link", name="Relancer par mail").click()
    expect(window(page)).to_contain_text("Un chantier n’a pas de destinataire favori.")
    window(page).get_by_label("Adresses e-mail").fill("chef@roussel.example, ana@roussel.example")
    window(page).get_by_label("Enregistrer comme favoris du chantier").check()
    window(page).get_by_role("button", name="Envoyer par mail").click()
    expect(page.locator("[data-toast]")).to_contain_text("départ dans")
    [mail] = office.turn()
    assert mail.to == ["ana@roussel.example", "chef@roussel.example"]

    # both bear the star of the chantier
    page.goto(f"{live_server.url}{D}/clients/{client.pk}/?onglet=chantiers")
    stars = page.locator(f"#chantier-{site.pk} .star.is-on")
    expect(stars).to_have_count(2)

    # and the next level leaves alone, to them
    office.morning(TODAY + timedelta(days=7))
    mails = [*office.turn(), *office.turn(hours=1)]
    assert [(mail.to, mail.subject) for mail in mails] == [
        (["ana@roussel.example", "chef@roussel.example"], "Second rappel : F-1")
    ]


def test_marked_as_already_chased_until_the_next_level(
    page: Page, live_server: LiveServer, owner: User, organisation: Organisation, office: Office
) -> None:
    """S4-23, S4-24: after a phone call; it comes back at the next level."""
    client = debtor(organisation, plan_by_age(organisation))
    late(client, "F-1", 8)
    late(client, "F-2", 8)
    office.turn()
    log_in(page, live_server, owner.email)
    go(page, "À relancer")
    line(page, "F-1").get_by_role("link", name="comme déjà relancé").click()
    window(page).get_by_label("Note").fill("Appelé ce matin, virement vendredi")
    window(page).get_by_role("button", name="Marquer comme déjà relancé").click()
    expect(line(page, "F-1")).to_have_count(0)
    expect(line(page, "F-2")).to_have_count(1)
    assert Event.objects.get(kind="marked_as_chased").data["note"].startswith("Appelé")
    assert not Message.objects.exists()

    office.morning(TODAY + timedelta(days=6))
    office.turn()
    page.goto(f"{live_server.url}{LIST}")
    expect(line(page, "F-1")).to_have_count(0)
    office.morning(TODAY + timedelta(days=7))
    office.turn()
    page.goto(f"{live_server.url}{LIST}")
    expect(level(page, "Second rappel (3)")).to_contain_text("F-1")


def test_the_recap_of_the_week_is_read_without_logging_in(
    page: Page, live_server: LiveServer, owner: User, organisation: Organisation, office: Office
) -> None:
    """S4-30: asked for once under Mes préférences, received on Monday at 08:00."""
    client = debtor(organisation, plan_by_age(organisation), "Menuiserie Roussel")
    late(client, "F-1", 3)
    late(client, "F-2", 8)
    log_in(page, live_server, owner.email)
    page.locator(".user-menu summary").click()
    page.get_by_role("link", name="Mes préférences").click()
    page.get_by_label("Le lundi à 8 h : les impayés et les relances à faire").check()
    page.get_by_role("button", name="Enregistrer", exact=True).click()
    expect(
        page.get_by_label("Le lundi à 8 h : les impayés et les relances à faire")
    ).to_be_checked()
    assert office.turn() == []

    office.morning(MONDAY)
    recap = [mail for mail in office.turn() if mail.to == [owner.email]]
    assert len(recap) == 1
    for told in ("2 400,00 €", "Menuiserie Roussel"):
        assert told in recap[0].text
        assert told in recap[0].html
    assert [mail for mail in office.turn() if mail.to == [owner.email]] == []
