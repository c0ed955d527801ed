"""Every reason has a sentence and an advice in plain French; every plan fault too."""

from __future__ import annotations

from datetime import date

import pytest
from relance.engine.decide import decide
from relance.engine.model import REASON_CODES, Case, Entry, Invoice, Plan, Reason, Rules, Step
from relance.engine.plan_rules import SENTENCES as FAULT_SENTENCES
from relance.engine.plan_rules import fault_sentence, validate_plan
from relance.engine.receipts import RECEIPT_CODES
from relance.engine.wording import (
    ADVICE,
    SENTENCES,
    action_reason,
    advice,
    all_reasons,
    carrier_reason,
    date_words,
    money_words,
    sentence,
)

DUE = date(2025, 3, 3)
PLAN = Plan(1, "customer", "sequence", (Step(1, "Premier rappel", "due", 7, "email", automatic=True),), name="Standard")
CASE = Case(1, PLAN, (Invoice(1, "F1", DUE, DUE, 1234_50, 1234_50),))


def said(case: Case, on: date) -> list[str]:
    return [sentence(reason) for reason in all_reasons(decide(case, on, Rules()))]


def test_every_code_has_a_sentence_and_an_advice() -> None:
    assert set(SENTENCES) == set(ADVICE) == {*REASON_CODES, *RECEIPT_CODES}
    for code in SENTENCES:
        assert advice(Reason(code)).endswith(".")
        assert sentence(Reason(code)).endswith(".")


@pytest.mark.parametrize("text", [*SENTENCES.values(), *ADVICE.values(), *FAULT_SENTENCES.values()])
def test_the_typography_is_french(text: str) -> None:
    """No-break space before a colon and inside guillemets, narrow one before ; ! ?, typographic apostrophes."""
    assert "'" not in text
    for sign in ":":
        assert text.count(sign) == text.count(f"\u00a0{sign}")
    for sign in ";!?":
        assert text.count(sign) == text.count(f"\u202f{sign}")
    assert text.count("«") == text.count("«\u00a0")
    assert text.count("»") == text.count("\u00a0»")


def test_dates_and_amounts_read_as_in_french() -> None:
    assert date_words(date(2025, 5, 1)) == "1er\u00a0mai\u00a02025"
    assert date_words(date(2025, 8, 12)) == "12\u00a0août\u00a02025"
    assert money_words(1234567_05, "EUR") == "1\u202f234\u202f567,05\u00a0€"
    assert money_words(-5, "XPF") == "\u22120,05\u00a0XPF"


def test_a_step_to_come_says_its_day() -> None:
    assert said(CASE, DUE) == ["Le niveau 1 «\u00a0Premier rappel\u00a0» est prévu le 10\u00a0mars\u00a02025."]


def test_the_delay_names_the_contact_that_counts() -> None:
    """Section 5: the contact, and the date from which the step is possible."""
    contact = Entry(date(2025, 3, 8), None, None, 0, "ad_hoc", contact=True)
    (text,) = said(CASE._replace(history=[contact]), date(2025, 3, 11))
    assert text == (
        "Le niveau 1 «\u00a0Premier rappel\u00a0» est prêt depuis le 10\u00a0mars\u00a02025, mais le client a été"
        " contacté le 8\u00a0mars\u00a02025\u00a0: il pourra être relancé à partir du 13\u00a0mars\u00a02025."
    )


def test_a_covered_balance_gives_its_figures() -> None:
    (text,) = said(CASE._replace(credits={"EUR": 2000_00}), DUE)
    assert text == (
        "Il n’y a rien à réclamer\u00a0: 1\u202f234,50\u00a0€ de factures à relancer, 2\u202f000,00\u00a0€ de"
        " règlements ou d’avoirs non affectés."
    )


def test_a_pending_action_says_since_when() -> None:
    by_hand = PLAN._replace(steps=(PLAN.steps[0]._replace(automatic=False, channel="registered_letter"),))
    decision = decide(CASE._replace(plan=by_hand), date(2025, 3, 20), Rules())
    expected = (
        "Une action attend d’être faite à la main depuis le 10\u00a0mars\u00a02025\u00a0: niveau 1 «\u00a0Premier"
        " rappel\u00a0» (lettre recommandée)."
    )
    reasons = [carrier_reason(decision.carriers[0]), action_reason(decision.actions[0])]
    assert [sentence(reason) for reason in reasons if reason] == [expected, expected]


def test_what_leaves_by_itself_needs_no_reason() -> None:
    decision = decide(CASE, date(2025, 3, 10), Rules())
    assert action_reason(decision.actions[0]) is None
    assert all_reasons(decision) == ()


def test_texts_go_through_the_translation_asked_for() -> None:
    reason = Reason("BY_HAND_MODE", {"mode": "direct_debit"})
    assert sentence(reason).startswith("Cette facture se règle par prélèvement")
    english = {SENTENCES["BY_HAND_MODE"]: "Paid by {mode}: chased by hand only.", "prélèvement": "direct debit"}
    assert sentence(reason, lambda text: english.get(text, text)) == "Paid by direct debit: chased by hand only."
    assert advice(Reason("SETTLED"), str.upper) == "RIEN À FAIRE."


STEP = PLAN.steps[0]


@pytest.mark.parametrize(
    ("plan", "codes"),
    [
        (PLAN, []),
        (PLAN._replace(steps=()), []),
        (PLAN._replace(steps=(STEP, STEP._replace(level=3, days=8))), ["LEVELS_NOT_IN_ORDER"]),
        (PLAN._replace(min_contact_days=31), ["CONTACT_DAYS_OUT_OF_RANGE"]),
        (PLAN._replace(minimum=-1), ["MINIMUM_NEGATIVE"]),
        (PLAN._replace(grouping="customer"), ["GROUPING_IN_CUSTOMER_SCOPE"]),
        (PLAN._replace(steps=(STEP._replace(anchor="issue", days=-1),)), ["NEGATIVE_DAYS"]),
        (PLAN._replace(steps=(STEP._replace(anchor="previous"),)), ["PREVIOUS_ON_FIRST"]),
        (PLAN._replace(steps=(STEP._replace(channel="call"),)), ["AUTOMATIC_BY_HAND_CHANNEL"]),
        (PLAN._replace(steps=(STEP._replace(repeat_every=0),)), ["REPEAT_NOT_POSITIVE"]),
        (PLAN._replace(steps=(STEP._replace(days=-1, repeat_every=3),)), ["BEFORE_REPEATS"]),
        (
            PLAN._replace(steps=(STEP._replace(repeat_every=3), STEP._replace(level=2, days=6))),
            ["REPEAT_NOT_LAST", "GOES_BACKWARDS"],
        ),
        (
            PLAN._replace(
                progression="age",
                steps=(STEP._replace(anchor="issue"), STEP._replace(level=2, anchor="previous")),
            ),
            ["PREVIOUS_WITH_AGE"],
        ),
        (
            PLAN._replace(steps=(STEP._replace(anchor="issue"), STEP._replace(level=2, days=-3))),
            ["BEFORE_AFTER_OTHER"],
        ),
    ],
)
def test_a_plan_is_refused_for_each_rule_it_breaks(plan: Plan, codes: list[str]) -> None:
    """Section 2: every fault at once, each with its sentence."""
    faults = validate_plan(plan)
    assert [fault.code for fault in faults] == codes
    assert all("{" not in fault_sentence(fault) for fault in faults)
