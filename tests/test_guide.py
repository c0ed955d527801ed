"""The guide: every page is reached from its first one, and every picture is there and is shown."""

import re
import sys
from pathlib import Path

GUIDE = Path(__file__).resolve().parent.parent / "docs" / "guide"
SCRIPTS = GUIDE.parent.parent / "scripts"
PAGES = {page.name: page.read_text(encoding="utf-8") for page in GUIDE.glob("*.md")}
SHOWN = {name for text in PAGES.values() for name in re.findall(r"images/([\w-]+)\.png", text)}
KEPT = {picture.stem for picture in (GUIDE / "images").glob("*.png")}


def test_every_picture_of_the_guide_is_there_and_is_shown() -> None:
    assert len(SHOWN) > 40
    assert SHOWN == KEPT


def test_every_picture_of_the_guide_can_be_taken_again() -> None:
    """`make screenshots` takes each of them, by its name."""
    sys.path.insert(0, str(SCRIPTS))
    try:
        from exchange_shots import EXCHANGES  # type: ignore[import-not-found]
        from guide_shots import GUIDE as WAYS  # type: ignore[import-not-found]
    finally:
        sys.path.remove(str(SCRIPTS))
    taken = [shot.name for shot in (*WAYS, *EXCHANGES)]
    assert sorted(taken) == sorted(KEPT)


def test_every_page_of_the_guide_is_linked_from_its_first_page() -> None:
    others = set(PAGES) - {"README.md"}
    assert others == set(re.findall(r"\]\(([\w-]+\.md)\)", PAGES["README.md"]))


def test_every_link_between_pages_of_the_guide_leads_somewhere() -> None:
    led = [(page, to) for page, text in PAGES.items() for to in re.findall(r"\]\(([^)#:]+)", text)]
    assert [(page, to) for page, to in led if not (GUIDE / to).is_file()] == []


def test_the_guide_breaks_no_line_before_a_high_sign() -> None:
    """A no-break space stands before `: ; ! ?` and inside quotation marks."""
    plain = re.compile(r" [:;!?»](?:\s|$)|« ", re.MULTILINE)
    words = {name: re.sub(r"`[^`]*`", "", text) for name, text in PAGES.items()}
    assert {name: plain.findall(text) for name, text in words.items() if plain.search(text)} == {}
