"""The zip that is being written: each file by pieces, with its digest, under a path of its own."""

import hashlib
import io
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, BinaryIO, NamedTuple

from relance.dunning.recovery.names import Names

PIECE = 256 * 1024
"""Bytes read and written at a time."""
PACKED = (".pdf", ".zip", ".xlsx", ".png", ".jpg", ".jpeg")
"""Compressed already: stored as they are."""


class Entry(NamedTuple):
    """A file of the zip: its path, its bytes, its digest, and in words what it is."""

    path: str
    size: int
    sha256: str
    what: str


class Pack:
    """Writes into `target`, every file dated `at` (local). `entries` are those written so far."""

    def __init__(self, target: BinaryIO, *, at: datetime) -> None:
        self._zip = zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, allowZip64=True)
        self._at = at.timetuple()[:6]
        self._names = Names()
        self.entries: list[Entry] = []

    def add(self, folder: str, name: str, content: bytes | Iterable[bytes], what: str) -> Entry:
        """Write one file; `name` is safe already, and numbered when it is taken."""
        path = self._names.free(folder, name)
        info = zipfile.ZipInfo(path, self._at)
        info.external_attr = 0o644 << 16
        packed = path.lower().endswith(PACKED)
        info.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
        digest, size = hashlib.sha256(), 0
        with self._zip.open(info, "w", force_zip64=True) as file:
            for piece in [content] if isinstance(content, bytes) else content:
                file.write(piece)
                digest.update(piece)
                size += len(piece)
        entry = Entry(path, size, digest.hexdigest(), what)
        self.entries.append(entry)
        return entry

    def close(self) -> None:
        """Write the directory of the zip; nothing can be added afterwards."""
        self._zip.close()


def pieces(file: Any) -> Iterator[bytes]:
    """An open file, `PIECE` bytes at a time."""
    while piece := file.read(PIECE):
        yield piece


def stored(field: Any) -> Iterator[bytes] | None:
    """The pieces of a stored file; None when there is none, or it is not on the disk any more."""
    if not field:
        return None
    try:
        opened = field.storage.open(field.name, "rb")
    except (OSError, ValueError):
        return None

    def read() -> Iterator[bytes]:
        with opened:
            yield from pieces(opened)

    return read()


def spooled(write: Any) -> Iterator[bytes]:
    """What `write(file)` writes, kept on the disk meanwhile when it is large."""
    with tempfile.SpooledTemporaryFile(max_size=4 * 1024 * 1024) as file:
        write(file)
        file.seek(0, io.SEEK_SET)
        yield from pieces(file)
