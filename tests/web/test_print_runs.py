"""Between the print and its confirmation: what was paid since, reprints, two people, two clicks."""

from html import unescape

import pytest
from django.test import Client

from relance.accounts.models import User
from relance.dunning import services
from relance.dunning.models import Entry
from relance.history.models import Event
from relance.ledger.models import Customer, Invoice
from relance.outbox.models import Message, PrintRun, Status
from tests.conftest import make_customer, make_invoice
from tests.outbox.pdf_words import pages_of, squeezed
from tests.web.record import D, days_ago
from tests.web.test_letters import ADDRESS, page, printed, write_letter


@pytest.fixture
def customer(customer: Customer) -> Customer:
    for field, value in ADDRESS.items():
        setattr(customer, field, value)
    customer.save()
    return customer


@pytest.fixture
def invoice(customer: Customer) -> Invoice:
    return make_invoice(customer, "F1", days_ago(12), 123_45)


def text_of(client: Client, url: str, data: dict[str, object]) -> str:
    return unescape(client.post(url, data, follow=True).content.decode())


def test_a_letter_paid_since_the_print_is_shown_before_anything_is_confirmed(
    camille: Client, owner: User, customer: Customer, invoice: Invoice
) -> None:
    letter = write_letter(customer, invoice, owner)
    run = printed(owner, letter)
    Invoice.objects.update(balance_cents=0)
    url = f"{D}/courriers/tirages/{run.pk}/"

    said = text_of(camille, f"{url}confirmer/", {})

    assert "Rien n’est confirmé" in said
    assert "À retirer avant de poster" in said
    assert "Pharmacie Delmas, page 1 du PDF" in said
    assert not Entry.objects.exists()
    text_of(camille, f"{url}confirmer/", {"vu": letter.pk, "retirer": letter.pk})
    letter.refresh_from_db()
    assert (letter.status, letter.reason) == (Status.CANCELLED, "SETTLED")
    assert not Entry.objects.exists()


def test_a_letter_posted_all_the_same_counts_once_somebody_says_so(
    camille: Client, owner: User, customer: Customer, invoice: Invoice
) -> None:
    letter = write_letter(customer, invoice, owner)
    run = printed(owner, letter)
    Invoice.objects.update(balance_cents=0)

    said = text_of(camille, f"{D}/courriers/tirages/{run.pk}/confirmer/", {"vu": letter.pk})

    assert "1 courrier parti" in said
    letter.refresh_from_db()
    assert letter.status == Status.SENT


def test_reprinting_gives_the_same_bytes_and_the_journal_says_who(
    camille: Client, owner: User, colleague: User, customer: Customer, invoice: Invoice
) -> None:
    run = printed(owner, write_letter(customer, invoice, owner))
    url = f"{D}/courriers/tirages/{run.pk}/"
    first = camille.get(f"{url}pdf/").content
    camille.post(f"{url}confirmer/")

    again = camille.post(f"{url}reimprimer/", follow=True)

    assert again.content == first
    event = Event.objects.get(kind="letters_reprinted")
    assert event.actor_id == owner.pk
    assert camille.get(f"{url}reimprimer/").status_code == 405
    camille.force_login(colleague)
    assert camille.post(f"{url}reimprimer/").status_code == 403


def test_a_second_click_or_a_reload_prints_and_confirms_nothing_twice(
    camille: Client, owner: User, customer: Customer, invoice: Invoice
) -> None:
    letter = write_letter(customer, invoice, owner)
    for _click in range(2):
        camille.post(f"{D}/courriers/imprimer/", {"lettre": letter.pk})
    run = PrintRun.objects.get()
    for _click in range(2):
        camille.post(f"{D}/courriers/tirages/{run.pk}/confirmer/")

    assert PrintRun.objects.get().letters == 1
    assert Entry.objects.count() == 1
    assert Event.objects.filter(kind="message_sent", invoice_id=invoice.pk).count() == 1


def test_the_page_lists_the_letters_in_the_order_of_the_pdf(
    camille: Client, owner: User, customer: Customer
) -> None:
    letters = []
    for name, postcode in (("Albatros", "75001"), ("Zénith", "01000"), ("Milan", "29000")):
        one = make_customer(
            customer.organisation,
            None,
            name,
            address="1 rue Haute",
            postcode=postcode,
            city="Ville",
        )
        letters.append(write_letter(one, make_invoice(one, f"F-{name}", days_ago(12)), owner))
    camille.post(f"{D}/courriers/imprimer/", {"lettre": [one.pk for one in letters]})
    run = PrintRun.objects.get()

    text = page(camille, f"{D}/courriers/tirages/{run.pk}/")

    assert text.index("Zénith") < text.index("Milan") < text.index("Albatros")
    assert "Un bordereau en tête" in text
    cover, *sheets = pages_of(camille.get(f"{D}/courriers/tirages/{run.pk}/pdf/").content)
    assert squeezed("Bordereau du tirage") in cover
    assert [
        name for words in sheets for name in ("Zénith", "Milan", "Albatros") if name in words
    ] == [
        "Zénith",
        "Milan",
        "Albatros",
    ]


def test_a_letter_whose_address_does_not_fit_is_refused_with_what_to_do(
    camille: Client, owner: User, customer: Customer, invoice: Invoice
) -> None:
    """Shown before anything is printed; nothing of the address is cut off."""
    customer.city = "Q" * 60
    customer.save()

    said = page(camille, f"{D}/clients/{customer.pk}/relancer/?canal=courrier")
    record = page(camille, f"{D}/clients/{customer.pk}/?onglet=definition")

    for text in (said, record):
        assert "Une ligne d’adresse compte au plus 38" in text
        assert "Q" * 60 in text
    with pytest.raises(services.Refused, match="au plus 38"):
        write_letter(customer, invoice, owner)
    assert not Message.objects.exists()
