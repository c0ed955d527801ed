"""The copy that À relancer reads is what the engine says, kept by the pass and by every change."""

from datetime import timedelta
from typing import Any

from relance.accounts.models import Organisation, User
from relance.dunning import services
from relance.dunning.daily import refreshing, run
from relance.dunning.facts import to_chase
from relance.dunning.facts.gather import Window
from relance.dunning.models import Plan, Step, ToChase
from relance.dunning.queries import decisions
from relance.dunning.services import marking
from relance.dunning.services.marking import mark_listed, unmark
from relance.ledger import services as ledger
from relance.ledger.models import Customer
from tests.conftest import NOW, TODAY, at, make_customer, make_invoice


def passed(organisation: Organisation) -> None:
    run.run(organisation, on=TODAY, now=NOW, spread=False, pause=0)


def by_hand(plan: Plan) -> Plan:
    Step.objects.filter(plan=plan).update(automatic=False)
    return plan


def copy() -> set[tuple[Any, ...]]:
    return {
        (row.invoice.number, row.level, row.trigger, row.possible_on, row.code, row.amount_cents)
        for row in ToChase.objects.select_related("invoice")
    }


def test_the_pass_copies_what_has_triggered_and_nothing_else(
    organisation: Organisation, plan: Plan
) -> None:
    by_hand(plan)
    late = make_customer(organisation, plan, "Late")
    make_invoice(late, "F-9", TODAY - timedelta(9), 100_00)
    soon = make_customer(organisation, plan, "Soon")
    make_invoice(soon, "F-1", TODAY - timedelta(1), 100_00)
    passed(organisation)
    since = TODAY - timedelta(2)
    assert copy() == {("F-9", 2, since, TODAY, "PENDING_MANUAL", 100_00)}


def test_it_is_what_the_engine_says_of_each_customer(
    organisation: Organisation, plan: Plan
) -> None:
    by_hand(plan)
    for number in range(6):
        customer = make_customer(organisation, plan, f"C{number}")
        for rank in range(3):
            due = TODAY - timedelta(5 * number + rank - 4)
            make_invoice(customer, f"F-{number}-{rank}", due, 100_00 + rank)
    passed(organisation)
    ids = list(Customer.objects.values_list("pk", flat=True))
    wanted = {
        key: to_chase.lines(case, decision)
        for key, (case, decision) in decisions(organisation, ids, TODAY).items()
    }
    changes = to_chase.changed(organisation, Window(ids=tuple(ids)), wanted)
    assert changes == to_chase.Changes([], [])
    assert ToChase.objects.count() == sum(len(lines) for lines in wanted.values()) > 0


def test_what_leaves_by_itself_today_is_not_left_to_be_chased(
    organisation: Organisation, plan: Plan
) -> None:
    """S4-14: a message on its way counts as done (D-11)."""
    Step.objects.filter(plan=plan).update(send_without_pdf=True)
    make_invoice(make_customer(organisation, plan), "F-1", TODAY - timedelta(9))
    passed(organisation)
    assert not ToChase.objects.filter(trigger__lte=TODAY).exists()


def test_a_change_of_facts_is_seen_at_the_next_look(organisation: Organisation, plan: Plan) -> None:
    customer = make_customer(organisation, by_hand(plan))
    one = make_invoice(customer, "F-1", TODAY - timedelta(9), 100_00)
    make_invoice(customer, "F-2", TODAY - timedelta(8), 50_00)
    passed(organisation)
    assert [row[5] for row in copy()] == [150_00]
    ledger.open_dispute(invoice=one, category="", note="", on=TODAY, now=NOW)
    refreshing.refresh(organisation, [customer.pk], on=TODAY, now=NOW)
    assert {row[0] for row in copy()} == {"F-2"}
    ledger.exclude(customer=customer, on=TODAY, now=NOW)
    refreshing.refresh(organisation, [customer.pk], on=TODAY, now=NOW)
    assert copy() == set()


def test_after_its_own_relance_a_carrier_is_away_for_the_delay(
    organisation: Organisation, plan: Plan, owner: User
) -> None:
    """D-11, S4-24: in a plan of levels in turn the next one is long triggered, and waits."""
    customer = make_customer(organisation, by_hand(plan))
    make_invoice(customer, "F-1", TODAY - timedelta(40))
    passed(organisation)
    assert [row[1] for row in copy()] == [2]
    services.mark_as_chased(customer, actor=owner, on=TODAY, now=NOW)
    assert copy() == set()
    back = TODAY + timedelta(5)
    run.run(organisation, on=back, now=at(back), spread=False, pause=0)
    assert [(row[1], row[2]) for row in copy()] == [(3, back)]


def test_a_second_pass_of_the_day_writes_nothing(
    organisation: Organisation, plan: Plan, monkeypatch: Any
) -> None:
    make_invoice(make_customer(organisation, by_hand(plan)), "F-1", TODAY - timedelta(9))
    passed(organisation)
    kept = list(ToChase.objects.values())
    written: list[int] = []
    write = to_chase.write
    monkeypatch.setattr(
        to_chase, "write", lambda o, c: (written.append(len(c.rows) + len(c.gone)), write(o, c))
    )
    passed(organisation)
    assert written == [0]
    assert list(ToChase.objects.values()) == kept


def test_the_cases_of_all_that_is_marked_are_gathered_together(
    organisation: Organisation, plan: Plan, owner: User, monkeypatch: Any
) -> None:
    """Not once per invoice; a customer marked already is looked at again for his other ones."""
    shared = by_hand(plan)
    invoices = [
        make_invoice(make_customer(organisation, shared, f"C{n}"), f"F-{n}", TODAY - timedelta(9))
        for n in range(4)
    ]
    passed(organisation)
    real, asked = marking.cases, list[int]()

    def counting(organisation: Organisation, on: Any, window: Any, plans: Any) -> Any:
        asked.append(len(window.ids))
        return real(organisation, on, window, plans)

    monkeypatch.setattr(marking, "cases", counting)
    twice = [*invoices, invoices[0]]
    marked = mark_listed(
        organisation, invoices=twice, level=2, actor=owner, on=TODAY, now=NOW, note=""
    )
    assert marked.done == invoices
    assert [one for one, _why in marked.refused] == [invoices[0]]
    assert asked == [4]


def test_a_mark_and_its_undo_leave_things_as_they_were(
    organisation: Organisation, plan: Plan, owner: User
) -> None:
    """S4-23: with the open action, the copies for lists and the list itself."""
    customer = make_customer(organisation, by_hand(plan))
    invoice = make_invoice(customer, "F-1", TODAY - timedelta(9))
    passed(organisation)
    before, [action] = copy(), list(customer.actions.filter(status="open"))
    marked = mark_listed(
        organisation, invoices=[invoice], level=2, actor=owner, on=TODAY, now=NOW, note="Appelé"
    )
    assert (marked.done, marked.refused) == ([invoice], [])
    assert copy() == set()
    assert not customer.actions.filter(status="open").exists()
    unmark(invoice, actor=owner, on=TODAY, now=NOW)
    assert copy() == before
    assert customer.actions.get(status="open").due_on == action.due_on
    invoice.refresh_from_db()
    assert (invoice.chase.level, invoice.chase.last_on) == (0, None)
