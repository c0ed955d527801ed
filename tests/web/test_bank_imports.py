"""Relevés, comptes et règles: looked at before, imported once, reported, with the gaps shown."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from relance.accounts.models import BankRole, DunningRole, Organisation, User
from relance.accounts.services import add_member
from relance.bank.models import (
    BankAccount,
    BankImport,
    BankMapping,
    BankRule,
    BankStatement,
    Transaction,
)
from relance.dunning.daily import run
from relance.dunning.models import Action, Plan
from tests.bank.test_feed import ofx
from tests.conftest import NOW, TODAY, make_customer, make_invoice
from tests.web.banking import account_of, movement

pytestmark = pytest.mark.django_db

CSV = "Date;Libellé;Montant;Solde\n13/11/2026;CB METRO;-12,50;87,50\n14/11/2026;VIR;100;187,50\n"
COLUMNS = {
    "colonne_0": "booked",
    "colonne_1": "label",
    "colonne_2": "amount",
    "colonne_3": "balance",
}


def drop(client: Client, organisation: Organisation, raw: bytes, name: str = "r.ofx") -> str:
    """The address that the upload leads to, or the page that refuses it."""
    url = reverse("bank_imports", args=[organisation.slug])
    answer = client.post(url, {"file": SimpleUploadedFile(name, raw)})
    if answer.status_code == 302:
        return str(answer.headers["Location"])
    return answer.content.decode().replace("\u00a0", " ")


def text_of(client: Client, url: str, **data: str) -> str:
    answer = client.post(url, data, follow=True) if data else client.get(url)
    assert answer.status_code == 200
    return answer.content.decode().replace("\u00a0", " ").replace("\u202f", " ")


def test_a_statement_is_seen_before_it_is_imported_and_reported_after(
    camille: Client, organisation: Organisation
) -> None:
    url = drop(camille, organisation, ofx(("1", -1250, "CB METRO"), ("2", -300, "CAFE")))
    seen = text_of(camille, url)
    assert "2 opérations nouvelles, 0 déjà connue" in seen
    assert "CB METRO" in seen
    assert not Transaction.objects.exists()
    report = text_of(camille, url, importer="1")
    assert "justificatifs trouvés" in report
    assert Transaction.objects.count() == 2
    again = drop(camille, organisation, ofx(("1", -1250, "CB METRO"), ("3", -1, "AUTRE")))
    assert "1 opération nouvelle, 1 déjà connue" in text_of(camille, again)


def test_a_payment_imported_stops_the_chase_at_once(
    camille: Client, organisation: Organisation, plan: Plan
) -> None:
    """One feed serves both chases (D-24): what was to be done for the customer is withdrawn."""
    customer = make_customer(organisation, plan, email="")
    make_invoice(customer, "FA-2026-0042", TODAY, 5000)
    make_invoice(customer, "FA-2026-0041", TODAY.replace(day=1), 7000)
    run.run(organisation, on=TODAY, now=NOW, spread=False, pause=0)
    assert Action.objects.filter(status=Action.Status.OPEN).exists()
    raw = ofx(("1", 12000, "VIR FA 2026 0042 FA 2026 0041"))
    text_of(camille, drop(camille, organisation, raw), importer="1")
    assert not Action.objects.filter(status=Action.Status.OPEN).exists()


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "Choisissez un fichier"),
        (b"<html></html>", "Ce fichier"),
        (ofx(("1", -100, "A")).replace(b"-1.00", b"$120"), "Ligne 2"),
        (b"\x00" * 500, "Ce fichier"),
    ],
)
def test_a_broken_file_is_refused_with_its_sentence(
    camille: Client, organisation: Organisation, raw: bytes, said: str
) -> None:
    text = drop(camille, organisation, raw)
    assert said in text or "fichier" in text.lower()
    assert "Fichier refusé." in text
    assert not BankImport.objects.exists()


def test_a_table_is_read_by_its_columns_and_they_are_remembered(
    camille: Client, organisation: Organisation
) -> None:
    url = drop(camille, organisation, CSV.encode(), "releve.csv")
    seen = text_of(camille, url)
    assert "Dites de quel compte" in seen
    given = COLUMNS | {"nouveau": "FR76 3000"}
    looked = text_of(camille, url, **given)
    assert "2 opérations nouvelles" in looked
    assert not Transaction.objects.exists()
    text_of(camille, url, importer="1", **given)
    assert list(Transaction.objects.order_by("booked").values_list("amount_cents", flat=True)) == [
        -1250,
        10000,
    ]
    statement = BankStatement.objects.get()
    assert (statement.opening_cents, statement.closing_cents) == (10000, 18750)
    assert BankMapping.objects.get().account == "FR763000"
    later = drop(camille, organisation, CSV.replace("13/11", "20/11").encode(), "suivant.csv")
    again = text_of(camille, later)
    assert "Reprises du dernier relevé aux mêmes titres." in again
    assert "1 opération nouvelle, 1 déjà connue" in again


def test_a_file_that_names_no_account_asks_for_it(
    camille: Client, organisation: Organisation
) -> None:
    raw = b":20:X\n:61:0911010101DR15,00FCHK304955//4958843\nADDITIONAL\n"
    url = drop(camille, organisation, raw, "a.sta")
    assert "choisissez-le" in text_of(camille, url)
    assert "1 opération nouvelle" in text_of(camille, url, nouveau="FR7611")
    text_of(camille, url, nouveau="FR7611", importer="1")
    assert Transaction.objects.get().account.number == "FR7611"


def test_gaps_between_statements_stand_with_the_account(
    camille: Client, organisation: Organisation
) -> None:
    account = account_of(organisation)
    imported = BankImport.objects.create(
        organisation=organisation, kind="ofx", filename="a", file="x", sha256="0", made_at=NOW
    )
    for month, opening, closing in ((9, 0, 10000), (11, 15000, 20000)):
        BankStatement.objects.create(
            organisation=organisation,
            account=account,
            imported=imported,
            first_on=TODAY.replace(month=month, day=1),
            last_on=TODAY.replace(month=month, day=28),
            opening_cents=opening,
            closing_cents=closing,
        )
    text = text_of(camille, reverse("bank_accounts", args=[organisation.slug]))
    assert "Il manque un relevé : le solde passe de 100,00 € à 150,00 €" in text


def test_an_account_is_named_and_closed_by_whoever_manages(
    camille: Client, organisation: Organisation
) -> None:
    account = account_of(organisation)
    url = reverse("bank_account", args=[organisation.slug, account.pk])
    text_of(camille, url, nom="Compte courant", clos="1")
    account.refresh_from_db()
    assert (account.name, account.closed) == ("Compte courant", True)


def test_a_rule_is_added_applied_and_deleted(camille: Client, organisation: Organisation) -> None:
    """S0-09: exempt by rule on words, amount and account."""
    movement(organisation, -840, "PEAGE A11")
    movement(organisation, -99900, "PEAGE CAMION")
    url = reverse("bank_rules", args=[organisation.slug])
    assert "au moins une condition" in text_of(camille, url, effect="exempt")
    text_of(camille, url, effect="exempt", words="Péage", most_cents="10,00")
    assert "1 opération à valider ne le serait plus" in text_of(camille, url)
    apply = reverse("bank_rules_apply", args=[organisation.slug])
    assert "1 opération n’est plus à valider." in text_of(camille, apply, go="1")
    rule = BankRule.objects.get()
    assert Transaction.objects.filter(rule=rule, waiver="exempt").count() == 1
    text_of(camille, reverse("bank_rule", args=[organisation.slug, rule.pk]), sens="supprimer")
    assert Transaction.objects.exclude(missing="").count() == 2


@pytest.mark.parametrize(
    ("role", "imports", "manages"),
    [(BankRole.R1, 403, 403), (BankRole.R2, 302, 403), (BankRole.R3, 302, 302)],
)
def test_r2_imports_and_r3_manages_accounts_and_rules(
    client: Client, organisation: Organisation, role: BankRole, imports: int, manages: int
) -> None:
    """D-22."""
    user = User.objects.create_user("r@port.example", "motdepasse1")
    add_member(organisation=organisation, user=user, dunning_role=DunningRole.NONE, bank_role=role)
    client.force_login(user)
    account, slug = account_of(organisation), organisation.slug
    file = SimpleUploadedFile("r.ofx", ofx(("1", -1, "A")))
    sent = client.post(reverse("bank_imports", args=[slug]), {"file": file})
    assert sent.status_code == imports
    rule = {"effect": "exempt", "words": "x"}
    assert client.post(reverse("bank_rules", args=[slug]), rule).status_code == manages
    named = client.post(reverse("bank_account", args=[slug, account.pk]), {"nom": "x"})
    assert named.status_code == manages
    for place in ("bank_accounts", "bank_rules", "bank_imports"):
        assert client.get(reverse(place, args=[slug])).status_code == 200
    assert BankAccount.objects.count() == 1
