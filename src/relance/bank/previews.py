"""Pictures of documents for the pages, drawn apart and kept on disk."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from django.conf import settings

from relance.bank.models import Document

SECONDS = 15
MOST_PAGES = 20
MOST_BYTES = 50_000_000
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def preview(document: Document, page: int = 0) -> Path | None:
    """The file of the PNG of a page (from 0); None when there is nothing to draw or it fails."""
    if document.mime == "application/xml" or not 0 <= page < MOST_PAGES:
        return None
    folder = Path(settings.MEDIA_ROOT) / "previews" / str(document.organisation_id)
    place = folder / f"{document.sha256}-{page}.png"
    if place.exists():
        return place
    picture = _drawn(document, page)
    if picture is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    handle, written = tempfile.mkstemp(dir=folder, suffix=".part")
    with os.fdopen(handle, "wb") as stream:
        stream.write(picture)
    os.replace(written, place)
    return place


def _drawn(document: Document, page: int) -> bytes | None:
    with document.file.open("rb") as stream:
        raw = stream.read()
    done = apart(raw, document.mime, str(page))
    return done if done is not None and done.startswith(SIGNATURE) else None


def apart(raw: bytes, mime: str, page: str, *, seconds: int = SECONDS) -> bytes | None:
    """What `render` makes of a document in a process of its own; None when it fails or lasts."""
    try:
        done = subprocess.run(  # noqa: S603 - our own module, the document on standard input
            [sys.executable, "-m", "relance.bank.render", mime, page],
            input=raw,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout[:MOST_BYTES] if done.returncode == 0 else None
