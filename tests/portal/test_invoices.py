"""The debtor's page: the invoices of one message as they stand, how to pay, and nothing else."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relance.accounts.models import Organisation, User
from relance.dunning.models import Plan
from relance.history.models import Event
from relance.ledger.models import Customer, Invoice
from relance.outbox import doors
from relance.outbox.models import Message, MessageInvoice, Status
from tests.conftest import NOW, TODAY, make_customer, make_invoice

pytestmark = pytest.mark.django_db
PDF = b"%PDF-1.4 facture"


@pytest.fixture(autouse=True)
def media(settings: object, tmp_path: Path) -> Iterator[None]:
    settings.MEDIA_ROOT = tmp_path  # type: ignore[attr-defined]
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def delmas(organisation: Organisation, plan: Plan) -> Customer:
    organisation.iban = "FR7630006000011234567890189"
    organisation.bic = "AGRIFRPP"
    organisation.save()
    return make_customer(organisation, plan, phone="0298000000", siren="552100554")


def message_about(customer: Customer, *invoices: Invoice, **fields: object) -> Message:
    """A message that left this morning about these."""
    values: dict[str, object] = {
        "organisation": customer.organisation,
        "customer": customer,
        "status": Status.SENT,
        "on": TODAY,
        "not_before": NOW,
        "sent_at": NOW,
        "made_at": NOW,
        "sender": "Ateliers <relances@kerdoncuff.example>",
        "recipients": [customer.email],
        "subject": "Vos factures",
        "text": "Bonjour",
        "message_ref": f"<{Message.objects.count()}@kerdoncuff.example>",
    }
    message = Message.objects.create(**(values | fields))
    for one in invoices:
        MessageInvoice.objects.create(
            organisation=customer.organisation,
            message=message,
            invoice=one,
            amount_cents=one.balance_cents,
        )
    return message


def path_of(message: Message) -> str:
    return "/" + doors.link_of(message).split("/", 3)[3]


def with_pdf(invoice: Invoice) -> Invoice:
    invoice.document.save("facture.pdf", ContentFile(PDF))
    return invoice


def test_who_asks_what_is_owed_and_how_to_pay(delmas: Customer, client: Client) -> None:
    """A6: invoices, amounts, due dates, IBAN and reference, without an account."""
    late = with_pdf(make_invoice(delmas, "F-1", TODAY - timedelta(days=12), 120_00))
    soon = make_invoice(delmas, "F-2", TODAY + timedelta(days=5), 80_50)
    page = client.get(path_of(message_about(delmas, late, soon)))
    words = page.content.decode()
    assert page.status_code == 200
    for told in ("Ateliers Kerdoncuff", "F-1", "F-2", "FR76 3000 6000", "AGRIFRPP", "F-1 F-2"):
        assert told in words
    assert "échue depuis 12 jours" in words
    assert "à échoir" in words
    assert "200,50" in words
    assert page.headers["X-Robots-Tag"].startswith("noindex")
    assert "no-store" in page.headers["Cache-Control"]


def test_what_was_paid_meanwhile_is_said(delmas: Customer, client: Client) -> None:
    """A partial payment shows what is left; a paid invoice is no longer asked for."""
    paid = make_invoice(delmas, "F-1", TODAY, 100_00)
    partly = make_invoice(delmas, "F-2", TODAY, 100_00)
    disputed = make_invoice(delmas, "F-3", TODAY, 10_00)
    message = message_about(delmas, paid, partly, disputed)
    Invoice.objects.filter(pk=paid.pk).update(balance_cents=0)
    Invoice.objects.filter(pk=partly.pk).update(balance_cents=40_00)
    Invoice.objects.filter(pk=disputed.pk).update(disputed=True)
    words = client.get(path_of(message)).content.decode()
    assert "Réglée" in words
    assert "reste, sur 100,00" in words
    assert "Contestation en cours" in words
    Invoice.objects.update(balance_cents=0)
    words = client.get(path_of(message)).content.decode()
    assert "Tout est réglé, merci" in words
    assert "IBAN" not in words


def test_nothing_else_of_the_customer_or_the_organisation_is_shown(
    delmas: Customer, client: Client
) -> None:
    """Single purpose: other invoices, other messages, phone, SIREN and contacts stay at home."""
    told = make_invoice(delmas, "F-1", TODAY)
    make_invoice(delmas, "SECRET-9", TODAY, 99_00)
    words = client.get(path_of(message_about(delmas, told))).content.decode()
    assert "SECRET-9" not in words
    for private in (delmas.phone, delmas.siren, "camille@kerdoncuff.example"):
        assert private not in words


def test_after_an_opening_judgment_nothing_is_asked(delmas: Customer, client: Client) -> None:
    """Law-and-money: debts before the judgment are declared, not paid by transfer."""
    delmas.judgment_on = date(2026, 11, 1)
    delmas.save()
    words = client.get(path_of(message_about(delmas, make_invoice(delmas, "F-1", TODAY))))
    assert "ne demande aucun règlement" in words.content.decode()
    assert "IBAN" not in words.content.decode()


def test_the_document_is_saved_and_never_shown_by_our_pages(
    delmas: Customer, client: Client
) -> None:
    """A hostile file of an import must not run at our address."""
    invoice = with_pdf(make_invoice(delmas, "F/1 <b>", TODAY))
    answer = client.get(f"{path_of(message_about(delmas, invoice))}{invoice.pk}/facture")
    assert b"".join(answer) == PDF
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_document_that_is_gone_is_told_calmly(delmas: Customer, client: Client) -> None:
    invoice = with_pdf(make_invoice(delmas, "F-1", TODAY))
    invoice.document.storage.delete(invoice.document.name or "")
    answer = client.get(f"{path_of(message_about(delmas, invoice))}{invoice.pk}/facture")
    assert answer.status_code == 404
    assert "Ce document n’est plus là" in answer.content.decode()


def test_a_link_opens_its_own_message_only(
    delmas: Customer, plan: Plan, stranger: User, client: Client
) -> None:
    """Neither another message's invoice nor another organisation's, whatever number is typed."""
    mine, other = make_invoice(delmas, "F-1", TODAY), with_pdf(make_invoice(delmas, "F-2", TODAY))
    foreign = Organisation.objects.get(slug="ailleurs")
    theirs = with_pdf(make_invoice(make_customer(foreign, None, "Autre"), "F-3", TODAY))
    first, second = message_about(delmas, mine), message_about(delmas, other)
    for pk in (other.pk, theirs.pk, 999_999):
        assert client.get(f"{path_of(first)}{pk}/facture").status_code == 404
    forged = path_of(first).replace(f"/{first.pk}.", f"/{second.pk}.")
    assert client.get(forged).status_code == 404


@pytest.mark.parametrize("why", ["closed", "ended", "never left", "cancelled", "receipts"])
def test_a_link_that_shows_nothing_always_says_the_same(
    delmas: Customer, owner: User, client: Client, why: str
) -> None:
    """Revoked, over, or of a message that nobody got: one page, 404, no oracle."""
    message = message_about(delmas, make_invoice(delmas, "F-1", TODAY))
    if why == "closed":
        assert doors.close(message=message, actor=owner, on=TODAY, now=NOW)
    elif why == "ended":
        Message.objects.update(sent_at=NOW - doors.LIFE)
    elif why == "receipts":
        Message.objects.update(customer=None)
    else:
        Message.objects.update(status=Status.DRAFT if why == "never left" else Status.CANCELLED)
    answer = client.get(path_of(message))
    assert answer.status_code == 404
    assert answer.content == client.get("/f/rien/").content


def test_a_closed_link_opens_again_and_both_are_told(
    delmas: Customer, owner: User, client: Client
) -> None:
    message = message_about(delmas, make_invoice(delmas, "F-1", TODAY))
    told = {"message": message, "actor": owner, "on": TODAY, "now": NOW}
    assert doors.close(**told)
    assert not doors.close(**told)
    assert doors.reopen(**told)
    assert not doors.reopen(**told)
    assert client.get(path_of(message)).status_code == 200
    kinds = list(Event.objects.order_by("seq").values_list("kind", flat=True))
    assert kinds == ["link_closed", "link_reopened"]


def test_reading_writes_nothing(delmas: Customer, client: Client) -> None:
    """B1: no pixel, no trace of who opened what, nothing fetched from elsewhere."""
    message = message_about(delmas, make_invoice(delmas, "F-1", TODAY))
    words = client.get(path_of(message)).content.decode()
    assert not Event.objects.exists()
    assert "<img" not in words
    assert "http://" not in words.replace("http://www.w3.org", "")
    assert client.post(path_of(message)).status_code == 405


def test_a_customer_of_another_language_reads_his_own(delmas: Customer, client: Client) -> None:
    delmas.language = "en"
    delmas.save()
    message = message_about(delmas, make_invoice(delmas, "F-1", TODAY))
    assert '<html lang="en' in client.get(path_of(message)).content.decode()
    delmas.language = "fr"
    delmas.save()
    assert '<html lang="fr' in client.get(path_of(message)).content.decode()


def test_five_thousand_invoices_are_paged_by_the_database(
    delmas: Customer, client: Client, django_assert_max_num_queries: object
) -> None:
    """A statement of a large customer opens as fast as another."""
    invoices = Invoice.objects.bulk_create(
        Invoice(
            organisation=delmas.organisation,
            customer=delmas,
            number=f"F-{number:05}",
            issued=TODAY,
            due=TODAY,
            total_cents=100,
            balance_cents=100,
        )
        for number in range(5_000)
    )
    message = message_about(delmas)
    MessageInvoice.objects.bulk_create(
        MessageInvoice(
            organisation=delmas.organisation, message=message, invoice=one, amount_cents=100
        )
        for one in invoices
    )
    with django_assert_max_num_queries(6):  # type: ignore[operator]
        words = client.get(path_of(message) + "?page=2").content.decode()
    assert words.count('f-invoice"') == 50
    assert "page 2 sur 100" in words
    assert delmas.code in words


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(token=st.text(min_size=1, max_size=200).filter(lambda text: "/" not in text))
def test_no_made_up_token_opens_or_breaks_anything(db: None, token: str) -> None:
    """Fuzzed: control characters, digits of other alphabets, endless tokens."""
    assert doors.message_of(token, now=NOW) is None


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 44), sign=st.sampled_from("Aa0-_.=9"))
def test_a_token_changed_in_one_place_opens_nothing(db: None, place: int, sign: str) -> None:
    message = Message(pk=12)
    token = doors.token_of(message)
    forged = token[:place] + sign + token[place + 1 :]
    if forged != token:
        assert doors.message_of(forged, now=NOW) is None


def test_guessing_is_slowed_down(client: Client) -> None:
    codes = [client.get("/f/essai/").status_code for _turn in range(61)]
    assert codes[0] == 404
    assert codes[-1] == 429
