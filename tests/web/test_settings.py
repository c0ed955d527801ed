"""The settings of a dossier, used by its administrator, a reader and a stranger."""

from datetime import time
from html import unescape
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from relance.accounts import clock
from relance.accounts.models import Organisation, User
from relance.dunning.models import Outlook
from relance.history.models import Event
from relance.ledger.models import Customer
from tests.conftest import NOW, TODAY, make_invoice

URL = "/d/ateliers-kerdoncuff/parametres/"
IBAN = "FR1420041010050500013M02606"


@pytest.fixture(autouse=True)
def _frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)


@pytest.fixture
def camille(client: Client, owner: User, organisation: Organisation) -> Client:
    client.force_login(owner)
    return client


def typed(**changes: Any) -> dict[str, Any]:
    return {
        "name": "Ateliers Kerdoncuff",
        "email_from": "relances@kerdoncuff.example",
        "reply_to": "",
        "signature": "",
        "iban": "",
        "zone": "metropole",
        "send_at": "08:30",
        "tolerance": "0",
        "by_hand_modes": ["direct_debit"],
        "sending_on": "on",
    } | changes


def test_every_setting_has_its_explanation(
    camille: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    """S4-04, S4-05."""
    with django_assert_max_num_queries(20):
        text = unescape(camille.get(URL).content.decode())

    assert text.count("_helptext") >= 10
    assert "relances@kerdoncuff.example" in text
    assert 'value="08:30"' in text
    assert f'href="{URL}" aria-current="page"' in text


def test_settings_are_saved_and_told_to_the_journal(
    camille: Client, organisation: Organisation
) -> None:
    answer = camille.post(
        URL,
        typed(
            name="Kerdoncuff SAS",
            reply_to="compta@kerdoncuff.example",
            signature="Le service comptable",
            iban=IBAN.lower(),
            zone="alsace-moselle",
            send_at="09:15",
            tolerance="2.50",
            by_hand_modes=["direct_debit", "card"],
        ),
    )

    assert answer.status_code == 302
    organisation.refresh_from_db()
    assert organisation.name == "Kerdoncuff SAS"
    assert organisation.reply_to == "compta@kerdoncuff.example"
    assert organisation.iban == "FR14 2004 1010 0505 0001 3M02 606"
    assert organisation.zone == "alsace-moselle"
    assert organisation.send_at == time(9, 15)
    assert organisation.tolerance_cents == 250
    assert organisation.by_hand_modes == ["direct_debit", "card"]
    told = Event.objects.get(kind="settings_saved").data
    assert told["tolerance_cents"] == ["0", "250"]
    assert "email_from" not in told


def test_saving_without_a_change_tells_nothing(camille: Client) -> None:
    camille.post(URL, typed())

    assert not Event.objects.filter(kind__in=["settings_saved", "sending_switched"]).exists()


def test_the_switch_suspends_what_leaves_by_itself(
    camille: Client, organisation: Organisation
) -> None:
    data = typed()
    del data["sending_on"]
    camille.post(URL, data)

    organisation.refresh_from_db()
    assert not organisation.sending_on
    assert Event.objects.get().kind == "sending_switched"


def test_a_tolerance_changes_who_is_chased_at_once(camille: Client, customer: Customer) -> None:
    make_invoice(customer, "F1", TODAY, cents=300)
    camille.post(URL, typed(tolerance="1"))
    assert Outlook.objects.get().next_on is not None

    camille.post(URL, typed(tolerance="5"))

    assert Outlook.objects.get().next_on is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "n" * 3000}, "au plus 120"),
        ({"name": ""}, "obligatoire"),
        ({"email_from": "pas une adresse"}, "valide"),
        ({"email_from": "a@b.example\nBcc: c@d.example"}, "valide"),
        ({"iban": "FR1420041010050500013M02607"}, "IBAN n’est pas valide"),
        ({"iban": "²" * 20}, "IBAN n’est pas valide"),
        ({"zone": "lune"}, "lune"),
        ({"send_at": "25:99"}, "heure valide"),
        ({"tolerance": "-1"}, "supérieure ou égale à 0"),
        ({"tolerance": "NaN"}, "nombre"),
        ({"tolerance": "9" * 300}, "inférieure ou égale à"),
        ({"by_hand_modes": ["coquillages"]}, "coquillages"),
    ],
)
def test_what_cannot_be_saved_is_refused_at_its_field(
    camille: Client, organisation: Organisation, changes: dict[str, Any], said: str
) -> None:
    answer = camille.post(URL, typed(signature="Gardée", **changes))

    text = unescape(answer.content.decode())
    assert answer.status_code == 200
    assert said in text
    assert 'value="Gardée"' in text
    organisation.refresh_from_db()
    assert organisation.signature == ""


def test_a_line_break_never_reaches_the_headers_of_a_message(
    camille: Client, organisation: Organisation
) -> None:
    camille.post(URL, typed(name="Ateliers\r\nBcc: eve@ailleurs.example"))

    organisation.refresh_from_db()
    assert organisation.name == "Ateliers Bcc: eve@ailleurs.example"


def test_a_name_is_never_markup(camille: Client) -> None:
    camille.post(URL, typed(name="<script>alert(1)</script>"))

    assert b"<script>alert" not in camille.get(URL).content


def test_a_reader_has_no_settings(client: Client, colleague: User, plan: Any) -> None:
    client.force_login(colleague)

    assert client.get(URL).status_code == 403
    assert client.post(URL, typed(name="Volé")).status_code == 403
    assert URL not in client.get("/d/ateliers-kerdoncuff/plans/").content.decode()


def test_a_stranger_finds_no_settings(
    client: Client, stranger: User, organisation: Organisation
) -> None:
    client.force_login(stranger)

    assert client.get(URL).status_code == 404
    assert client.post(URL, typed(name="Volé")).status_code == 404
    organisation.refresh_from_db()
    assert organisation.name == "Ateliers Kerdoncuff"
