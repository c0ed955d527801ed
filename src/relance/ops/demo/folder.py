"""The folder of a demonstration: whose it is, whether it is whole, and that one process has it."""

import contextlib
import fcntl
import json
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

MARK = "demo.json"
LOCK = "demo.lock"
OURS = ("relance.sqlite3", "relance.sqlite3-wal", "relance.sqlite3-shm", "secret_key", MARK)
FOLDERS = ("mails", "files", "static")


class FolderError(Exception):
    """Why this folder cannot be used, as a French sentence."""


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep the folder for this process; FolderError when another demonstration has it.

    A folder that holds something else is left alone: FolderError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    strangers = [one.name for one in folder.iterdir() if one.name not in (*OURS, *FOLDERS, LOCK)]
    if strangers or (_is_used(folder) and not (folder / MARK).exists()):
        raise FolderError(
            f"Le dossier {folder} contient autre chose qu’une démonstration. "
            "Choisissez-en un autre avec --data."
        )
    with (folder / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as taken:
            raise FolderError(
                f"Une démonstration tourne déjà dans {folder}. "
                "Arrêtez-la, ou choisissez un autre dossier avec --data."
            ) from taken
        yield


def _is_used(folder: Path) -> bool:
    return any((folder / name).exists() for name in (*OURS, *FOLDERS))


def built_on(folder: Path) -> date | None:
    """The day on which the demonstration was finished; None when it has to be built."""
    try:
        return date.fromisoformat(json.loads((folder / MARK).read_text())["built_on"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def begin(folder: Path) -> None:
    """Empty the folder of what a demonstration leaves there, and mark it as being built."""
    (folder / MARK).write_text(json.dumps({"built_on": None}))
    for name in OURS:
        if name != MARK:
            (folder / name).unlink(missing_ok=True)
    for name in FOLDERS:
        shutil.rmtree(folder / name, ignore_errors=True)


def finish(folder: Path, on: date) -> None:
    """Mark the demonstration as whole."""
    half = folder / f"{MARK}.half"
    half.write_text(json.dumps({"built_on": on.isoformat()}))
    half.rename(folder / MARK)
