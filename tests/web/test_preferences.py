"""What each user chooses for himself, and the door: language, copies, regular e-mails, tries."""

from html import unescape
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from relance.accounts.models import Organisation, Subscription, User
from relance.dunning.recaps import recap_facts

URL = "/d/ateliers-kerdoncuff/preferences/"


def typed(**changes: Any) -> dict[str, Any]:
    return {"full_name": "Camille Le Goff", "language": "fr"} | changes


def test_nothing_regular_is_sent_unless_asked_for(camille: Client) -> None:
    """D-13: switched on by each user; the daily mail off by default like the others."""
    page = camille.get(URL).content.decode()
    for kind in Subscription.Kind.values:
        assert f'name="{kind}"' in page
        assert "checked" not in page.partition(f'name="{kind}"')[2].partition(">")[0]
    assert not Subscription.objects.exists()


def test_preferences_are_found_in_the_menu_of_the_user(camille: Client) -> None:
    page = unescape(camille.get("/d/ateliers-kerdoncuff/plans/").content.decode())
    assert f'href="{URL}"' in page
    assert "Mes préférences" in page


def test_each_choice_is_kept(camille: Client, owner: User, organisation: Organisation) -> None:
    """D-13, D-16, S4-30."""
    answer = camille.post(URL, typed(weekly="on", forewarning="on", receives_copy="on"))

    assert answer.status_code == 302
    owner.refresh_from_db()
    assert owner.receives_copy
    mine = Subscription.objects.filter(user=owner, organisation=organisation)
    assert set(mine.values_list("kind", flat=True)) == {"weekly", "forewarning"}
    camille.post(URL, typed(daily="on"))
    owner.refresh_from_db()
    assert not owner.receives_copy
    assert list(mine.values_list("kind", flat=True)) == ["daily"]


def test_the_pages_speak_the_language_one_chose(camille: Client, owner: User) -> None:
    camille.post(URL, typed(language="en"))
    assert '<html lang="en">' in camille.get(URL).content.decode()
    camille.post(URL, typed(language="fr"))
    page = camille.get(URL, headers={"Accept-Language": "en"}).content.decode()
    assert '<html lang="fr">' in page


@pytest.mark.parametrize(
    "changes", [{"language": "xx"}, {"language": ""}, {"full_name": "n" * 300}]
)
def test_what_cannot_be_kept_is_refused(
    camille: Client, owner: User, changes: dict[str, Any]
) -> None:
    answer = camille.post(URL, typed(weekly="on", **changes))
    assert answer.status_code == 200
    assert "errorlist" in answer.content.decode()
    assert not Subscription.objects.exists()


def test_a_line_break_never_reaches_the_headers_of_a_message(camille: Client, owner: User) -> None:
    camille.post(URL, typed(full_name="Camille\r\nBcc: eve@ailleurs.example"))
    owner.refresh_from_db()
    assert owner.full_name == "Camille Bcc: eve@ailleurs.example"


def test_a_reader_has_preferences_too_but_no_mailbox_to_connect(
    client: Client, colleague: User
) -> None:
    client.force_login(colleague)
    page = unescape(client.get(URL).content.decode())
    assert "Connecter ma boîte" not in page
    assert "En lecture seule" in page
    client.post(URL, typed(weekly="on"))
    assert Subscription.objects.get().user == colleague


def test_a_stranger_finds_nothing(
    client: Client, stranger: User, organisation: Organisation
) -> None:
    client.force_login(stranger)
    assert client.get(URL).status_code == 404
    assert client.post(URL, typed(weekly="on")).status_code == 404
    assert not Subscription.objects.exists()


# --- ending a regular e-mail from a link in it --------------------------------------------------


@pytest.fixture
def link(organisation: Organisation, owner: User) -> str:
    made = Subscription.objects.create(organisation=organisation, user=owner, kind="weekly")
    return "/abonnements/" + recap_facts.stop_url(made).partition("/abonnements/")[2]


def test_a_link_in_the_mail_ends_it_without_logging_in(client: Client, link: str) -> None:
    """Reading the link changes nothing: programs follow links before people do (RFC 8058)."""
    page = unescape(client.get(link).content.decode())
    assert "Ne plus recevoir cet e-mail" in page
    assert Subscription.objects.exists()

    strict = Client(enforce_csrf_checks=True)
    answer = strict.post(link, {"List-Unsubscribe": "One-Click"})

    assert answer.status_code == 200
    assert not Subscription.objects.exists()
    assert client.post(link).status_code == 200, "asking twice is no fault"


@pytest.mark.parametrize("token", ["1", "MQ:abc:def", "x" * 400])
def test_a_link_that_is_not_ours_is_nowhere(client: Client, link: str, token: str) -> None:
    assert client.post(f"/abonnements/{token}/").status_code == 404
    assert client.post(link[:-3] + "AA/").status_code == 404
    assert Subscription.objects.exists()


# --- the door -----------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _no_tries() -> None:
    cache.clear()


def enter(client: Client, password: str, where: str = "203.0.113.7") -> str:
    answer = client.post(
        "/connexion/",
        {"username": "camille@kerdoncuff.example", "password": password},
        REMOTE_ADDR=where,
    )
    return "in" if answer.status_code == 302 else unescape(answer.content.decode())


def test_after_five_wrong_passwords_one_waits(
    client: Client, owner: User, organisation: Organisation
) -> None:
    for _try in range(5):
        assert "ne vont pas ensemble" in enter(client, "faux")
    assert "Trop d’essais" in enter(client, "faux")
    assert "Trop d’essais" in enter(client, "motdepasse1"), "even with the right one"
    assert enter(Client(), "motdepasse1", where="198.51.100.9") == "in", "nobody locks her out"


def test_a_guesser_who_changes_his_address_is_slowed_down_too(
    client: Client, owner: User, organisation: Organisation
) -> None:
    for number in range(50):
        enter(client, "faux", where=f"203.0.113.{number}")
    assert "Trop d’essais" in enter(client, "faux", where="198.51.100.9")


def test_a_good_password_forgets_the_mistakes_before(
    client: Client, owner: User, organisation: Organisation
) -> None:
    for _round in range(3):
        for _try in range(4):
            enter(client, "faux")
        assert enter(client, "motdepasse1") == "in"
        client.logout()


def test_an_unknown_account_is_counted_and_told_like_a_known_one(client: Client, db: None) -> None:
    for _try in range(5):
        assert "ne vont pas ensemble" in enter(client, "faux")
    assert "Trop d’essais" in enter(client, "faux")
