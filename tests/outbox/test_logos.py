"""A logo is known by its content, and what is kept of it is a plain picture."""

import io
import struct
from pathlib import Path
from typing import Any
from zlib import crc32

import pikepdf
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image

from relance.ledger.models import Customer
from relance.outbox import diversion, print_runs, services
from relance.outbox.channels.letter.logos import BOX, LogoError, accepted
from relance.outbox.channels.postal.channel import letter_of
from relance.outbox.models import PostalAccount
from tests.outbox.conftest import NOW, make_draft
from tests.outbox.test_letters import a_letter


def picture(kind: str, size: tuple[int, int] = (400, 120), mode: str = "RGB") -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, "navy" if mode == "RGB" else 0).save(out, kind)
    return out.getvalue()


def header_of(width: int, height: int) -> bytes:
    """A PNG that only says how large it is."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    head = struct.pack(">I", 13) + chunk + struct.pack(">I", crc32(chunk))
    data = struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", crc32(b"IDAT"))
    return b"\x89PNG\r\n\x1a\n" + head + data


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_png_or_a_jpeg_becomes_a_plain_png_of_the_same_name_each_time(kind: str) -> None:
    one, two = accepted(picture(kind, (4000, 1200))), accepted(picture(kind, (4000, 1200)))

    kept = Image.open(io.BytesIO(one.content))
    assert (kept.format, kept.mode) == ("PNG", "RGB")
    assert kept.size[0] <= BOX[0]
    assert kept.size[1] <= BOX[1]
    assert one == two


def test_a_photograph_is_kept_as_a_jpeg_so_that_a_run_stays_light() -> None:
    out = io.BytesIO()
    Image.effect_noise((1100, 330), 60).save(out, "PNG")
    logo = accepted(out.getvalue())

    assert logo.name.endswith(".jpg")
    assert Image.open(io.BytesIO(logo.content)).format == "JPEG"
    assert len(logo.content) < len(out.getvalue())


def test_what_is_transparent_becomes_white() -> None:
    kept = Image.open(io.BytesIO(accepted(picture("PNG", mode="RGBA")).content))

    assert kept.getpixel((3, 3)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "PNG ou JPEG"),
        (
            b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
            "PNG",
        ),
        (b"%PDF-1.7", "PNG ou JPEG"),
        (picture("GIF"), "PNG ou JPEG"),
        (picture("PNG", (10, 10)), "trop petit"),
        (picture("PNG", (6000, 6000)), "trop de points"),
        (header_of(60_000, 60_000), "trop de points"),
        (picture("PNG")[:120], "abîmée"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "PNG ou JPEG"),
        (b"x" * 5_000_001, "5 Mo"),
    ],
)
def test_what_is_no_usable_picture_is_refused_with_its_reason(raw: bytes, why: str) -> None:
    with pytest.raises(LogoError, match=why):
        accepted(raw)


@pytest.mark.django_db
def test_whoever_posts_a_letter_its_logo_is_on_it(
    customer: Customer, settings: Any, tmp_path: Path
) -> None:
    """Printed here, by a provider, or as the PDF of a test: the same sheet."""
    settings.MEDIA_ROOT = tmp_path
    name = default_storage.save(f"logos/1/{'a' * 32}.png", ContentFile(picture("PNG")))
    organisation = customer.organisation
    organisation.test_to = "essai@martin.example"
    to = ["Pharmacie Delmas", "12 rue des Halles", "29000 QUIMPER"]
    draft = make_draft(
        customer, channel="letter", recipients=[], letter=a_letter() | {"to": to, "logo": name}
    )
    message = services.queue(drafts=[draft], now=NOW).messages[0]

    posted = letter_of(message, PostalAccount(organisation=organisation), at=NOW).pdf
    test = diversion.diverted(message, at=NOW)
    [sheet] = test.files.all()

    assert posted == print_runs.as_sent(message, now=NOW) == sheet.file.read()
    with pikepdf.open(io.BytesIO(posted)) as pdf:
        assert len(pdf.pages[0].get_images()) == 1
