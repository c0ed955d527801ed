"""The webhook of a mail provider: a secret address, a mail taken in once, nothing else told."""

import json

import pytest
from django.test import Client
from django.urls import reverse

from relance.accounts.models import Organisation
from relance.outbox.inbound import care
from relance.outbox.inbound.addresses import own_address
from relance.outbox.models import Inbound, Inbox, Stray
from tests.conftest import NOW
from tests.outbox.mails import answer, with_file

DEED = care.Deed(None, NOW.date(), NOW)


@pytest.fixture
def token(organisation: Organisation) -> str:
    return care.open_webhook(organisation, deed=DEED)[1]


def post(token: str, raw: bytes, content_type: str = "message/rfc822", **more: object):
    client = Client(enforce_csrf_checks=True)
    return client.post(reverse("inbound_receive", args=[token]), raw, content_type, **more)


def test_a_mail_is_taken_in_and_known_the_second_time(
    token: str, organisation: Organisation
) -> None:
    raw = answer(sender="client@exemple.example")
    assert post(token, raw).json() == {"status": "taken"}
    assert post(token, raw).json() == {"status": "known"}
    kept = Inbound.objects.get()
    assert (kept.organisation, kept.sender) == (organisation, "client@exemple.example")
    assert kept.raw.read() == raw


@pytest.mark.parametrize("field", ["email", "body-mime"])
def test_a_form_with_the_mail_in_a_field_is_read(token: str, field: str) -> None:
    """As SendGrid (raw) and Mailgun send it."""
    raw = with_file(sender="client@exemple.example")
    client = Client(enforce_csrf_checks=True)
    done = client.post(
        reverse("inbound_receive", args=[token]), {field: raw.decode(), "to": "x@y.z"}
    )
    assert done.json() == {"status": "taken"}
    assert Inbound.objects.get().subject == "Pour vous"


def test_the_envelope_says_whose_mail_it_is(organisation: Organisation, settings) -> None:
    """The installation's webhook, behind a forwarding that hides the address in the headers."""
    settings.INBOUND_ADDRESS = "@in.relance.example"
    token = care.open_webhook(None, deed=DEED)[1]
    raw = answer(sender="nouveau@exemple.example").decode()
    client = Client()
    address = reverse("inbound_receive", args=[token])
    client.post(
        address, {"email": raw, "envelope": json.dumps({"to": [own_address(organisation)]})}
    )
    assert Inbound.objects.get().organisation == organisation
    client.post(address, {"email": raw.replace("answer-1", "answer-2"), "envelope": "{oops"})
    assert Stray.objects.count() == 1


def test_a_mail_larger_than_a_form_of_ours_is_taken(token: str) -> None:
    """Django's limit for forms does not hold for mails with their files."""
    raw = with_file(sender="client@exemple.example").replace(b"JVBERi0xLjQK", b"QUFB" * 2_000_000)
    assert post(token, raw).json() == {"status": "taken"}


def test_too_large_is_refused_without_being_kept(
    token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relance.api.inbound.MOST_BYTES", 1000)
    assert post(token, b"Subject: x\n\n" + b"a" * 1_002_000).status_code == 413
    assert not Inbound.objects.exists()


@pytest.mark.parametrize("body", [b"", b"no header at all"])
def test_what_is_no_mail_is_refused(token: str, body: bytes) -> None:
    assert post(token, body).status_code == 400


def test_a_wrong_or_old_token_opens_nothing(token: str, organisation: Organisation) -> None:
    """Only a digest is stored; a new address shuts the one of before."""
    assert post("nothing", answer()).status_code == 404
    assert token not in str(Inbox.objects.values())
    fresh = care.open_webhook(organisation, deed=DEED)[1]
    assert post(token, answer()).status_code == 404
    assert post(fresh, answer()).status_code == 200
    assert Client().get(reverse("inbound_receive", args=[fresh])).status_code == 405


def test_the_installations_webhook_gives_a_mail_of_nobody_to_no_dossier(
    organisation: Organisation,
) -> None:
    token = care.open_webhook(None, deed=DEED)[1]
    assert post(token, answer(sender="qui@nulle-part.example")).status_code == 200
    assert (Inbound.objects.count(), Stray.objects.count()) == (0, 1)
