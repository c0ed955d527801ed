"""Paramètres, Courriers: the letterhead of the dossier, and the page to try an envelope with."""

import io
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from relance.accounts.models import Organisation, User
from relance.history.models import Event
from relance.ledger.models import Customer
from tests.conftest import make_invoice
from tests.outbox.pdf_words import pages_of, squeezed
from tests.web.record import D, days_ago
from tests.web.test_letters import ADDRESS, write_letter

URL = f"{D}/parametres/courriers/"


@pytest.fixture(autouse=True)
def _media(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


def a_logo(colour: str = "navy", kind: str = "PNG") -> SimpleUploadedFile:
    out = io.BytesIO()
    Image.new("RGB", (400, 120), colour).save(out, kind)
    return SimpleUploadedFile("logo.png", out.getvalue())


def save(client: Client, **data: object) -> str:
    fields = {"legal_form": "SAS au capital de 120 000 €", "letter_footer": "Tél. 02 98"}
    return unescape(client.post(URL, fields | data, follow=True).content.decode())


def test_logo_legal_form_and_footer_stand_on_the_letters_written_afterwards(
    camille: Client, owner: User, organisation: Organisation, customer: Customer
) -> None:
    for field, value in ADDRESS.items():
        setattr(customer, field, value)
    customer.save()

    assert "Paramètres enregistrés." in save(camille, picture=a_logo())

    organisation.refresh_from_db()
    assert organisation.logo.name.startswith(f"logos/{organisation.pk}/")
    told = Event.objects.get(kind="settings_saved").data
    assert set(told) == {"legal_form", "letter_footer", "logo"}
    customer.organisation = organisation
    letter = write_letter(customer, make_invoice(customer, "F1", days_ago(12)), owner)
    pdf = camille.get(f"{D}/courriers/{letter.pk}/pdf/").content
    [words] = pages_of(pdf)
    assert squeezed("SAS au capital de 120 000 €") in words
    assert squeezed("Tél. 02 98") in words
    assert b"/Image" in pdf


def test_a_letter_keeps_the_logo_it_was_written_with(
    camille: Client, owner: User, organisation: Organisation, customer: Customer
) -> None:
    save(camille, picture=a_logo("navy"))
    organisation.refresh_from_db()
    first = organisation.logo.name
    save(camille, picture=a_logo("darkred"))
    organisation.refresh_from_db()

    assert organisation.logo.name != first
    assert organisation.logo.storage.exists(first)
    save(camille, without="on")
    organisation.refresh_from_db()
    assert organisation.logo.name == ""


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ({"picture": SimpleUploadedFile("logo.png", b"<svg/>")}, "PNG ou JPEG"),
        ({"letter_footer": "a\nb\nc\nd"}, "Trois lignes au plus"),
        ({"legal_form": "x" * 121}, "120"),
    ],
)
def test_what_cannot_be_printed_is_refused_at_its_field(
    camille: Client, organisation: Organisation, data: dict[str, object], why: str
) -> None:
    text = save(camille, **data)

    assert why in text
    organisation.refresh_from_db()
    assert organisation.letter_footer == ""


def test_the_letterhead_is_seen_before_it_is_kept(
    camille: Client, organisation: Organisation
) -> None:
    said = camille.post(
        f"{URL}essai/",
        {"legal_form": "SAS Essai", "letter_footer": "Pied", "picture": a_logo()},
    )

    [words] = pages_of(said.content)
    assert said["Content-Type"] == "application/pdf"
    assert squeezed("SAS Essai") in words
    organisation.refresh_from_db()
    assert (organisation.legal_form, organisation.logo.name) == ("", "")
    wrong = camille.post(f"{URL}essai/", {"picture": SimpleUploadedFile("a.png", b"x")})
    assert wrong.status_code == 422


def test_the_page_shows_a_letter_as_a_picture_and_says_what_a_mise_en_demeure_lacks(
    camille: Client, organisation: Organisation
) -> None:
    Organisation.objects.update(siren="")

    text = unescape(camille.get(URL).content.decode())

    assert "Le SIREN de votre organisation n’est pas renseigné." in text
    assert "Page d’essai d’enveloppe" in text
    picture = camille.get(f"{URL}apercu.png")
    assert picture.content.startswith(b"\x89PNG")


def test_the_test_page_of_an_envelope_is_one_page_for_whoever_reads_the_dossier(
    client: Client, organisation: Organisation, colleague: User
) -> None:
    client.force_login(colleague)

    [words] = pages_of(client.get(f"{D}/courriers/page-essai/").content)

    assert squeezed("Page d’essai d’enveloppe") in words
    assert client.get(URL).status_code == 403
    assert client.post(f"{URL}essai/").status_code == 403


def test_a_stranger_sees_no_letterhead(
    client: Client, organisation: Organisation, stranger: User
) -> None:
    client.force_login(stranger)

    for url in (URL, f"{URL}apercu.png", f"{D}/courriers/page-essai/"):
        assert client.get(url).status_code == 404
