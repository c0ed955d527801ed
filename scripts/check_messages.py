"""The English catalogue is complete, or the build fails; with --write it is brought up to date.

French is the language of the sources. Every string that a person reads must be extracted (from
templates and code, and from the plain tables of the engine and the readers) and translated.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import polib

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "relance"
CATALOGUE = PACKAGE / "locale" / "en" / "LC_MESSAGES" / "django.po"
PLAIN_TABLES = PACKAGE / "plain_tables_for_extraction.py"


def plain_sentences() -> Iterator[str]:
    """Sentences of the pure rooms, which cannot call gettext themselves."""
    from relance.engine import plan_rules, wording
    from relance.formats import sentences

    for module in (wording, plan_rules, sentences):
        for name in dir(module):
            table = getattr(module, name)
            if name.isupper() and isinstance(table, dict):
                yield from (text for text in table.values() if isinstance(text, str) and text)


def extract(folder: Path) -> polib.POFile:
    """The catalogue as it would be if it were brought up to date; the sources stay as they are."""
    if not shutil.which("xgettext"):
        sys.exit("xgettext is missing: install the package gettext (apt-get install gettext)")
    copy = folder / "relance"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__", "static"))
    lines = [f"_({text!r})" for text in sorted(set(plain_sentences()))]
    (copy / PLAIN_TABLES.name).write_text("from gettext import gettext as _\n" + "\n".join(lines))
    subprocess.run(
        [
            sys.executable,
            "-m",
            "django",
            "makemessages",
            "--locale=en",
            "--no-obsolete",
            "--no-location",
            "--no-wrap",
            "--verbosity=0",
        ],
        cwd=copy,
        check=True,
    )
    return polib.pofile(str(copy / CATALOGUE.relative_to(PACKAGE)), wrapwidth=0)


def faults(fresh: polib.POFile, stored: polib.POFile) -> Iterator[str]:
    """What keeps the stored catalogue from being complete, a line each."""
    known = {entry.msgid for entry in stored if not entry.obsolete}
    wanted = {entry.msgid for entry in fresh}
    for msgid in sorted(wanted - known):
        yield f"not in the catalogue: {msgid!r}"
    for msgid in sorted(known - wanted):
        yield f"no longer used: {msgid!r}"
    for entry in stored:
        if entry.obsolete:
            yield f"obsolete: {entry.msgid!r}"
        elif entry.fuzzy or not entry.translated():
            yield f"not translated: {entry.msgid!r}"
    compiled = CATALOGUE.with_suffix(".mo")
    if not compiled.exists() or compiled.read_bytes() != stored.to_binary():
        yield f"{compiled.name} is older than {CATALOGUE.name}"


def main() -> int:
    """0 when the catalogue is complete (or was written), 1 with a line per fault."""
    CATALOGUE.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        fresh = extract(Path(folder))
    if "--write" in sys.argv:
        fresh.metadata = {
            "Content-Type": "text/plain; charset=UTF-8",
            "Language": "en",
            "Plural-Forms": "nplurals=2; plural=(n != 1);",
        }
        for entry in fresh:
            if entry.fuzzy:  # a guess is worse than a hole
                entry.flags.remove("fuzzy")
                entry.msgstr, entry.msgstr_plural = "", dict.fromkeys(entry.msgstr_plural, "")
        fresh.save(str(CATALOGUE))
        stored = polib.pofile(str(CATALOGUE), wrapwidth=0)
        CATALOGUE.with_suffix(".mo").write_bytes(stored.to_binary())
    stored = polib.pofile(str(CATALOGUE), wrapwidth=0) if CATALOGUE.exists() else polib.POFile()
    found = list(faults(fresh, stored))
    print("\n".join(found[:40]))
    print(f"{len(stored)} strings, {len(found)} faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
