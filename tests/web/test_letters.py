"""Courriers: written, printed, confirmed; the level rises at the confirmation only (D-07)."""

from datetime import timedelta
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse

from relance.accounts.models import Organisation, User
from relance.dunning import services
from relance.dunning.daily import hooks
from relance.dunning.models import Action, Entry, InvoiceChase, Plan, Step, Template
from relance.dunning.wording.messages import Words
from relance.history.models import Event
from relance.ledger.models import Customer, Invoice
from relance.outbox import print_runs
from relance.outbox.models import Message, PrintRun, Status
from tests.conftest import NOW, TODAY, make_invoice
from tests.outbox.pdf_words import pages_of, squeezed
from tests.web.morning import waiting
from tests.web.record import D, days_ago

ADDRESS = {"address": "12 rue des Halles", "postcode": "29000", "city": "Quimper"}


@pytest.fixture
def customer(customer: Customer) -> Customer:
    for field, value in ADDRESS.items():
        setattr(customer, field, value)
    customer.save()
    return customer


@pytest.fixture
def invoice(customer: Customer) -> Invoice:
    return make_invoice(customer, "F1", days_ago(12), 123_45)


def write_letter(customer: Customer, invoice: Invoice, actor: User) -> Message:
    return services.write_to(
        customer,
        invoices=[invoice],
        words=Words("Point", "Bonjour,\n\n{{ tableau_factures }}"),
        actor=actor,
        on=TODAY,
        now=NOW,
        channel="letter",
    )


def page(client: Client, url: str) -> str:
    return unescape(client.get(url).content.decode())


def test_what_waits_is_listed_and_ticked_all(
    camille: Client, owner: User, customer: Customer, invoice: Invoice
) -> None:
    empty = page(camille, f"{D}/courriers/")
    assert "Aucun courrier à imprimer" in empty
    letter = write_letter(customer, invoice, owner)

    text = page(camille, f"{D}/courriers/")

    start = text.index(f'name="lettre" value="{letter.pk}"')
    assert "checked" in text[start : text.index(">", start)]
    assert "29000 QUIMPER" in text
    assert "123,45\u00a0€" in text


def test_imprimer_then_confirmer_raises_the_level_only_at_the_end(
    camille: Client, owner: User, customer: Customer, invoice: Invoice
) -> None:
    """D-07, S1-13."""
    letter = write_letter(customer, invoice, owner)

    printed = camille.post(f"{D}/courriers/imprimer/", {"lettre": letter.pk}, follow=True)

    run = PrintRun.objects.get()
    assert "Confirmer l’impression" in unescape(printed.content.decode())
    pdf = camille.get(f"{D}/courriers/tirages/{run.pk}/pdf/")
    assert pdf["Content-Type"] == "application/pdf"
    [words] = pages_of(pdf.content)
    assert squeezed("Pharmacie Delmas") in words
    assert squeezed("123,45 €") in words
    assert not Entry.objects.exists()
    assert not InvoiceChase.objects.exists()

    said = camille.post(f"{D}/courriers/tirages/{run.pk}/confirmer/", follow=True)

    assert "1 courrier parti" in unescape(said.content.decode())
    assert Entry.objects.get().channel == "letter"
    assert InvoiceChase.objects.get().last_on == TODAY
    assert Event.objects.filter(kind="message_sent", invoice_id=invoice.pk).count() == 1
    again = page(camille, f"{D}/courriers/?vue=tirages")
    assert f"Tirage n° {run.pk}" in again
    assert camille.get(f"{D}/courriers/tirages/{run.pk}/pdf/").content == pdf.content


def test_a_second_confirmation_does_nothing_and_says_who_was_first(
    camille: Client, owner: User, colleague: User, customer: Customer, invoice: Invoice
) -> None:
    run = printed(owner, write_letter(customer, invoice, owner))
    print_runs.confirm(
        run=run, actor=colleague, now=NOW - timedelta(minutes=5), hooks=hooks.hooks(lambda: NOW)
    )

    for deed in ("confirmer", "reprendre"):
        text = unescape(
            camille.post(f"{D}/courriers/tirages/{run.pk}/{deed}/", follow=True).content.decode()
        )
        assert "Yann Riou a déjà confirmé cette impression le 24\u00a0nov. à 08:25." in text
    assert Entry.objects.count() == 1


def printed(user: User, letter: Message) -> PrintRun:
    return print_runs.make(
        organisation=letter.organisation,
        message_ids=[letter.pk],
        actor=user,
        now=NOW,
        hooks=hooks.hooks(lambda: NOW),
    ).run


def test_a_letter_on_paper_cannot_be_called_back_and_the_page_says_who_holds_it(
    camille: Client, owner: User, customer: Customer, invoice: Invoice
) -> None:
    """D-07: its run is put back first, else the paper leaves and no level rises."""
    letter = write_letter(customer, invoice, owner)
    run = printed(owner, letter)

    said = camille.post(f"{D}/messages/{letter.pk}/retenir/", follow=True)

    text = unescape(said.content.decode())
    assert f"Camille Le Goff l’a imprimé (tirage n°\u00a0{run.pk})" in text
    assert "Annuler ce message" not in text
    letter.refresh_from_db()
    assert letter.status == "queued"


def test_pas_imprime_puts_the_letters_back(
    camille: Client, owner: User, customer: Customer, invoice: Invoice
) -> None:
    run = printed(owner, write_letter(customer, invoice, owner))

    text = unescape(
        camille.post(f"{D}/courriers/tirages/{run.pk}/reprendre/", follow=True).content.decode()
    )

    assert "1 courrier attend de nouveau d’être imprimé." in text
    assert not Entry.objects.exists()
    assert Message.objects.get().status == Status.QUEUED


def test_a_letter_about_a_paid_invoice_is_not_printed_and_the_page_says_why(
    camille: Client, owner: User, customer: Customer, invoice: Invoice
) -> None:
    letter = write_letter(customer, invoice, owner)
    Invoice.objects.update(balance_cents=0)

    text = unescape(
        camille.post(
            f"{D}/courriers/imprimer/", {"lettre": letter.pk}, follow=True
        ).content.decode()
    )

    assert "Tout a été réglé avant le départ." in text
    assert not PrintRun.objects.exists()
    letter.refresh_from_db()
    assert letter.status == Status.CANCELLED


def test_two_people_never_print_the_same_letter_twice(
    camille: Client, owner: User, colleague: User, customer: Customer, invoice: Invoice
) -> None:
    letter = write_letter(customer, invoice, owner)
    printed(colleague, letter)

    text = unescape(
        camille.post(
            f"{D}/courriers/imprimer/", {"lettre": letter.pk}, follow=True
        ).content.decode()
    )

    assert "déjà dans un tirage de Yann Riou" in text
    assert PrintRun.objects.count() == 1


def test_the_letters_of_other_pages_are_printed_too_unless_unticked(
    camille: Client,
    owner: User,
    customer: Customer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("relance.web.queries.letters.PAGE", 2)
    letters = [
        write_letter(customer, make_invoice(customer, f"F{n}", days_ago(12)), owner)
        for n in range(4)
    ]
    text = page(camille, f"{D}/courriers/")
    assert "et les 2 autres, des autres pages" in text
    shown = f"{letters[0].pk},{letters[1].pk}"

    camille.post(f"{D}/courriers/imprimer/", {"lettre": letters[1].pk, "vues": shown, "reste": "1"})

    assert PrintRun.objects.get().letters == 3
    assert [one.pk for one in print_runs.waiting(customer.organisation)] == [letters[0].pk]


def test_the_list_asks_a_fixed_number_of_questions(
    camille: Client, owner: User, customer: Customer, django_assert_max_num_queries
) -> None:
    for n in range(12):
        write_letter(customer, make_invoice(customer, f"F{n}", days_ago(12)), owner)
    with django_assert_max_num_queries(21):
        camille.get(f"{D}/courriers/")


def test_a_reader_sees_the_letters_and_cannot_print_them(
    client: Client, organisation: Organisation, owner: User, colleague: User, customer: Customer
) -> None:
    letter = write_letter(customer, make_invoice(customer, "F1", days_ago(12)), owner)
    client.force_login(colleague)

    text = page(client, f"{D}/courriers/")

    assert "Votre rôle est en lecture seule" in text
    assert client.get(f"{D}/courriers/{letter.pk}/pdf/").status_code == 200
    assert client.post(f"{D}/courriers/imprimer/", {"lettre": letter.pk}).status_code == 403
    run = printed(owner, letter)
    assert client.get(f"{D}/courriers/tirages/{run.pk}/").status_code == 200
    assert client.post(f"{D}/courriers/tirages/{run.pk}/confirmer/").status_code == 403


def test_a_stranger_finds_no_letter(
    client: Client, owner: User, stranger: User, customer: Customer, invoice: Invoice
) -> None:
    letter = write_letter(customer, invoice, owner)
    run = printed(owner, letter)
    client.force_login(stranger)

    assert client.get(f"{D}/courriers/{letter.pk}/pdf/").status_code == 404
    assert client.get(f"{D}/courriers/tirages/{run.pk}/pdf/").status_code == 404
    theirs = reverse("letter_pdf", args=["ailleurs", letter.pk])
    assert client.get(theirs).status_code == 404
    assert client.post(f"/d/ailleurs/courriers/tirages/{run.pk}/confirmer/").status_code == 404
    client.post("/d/ailleurs/courriers/imprimer/", {"lettre": letter.pk})
    assert not PrintRun.objects.filter(organisation__slug="ailleurs").exists()


@pytest.fixture
def formal_notice(organisation: Organisation) -> Plan:
    """One registered letter, fifteen days after the due date."""
    plan = Plan.objects.create(organisation=organisation, name="Lettre seule")
    words = Template.objects.create(
        organisation=organisation,
        name="Mise en demeure",
        channel="registered_letter",
        subject="Mise en demeure",
        body="Madame,\n\n{{ tableau_factures }}",
    )
    Step.objects.create(
        organisation=organisation,
        plan=plan,
        level=1,
        name="Mise en demeure",
        days=15,
        channel="registered_letter",
        template=words,
    )
    return plan


def test_a_letter_of_the_to_do_raises_its_level_only_once_the_print_is_confirmed(
    organisation: Organisation, formal_notice: Plan, camille: Client
) -> None:
    """D-07: « Imprimer » makes the PDF, « Confirmer l’impression » makes it count."""
    action = waiting(organisation, formal_notice, late=20, **ADDRESS)
    letter = reverse("action_letter", args=[organisation.slug, action.pk])
    assert "Mise en demeure" in page(camille, letter)
    assert not Message.objects.exists()

    printed = camille.post(letter)

    message = Message.objects.get()
    assert (message.channel, message.level) == ("registered_letter", 1)
    assert message.action_id == action.pk
    assert not Entry.objects.exists()
    [words] = pages_of(camille.get(f"{D}/courriers/{message.pk}/pdf/").content)
    assert squeezed("Lettre recommandée avec avis de réception") in words
    assert "déjà préparée" in page(camille, letter)
    camille.post(f"{printed.headers['Location']}confirmer/")
    action.refresh_from_db()
    assert Entry.objects.filter(action_id=action.pk, level=1).exists()
    assert action.status == Action.Status.DONE


def test_what_is_approved_is_what_is_printed_interest_and_indemnity_with_it(
    organisation: Organisation, formal_notice: Plan, camille: Client
) -> None:
    """A10: panel, page and writing page show the sums and grounds of the PDF, from one draft."""
    Template.objects.update(
        body="Nous vous mettons en demeure de payer.\n\n{{ tableau_factures }}\n\n{{ signature }}"
    )
    action = waiting(
        organisation, formal_notice, late=20, **ADDRESS, regime="business", siren="552100554"
    )
    letter = reverse("action_letter", args=[organisation.slug, action.pk])
    shown = {
        "page": page(camille, letter),
        "panel": page(camille, reverse("action_detail", args=[organisation.slug, action.pk])),
    }
    camille.post(letter)
    kept = Message.objects.get().letter
    assert kept is not None
    assert kept["formal"]
    assert kept["sums"], "the law adds something"
    for where, text in shown.items():
        for words in (kept["total"][-1], *(one[-1] for one in kept["sums"]), *kept["enclosures"]):
            assert words in text, (where, words)
        for note in kept["notes"]:
            assert note in text, (where, note)
        assert "Le SIREN de votre organisation n’est pas renseigné." in text, where


def test_a_letter_of_the_to_do_without_address_says_so_instead_of_printing(
    organisation: Organisation, formal_notice: Plan, camille: Client
) -> None:
    action = waiting(organisation, formal_notice, late=20)
    letter = reverse("action_letter", args=[organisation.slug, action.pk])

    text = unescape(camille.post(letter).content.decode())

    assert "adresse postale complète" in text
    assert not Message.objects.exists()
