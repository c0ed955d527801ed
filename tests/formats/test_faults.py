"""Every fault is a French sentence that needs no code to be understood."""

import re
from pathlib import Path

import pytest

from relance import formats
from relance.formats.faults import SHOWN, Fault, euros, shown
from relance.formats.sentences import SENTENCES


@pytest.mark.parametrize("code", sorted(SENTENCES))
def test_a_sentence_is_typeset_in_french_and_ends(code: str) -> None:
    severity, sentence = SENTENCES[code]
    assert severity in {"file", "refused", "unchanged", "skipped", "remark"}
    assert sentence.endswith((".", "…"))
    assert not re.search(r" [:;!?%»]|« |'", sentence)


def test_readers_use_every_sentence_and_no_other() -> None:
    folder = Path(formats.__file__).parent
    sources = "".join(
        path.read_text() for path in folder.rglob("*.py") if path.name != "sentences.py"
    )
    used = set(re.findall(r'"([a-z_]+)"', sources))
    assert set(SENTENCES) - used - {"country_unknown", "regime_unknown"} == set()
    named = set(re.findall(r'(?:Fault|\bfault)\(\s*"([a-z_]+)"', sources))
    assert named - set(SENTENCES) == set()


def test_place_comes_before_the_sentence() -> None:
    fault = Fault("bad_amount", facts={"value": "abc"})
    assert fault.message.startswith("«\u00a0abc\u00a0» n’est pas")
    assert fault.at(12, "Total").message.startswith("Ligne\u00a012, colonne «\u00a0Total\u00a0»")


def test_a_value_is_shown_on_one_line_and_cut() -> None:
    assert shown("a\nb\x00c\u202e") == "a b\ufffdc\ufffd"
    assert len(shown("x" * 5000)) == SHOWN


def test_braces_in_a_value_are_only_text() -> None:
    assert "{line}" in Fault("bad_date", facts={"value": "{line}"}).message


def test_cents_are_written_in_french() -> None:
    assert euros(-123456) == "−1\u202f234,56"
    assert euros(5) == "0,05"


def test_facts_are_written_after_their_names() -> None:
    facts = {"due_on": "2026-03-01", "issue_on": "2026-03-31"}
    assert "01/03/2026" in Fault("due_before_issue", facts=facts).message
    facts_money = {"left_cents": 123456, "total_cents": 100}
    assert "1\u202f234,56" in Fault("left_exceeds_total", facts=facts_money).message
