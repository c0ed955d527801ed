"""Documents of strangers: read apart, within bounds of memory and time, or refused by content."""

import io
import os
import stat
import struct
import sys
import zipfile
import zlib
from pathlib import Path

import pikepdf
import pytest
from django.test import Client
from PIL import Image

from relance.accounts.models import Organisation, User
from relance.bank import reading
from relance.bank.previews import apart, preview
from relance.bank.reading import read_document
from relance.formats.document_kind import DocumentKind, document_kind
from relance.formats.einvoice import MAX_XML
from relance.formats.faults import Fault
from relance.formats.tabular import open_table
from relance.formats.workbook import Column, Sheet, write_workbook
from tests.bank.test_documents import keep, pdf, photo, xml_invoice

TOLD = "Papeterie Morin le 05/10/2026 Total TTC 12,50 EUR"


def packed(name: str, content: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return target.getvalue()


def swollen_jpeg(side: int) -> bytes:
    """A JPEG whose header tells of side × side pixels; some hundred bytes long."""
    target = io.BytesIO()
    Image.new("L", (16, 16)).save(target, "JPEG")
    raw = target.getvalue()
    place = raw.index(b"\xff\xc0") + 5
    return raw[:place] + struct.pack(">HH", side, side) + raw[place + 4 :]


def swollen_heic(side: int) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (64, 64)).save(target, "HEIF")
    raw = target.getvalue()
    assert struct.pack(">II", 64, 64) in raw
    return raw.replace(struct.pack(">II", 64, 64), struct.pack(">II", side, side))


def with_inside(raw: bytes, **files: bytes) -> bytes:
    """A PDF that runs JavaScript when it opens, with files inside."""
    target = io.BytesIO()
    with pikepdf.open(io.BytesIO(raw)) as book:
        script = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS=pikepdf.String("app.alert(1)"))
        book.Root.OpenAction = script
        for name, content in files.items():
            book.attachments[name.replace("_", ".")] = content
        book.save(target)
    return target.getvalue()


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (swollen_jpeg(22_400), "image_too_large"),
        (swollen_heic(22_400), "image_too_large"),
        (packed("xl/vbaProject.bin", b"Sub Auto_Open()"), "document_kind"),
        (packed("x", b"0" * 5_000_000) + pdf(TOLD), "document_kind"),
        (b"PK\x03\x04" + b"%PDF-1.4", "document_kind"),
        (b"#!/bin/sh\nrm -rf /\n", "document_kind"),
    ],
)
def test_what_would_fill_memory_or_hides_something_is_refused(raw: bytes, code: str) -> None:
    """500 megapixels in a header, a workbook of macros, an archive that is a PDF further on."""
    fault = document_kind(raw)
    assert isinstance(fault, Fault)
    assert fault.code in (code, "document_damaged")


@pytest.mark.django_db
def test_a_pdf_with_an_archive_behind_it_is_a_pdf_and_leaves_as_an_attachment(
    client: Client, owner: User, organisation: Organisation
) -> None:
    client.force_login(owner)
    raw = pdf(TOLD) + packed("evil.js", b"alert(1)")
    document = keep(organisation, raw, "../../etc/cron.d/facture.zip")
    assert (document.mime, document.filename) == ("application/pdf", "facture.pdf")
    assert document.amount_cents == 1250
    answer = client.get(
        f"/d/{organisation.slug}/banque/justificatifs/{document.pk}/original/", follow=True
    )
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.django_db
def test_scripts_and_files_inside_a_pdf_stay_where_they_are(organisation: Organisation) -> None:
    """It is read and drawn; what a browser gets is a picture."""
    raw = with_inside(pdf(TOLD), evil_exe=b"MZ" * 1000, notes_js=b"alert(1)")
    document = keep(organisation, raw, "facture.pdf")
    assert document.amount_cents == 1250
    shown = preview(document)
    assert shown is not None
    assert shown.read_bytes().startswith(b"\x89PNG")


def test_an_electronic_invoice_inside_is_read_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """The web process opens no PDF itself."""
    raw = with_inside(pdf(TOLD), **{"factur-x_xml": xml_invoice("56.02", "2026-11-03", "Le Goff")})
    monkeypatch.setattr("pikepdf.open", None)
    said = read_document(raw, "application/pdf")
    assert (said.source, said.fields.amount, said.fields.supplier) == ("facturx", 5602, "Le Goff")


def test_a_bomb_in_the_place_of_the_electronic_invoice_is_not_inflated() -> None:
    """A gigabyte in a megabyte: the text of the page is read instead, in bounded time."""
    press = zlib.compressobj(9)
    bomb = b"".join(press.compress(b"\0" * 10_000_000) for _n in range(100)) + press.flush()
    book = pikepdf.open(io.BytesIO(pdf(TOLD)))
    stream = pikepdf.Stream(book, bomb)
    stream.Filter = pikepdf.Name.FlateDecode
    stream.Type = pikepdf.Name.EmbeddedFile
    names = pikepdf.Array(
        [
            pikepdf.String("factur-x.xml"),
            book.make_indirect(
                pikepdf.Dictionary(
                    Type=pikepdf.Name.Filespec,
                    F=pikepdf.String("factur-x.xml"),
                    UF=pikepdf.String("factur-x.xml"),
                    EF=pikepdf.Dictionary(F=stream),
                )
            ),
        ]
    )
    book.Root.Names = pikepdf.Dictionary(EmbeddedFiles=pikepdf.Dictionary(Names=names))
    target = io.BytesIO()
    book.save(target, compress_streams=False)
    assert len(target.getvalue()) < MAX_XML < 1_000_000_000
    said = read_document(target.getvalue(), "application/pdf")
    assert (said.source, said.fields.amount) == ("text", 1250)


def program(folder: Path, body: str) -> Path:
    """A tesseract of ours, in Python."""
    path = folder / "tesseract"
    path.write_text(f"#!{sys.executable}\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def _on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")


READS = """
import sys
head = sys.stdin.buffer.read(8)
print("Papeterie Morin", "05/10/2026", "Total TTC 12,50 EUR" if head[1:4] == b"PNG" else "?")
"""


@pytest.mark.usefixtures("_on_path")
@pytest.mark.parametrize("kind", ["photo", "heic", "scan"])
def test_a_picture_is_drawn_anew_before_it_is_read(tmp_path: Path, kind: str) -> None:
    """What tesseract gets is a PNG of ours, of a HEIC or of a scan without text too."""
    program(tmp_path, READS)
    target = io.BytesIO()
    Image.new("RGB", (40, 30)).save(target, "HEIF" if kind == "heic" else "PNG")
    raw, mime = target.getvalue(), "image/heic" if kind == "heic" else "image/png"
    if kind == "scan":
        raw, mime = pdf("x"), "application/pdf"
    assert isinstance(document_kind(raw), DocumentKind)
    said = read_document(raw, mime)
    assert (said.source, said.fields.amount) == ("ocr", 1250)


@pytest.mark.usefixtures("_on_path")
@pytest.mark.parametrize(
    "body", ["x = bytearray(3_000_000_000); print('a b c')", "raise SystemExit(1)"]
)
def test_a_reader_of_pictures_that_grows_or_fails_is_given_up(tmp_path: Path, body: str) -> None:
    program(tmp_path, body)
    assert read_document(photo(), "image/png").source == ""


@pytest.mark.usefixtures("_on_path")
def test_a_reader_of_pictures_that_lasts_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, "import time; time.sleep(60)")
    monkeypatch.setattr(reading, "OCR_SECONDS", 2)
    assert read_document(photo(), "image/png").source == ""


def test_what_the_other_process_tells_is_looked_at_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for told in (b"[]", b"{", b'{"amount": "x"}', None, b'{"amount": 1}'):
        monkeypatch.setattr(reading, "apart", lambda *_args, told=told: told)
        assert read_document(b"<Invoice/>", "application/xml") == reading.NOTHING


def test_a_workbook_with_macros_is_read_as_values_and_runs_nothing() -> None:
    """An answer that comes back as .xlsm: the archive holds a program that nobody calls."""
    target = io.BytesIO()
    write_workbook(target, [Sheet("Réponses", [Column("A"), Column("B")], [("1", "2")])])
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr("xl/vbaProject.bin", b"Sub Auto_Open()")
    table = open_table(target.getvalue(), "reponses.xlsm")
    assert not isinstance(table, Fault)
    assert [row.cells for row in table.rows() if not isinstance(row, Fault)] == [["1", "2"]]


def test_a_page_that_lasts_or_grows_gives_no_picture() -> None:
    """A page of a square kilometre is drawn small; a broken one not at all."""
    wide = pdf(TOLD).replace(b"[0 0 600 200]", b"[0 0 9000000 9000000]")
    drawn = apart(wide, "application/pdf", "0")
    assert drawn is None or drawn.startswith(b"\x89PNG")
    assert apart(b"%PDF-1.4", "application/pdf", "0") is None
    assert apart(swollen_jpeg(22_400), "image/jpeg", "0") is None
