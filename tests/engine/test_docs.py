"""docs/engine.md is a contract: its examples are run, and it names every reason."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from relance.engine.calendar import ZONES
from relance.engine.model import REASON_CODES
from relance.engine.receipts import RECEIPT_CODES
from relance.engine.replay import replay, replay_reasons
from relance.engine.replay_document import CUSTOMER_EVENTS, EITHER_EVENTS, INVOICE_EVENTS, read_date, read_document

from .scenario import Reader, Scenario, check

PAGE = (Path(__file__).parents[2] / "docs" / "engine.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("text", blocks("scenario"), ids=range(len(blocks("scenario"))))
def test_every_scenario_of_the_page_holds(text: str) -> None:
    reader = Reader("page")
    for line in text.splitlines():
        reader.read(line)
    check(Scenario("page", reader.document, reader.gives, reader.why))


def test_the_replay_example_of_the_page_prints_what_the_page_says() -> None:
    document = read_document(json.loads(blocks("json")[0]))
    assert "".join(f"{line}\n" for line in replay(document)) == blocks("output")[0]
    asked = re.search(r"--reasons ([0-9-]+)`", PAGE)
    assert asked is not None
    given = replay_reasons(document, read_date(asked[1], "page"))
    assert "".join(f"{line}\n" for line in given) == blocks("reasons")[0]


@pytest.mark.parametrize(
    "word", [*REASON_CODES, *RECEIPT_CODES, *ZONES, *sorted(CUSTOMER_EVENTS | INVOICE_EVENTS | EITHER_EVENTS)]
)
def test_every_code_zone_and_event_is_on_the_page(word: str) -> None:
    assert f"`{word}`" in PAGE


def test_every_module_of_the_engine_is_on_the_page() -> None:
    folder = Path(__file__).parents[2] / "src" / "relance" / "engine"
    modules = {path.name for path in folder.glob("*.py")} - {"__init__.py"}
    assert {name for name in modules if f"engine/{name}`" not in PAGE} == set()
