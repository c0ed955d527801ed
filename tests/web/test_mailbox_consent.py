"""Connecting a mailbox with Google or Microsoft: there and back, once, for the one who asked."""

from collections.abc import Iterator
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.cache import cache
from django.test import Client

from relance.accounts.models import Organisation, User
from relance.outbox import domains, oauth, secrets
from relance.outbox.models import Mailbox, Message
from tests.conftest import NOW
from tests.outbox.consent import CLIENT, SECRET, TokenOffice, challenge_of
from tests.web.morning import url

BASE = "/d/ateliers-kerdoncuff/"
START = BASE + "boites/consentement/google/"
BACK = "/boites/retour/"


@pytest.fixture
def google(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[TokenOffice]:
    cache.clear()
    settings.OAUTH_CLIENTS = {"google": (CLIENT, SECRET), "microsoft": ("", "")}
    settings.SMTP_PRIVATE_NETWORKS = True
    settings.PUBLIC_URL = "https://relance.example"
    office = TokenOffice("compta@kerdoncuff.example")
    real = oauth.providers()
    monkeypatch.setattr(oauth, "providers", lambda: real | {"google": office.provider()})
    yield office
    office.stop()


@pytest.fixture
def alex(colleague: User) -> Client:
    """The colleague who only reads."""
    client = Client()
    client.force_login(colleague)
    return client


def said(answer: Any) -> str:
    return unescape(answer.content.decode())


def asked(client: Client, whose: str, google: TokenOffice) -> dict[str, str]:
    """What the provider is asked in the address that a person is sent to."""
    answer = client.get(START, {"boite": whose})
    assert answer.status_code == 302
    there = urlsplit(answer["Location"])
    assert there.netloc == "accounts.example"
    query = {key: values[0] for key, values in parse_qs(there.query).items()}
    google.codes["good-code"] = query["code_challenge"]
    return query


def test_an_administrator_connects_the_mailbox_of_the_company_with_google(
    camille: Client, organisation: Organisation, google: TokenOffice
) -> None:
    page = said(camille.get(BASE + "parametres/mails/boites/nouvelle/"))
    assert "Connecter avec Google" in page
    assert "Cette installation n’est pas inscrite chez Microsoft 365" in page
    query = asked(camille, "entreprise", google)
    assert query["redirect_uri"] == "https://relance.example/boites/retour/"

    answer = camille.get(BACK, {"state": query["state"], "code": "good-code"}, follow=True)

    assert "Boîte connectée" in said(answer)
    assert "retirer à tout moment dans votre compte Google" in said(answer)
    box = Mailbox.objects.get(organisation=organisation)
    assert (box.address, box.owner, box.auth, box.host) == (
        "compta@kerdoncuff.example",
        None,
        "google",
        "127.0.0.1",
    )
    assert secrets.opened(box.refresh_secret) == "refresh-1"
    assert challenge_of(google.asked[0]["code_verifier"]) == query["code_challenge"]
    assert "refresh-1" not in said(answer)


def test_an_answer_counts_once_and_only_for_the_question_asked(
    camille: Client, alex: Client, organisation: Organisation, google: TokenOffice
) -> None:
    query = asked(camille, "entreprise", google)
    good = {"state": query["state"], "code": "good-code"}
    assert alex.get(BACK, good).status_code == 403, "another session asked nothing"
    assert camille.get(BACK, good | {"state": "forged"}).status_code == 403
    assert camille.get(BACK, good).status_code == 403, "a wrong answer ends the question"
    assert Mailbox.objects.count() == 0


def test_whoever_says_no_at_the_provider_finds_nothing_changed(
    camille: Client, organisation: Organisation, google: TokenOffice
) -> None:
    query = asked(camille, "moi", google)
    answer = camille.get(BACK, {"state": query["state"], "error": "access_denied"}, follow=True)
    assert "Google n’a pas donné l’autorisation" in said(answer)
    assert Mailbox.objects.count() == 0


def test_whoever_only_reads_and_a_stranger_come_no_further_than_the_door(
    alex: Client, stranger: User, organisation: Organisation, google: TokenOffice
) -> None:
    for whose in ("entreprise", "moi"):
        assert alex.get(START, {"boite": whose}).status_code == 403
    outside = Client()
    outside.force_login(stranger)
    assert outside.get(START, {"boite": "moi"}).status_code == 404


def test_without_a_client_of_the_installation_the_page_says_why(
    camille: Client, organisation: Organisation, google: TokenOffice
) -> None:
    answer = camille.get(BASE + "boites/consentement/microsoft/", {"boite": "moi"}, follow=True)
    assert "Cette installation n’est pas inscrite chez Microsoft 365" in said(answer)


def test_a_withdrawn_consent_is_said_where_one_mends_it(
    camille: Client, organisation: Organisation, owner: User, google: TokenOffice
) -> None:
    query = asked(camille, "moi", google)
    camille.get(BACK, {"state": query["state"], "code": "good-code"})
    box = Mailbox.objects.get(owner=owner)
    google.revoked = True
    Mailbox.objects.update(access_until=NOW)

    page = said(camille.post(url("mailbox_test", organisation, box.pk)))

    assert "L’autorisation a été retirée ou a expiré chez Google" in page
    assert "Connecter de nouveau avec Google" in page
    assert 'name="host"' not in page, "its provider says where and how"
    query = asked(camille, str(box.pk), google)
    camille.get(BACK, {"state": query["state"], "code": "good-code"})
    box.refresh_from_db()
    assert (box.check_error, secrets.opened(box.refresh_secret)) == ("", "refresh-2")
    assert Mailbox.objects.count() == 1


def test_limits_are_typed_and_shown_when_they_are_reached(
    camille: Client, organisation: Organisation, google: TokenOffice
) -> None:
    query = asked(camille, "entreprise", google)
    camille.get(BACK, {"state": query["state"], "code": "good-code"})
    box = Mailbox.objects.get()
    page = url("mailbox_detail", organisation, box.pk)
    fields = {"address": "alias@kerdoncuff.example", "name": "Compta", "per_minute": "0"}
    assert "supérieure ou égale à 1" in said(camille.post(page, fields))
    camille.post(page, fields | {"per_minute": "", "per_day": "1"})
    box.refresh_from_db()
    assert (box.address, box.username, box.per_minute, box.per_day) == (
        "alias@kerdoncuff.example",
        "compta@kerdoncuff.example",
        None,
        1,
    )
    assert box.refresh_secret, "an alias changes nothing of the consent"
    Message.objects.create(
        organisation=organisation,
        mailbox=box,
        on=NOW.date(),
        not_before=NOW,
        sender=box.address,
        subject="s",
        text="t",
        message_ref="<1@x>",
        made_at=NOW,
        sent_at=NOW,
    )
    assert "Limite de 1 en 24 heures atteinte" in said(camille.get(page))


def test_the_domain_of_a_sender_is_looked_at_and_said_in_sentences(
    camille: Client, organisation: Organisation, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spec mail B2: a visible state of a domain that is not ready; a silent DNS blocks nothing."""
    cache.clear()
    settings.EMAIL_HOST = "smtp.relance.example"
    organisation.email_from = "compta@kerdoncuff.example"
    organisation.save()
    mails = BASE + "parametres/mails/"
    assert "Pas encore regardé" in said(camille.get(mails))

    camille.post(mails + "domaine/")
    assert "Le DNS n’a pas répondu" in said(camille.get(mails))

    answers = {"kerdoncuff.example": ["v=spf1 mx -all"]}

    def ask(name: str) -> list[str]:
        if name in answers:
            return answers[name]
        raise domains.NoNameError(name)

    monkeypatch.setattr(domains, "txt", ask)
    camille.post(mails + "domaine/")
    page = said(camille.get(mails))
    for words in (
        "kerdoncuff.example n’est pas prêt",
        "il y manque « a:smtp.relance.example »",
        "v=spf1 mx a:smtp.relance.example -all",
        "Aucune clé n’est publiée",
        "_dmarc.kerdoncuff.example",
    ):
        assert words in page
    answers |= {
        "kerdoncuff.example": ["v=spf1 a:smtp.relance.example -all"],
        "_domainkey.kerdoncuff.example": [],
        "_dmarc.kerdoncuff.example": ["v=DMARC1; p=none"],
    }
    camille.post(mails + "domaine/")
    page = said(camille.get(mails))
    assert "kerdoncuff.example est prêt" in page
    assert "observer seulement" in page
