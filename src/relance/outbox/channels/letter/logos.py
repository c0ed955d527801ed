"""The logo of a letterhead: what an uploaded picture must be, and what is kept of it."""

import io
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any, NamedTuple

from django.core.files.storage import default_storage
from django.utils.translation import gettext as _
from PIL import Image, ImageOps

MOST_BYTES = 5_000_000
MOST_PIXELS = 25_000_000
LEAST_SIDE = 40
"""Pixels: below, it would be printed as a blur."""
BOX = (1100, 330)
"""Pixels of what is kept: 62 × 18 mm on paper at 450 dots to the inch."""


HEAVY = 80_000
"""Bytes of a PNG above which the picture is kept as a JPEG."""


def logos_of(letters: Iterable[Mapping[str, Any]]) -> dict[str, bytes]:
    """The pictures that letters ask for, by name; one that is gone leaves its place empty."""
    found = {}
    for name in {str(letter.get("logo", "")) for letter in letters} - {""}:
        if default_storage.exists(name):
            with default_storage.open(name) as file:
                found[name] = file.read()
    return found


class LogoError(Exception):
    """Why a picture is refused, as a French sentence."""


class Logo(NamedTuple):
    """A picture ready for print; the same picture always has the same name."""

    name: str
    content: bytes


def accepted(raw: bytes) -> Logo:
    """What is kept of an uploaded PNG or JPEG: turned upright, on white, without its metadata.

    The content decides what it is, never its name. Raises LogoError: no PNG or JPEG (an SVG may
    ask for other files), too heavy, too many pixels, too small, damaged.
    """
    if len(raw) > MOST_BYTES:
        raise LogoError(_("Ce logo pèse plus de 5 Mo. Enregistrez-le plus petit."))
    too_large = _("Ce logo a trop de points. Réduisez-le à 5 000 points de large.")
    try:
        picture = Image.open(io.BytesIO(raw), formats=["PNG", "JPEG"])
    except Image.DecompressionBombError as fault:
        raise LogoError(too_large) from fault
    except (OSError, SyntaxError, ValueError) as fault:
        raise LogoError(_("Un logo est une image PNG ou JPEG. Ce fichier n’en est pas une.")) from (
            fault
        )
    width, height = picture.size
    if width * height > MOST_PIXELS:
        raise LogoError(too_large)
    if min(width, height) < LEAST_SIDE:
        raise LogoError(
            _("Ce logo est trop petit\u00a0: il lui faut au moins 40 points de haut et de large.")
        )
    try:
        upright = ImageOps.exif_transpose(picture) or picture
        drawn = _on_white(upright)
    except (OSError, SyntaxError, ValueError) as fault:
        raise LogoError(_("Cette image est abîmée. Enregistrez-la de nouveau.")) from fault
    content, kind = _saved(drawn, "PNG", optimize=True), "png"
    if len(content) > HEAVY:  # a photograph: each letter of a run would carry it
        content, kind = _saved(drawn, "JPEG", quality=88), "jpg"
    return Logo(f"{sha256(content).hexdigest()[:32]}.{kind}", content)


def _saved(picture: Image.Image, kind: str, **how: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **how)
    return out.getvalue()


def _on_white(picture: Image.Image) -> Image.Image:
    """In RGB, without transparency, no larger than `BOX`."""
    picture.thumbnail(BOX)
    rgba = picture.convert("RGBA")
    sheet = Image.new("RGBA", rgba.size, "white")
    return Image.alpha_composite(sheet, rgba).convert("RGB")
