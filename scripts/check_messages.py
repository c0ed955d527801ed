"""The English catalogue is complete, or the build fails; with --write it is brought up to date.

French is the language of the sources. Every string that a person reads must be extracted (from
templates and code, and from the plain tables of the engine and the readers) and translated.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import polib

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "relance"
CATALOGUE = PACKAGE / "locale" / "en" / "LC_MESSAGES" / "django.po"
PLAIN_TABLES = "plain_tables_for_extraction.py"
HEADER = "English words of the interface; the French of the sources is the original."
METADATA = {
    "Language": "en",
    "MIME-Version": "1.0",
    "Content-Type": "text/plain; charset=UTF-8",
    "Content-Transfer-Encoding": "8bit",
    "Plural-Forms": "nplurals=2; plural=(n != 1);",
}

ESCAPE = re.compile(r"\\u([0-9a-f]{4})")
ALIAS = re.compile(r"\b(n?p?gettext(?:_lazy|_noop)?) as (?!_\b)(\w+)")
# `{{ client.nom }}` of the users' templates, `%(name)s`, `%s`, `{name}`.
PLACEHOLDER = re.compile(r"\{\{.*?\}\}|%\(\w+\)[a-z]|%[sd]|\{\w*\}")

# A plain space where French wants one at which no line breaks.
BREAKS = re.compile(r"(?<=[^\s\[({«]) (?=[:;?!»%€](?:\s|$|[.,)\u00a0\u202f…\"»]))|(?<=«) (?=\S)")

Key = tuple[str, str, str]


def plain_sentences() -> Iterator[str]:
    """Sentences of the pure rooms, which cannot call gettext themselves."""
    from relance.engine import plan_rules, wording
    from relance.formats import sentences

    for table in (
        wording.SENTENCES,
        wording.ADVICE,
        wording.CHANNELS,
        wording.MODES,
        plan_rules.SENTENCES,
    ):
        yield from table.values()
    yield from wording.MONTHS
    yield from (text for _severity, text in sentences.SENTENCES.values())


def legible(source: str) -> str:
    """Python source as xgettext understands it: no `\\u` escapes, no other name for gettext."""
    source = ESCAPE.sub(lambda found: chr(int(found[1], 16)), source)
    for function, alias in ALIAS.findall(source):
        source = re.sub(rf"\b{alias}\(", f"{function}(", source)
    return source


def extract(folder: Path) -> polib.POFile:
    """The catalogue as it would be if it were brought up to date; the sources stay as they are."""
    if not shutil.which("xgettext"):
        sys.exit("xgettext is missing: install the package gettext (apt-get install gettext)")
    copy = folder / "relance"
    shutil.copytree(
        PACKAGE,
        copy,
        ignore=shutil.ignore_patterns("__pycache__", "static", "engine", "formats", "migrations"),
    )
    (copy / CATALOGUE.parent.relative_to(PACKAGE)).mkdir(parents=True, exist_ok=True)
    for path in copy.rglob("*.py"):
        path.write_text(legible(path.read_text()))
    lines = ['_("{}")'.format(text.replace('"', r"\"")) for text in sorted(set(plain_sentences()))]
    (copy / PLAIN_TABLES).write_text("from gettext import gettext as _\n" + "\n".join(lines))
    command = [sys.executable, "-m", "django", "makemessages", "--locale=en", "--no-obsolete"]
    options = ["--no-location", "--no-wrap", "--verbosity=0"]
    subprocess.run([*command, *options], cwd=copy, check=True)
    return polib.pofile(str(copy / CATALOGUE.relative_to(PACKAGE)), wrapwidth=0)


def key(entry: polib.POEntry) -> Key:
    """What makes two entries the same: context, singular and plural."""
    return entry.msgctxt or "", entry.msgid, entry.msgid_plural


def shown(wanted: Key) -> str:
    """A key as it is told to a person."""
    return " | ".join(repr(part) for part in wanted if part)


def placeholders(text: str) -> Counter[str]:
    """What a caller fills in, and how many times."""
    return Counter(PLACEHOLDER.findall(text))


def edges(text: str) -> tuple[str, str]:
    """Spaces at both ends: they glue the string to its neighbours."""
    return text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]


def entry_faults(entry: polib.POEntry) -> Iterator[str]:
    """What is wrong with one entry of the catalogue, a line each."""
    if entry.obsolete:
        yield f"obsolete: {entry.msgid!r}"
        return
    if entry.fuzzy or not entry.translated():
        yield f"not translated: {entry.msgid!r}"
        return
    pairs = [(entry.msgid, entry.msgstr)]
    if entry.msgid_plural:
        pairs = [
            (entry.msgid if form == 0 else entry.msgid_plural, text)
            for form, text in sorted(entry.msgstr_plural.items())
        ]
    for french, english in pairs:
        if BREAKS.search(french):
            yield f"a plain space before a sign: {french!r}"
        if placeholders(french) != placeholders(english):
            yield f"other placeholders: {french!r} → {english!r}"
        if edges(french) != edges(english):
            yield f"other spaces at an end: {french!r} → {english!r}"


def faults(fresh: polib.POFile, stored: polib.POFile) -> Iterator[str]:
    """What keeps the stored catalogue from being complete, a line each."""
    known = {key(entry) for entry in stored if not entry.obsolete}
    wanted = {key(entry) for entry in fresh}
    for missing in sorted(wanted - known):
        yield f"not in the catalogue: {shown(missing)}"
    for extra in sorted(known - wanted):
        yield f"no longer used: {shown(extra)}"
    for entry in stored:
        yield from entry_faults(entry)
    compiled = CATALOGUE.with_suffix(".mo")
    if not compiled.exists() or compiled.read_bytes() != stored.to_binary():
        yield f"{compiled.name} is older than {CATALOGUE.name}"


def load() -> polib.POFile:
    """The catalogue of the repository, empty when there is none yet."""
    return polib.pofile(str(CATALOGUE), wrapwidth=0) if CATALOGUE.exists() else polib.POFile()


def write(fresh: polib.POFile) -> None:
    """Store `fresh`, with the translations it kept, and compile it."""
    fresh.header = HEADER
    fresh.metadata, fresh.metadata_is_fuzzy = METADATA, False
    for entry in fresh:
        # Comments of the extraction name lines that move with every change.
        entry.comment = ""
        if entry.fuzzy:  # a guess is worse than a hole
            entry.flags.remove("fuzzy")
            entry.msgstr, entry.msgstr_plural = "", dict.fromkeys(entry.msgstr_plural, "")
            entry.previous_msgid = entry.previous_msgid_plural = None
    CATALOGUE.parent.mkdir(parents=True, exist_ok=True)
    fresh.save(str(CATALOGUE))
    CATALOGUE.with_suffix(".mo").write_bytes(load().to_binary())


def main() -> int:
    """0 when the catalogue is complete (or was written), 1 with a line per fault."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = extract(Path(folder))
    if "--write" in sys.argv:
        write(fresh)
    stored = load()
    found = list(faults(fresh, stored))
    for line in found[:40]:
        print(line)
    print(f"{len(stored)} strings, {len(found)} faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
