"""Demander justificatifs, the requests made and the answers, in the pages of a dossier."""

from datetime import date, timedelta

import pytest
from django.test import Client

from relance.accounts.models import BankRole, CollectRole, Organisation, User
from relance.accounts.services import add_member
from relance.bank.models import BankAccount, Transaction
from relance.outbox.models import Message
from relance.receipts.models import Answer, Request
from relance.receipts.services.answers import answer_no
from relance.receipts.services.sending import send_request
from tests.conftest import NOW, TODAY
from tests.receipts.conftest import AddClient, Bring

pytestmark = pytest.mark.django_db


ASK = "/d/brasserie/banque/demander/"
OCTOBER = f"{ASK}?du=2024-10-01&au=2024-10-31"


def ask(client: Client, url: str, *users: User, seen: int = 0, note: str = "") -> int:
    data = {"vers": [user.pk for user in users], "seen": seen, "note": note}
    return client.post(url, data).status_code


def test_the_window_counts_the_period_and_asks_for_it_alone(
    anne: Client,
    dossier: Organisation,
    bring: Bring,
    add_client: AddClient,
) -> None:
    """S0-21, S0-22, S0-23, S0-24: no schedule is needed; 18 over two years, 5 in October 2024."""
    october = [bring(on=date(2024, 10, day)) for day in range(1, 6)]
    for month in range(1, 13):
        bring(on=date(2025, month, 15))
    bring(on=date(2024, 3, 1))
    yann = add_client()
    wide = anne.get(f"{ASK}?du=2024-01-01&au=2025-12-31").content.decode()
    assert "18\u00a0opérations" in wide
    assert "5\u00a0opérations" in anne.get(OCTOBER).content.decode()
    assert ask(anne, OCTOBER, yann) == 302
    request = Request.objects.get()
    assert set(request.asked.values_list("transaction", flat=True)) == {o.pk for o in october}
    assert (request.first, request.last) == (date(2024, 10, 1), date(2024, 10, 31))


def test_the_account_that_the_list_is_filtered_on_is_the_one_asked_about(
    anne: Client,
    dossier: Organisation,
    bring: Bring,
    add_client: AddClient,
) -> None:
    """S0-23: what leaves is what was counted."""
    bring()
    card = BankAccount.objects.create(organisation=dossier, number="CARTE-1")
    paid = bring(label="CARTE")
    Transaction.objects.filter(pk=paid.pk).update(account=card)
    assert ask(anne, f"{ASK}?compte={card.pk}", add_client()) == 302
    assert list(Request.objects.get().asked.values_list("transaction", flat=True)) == [paid.pk]


def test_everybody_who_may_receive_it_is_ticked_and_the_others_say_why(
    anne: Client,
    bring: Bring,
    add_client: AddClient,
) -> None:
    """S0-25, S0-26, S0-27, S0-28: all by default, one or several may be picked, never another."""
    bring()
    yann, sophie = add_client("yann"), add_client("sophie")
    lucie = add_client("lucie", bank=BankRole.R1)
    page = anne.get(ASK).content.decode()
    for user in (yann, sophie):
        assert f'value="{user.pk}" data-tick data-client="{user.pk}" checked' in page
    assert f'value="{lucie.pk}"' not in page
    assert "Son accès à la banque est insuffisant" in page
    assert ask(anne, ASK, lucie) == 409
    assert ask(anne, ASK) == 409
    assert not Message.objects.exists()
    assert ask(anne, ASK, sophie) == 302
    assert Message.objects.get().recipients == [sophie.email]


def test_the_preview_is_the_mail_itself(
    anne: Client,
    bring: Bring,
    add_client: AddClient,
) -> None:
    """S0-29, S0-30, S0-31, S0-32, S0-33: what leaves reads as what was shown, but for its links."""
    rows = [bring(label=f"ACHAT {n}", on=TODAY - timedelta(days=n)) for n in range(6)]
    yann = add_client()
    shown = anne.get(f"{ASK}apercu/?note=Merci+Yann").content.decode()
    assert "Voir plus" in shown
    assert ask(anne, ASK, yann, note="Merci Yann") == 302
    sent = Message.objects.get()
    token = sent.html.split("/j/")[1].split("/")[0]
    assert sent.html.replace(token, "exemple") == shown
    assert [f"/{row.pk}/" in shown for row in rows] == [True] * 4 + [False] * 2
    assert sent.files.get().name == "justificatifs-brasserie-du-port.xlsx"
    excel = anne.get(f"{ASK}excel/")
    assert excel.headers["Content-Disposition"].startswith("attachment")
    assert excel.content[:2] == b"PK"


def test_nothing_missing_has_no_button_and_nobody_able_says_so(
    anne: Client,
    bring: Bring,
    add_client: AddClient,
) -> None:
    """S0-36, S0-37: with the remedy at hand."""
    page = anne.get(ASK).content.decode()
    assert "il n’y a rien à demander" in page
    assert "Envoyer la demande" not in page
    bring()
    add_client(wants=False)
    page = anne.get(ASK).content.decode()
    assert "Personne ne peut recevoir cette demande" in page
    assert "/parametres/utilisateurs/" in page


def test_one_transaction_is_asked_with_a_word_and_its_history_tells_it(
    anne: Client,
    bring: Bring,
    add_client: AddClient,
) -> None:
    one, other = bring(label="METRO"), bring()
    yann = add_client()
    assert ask(anne, f"{ASK}?operation={one.pk}", yann, note="La note du 3") == 302
    request = Request.objects.get()
    assert (request.kind, request.count, request.note) == ("single", 1, "La note du 3")
    assert [asked.transaction for asked in request.asked.all()] == [one]
    history = "/d/brasserie/banque/{}/"
    assert (
        "Demandé par Anne Morel" in anne.get(history.format(one.pk), follow=True).content.decode()
    )
    assert "Aucune demande" in anne.get(history.format(other.pk), follow=True).content.decode()


def test_the_second_accountant_learns_who_was_first(
    anne: Client,
    bring: Bring,
    add_client: AddClient,
) -> None:
    bring()
    yann = add_client()
    assert ask(anne, ASK, yann) == 302
    again = anne.post(ASK, {"vers": [yann.pk], "seen": 0})
    assert again.status_code == 409
    assert "vient d’être envoyée par Anne Morel" in again.content.decode()
    assert ask(anne, ASK, yann, seen=Request.objects.get().pk) == 302


def test_the_history_shows_what_was_answered_and_closes_the_link(
    anne: Client,
    dossier: Organisation,
    bring: Bring,
    add_client: AddClient,
    accountant: User,
) -> None:
    rows = [bring(label="METRO"), bring(label="SACEM")]
    request = send_request(
        organisation=dossier,
        kind="manual",
        rows=rows,
        users=[add_client()],
        on=TODAY,
        now=NOW,
        actor=accountant,
    )
    answer_no(row=rows[0], kind="none", by="yann", on=TODAY, now=NOW, door=request.door)
    page = anne.get("/d/brasserie/banque/demandes/").content.decode()
    assert "1\u00a0/\u00a02" in page.replace("&nbsp;", "\u00a0")
    url = f"/d/brasserie/banque/demandes/{request.pk}/"
    detail = anne.get(url).content.decode()
    assert "Je ne l’ai pas" in detail
    assert "Annuler l’envoi" in detail
    anne.post(url + "fermer/")
    request.door.refresh_from_db()
    assert request.door.revoked_at == NOW
    assert Message.objects.get().status == "cancelled"


def test_an_answer_is_accepted_or_asked_again(
    anne: Client,
    bring: Bring,
) -> None:
    """A no that is refused puts the transaction back among those to validate."""
    first, second = bring(label="METRO"), bring(label="SACEM")
    for row in (first, second):
        answer_no(row=row, kind="none", by="Yann", on=TODAY, now=NOW, note="perdu")
    page = anne.get("/d/brasserie/banque/reponses/").content.decode()
    assert page.count("perdu") == 2
    one, two = Answer.objects.order_by("pk")
    geste = "/d/brasserie/banque/reponses/geste/"
    anne.post(geste, {"une": one.pk, "geste": "accepter"})
    anne.post(geste, {"cochee": [two.pk], "geste": "redemander"})
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.missing, bool(second.missing)) == ("", True)
    assert not Answer.objects.filter(handled_at=None).exists()


def test_a_client_who_may_only_see_asks_nothing_and_a_stranger_finds_nothing(
    client: Client,
    dossier: Organisation,
    bring: Bring,
    add_client: AddClient,
    stranger: User,
) -> None:
    """Three people: R1 reads why, R0 is refused, a stranger gets no page at all."""
    bring()
    yann = add_client("yann", bank=BankRole.R1)
    able = add_client("able")
    client.force_login(yann)
    page = client.get(ASK).content.decode()
    assert "il faut le niveau R3" in page
    assert ask(client, ASK, able) == 403
    nobody = add_client("nobody", bank=BankRole.R0)
    client.force_login(nobody)
    assert client.get(ASK).status_code == 403
    client.force_login(stranger)
    for url in (ASK, "/d/brasserie/banque/demandes/", "/d/brasserie/banque/reponses/"):
        assert client.get(url).status_code == 404
    assert ask(client, ASK, able) == 404
    assert not Request.objects.exists()


def test_a_company_without_accountant_asks_its_own_people(
    client: Client,
    owner: User,
    organisation: Organisation,
    bring: Bring,
) -> None:
    """D-24: the asker is the organisation itself."""
    bring(of=organisation)
    employee = User.objects.create_user("e@k.example", "motdepasse1")
    member = add_member(
        organisation=organisation,
        user=employee,
        dunning_role=0,
        bank_role=BankRole.R2,
        collect_role=CollectRole.ALL,
    )
    member.wants_receipt_mails = True
    member.save()
    client.force_login(owner)
    assert ask(client, f"/d/{organisation.slug}/banque/demander/", employee) == 302
    assert "Ateliers Kerdoncuff" in Message.objects.get().html
