"""Banque: what is À valider, month by month, and the panel of a transaction."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import translation
from django.utils.translation import ngettext
from pytest_django import DjangoAssertNumQueries

from relance.accounts.models import BankRole, CollectRole, DunningRole, Organisation, User
from relance.accounts.services import add_member
from relance.bank.models import BankAccount, Document, Link, Transaction
from relance.bank.services import links
from tests.bank.test_documents import paper, photo, xml_invoice
from tests.conftest import NOW, TODAY
from tests.web.banking import account_of, movement

pytestmark = pytest.mark.django_db

SOURCE = {
    (2024, 2): 1, (2024, 4): 1, (2024, 6): 1, (2024, 9): 2, (2024, 10): 5, (2024, 11): 1,
    (2025, 1): 1, (2025, 4): 2, (2025, 9): 1, (2025, 11): 1, (2025, 12): 2,
}  # fmt: skip
"""Eighteen receipts missing over two years, five of them in October 2024."""


@pytest.fixture
def brasserie(organisation: Organisation, owner: User) -> Organisation:
    """The dossier of the source's example, with others that are justified."""
    for (year, month), count in SOURCE.items():
        for day in range(count):
            movement(organisation, -1000 - day, f"ACHAT {month} {day}", date(year, month, 3 + day))
    for day in range(3):
        done = movement(organisation, -7000 - day, "PÉAGE", date(2024, 10, 20 + day))
        links.waive(rows=[done], waiver="exempt", actor=owner, on=TODAY, now=NOW)
    return organisation


def page(client: Client, organisation: Organisation, query: str = "") -> str:
    answer = client.get(f"/d/{organisation.slug}/banque/{query}")
    assert answer.status_code == 200
    return plain(answer.content.decode())


def plain(text: str) -> str:
    for space in ("\u00a0", "\u202f", "&nbsp;"):
        text = text.replace(space, " ")
    return " ".join(text.split())


def rows(text: str) -> int:
    return text.count("data-row-link")


def test_banque_has_its_place_in_the_navigation_and_lists_transactions(
    camille: Client, brasserie: Organisation
) -> None:
    """S0-03: each client file has a tab Banque; its count is what is missing."""
    text = page(camille, brasserie)
    assert f'href="/d/{brasserie.slug}/banque/"' in text
    assert '<span class="nav-count">18</span>' in text
    assert "ACHAT 10 4" in text


def test_the_filter_a_valider_shows_only_what_a_relance_concerns(
    camille: Client, brasserie: Organisation
) -> None:
    """S0-04: Filtres, then À valider; without it every transaction is there."""
    text = page(camille, brasserie, "?etat=valider")
    assert "Filtres" in text
    assert "À valider" in text
    assert rows(text) == 18
    assert "PÉAGE" not in text
    assert rows(page(camille, brasserie, "?etat=tout")) == 21


def test_a_valider_is_the_union_of_the_four_kinds_and_nothing_else(
    camille: Client, organisation: Organisation, owner: User
) -> None:
    """S0-05, S0-06, S0-07, S0-08 and S0-09, each with its filter and its two pictograms."""
    alone = movement(organisation, -100, "SANS RIEN")
    named = movement(organisation, -200, "CARBURANT")
    links.name_expense(row=named, label="Carburant", actor=owner, on=TODAY, now=NOW)
    part = movement(organisation, -30000, "BRASSEURS")
    given = paper(organisation, 10000, owner, 1)
    links.associate(row=part, document=given, actor=owner, on=TODAY, now=NOW)
    found = movement(organisation, -4400, "ORANGE")
    links.propose(documents=[paper(organisation, 4400, owner, 2)], now=NOW)
    whole = movement(organisation, -5500, "COMPLET")
    other = paper(organisation, 5500, owner, 3)
    links.associate(row=whole, document=other, actor=owner, on=TODAY, now=NOW)
    ignored = movement(organisation, -6600, "FRAIS")
    links.waive(rows=[ignored], waiver="ignored", actor=owner, on=TODAY, now=NOW)

    text = page(camille, organisation)
    assert rows(text) == 4
    for row, wanted in ((alone, "Manquant"), (named, "Carburant"), (found, "1 document trouvé")):
        assert row.label in text
        assert wanted in text
    assert "Manque 200,00 €" in text
    assert "100,00 €" in text
    for state, label in (
        ("aucune", "SANS RIEN"),
        ("sans", "CARBURANT"),
        ("partie", "BRASSEURS"),
        ("trouve", "ORANGE"),
        ("fait", "COMPLET"),
        ("dispense", "FRAIS"),
    ):
        only = page(camille, organisation, f"?etat={state}")
        assert rows(only) == 1, state
        assert label in only


def test_the_count_follows_the_dates_as_in_the_source(
    camille: Client, brasserie: Organisation
) -> None:
    """S0-22, S0-23 and S0-24: 18 over 2024 and 2025, 5 once October 2024 is chosen."""
    wide = page(camille, brasserie)
    assert (
        '<strong class="months-count">18</strong> justificatifs manquants sur 2024 et 2025' in wide
    )

    october = page(camille, brasserie, "?du=2024-10-01&au=2024-10-31")
    said = '<strong class="months-count">5</strong> justificatifs manquants en octobre 2024'
    assert said in october
    assert ">18 sur 2024 et 2025</a>" in october
    assert rows(october) == 5
    assert october.count("month is-chosen") == 1
    assert "3 autres opérations en octobre 2024 sont justifiées." in october


def test_none_is_counted_in_the_singular(camille: Client, brasserie: Organisation) -> None:
    """French counts zero as one, wherever a sentence of the source has no catalogue."""
    nothing = page(camille, brasserie, "?du=2023-01-01&au=2023-01-31")
    assert '<strong class="months-count">0</strong> justificatif manquant ' in nothing
    for count, words in ((0, "un"), (1, "un"), (2, "deux"), (-1, "un")):
        assert ngettext("un", "deux", count) == words
    with translation.override("en"):
        assert ngettext("un", "deux", 0) == "deux"


def test_the_strip_leads_to_each_month_with_its_count(
    camille: Client, brasserie: Organisation
) -> None:
    """S0-22: twenty-four months, each with its bar and its count."""
    text = page(camille, brasserie)
    assert text.count('class="month"') == 24
    assert 'href="?du=2024-10-01&amp;au=2024-10-31"' in text
    assert "octobre 2024 : 5" in text
    chosen = page(camille, brasserie, "?du=2024-10-01&au=2024-10-31")
    assert 'class="month is-chosen" href="?"' in chosen  # a second click takes the period away


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("?du=2024-01-01&au=2024-12-31", "en 2024"),
        ("?du=2024-10-03&au=2024-11-04", "du 3 oct. 2024 au 4 nov. 2024"),
        ("?du=2025-12-01", "depuis le 1er déc. 2025"),
        ("?au=2024-04-30", "jusqu’au 30 avr. 2024"),
        ("?du=2024-10-31&au=2024-10-01", "en octobre 2024"),
    ],
)
def test_any_period_is_said_in_words(
    camille: Client, brasserie: Organisation, query: str, words: str
) -> None:
    """S0-22, and dates that are the wrong way round."""
    assert f"{words}</span>" in page(camille, brasserie, query)


def test_demander_justificatifs_is_there_once_a_period_is_set_and_something_is_missing(
    camille: Client, brasserie: Organisation
) -> None:
    """S0-25 and S0-36: not before, and not where nothing is missing."""
    assert "Demander justificatifs" not in page(camille, brasserie)
    october = page(camille, brasserie, "?du=2024-10-01&au=2024-10-31")
    assert "Demander justificatifs" in october
    assert "?du=2024-10-01&amp;au=2024-10-31" in october
    march = page(camille, brasserie, "?du=2024-03-01&au=2024-03-31")
    assert "Demander justificatifs" not in march
    assert "Rien à valider en mars 2024" in march


@pytest.mark.parametrize(
    "query",
    [
        "?du=2024-99-99&au=zzz&compte=x&etat=%00&tri=1;drop&montant=abc&q=%00'--&page=-3",
        "?operation=999999999999999999999",
        "?page=99999",
        "?montant=1e400",
    ],
)
def test_a_hostile_address_is_read_as_if_it_were_empty(
    camille: Client, brasserie: Organisation, query: str
) -> None:
    answer = camille.get(f"/d/{brasserie.slug}/banque/{query}")
    assert answer.status_code in (200, 404)


def test_words_amount_and_account_narrow_the_list(
    camille: Client, organisation: Organisation
) -> None:
    other = account_of(organisation, "FR7699")
    movement(organisation, -34218, "METRO NANTES")
    movement(organisation, -8990, "ORANGE PRO", account=other)
    assert rows(page(camille, organisation, "?q=mÉtro")) == 1
    assert "ORANGE" in page(camille, organisation, "?montant=89,90")
    assert rows(page(camille, organisation, "?montant=342,18")) == 1
    assert rows(page(camille, organisation, f"?compte={other.pk}")) == 1
    assert "Aucune opération ne répond" in page(camille, organisation, "?q=introuvable")


def test_the_list_is_sorted_by_date_or_amount(camille: Client, organisation: Organisation) -> None:
    movement(organisation, -100, "PETITE", TODAY - timedelta(days=1))
    movement(organisation, -900, "GRANDE", TODAY)
    newest = page(camille, organisation)
    assert newest.index("GRANDE") < newest.index("PETITE")
    oldest = page(camille, organisation, "?tri=date")
    assert oldest.index("PETITE") < oldest.index("GRANDE")
    low = page(camille, organisation, "?tri=-montant")
    assert low.index("PETITE") < low.index("GRANDE")


def test_fifty_lines_cost_as_few_queries_as_one(
    camille: Client,
    organisation: Organisation,
    owner: User,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(60):
        row = movement(organisation, -1000 - number, on=TODAY - timedelta(days=number))
        if number % 2:
            links.name_expense(row=row, label=f"Nature {number}", actor=owner, on=TODAY, now=NOW)
    with django_assert_max_num_queries(24):
        text = page(camille, organisation)
    assert rows(text) == 50
    assert "1 à 50 sur 60" in text


def test_the_panel_costs_the_same_after_many_requests(
    camille: Client,
    organisation: Organisation,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    row = movement(organisation, -1000)
    with django_assert_max_num_queries(16):
        answer = camille.get(
            f"/d/{organisation.slug}/banque/{row.pk}/", headers={"HX-Request": "true"}
        )
    text = plain(answer.content.decode())
    assert answer.status_code == 200
    assert "Ajouter un justificatif" in text
    assert "Aucune demande pour cette opération." in text


# --- who may do what -----------------------------------------------------------

Login = Callable[..., Client]


@pytest.fixture
def as_member(organisation: Organisation) -> Login:
    """A member with these roles, logged in; without any part in the unpaid invoices by default."""

    def login(
        bank: BankRole,
        collect: CollectRole = CollectRole.ALL,
        dunning: DunningRole = DunningRole.NONE,
    ) -> Client:
        user = User.objects.create_user(f"b{bank}{collect}@port.example", "motdepasse1")
        add_member(
            organisation=organisation,
            user=user,
            dunning_role=dunning,
            bank_role=bank,
            collect_role=collect,
        )
        client = Client()
        client.force_login(user)
        return client

    return login


def test_r0_does_not_see_banque_and_r1_reads_it(
    as_member: Login, organisation: Organisation
) -> None:
    """D-22: R0 nothing, R1 see; what cannot be done says why."""
    row = movement(organisation, -1000, "METRO")
    assert as_member(BankRole.R0).get(f"/d/{organisation.slug}/banque/").status_code == 403
    reader = as_member(BankRole.R1)
    text = page(reader, organisation, f"?operation={row.pk}")
    assert "METRO" in text
    assert "Il faut le niveau R2 pour associer." in text
    assert "Ajouter un justificatif" not in text
    url = f"/d/{organisation.slug}/banque/{row.pk}/dispenser/"
    assert reader.post(url, {"choix": "ignored"}).status_code == 403
    row.refresh_from_db()
    assert row.waiver == ""


def test_whoever_has_no_part_in_the_collection_brings_no_document(
    as_member: Login, organisation: Organisation
) -> None:
    """D-22: R2 associates, but Collecte « aucun » brings nothing, not even by hand."""
    row = movement(organisation, -1000, "METRO")
    client = as_member(BankRole.R2, CollectRole.NONE)
    text = page(client, organisation, f"?operation={row.pk}")
    assert "METRO" in text
    assert "Ajouter un justificatif" not in text
    url = f"/d/{organisation.slug}/banque/{row.pk}/associer/"
    sent = client.post(url, {"file": SimpleUploadedFile("a.png", photo())})
    assert (sent.status_code, Document.objects.count()) == (403, 0)


def test_an_employee_is_not_shown_the_look_alikes_of_others(
    as_member: Login, organisation: Organisation
) -> None:
    """D-22, « Restreint : ses documents »: not even the name of another's paper."""
    raw = xml_invoice("56.02", TODAY.isoformat(), "Papeterie Le Goff")
    url = f"/d/{organisation.slug}/banque/justificatifs/"
    boss = as_member(BankRole.R1, CollectRole.ALL)
    boss.post(url, {"file": SimpleUploadedFile("patron.xml", raw)})
    employee = as_member(BankRole.R1, CollectRole.OWN)
    answer = employee.post(url, {"file": SimpleUploadedFile("moi.xml", raw + b"\n")}, follow=True)
    assert "ressemble" not in answer.content.decode()
    mine = Document.objects.latest("pk")
    text = employee.get(f"{url}{mine.pk}/").content.decode()
    assert "moi.xml" in text
    assert "patron.xml" not in text


def test_whoever_has_only_the_bank_sees_only_banque(
    as_member: Login, organisation: Organisation
) -> None:
    """D-22: no dead ends: the places of unpaid invoices are not offered."""
    text = page(as_member(BankRole.R2), organisation)
    assert f'href="/d/{organisation.slug}/banque/"' in text
    assert f'href="/d/{organisation.slug}/clients/"' not in text


def test_a_colleague_without_bank_role_is_refused_and_a_stranger_finds_nothing(
    client: Client, colleague: User, stranger: User, organisation: Organisation
) -> None:
    row = movement(organisation, -1000)
    for who, wanted in ((colleague, 403), (stranger, 404)):
        client.force_login(who)
        for place in ("", f"{row.pk}/", "justificatifs/", "releves/", "comptes/", "regles/"):
            answer = client.get(f"/d/{organisation.slug}/banque/{place}")
            assert answer.status_code == wanted, (who, place)


def test_another_dossier_s_rows_are_not_there(camille: Client, organisation: Organisation) -> None:
    foreign = Organisation.objects.create(name="Autre", slug="autre")
    row = movement(foreign, -1000, "AILLEURS", account=account_of(foreign, "FR9"))
    assert camille.get(f"/d/{organisation.slug}/banque/?operation={row.pk}").status_code == 404
    assert "AILLEURS" not in page(camille, organisation, "?etat=tout")
    answer = camille.post(f"/d/{organisation.slug}/banque/{row.pk}/dispenser/", {"choix": "lost"})
    assert answer.status_code == 404


def test_an_employee_sees_only_his_own_documents(
    as_member: Login, organisation: Organisation, owner: User
) -> None:
    """D-22: « Restreint : ses documents »."""
    document = paper(organisation, 1000, owner, 5)
    employee = as_member(BankRole.R1, CollectRole.OWN)
    assert (
        employee.get(f"/d/{organisation.slug}/banque/justificatifs/{document.pk}/").status_code
        == 404
    )
    none = as_member(BankRole.R1, CollectRole.NONE)
    assert none.get(f"/d/{organisation.slug}/banque/justificatifs/").status_code == 403
    assert Document.objects.count() == 1
    assert BankAccount.objects.count() + Link.objects.count() + Transaction.objects.count() == 0
