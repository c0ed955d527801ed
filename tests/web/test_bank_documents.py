"""Justificatifs reçus: several at once, look-alikes, hostile files, never served as ours."""

import io
import shutil
import struct
import zipfile
import zlib

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from relance.accounts.models import Organisation, User
from relance.bank.models import Document, Link, Transaction
from tests.bank.test_documents import paper, photo, xml_invoice
from tests.conftest import TODAY
from tests.web.banking import movement

pytestmark = pytest.mark.django_db

PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 300]>>endobj\ntrailer<</Root 1 0 R>>"
)


def bring(client: Client, organisation: Organisation, *files: tuple[str, bytes]) -> str:
    sent = [SimpleUploadedFile(name, raw) for name, raw in files]
    url = f"/d/{organisation.slug}/banque/justificatifs/"
    answer = client.post(url, {"file": sent}, follow=True)
    assert answer.status_code == 200
    return answer.content.decode().replace("\u00a0", " ")


def test_several_documents_come_at_once_and_find_their_transaction(
    camille: Client, organisation: Organisation
) -> None:
    """S0-08: proposed, never decided."""
    row = movement(organisation, -5602, "CB PAPETERIE LE GOFF")
    invoice = xml_invoice("56.02", TODAY.isoformat(), "Papeterie Le Goff")
    text = bring(camille, organisation, ("f.xml", invoice), ("photo.png", photo()))
    assert "2 justificatifs reçus, 1 association proposée." in text
    row.refresh_from_db()
    assert row.missing == "potential"
    assert "Papeterie Le Goff" in text


def test_the_same_content_is_said_and_kept_once(
    camille: Client, organisation: Organisation
) -> None:
    bring(camille, organisation, ("a.png", photo()))
    assert "b.png est déjà là" in bring(camille, organisation, ("b.png", photo()))
    assert Document.objects.count() == 1


def test_two_scans_of_one_paper_are_recognised_and_one_can_go(
    camille: Client, organisation: Organisation
) -> None:
    raw = xml_invoice("56.02", TODAY.isoformat(), "Papeterie Le Goff")
    bring(camille, organisation, ("a.xml", raw))
    text = bring(camille, organisation, ("b.xml", raw + b"\n"))
    assert "b.xml ressemble à un justificatif déjà reçu" in text
    second = Document.objects.latest("pk")
    url = f"/d/{organisation.slug}/banque/justificatifs/{second.pk}/"
    assert "Doublon probable." in camille.get(url).content.decode()
    camille.post(f"{url}supprimer/")
    assert Document.objects.count() == 1


def zip_bomb() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/sheet.xml", b"0" * 1_000_000)
    return target.getvalue()


def huge_png() -> bytes:
    """The header of a picture of 400 million pixels."""
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    crc = struct.pack(">I", zlib.crc32(chunk))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(header)) + chunk + crc


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("page.html", b"<!doctype html><script>alert(1)</script>"),
        ("image.svg", b'<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>'),
        (
            "invoice.xml",
            b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><Invoice>&b;</Invoice>',
        ),
        ("tool.exe.png", b"MZ\x90\x00" + b"\x00" * 200),
        ("facture.zip", zip_bomb()),
        ("macro.docm", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600),
        ("huge.png", huge_png()),
        ("vide.pdf", b""),
        ("gros.pdf", b"%PDF-" + b"0" * 20_000_001),
    ],
)
def test_hostile_files_are_refused_with_their_sentence(
    camille: Client, organisation: Organisation, name: str, raw: bytes
) -> None:
    """The others of the same upload are kept."""
    text = bring(camille, organisation, (name, raw), ("bon.png", photo(3)))
    assert f"{name} : " in text
    assert [one.filename for one in Document.objects.all()] == ["bon.png"]


def test_the_original_is_saved_never_opened_as_ours(
    camille: Client, organisation: Organisation
) -> None:
    """A PDF that is also a page: attachment, no sniffing, a policy that allows nothing."""
    tricky = PDF + b"\n<script>alert(1)</script>"
    bring(camille, organisation, ('../../x"<b>.pdf', tricky))
    document = Document.objects.get()
    url = f"/d/{organisation.slug}/banque/justificatifs/{document.pk}"
    answer = camille.get(f"{url}/original/")
    assert b"".join(answer.streaming_content) == tricky  # type: ignore[attr-defined]
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(("name", "raw"), [("a.pdf", PDF), ("b.png", photo(80))])
def test_what_a_browser_shows_was_drawn_by_us(
    camille: Client, organisation: Organisation, name: str, raw: bytes
) -> None:
    bring(camille, organisation, (name, raw))
    document = Document.objects.get()
    answer = camille.get(f"/d/{organisation.slug}/banque/justificatifs/{document.pk}/apercu.png")
    drawn = b"".join(answer.streaming_content)  # type: ignore[attr-defined]
    assert answer.headers["Content-Type"] == "image/png"
    assert drawn != raw
    with Image.open(io.BytesIO(drawn)) as picture:
        assert picture.format == "PNG"
        assert max(picture.size) <= 1400


def test_a_broken_document_has_no_picture_and_its_page_still_opens(
    camille: Client, organisation: Organisation
) -> None:
    bring(camille, organisation, ("casse.pdf", b"%PDF-1.7 rien de bon"))
    document = Document.objects.get()
    url = f"/d/{organisation.slug}/banque/justificatifs/{document.pk}/"
    assert camille.get(f"{url}apercu.png").status_code == 404
    assert camille.get(url).status_code == 200


def test_what_a_document_says_is_corrected_and_then_matched(
    camille: Client, organisation: Organisation, owner: User
) -> None:
    row = movement(organisation, -34218, "METRO")
    document = paper(organisation, None, owner)
    url = f"/d/{organisation.slug}/banque/justificatifs/{document.pk}/"
    said = {
        "supplier": "Metro",
        "on": TODAY.isoformat(),
        "amount_cents": "342,18",
        "vat_cents": "57,03",
    }
    assert camille.post(url, said).status_code == 302
    document.refresh_from_db()
    assert (document.amount_cents, document.vat_cents, document.supplier) == (34218, 5703, "Metro")
    row.refresh_from_db()
    assert row.missing == "potential"
    wrong = camille.post(url, said | {"amount_cents": "abc"})
    assert "Écrivez un montant" in wrong.content.decode()


def test_a_document_in_use_cannot_be_removed(
    camille: Client, organisation: Organisation, owner: User
) -> None:
    row = movement(organisation, -1000)
    document = paper(organisation, 1000, owner)
    camille.post(f"/d/{organisation.slug}/banque/{row.pk}/associer/", {"justificatif": document.pk})
    url = f"/d/{organisation.slug}/banque/justificatifs/{document.pk}/supprimer/"
    assert "dissociez-le" in camille.post(url, follow=True).content.decode()
    assert Document.objects.exists()
    assert Link.objects.filter(confirmed=True).count() == Transaction.objects.count() == 1


def test_heic_photographs_are_taken(camille: Client, organisation: Organisation) -> None:
    target = io.BytesIO()
    Image.new("RGB", (40, 60), (200, 190, 180)).save(target, "HEIF")
    bring(camille, organisation, ("IMG_0001.HEIC", target.getvalue()))
    document = Document.objects.get()
    assert document.mime == "image/heic"
    url = f"/d/{organisation.slug}/banque/justificatifs/{document.pk}/apercu.png"
    assert camille.get(url).status_code == 200
    shutil.rmtree(document.file.storage.path("previews"), ignore_errors=True)


def test_the_page_says_to_which_address_documents_may_be_sent(
    camille: Client, organisation: Organisation, settings
) -> None:
    """Nothing is said where the installation receives no mail."""
    page = f"/d/{organisation.slug}/banque/justificatifs/"
    assert "Ou par e-mail" not in camille.get(page).content.decode()
    settings.INBOUND_ADDRESS = "collect@relance.example"
    text = camille.get(page).content.decode()
    organisation.refresh_from_db()
    assert f"mailto:collect+{organisation.inbound_key}@relance.example" in text
