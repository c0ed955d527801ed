"""The way in: guessed by nobody, good for its own request, harmless to what follows links."""

from datetime import date, timedelta

import pytest
from django.test import Client

from relance.accounts.models import BankRole, Membership, Organisation, User
from relance.bank.models import Document, Transaction
from relance.history.models import Event
from relance.portal import entry
from relance.receipts import doors
from relance.receipts.models import Answer, Door
from tests.conftest import NOW, TODAY
from tests.portal.conftest import Asked, ask, upload
from tests.portal.test_answering import words
from tests.receipts.conftest import AddClient, Bring

pytestmark = pytest.mark.django_db


def every_address(asked: Asked) -> list[str]:
    return [
        f"{asked.url}/",
        asked.at(0),
        f"{asked.at(0)}document/1/",
        f"{asked.url}/excel/",
        f"{asked.url}/excel/justificatifs.xlsx",
    ]


def nothing_changed(asked: Asked) -> bool:
    unanswered = Transaction.objects.exclude(missing="").count() == len(asked.rows)
    return unanswered and not Answer.objects.exists() and not Document.objects.exists()


@pytest.mark.parametrize("why", ["expired", "revoked", "guessed", "shortened"])
def test_a_link_that_opens_nothing_always_says_the_same(
    asked: Asked, client: Client, why: str
) -> None:
    """Every address, read or posted, gives the one calm page. Whoever holds a whole link reads
    why it is closed; a guesser learns nothing from any of his."""
    url = asked.url
    if why == "expired":
        Door.objects.update(expires_at=NOW)
    elif why == "revoked":
        assert doors.revoke(asked.request, now=NOW)
    else:
        url = asked.url[:-1] if why == "shortened" else "/j/" + "A" * 43
    pages = set()
    for address in every_address(asked):
        address = address.replace(asked.url, url)
        for answer in (client.get(address), client.post(address, {"what": "none"})):
            assert answer.status_code == 404
            assert "Ce lien n’est plus valable" in answer.content.decode()
            pages.add(answer.content)
    assert len(pages) == 1
    told = {"expired": "Il a expiré : un lien vaut deux mois", "revoked": "a été close par ceux"}
    assert told.get(why, "Il a expiré, ou il a été remplacé") in words(client.get(f"{url}/"))
    assert nothing_changed(asked)
    assert Door.objects.get().opened_at is None


@pytest.mark.parametrize("how", ["dismissed", "bank", "collect", "inactive"])
def test_a_link_closes_with_the_access_of_one_it_was_sent_to(
    asked: Asked, client_user: User, dossier: Organisation, client: Client, how: str
) -> None:
    """Nothing tells who of them follows it; who still has his account uses that one instead."""
    assert client.get(asked.at(0)).status_code == 200
    member = Membership.objects.get(user=client_user)
    if how == "dismissed":
        member.delete()
    elif how == "inactive":
        User.objects.filter(pk=client_user.pk).update(is_active=False)
    else:
        Membership.objects.update(**{f"{how}_role": 1})
    for address in every_address(asked):
        for answer in (client.get(address), client.post(address, {"what": "none"})):
            assert answer.status_code == 404
            assert "Les accès à ce dossier ont changé" in words(answer)
    assert nothing_changed(asked)


def test_who_only_wants_no_more_mails_keeps_his_link(
    asked: Asked, client_user: User, client: Client
) -> None:
    Membership.objects.filter(user=client_user).update(wants_receipt_mails=False)
    assert client.get(asked.at(0)).status_code == 200


def test_a_door_does_not_open_transactions_of_another_request_or_dossier(
    asked: Asked, bring: Bring, client: Client
) -> None:
    """One that is not asked about and one that does not exist are told alike."""
    other = Organisation.objects.create(name="Autre", slug="autre")
    same, foreign = bring(), bring(of=other)
    pages = set()
    for pk in (same.pk, foreign.pk, 999_999):
        answer = client.get(f"{asked.url}/{pk}/")
        assert answer.status_code == 404
        pages.add(answer.content)
        assert client.post(f"{asked.url}/{pk}/", {"what": "none"}).status_code == 404
    assert len(pages) == 1
    assert {same.missing, foreign.missing} == {"not_associated"}
    assert not Answer.objects.exists()


def test_two_doors_of_a_dossier_open_each_its_own(
    asked: Asked, dossier: Organisation, bring: Bring, client_user: User, client: Client
) -> None:
    september = ask(dossier, [bring(-9_00, "CB PARKING", date(2026, 9, 3))], client_user)
    assert client.get(september.at(0)).status_code == 200
    assert client.get(september.at(0).replace(september.url, asked.url)).status_code == 404


def test_programs_that_follow_links_change_nothing_but_the_opening(
    asked: Asked, client: Client
) -> None:
    """D-25: HEAD and prefetching are no reading; the first reading is told once."""
    door = asked.request.door
    for address in every_address(asked):
        client.head(address)
        client.get(address, headers={"Sec-Purpose": "prefetch"})
    door.refresh_from_db()
    assert door.opened_at is None
    for _twice in range(2):
        for address in every_address(asked):
            client.get(address, {"what": "none"})
    door.refresh_from_db()
    assert door.opened_at == NOW
    told = Event.objects.get(kind="receipts_link_opened")
    assert told.data == {"request": asked.request.pk, "to": "yann.corre"}
    assert nothing_changed(asked)


@pytest.mark.parametrize("method", ["put", "delete", "patch"])
def test_other_methods_are_refused(asked: Asked, client: Client, method: str) -> None:
    for address in every_address(asked):
        assert getattr(client, method)(address).status_code == 405


def test_pages_are_kept_by_nobody_and_found_by_no_engine(asked: Asked, client: Client) -> None:
    for address in every_address(asked):
        headers = client.get(address).headers
        assert "no-store" in headers["Cache-Control"], address
        assert "private" in headers["Cache-Control"]
        assert "noindex" in headers["X-Robots-Tag"]
        assert headers["Referrer-Policy"] == "same-origin"
        assert "default-src 'self'" in headers["Content-Security-Policy"]


def test_a_form_from_elsewhere_is_refused(asked: Asked) -> None:
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(asked.at(0), {"what": "none"}).status_code == 403
    assert nothing_changed(asked)
    page = strict.get(asked.at(0)).content.decode()
    token = page.partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
    sent = {"what": "none", "csrfmiddlewaretoken": token}
    assert strict.post(asked.at(0), sent).status_code == 302
    assert not nothing_changed(asked)


def test_a_guesser_is_stopped_wherever_he_looks(
    asked: Asked, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entry, "MISSES", entry.throttle.Limit(3, 60))
    for number in range(3):
        assert client.get(f"/j/guess{number}/").status_code == 404
    assert client.get("/j/guess4/").status_code == 429
    assert client.get(asked.at(0)).status_code == 429
    elsewhere = Client(REMOTE_ADDR="10.1.2.3")
    assert elsewhere.get(asked.at(0)).status_code == 200


def test_a_door_takes_so_many_answers_and_no_more(
    asked: Asked, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entry, "POSTS", entry.throttle.Limit(1, 60))
    assert client.post(asked.at(0), {"what": "none"}).status_code == 302
    assert client.post(asked.at(1), {"what": "none"}).status_code == 429
    assert client.get(asked.at(1)).status_code == 200


def test_a_body_too_large_is_refused_by_its_length(
    asked: Asked, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything of it is read: not even the token of the form is looked for."""
    monkeypatch.setattr(entry, "MOST_BODY", 50)
    strict = Client(enforce_csrf_checks=True)
    for sender in (client, strict):
        answer = sender.post(asked.at(0), {"what": "document", "file": upload()})
        assert answer.status_code == 413
        assert "Cet envoi est trop lourd" in answer.content.decode()
    assert nothing_changed(asked)


@pytest.mark.parametrize(
    "posted",
    [
        {},
        {"what": "forced"},
        {"what": "document"},
        {"what": "confirm", "link": "9" * 40},
        {"what": "confirm", "link": "x"},
        {"what": "deny"},
        {"what": "back"},
    ],
)
def test_forms_that_were_tampered_with_do_nothing(
    asked: Asked, client: Client, posted: dict[str, str]
) -> None:
    answer = client.post(asked.at(0), posted)
    assert answer.status_code in (200, 302)
    assert nothing_changed(asked)


def test_only_the_digest_of_a_token_is_kept(asked: Asked) -> None:
    token = asked.url.removeprefix("/j/")
    door = Door.objects.get()
    assert len(token) == 43
    assert token not in str(vars(door))
    assert doors.door_of(token, now=NOW) == door
    assert doors.door_of(token, now=NOW + timedelta(days=61)) is None


def test_who_is_logged_in_changes_nothing_for_a_closed_door(
    asked: Asked, add_client: AddClient, client: Client
) -> None:
    doors.revoke(asked.request, now=NOW)
    client.force_login(add_client("marie"))
    assert client.get(asked.at(0)).status_code == 404
    assert asked.request.on == TODAY


def test_the_accountant_who_follows_his_copy_is_not_the_client_who_opened_it(
    asked: Asked, accountant: User, client_user: User, client: Client
) -> None:
    """D-25."""
    client.force_login(accountant)
    client.get(asked.at(0))
    assert Door.objects.get().opened_at is None
    client.force_login(client_user)
    client.get(asked.at(0))
    assert Door.objects.get().opened_at == NOW


def test_a_member_who_is_logged_in_answers_in_his_own_name(
    asked: Asked, add_client: AddClient, stranger: User, client: Client
) -> None:
    for user in (add_client("paul", bank=BankRole.R1), stranger):
        client.force_login(user)
        client.post(asked.at(Answer.objects.count()), {"what": "none"})
    assert [answer.by for answer in Answer.objects.order_by("pk")] == ["paul", "yann.corre"]
