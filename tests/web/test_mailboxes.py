"""Connecting a mailbox, as an administrator, as oneself, as somebody who may not."""

from collections.abc import Callable, Iterator
from html import unescape
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from relance.accounts.models import DunningRole, Membership, Organisation, User
from relance.outbox import mailboxes
from relance.outbox.models import Mailbox
from tests.outbox.post_office import PostOffice
from tests.web.morning import url

BASE = "/d/ateliers-kerdoncuff/"
NEW = BASE + "parametres/mails/boites/nouvelle/"
OWN = BASE + "preferences/boite/"


@pytest.fixture
def office(settings: Any) -> Iterator[PostOffice]:
    cache.clear()
    settings.SMTP_PRIVATE_NETWORKS = True
    settings.EMAIL_TIMEOUT = 2
    office = PostOffice(login="compta", password="s3cret", senders=("compta@kerdoncuff.example",))
    yield office
    office.stop()


def typed(office: PostOffice | None = None, **changes: Any) -> dict[str, Any]:
    return {
        "address": "compta@kerdoncuff.example",
        "name": "Comptabilité",
        "host": "127.0.0.1",
        "port": office.port if office else 587,
        "security": "none" if office else "starttls",
        "username": "compta",
        "password": "s3cret",
    } | changes


@pytest.fixture
def connect(camille: Client, office: PostOffice) -> Callable[..., Mailbox]:
    def connect(where: str = NEW, **changes: Any) -> Mailbox:
        answer = camille.post(where, typed(office, **changes))
        assert answer.status_code == 302, unescape(answer.content.decode())
        return Mailbox.objects.latest("pk")

    return connect


def said(answer: Any) -> str:
    return unescape(answer.content.decode())


def test_an_administrator_connects_tries_and_chooses_the_mailbox_of_the_company(
    camille: Client,
    organisation: Organisation,
    owner: User,
    office: PostOffice,
    connect: Callable[..., Mailbox],
) -> None:
    """S4-04, S4-05: nothing leaves from it before it has worked."""
    box = connect()
    assert "s3cret" not in box.secret
    assert mailboxes.automatic_sender(organisation).mailbox is None
    camille.post(url("mailbox_default", organisation, box.pk))
    assert "Testez d’abord cette boîte" in said(
        camille.get(url("mailbox_detail", organisation, box.pk))
    )

    page = said(camille.post(url("mailbox_test", organisation, box.pk)))

    for words in ("Tout fonctionne", "répond sur le port", "mot de passe sont acceptés"):
        assert words in page
    assert office.mails == []
    camille.post(url("mailbox_default", organisation, box.pk))
    assert mailboxes.automatic_sender(organisation).mailbox == box
    listed = said(camille.get(BASE + "parametres/mails/"))
    assert "compta@kerdoncuff.example (boîte de l’entreprise)" in listed


def test_a_trial_can_send_a_message_to_oneself(
    camille: Client,
    organisation: Organisation,
    owner: User,
    office: PostOffice,
    connect: Callable[..., Mailbox],
) -> None:
    box = connect()
    page = said(camille.post(url("mailbox_test", organisation, box.pk), {"envoyer": "1"}))
    assert "Le message d’essai est parti" in page
    [mail] = office.mails
    assert (mail["From"], mail["To"]) == ("Comptabilité <compta@kerdoncuff.example>", owner.email)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"password": "faux"}, "L’identifiant ou le mot de passe est refusé"),
        ({"host": "nulle-part.invalid"}, "introuvable"),
        ({"security": "starttls"}, "ne propose pas STARTTLS"),
        ({"security": "tls"}, "ne commence pas par TLS"),
        ({"address": "autre@kerdoncuff.example"}, "pas le droit d’envoyer au nom"),
    ],
)
def test_what_does_not_work_is_said_in_a_sentence_and_kept(
    camille: Client,
    organisation: Organisation,
    connect: Callable[..., Mailbox],
    changes: dict[str, Any],
    words: str,
) -> None:
    box = connect(**changes)
    assert words in said(camille.post(url("mailbox_test", organisation, box.pk)))
    assert words in said(camille.get(url("mailbox_detail", organisation, box.pk)))
    assert words in said(camille.get(BASE + "parametres/mails/"))


def test_the_public_installation_connects_to_no_neighbour(
    camille: Client, organisation: Organisation, settings: Any
) -> None:
    cache.clear()
    settings.SMTP_PRIVATE_NETWORKS = False
    for number, host in enumerate(("169.254.169.254", "localhost", "10.0.0.1")):
        answer = camille.post(NEW, typed(host=host, address=f"c{number}@kerdoncuff.example"))
        assert answer.status_code == 302
        box = Mailbox.objects.latest("pk")
        page = said(camille.post(url("mailbox_test", organisation, box.pk)))
        assert "pas sur le réseau public" in page


def test_a_password_is_never_shown_again(
    camille: Client, organisation: Organisation, connect: Callable[..., Mailbox]
) -> None:
    box = connect()
    where = url("mailbox_detail", organisation, box.pk)
    page = said(camille.get(where))
    assert "s3cret" not in page
    assert box.secret not in page
    answer = camille.post(where, typed(host="evil.example", port=587, password=""))
    assert "tapez de nouveau le mot de passe" in said(answer)
    box.refresh_from_db()
    assert box.host == "127.0.0.1"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"host": "https://smtp.example/"}, "seulement le nom du serveur"),
        ({"host": ""}, "obligatoire"),
        ({"port": "0"}, "65535"),
        ({"port": "99999"}, "65535"),
        ({"port": "x"}, "entier"),
        ({"address": "a@b.example\r\nBcc: c@d.example"}, "valide"),
        ({"security": "rot13"}, "rot13"),
        ({"security": "none"}, "à découvert"),
        ({"password": "motdepassé"}, "accentué"),
    ],
)
def test_what_cannot_be_connected_is_refused_at_its_field(
    camille: Client, changes: dict[str, Any], words: str
) -> None:
    answer = camille.post(NEW, typed(**changes))
    assert words in said(answer)
    assert not Mailbox.objects.exists()


def test_an_account_manager_connects_his_own_and_sends_from_it(
    camille: Client,
    organisation: Organisation,
    owner: User,
    office: PostOffice,
    connect: Callable[..., Mailbox],
) -> None:
    """S2-22: the administrator of the dossier does not even see it."""
    Membership.objects.update(dunning_role=DunningRole.ACCOUNT_MANAGER)
    assert f'value="{owner.email}"' in said(camille.get(OWN))
    box = connect(OWN)
    camille.post(url("mailbox_test", organisation, box.pk))
    first = mailboxes.senders(organisation, owner)[0]
    assert (first.mailbox, first.own) == (box, True)
    assert camille.get(OWN).status_code == 302, "one each"

    admin = User.objects.create_user("chef@kerdoncuff.example")
    Membership.objects.create(organisation=organisation, user=admin, dunning_role=DunningRole.ADMIN)
    other = Client()
    other.force_login(admin)
    for name in ("mailbox_detail", "mailbox_test", "mailbox_remove"):
        assert other.post(url(name, organisation, box.pk)).status_code == 404
    assert camille.get(NEW).status_code == 403


def test_a_removed_mailbox_is_forgotten(
    camille: Client, organisation: Organisation, connect: Callable[..., Mailbox]
) -> None:
    box = connect()
    answer = camille.post(url("mailbox_remove", organisation, box.pk), follow=True)
    assert "mot de passe oublié" in said(answer)
    box.refresh_from_db()
    assert box.secret == ""
    assert camille.get(url("mailbox_detail", organisation, box.pk)).status_code == 404
    assert connect().pk != box.pk


def test_the_same_address_is_connected_once(
    camille: Client, office: PostOffice, connect: Callable[..., Mailbox]
) -> None:
    connect()
    answer = camille.post(NEW, typed(office, address="Compta@kerdoncuff.example"))
    assert "déjà connectée" in said(answer)


def test_a_reader_and_a_stranger_connect_nothing(
    client: Client,
    colleague: User,
    stranger: User,
    organisation: Organisation,
    office: PostOffice,
    connect: Callable[..., Mailbox],
) -> None:
    box = connect()
    for user, expected in ((colleague, 403), (stranger, 404)):
        other = Client()
        other.force_login(user)
        for where in (NEW, OWN, url("mailbox_detail", organisation, box.pk)):
            assert other.post(where, typed(office)).status_code == expected
        for name in ("mailbox_test", "mailbox_default", "mailbox_remove"):
            assert other.post(url(name, organisation, box.pk)).status_code == expected
    assert Mailbox.objects.count() == 1
    assert office.mails == []
