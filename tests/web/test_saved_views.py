"""Filters kept under a name and columns chosen, by each user for himself."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from relance.accounts.access import open_organisation
from relance.accounts.models import Organisation, SavedView, User
from relance.ledger.models import Customer
from relance.web.queries.views import LISTS, MOST_VIEWS
from tests.conftest import TODAY, make_invoice

BOARD = "/d/ateliers-kerdoncuff/tableau-de-bord/"
VIEWS = "/d/ateliers-kerdoncuff/vues/"


@pytest.fixture(autouse=True)
def _invoices(customer: Customer) -> None:
    make_invoice(customer, "F-1", TODAY - timedelta(days=40))
    make_invoice(customer, "F-2", TODAY + timedelta(days=4))


def keep(client: Client, name: str, query: str = "etat=retard", page: str = "dashboard") -> Any:
    return client.post(VIEWS, {"page": page, "name": name, "query": query}, follow=True)


def test_filters_are_kept_under_a_name_and_opened_again(camille: Client) -> None:
    keep(camille, "Mes retards", "etat=retard&age=d31_60&page=3")

    text = camille.get(BOARD).content.decode()
    assert "Mes retards" in text
    view = SavedView.objects.get()
    assert view.query == "age=d31_60&etat=retard"
    opened = camille.get(f"{BOARD}?{view.query}")
    assert opened.context["tools"].current.name == "Mes retards"
    assert "F-1" in opened.content.decode()
    assert "F-2" not in opened.content.decode()


def test_a_view_is_recognised_whatever_the_order_of_the_address(camille: Client) -> None:
    keep(camille, "Mes retards", "etat=retard&age=d31_60")
    opened = camille.get(f"{BOARD}?etat=retard&age=d31_60&q=")
    assert opened.context["tools"].current.name == "Mes retards"


def test_the_same_name_replaces_the_view(camille: Client) -> None:
    keep(camille, "Mes retards", "etat=retard")
    keep(camille, "Mes retards", "etat=litiges")
    assert SavedView.objects.get().query == "etat=litiges"


def test_a_view_is_renamed_and_deleted(camille: Client) -> None:
    keep(camille, "Retards")
    keep(camille, "Litiges", "etat=litiges")
    view = SavedView.objects.get(name="Retards")
    camille.post(f"{VIEWS}{view.pk}/", {"page": "dashboard", "name": "Mes retards"})
    view.refresh_from_db()
    assert view.name == "Mes retards"

    said = camille.post(
        f"{VIEWS}{view.pk}/", {"page": "dashboard", "name": "Litiges"}, follow=True
    ).content.decode()
    assert "Une autre vue porte déjà ce nom." in said
    camille.post(f"{VIEWS}{view.pk}/", {"page": "dashboard", "delete": "1"})
    assert not SavedView.objects.filter(pk=view.pk).exists()


def test_columns_are_hidden_until_they_are_ticked_again(camille: Client) -> None:
    before = camille.get(BOARD).content.decode()
    assert ">Niveau" in before
    kept = ["always", "numero", "echeance", "retard", "reste", "relance"]
    camille.post(f"{VIEWS}colonnes/", {"page": "dashboard", "column": kept})
    after = camille.get(BOARD)
    assert after.context["tools"].show["niveau"] is False
    assert 'class="nowrap cell-level"' not in after.content.decode()

    camille.post(f"{VIEWS}colonnes/", {"page": "dashboard", "column": [*kept, "niveau"]})
    assert 'class="nowrap cell-level"' in camille.get(BOARD).content.decode()


def test_no_column_ticked_leaves_the_client(camille: Client, customer: Customer) -> None:
    camille.post(f"{VIEWS}colonnes/", {"page": "dashboard", "column": ["always"]})
    answer = camille.get(BOARD)
    assert not any(answer.context["tools"].show.values())
    assert customer.name in answer.content.decode()


def test_a_view_keeps_its_own_columns(camille: Client) -> None:
    keep(camille, "Retards", "etat=retard")
    camille.post(
        f"{VIEWS}colonnes/",
        {"page": "dashboard", "query": "etat=retard", "column": ["always", "reste"]},
    )
    assert camille.get(f"{BOARD}?etat=retard").context["tools"].show["niveau"] is False
    assert camille.get(BOARD).context["tools"].show["niveau"] is True


def test_views_are_private_to_each_user(
    client: Client, owner: User, colleague: User, stranger: User, organisation: Organisation
) -> None:
    client.force_login(owner)
    keep(client, "À Camille")
    view = SavedView.objects.get()
    client.force_login(colleague)
    assert "À Camille" not in client.get(BOARD).content.decode()
    for data in ({"delete": "1"}, {"name": "Volée"}):
        assert client.post(f"{VIEWS}{view.pk}/", {"page": "dashboard", **data}).status_code == 404
    client.force_login(stranger)
    assert client.post(f"{VIEWS}{view.pk}/", {"delete": "1"}).status_code == 404
    assert client.post(f"/d/ailleurs/vues/{view.pk}/", {"delete": "1"}).status_code == 404
    assert keep(client, "Intrus").status_code == 404
    assert SavedView.objects.get().name == "À Camille"


def test_a_reader_keeps_views_like_everybody(client: Client, colleague: User) -> None:
    client.force_login(colleague)
    keep(client, "Les miennes")
    assert "Les miennes" in client.get(BOARD).content.decode()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"name": "  "}, "Donnez un nom à cette vue."),
        ({"name": "x" * 61}, "60 caractères au plus"),
        ({"name": "n", "query": "q=" + "x" * 1500}, "trop longs"),
        ({"name": "n", "page": "nulle-part"}, "Cette liste n’a pas de vues."),
    ],
)
def test_what_cannot_be_kept_is_refused_with_its_reason(
    camille: Client, data: dict[str, str], words: str
) -> None:
    said = camille.post(VIEWS, {"page": "dashboard", "query": "", **data}, follow=True)
    assert words in said.content.decode()
    assert not SavedView.objects.exists()


def test_there_are_at_most_thirty_views(camille: Client) -> None:
    for number in range(MOST_VIEWS):
        keep(camille, f"Vue {number}", f"q={number}")
    assert "supprimez-en une" in keep(camille, "Une de trop").content.decode()
    assert SavedView.objects.count() == MOST_VIEWS


def test_hostile_names_and_filters_are_only_text(camille: Client) -> None:
    for name in ("<script>alert(1)</script>", "'; DROP TABLE--", "\u202eשם", "🧾"):
        keep(camille, name, "etat=%00&q=%3Cscript%3E&x=//evil.example")
    answer = camille.get(BOARD)
    assert answer.status_code == 200
    assert "<script>alert" not in answer.content.decode()
    sent = camille.post(VIEWS, {"page": "dashboard", "name": "n", "query": "?//evil.example/&a=b"})
    assert sent["Location"].startswith("/d/ateliers-kerdoncuff/tableau-de-bord/")


@pytest.mark.parametrize("page", LISTS)
def test_each_list_has_its_views(camille: Client, owner: User, page: str) -> None:
    """The toolbar stands on the page of every list that has views."""
    assert open_organisation(owner, "ateliers-kerdoncuff")
    answer = keep(camille, f"Vue de {page}", "q=abc", page=page)
    assert answer.status_code == 200
    assert f"Vue de {page}" in answer.content.decode()
    assert answer.context["tools"].current.name == f"Vue de {page}"


def test_the_tools_cost_one_question(
    camille: Client, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    for number in range(5):
        keep(camille, f"Vue {number}", f"q={number}")
    with django_assert_max_num_queries(56) as seen:
        camille.get(BOARD)
    asked = [one for one in seen.captured_queries if "accounts_savedview" in one["sql"]]
    assert len(asked) == 1
