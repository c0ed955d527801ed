"""The habits of the house, held by checks whose messages say what to do instead."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "relance"
SOURCES = sorted(
    path
    for folder in (PACKAGE, ROOT / "tests", ROOT / "scripts")
    for path in folder.rglob("*.py")
    if "migrations" not in path.parts
)
ROOMS = sorted(path for path in SOURCES if path.is_relative_to(PACKAGE))
CLOCK = PACKAGE / "accounts" / "clock.py"


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_files_and_functions_are_short(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= 500, f"{name_of(path)} has {lines} lines: split it while it is easy"
    for one in functions(path):
        size = (one.end_lineno or one.lineno) - one.lineno + 1
        assert size <= 60, f"{name_of(path)}: {one.name} has {size} lines: name its parts"


@pytest.mark.parametrize("path", ROOMS, ids=name_of)
def test_only_one_place_reads_the_clock(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    found = re.search(r"\b(?:datetime\.now|date\.today|timezone\.now|datetime\.utcnow)\(", text)
    assert found is None or path == CLOCK, (
        f"{name_of(path)} reads the time ({found.group() if found else ''}): take `on` or `now` "
        "as an argument; only accounts.clock reads it"
    )


@pytest.mark.parametrize("path", ROOMS, ids=name_of)
def test_models_stay_thin(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"django\.(?:db\.models|dispatch)[\w.]* import .*\bsignals?\b", text)
    assert "@receiver(" not in text, f"{name_of(path)}: no signals; call a service"
    if path.name == "models.py":
        saves = [one.name for one in functions(path) if one.name == "save"]
        assert not saves, f"{name_of(path)}: no save() overrides; write a verb in services"


def documented(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def test_every_reason_code_is_in_the_documentation() -> None:
    from relance.engine.model import REASON_CODES

    page = documented("docs/engine.md")
    assert [code for code in REASON_CODES if code not in page] == []


def test_every_setting_is_in_the_documentation() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in ROOMS)
    names = sorted(set(re.findall(r"[\"'](RELANCE_[A-Z_]+)[\"']", text)))
    page = documented("docs/settings.md")
    assert names
    assert [name for name in names if f"`{name}`" not in page] == []


def test_every_command_is_in_the_readme() -> None:
    folder = PACKAGE / "ops" / "management" / "commands"
    names = [path.stem for path in folder.glob("*.py") if path.stem != "__init__"]
    page = documented("README.md")
    assert [name for name in names if f"`relance {name}" not in page] == []
