"""Users' templates: a fixed list of names, everything else refused, nothing ever evaluated."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance.dunning.wording import templating
from relance.dunning.wording.templating import Values, faults, render

VALUES = Values(
    {"client.nom": "Café <b>Ty</b> & fils", "montant": "1\u202f234,56\u00a0€"},
    {"tableau_factures": ("F-1  100,00 €", "<table><tr><td>F-1</td></tr></table>")},
)


def test_names_are_filled_and_escaped_in_html_only() -> None:
    done = render(
        "Pour {{ client.nom }}", "Bonjour {{client.nom}},\n\n{{ tableau_factures }}", VALUES
    )
    assert done.subject == "Pour Café <b>Ty</b> & fils"
    assert "Bonjour Café <b>Ty</b> & fils," in done.text
    assert "<p>Bonjour Café &lt;b&gt;Ty&lt;/b&gt; &amp; fils,</p>" in done.html
    assert "<td>F-1</td>" in done.html
    assert "F-1  100,00 €" in done.text


@pytest.mark.parametrize(
    ("source", "suggestion"),
    [
        ("{{ client.non }}", "client.nom"),
        ("{{ tableau_facture }}", "tableau_factures"),
        ("{{ montants }}", "montant"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_one(source: str, suggestion: str) -> None:
    """Bad input of the issue: refused when saved, with a suggestion."""
    [fault] = faults(source)
    assert fault.code == "UNKNOWN_VARIABLE"
    assert suggestion in fault.message


@pytest.mark.parametrize("source", ["{{ client.nom", "client }}", "{% for x in y %}", "{{ {{ a }}"])
def test_a_broken_tag_is_refused(source: str) -> None:
    assert faults(source)


@pytest.mark.parametrize(
    "source",
    ["{{ client.__class__ }}", "{{ ''.__class__.__mro__ }}", "{{ 7*7 }}", "{{ client|safe }}"],
)
def test_nothing_is_evaluated(source: str) -> None:
    assert [fault.code for fault in faults(source)] == ["UNKNOWN_VARIABLE"]
    assert "49" not in render("s", source, VALUES).text


def test_blocks_have_no_place_in_a_subject() -> None:
    assert faults("{{ tableau_factures }}", blocks_allowed=False)


def test_a_subject_keeps_its_no_break_spaces() -> None:
    assert render("{{ montant }}", "x", VALUES).subject == VALUES.names["montant"]


def test_a_subject_is_one_line() -> None:
    assert "\n" not in render("Bonjour\nBcc: x@y.example {{ montant }}", "x", VALUES).subject


def test_names_that_mean_nothing_before_the_due_date_are_told() -> None:
    assert templating.overdue_names("{{ retard }} jours, {{ montant }}") == ["retard"]


@given(st.text(max_size=400))
def test_any_text_is_judged_and_rendered_without_an_accident(source: str) -> None:
    faults(source)
    done = render(source, source, VALUES)
    assert "<script" not in done.html.lower()
