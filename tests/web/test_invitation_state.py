"""An invitation whose mail cannot leave is not said to be sent; its link is there to hand over."""

import html
import re
from datetime import timedelta

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from relance.accounts.models import DunningRole, Firm, Organisation, User
from relance.accounts.services import add_member
from relance.outbox.models import Notice
from tests.conftest import NOW

pytestmark = pytest.mark.django_db

PEOPLE = "/d/ateliers-kerdoncuff/parametres/utilisateurs/"


def invite(client: Client, email: str = "lea@kerdoncuff.example") -> None:
    data = {"email": email, "full_name": "Léa", "dunning": 0, "bank": 2, "collect": 2}
    assert client.post(f"{PEOPLE}inviter/", data).status_code == 302


def text_of(client: Client, url: str = PEOPLE) -> str:
    answer = client.get(url)
    assert answer.status_code == 200
    return html.unescape(answer.content.decode()).replace("\u00a0", " ")


def links(text: str) -> list[str]:
    return re.findall(r'value="(http[^"]*/invitation/[^"]*)"', text)


def test_what_the_list_says_follows_the_mail(camille: Client) -> None:
    """Waiting, sent, the server away, refused for good, and too late."""
    invite(camille)
    notice = Notice.objects.filter(kind="invitation")
    assert "Invitation : part dans un instant" in text_of(camille)
    silent = {"error": "Connection refused", "not_before": NOW + timedelta(minutes=5)}
    notice.update(**silent)
    assert "n’est pas partie, le serveur d’envoi ne répond pas" in text_of(camille)
    notice.update(error="550 no such user", handed_at=NOW)
    assert "n’est pas partie (550 no such user)" in text_of(camille)
    notice.update(error="", handed_at=None, useful_until=NOW)
    assert "n’est pas partie à temps" in text_of(camille)
    notice.update(sent_at=NOW, handed_at=NOW)
    sent = text_of(camille)
    assert "Invitation envoyée le" in sent
    assert links(sent) == []


def test_the_link_is_for_an_administrator_and_works(
    camille: Client, organisation: Organisation, colleague: User
) -> None:
    invite(camille)
    Notice.objects.update(error="Connection refused")
    [link] = links(text_of(camille))
    place = link[link.index("/invitation/") :]
    assert Client().get(place).status_code == 200
    reader = Client()
    reader.force_login(colleague)
    seen = text_of(reader)
    assert "ne répond pas" in seen
    assert links(seen) == []


def test_who_is_invited_elsewhere_too_has_his_link_from_the_mail_alone(
    camille: Client, organisation: Organisation
) -> None:
    """The link is his password to choose: it would open the other dossier as well."""
    invite(camille)
    Notice.objects.update(error="Connection refused")
    other = Organisation.objects.create(name="Autre", slug="autre")
    lea = User.objects.get(email="lea@kerdoncuff.example")
    add_member(organisation=other, user=lea, dunning_role=DunningRole.READ)
    text = text_of(camille)
    assert "ne répond pas" in text
    assert links(text) == []


def test_a_firm_reads_the_same_of_its_people(anne: Client, firm: Firm) -> None:
    url = f"/cabinet/{firm.pk}/collaborateurs/"
    anne.post(f"{url}inviter/", {"email": "paul@morel.example", "full_name": "Paul"})
    assert "Invitation : part dans un instant" in text_of(anne, url)
    Notice.objects.update(error="Connection refused")
    text = text_of(anne, url)
    assert "le serveur d’envoi ne répond pas" in text
    assert len(links(text)) == 1


def test_ten_people_invited_cost_no_more_queries_than_one(
    camille: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for n in range(10):
        invite(camille, f"p{n}@kerdoncuff.example")
    Notice.objects.update(error="Connection refused")
    with django_assert_max_num_queries(24):
        assert len(links(text_of(camille))) == 10
