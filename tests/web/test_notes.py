"""Notes on the page of a client, and the morning of the one whom they name."""

from html import unescape

from django.test import Client

from relance.accounts.models import DunningRole, Organisation, User
from relance.accounts.services import add_member
from relance.dunning.models import Mention
from relance.history.models import Event
from relance.ledger.models import Customer
from tests.conftest import TODAY, make_invoice
from tests.web.record import D, page


def write(browser: Client, customer: Customer, text: str, **values: object) -> str:
    answer = browser.post(f"{D}/clients/{customer.pk}/note/", {"text": text} | values, follow=True)
    return unescape(answer.content.decode())


def paul(organisation: Organisation) -> tuple[User, Client]:
    user = User.objects.create_user("paul@kerdoncuff.example", "motdepasse1", full_name="Paul Yven")
    add_member(organisation=organisation, user=user, dunning_role=DunningRole.ACCOUNT_MANAGER)
    browser = Client()
    browser.force_login(user)
    return user, browser


def test_a_note_names_a_colleague_who_finds_it_in_his_morning(
    camille: Client, organisation: Organisation, customer: Customer
) -> None:
    _user, his = paul(organisation)
    seen = write(camille, customer, "@Paul il demande un duplicata.\nDeux lignes.")
    assert "Note de Camille Le Goff" in seen
    assert "duplicata.<br>Deux lignes." in seen
    morning = unescape(his.get(f"{D}/").content.decode())
    assert "On vous a nommé" in morning
    assert "il demande un duplicata" in morning
    his.post(f"{D}/mentions/{Mention.objects.get().pk}/lue/")
    assert "On vous a nommé" not in unescape(his.get(f"{D}/").content.decode())


def test_one_may_tell_somebody_without_script_by_ticking_his_name(
    camille: Client, organisation: Organisation, customer: Customer, stranger: User
) -> None:
    user, _his = paul(organisation)
    assert "Paul Yven" in page(camille, customer, "?onglet=historique")
    write(camille, customer, "À voir", told=[user.pk])
    assert [one.user for one in Mention.objects.all()] == [user]
    write(camille, customer, "À voir", told=[stranger.pk])
    assert Mention.objects.count() == 1


def test_a_note_on_an_invoice_stands_with_it_and_with_its_client(
    camille: Client, customer: Customer
) -> None:
    invoice = make_invoice(customer, "F-1", TODAY)
    seen = write(camille, customer, "Bon de commande perdu", facture=invoice.pk)
    assert "Bon de commande perdu" in seen
    assert Event.objects.get(kind="note").invoice_id == invoice.pk
    assert "Bon de commande perdu" in page(camille, customer, "?onglet=historique")


def test_hostile_words_are_words(camille: Client, customer: Customer) -> None:
    write(camille, customer, "<script>alert(1)</script>{{ x }} @<img src=x>")
    raw = camille.get(f"{D}/clients/{customer.pk}/?onglet=historique").content.decode()
    assert "<script>alert(1)" not in raw
    assert "&lt;script&gt;alert(1)" in raw
    assert "<img src=x>" not in raw


def test_too_long_and_empty_are_refused_with_a_sentence(
    camille: Client, customer: Customer
) -> None:
    assert "5000" in write(camille, customer, "x" * 5001).replace("\u202f", "")
    write(camille, customer, "   ")
    assert not Event.objects.filter(kind="note").exists()


def test_a_withdrawn_note_stays_readable_as_withdrawn_and_only_its_author_may(
    camille: Client, organisation: Organisation, customer: Customer
) -> None:
    _user, his = paul(organisation)
    write(his, customer, "Erreur de ma part")
    write(camille, customer, "La mienne")
    first, second = Event.objects.filter(kind="note").order_by("seq")
    answer = his.post(f"{D}/notes/{second.seq}/retirer/", follow=True)
    assert "Seul Camille Le Goff" in unescape(answer.content.decode())
    his.post(f"{D}/notes/{first.seq}/retirer/")
    seen = page(camille, customer, "?onglet=historique")
    assert "Note retirée" in seen
    assert "Erreur de ma part" in seen


def test_a_reader_reads_notes_and_writes_none(
    client: Client, camille: Client, colleague: User, customer: Customer
) -> None:
    write(camille, customer, "@Yann pour information")
    his = Client()
    his.force_login(colleague)
    seen = page(his, customer, "?onglet=historique")
    assert "pour information" in seen
    assert "lecture seule" in seen
    answer = his.post(f"{D}/clients/{customer.pk}/note/", {"text": "Non"})
    assert answer.status_code == 403
    assert "On vous a nommé" in unescape(his.get(f"{D}/").content.decode())


def test_a_stranger_can_neither_read_nor_answer_for_another(
    camille: Client, organisation: Organisation, customer: Customer, stranger: User
) -> None:
    user, _his = paul(organisation)
    write(camille, customer, "Secret", told=[user.pk])
    theirs = Client()
    theirs.force_login(stranger)
    assert theirs.post(f"{D}/clients/{customer.pk}/note/", {"text": "x"}).status_code == 404
    mention = Mention.objects.get()
    assert theirs.post(f"/d/ailleurs/mentions/{mention.pk}/lue/").status_code == 404
    assert camille.post(f"{D}/mentions/{mention.pk}/lue/").status_code == 404
    assert Mention.objects.get().read_at is None
