"""Clients and the page of one client, used by an owner, a read-only colleague and a stranger."""

from datetime import date
from html import unescape
from typing import Any

import pytest
from django.test import Client

from relance.accounts.models import Organisation, User
from relance.dunning import services
from relance.dunning.daily import run
from relance.dunning.models import Action, Assignment, Entry, InvoiceChase, Plan
from relance.history.models import Event
from relance.ledger import services as ledger
from relance.ledger.models import Contact, Credit, Customer, Invoice, Site
from tests.conftest import NOW, TODAY, make_customer, make_invoice
from tests.web.record import D, days_ago, freeze, page

# --- the state at the top right ---------------------------------------------------


def test_without_open_invoice_there_is_nothing_to_do(camille: Client, customer: Customer) -> None:
    """S3-03, S3-04."""
    text = page(camille, customer)

    assert "Aucune action à effectuer" in text
    assert "Ce client n’a aucune facture à régler." in text
    assert "/imports/" in text


@pytest.mark.parametrize(
    ("empty", "why"), [(False, "Aucun plan"), (True, "ne contient aucun niveau")]
)
def test_without_a_plan_with_steps_there_is_nothing_to_do(
    camille: Client, organisation: Organisation, empty: bool, why: str
) -> None:
    """S3-05, with the way to assign one."""
    plan = Plan.objects.create(organisation=organisation, name="Vide") if empty else None
    customer = make_customer(organisation, plan)
    make_invoice(customer, "F1", days_ago(12))

    text = page(camille, customer)

    assert "Aucune action à effectuer" in text
    assert why in text
    assert "onglet=definition#plan" in text


def test_a_balance_eaten_by_credits_leaves_nothing_to_do(
    camille: Client, customer: Customer, owner: User
) -> None:
    """S3-06, D-21; the remedy is one click away."""
    make_invoice(customer, "F1", days_ago(12), 500_00)
    ledger.add_credit(
        customer=customer, number="A1", total_cents=500_00, on=days_ago(1), now=NOW, actor=owner
    )

    text = page(camille, customer)

    assert "Aucune action à effectuer" in text
    assert "Imputer les avoirs" in text
    assert "Avoir non imputé" in text
    assert "−500,00\u00a0€" in text


def test_a_pending_action_leads_its_owner_to_the_list(
    camille: Client, organisation: Organisation, customer: Customer, owner: User
) -> None:
    """S3-07 to S3-09: the label is that of its type."""
    action = pending_call(organisation, customer)
    action.owners.set([owner])

    text = page(camille, customer)

    assert "Appel à faire" in text
    assert f"?action={action.pk}" in text


def test_a_pending_action_of_somebody_else_names_him_and_is_not_clickable(
    camille: Client, organisation: Organisation, customer: Customer, colleague: User
) -> None:
    """S3-10."""
    action = pending_call(organisation, customer)
    action.owners.set([colleague])

    text = page(camille, customer)

    assert "Appel à faire" in text
    assert "Responsable : Yann Riou" in text
    assert f"?action={action.pk}" not in text


def pending_call(organisation: Organisation, customer: Customer) -> Action:
    make_invoice(customer, "F1", days_ago(25), 480_00)
    for level, on in ((1, 20), (2, 15), (3, 9)):
        services.set_level(
            customer, level=level, actor=User.objects.first(), on=days_ago(on), now=NOW
        )  # type: ignore[arg-type]
    run.run(organisation, on=TODAY, now=NOW)
    return Action.objects.get(customer=customer, status=Action.Status.OPEN)


def test_between_two_steps_one_may_chase(camille: Client, customer: Customer) -> None:
    """S3-15, S3-16, S3-19."""
    make_invoice(customer, "F1", days_ago(4))

    text = page(camille, customer)

    assert f"{D}/clients/{customer.pk}/relancer/" in text
    assert "Prochaine action automatique planifiée le" in text
    assert "Prochaine action (automatique) le" not in text


@pytest.mark.parametrize(("on", "shown"), [(date(2026, 11, 24), False), (date(2026, 11, 25), True)])
def test_the_next_automatic_action_shows_from_the_day_before(
    camille: Client, customer: Customer, monkeypatch: pytest.MonkeyPatch, on: date, shown: bool
) -> None:
    """S3-17, S3-18, D-19: it leaves on Thursday 26 November, 24 hours before is the 25th."""
    invoice = make_invoice(customer, "F1", date(2026, 11, 19))
    services.set_level(
        customer, level=1, actor=User.objects.first(), on=days_ago(10), now=NOW, invoice=invoice
    )  # type: ignore[arg-type]
    freeze(monkeypatch, on)

    text = page(camille, customer)

    assert ("Prochaine action (automatique) le 26\u00a0nov." in text) is shown


# --- Pourquoi ? --------------------------------------------------------------------


def test_the_page_costs_a_fixed_number_of_queries(
    camille: Client, customer: Customer, django_assert_max_num_queries: Any
) -> None:
    for n in range(40):
        make_invoice(customer, f"F{n:02}", days_ago(n - 10))

    with django_assert_max_num_queries(56):
        page(camille, customer)
    with django_assert_max_num_queries(71):
        page(camille, customer, "?le=2026-11-01")


# --- levels ------------------------------------------------------------------------


def test_the_level_changes_only_with_the_diskette(camille: Client, customer: Customer) -> None:
    """S1-17, S1-18, S1-19: the pencil opens the list; nothing is saved without the diskette."""
    invoice = make_invoice(customer, "F1", days_ago(12))

    opened = page(camille, customer, f"?niveau={invoice.pk}")
    assert "Enregistrer le niveau" in opened
    assert "Second rappel (2)" in opened
    assert not Entry.objects.exists()

    camille.post(f"{D}/factures/{invoice.pk}/niveau/", {"niveau": "2"})
    assert InvoiceChase.objects.get(invoice=invoice).level == 2
    assert "Second rappel\u00a0(2)" in page(camille, customer)


@pytest.mark.parametrize("level", ["", "9", "-1", "x", "99999999999999999999"])
def test_a_level_that_is_not_in_the_plan_is_refused_with_a_sentence(
    camille: Client, customer: Customer, level: str
) -> None:
    invoice = make_invoice(customer, "F1", days_ago(12))

    answer = camille.post(f"{D}/factures/{invoice.pk}/niveau/", {"niveau": level}, follow=True)

    assert "note--error" in answer.content.decode()
    assert not Entry.objects.exists()


def test_only_the_carrying_invoice_has_a_pencil_in_a_plan_by_customer(
    camille: Client, customer: Customer
) -> None:
    carrier = make_invoice(customer, "F1", days_ago(12))
    other = make_invoice(customer, "F2", days_ago(2))

    text = page(camille, customer)

    assert f"?niveau={carrier.pk}#" in text
    assert f"?niveau={other.pk}#" not in text
    assert "le niveau se change sur F1, la facture porteuse" in text


# --- deeds ---------------------------------------------------------------------------


def test_a_plan_is_assigned_from_the_record_and_from_the_side_panel(
    camille: Client, organisation: Organisation, plan: Plan
) -> None:
    """S2-10."""
    customer = make_customer(organisation, None)

    panel = camille.get(
        f"{D}/clients/{customer.pk}/panneau/", headers={"HX-Request": "true"}
    ).content.decode()
    assert "Assigner" in panel
    camille.post(f"{D}/clients/{customer.pk}/plan/", {"plan": plan.pk, "liste": "1"})
    assert Assignment.objects.get(customer=customer).plan == plan

    camille.post(f"{D}/clients/{customer.pk}/plan/", {"plan": ""})
    assert not Assignment.objects.filter(customer=customer).exists()


def test_promise_dispute_and_hold_retain_an_invoice_and_are_lifted(
    camille: Client, customer: Customer
) -> None:
    invoice = make_invoice(customer, "F1", days_ago(12))
    base = f"{D}/factures/{invoice.pk}"

    camille.post(f"{base}/promesse/", {"until": "2026-12-01"})
    camille.post(f"{base}/attente/", {"until": "2026-12-02"})
    camille.post(f"{base}/litige/", {"category": "Prix", "note": "Remise oubliée"})
    invoice.refresh_from_db()
    assert (invoice.promise_until, invoice.hold_until, invoice.disputed) == (
        date(2026, 12, 1), date(2026, 12, 2), True,
    )  # fmt: skip
    text = page(camille, customer)
    assert "Litige" in text
    assert "Clore le litige de F1" in text

    camille.post(f"{base}/litige/clos/")
    camille.post(f"{base}/reprise/")
    invoice.refresh_from_db()
    assert (invoice.promise_until, invoice.hold_until, invoice.disputed) == (None, None, False)


def test_a_promise_in_the_past_is_refused_where_it_happened(
    camille: Client, customer: Customer
) -> None:
    invoice = make_invoice(customer, "F1", days_ago(12))

    answer = camille.post(
        f"{D}/factures/{invoice.pk}/promesse/", {"until": "2020-01-01"}, follow=True
    )

    assert "La date est déjà passée" in unescape(answer.content.decode())
    invoice.refresh_from_db()
    assert invoice.promise_until is None


def test_a_client_is_held_released_excluded_and_marked(camille: Client, customer: Customer) -> None:
    make_invoice(customer, "F1", days_ago(12))
    base = f"{D}/clients/{customer.pk}"

    camille.post(f"{base}/attente/", {"until": "2026-12-01"})
    assert "suspendues jusqu’au" in page(camille, customer)
    camille.post(f"{base}/reprise/")
    camille.post(f"{base}/exclusion/", {"exclu": "1"})
    assert "Ce client est exclu des relances." in page(camille, customer)
    camille.post(f"{base}/exclusion/", {"exclu": "0"})
    camille.post(f"{base}/deja-relance/")
    assert Entry.objects.get(customer=customer).kind == Entry.Kind.MARKED


def test_a_credit_is_applied_to_an_invoice(
    camille: Client, customer: Customer, owner: User
) -> None:
    invoice = make_invoice(customer, "F1", days_ago(12), 500_00)
    credit = ledger.add_credit(
        customer=customer, number="A1", total_cents=200_00, on=days_ago(1), now=NOW, actor=owner
    )

    camille.post(f"{D}/avoirs/{credit.pk}/imputer/", {"facture": invoice.pk})

    invoice.refresh_from_db()
    assert invoice.balance_cents == 300_00
    assert Credit.objects.get().left_cents == 0


def test_contacts_and_sites_keep_their_favourites(camille: Client, customer: Customer) -> None:
    """S4-27 to S4-29."""
    base = f"{D}/clients/{customer.pk}"
    camille.post(
        f"{base}/contact/",
        {"name": "Mme Abgrall", "role": "Comptable", "email": "a@x.example", "is_default": "on"},
    )
    contact = Contact.objects.get()
    assert contact.is_default

    camille.post(f"{base}/chantier/", {"name": "Aile nord", "favourites": [contact.pk]})
    assert list(Site.objects.get().favourites.all()) == [contact]
    assert "★" in page(camille, customer, "?onglet=chantiers") or "#star" in page(
        camille, customer, "?onglet=chantiers"
    )

    refused = camille.post(f"{base}/contact/", {"name": "", "email": "pas une adresse"})
    assert refused.status_code == 422
    assert Contact.objects.count() == 1


def test_the_definition_is_edited_and_the_history_tells_it(
    camille: Client, customer: Customer
) -> None:
    url = f"{D}/clients/{customer.pk}/definition/"
    values = {
        "name": customer.name,
        "country": "FR",
        "regime": "public",
        "language": "fr",
        "email": "neuve@x.example",
    }

    camille.post(url, values)
    customer.refresh_from_db()
    assert (customer.email, customer.regime) == ("neuve@x.example", "public")
    history = page(camille, customer, "?onglet=historique")
    assert "Client modifié" in history
    assert "neuve@x.example" in history
    assert Event.objects.filter(kind="customer_edited").count() == 1

    wrong = camille.post(url, values | {"email": "pas une adresse"})
    assert wrong.status_code == 422
    assert "adresse" in wrong.content.decode()


# --- Relancer ------------------------------------------------------------------------


def test_the_next_automatic_message_can_be_read_before_it_leaves(
    camille: Client, customer: Customer
) -> None:
    make_invoice(customer, "F1", days_ago(4), 88_00)

    text = unescape(camille.get(f"{D}/clients/{customer.pk}/apercu/").content.decode())

    assert "88,00\u00a0€" in text
    assert "si rien n’est réglé d’ici là" in text


# --- the list and the others -----------------------------------------------------------


def test_a_colleague_reads_every_tab_and_can_change_nothing(
    client: Client, colleague: User, customer: Customer
) -> None:
    client.force_login(colleague)
    invoice = make_invoice(customer, "F1", days_ago(12))

    for tab in ("factures", "contacts", "chantiers", "historique", "definition", "pourquoi"):
        page(client, customer, f"?onglet={tab}")
    assert "lecture seule" in page(client, customer)
    assert "/relancer/" not in page(client, customer)
    base = f"{D}/clients/{customer.pk}"
    deeds = ("plan", "attente", "exclusion", "definition", "contact", "chantier", "deja-relance")
    urls = [f"{base}/{deed}/" for deed in (*deeds, "relancer")]
    urls += [f"{D}/factures/{invoice.pk}/{deed}/" for deed in ("niveau", "litige", "promesse")]
    for url in (*urls, f"{D}/modifications/clients/"):
        assert client.post(url, {"until": "2026-12-01"}).status_code == 403, url
    assert Event.objects.count() == 0


def test_a_stranger_finds_nobody(client: Client, stranger: User, customer: Customer) -> None:
    client.force_login(stranger)
    invoice = make_invoice(customer, "F1", days_ago(12))

    for dossier in ("ateliers-kerdoncuff", "ailleurs"):
        base = f"/d/{dossier}/clients/{customer.pk}"
        for url in (
            f"{base}/",
            f"{base}/panneau/",
            f"{base}/relancer/",
            f"{base}/apercu/",
            f"/d/{dossier}/factures/{invoice.pk}/",
        ):
            assert client.get(url).status_code == 404, url
        for url in (
            f"{base}/plan/",
            f"{base}/attente/",
            f"/d/{dossier}/factures/{invoice.pk}/niveau/",
        ):
            assert client.post(url, {"until": "2026-12-01"}).status_code == 404, url
    assert Invoice.objects.get().hold_until is None


def test_names_and_notes_are_text_never_markup(
    camille: Client, organisation: Organisation, plan: Plan, owner: User
) -> None:
    evil = make_customer(
        organisation, plan, "<script>alert(1)</script>", code="X", email="x@x.example"
    )
    invoice = make_invoice(evil, "<i>F</i>", days_ago(12))
    ledger.open_dispute(
        invoice=invoice, on=TODAY, now=NOW, actor=owner, note="<img src=x onerror=1>"
    )

    for query in ("", "?onglet=historique", f"?facture={invoice.pk}"):
        raw = camille.get(f"{D}/clients/{evil.pk}/{query}").content.decode()
        assert "<script>alert" not in raw
        assert "<img src=x" not in raw
        assert "<i>F</i>" not in raw


def test_the_panel_of_a_client_opened_by_itself_leads_to_the_list_that_holds_it(
    camille: Client, customer: Customer
) -> None:
    answer = camille.get(f"{D}/clients/{customer.pk}/panneau/", follow=True)

    assert answer.redirect_chain[-1][0].endswith(f"/clients/?client={customer.pk}")
    assert "<html" in answer.content.decode()
