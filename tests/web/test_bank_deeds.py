"""What one does in the panel of a transaction, and what stops at once because of it."""

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from relance.accounts.models import Organisation, User
from relance.bank.models import Denial, Document, Link, Transaction
from relance.bank.services import links, settlement
from relance.dunning.daily import run
from relance.dunning.models import Action, Plan
from relance.history.models import Event
from relance.ledger.models import Credit, Customer, Payment
from relance.receipts.models import Asked, Request
from tests.bank.test_documents import paper, photo
from tests.conftest import NOW, TODAY, make_customer, make_invoice
from tests.web.banking import movement

pytestmark = pytest.mark.django_db


def do(client: Client, row: Transaction, deed: str, **data: object) -> str:
    """The page that comes back, with its panel open."""
    data.setdefault("retour", "?du=2026-11-01")
    slug = row.organisation.slug
    answer = client.post(f"/d/{slug}/banque/{row.pk}/{deed}/", data, follow=True)
    assert answer.status_code == 200
    assert answer.redirect_chain[-1][0] == f"/d/{slug}/banque/?du=2026-11-01&operation={row.pk}"
    row.refresh_from_db()
    return answer.content.decode().replace("\u00a0", " ").replace("\u202f", " ")


@pytest.fixture
def found(organisation: Organisation, owner: User) -> Link:
    """A receipt found for a transaction, that nobody has confirmed."""
    movement(organisation, -8990, "ORANGE PRO")
    links.propose(documents=[paper(organisation, 8990, owner)], now=NOW)
    return Link.objects.get(confirmed=False)


def test_a_receipt_found_is_confirmed_in_one_click(camille: Client, found: Link) -> None:
    """S0-08: with its reasons; then nothing is missing any more (S0-09)."""
    row = found.transaction
    panel = camille.get(f"/d/{row.organisation.slug}/banque/?operation={row.pk}").content.decode()
    assert "Justificatif trouvé" in panel
    assert "même montant, dates proches" in panel
    text = do(camille, row, "confirmer", lien=found.pk)
    assert "Justificatif associé." in text
    assert (row.missing, row.documents) == ("", 1)
    assert Link.objects.get().reasons == ["AMOUNT", "DATE"]


def test_what_is_not_it_is_not_proposed_again(camille: Client, found: Link) -> None:
    """« Ce n'est pas ça »."""
    row, document = found.transaction, found.document
    do(camille, row, "ecarter", lien=found.pk)
    assert row.missing == "not_associated"
    assert Denial.objects.count() == 1
    assert document is not None
    assert links.propose(documents=[document], now=NOW) == 0


def test_two_people_who_confirm_at_once_are_told(camille: Client, found: Link) -> None:
    row = found.transaction
    do(camille, row, "confirmer", lien=found.pk)
    assert "n’existe plus" in do(camille, row, "confirmer", lien=found.pk)
    assert Link.objects.filter(confirmed=True).count() == 1


def test_a_tie_is_settled_by_the_person_and_the_other_proposal_goes(
    camille: Client, organisation: Organisation, owner: User
) -> None:
    rows = [movement(organisation, -8990, "GARAGE"), movement(organisation, -8990, "BOULANGER")]
    links.propose(documents=[paper(organisation, 8990, owner)], now=NOW)
    do(camille, rows[0], "confirmer", lien=Link.objects.get(transaction=rows[0]).pk)
    rows[1].refresh_from_db()
    assert [row.missing for row in rows] == ["", "not_associated"]


def test_several_files_are_dropped_on_a_transaction_at_once(
    camille: Client, organisation: Organisation
) -> None:
    row = movement(organisation, -5000)
    first = SimpleUploadedFile("a.png", photo(1), "text/html")
    do(camille, row, "associer", file=first)
    assert row.missing == ""
    document = Document.objects.get()
    assert (document.filename, document.mime) == ("a.png", "image/png")


def test_a_document_covers_a_part_then_another_the_rest_and_may_be_taken_off(
    camille: Client, organisation: Organisation, owner: User
) -> None:
    """S0-07: partial amounts; dissociating makes it missing again."""
    row = movement(organisation, -186000, "BRASSEURS")
    bill, rest = paper(organisation, 186000, owner, 1), paper(organisation, 62000, owner, 2)
    do(camille, row, "associer", justificatif=bill.pk, montant="1 240,00")
    assert (row.missing, row.covered_cents) == ("partial", -124000)
    do(camille, row, "associer", justificatif=rest.pk)
    assert row.missing == ""
    do(camille, row, "dissocier", lien=Link.objects.get(document=bill).pk)
    assert (row.missing, row.covered_cents) == ("partial", -62000)


def test_more_than_is_lacking_is_refused_where_it_happened(
    camille: Client, organisation: Organisation, owner: User
) -> None:
    row = movement(organisation, -1000)
    document = paper(organisation, 9000, owner)
    said = do(camille, row, "associer", justificatif=document.pk, montant="90,00")
    assert "dépasse ce qui reste à justifier" in said
    assert "Déposez un fichier" in do(camille, row, "associer")
    assert "n’est pas un montant" in do(
        camille, row, "associer", justificatif=document.pk, montant="beaucoup"
    )
    assert row.documents == 0


def test_a_kind_of_expense_associates_and_leaves_the_receipt_missing(
    camille: Client, organisation: Organisation
) -> None:
    """S0-06: associated to something, but no document."""
    row = movement(organisation, -7462)
    assert "Carburant" in do(camille, row, "nature", nature="Carburant")
    assert row.missing == "without_document"
    do(camille, row, "nature", nature="")
    assert row.missing == "not_associated"


@pytest.mark.parametrize("waiver", ["ignored", "exempt", "lost", "forced"])
def test_nothing_is_asked_any_more_and_the_note_says_why(
    camille: Client, organisation: Organisation, waiver: str
) -> None:
    """S0-09: deliberately ignored; lost and forced want a note; it may be asked again."""
    row = movement(organisation, -1000)
    if waiver in ("lost", "forced"):
        assert "Écrivez en quelques mots" in do(camille, row, "dispenser", choix=waiver)
        assert row.missing == "not_associated"
    do(camille, row, "dispenser", choix=waiver, note="ticket illisible")
    assert (row.waiver, row.waiver_note, row.missing) == (waiver, "ticket illisible", "")
    assert Event.objects.filter(kind="receipt_waived").exists()
    do(camille, row, "dispenser", choix="")
    assert row.missing == "not_associated"


def test_an_unknown_answer_changes_nothing(camille: Client, organisation: Organisation) -> None:
    row = movement(organisation, -1000)
    assert "Choisissez" in do(camille, row, "dispenser", choix="<script>")
    assert row.waiver == ""


def test_the_history_of_requests_stands_in_the_panel(
    camille: Client, organisation: Organisation, owner: User
) -> None:
    row = movement(organisation, -1000)
    request = Request.objects.create(
        organisation=organisation,
        kind="manual",
        on=TODAY - timedelta(days=3),
        made_by=owner,
        made_at=NOW,
    )
    Asked.objects.create(organisation=organisation, request=request, transaction=row)
    text = camille.get(f"/d/{organisation.slug}/banque/?operation={row.pk}").content.decode()
    assert "Demandé par Camille Le Goff" in text


# --- credits settle invoices -----------------------------------------------------


@pytest.fixture
def late(organisation: Organisation, plan: Plan) -> Customer:
    """A customer who is late, and whose call is to be made today."""
    customer = make_customer(organisation, plan, "Hôtel des Remparts", email="")
    make_invoice(customer, "FA-11", TODAY - timedelta(days=20), 50000)
    make_invoice(customer, "FA-12", TODAY - timedelta(days=20), 70000)
    run.run(organisation, on=TODAY, now=NOW, spread=False, pause=0)
    assert Action.objects.filter(customer=customer, status=Action.Status.OPEN).exists()
    return customer


def proposed(customer: Customer, cents: int) -> Transaction:
    row = movement(customer.organisation, cents, "VIR RECU", name=customer.name)
    settlement.settle(organisation=customer.organisation, transactions=[row], on=TODAY, now=NOW)
    row.refresh_from_db()
    return row


def test_the_invoices_proposed_are_confirmed_and_the_chase_stops_at_once(
    camille: Client, late: Customer
) -> None:
    """One bank feed serves both chases (D-24): the to-do of the customer is gone."""
    row = proposed(late, 120000)
    panel = camille.get(f"/d/{late.organisation.slug}/banque/?operation={row.pk}").content.decode()
    assert "somme exacte de plusieurs factures" in panel
    one, two = late.invoices.order_by("number")
    shares = {f"facture_{one.pk}": "500,00 €", f"facture_{two.pk}": "700,00"}
    do(camille, row, "regler", **shares)
    assert row.missing == ""
    assert list(late.invoices.values_list("balance_cents", flat=True)) == [0, 0]
    assert not Action.objects.filter(customer=late, status=Action.Status.OPEN).exists()


def test_the_amounts_of_a_proposal_can_be_changed(camille: Client, late: Customer) -> None:
    """A partial payment: what is over stays as a credit of the customer."""
    row = proposed(late, 120000)
    one = late.invoices.order_by("number").first()
    assert one is not None
    do(camille, row, "regler", **{f"facture_{one.pk}": "300,00"})
    one.refresh_from_db()
    assert one.balance_cents == 20000
    assert Credit.objects.get().left_cents == 90000


def test_a_settlement_is_undone_with_what_was_over(camille: Client, late: Customer) -> None:
    row = proposed(late, 120000)
    one = late.invoices.order_by("number").first()
    assert one is not None
    do(camille, row, "regler", numero="fa-11")
    assert Credit.objects.get().left_cents == 70000
    do(camille, row, "regler-annuler")
    one.refresh_from_db()
    assert one.balance_cents == 50000
    assert sum(Credit.objects.values_list("left_cents", flat=True)) == 0
    assert not Link.objects.filter(transaction=row).exists()
    do(camille, row, "regler", numero="FA-11")
    assert sum(Credit.objects.values_list("left_cents", flat=True)) == 70000


def test_proposed_invoices_that_are_not_meant_go(camille: Client, late: Customer) -> None:
    row = proposed(late, 120000)
    do(camille, row, "factures-ecarter")
    assert row.missing == "not_associated"
    assert not Payment.objects.exists()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"numero": "INCONNUE"}, "Aucune facture ouverte ne porte le numéro"),
        ({}, "Choisissez au moins une facture"),
        ({"numero": "FA-11", "montant": "999999"}, "doit moins que ce montant"),
        ({"facture_999999": "1,00"}, "Choisissez au moins une facture de ce dossier"),
    ],
)
def test_a_settlement_that_cannot_be_is_refused_in_words(
    camille: Client, late: Customer, data: dict[str, str], said: str
) -> None:
    row = proposed(late, 60000)
    assert said in do(camille, row, "regler", **data)
    assert not Payment.objects.exists()
