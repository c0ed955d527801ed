"""relance inbox: the operator connects the installation's inbox and sees the mails of nobody."""

from collections.abc import Iterator
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from relance.accounts.models import Organisation
from relance.outbox.inbound import imap
from relance.outbox.inbound.care import webhook_of
from relance.outbox.inbound.intake import take_in
from relance.outbox.models import Inbox
from tests.conftest import NOW
from tests.outbox.imap_house import ImapHouse
from tests.outbox.mails import answer

pytestmark = pytest.mark.django_db


@pytest.fixture
def house(settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[ImapHouse]:
    settings.SMTP_PRIVATE_NETWORKS = True
    monkeypatch.setattr(imap, "_Tls", imap._Plain)
    house = ImapHouse()
    monkeypatch.setenv("RELANCE_INBOX_PASSWORD", house.password)
    yield house
    house.stop()


def said(**options: object) -> str:
    out = StringIO()
    call_command("inbox", stdout=out, **options)
    return out.getvalue()


def test_the_installations_inbox_is_connected_tried_and_removed(house: ImapHouse) -> None:
    told = said(add="retours@relance.example", host="127.0.0.1", port=house.port)
    inbox = Inbox.objects.get()
    assert inbox.organisation is None
    assert f"n° {inbox.pk} fonctionne" in told
    assert house.password not in told + inbox.secret
    assert "retours@relance.example sur 127.0.0.1, fonctionne" in said()
    house.password = "changed"
    with pytest.raises(CommandError, match="LOGIN_REFUSED"):
        said(test=inbox.pk)
    said(remove=inbox.pk)
    assert "retours@" not in said()
    with pytest.raises(CommandError, match="Aucune boîte"):
        said(test=inbox.pk)


def test_the_mails_of_nobody_are_listed(organisation: Organisation) -> None:
    take_in(answer(sender="qui@nulle-part.example"), inbox=None, organisation=None, now=NOW)
    assert "1 mails de personne" in said()
    assert "qui@nulle-part.example" in said()


def test_a_webhook_is_told_once(organisation: Organisation) -> None:
    token = said(webhook=True).split("/api/inbound/")[1].split("/")[0]
    inbox = webhook_of(token)
    assert inbox is not None
    assert inbox.organisation is None
    assert token not in said()


def test_the_inbox_of_a_dossier_is_not_the_operators(organisation: Organisation) -> None:
    inbox = Inbox.objects.create(organisation=organisation, address="a@b.example")
    with pytest.raises(CommandError):
        said(remove=inbox.pk)
