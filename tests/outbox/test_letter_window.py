"""The address shows in the window of DL and C5 envelopes however the sheet slides (C2)."""

import io
import itertools
from typing import Any

import pikepdf
import pytest
from PIL import Image

from relance.formats.postal_address import WIDTH
from relance.outbox.channels import letter as paper
from tests.outbox.conftest import NOW
from tests.outbox.pdf_words import Placed, placed
from tests.outbox.test_letters import a_letter

SEEN = (100.0, 55.0, 190.0, 79.0)
"""Left, top, right, bottom in mm: what both envelopes show in every position of the sheet."""
KEPT_FREE = (95.0, 45.0, 205.0, 95.0)
LONGEST = ["É" + "W" * (WIDTH - 1)] * 3 + ["W" * WIDTH] * 3
TYPICAL = [
    "Établissements Kerdoncuff et Associés",
    "Mme Hélène Bréhier-Montclair-Kerguelen",
    "Bâtiment C, résidence des Magnolias",
    "1250 BD GEORGES CLEMENCEAU DE LATTRE 1",
    "BP 12345 ZONE INDUSTRIELLE DES PLAINES",
    "42000 SAINT ETIENNE DU ROUVRAY CEDEX 9",
]
LOGO = f"logos/1/{'b8d961a0' * 4}.png"
SENDER = {
    "from": [
        "Ateliers Kerdoncuff et Compagnie de la Cornouaille maritime",
        *["quai de l’Odet"] * 9,
    ],
    "legal": ["Société par actions simplifiée au capital de 1 200 000 €, RCS Quimper 552 100 554"],
    "logo": LOGO,
    "registered": "Lettre recommandée avec avis de réception",
    "references": [["V/Réf.", "C0042"], ["N/Réf.", "118"]],
    "enclosures": ["F-1"],
    "enclosures_label": "PJ",
    "footer": "SAS au capital de 120 000 €",
}


def a_logo() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (300, 90), "navy").save(out, "PNG")
    return out.getvalue()


def inside(word: Placed, box: tuple[float, float, float, float]) -> bool:
    left, top, right, bottom = box
    return word.left >= left and word.right <= right and word.top >= top and word.bottom <= bottom


def touches(word: Placed, box: tuple[float, float, float, float]) -> bool:
    left, top, right, bottom = box
    return word.left < right and word.right > left and word.top < bottom and word.bottom > top


def check(page: list[Placed], to: list[str]) -> None:
    """All that stands in the kept zone is the address, and the whole of it can be seen."""
    there = [word for word in page if touches(word, KEPT_FREE)]
    assert " ".join(word.text for word in there).split() == " ".join(to).split()
    assert all(inside(word, SEEN) for word in there), [w for w in there if not inside(w, SEEN)]


@pytest.mark.parametrize(
    "to",
    [
        ["Delmas", "1 RUE", "29000 QUIMPER"],
        TYPICAL,
        LONGEST,
        [*TYPICAL, "ROYAUME-UNI"],
        [*LONGEST, "PAPOUASIE-NOUVELLE-GUINEE"],
    ],
)
@pytest.mark.parametrize("sender", [{}, SENDER])
def test_the_address_and_nothing_else_stands_in_the_window(
    to: list[str], sender: dict[str, Any]
) -> None:
    letter = a_letter(**(sender | {"to": to}))
    printed = paper.render([letter], at=NOW, logos={LOGO: a_logo()})

    [page] = placed(printed.pdf)
    check(page, to)
    first = next(word for word in page if touches(word, KEPT_FREE))
    assert first.left == pytest.approx(110, abs=0.6)
    assert first.top == pytest.approx(57, abs=1.1)  # an accent rises above the capital


def test_six_lines_stand_at_most_3_7_mm_apart() -> None:
    [page] = placed(paper.render([a_letter(to=["NOM"] * 6)], at=NOW).pdf)

    tops = [word.top for word in page if touches(word, KEPT_FREE)]
    assert tops[0] == pytest.approx(57, abs=0.2)
    assert all(b - a <= 3.71 for a, b in itertools.pairwise(tops))


def test_the_words_of_a_letter_stay_between_its_margins() -> None:
    """C2: 20 mm at the sides; page 2 begins at 38 mm under its running head."""
    letter = a_letter(rows=60, **(SENDER | {"to": TYPICAL}))
    first, second = placed(paper.render([letter], at=NOW, logos={LOGO: a_logo()}).pdf)

    for page in (first, second):
        assert min(word.left for word in page) >= 19.9
        assert max(word.right for word in page) <= 190.5
        assert max(word.bottom for word in page) <= 290
    head = [word.text for word in second if word.top < 36]
    assert {"Ateliers", "Établissements", "2/2"} <= set(head)
    assert not any(36 < word.top < 37.5 for word in second)


@pytest.mark.long
def test_a_whole_run_of_a_thousand_letters_is_looked_at() -> None:
    """Each of them, read back from the PDF: address in the window, its own and nobody else's."""
    letters = []
    for number in range(1_000):
        to = [f"Client {number}", *TYPICAL[1 : 1 + number % 5], "42000 SAINT ETIENNE"]
        letters.append(a_letter(rows=1 + number % 40, **(SENDER | {"to": to})))
    printed = paper.render(letters, at=NOW, logos={LOGO: a_logo()})

    pages = list(placed(printed.pdf))
    assert len(pages) == printed.pages
    for letter, start in zip(letters, printed.starts, strict=True):
        check(pages[start], letter["to"])


def test_a_run_and_each_of_its_letters_are_pdf_a() -> None:
    """ISO 19005-2: identified in the XMP, one output intent, every font embedded, ids once."""
    letters = [a_letter(rows=n % 60, name=f"Client {n}") for n in range(250)]
    run = paper.render(letters, at=NOW)

    for pdf in (run.pdf, paper.extract(run.pdf, 0, 1), paper.extract(run.pdf, 180, 2)):
        with pikepdf.open(io.BytesIO(pdf)) as document:
            assert document.open_metadata().pdfa_status == "2B"
            [intent] = document.Root.OutputIntents
            assert intent.S == "/GTS_PDFA1"
            assert intent.DestOutputProfile.read_bytes()
            assert document.trailer.ID
            assert "/Encrypt" not in document.trailer
            assert document.check_pdf_syntax() == []
            assert fonts_of(document)
            assert all(font_is_embedded(font) for font in fonts_of(document))
            forbidden = {"/AA", "/OpenAction", "/JavaScript", "/EmbeddedFiles"}
            assert not forbidden & set(document.Root.keys())


def fonts_of(document: pikepdf.Pdf) -> list[pikepdf.Object]:
    return [
        font for page in document.pages for font in dict(page.resources.get("/Font", {})).values()
    ]


def font_is_embedded(font: pikepdf.Object) -> bool:
    [below] = font.DescendantFonts
    return any(f"/FontFile{kind}" in below.FontDescriptor for kind in ("", 2, 3))


@pytest.mark.parametrize("words", ["日本商事", "Été 😀", "\u0000\u0085x", "ﷺ", "e\u0301\u20dd"])
def test_what_no_font_draws_is_seen_to_be_missing_and_stops_no_print(words: str) -> None:
    """One name in another script must not keep a run of others from the printer."""
    printed = paper.render([a_letter(name="Delmas"), a_letter(name=f"A {words}")], at=NOW)

    one, two = placed(printed.pdf)
    assert "Delmas" in [word.text for word in one]
    assert "A" in [word.text for word in two]
