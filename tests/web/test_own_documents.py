"""« Restreint : ses documents »: what colleagues brought and answered stays theirs (D-22)."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from relance.accounts.access import open_organisation
from relance.accounts.models import BankRole, CollectRole, DunningRole, Organisation, User
from relance.accounts.services import add_member
from relance.bank.models import Document, Link, Transaction
from relance.bank.services import links
from relance.receipts.models import Answer
from relance.receipts.services.answers import answer_no, answer_with
from relance.web.queries import bank
from tests.bank.test_documents import photo, xml_invoice
from tests.conftest import NOW, TODAY
from tests.web.banking import movement

pytestmark = pytest.mark.django_db

OTHERS = ("Papeterie Le Goff", "patron.xml", "Yann Ropars", "perdu en mer")
"""What the restricted colleague must read nowhere: supplier, file, sender and note of others."""


@pytest.fixture
def justified(organisation: Organisation) -> Transaction:
    """What a client justified by a document of his."""
    row = movement(organisation, -5602, "CARTE PAPIER")
    raw = xml_invoice("56.02", TODAY.isoformat(), "Papeterie Le Goff")
    answer_with(row=row, raw=raw, filename="patron.xml", by="Yann Ropars", on=TODAY, now=NOW)
    return row


@pytest.fixture
def refused(organisation: Organisation) -> Transaction:
    """One of which the client said why nothing comes."""
    row = movement(organisation, -900, "SACEM")
    answer_no(row=row, kind="none", by="Yann Ropars", on=TODAY, now=NOW, note="perdu en mer")
    return row


@pytest.fixture
def restricted(organisation: Organisation) -> User:
    """An employee who may associate and judge, and sees only the documents he brought."""
    user = User.objects.create_user("lou@k.example", "motdepasse1", full_name="Lou")
    add_member(
        organisation=organisation,
        user=user,
        dunning_role=DunningRole.READ,
        bank_role=BankRole.R3,
        collect_role=CollectRole.OWN,
    )
    return user


def pages(organisation: Organisation, *rows: Transaction) -> list[str]:
    """Every page of Banque, its export and the journal, on which a document may be named."""
    start = f"/d/{organisation.slug}/banque/"
    return [
        f"{start}?etat=tout",
        f"{start}?etat=tout&q=le+goff",
        *(f"{start}?etat=tout&operation={row.pk}" for row in rows),
        f"{start}reponses/",
        f"{start}justificatifs/?vue=tous",
        f"{start}justificatifs/?vue=tous&q=goff",
        f"{start}demander/",
        f"{start}demander/excel/",
        f"/d/{organisation.slug}/journal/",
    ]


def told(client: Client, urls: list[str]) -> set[str]:
    """Which of the words of others stand on these pages, all of which open."""
    found = set()
    for url in urls:
        answer = client.get(url)
        assert answer.status_code == 200, url
        shown = answer.getvalue().decode(errors="replace").replace('value="le goff"', "")
        found |= {word for word in OTHERS if word in shown}
    return found


def test_the_restricted_colleague_reads_nothing_of_others_and_the_owner_all(
    client: Client,
    organisation: Organisation,
    owner: User,
    stranger: User,
    restricted: User,
    justified: Transaction,
    refused: Transaction,
) -> None:
    """D-22, for three people, over list, search, panel, answers, documents, export, journal."""
    urls = pages(organisation, justified, refused)
    client.force_login(owner)
    assert told(client, urls) == set(OTHERS)
    client.force_login(restricted)
    assert told(client, urls) == set()
    assert "un document" in client.get(urls[0]).content.decode()
    client.force_login(stranger)
    assert {client.get(url).status_code for url in urls} == {404}


def test_what_was_found_by_others_has_no_name_and_is_not_his_to_judge(
    client: Client, organisation: Organisation, owner: User, restricted: User
) -> None:
    """D-22: a proposal, an association and an answer of others are neither named nor touched."""
    row = movement(organisation, -5602, "CARTE PAPIER")
    client.force_login(owner)
    raw = xml_invoice("56.02", TODAY.isoformat(), "Papeterie Le Goff")
    place = f"/d/{organisation.slug}/banque/"
    client.post(f"{place}justificatifs/", {"file": SimpleUploadedFile("patron.xml", raw)})
    link = Link.objects.get(transaction=row, confirmed=False)
    client.force_login(restricted)
    assert told(client, pages(organisation, row)) == set()
    for deed in ("confirmer", "ecarter"):
        client.post(f"{place}{row.pk}/{deed}/", {"lien": link.pk})
    link.refresh_from_db()
    assert not link.confirmed
    links.confirm_found(link=link, actor=owner, on=TODAY, now=NOW)
    said = client.post(f"{place}{row.pk}/dissocier/", {"lien": link.pk}, follow=True)
    assert "n’est pas le vôtre" in said.content.decode()
    assert Link.objects.get(transaction=row).confirmed


def test_he_judges_no_answer_of_others(
    client: Client, organisation: Organisation, restricted: User, refused: Transaction
) -> None:
    """D-22: what he cannot read he cannot accept either; the page says why it is empty."""
    client.force_login(restricted)
    place = f"/d/{organisation.slug}/banque/reponses/"
    assert "seulement ce que vous avez apporté" in client.get(place).content.decode()
    client.post(f"{place}geste/", {"une": Answer.objects.get().pk, "geste": "accepter"})
    assert Answer.objects.get().handled_at is None


def test_his_own_documents_keep_their_names(
    client: Client, organisation: Organisation, restricted: User
) -> None:
    """D-22: restricted to his documents, he sees these as anybody does."""
    row = movement(organisation, -1000, "METRO")
    client.force_login(restricted)
    place = f"/d/{organisation.slug}/banque/"
    client.post(f"{place}{row.pk}/associer/", {"file": SimpleUploadedFile("ticket.png", photo())})
    text = client.get(f"{place}?etat=tout&operation={row.pk}").content.decode()
    assert text.count("ticket.png") > 1
    assert "un document" not in text


def test_the_page_and_the_database_agree_on_who_sees_a_document(
    organisation: Organisation, owner: User, restricted: User, justified: Transaction
) -> None:
    """`sees` asks nothing of the database, and says what `visible_documents` says."""
    document = Document.objects.get()
    for user, brought in ((owner, None), (restricted, owner), (restricted, restricted)):
        document.made_by = brought
        document.save()
        access = open_organisation(user, organisation.slug)
        there = bank.visible_documents(access).filter(pk=document.pk).exists()
        assert bank.sees(access, document) == there


def test_what_a_colleague_gave_already_needs_nothing_more(
    client: Client, organisation: Organisation, owner: User, restricted: User
) -> None:
    """D-22: « déjà là » would send him to look for a document that he may not see."""
    place = f"/d/{organisation.slug}/banque/justificatifs/"

    def drop(user: User) -> str:
        client.force_login(user)
        answer = client.post(place, {"file": SimpleUploadedFile("t.png", photo())}, follow=True)
        return answer.content.decode()

    drop(owner)
    assert "t.png est déjà là\u00a0: rien n’est ajouté." in drop(owner)
    said = drop(restricted)
    assert "t.png\u00a0: déjà reçu d’un collègue, rien à faire." in said
    assert "déjà là" not in said
