"""One search over everything of the dossier, by its owner, a reader and a stranger."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from relance.accounts.access import Access, open_organisation
from relance.accounts.models import Organisation, User
from relance.dunning.models import Plan
from relance.history import services as history
from relance.history.services import Fact
from relance.ledger import services as ledger
from relance.ledger.models import Contact, Customer, Site
from relance.outbox.models import Message
from relance.web.queries.search import FULL, LONGEST, search
from tests.conftest import NOW, TODAY, make_customer, make_invoice

PAGE = "/d/ateliers-kerdoncuff/recherche/"


@pytest.fixture
def access(owner: User, organisation: Organisation) -> Access:
    return open_organisation(owner, organisation.slug)


@pytest.fixture
def hotel(organisation: Organisation, plan: Plan, owner: User) -> Customer:
    """A customer with an invoice, a contact, a chantier, a message and a note."""
    customer = ledger.add_customer(
        organisation=organisation,
        code="C-042",
        name="Hôtel Beauséjour",
        email="compta@beausejour.example",
        on=TODAY,
        now=NOW,
        actor=owner,
    )
    make_invoice(customer, "F-2026-0862", TODAY - timedelta(days=18), 1234_56)
    make_invoice(customer, "F-2025-0862", TODAY - timedelta(days=300), 50_00, balance_cents=0)
    Contact.objects.create(
        organisation=organisation,
        customer=customer,
        name="Mme Zoé Abgrall",
        email="z.abgrall@hotel.example",
        phone="02 98 55 12 34",
    )
    Site.objects.create(organisation=organisation, customer=customer, name="Aile Éole")
    Message.objects.create(
        organisation=organisation,
        customer=customer,
        on=TODAY,
        not_before=NOW,
        made_at=NOW,
        sender="a@a.example",
        subject="Dernier rappel, échéance dépassée",
        text="…",
        amount_cents=1234_56,
        message_ref="<1@relance.example>",
    )
    note = Fact("note", NOW, TODAY, customer.pk, data={"text": "Le gérant rappelle jeudi"})
    history.append(organisation, [note])
    return customer


def titles(access: Access, text: str) -> dict[str, list[str]]:
    return {group.key: [hit.title for hit in group.hits] for group in search(access, text)}


@pytest.mark.parametrize("text", ["hotel", "HÔTEL BEAU", "beausejour", "c-042", "séjour"])
def test_a_client_is_found_by_name_or_code_without_accents_or_case(
    access: Access, hotel: Customer, text: str
) -> None:
    assert titles(access, text)["clients"] == ["Hôtel Beauséjour"]


@pytest.mark.parametrize("text", ["F-2026-0862", "f-2026", "2026-0862", "F-2026-08"])
def test_an_invoice_is_found_by_the_beginning_or_the_end_of_its_number(
    access: Access, hotel: Customer, text: str
) -> None:
    assert titles(access, text)["factures"] == ["F-2026-0862"]


def test_the_last_digits_find_every_year(access: Access, hotel: Customer) -> None:
    assert titles(access, "0862")["factures"] == ["F-2025-0862", "F-2026-0862"]


@pytest.mark.parametrize("text", ["1 234,56", "1\u202f234,56\u00a0€", "1234.56", "1234,56 EUR"])
def test_an_amount_finds_invoices_and_messages(access: Access, hotel: Customer, text: str) -> None:
    found = titles(access, text)
    assert found["montants"] == ["F-2026-0862"]
    assert found["messages"] == ["Dernier rappel, échéance dépassée"]


def test_the_amount_of_a_settled_invoice_is_found_too(access: Access, hotel: Customer) -> None:
    assert titles(access, "50,00")["montants"] == ["F-2025-0862"]


@pytest.mark.parametrize(
    "text", ["abgrall", "zoe", "Mme ZOÉ", "z.abgrall@hotel.example", "02 98 55", "0298551234"]
)
def test_a_contact_is_found_by_name_address_or_phone(
    access: Access, hotel: Customer, text: str
) -> None:
    assert titles(access, text)["contacts"] == ["Mme Zoé Abgrall"]


def test_chantiers_subjects_and_notes_are_found(access: Access, hotel: Customer) -> None:
    assert titles(access, "eole")["chantiers"] == ["Aile Éole"]
    assert titles(access, "echeance depassee")["messages"] == ["Dernier rappel, échéance dépassée"]
    assert titles(access, "gerant jeudi")["notes"] == ["Le gérant rappelle jeudi"]


def test_a_contact_that_changes_is_found_by_its_new_words(
    access: Access, hotel: Customer, owner: User
) -> None:
    contact = Contact.objects.get()
    ledger.save_contact(
        customer=hotel,
        contact=contact,
        name="M. Cariou",
        email="cariou@hotel.example",
        on=TODAY,
        now=NOW,
        actor=owner,
    )
    assert titles(access, "abgrall") == {}
    assert titles(access, "cariou")["contacts"] == ["M. Cariou"]


@pytest.mark.parametrize(
    "text",
    ["", "   ", "%", "_", "%%%", "'", '"', "\\", "\0", "' OR 1=1 --", "x" * 10_000, "۔؟", "🧾",
     "\u202eexe.pdf", "مرحبا", "-", "€", "9" * 200, "1e9999", "NaN", "‮‭"],
)  # fmt: skip
def test_nothing_that_one_types_breaks_the_search_or_finds_everything(
    camille: Client, hotel: Customer, text: str
) -> None:
    answer = camille.get(PAGE, {"q": text})
    assert answer.status_code == 200
    assert "Hôtel Beauséjour" not in answer.content.decode()
    assert len(answer.context["text"]) <= LONGEST


def test_percent_and_underscore_are_letters_like_others(
    access: Access, organisation: Organisation, plan: Plan
) -> None:
    odd = make_customer(organisation, plan, "Remise", code="R1")
    make_invoice(odd, "A_1%", TODAY)
    make_invoice(odd, "AB1X", TODAY)
    assert titles(access, "A_1%")["factures"] == ["A_1%"]


def test_a_script_is_shown_as_text(camille: Client) -> None:
    text = camille.get(PAGE, {"q": "<script>alert(1)</script>"}).content.decode()
    assert "<script>alert" not in text


def test_a_stranger_finds_nothing_of_another_dossier(
    client: Client, stranger: User, hotel: Customer
) -> None:
    client.force_login(stranger)
    for text in ("hotel", "0862", "1 234,56", "abgrall", "eole", "rappel", "jeudi"):
        answer = client.get("/d/ailleurs/recherche/", {"q": text})
        assert answer.status_code == 200
        assert answer.context["groups"] == []
    assert client.get(PAGE, {"q": "hotel"}).status_code == 404


def test_a_reader_searches_as_everybody(client: Client, colleague: User, hotel: Customer) -> None:
    client.force_login(colleague)
    assert "Hôtel Beauséjour" in client.get(PAGE, {"q": "hotel"}).content.decode()


def test_every_result_leads_to_a_page_that_exists(
    camille: Client, access: Access, hotel: Customer
) -> None:
    seen = set()
    for text in ("hotel", "0862", "1 234,56", "abgrall", "eole", "rappel", "jeudi"):
        for group in search(access, text):
            seen.add(group.key)
            for hit in group.hits:
                assert camille.get(hit.url).status_code == 200, hit
    assert seen == {"clients", "factures", "montants", "contacts", "chantiers", "messages", "notes"}


def test_as_one_types_the_list_under_the_field_answers(camille: Client, hotel: Customer) -> None:
    """htmx asks for the piece: options that the arrows walk, never a whole page."""
    piece = camille.get(PAGE, {"q": "hotel"}, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in piece
    assert 'role="option"' in piece
    assert "Voir tous les résultats" in piece


def test_the_field_stands_on_every_page_and_slash_leads_to_it(
    camille: Client, hotel: Customer
) -> None:
    for place in ("", "tableau-de-bord/", "clients/", "actions/", "envois/", "recherche/"):
        text = camille.get(f"/d/ateliers-kerdoncuff/{place}", follow=True).content.decode()
        assert text.count('data-key="/"') == 1, place
        assert 'hx-trigger="input changed delay:200ms"' in text, place


def test_a_search_costs_a_fixed_number_of_questions(
    access: Access,
    hotel: Customer,
    organisation: Organisation,
    plan: Plan,
    django_assert_max_num_queries: Callable[[int], object],
) -> None:
    for number in range(FULL + 10):
        one = make_customer(organisation, plan, f"Hôtel {number}", code=f"H{number}")
        make_invoice(one, f"H-{number}", TODAY, 1234_56)
    with django_assert_max_num_queries(17):  # type: ignore[attr-defined]
        groups = search(access, "1 234,56")
    amounts = next(group for group in groups if group.key == "montants")
    assert len(amounts.hits) == FULL
    assert amounts.more
