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


PARTS: dict[str, dict[str, Any]] = {
    "": {"name": "Ateliers Kerdoncuff", "address": "", "siren": "", "iban": ""},
    "mails/": {"email_from": "relances@kerdoncuff.example", "reply_to": "", "signature": ""},
    "horaires/": {
        "sending_on": "on",
        "send_at": "08:30",
        "timezone": "Europe/Paris",
        "zone": "metropole",
    },
    "exclusions/": {"tolerance": "0", "by_hand_modes": ["direct_debit"]},
}


def typed(part: str = "", **changes: Any) -> dict[str, Any]:
    """What the form of a part sends back untouched, but for `changes`."""
    return PARTS[part] | changes


@pytest.mark.parametrize(
    ("part", "shown"),
    [
        ("", "Ateliers Kerdoncuff"),
        ("mails/", "relances@kerdoncuff.example"),
        ("horaires/", 'value="08:30"'),
        ("exclusions/", 'value="0.00"'),
    ],
)
def test_every_setting_stands_in_its_part_with_its_explanation(
    camille: Client,
    django_assert_max_num_queries: DjangoAssertNumQueries,
    part: str,
    shown: str,
) -> None:
    """S4-04: Paramètres > Mails > Relances d'encaissements is one of four parts."""
    with django_assert_max_num_queries(21):
        text = unescape(camille.get(URL + part).content.decode())

    assert text.count("_helptext") >= len(PARTS[part])
    assert shown in text
    for other in PARTS:
        assert f'href="{URL}{other}"' in text
    assert f'href="{URL}" aria-current="page"' in text


def test_the_part_of_mails_says_from_where_relances_leave_and_who_reads_the_answers(
    camille: Client, organisation: Organisation, owner: User, settings: Any
) -> None:
    """S4-04, S4-05, S2-19, S2-21."""
    settings.DEFAULT_FROM_EMAIL = "collect@relance.example"
    page = unescape(camille.get(URL + "mails/").content.decode())
    assert "Relances d’encaissements" in page
    assert "<dd>relances@kerdoncuff.example</dd>" in page

    camille.post(URL + "mails/", typed("mails/", email_from=""))

    page = unescape(camille.get(URL + "mails/").content.decode())
    assert "<dd>collect@relance.example (adresse de l’installation)</dd>" in page
    assert f"la personne chargée du client, sinon {owner.email}" in page


def test_settings_are_saved_and_told_to_the_journal(
    camille: Client, organisation: Organisation
) -> None:
    """S4-05: the sender of every encaissement."""
    sent = [
        ("", {"name": "Kerdoncuff SAS", "siren": "732 829 320", "iban": IBAN.lower()}),
        ("mails/", {"email_from": "compta@kerdoncuff.example", "reply_to": "r@kerdoncuff.example"}),
        ("horaires/", {"zone": "reunion", "send_at": "09:15", "timezone": "Indian/Reunion"}),
        ("exclusions/", {"tolerance": "2.50", "by_hand_modes": ["direct_debit", "card"]}),
    ]
    for part, changes in sent:
        assert camille.post(URL + part, typed(part, **changes)).status_code == 302

    organisation.refresh_from_db()
    assert (organisation.name, organisation.siren) == ("Kerdoncuff SAS", "732829320")
    assert organisation.iban == "FR14 2004 1010 0505 0001 3M02 606"
    assert organisation.email_from == "compta@kerdoncuff.example"
    assert organisation.reply_to == "r@kerdoncuff.example"
    assert (organisation.zone, organisation.timezone) == ("reunion", "Indian/Reunion")
    assert organisation.send_at == time(9, 15)
    assert organisation.tolerance_cents == 250
    assert organisation.by_hand_modes == ["direct_debit", "card"]
    told = [event.data for event in Event.objects.filter(kind="settings_saved").order_by("pk")]
    assert told[-1]["tolerance_cents"] == ["0", "250"]
    assert set(told[0]) == {"name", "siren", "iban"}


def test_saving_without_a_change_tells_nothing(camille: Client) -> None:
    for part in PARTS:
        camille.post(URL + part, typed(part))

    assert not Event.objects.filter(kind__in=["settings_saved", "sending_switched"]).exists()


def test_the_switch_suspends_what_leaves_by_itself(
    camille: Client, organisation: Organisation
) -> None:
    data = typed("horaires/")
    del data["sending_on"]
    camille.post(URL + "horaires/", data)

    organisation.refresh_from_db()
    assert not organisation.sending_on
    assert Event.objects.get().kind == "sending_switched"


def test_a_tolerance_changes_who_is_chased_at_once(camille: Client, customer: Customer) -> None:
    make_invoice(customer, "F1", TODAY, cents=300)
    camille.post(URL + "exclusions/", typed("exclusions/", tolerance="1"))
    assert Outlook.objects.get().next_on is not None

    camille.post(URL + "exclusions/", typed("exclusions/", tolerance="5"))

    assert Outlook.objects.get().next_on is None


@pytest.mark.parametrize(
    ("part", "changes", "said"),
    [
        ("", {"name": "n" * 3000}, "au plus 120"),
        ("", {"name": ""}, "obligatoire"),
        ("", {"iban": "FR1420041010050500013M02607"}, "IBAN n’est pas valide"),
        ("", {"iban": "²" * 20}, "IBAN n’est pas valide"),
        ("", {"siren": "732829321"}, "SIREN n’est pas valable"),
        ("mails/", {"email_from": "pas une adresse"}, "valide"),
        ("mails/", {"email_from": "a@b.example\nBcc: c@d.example"}, "valide"),
        ("mails/", {"reply_to": "a@b.example, c@d.example"}, "valide"),
        ("horaires/", {"zone": "lune"}, "lune"),
        ("horaires/", {"send_at": "25:99"}, "heure valide"),
        ("horaires/", {"timezone": "Mars/Olympus"}, "fuseau horaire est inconnu"),
        ("horaires/", {"timezone": "../../etc/passwd"}, "fuseau horaire est inconnu"),
        ("exclusions/", {"tolerance": "-1"}, "supérieure ou égale à 0"),
        ("exclusions/", {"tolerance": "NaN"}, "nombre"),
        ("exclusions/", {"tolerance": "9" * 300}, "inférieure ou égale à"),
        ("exclusions/", {"by_hand_modes": ["coquillages"]}, "coquillages"),
    ],
)
def test_what_cannot_be_saved_is_refused_at_its_field(
    camille: Client, organisation: Organisation, part: str, changes: dict[str, Any], said: str
) -> None:
    answer = camille.post(URL + part, typed(part, **changes))

    assert answer.status_code == 200
    assert said in unescape(answer.content.decode())
    organisation.refresh_from_db()
    assert (organisation.name, organisation.tolerance_cents) == ("Ateliers Kerdoncuff", 0)
    assert not Event.objects.filter(kind="settings_saved").exists()


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

    for part in PARTS:
        assert client.get(URL + part).status_code == 403
        assert client.post(URL + part, typed(part)).status_code == 403
    assert URL not in client.get("/d/ateliers-kerdoncuff/plans/").content.decode()


def test_a_stranger_finds_no_settings(
    client: Client, stranger: User, organisation: Organisation
) -> None:
    client.force_login(stranger)

    for part in PARTS:
        assert client.get(URL + part).status_code == 404
        assert client.post(URL + part, typed(part)).status_code == 404
    organisation.refresh_from_db()
    assert organisation.name == "Ateliers Kerdoncuff"
