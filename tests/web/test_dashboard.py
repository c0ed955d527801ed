"""The dashboard, read and used by an owner, a read-only colleague and a stranger."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.test import Client

from relance.accounts import clock
from relance.accounts.models import Organisation, User
from relance.dunning.daily import run
from relance.dunning.models import InvoiceChase, Outlook, Plan, Template
from relance.ledger import services as ledger
from relance.ledger.models import Customer, Invoice
from relance.outbox.models import Message
from tests.conftest import NOW, TODAY, at, make_customer, make_invoice

BOARD = "/d/ateliers-kerdoncuff/tableau-de-bord/"
PIECE = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def _frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)


@pytest.fixture
def camille(client: Client, owner: User, organisation: Organisation) -> Client:
    client.force_login(owner)
    return client


def text_of(client: Client, query: str = "", **headers: str) -> str:
    answer = client.get(BOARD + query, headers=headers)
    assert answer.status_code == 200
    return answer.content.decode()


def days_ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def test_totals_say_what_is_open_late_promised_and_disputed(
    camille: Client, customer: Customer, owner: User
) -> None:
    make_invoice(customer, "F1", days_ago(-10), 1000_00)
    late = make_invoice(customer, "F2", days_ago(18), 600_00)
    disputed = make_invoice(customer, "F3", days_ago(40), 400_00)
    ledger.promise(invoice=late, until=days_ago(-3), on=TODAY, now=NOW, actor=owner)
    ledger.open_dispute(invoice=disputed, on=TODAY, now=NOW, actor=owner)

    text = text_of(camille)

    assert "2\u202f000,00\u00a0€" in text
    assert "50\u00a0% de l’encours" in text
    assert "1\u00a0promesse" in text
    assert "400,00\u00a0€" in text


def test_totals_and_list_stand_as_of_any_past_day(
    camille: Client, customer: Customer, owner: User
) -> None:
    """?au= adds back what was paid after the day."""
    paid = make_invoice(customer, "PAYEE", date(2026, 6, 1), 300_00)
    ledger.record_payment(
        invoice=paid, amount_cents=300_00, on=date(2026, 9, 1), now=NOW, actor=owner
    )

    assert "PAYEE" not in text_of(camille)
    then = text_of(camille, "?au=2026-06-30")
    assert "PAYEE" in then
    assert "300,00\u00a0€" in then
    assert "29\u00a0j" in then


@pytest.mark.parametrize("au", ["hier", "2026-13-40", "9999-99-99", "1200-01-01", "<script>"])
def test_a_day_that_is_none_is_today(camille: Client, customer: Customer, au: str) -> None:
    make_invoice(customer, "F1", days_ago(3))

    assert "F1" in text_of(camille, f"?au={au}")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"RETARD", "ECHOIR", "PROMISE", "LITIGE"}),
        ("?etat=retard", {"RETARD", "PROMISE", "LITIGE"}),
        ("?etat=echoir", {"ECHOIR"}),
        ("?etat=promises", {"PROMISE"}),
        ("?etat=litiges", {"LITIGE"}),
        ("?etat=reglees", {"REGLEE"}),
        ("?etat=toutes", {"RETARD", "ECHOIR", "PROMISE", "LITIGE", "REGLEE"}),
        ("?age=d1_30", {"RETARD", "PROMISE"}),
        ("?age=d31_60", {"LITIGE"}),
        ("?age=not_due", {"ECHOIR"}),
        ("?q=delmas", {"RETARD", "ECHOIR", "PROMISE", "LITIGE"}),
        ("?q=litig", {"LITIGE"}),
        ("?q=%25_", set()),
        ("?plan=aucun", set()),
        (
            "?etat=n'importe&age=1;drop&plan=x&tri=;&page=-4",
            {"RETARD", "ECHOIR", "PROMISE", "LITIGE"},
        ),
    ],
)
def test_filters_leave_the_right_invoices(
    camille: Client, customer: Customer, owner: User, query: str, expected: set[str]
) -> None:
    make_invoice(customer, "RETARD", days_ago(8))
    make_invoice(customer, "ECHOIR", days_ago(-8))
    promised = make_invoice(customer, "PROMISE", days_ago(9))
    disputed = make_invoice(customer, "LITIGE", days_ago(45))
    make_invoice(customer, "REGLEE", days_ago(60), balance_cents=0)
    ledger.promise(invoice=promised, until=days_ago(-5), on=TODAY, now=NOW, actor=owner)
    ledger.open_dispute(invoice=disputed, on=TODAY, now=NOW, actor=owner)

    text = text_of(camille, query)

    every = {"RETARD", "ECHOIR", "PROMISE", "LITIGE", "REGLEE"}
    assert {number for number in every if f"Cocher la facture {number}" in text} == expected


@pytest.mark.parametrize(
    ("sort", "first"),
    [
        ("", "VIEILLE"),
        ("retard", "RECENTE"),
        ("-reste", "GROSSE"),
        ("numero", "GROSSE"),
        ("-relance", "RECENTE"),
    ],
)
def test_columns_sort(
    camille: Client, organisation: Organisation, customer: Customer, sort: str, first: str
) -> None:
    make_invoice(customer, "VIEILLE", days_ago(90), 100_00)
    make_invoice(customer, "GROSSE", days_ago(50), 900_00)
    recent = make_invoice(customer, "RECENTE", days_ago(1), 200_00)
    InvoiceChase.objects.create(organisation=organisation, invoice=recent, level=1, last_on=TODAY)

    text = text_of(camille, f"?tri={sort}")

    order = sorted(("VIEILLE", "GROSSE", "RECENTE"), key=lambda n: text.index(f"facture {n}"))
    assert order[0] == first


def test_the_column_relance_and_the_level_say_what_was_last_done(
    camille: Client, organisation: Organisation, customer: Customer
) -> None:
    """S2-18, S1-20."""
    invoice = make_invoice(customer, "F1", days_ago(12))
    InvoiceChase.objects.create(
        organisation=organisation,
        invoice=invoice,
        level=2,
        level_name="Second rappel",
        last_on=days_ago(5),
    )

    text = text_of(camille)

    assert "Second rappel\u00a0(2)" in text
    assert 'datetime="2026-11-19"' in text


def test_the_bolt_stands_only_where_the_plan_would_chase(
    camille: Client, organisation: Organisation, plan: Plan, customer: Customer, owner: User
) -> None:
    """S2-13, S2-14: gone when switched off, paid, or without a plan."""
    on = make_invoice(customer, "SUIVIE", days_ago(12))
    off = make_invoice(customer, "COUPEE", days_ago(13))
    make_invoice(make_customer(organisation, None, "Sans plan"), "SANS-PLAN", days_ago(14))
    ledger.switch_plan_for_invoice(invoice=off, plan_on=False, on=TODAY, now=NOW, actor=owner)

    text = text_of(camille)

    assert text.count("Le plan relance cette facture") == 1
    ledger.record_payment(invoice=on, amount_cents=on.balance_cents, on=TODAY, now=NOW, actor=owner)
    assert "Le plan relance cette facture" not in text_of(camille)


def test_each_line_starts_a_letter_or_an_email_about_its_invoice(
    camille: Client, customer: Customer
) -> None:
    """S2-01, S2-02: the envelope and the @, each leading to its own empty window (S2-03)."""
    invoice = make_invoice(customer, "F1", days_ago(12))
    window = f"/d/ateliers-kerdoncuff/clients/{customer.pk}/relancer/"

    text = text_of(camille)

    for query, label, method in (
        (f"?canal=courrier&amp;facture={invoice.pk}", "Relancer F1 par courrier", "courrier"),
        (f"?facture={invoice.pk}", "Relancer F1 par e-mail", "email"),
    ):
        link = text[text.index(f'href="{window}{query}"') :]
        assert label in link[: link.index("</a>")]
        opened = camille.get(window + query.replace("&amp;", "&")).content.decode()
        assert f'name="canal" value="{method}"' in opened


def test_a_paid_invoice_offers_neither(camille: Client, customer: Customer) -> None:
    make_invoice(customer, "F1", days_ago(12), balance_cents=0)

    assert "/relancer/" not in text_of(camille, "?etat=reglees")


def test_ticking_one_client_offers_one_email_and_two_clients_are_refused(
    camille: Client, organisation: Organisation, plan: Plan, customer: Customer
) -> None:
    """S2-07, S2-08."""
    one = make_invoice(customer, "F1", days_ago(12), 100_00)
    two = make_invoice(customer, "F2", days_ago(2), 200_00)
    other = make_invoice(make_customer(organisation, plan, "Garage Lemoine"), "F3", days_ago(9))
    url = BOARD + "selection/"

    same = camille.get(url, {"cochee": [one.pk, two.pk]}, headers=PIECE).content.decode()
    both = f"relancer/?facture={one.pk}&amp;facture={two.pk}"
    assert f'href="/d/ateliers-kerdoncuff/clients/{customer.pk}/{both}">' in same
    assert f"{both}&amp;canal=courrier" in same
    assert "Envoyer un email" in same
    assert "Envoyer un courrier" in same
    assert "300,00\u00a0€" in same

    mixed = camille.get(url, {"cochee": [one.pk, other.pk]}, headers=PIECE).content.decode()
    assert "s’adresse à un seul client" in mixed
    assert "Garage Lemoine" in mixed
    assert "/relancer/" not in mixed

    without_script = text_of(camille, f"?cochee={one.pk}&cochee={other.pk}")
    assert "s’adresse à un seul client" in without_script


def test_the_box_of_the_panel_switches_the_plan_off_for_one_invoice(
    camille: Client, customer: Customer
) -> None:
    """S2-12, S2-14, S2-16: and the history tells it."""
    invoice = make_invoice(customer, "F1", days_ago(12))
    url = f"/d/ateliers-kerdoncuff/factures/{invoice.pk}/plan/"

    answer = camille.post(url, {}, follow=True)

    invoice.refresh_from_db()
    assert invoice.plan_on is False
    text = answer.content.decode()
    assert "Le plan de relance est désactivé pour cette facture." in text
    assert "Plan de relance désactivé" in text
    assert Outlook.objects.get(customer=customer).code == "NOTHING_CHASEABLE"
    camille.post(url, {"plan_on": "1"})
    invoice.refresh_from_db()
    assert invoice.plan_on is True
    assert Outlook.objects.get(customer=customer).code != "NOTHING_CHASEABLE"


def test_closing_the_panel_leads_back_to_the_list_and_nowhere_else(
    camille: Client, customer: Customer
) -> None:
    invoice = make_invoice(customer, "F1", days_ago(12))
    url = f"/d/ateliers-kerdoncuff/factures/{invoice.pk}/panneau/"

    known = camille.get(url, {"retour": "?etat=retard"}, headers=PIECE).content.decode()
    foreign = camille.get(
        url, {"retour": "https://ailleurs.example/"}, headers=PIECE
    ).content.decode()

    assert 'href="?etat=retard"' in known
    assert "ailleurs.example" not in foreign


def test_the_history_of_an_invoice_mixes_changes_and_messages_that_open_as_sent(
    camille: Client,
    organisation: Organisation,
    customer: Customer,
    owner: User,
    deliver: Callable[[], None],
) -> None:
    """S2-15 to S2-17."""
    invoice = make_invoice(customer, "F1", days_ago(12))
    run.run(organisation, on=TODAY, now=NOW)
    deliver()
    ledger.open_dispute(invoice=invoice, on=TODAY, now=NOW, actor=owner, category="Prix")

    text = camille.get(
        f"/d/ateliers-kerdoncuff/factures/{invoice.pk}/panneau/", headers=PIECE
    ).content.decode()

    assert "Litige ouvert" in text
    assert "Prix, Camille Le Goff" in text
    told = text.replace("<wbr>", "")
    assert "Envoyé à 08:30 à compta@pharmacie.example" in told
    assert "/d/ateliers-kerdoncuff/messages/" in text


def test_htmx_gets_the_panel_alone_and_a_reload_gets_the_page_with_it(
    camille: Client, customer: Customer
) -> None:
    invoice = make_invoice(customer, "F1", days_ago(12))

    piece = camille.get(
        f"/d/ateliers-kerdoncuff/factures/{invoice.pk}/panneau/", headers=PIECE
    ).content.decode()
    whole = text_of(camille, f"?facture={invoice.pk}")

    assert "<html" not in piece
    assert 'id="panel"' in piece
    assert "<html" in whole
    assert "Plan de relance activée" in whole


def test_a_piece_opened_by_itself_leads_to_the_page_that_holds_it(
    camille: Client, customer: Customer
) -> None:
    one, two = make_invoice(customer, "F1", days_ago(12)), make_invoice(customer, "F2", TODAY)

    panel = camille.get(f"/d/ateliers-kerdoncuff/factures/{one.pk}/panneau/", follow=True)
    ticked = camille.get(BOARD + "selection/", {"cochee": [one.pk, two.pk]}, follow=True)

    assert panel.redirect_chain[-1][0].endswith(f"tableau-de-bord/?facture={one.pk}")
    assert "Plan de relance activée" in panel.content.decode()
    assert "2\u00a0factures" in ticked.content.decode()
    for page in (panel, ticked):
        assert "<html" in page.content.decode()


def test_a_relance_of_the_history_opens_exactly_what_was_sent_with_its_attachment(
    camille: Client,
    organisation: Organisation,
    customer: Customer,
    template: Template,
    deliver: Callable[[], None],
) -> None:
    """S2-16, S2-17: whatever the template or the invoice have become since."""
    invoice = make_invoice(customer, "F1", days_ago(12), 123_45)
    invoice.document.save("F1.pdf", ContentFile(b"%PDF-1.4"))
    run.run(organisation, on=TODAY, now=NOW)
    deliver()
    Template.objects.update(body="Autres mots", subject="Autre objet")
    Invoice.objects.update(balance_cents=1_00)
    message = Message.objects.get()

    panel = camille.get(f"/d/ateliers-kerdoncuff/factures/{invoice.pk}/panneau/", headers=PIECE)
    url = f"/d/ateliers-kerdoncuff/messages/{message.pk}/"
    assert f'href="{url}"' in panel.content.decode()
    text = camille.get(url).content.decode()

    assert "Vos factures échues, 123,45\u00a0€" in text
    assert "Autres mots" not in text
    paper = text[text.index('<article class="paper"') :]
    assert "123,45\u00a0€" in paper[: paper.index("</article>")]
    assert "Joint" in text
    assert "F1" in text[text.index("Joint") : text.index('<article class="paper"')]


def test_every_modification_of_an_invoice_is_told_with_its_author(
    camille: Client, customer: Customer, owner: User
) -> None:
    """S2-15, S2-16: payment, dispute, promise, hold and the box of the plan, latest first."""
    invoice = make_invoice(customer, "F1", days_ago(12), 500_00)
    who = {"on": TODAY, "now": NOW, "actor": owner}
    ledger.record_payment(invoice=invoice, amount_cents=100_00, **who)
    ledger.switch_plan_for_invoice(invoice=invoice, plan_on=False, **who)
    ledger.promise(invoice=invoice, until=days_ago(-5), **who)
    ledger.open_dispute(invoice=invoice, category="Quantité", **who)

    text = camille.get(
        f"/d/ateliers-kerdoncuff/factures/{invoice.pk}/panneau/", headers=PIECE
    ).content.decode()

    told = ["Litige ouvert", "Promesse de règlement", "Plan de relance désactivé", "Règlement reçu"]
    places = [text.index(words) for words in told]
    assert places == sorted(places)
    assert text.count("Camille Le Goff") >= len(told)


def test_a_long_address_breaks_at_its_signs_and_not_inside_a_word(
    camille: Client, organisation: Organisation, plan: Plan, deliver: Callable[[], None]
) -> None:
    email = "comptabilite.fournisseurs@hotel-beausejour-quimper.example"
    customer = make_customer(organisation, plan, "Hôtel Beauséjour", email=email)
    invoice = make_invoice(customer, "F1", days_ago(12))
    run.run(organisation, on=TODAY, now=NOW)
    deliver()

    text = camille.get(
        f"/d/ateliers-kerdoncuff/factures/{invoice.pk}/panneau/", headers=PIECE
    ).content.decode()

    assert email.replace("@", "<wbr>@").replace(".", "<wbr>.") in text


def test_a_page_costs_the_same_number_of_queries_whatever_it_shows(
    camille: Client,
    organisation: Organisation,
    plan: Plan,
    customer: Customer,
    django_assert_max_num_queries: Any,
) -> None:
    for n in range(60):
        other = make_customer(organisation, plan, f"Client {n:03}", code=f"K{n:03}")
        make_invoice(other, f"N{n:03}", days_ago(n))

    with django_assert_max_num_queries(50):
        text = text_of(camille)

    assert "1 à 50 sur 60" in text


def test_names_are_text_never_markup(
    camille: Client, organisation: Organisation, plan: Plan
) -> None:
    evil = make_customer(
        organisation, plan, "<script>alert(1)</script>", code="X", email="x@x.example"
    )
    make_invoice(evil, "<b>F</b>", days_ago(5))

    text = text_of(camille)

    assert "<script>alert" not in text
    assert "<b>F</b>" not in text


def test_an_empty_dossier_says_what_to_do_next(camille: Client) -> None:
    assert "Importer des factures" in text_of(camille)


def test_a_colleague_sees_everything_changes_nothing_and_is_told_why(
    client: Client, colleague: User, customer: Customer
) -> None:
    client.force_login(colleague)
    invoice = make_invoice(customer, "F1", days_ago(12))

    text = text_of(client, f"?facture={invoice.pk}")

    assert "F1" in text
    assert "lecture seule" in text
    assert "/relancer/" not in text
    answer = client.post(f"/d/ateliers-kerdoncuff/factures/{invoice.pk}/plan/", {})
    assert answer.status_code == 403
    invoice.refresh_from_db()
    assert invoice.plan_on is True


def test_a_stranger_finds_nothing(client: Client, stranger: User, customer: Customer) -> None:
    client.force_login(stranger)
    invoice = make_invoice(customer, "F1", days_ago(12))

    for url in (
        BOARD,
        BOARD + "selection/",
        f"/d/ateliers-kerdoncuff/factures/{invoice.pk}/panneau/",
        f"/d/ailleurs/factures/{invoice.pk}/panneau/",
        f"/d/ailleurs/factures/{invoice.pk}/document/",
        f"/d/ailleurs/tableau-de-bord/?facture={invoice.pk}",
    ):
        assert client.get(url).status_code == 404, url
    assert client.post(f"/d/ailleurs/factures/{invoice.pk}/plan/").status_code == 404


@pytest.fixture
def deliver() -> Callable[[], None]:
    """Everything queued leaves at once, and what follows is written."""
    from django.db import transaction

    from relance.dunning.daily import hooks
    from relance.outbox.models import Message, Status

    def leave() -> None:
        with transaction.atomic():
            sent = list(Message.objects.filter(status=Status.QUEUED))
            for message in sent:
                message.status, message.sent_at, message.recorded = Status.SENT, at(TODAY), True
                message.save()
            hooks.record(sent)

    return leave
