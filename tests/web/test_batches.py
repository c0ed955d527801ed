"""Relances clients, as Camille works through it (S1): filters, ticks, reading, sending, result."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from relance.accounts.models import DunningRole, Organisation, User
from relance.accounts.services import add_member
from relance.dunning.lots import batch_kinds, selection
from relance.dunning.models import Assignment, Batch, BatchLine, InvoiceChase, Plan, Template
from relance.ledger.models import Contact, Customer, Invoice
from relance.outbox.models import Message
from relance.web.queries import batches as queries
from tests.conftest import NOW, TODAY, make_customer, make_invoice
from tests.web.lots import SECOND, URL, book_of


def search(client: Client, **fields: str) -> Batch:
    """« Rechercher » with these filters; by mail and grouped unless said otherwise."""
    values = {"methode": "email", "grouper": "on"} | fields
    values = {key: value for key, value in values.items() if value}
    answer = client.post(URL + "rechercher/", values)
    assert answer.status_code == 302, answer.context["form"].errors
    return Batch.objects.latest("id")


def page(client: Client, batch: Batch, **query: str) -> str:
    return client.get(f"{URL}{batch.pk}/", query).content.decode()


def boxes(html: str) -> dict[int, bool]:
    """The boxes of invoices that can be ticked, by id."""
    found = re.findall(r'<input type="checkbox" name="facture" value="(\d+)"([^>]*)>', html)
    return {int(key): "checked" in more for key, more in found if "data-tick" in more}


def on(html: str) -> set[int]:
    return {key for key, ticked in boxes(html).items() if ticked}


def text(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


@pytest.fixture
def book(organisation: Organisation, plan: Plan) -> dict[str, Invoice]:
    return book_of(organisation, plan)


def test_the_window_is_one_click_away_and_lists_its_filters(
    camille: Client, book: dict[str, Invoice]
) -> None:
    """S1-05, S1-06, S1-07: Relances clients, its filters, Courrier / Mail, and why not SMS."""
    html = camille.get(URL).content.decode()
    home = camille.get("/d/ateliers-kerdoncuff/tableau/").content.decode()
    assert f'href="{URL}"' in home or f'href="{URL}"' in html
    said = text(html)
    for word in ("Niveau de relance", "Mode de paiement", "Méthode d’envoi", "Courrier", "Mail"):
        assert word in said
    for word in ("Chargé de compte", "Plan de relance", "Montant d’au moins", "Retard d’au plus"):
        assert word in said
    assert "Second rappel (2)" in said
    assert "PRELEVEMENT" in said
    assert "Aucun opérateur de SMS n’est encore raccordé." in said
    assert "Grouper les relances par client" in said
    assert said.index("Grouper les relances") < said.index("Rechercher")


def test_filters_join_by_and_tick_and_do_not_hide(
    camille: Client, book: dict[str, Invoice]
) -> None:
    """S1-08, S1-09: Second rappel (2) and PRELEVEMENT tick; all that is unpaid stays listed."""
    batch = search(camille, niveau=SECOND, mode="direct_debit")
    html = page(camille, batch)
    assert on(html) == {book[key].pk for key in ("852", "873", "883", "866")}
    for invoice in book.values():
        assert invoice.number in html
    assert "8 factures impayées listées, 4 cochées" in text(html)
    assert "Les filtres cochent, ils ne masquent pas." in html


def test_without_grouping_each_invoice_is_taken_by_its_own_level(
    camille: Client, book: dict[str, Invoice], plan: Plan
) -> None:
    """S1-22: an invoice never chased has its own next level."""
    plan.steps.filter(level=1).update(days=2)
    batch = search(camille, niveau=SECOND, mode="direct_debit", grouper="")
    assert on(page(camille, batch)) == {book[key].pk for key in ("852", "883", "866")}
    assert BatchLine.objects.filter(batch=batch).count() == 3


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"mode": "transfer"}, {"862", "871"}),
        ({"montant_min": "1000"}, {"866", "862", "871"}),
        ({"montant_max": "612,35"}, {"883"}),
        ({"retard_min": "18"}, {"852", "862"}),
        ({"retard_max": "7"}, {"883"}),
        ({"texte": "Boulangerie"}, {"883"}),
        ({"texte": "F-87", "mode": "direct_debit"}, {"873"}),
        ({"niveau": "3:Dernier rappel"}, {"862"}),
        ({"charge": "aucun", "retard_max": "7"}, {"883"}),
    ],
)
def test_each_filter_ticks_what_it_says(
    camille: Client, book: dict[str, Invoice], filters: dict[str, str], expected: set[str]
) -> None:
    """S1-06, S1-07, S1-08."""
    batch = search(camille, **filters)
    assert on(page(camille, batch)) == {book[key].pk for key in expected}


def test_filters_by_account_manager_and_plan(
    camille: Client, book: dict[str, Invoice], owner: User, organisation: Organisation, plan: Plan
) -> None:
    """S1-06."""
    Customer.objects.filter(name="Garage Le Roux").update(manager=owner)
    mine = search(camille, charge=str(owner.pk))
    assert on(page(camille, mine)) == {book["852"].pk, book["873"].pk}
    other = Plan.objects.create(organisation=organisation, name="Autre")
    assert on(page(camille, search(camille, plan=str(other.pk)))) == set()
    assert len(on(page(camille, search(camille, plan=str(plan.pk))))) == 6


def test_what_cannot_be_chased_cannot_be_ticked_and_says_why(
    camille: Client, book: dict[str, Invoice]
) -> None:
    """S1-10: a disputed invoice has a dashed box with its reason."""
    html = page(camille, search(camille))
    assert book["855"].pk not in boxes(html)
    assert "Litige, ne se coche pas" in html


def test_an_invoice_not_yet_due_is_listed_and_ticked_by_hand_only(
    camille: Client, book: dict[str, Invoice]
) -> None:
    """S1-09: unpaid, so listed; not late, so no filter ticks it."""
    html = page(camille, search(camille))
    assert boxes(html)[book["900"].pk] is False


def test_the_ticks_are_corrected_by_hand_and_counted(
    camille: Client, book: dict[str, Invoice]
) -> None:
    """S1-10."""
    batch = search(camille, niveau=SECOND, mode="direct_debit")
    every = boxes(page(camille, batch))
    keep = [str(book[key].pk) for key in ("852", "862")]
    answer = camille.post(
        f"{URL}{batch.pk}/cocher/",
        {"vues": ",".join(map(str, every)), "facture": keep, "clients": ""},
        headers={"HX-Request": "true"},
    )
    assert "2 factures, 2 clients, 4 868,72 €" in text(answer.content.decode()).replace(
        "\u202f", " "
    ).replace("\xa0", " ")
    assert on(page(camille, batch)) == {book["852"].pk, book["862"].pk}


def test_a_batch_let_go_meanwhile_keeps_its_invoices_when_another_window_unticks_all(
    camille: Client, book: dict[str, Invoice], owner: User
) -> None:
    """Two windows of one person: what is leaving is not emptied under the worker's hands."""
    batch = search(camille, niveau=SECOND, mode="direct_debit")
    selection.confirm(batch, actor=owner, now=NOW)
    before = list(batch.lines.values_list("invoices", flat=True))

    selection.clear(Batch.objects.get(pk=batch.pk))

    assert list(batch.lines.values_list("invoices", flat=True)) == before
    assert all(before)


def test_a_preview_overtaken_by_a_tick_is_asked_again(
    camille: Client, book: dict[str, Invoice], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was ticked in between has not been checked, and its totals stay."""
    batch = search(camille, niveau=SECOND, mode="direct_debit")
    known, gone = selection.relances.answers, book["852"].pk

    def answers(*of: Any, **more: Any) -> Any:
        selection.tick(batch, shown=[gone], chosen=[])
        return known(*of, **more)

    monkeypatch.setattr(selection.relances, "answers", answers)
    checked = selection.check(Batch.objects.get(pk=batch.pk), on=TODAY)

    assert "checked" not in checked.options
    assert selection.ticked(checked).invoices == sum(
        len(keys) for keys in checked.lines.values_list("invoices", flat=True)
    )


def test_ticks_of_other_pages_stay(camille: Client, organisation: Organisation, plan: Plan) -> None:
    """S1-10: thirty clients, two pages; correcting one page leaves the other as it was."""
    for number in range(30):
        client = make_customer(organisation, plan, f"Client {number:02}", code=f"C{number:02}")
        make_invoice(client, f"F-{number:02}", TODAY - timedelta(days=8))
    batch = search(camille)
    first, second = page(camille, batch), page(camille, batch, page="2")
    assert (len(on(first)), len(on(second))) == (25, 5)
    shown = list(boxes(second))
    camille.post(f"{URL}{batch.pk}/cocher/", {"vues": ",".join(map(str, shown))})
    assert len(on(page(camille, batch))) == 25
    assert on(page(camille, batch, page="2")) == set()
    batch.refresh_from_db()
    assert selection.ticked(batch) == (25, 25, {"EUR": 2500_00})


def test_the_yellow_triangle_tests_the_address_of_the_tab_definition(
    camille: Client, book: dict[str, Invoice]
) -> None:
    """S1-11, S1-12: first column, explained above, with the remedy beside the name."""
    html = page(camille, search(camille, niveau=SECOND, mode="direct_debit"))
    rows = re.findall(r'<tr class="is-group.*?</tr>', html, re.DOTALL)
    [farm] = [row for row in rows if "Kerloc" in row]
    first_cell = farm.split("</td>")[0]
    assert "icon--triangle" in first_cell
    assert "Aucune adresse e-mail dans l’onglet Définition" in first_cell
    assert sum("icon--triangle" in row for row in rows) == 1
    assert "Ajouter une adresse" in farm
    assert "client sans adresse e-mail" in html
    said = text(html)
    assert "Ferme de Kerloc’h ne recevra rien : aucune adresse dans Définition." in said


def test_a_contact_with_an_address_is_written_to_and_the_triangle_stays(
    camille: Client, book: dict[str, Invoice]
) -> None:
    """S1-12: the triangle tests Définition; the message goes to the contact all the same."""
    farm = book["866"].customer
    Contact.objects.create(
        organisation=farm.organisation, customer=farm, name="Anne Kerloc’h", email="anne@k.example"
    )
    html = page(camille, search(camille, niveau=SECOND, mode="direct_debit"))
    assert "Définition vide, on écrira à Anne Kerloc’h" in html
    assert "ne recevra rien" not in html


@pytest.mark.parametrize(("method", "verb"), [("email", "Envoyer"), ("letter", "Imprimer")])
def test_the_button_says_envoyer_or_imprimer(
    camille: Client, book: dict[str, Invoice], method: str, verb: str
) -> None:
    """S1-13."""
    html = page(camille, search(camille, methode=method))
    bar = html[html.index('id="batch-bar"') :]
    assert verb in bar
    assert ("Imprimer" if verb == "Envoyer" else "Envoyer") not in bar.split("</form>")[0]


def test_grouped_clients_show_the_level_of_the_whole(
    camille: Client, book: dict[str, Invoice]
) -> None:
    """S1-15, S1-16, S1-20: one at Préavis (1), one never chased: both to Second rappel (2)."""
    html = page(camille, search(camille, niveau=SECOND, mode="direct_debit"))
    rows = re.findall(r'<tr class="is-group.*?</tr>', html, re.DOTALL)
    [roux] = [row for row in rows if "Garage Le Roux" in row]
    assert "Second rappel (2)" in text(roux)
    assert "Jamais relancée" in html


def test_before_sending_one_reads_what_will_leave_and_what_will_not(
    camille: Client, book: dict[str, Invoice]
) -> None:
    """S1-13, S1-23: messages per level, a text in full, and the reason of the rest."""
    batch = search(camille, niveau=SECOND, mode="direct_debit")
    html = camille.get(f"{URL}{batch.pk}/apercu/").content.decode()
    said = text(html)
    assert "2 messages vont partir" in said
    assert "Second rappel (2)" in said
    assert "F-852" in said
    assert "Ferme de Kerloc’h. Aucune adresse e-mail valable." in said.replace("\xa0", " ")
    assert Message.objects.count() == 0
    other = text(camille.get(f"{URL}{batch.pk}/apercu/", {"n": "2"}).content.decode())
    assert "2 / 2" in other


def test_sending_queues_the_messages_and_shows_the_result_of_each_client(
    camille: Client, book: dict[str, Invoice]
) -> None:
    """S1-13, S1-16, S1-23: sent to those who can be reached; the other is refused, and said."""
    batch = search(camille, niveau=SECOND, mode="direct_debit")
    camille.get(f"{URL}{batch.pk}/apercu/")
    answer = camille.post(f"{URL}{batch.pk}/envoyer/", follow=True)
    said = text(answer.content.decode())
    assert "2 sur 3, 1 refusé" in said
    assert "Aucune adresse e-mail valable." in said
    sent = Message.objects.order_by("amount_cents")
    assert [(m.level, m.amount_cents) for m in sent] == [(2, 612_35), (2, 1733_52)]
    assert {m.batch_id for m in sent} == {batch.pk}


def test_letters_wait_to_be_printed(
    camille: Client, book: dict[str, Invoice], organisation: Organisation
) -> None:
    """S1-02, S1-13: Courrier leads to Imprimer; the level waits for the confirmation (D-07)."""
    Template.objects.create(
        organisation=organisation,
        name="Rappel",
        channel="letter",
        subject="Lettre",
        body="{{ tableau_factures }}",
    )
    Customer.objects.update(address="1 rue du Port", postcode="29200", city="Brest")
    batch = search(camille, niveau=SECOND, methode="letter", mode="direct_debit")
    answer = camille.post(f"{URL}{batch.pk}/envoyer/", follow=True)
    assert "3 courriers attendent d’être imprimés" in text(answer.content.decode())
    assert "Imprimer" in answer.content.decode()
    assert set(Message.objects.values_list("channel", "batch_id")) == {("letter", batch.pk)}
    assert not InvoiceChase.objects.filter(level=2, invoice=book["852"]).exists()


def test_the_second_person_sees_who_sent_it(
    camille: Client, book: dict[str, Invoice], organisation: Organisation
) -> None:
    """Two people on the same list: one message, and the name of the first."""
    marc = User.objects.create_user(
        "marc@kerdoncuff.example", "motdepasse1", full_name="Marc Abgrall"
    )
    add_member(organisation=organisation, user=marc, dunning_role=DunningRole.ACCOUNT_MANAGER)
    other = Client()
    other.force_login(marc)
    his = search(other, niveau=SECOND, mode="direct_debit")
    hers = search(camille, niveau=SECOND, mode="direct_debit")
    camille.post(f"{URL}{hers.pk}/envoyer/")
    said = text(other.post(f"{URL}{his.pk}/envoyer/", follow=True).content.decode())
    assert "Une relance est déjà en route, envoyée par Camille Le Goff." in said
    assert Message.objects.count() == 2
    found = search(other)
    again = page(other, found)
    assert book["852"].pk not in boxes(again)
    assert "envoyée par Camille Le Goff" in again
    counted = {key for line in found.lines.all() for key in line.invoices}
    assert book["852"].pk not in counted, "what is on its way is not counted as ticked either"


def test_a_draft_is_its_owner_s_and_a_stranger_sees_nothing(
    camille: Client, book: dict[str, Invoice], colleague: User, stranger: User
) -> None:
    batch = search(camille)
    reader = Client()
    reader.force_login(colleague)
    assert reader.get(f"{URL}{batch.pk}/").status_code == 404
    assert "Votre accès est en lecture seule." in reader.get(URL).content.decode()
    assert reader.post(URL + "rechercher/", {"methode": "email"}).status_code == 403
    eve = Client()
    eve.force_login(stranger)
    assert eve.get(URL).status_code == 404
    assert eve.post(f"{URL}{batch.pk}/envoyer/").status_code == 404


def test_the_result_is_for_everyone_of_the_dossier(
    camille: Client, book: dict[str, Invoice], colleague: User
) -> None:
    batch = search(camille, niveau=SECOND)
    camille.post(f"{URL}{batch.pk}/envoyer/")
    reader = Client()
    reader.force_login(colleague)
    html = reader.get(f"/d/ateliers-kerdoncuff/lots/{batch.pk}/").content.decode()
    assert "Lancé par Camille Le Goff" in text(html)
    assert "Arrêter le reste" not in html


def test_the_rest_of_a_batch_can_be_stopped(camille: Client, book: dict[str, Invoice]) -> None:
    batch = search(camille, niveau=SECOND, mode="direct_debit")
    camille.post(f"{URL}{batch.pk}/envoyer/")
    answer = camille.post(f"/d/ateliers-kerdoncuff/lots/{batch.pk}/arreter/", follow=True)
    assert "2 envois arrêtés." in text(answer.content.decode())
    assert set(Message.objects.values_list("status", flat=True)) == {"cancelled"}


def test_hostile_input_is_refused_gently(camille: Client, book: dict[str, Invoice]) -> None:
    batch = search(camille)
    for query in ({"page": "-1"}, {"page": "9" * 30}, {"q": "\0<script>%_'"}):
        assert camille.get(f"{URL}{batch.pk}/", query).status_code == 200
    answer = camille.post(URL + "rechercher/", {"methode": "pigeon", "niveau": "x", "plan": "'"})
    assert answer.status_code == 200
    posted = {"vues": "1,x,-3,99999999999999999999", "facture": ["no", "999999999"]}
    assert camille.post(f"{URL}{batch.pk}/cocher/", posted).status_code == 302


@pytest.mark.long
def test_ten_thousand_ticked_lines_are_searched_corrected_and_sent(
    camille: Client, organisation: Organisation, plan: Plan
) -> None:
    """Ten thousand boxes never travel in one form; the batch is done by chunks."""
    many = 10_000
    Customer.objects.bulk_create(
        Customer(
            organisation=organisation,
            code=f"C{n}",
            name=f"Client {n:05}",
            search=f"client {n:05}",
            email=f"c{n}@client.example",
        )
        for n in range(many)
    )
    keys = list(Customer.objects.order_by("id").values_list("id", flat=True))
    Assignment.objects.bulk_create(
        Assignment(organisation=organisation, customer_id=key, plan=plan) for key in keys
    )
    Invoice.objects.bulk_create(
        Invoice(
            organisation=organisation,
            customer_id=key,
            number=f"F-{key}",
            issued=TODAY - timedelta(days=40),
            due=TODAY - timedelta(days=8),
            total_cents=100_00,
            balance_cents=100_00,
        )
        for key in keys
    )
    batch = search(camille, niveau=SECOND)
    assert selection.ticked(batch).invoices == many
    shown = boxes(page(camille, batch, page="3"))
    camille.post(f"{URL}{batch.pk}/cocher/", {"vues": ",".join(map(str, shown))})
    batch.refresh_from_db()
    assert selection.ticked(batch).invoices == many - len(shown)
    said = text(camille.get(f"{URL}{batch.pk}/apercu/").content.decode())
    assert "9 975 messages vont partir" in said.replace("\u202f", " ")
    camille.post(f"{URL}{batch.pk}/envoyer/")
    batch_kinds.work(NOW)
    batch.refresh_from_db()
    assert (batch.status, batch.done, batch.refused) == ("done", many - len(shown), 0)
    assert Message.objects.filter(level=2).count() == many - len(shown)


def test_a_page_costs_a_fixed_number_of_queries(
    camille: Client,
    organisation: Organisation,
    plan: Plan,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(25):
        client = make_customer(organisation, plan, f"Client {number:02}", code=f"C{number:02}")
        make_invoice(client, f"F-{number:02}", TODAY - timedelta(days=8))
        make_invoice(client, f"G-{number:02}", TODAY - timedelta(days=9))
    batch = search(camille)
    with django_assert_max_num_queries(41):
        page(camille, batch)


def test_the_sum_by_level_leaves_out_what_stays_behind(
    camille: Client, book: dict[str, Invoice], organisation: Organisation, owner: User
) -> None:
    """A group of which one invoice was contested since it was ticked counts the other alone."""
    roux = book["873"].customer
    batch = search(camille)
    ticked = BatchLine.objects.get(batch=batch, customer=roux)
    assert len(ticked.invoices) == 2
    Invoice.objects.filter(pk=book["852"].pk).update(disputed=True)
    checked = selection.check(batch, on=TODAY)
    [line] = BatchLine.objects.filter(batch=checked, customer=roux)
    mine = BatchLine.objects.filter(pk=line.pk)
    [level] = queries.per_level(mine)
    assert (level.messages, level.invoices, level.sums) == (1, 1, [(784_80, "EUR")])
