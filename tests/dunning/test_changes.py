"""One change to many at once: what it would do, what it did, and taking it back."""

from datetime import timedelta
from typing import Any

import pytest

from relance.accounts.models import DunningRole, Firm, FirmMembership, Organisation, User
from relance.accounts.services import add_member
from relance.dunning.daily import run
from relance.dunning.lots import batches, changes
from relance.dunning.lots.changes import Change
from relance.dunning.models import Action, Assignment, Batch, BatchLine, Outlook, Plan, PlanRule
from relance.dunning.services import Refused
from relance.dunning.services.managers import assign_manager, possible_managers
from relance.history.models import Event
from relance.ledger import services as ledger
from relance.ledger.models import Customer
from tests.conftest import NOW, TODAY, make_customer, make_invoice

pytestmark = pytest.mark.django_db
FRIDAY = (TODAY + timedelta(days=3)).isoformat()


def done(
    organisation: Organisation, change: Change, targets: list[int], owner: User
) -> tuple[Batch, list[BatchLine]]:
    """The change opened, started and worked through."""
    foreseen = changes.foresee(organisation, change, targets, on=TODAY)
    batch = changes.draft(organisation, foreseen, title="Essai", actor=owner, now=NOW)
    batches.open_batch(batch, changes.lines_of(batch, foreseen), now=NOW)
    batches.start(batch, actor=owner, now=NOW)
    return batch, worked(batch)


def worked(batch: Batch) -> list[BatchLine]:
    batches.advance(batch, handler=changes.handle, now=NOW)
    return list(BatchLine.objects.filter(batch=batch).order_by("id"))


def undone(batch: Batch, owner: User) -> list[BatchLine]:
    """The same lines the other way round."""
    return worked(changes.undo(batch, title="Défait", actor=owner, now=NOW))


def followed(customer: Customer) -> str | None:
    found = Assignment.objects.filter(customer=customer).first()
    return found.plan.name if found else None


def test_a_plan_is_given_to_many_and_taken_back(
    organisation: Organisation, plan: Plan, owner: User
) -> None:
    """Those who have it already are counted apart and left as they are (S2-10)."""
    other = Plan.objects.create(organisation=organisation, name="Doux")
    without = make_customer(organisation, None, "Sans plan")
    gentle = make_customer(organisation, other, "Autre")
    had = make_customer(organisation, plan, "Déjà")
    make_invoice(without, "F1", TODAY - timedelta(days=7))
    Assignment.objects.filter(customer=gentle).update(given_by="rule")
    targets = [without.pk, gentle.pk, had.pk]

    foreseen = changes.foresee(organisation, Change("plan", plan.pk), targets, on=TODAY)
    batch, _lines = done(organisation, Change("plan", plan.pk), targets, owner)

    assert (sorted(foreseen.targets), foreseen.kept) == (
        sorted([without.pk, gentle.pk]),
        {"ALREADY": 1},
    )
    assert [followed(one) for one in (without, gentle, had)] == ["Standard"] * 3
    assert Outlook.objects.get(customer=without).next_level == 2
    assert Event.objects.filter(kind="plan_assigned").count() == 2

    undone(batch, owner)

    assert [followed(one) for one in (without, gentle, had)] == [None, "Doux", "Standard"]
    assert Assignment.objects.get(customer=gentle).given_by == "rule"


def test_a_change_is_undone_once(organisation: Organisation, plan: Plan, owner: User) -> None:
    customer = make_customer(organisation, None)
    batch, _lines = done(organisation, Change("plan", plan.pk), [customer.pk], owner)
    undone(batch, owner)

    with pytest.raises(Refused, match="déjà défaite"):
        changes.undo(batch, title="Encore", actor=owner, now=NOW)
    batch.refresh_from_db()
    assert batch.status == "undone"


def test_what_no_longer_exists_is_not_put_back_and_the_others_are(
    organisation: Organisation, plan: Plan, owner: User
) -> None:
    """A plan deleted since, a rule deleted since, an account manager who has left."""
    gone = Plan.objects.create(organisation=organisation, name="Ancien")
    gentle = Plan.objects.create(organisation=organisation, name="Doux")
    rule = PlanRule.objects.create(organisation=organisation, position=1, plan=gentle)
    first = make_customer(organisation, gone, "Premier")
    second = make_customer(organisation, gentle, "Second")
    Assignment.objects.filter(customer=second).update(given_by="rule", rule=rule)
    batch, _lines = done(organisation, Change("plan", plan.pk), [first.pk, second.pk], owner)
    gone.delete()
    rule.delete()

    lines = undone(batch, owner)

    assert [(line.status, line.reason) for line in lines] == [("refused", "GONE"), ("done", "")]
    assert [followed(one) for one in (first, second)] == ["Standard", "Doux"]


def test_what_was_changed_since_is_left_and_said(
    organisation: Organisation, plan: Plan, owner: User
) -> None:
    one, two = (make_customer(organisation, None, name) for name in ("Un", "Deux"))
    batch, _lines = done(organisation, Change("plan", plan.pk), [one.pk, two.pk], owner)
    other = Plan.objects.create(organisation=organisation, name="Doux")
    changes.apply(organisation, "plan", {two.pk: other.pk}, changes.Doer(owner, TODAY, NOW))

    turned = undone(batch, owner)

    assert (followed(one), followed(two)) == (None, "Doux")
    assert [(line.status, line.reason) for line in turned] == [
        ("done", ""),
        ("refused", "CHANGED_SINCE"),
    ]


@pytest.mark.parametrize(
    ("field", "value", "attribute", "before"),
    [("hold", FRIDAY, "hold_until", None), ("excluded", True, "excluded", False)],
)
def test_customers_are_held_or_excluded_and_taken_back(
    organisation: Organisation,
    plan: Plan,
    owner: User,
    field: str,
    value: Any,
    attribute: str,
    before: Any,
) -> None:
    customer = make_customer(organisation, plan)
    make_invoice(customer, "F1", TODAY - timedelta(days=7))

    batch, _lines = done(organisation, Change(field, value), [customer.pk], owner)
    customer.refresh_from_db()
    assert str(getattr(customer, attribute)) == str(value)
    assert Outlook.objects.get(customer=customer).state == "nothing"

    undone(batch, owner)
    customer.refresh_from_db()
    assert getattr(customer, attribute) == before
    assert Outlook.objects.get(customer=customer).state == "waiting"


def test_a_hold_is_released_for_many_and_put_back_with_its_date(
    organisation: Organisation, plan: Plan, owner: User
) -> None:
    customer = make_customer(organisation, plan)
    until = TODAY + timedelta(days=9)
    ledger.hold(customer=customer, until=until, on=TODAY, now=NOW)

    batch, _lines = done(organisation, Change("hold", None), [customer.pk], owner)
    customer.refresh_from_db()
    assert customer.hold_until is None

    undone(batch, owner)
    customer.refresh_from_db()
    assert customer.hold_until == until


def test_invoices_are_switched_off_without_touching_the_paid_ones(
    organisation: Organisation, plan: Plan, owner: User
) -> None:
    """S2-12 for many: one line per customer, the settled invoice is left and counted."""
    customer = make_customer(organisation, plan)
    first = make_invoice(customer, "F1", TODAY - timedelta(days=7))
    second = make_invoice(customer, "F2", TODAY, plan_on=False)
    paid = make_invoice(customer, "F3", TODAY, balance_cents=0)
    keys = [first.pk, second.pk, paid.pk]

    foreseen = changes.foresee(organisation, Change("plan_on", False), keys, on=TODAY)
    batch, lines = done(organisation, Change("plan_on", False), keys, owner)

    assert (foreseen.targets, foreseen.kept) == ([first.pk], {"ALREADY": 1, "SETTLED": 1})
    first.refresh_from_db()
    assert (first.plan_on, len(lines)) == (False, 1)

    undone(batch, owner)
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.plan_on, second.plan_on) == (True, False)


def test_undoing_the_hold_of_an_invoice_keeps_its_promise(
    organisation: Organisation, plan: Plan, owner: User
) -> None:
    invoice = make_invoice(make_customer(organisation, plan), "F1", TODAY - timedelta(days=7))
    promised = TODAY + timedelta(days=4)
    ledger.promise(invoice=invoice, until=promised, on=TODAY, now=NOW)

    batch, _lines = done(organisation, Change("invoice_hold", FRIDAY), [invoice.pk], owner)
    undone(batch, owner)

    invoice.refresh_from_db()
    assert (invoice.hold_until, invoice.promise_until) == (None, promised)


@pytest.mark.parametrize(
    "change",
    [Change("plan", 999), Change("hold", (TODAY - timedelta(days=1)).isoformat())],
)
def test_a_change_that_means_nothing_is_refused(
    organisation: Organisation, plan: Plan, change: Change
) -> None:
    with pytest.raises(Refused):
        changes.foresee(organisation, change, [make_customer(organisation, plan).pk], on=TODAY)


def test_another_dossiers_customers_are_not_there(
    organisation: Organisation, plan: Plan, stranger: User
) -> None:
    theirs = make_customer(Organisation.objects.get(name="Ailleurs"), None)

    foreseen = changes.foresee(organisation, Change("excluded", True), [theirs.pk], on=TODAY)

    assert (foreseen.targets, foreseen.kept) == ([], {})


def test_the_open_actions_follow_the_new_manager(
    organisation: Organisation, plan: Plan, owner: User
) -> None:
    """S3-08: who follows the customer is who does what waits."""
    manager = User.objects.create_user("lea@kerdoncuff.example", "x", full_name="Léa Kervella")
    add_member(organisation=organisation, user=manager, dunning_role=DunningRole.ACCOUNT_MANAGER)
    customer = make_customer(organisation, plan, email="")
    make_invoice(customer, "F1", TODAY - timedelta(days=7))
    run.run(organisation, on=TODAY, now=NOW)
    action = Action.objects.get(customer=customer)

    followed = assign_manager(
        organisation, customers=[customer.pk], manager=manager, actor=owner, on=TODAY, now=NOW
    )

    assert followed == 1
    assert list(action.owners.all()) == [manager]
    assert Event.objects.filter(kind="owners_changed", customer_id=customer.pk).exists()
    assert Event.objects.get(kind="customer_edited").data == {"manager": [None, "Léa Kervella"]}


def test_managers_are_those_who_may_act(
    organisation: Organisation, owner: User, colleague: User, stranger: User
) -> None:
    """Members from account manager on, and the firm; a reader or a stranger never (D-24)."""
    organisation.firm = Firm.objects.create(name="Cabinet Morvan")
    organisation.save()
    accountant = User.objects.create_user("eric@morvan.example", "x", full_name="Éric Morvan")
    for member in (accountant, colleague):
        FirmMembership.objects.create(firm=organisation.firm, user=member)

    assert set(possible_managers(organisation)) == {owner, accountant}
    with pytest.raises(Refused):
        assign_manager(organisation, customers=[], manager=stranger, actor=owner, on=TODAY, now=NOW)
