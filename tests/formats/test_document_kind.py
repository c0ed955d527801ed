"""Only what is really a receipt is kept, whatever its name says."""

import io
import struct
import zipfile
import zlib

import pytest
from PIL import Image

from relance.formats.document_kind import DocumentKind, document_kind
from relance.formats.faults import Fault


def picture(kind: str) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (40, 30), "white").save(target, kind)
    return target.getvalue()


def swollen_png(side: int) -> bytes:
    """A PNG whose header tells of side × side pixels; some hundred bytes long."""
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)

    def chunk(name: bytes, data: bytes) -> bytes:
        body = name + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    data = zlib.compress(b"\0" * 1000)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


def archive() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as packed:
        packed.writestr("word/vbaProject.bin", "macro")
    return target.getvalue()


@pytest.mark.parametrize(
    ("raw", "extension"),
    [
        (b"%PDF-1.7\n...", "pdf"),
        (picture("JPEG"), "jpg"),
        (picture("PNG"), "png"),
        (picture("HEIF"), "heic"),
        (b'<?xml version="1.0"?><Invoice xmlns="urn:x"/>', "xml"),
    ],
)
def test_what_is_accepted_is_known_by_its_content(raw: bytes, extension: str) -> None:
    kind = document_kind(raw)
    assert isinstance(kind, DocumentKind)
    assert kind.extension == extension


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "empty_file"),
        (
            b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
            "document_kind",
        ),
        (b"<!DOCTYPE html><html><script>alert(1)</script></html>", "document_kind"),
        (b"<?xml version='1.0'?><!DOCTYPE x><Invoice/>", "document_kind"),
        (archive(), "document_kind"),
        (b"MZ\x90\x00" + b"\0" * 100, "document_kind"),
        (b"GIF89a" + b"\0" * 50, "document_kind"),
        (swollen_png(25_000), "image_too_large"),
        (b"x" * 20_000_001, "document_too_large"),
    ],
)
def test_what_is_none_or_is_made_to_harm_is_refused_with_a_sentence(raw: bytes, code: str) -> None:
    fault = document_kind(raw)
    assert isinstance(fault, Fault)
    assert fault.code == code
    assert fault.message.endswith(".")


def test_a_polyglot_is_judged_by_its_beginning() -> None:
    """A picture that is also a page: it is served as a picture, never as a page."""
    kind = document_kind(picture("JPEG") + b"<html><script>alert(1)</script>")
    assert isinstance(kind, DocumentKind)
    assert kind.mime == "image/jpeg"
