"""What an uploaded document really is, by its first bytes; its name and type are not trusted."""

import io
import re
from typing import NamedTuple

from PIL import Image, UnidentifiedImageError
from pillow_heif import register_heif_opener

from relance.formats.faults import Fault

register_heif_opener()

MAX_BYTES = 20_000_000
MAX_PIXELS = 60_000_000
"""A photograph of a telephone has 12 to 50 million; more is made to fill the memory."""
IMAGES = {"JPEG": "image/jpeg", "PNG": "image/png", "HEIF": "image/heic", "WEBP": "image/webp"}


class DocumentKind(NamedTuple):
    """``mime`` is one of ours; ``extension`` goes with it, without the dot."""

    mime: str
    extension: str


_XML_INVOICE = re.compile(rb"<[^>]{0,300}(?:CrossIndustryInvoice|Invoice|CreditNote)\b")


def document_kind(raw: bytes) -> DocumentKind | Fault:
    """The kind of a receipt: PDF, JPEG, PNG, HEIC, WEBP, or an electronic invoice in XML.

    Faults: ``empty_file``, ``document_too_large``, ``document_kind``, ``image_too_large``,
    ``document_damaged``. Scripts, pages, archives and office files are refused.
    """
    if not raw.strip():
        return Fault("empty_file")
    if len(raw) > MAX_BYTES:
        return Fault("document_too_large", facts={"size": len(raw), "limit": MAX_BYTES})
    if raw[:1024].lstrip().startswith(b"%PDF-"):
        return DocumentKind("application/pdf", "pdf")
    head = raw[:2000].lstrip(b"\xef\xbb\xbf \r\n\t")
    if head.startswith((b"<?xml", b"<")) and b"<!DOCTYPE" not in head and b"<svg" not in head:
        if _XML_INVOICE.search(head):
            return DocumentKind("application/xml", "xml")
        return Fault("document_kind")
    return _image(raw)


def _image(raw: bytes) -> DocumentKind | Fault:
    """Its kind and size are read from the header; nothing is decoded."""
    try:
        with Image.open(io.BytesIO(raw), formats=list(IMAGES)) as picture:
            width, height, kind = *picture.size, picture.format or ""
    except Image.DecompressionBombError:
        return Fault("image_too_large", facts={"limit": MAX_PIXELS})
    except UnidentifiedImageError:
        return Fault("document_kind")
    except Exception:  # the decoders raise many kinds on a broken header
        return Fault("document_damaged")
    if width * height > MAX_PIXELS:
        return Fault("image_too_large", facts={"limit": MAX_PIXELS})
    mime = IMAGES[kind]
    return DocumentKind(mime, mime.rpartition("/")[2].replace("jpeg", "jpg"))
