"""Between the decision and its effect: re-check (3.11), the to-do list (3.10), deeds (section 4), forecast (6)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from relance.engine import deeds
from relance.engine.decide import decide
from relance.engine.forecast import Slip, forecast, model_forecast, slips
from relance.engine.model import Action, Case, Entry, Invoice, Plan, Reason, Rules, Step
from relance.engine.review import recheck, reconcile

J = date(2025, 3, 3)
RULES = Rules(zone="none")


def day(offset: int) -> date:
    return J + timedelta(days=offset)


def step(level: int, days: int, channel: Any = "email", *, auto: bool = True, **more: Any) -> Step:
    return Step(level, f"Rappel {level}", "due", days, channel, auto, **more)


def plan(*steps: Step, **more: Any) -> Plan:
    options: dict[str, Any] = {"scope": "customer", "progression": "sequence", **more}
    return Plan(7, steps=steps, **options)


def invoice(id_: int, due: int = 0, **more: Any) -> Invoice:
    cents = more.pop("cents", 100_00)
    return Invoice(id_, f"F{id_}", day(due - 30), day(due), cents, cents, **more)


def case(a_plan: Plan | None, *invoices: Invoice, **more: Any) -> Case:
    return Case(1, a_plan, invoices, **more)


PLAN = plan(step(1, 7), step(2, 14, "call", auto=False))


def wanted(a_case: Case, on: date) -> Action:
    (action,) = decide(a_case, on, RULES).actions
    return action


class TestRecheck:
    """3.11: the same function is asked again just before the message leaves."""

    def test_a_message_still_wanted_is_given_back(self) -> None:
        facts = case(PLAN, invoice(1), invoice(2, 3))
        action = wanted(facts, day(7))
        assert recheck(facts, day(7), action, RULES) == action

    def test_an_invoice_paid_meanwhile_is_taken_out(self) -> None:
        action = wanted(case(PLAN, invoice(1), invoice(2, 3)), day(7))
        again = recheck(case(PLAN, invoice(1), invoice(2, 3, cents=0)), day(7), action, RULES)
        assert isinstance(again, Action)
        assert (action.invoices, action.amount) == ((1, 2), 200_00)
        assert (again.invoices, again.amount) == ((1,), 100_00)

    def test_what_became_due_meanwhile_is_not_slipped_into_it(self) -> None:
        action = wanted(case(PLAN, invoice(1)), day(7))
        again = recheck(case(PLAN, invoice(1), invoice(2, 1)), day(7), action, RULES)
        assert isinstance(again, Action)
        assert again.invoices == (1,)

    def test_a_promise_made_meanwhile_cancels_with_its_reason(self) -> None:
        action = wanted(case(PLAN, invoice(1), invoice(2, 3)), day(7))
        promised = case(PLAN, invoice(1, promise_until=day(9)), invoice(2, 3))
        assert recheck(promised, day(7), action, RULES) == Reason("PROMISED", {"until": day(9)}, day(9), 1)

    def test_a_call_made_meanwhile_cancels_with_the_delay(self) -> None:
        facts = case(PLAN, invoice(1))
        action = wanted(facts, day(7))
        called = facts._replace(history=deeds.marked(facts, day(7), RULES))
        again = recheck(called, day(7), action, RULES)
        assert isinstance(again, Reason)
        assert again.code == "NOT_YET_TRIGGERED"

    def test_a_customer_put_on_hold_or_fully_paid_cancels(self) -> None:
        action = wanted(case(PLAN, invoice(1)), day(7))
        held = recheck(case(PLAN, invoice(1), hold_until=day(7)), day(7), action, RULES)
        paid = recheck(case(PLAN), day(7), action, RULES)
        assert isinstance(held, Reason)
        assert isinstance(paid, Reason)
        assert (held.code, paid.code) == ("CUSTOMER_ON_HOLD", "NO_OPEN_INVOICE")

    def test_an_address_lost_meanwhile_cancels_with_that_reason(self) -> None:
        """S1-23, S4-25: it becomes an action for a person instead."""
        action = wanted(case(PLAN, invoice(1)), day(7))
        again = recheck(case(PLAN, invoice(1), unreachable={"email"}), day(7), action, RULES)
        assert isinstance(again, Reason)
        assert again.code == "NO_RECIPIENT"

    def test_a_grouped_message_survives_the_payment_of_its_reference_at_the_same_level(self) -> None:
        grouped = plan(step(1, 7), step(2, 14), scope="invoice", grouping="customer")
        action = wanted(case(grouped, invoice(1), invoice(2, 1)), day(8))
        again = recheck(case(grouped, invoice(2, 1)), day(8), action, RULES)
        assert action.carriers == (1, 2)
        assert isinstance(again, Action)
        assert (again.reference, again.carriers) == (2, (2,))

    def test_a_grouped_message_is_cancelled_when_its_level_was_only_that_of_the_paid_invoice(self) -> None:
        grouped = plan(step(1, 7), step(2, 14), scope="invoice", grouping="customer", min_contact_days=0)
        history = [Entry(day(7), 7, 1, 1, "sent", contact=True, by_run=True)]
        action = wanted(case(grouped, invoice(1), invoice(2, 7), history=history), day(14))
        assert (action.level, action.carriers) == (2, (1, 2))
        again = recheck(case(grouped, invoice(2, 7), history=history), day(14), action, RULES)
        assert again == Reason("SETTLED", {"currency": "EUR"}, None, 1)


class TestToDoList:
    """3.10: after each run the open manual actions are exactly those the decision asks for."""

    CALLED = plan(step(1, 7, "call", auto=False), step(2, 14))

    def test_opened_then_kept_with_the_invoices_of_the_day(self) -> None:
        first = decide(case(self.CALLED, invoice(1), invoice(2, 7)), day(7), RULES)
        opened = reconcile([], first)
        assert [one.invoices for one in opened.open] == [(1,)]
        second = decide(case(self.CALLED, invoice(1), invoice(2, 7)), day(8), RULES)
        kept = reconcile(opened.open, second)
        assert [(old.since, new.since, new.invoices) for old, new in kept.keep] == [(day(7), day(7), (1, 2))]
        assert (kept.open, kept.withdraw) == ((), ())

    def test_withdrawn_by_the_delay_and_back_when_wanted_again(self) -> None:
        facts = case(self.CALLED, invoice(1))
        opened = reconcile([], decide(facts, day(7), RULES)).open
        contacted = facts._replace(history=[deeds.ad_hoc(day(8))])
        ((action, reason),) = reconcile(opened, decide(contacted, day(8), RULES)).withdraw
        assert action == opened[0]
        assert (reason.code, reason.until, reason.facts["contact"]) == ("MIN_CONTACT_DELAY", day(13), day(8))
        assert reconcile([], decide(contacted, day(13), RULES)).open[0].key == action.key

    def test_withdrawn_for_each_kind_of_no(self) -> None:
        opened = reconcile([], decide(case(self.CALLED, invoice(1)), day(7), RULES)).open
        others = [
            (case(self.CALLED, invoice(1, disputed=True)), "NOTHING_CHASEABLE"),
            (case(self.CALLED, invoice(1, disputed=True), invoice(2, 30)), "DISPUTED"),
            (case(self.CALLED, invoice(1), excluded=True), "EXCLUDED"),
            (case(self.CALLED, invoice(1), credits={"EUR": 100_00}), "BALANCE_NOT_POSITIVE"),
            (
                case(self.CALLED, invoice(1), invoice(2, 0, currency="USD"), credits={"EUR": 100_00}),
                "BALANCE_NOT_POSITIVE",
            ),
        ]
        for facts, code in others:
            ((_, reason),) = reconcile(opened, decide(facts, day(8), RULES)).withdraw
            assert reason.code == code

    def test_replaced_by_the_next_level_in_a_plan_by_age(self) -> None:
        by_age = plan(step(1, 7, "call", auto=False), step(2, 14), progression="age")
        facts = case(by_age, invoice(1))
        opened = reconcile([], decide(facts, day(7), RULES)).open
        ((_, reason),) = reconcile(opened, decide(facts, day(14), RULES)).withdraw
        assert reason.code == "REPLACED"

    def test_an_impossible_automatic_step_becomes_an_action_with_its_reason(self) -> None:
        """3.12, D-12, S4-25: never silence."""
        for facts, code in (
            (case(PLAN, invoice(1), unreachable={"email"}), "NO_RECIPIENT"),
            (case(plan(step(1, 7, has_template=False)), invoice(1)), "NO_TEMPLATE"),
        ):
            (action,) = reconcile([], decide(facts, day(9), RULES)).open
            assert action.reason is not None
            assert (action.automatic, action.reason.code, action.since) == (False, code, day(7))

    def test_a_manual_step_without_text_is_an_ordinary_action(self) -> None:
        facts = case(plan(step(1, 7, auto=False, has_template=False)), invoice(1))
        assert wanted(facts, day(7)).reason is None


class TestDeeds:
    """Section 4: what people do becomes entries."""

    def test_a_message_counts_for_each_of_its_carriers(self) -> None:
        """S1-16, D-07: both invoices of the group reach its level."""
        grouped = plan(step(1, 7), scope="invoice", grouping="customer")
        action = wanted(case(grouped, invoice(1), invoice(2)), day(7))
        assert deeds.done(action, day(7), by_run=True) == (
            Entry(day(7), 7, 1, 1, "sent", contact=True, by_run=True),
            Entry(day(7), 7, 2, 1, "sent", contact=True, by_run=True),
        )

    def test_a_task_is_no_contact(self) -> None:
        action = wanted(case(plan(step(1, 7, "task", auto=False)), invoice(1)), day(7))
        assert [entry.contact for entry in deeds.done(action, day(7), by_run=False)] == [False]

    def test_marking_by_age_counts_the_level_reached_by_age(self) -> None:
        by_age = plan(step(1, 7), step(2, 14), progression="age")
        for on, level in ((5, 0), (8, 1), (20, 2)):
            (entry,) = deeds.marked(case(by_age, invoice(1)), day(on), RULES)
            assert (entry.level, entry.contact) == (level, True)

    def test_marking_a_customer_without_plan_is_a_contact(self) -> None:
        (entry,) = deeds.marked(case(None, invoice(1)), day(8), RULES)
        assert (entry.plan, entry.level, entry.contact) == (None, 0, True)

    def test_skipping_passes_the_pending_action_or_the_next_step(self) -> None:
        by_invoice = plan(step(1, 7), step(2, 14), scope="invoice", grouping="customer")
        facts = case(by_invoice, invoice(1), invoice(2))
        action = wanted(facts, day(7))._replace(level=2)
        assert [entry.level for entry in deeds.skipped(facts, day(7), RULES, 2, [action])] == [2]
        assert [entry.level for entry in deeds.skipped(facts, day(7), RULES, 2)] == [1]
        assert deeds.skipped(facts._replace(plan=None), day(7), RULES) == ()

    def test_nothing_is_left_to_skip_at_the_end_of_the_plan(self) -> None:
        done = case(PLAN, invoice(1), history=deeds.level_set(case(PLAN, invoice(1)), J, RULES, 2))
        assert deeds.skipped(done, day(20), RULES) == ()

    def test_a_deed_of_the_wrong_scope_touches_no_carrier(self) -> None:
        assert deeds.level_set(case(PLAN, invoice(1)), J, RULES, 2, invoice=1) == ()
        assert deeds.level_set(case(None, invoice(1)), J, RULES, 2) == ()

    def test_a_campaign_is_a_contact_and_no_level(self) -> None:
        facts = case(PLAN, invoice(1), history=[deeds.campaign(day(6))])
        (carrier,) = decide(facts, day(7), RULES).carriers
        assert (carrier.reached, carrier.code, carrier.leaves) == (0, "MIN_CONTACT_DELAY", day(11))


class TestHistory:
    """Entries are facts with dates."""

    def test_what_is_dated_later_is_ignored(self) -> None:
        """So that "why" can be asked for any past date (S3-02)."""
        later = [Entry(day(9), 7, 1, 1, "sent", contact=True, by_run=True)]
        facts = case(PLAN, invoice(1), history=later)
        assert wanted(facts, day(7)).level == 1

    def test_a_contact_by_the_run_of_today_delays_nothing_today(self) -> None:
        by_invoice = plan(step(1, 7), scope="invoice")
        sent = Entry(day(8), 7, 1, 1, "sent", contact=True, by_run=True)
        facts = case(by_invoice, invoice(1), invoice(2, 1), history=[sent])
        assert wanted(facts, day(8)).carriers == (2,)
        by_hand = case(by_invoice, invoice(1), invoice(2, 1), history=[sent._replace(by_run=False)])
        assert decide(by_hand, day(8), RULES).actions == ()


class TestForecast:
    """Section 6: the engine run forward."""

    def test_it_says_what_the_customer_will_receive(self) -> None:
        facts = case(PLAN, invoice(1))
        assert [(one.on, one.action.level) for one in forecast(facts, J, 60, RULES)] == [(day(7), 1), (day(14), 2)]
        assert forecast(facts, J, 6, RULES) == ()
        assert [one.on for one in forecast(facts, day(7), 0, RULES)] == [day(7)]

    def test_it_leaves_the_history_alone(self) -> None:
        history: list[Entry] = []
        forecast(case(PLAN, invoice(1), history=history), J, 60, RULES)
        assert history == []

    def test_what_cannot_leave_is_shown_once(self) -> None:
        facts = case(PLAN, invoice(1), unreachable={"email"})
        (planned,) = forecast(facts, J, 60, RULES)
        assert planned.action.reason is not None
        assert (planned.on, planned.action.reason.code) == (day(7), "NO_RECIPIENT")

    def test_a_model_invoice_shows_the_plan_on_the_calendar(self) -> None:
        given = model_forecast(plan(step(1, -3), step(2, 7), step(3, 12)), date(2025, 3, 1), Rules())
        assert [(one.action.level, one.on) for one in given] == [
            (1, date(2025, 2, 26)),
            (2, date(2025, 3, 10)),
            (3, date(2025, 3, 17)),
        ]

    def test_it_warns_by_how_many_days_each_level_slips(self) -> None:
        """S3-22, S3-24 (T-15), T-16 and T-17."""
        assert slips(plan(step(1, 7), step(2, 10)), J) == (Slip(2, 10, 12, 2),)
        assert slips(plan(step(1, 0), step(2, 4), step(3, 8)), J) == (Slip(2, 4, 5, 1), Slip(3, 8, 10, 2))
        assert slips(plan(step(1, 0), step(2, 4), step(3, 12)), J) == (Slip(2, 4, 5, 1),)
        assert slips(plan(step(1, 7), step(2, 14)), J) == ()

    def test_it_warns_of_a_level_that_will_never_be_played(self) -> None:
        by_age = plan(step(1, 0), step(2, 2), step(3, 4), progression="age")
        assert slips(by_age, J) == (Slip(2, 2, None, None), Slip(3, 4, 5, 1))
        assert slips(plan(step(1, -5), step(2, -2), step(3, 7)), J) == (Slip(2, -2, None, None),)

    def test_steps_after_the_previous_one_slip_with_it_and_only_for_their_own_delay(self) -> None:
        chained = plan(step(1, 7), step(2, 10), Step(3, "", "previous", 8, "email", automatic=True))
        assert slips(chained, J) == (Slip(2, 10, 12, 2),)
