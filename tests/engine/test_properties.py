"""What holds for any data (section 10 of the engine rules), one property after the other."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from relance.engine.calendar import next_working_day
from relance.engine.decide import decide
from relance.engine.gates import invoice_refusal
from relance.engine.model import Action
from relance.engine.replay import Replay, replay, replay_reasons
from relance.engine.replay_document import read_document
from relance.engine.schedule import is_before
from relance.engine.wording import all_reasons, sentence

from .strategies import LENGTH, START, Document, documents

EXAMPLES = settings(max_examples=80, deadline=None)
DAYS = st.integers(0, LENGTH).map(lambda n: START + timedelta(days=n))


def lines(document: Document) -> list[dict[str, Any]]:
    return [json.loads(line) for line in replay(read_document(document))]


def every_line(document: Document) -> tuple[list[str], list[list[str]]]:
    """Actions of the period, and reasons of a few of its days."""
    document = {**document, "run_on": None}
    read = read_document(document)
    some_days = [START + timedelta(days=n) for n in (0, 9, 20, LENGTH)]
    return list(replay(read)), [list(replay_reasons(read, day)) for day in some_days]


@EXAMPLES
@given(documents())
def test_no_two_contacts_with_one_customer_are_closer_than_the_delay(document: Document) -> None:
    """S3-21, S3-22, D-18: what the engine sends keeps its distance from every contact of an earlier day, and the run
    of a day from what people did that day."""
    played = Replay(read_document(document))
    played.play(played.document.last)
    for account in played.accounts.values():
        contacts = [entry for entry in account.history if entry.contact]
        for entry in contacts:
            if entry.kind != "sent":
                continue
            delay = timedelta(days=played.plans[str(entry.plan)].min_contact_days)
            earlier = [other.on for other in contacts if other.on < entry.on]
            assert all(day + delay <= entry.on for day in earlier)
            people = [other.on for other in contacts if other.on == entry.on and not other.by_run]
            assert not (entry.by_run and delay and people)


@EXAMPLES
@given(documents(), DAYS)
def test_a_paid_held_or_covered_invoice_is_in_no_message(document: Document, day: date) -> None:
    played = Replay(read_document(document))
    played.play(day - timedelta(days=1))
    for account in played.accounts.values():
        case = account.case(played.plans, everything=True)
        by_id = {invoice.id: invoice for invoice in case.invoices}
        for action in decide(case, day, played.rules).actions:
            asked = [by_id[id_] for id_ in action.invoices]
            assert all(invoice_refusal(one, day, case.judgment_on, played.rules) is None for one in asked)
            currency = [one for one in case.invoices if one.currency == action.currency]
            open_cents = sum(max(one.balance, 0) for one in currency)
            assert open_cents > case.credits.get(action.currency, 0)
            assert case.hold_until is None or case.hold_until < day


@EXAMPLES
@given(documents())
def test_running_twice_on_a_date_changes_nothing(document: Document) -> None:
    once = document.get("run_on") or [(START + timedelta(days=n)).isoformat() for n in range(LENGTH + 1)]
    once = sorted(set(once))
    read_once = read_document({**document, "run_on": once})
    read_twice = read_document({**document, "run_on": once * 2})
    assert list(replay(read_twice)) == list(replay(read_once))
    for day in once[:1] + once[-1:]:
        asked = date.fromisoformat(day)
        assert list(replay_reasons(read_twice, asked)) == list(replay_reasons(read_once, asked))


@EXAMPLES
@given(documents(), DAYS)
def test_skipping_one_run_loses_nothing_still_wanted_the_next_day(document: Document, day: date) -> None:
    """A carrier that would act on a day and is not run acts on the next day possible, at that level or a higher one;
    only a reminder before the due date may expire."""
    played = Replay(read_document(document))
    played.play(day - timedelta(days=1))
    zone = played.rules.zone
    for account in played.accounts.values():
        case = account.case(played.plans)
        known = case._replace(
            invoices=[one for one in case.invoices if one.issued <= day],
            judgment_on=None if case.judgment_on and case.judgment_on > day else case.judgment_on,
        )
        held = [one for one in known.invoices if one.promise_until or one.hold_until]
        if held or known.hold_until:
            continue
        today = {one.reference.id: one for one in decide(known, day, played.rules).carriers if one.acts}
        tomorrow = {one.reference.id: one for one in decide(known, day + timedelta(days=1), played.rules).carriers}
        for id_, carrier in today.items():
            assert carrier.step is not None
            if is_before(carrier.step):
                continue
            later = tomorrow[id_]
            assert later.step is not None
            assert later.step.level >= carrier.step.level
            assert later.leaves is not None
            assert later.leaves <= next_working_day(zone, day + timedelta(days=1))


@EXAMPLES
@given(documents(), st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(document: Document, chance: Any) -> None:
    def shuffled(items: list[Any]) -> list[Any]:
        return chance.sample(items, len(items))

    by_day: dict[str, list[Document]] = {}
    for event in document["events"]:
        by_day.setdefault(event["on"], []).append(event)
    assigned = any(event["type"] == "assign" for event in document["events"])
    on = list(by_day) if assigned else shuffled(list(by_day))
    other = {
        **document,
        "plans": [{**plan, "steps": shuffled(plan["steps"])} for plan in shuffled(document["plans"])],
        "customers": shuffled(document["customers"]),
        "invoices": shuffled(document["invoices"]),
        "events": [event for day in on for event in by_day[day]],
        "run_on": None if document.get("run_on") is None else shuffled(document["run_on"]),
    }
    assert lines(other) == lines(document)
    assert every_line(other) == every_line(document)


@EXAMPLES
@given(documents())
def test_the_data_of_another_customer_never_change_a_decision(document: Document) -> None:
    whole, whole_reasons = every_line(document)
    for customer in document["customers"]:
        id_ = customer["id"]
        mine = [one for one in document["invoices"] if one["customer"] == id_]
        names = {id_, *(one["id"] for one in mine)}
        alone = {
            **document,
            "customers": [customer],
            "invoices": mine,
            "events": [one for one in document["events"] if {one.get("customer"), one.get("invoice")} & names],
        }
        own, own_reasons = every_line(alone)
        assert own == [line for line in whole if json.loads(line)["customer"] == id_]
        assert own_reasons == [[line for line in day if json.loads(line)["customer"] == id_] for day in whole_reasons]


@EXAMPLES
@given(documents(levels=False))
def test_a_level_never_goes_down_by_itself(document: Document) -> None:
    """S1-21: without a level set by hand, the levels done on one carrier only rise (or repeat)."""
    played = Replay(read_document(document))
    played.play(played.document.last)
    for account in played.accounts.values():
        reached: dict[tuple[Any, Any], int] = {}
        for entry in account.history:
            if entry.kind in {"sent", "skipped"}:
                carrier = (entry.plan, entry.reference)
                assert entry.level >= reached.get(carrier, 0)
                reached[carrier] = entry.level


@EXAMPLES
@given(documents())
def test_the_amount_of_a_message_is_the_sum_of_the_balances_of_its_invoices(
    document: Document,
) -> None:
    totals = {one["id"]: int(one["total"].replace(".", "")) for one in document["invoices"]}
    for line in lines(document):
        paid = sum(
            int(event["amount"].replace(".", ""))
            for event in document["events"]
            if event["type"] == "payment" and event["on"] <= line["on"] and event["invoice"] in line["invoices"]
        )
        expected = sum(totals[id_] for id_ in line["invoices"]) - paid
        assert int(line["amount"].replace(".", "")) == expected > 0


@EXAMPLES
@given(documents(), DAYS)
def test_every_customer_gets_an_action_or_a_reason(document: Document, day: date) -> None:
    """S3-26: never neither; and every reason has its sentence."""
    played = Replay(read_document({**document, "run_on": None}))
    played.play(day - timedelta(days=1))
    for account in played.accounts.values():
        decision = decide(account.case(played.plans), day, played.rules)
        reasons = all_reasons(decision)
        assert decision.actions or reasons
        assert all("{" not in sentence(reason) for reason in reasons)
        waiting: list[Action] = [action for action in decision.actions if not action.automatic]
        codes = {reason.code for reason in reasons}
        assert not waiting or codes & {"PENDING_MANUAL", "NO_RECIPIENT"}
    played.run(day)
    assert all(line["reasons"] for line in played.reasons(day))


@EXAMPLES
@given(documents())
def test_leaving_quiet_customers_alone_changes_nothing(document: Document) -> None:
    """The short cut of long replays gives what a decision on every day gives."""
    read = read_document(document)
    assert list(replay(read)) == list(replay(read, skip_quiet=False))
