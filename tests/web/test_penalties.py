"""Legal amounts on the fiche, on their page and as a PDF, for the three people of page tests."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from relance.accounts.models import Organisation, User
from relance.history.models import Event
from relance.ledger import services as ledger
from relance.ledger.models import Customer, Invoice
from tests.conftest import NOW, TODAY, make_customer, make_invoice
from tests.outbox.pdf_words import pages_of


@pytest.fixture
def late(customer: Customer) -> Customer:
    """Example 7 of the law: 3 600.00 due on 31 May 2026; three days more than its 144."""
    Customer.objects.update(regime="business")
    make_invoice(customer, "F-7", date(2026, 5, 31), 3600_00)
    return customer


@pytest.fixture
def yann(colleague: User) -> Client:
    client = Client()
    client.force_login(colleague)
    return client


@pytest.fixture
def eve(stranger: User) -> Client:
    client = Client()
    client.force_login(stranger)
    return client


def url(name: str, customer: Customer) -> str:
    return reverse(name, args=[customer.organisation.slug, customer.pk])


def text(client: Client, address: str) -> str:
    """The page with its no-break spaces as plain ones."""
    page = client.get(address).content.decode()
    return page.replace("\u00a0", " ").replace("\u202f", " ")


def test_the_fiche_shows_principal_penalties_indemnity_and_total(
    camille: Client, yann: Client, late: Customer
) -> None:
    """Calm, expandable by invoice and by stretch of days."""
    for client in (camille, yann):
        page = text(client, url("customer_detail", late))
        block = page.partition('id="penalites"')[2].partition("</section>")[0]
        for words in ("3 600,00 €", "215,73 €", "40,00 €", "3 855,73 €", "12,40 %", "12,15 %"):
            assert words in block, words
        assert "pénalités depuis le" in block


def test_why_nothing_is_asked_is_said_with_the_way_to_change_it(
    camille: Client, late: Customer
) -> None:
    """D-26: a regime that is not known charges the principal only."""
    Customer.objects.update(regime="unknown")
    page = text(camille, url("customer_detail", late))
    block = page.partition('id="penalites"')[2].partition("</section>")[0]
    assert "seul le principal est réclamé" in block
    assert "Préciser le régime" in block
    assert "215,73" not in block


def test_a_customer_in_time_has_no_such_block(camille: Client, customer: Customer) -> None:
    make_invoice(customer, "F-1", TODAY + timedelta(days=3))
    assert 'id="penalites"' not in text(camille, url("customer_detail", customer))


def test_the_statement_is_of_the_day_chosen_on_screen_and_as_a_pdf(
    camille: Client, late: Customer
) -> None:
    page = text(camille, url("customer_penalties", late) + "?au=2026-11-21")
    assert "212,06 €" in page
    assert "3 852,06 €" in page
    answer = camille.get(url("customer_penalties_pdf", late) + "?au=2026-11-21")
    assert answer["Content-Type"] == "application/pdf"
    shown = "".join(pages_of(answer.content))
    assert "212,06" in shown
    assert "3\u202f852,06" in shown or "3852,06" in shown


def test_a_rate_that_is_not_known_refuses_with_its_semester_everywhere(
    camille: Client, late: Customer
) -> None:
    asked = url("customer_penalties", late) + "?au=2027-02-01"
    page = text(camille, asked)
    assert "Le taux de la BCE du 1er semestre 2027 n’est pas encore connu" in page
    assert "Total exigible" not in page
    assert "Décompte en PDF" not in page
    answer = camille.get(url("customer_penalties_pdf", late) + "?au=2027-02-01")
    assert answer.status_code == 302


def test_invoices_paid_late_are_counted_when_asked_for(camille: Client, late: Customer) -> None:
    invoice = Invoice.objects.get()
    ledger.record_payment(
        invoice=invoice, amount_cents=3600_00, on=TODAY - timedelta(days=3), now=NOW
    )
    assert "Aucune facture en retard" in text(camille, url("customer_penalties", late))
    assert "212,06 €" in text(camille, url("customer_penalties", late) + "?payees=1")


def test_the_day_on_which_a_consumer_was_put_on_notice_starts_his_interest(
    camille: Client, yann: Client, late: Customer
) -> None:
    Customer.objects.update(regime="consumer")
    Invoice.objects.update(due=date(2025, 11, 30), issued=date(2025, 11, 1))
    asked = url("customer_penalties", late) + "?au=2026-06-30"
    assert "aucune n’est connue" in text(camille, asked)
    notice = url("customer_notice", late)
    assert yann.post(notice, {"le": "2026-01-31"}).status_code == 403
    camille.post(notice, {"le": "2026-01-31"})
    assert Invoice.objects.get().noticed_on == date(2026, 1, 31)
    page = text(camille, asked)
    assert "38,76 €" in page  # 150 days at 2.62 %
    assert "L111-8" in page
    assert Event.objects.filter(kind="notice_received").count() == 1


@pytest.mark.parametrize("typed", ["2027-01-01", "1999-01-01", "hier", "9999999"])
def test_an_impossible_day_of_reception_is_refused_with_its_reason(
    camille: Client, late: Customer, typed: str
) -> None:
    camille.post(url("customer_notice", late), {"le": typed}, follow=True)
    assert Invoice.objects.get().noticed_on is None


def test_the_list_shows_each_late_client_in_a_few_queries(
    camille: Client, late: Customer, plan: Any, django_assert_max_num_queries: Any
) -> None:
    for n in range(12):
        other = make_customer(late.organisation, plan, f"Client {n}", regime="business")
        make_invoice(other, f"G-{n}", TODAY - timedelta(days=40))
    address = reverse("penalty_list", args=[late.organisation.slug])
    with django_assert_max_num_queries(30):
        page = text(camille, address)
    assert page.count("/penalites/") >= 13
    assert "3 855,73 €" in page
    assert "taux de l’intérêt légal du 2e semestre 2026" in page


def test_a_stranger_sees_nothing_of_it(eve: Client, late: Customer) -> None:
    for name in ("customer_penalties", "customer_penalties_pdf", "customer_notice"):
        assert eve.post(url(name, late)).status_code in (404, 405)
        assert eve.get(url(name, late)).status_code in (404, 405)


def test_the_terms_of_the_seller_are_set_and_told(
    camille: Client, organisation: Organisation
) -> None:
    """A floor of three times the legal rate stands beside what is typed."""
    address = reverse("settings_penalties", args=[organisation.slug])
    camille.post(address, {"rate": "12,50", "interest_first": "1"})
    organisation.refresh_from_db()
    assert (organisation.contract_rate_bp, organisation.interest_first) == (1250, True)
    page = text(camille, address)
    assert 'value="12,50"' in page
    assert "1er semestre 2026" in page
    camille.post(address, {"rate": "", "interest_first": ""})
    organisation.refresh_from_db()
    assert (organisation.contract_rate_bp, organisation.interest_first) == (None, False)
    assert "errorlist" in camille.post(address, {"rate": "-3"}).content.decode()
