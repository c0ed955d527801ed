"""The client answers from the links of the message: no account, one question at a time."""

import io
import re
from datetime import date

import pillow_heif
import pytest
from django.test import Client
from PIL import Image

from relance.accounts.models import BankRole, Organisation, User
from relance.bank.models import BankAccount, Document, Link, Transaction
from relance.bank.services import links
from relance.history.models import Event
from relance.receipts.models import Answer
from relance.receipts.services.answers import accept
from tests.conftest import NOW, TODAY
from tests.portal.conftest import Asked, ask, photo, upload
from tests.receipts.conftest import AddClient, Bring

pytestmark = pytest.mark.django_db


def words(answer: object) -> str:
    """What one reads, without tags, its spaces ordinary."""
    text = re.sub(r"<[^>]+>", " ", answer.content.decode())  # type: ignore[attr-defined]
    return " ".join(text.replace("\u202f", " ").replace("\u00a0", " ").split())


def missing(row: Transaction) -> str:
    row.refresh_from_db()
    return row.missing


def test_each_link_opens_its_own_transaction_without_account(asked: Asked, client: Client) -> None:
    """S0-30, S0-32."""
    for place, name in enumerate(["METRO NANTES", "TOTAL", "SACEM"]):
        page = words(client.get(asked.at(place)))
        assert "Avez-vous le justificatif de cet achat ?" in page
        assert f"{place + 1} sur 3" in page
        assert page.index(name) < page.index("Prendre une photo")


def test_voir_plus_leads_to_all_transactions_of_the_request(asked: Asked, client: Client) -> None:
    """S0-31."""
    page = words(client.get(f"{asked.url}/"))
    assert "3 justificatifs pour octobre 2026" in page
    for name in ("METRO NANTES", "TOTAL", "SACEM"):
        assert name in page


def test_a_long_list_is_read_page_by_page(
    dossier: Organisation, bring: Bring, client_user: User, client: Client
) -> None:
    """S0-31: 120 transactions are fifty a page, and each says where it stands."""
    rows = [bring(-100 - n, f"CB {n}", date(2026, 10, 5)) for n in range(120)]
    asked = ask(dossier, rows[::-1], client_user)
    assert client.get(f"{asked.url}/").content.decode().count('class="j-item') == 50 * 5 + 1
    assert "page 3 sur 3" in words(client.get(f"{asked.url}/?page=99"))
    page = words(client.get(asked.at(60)))
    assert "61 sur 120" in page
    assert "page 2 sur 3" in page


def test_the_page_holds_with_few_queries(
    dossier: Organisation,
    bring: Bring,
    client_user: User,
    client: Client,
    django_assert_max_num_queries: object,
) -> None:
    rows = [bring(-100 - n, f"CB {n}", date(2026, 10, 5)) for n in range(40)]
    asked = ask(dossier, rows[::-1], client_user)
    client.get(asked.at(0))
    with django_assert_max_num_queries(8):  # type: ignore[operator]
        client.get(asked.at(0))


def test_the_firm_speaks_and_no_product_does(asked: Asked, client: Client) -> None:
    html = client.get(asked.at(0)).content.decode()
    assert "Cabinet Morel et Associés" in html
    assert "valable jusqu’au" in html
    assert "Relance<" not in html
    assert "brand" not in html


def test_a_photograph_justifies_and_the_next_question_comes(asked: Asked, client: Client) -> None:
    answer = client.post(asked.at(0), {"what": "document", "photo": upload(), "note": "Marché"})
    assert answer.status_code == 302
    assert answer.headers["Location"] == asked.at(1)
    assert missing(asked.rows[0]) == ""
    kept = Answer.objects.get()
    assert (kept.kind, kept.note, kept.by) == ("document", "Marché", "yann.corre")
    assert kept.document is not None
    assert kept.document.source == "answer"
    assert "Justificatif bien reçu, merci." in words(client.get(asked.at(1)))


@pytest.mark.parametrize("kind", ["none", "not_mine", "not_needed"])
def test_there_are_three_honest_ways_to_say_no(asked: Asked, client: Client, kind: str) -> None:
    client.post(asked.at(1), {"what": kind, "note": "abonnement perso"})
    assert missing(asked.rows[1]) == ""
    kept = Answer.objects.get()
    assert (kept.kind, kept.note, kept.door) == (kind, "abonnement perso", asked.request.door)
    told = Event.objects.get(kind="receipt_answered")
    assert told.data["by"] == "yann.corre"
    assert told.at == NOW


def test_a_no_may_be_taken_back_until_the_accountant_has_read_it(
    asked: Asked, client: Client, accountant: User
) -> None:
    client.post(asked.at(0), {"what": "none"})
    assert "Changer ma réponse" in words(client.get(asked.at(0)))
    client.post(asked.at(0), {"what": "back"})
    assert missing(asked.rows[0]) == "not_associated"
    client.post(asked.at(0), {"what": "not_mine"})
    accept(answer=Answer.objects.latest("pk"), actor=accountant, now=NOW)
    assert "Changer ma réponse" not in words(client.get(asked.at(0)))
    client.post(asked.at(0), {"what": "back"})
    assert missing(asked.rows[0]) == ""


def test_passing_leads_round_to_what_is_left_and_the_end_says_thanks(
    asked: Asked, client: Client
) -> None:
    client.post(asked.at(1), {"what": "none"})
    assert f'class="j-next" href="{asked.at(2)}"' in client.get(asked.at(0)).content.decode()
    assert f'class="j-next" href="{asked.at(0)}"' in client.get(asked.at(2)).content.decode()
    client.post(asked.at(0), {"what": "none"})
    last = client.post(asked.at(2), {"what": "none"}, follow=True)
    assert last.redirect_chain == [(f"{asked.url}/", 302)]
    assert "C’est fini, merci" in words(last)


def test_several_photographs_of_one_receipt_belong_to_it_together(
    asked: Asked, client: Client
) -> None:
    files = [upload(), upload(), upload()]
    client.post(asked.at(0), {"what": "document", "file": files})
    assert missing(asked.rows[0]) == ""
    parts = sorted(link.amount_cents for link in Link.objects.filter(confirmed=True))
    assert (len(parts), sum(parts)) == (3, -342_18)
    assert Answer.objects.count() == 3


def test_a_receipt_of_a_part_leaves_the_question_open(asked: Asked, client: Client) -> None:
    """S0-07: what is left is said, and asked for."""
    client.post(asked.at(0), {"what": "document", "file": upload(photo(7))})
    client.post(asked.at(0), {"what": "back"})
    row, paper = asked.rows[1], Document.objects.get()
    Link.objects.all().delete()
    Document.objects.filter(pk=paper.pk).update(amount_cents=5000, left_cents=5000)
    answer = client.post(asked.at(1), {"what": "document", "file": upload(photo(7))}, follow=True)
    assert missing(row) == "partial"
    assert "Il manque encore 24,62 € pour cette opération." in words(answer)
    assert "Avez-vous ce qui manque ?" in words(answer)


def test_a_bad_file_is_refused_with_its_reason_and_the_note_is_kept(
    asked: Asked, client: Client
) -> None:
    bad = upload(b"<html><script>alert(1)</script>", "../../facture.pdf")
    answer = client.post(
        asked.at(0), {"what": "document", "file": bad, "note": "payé en <b>"}, follow=True
    )
    assert "n’a pas été gardé" in words(answer)
    assert ">payé en &lt;b&gt;</textarea>" in answer.content.decode()
    assert (missing(asked.rows[0]), Document.objects.count()) == ("not_associated", 0)


def test_a_photograph_of_an_iphone_is_a_receipt(asked: Asked, client: Client) -> None:
    target = io.BytesIO()
    pillow_heif.from_pillow(Image.new("RGB", (64, 64))).save(target)
    client.post(asked.at(0), {"what": "document", "photo": upload(target.getvalue(), "IMG.HEIC")})
    assert missing(asked.rows[0]) == ""
    assert Document.objects.get().mime == "image/heic"


def test_a_picture_made_to_fill_the_memory_is_refused_with_its_reason(
    asked: Asked, client: Client
) -> None:
    target = io.BytesIO()
    Image.new("1", (10_000, 7_000)).save(target, "PNG")
    answer = client.post(
        asked.at(0), {"what": "document", "photo": upload(target.getvalue())}, follow=True
    )
    assert "« ticket.png » n’a pas été gardé." in words(answer)
    assert "pixels" in words(answer)
    assert not Document.objects.exists()


def test_the_good_files_are_kept_when_one_is_bad(asked: Asked, client: Client) -> None:
    files = [upload(), upload(b"MZ\x90", "virus.exe")]
    answer = client.post(asked.at(0), {"what": "document", "file": files}, follow=True)
    assert missing(asked.rows[0]) == ""
    assert "« virus.exe » n’a pas été gardé." in words(answer)


def test_a_refusal_is_told_once_and_the_back_button_posts_nothing_again(
    asked: Asked, client: Client
) -> None:
    posted = client.post(asked.at(0), {"what": "document", "note": "merci"})
    assert posted.headers["Location"] == asked.at(0)
    assert "Choisissez d’abord" not in words(client.get(asked.at(1)))
    assert "Choisissez d’abord" in words(client.get(asked.at(0)))
    assert "Choisissez d’abord" not in words(client.get(asked.at(0)))


def test_a_file_too_heavy_is_refused_before_it_is_read(
    asked: Asked, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relance.portal.views.MAX_BYTES", 10)
    answer = client.post(
        asked.at(0), {"what": "document", "photo": upload(), "note": "merci"}, follow=True
    )
    assert "est trop lourd" in words(answer)
    assert ">merci</textarea>" in answer.content.decode()
    assert not Document.objects.exists()


def test_no_file_at_all_is_said(asked: Asked, client: Client) -> None:
    answer = client.post(asked.at(0), {"what": "document"}, follow=True)
    assert "Choisissez d’abord un fichier, ou prenez une photo." in words(answer)


def test_a_spent_receipt_does_not_justify_twice(asked: Asked, client: Client) -> None:
    client.post(asked.at(0), {"what": "document", "file": upload(photo(5))})
    Document.objects.update(amount_cents=342_18, left_cents=0)
    answer = client.post(asked.at(1), {"what": "document", "file": upload(photo(5))}, follow=True)
    assert "justifie déjà une opération en entier" in words(answer)
    assert missing(asked.rows[1]) == "not_associated"


def test_twice_the_same_answer_counts_once(asked: Asked, client: Client) -> None:
    """A double tap, or the back button and again."""
    raw = photo()
    client.post(asked.at(0), {"what": "document", "file": upload(raw)})
    for again in ({"what": "document", "file": upload(raw)}, {"what": "not_mine"}):
        answer = client.post(asked.at(0), again, follow=True)
        assert "Cette opération est déjà justifiée : il n’y a plus rien à faire." in words(answer)
    assert Answer.objects.count() == 1


@pytest.fixture
def found(asked: Asked, dossier: Organisation) -> Link:
    """A document of the dossier that may be the receipt of the first transaction."""
    from relance.bank.services.documents import store_document

    paper = store_document(
        organisation=dossier, raw=photo(), filename="metro.jpg", on=TODAY, now=NOW
    ).document
    Document.objects.filter(pk=paper.pk).update(
        amount_cents=342_18, left_cents=342_18, on=date(2026, 10, 29), supplier="Metro"
    )
    paper.refresh_from_db()
    assert links.propose(documents=[paper], now=NOW) == 1
    return Link.objects.get(confirmed=False)


def test_a_receipt_that_was_found_is_shown_and_confirmed_in_one_click(
    asked: Asked, found: Link, client: Client
) -> None:
    """S0-08, D-23: the picture is drawn by us."""
    html = client.get(asked.at(0)).content.decode()
    assert "Est-ce le bon justificatif" in html
    picture = client.get(f"{asked.at(0)}document/{found.pk}/")
    assert picture.headers["Content-Type"] == "image/png"
    assert picture.content.startswith(b"\x89PNG")
    client.post(asked.at(0), {"what": "confirm", "link": found.pk})
    assert missing(asked.rows[0]) == ""
    assert Answer.objects.get().document == found.document


def test_what_was_found_may_be_denied_and_the_question_is_asked(
    asked: Asked, found: Link, client: Client
) -> None:
    answer = client.post(asked.at(0), {"what": "deny", "link": found.pk}, follow=True)
    assert missing(asked.rows[0]) == "not_associated"
    assert "Avez-vous le justificatif de cet achat ?" in words(answer)
    again = client.post(asked.at(0), {"what": "confirm", "link": found.pk}, follow=True)
    assert "a déjà reçu une réponse" in words(again)
    assert missing(asked.rows[0]) == "not_associated"


def test_only_a_picture_of_this_transaction_is_shown(
    asked: Asked, found: Link, client: Client
) -> None:
    for address in (
        f"{asked.at(1)}document/{found.pk}/",
        f"{asked.at(0)}document/{found.pk + 1}/",
    ):
        assert client.get(address).status_code == 404
    stolen = client.post(asked.at(1), {"what": "confirm", "link": found.pk}, follow=True)
    assert "a déjà reçu une réponse" in words(stolen)
    assert missing(asked.rows[1]) == "not_associated"


@pytest.mark.parametrize("bank", [BankRole.R2, BankRole.R3])
def test_who_is_logged_in_with_access_lands_in_banque(
    asked: Asked, add_client: AddClient, client: Client, bank: BankRole
) -> None:
    """S0-32: on that very transaction."""
    client.force_login(add_client("marie", bank=bank))
    slug, pk = asked.request.organisation.slug, asked.rows[1].pk
    answer = client.get(asked.at(1))
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(f"/d/{slug}/")
    assert str(pk) in answer.headers["Location"]
    assert client.get(f"{asked.url}/").headers["Location"].startswith(f"/d/{slug}/")
    landing = client.get(asked.at(1), follow=True)
    assert landing.context["filters"].state == "valider"
    assert landing.context["selected"] == pk


def test_who_is_logged_in_without_access_answers_on_the_page(
    asked: Asked, stranger: User, add_client: AddClient, client: Client
) -> None:
    for user in (stranger, add_client("paul", bank=BankRole.R1)):
        client.force_login(user)
        assert client.get(asked.at(0)).status_code == 200


def test_money_that_came_in_is_asked_for_as_such(
    dossier: Organisation, bring: Bring, client_user: User, client: Client
) -> None:
    asked = ask(dossier, [bring(120_00, "VIR CLIENT")], client_user)
    page = words(client.get(asked.at(0)))
    assert "Avez-vous le justificatif de cet encaissement ?" in page
    assert BankAccount.objects.exists()
