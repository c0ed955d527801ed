"""Verbs about plans, templates and settings: what is kept, refused and told."""

import pytest

from relance.accounts.models import Organisation, User
from relance.dunning.models import Action, Entry, Outlook, Plan, Template
from relance.dunning.plans import starters
from relance.dunning.services import Refused
from relance.dunning.services.plans import (
    PlanRefused,
    StepValues,
    delete_plan,
    delete_template,
    save_plan,
    save_settings,
    save_template,
)
from relance.dunning.wording import templating
from relance.history.models import Event
from relance.ledger.models import Customer
from tests.conftest import NOW, TODAY, make_invoice

LETTER = StepValues("Lettre", "due", 7, "letter", False, None, None)


def save(plan: Plan, owner: User, *steps: StepValues) -> Plan:
    return save_plan(plan, steps=steps, actor=owner, on=TODAY, now=NOW)


def test_every_fault_is_told_at_once_and_nothing_is_kept(plan: Plan, owner: User) -> None:
    """Engine rules, section 2."""
    plan.min_contact_days = 31
    with pytest.raises(PlanRefused) as refused:
        save(
            plan,
            owner,
            LETTER,
            LETTER._replace(days=3),
            LETTER._replace(anchor="previous", days=-1),
        )

    told = {(fault.code, fault.level, fault.field) for fault in refused.value.faults}
    assert told == {
        ("CONTACT_DAYS_OUT_OF_RANGE", None, "min_contact_days"),
        ("GOES_BACKWARDS", 2, "days"),
        ("NEGATIVE_DAYS", 3, "days"),
    }
    assert plan.steps.count() == 4
    assert not Event.objects.exists()


def test_levels_are_numbered_in_the_order_typed(plan: Plan, owner: User) -> None:
    save(plan, owner, LETTER, LETTER._replace(name="Seconde", days=20))

    assert [str(step) for step in plan.steps.all()] == ["Lettre (1)", "Seconde (2)"]
    event = Event.objects.get(kind="plan_saved")
    assert event.data["after"] == [["Lettre", 7, "letter"], ["Seconde", 20, "letter"]]
    assert len(event.data["before"]) == 4


def test_saving_looks_again_at_those_who_follow(
    plan: Plan, owner: User, customer: Customer
) -> None:
    make_invoice(customer, "F1", TODAY)
    save(plan, owner, LETTER)
    before = Outlook.objects.get().next_on

    save(plan, owner, LETTER._replace(days=14))

    after = Outlook.objects.get().next_on
    assert before is not None
    assert after is not None
    assert (after - before).days == 7


def test_there_is_one_default_plan(organisation: Organisation, plan: Plan, owner: User) -> None:
    plan.is_default = True
    save(plan, owner, LETTER)
    save(Plan(organisation=organisation, name="Autre", is_default=True), owner, LETTER)

    assert [one.name for one in Plan.objects.filter(is_default=True)] == ["Autre"]


def test_a_plan_followed_or_used_is_not_deleted(
    organisation: Organisation, plan: Plan, owner: User, customer: Customer
) -> None:
    invoice = make_invoice(customer, "F1", TODAY)
    with pytest.raises(Refused, match="suivent ce plan"):
        delete_plan(plan, actor=owner, on=TODAY, now=NOW)

    plan.assignments.all().delete()
    Action.objects.create(
        organisation=organisation,
        customer=customer,
        plan=plan,
        reference=invoice,
        currency="EUR",
        level=1,
        channel="call",
        due_on=TODAY,
        amount_cents=1,
        invoice_count=1,
    )
    with pytest.raises(Refused, match="a déjà servi"):
        delete_plan(plan, actor=owner, on=TODAY, now=NOW)


def test_a_plan_that_only_sent_by_itself_is_not_deleted_either(
    organisation: Organisation, plan: Plan, owner: User, customer: Customer
) -> None:
    """Its levels would be forgotten: entries without a plan raise nothing."""
    plan.assignments.all().delete()
    Entry.objects.create(
        organisation=organisation,
        customer=customer,
        plan=plan,
        reference=make_invoice(customer, "F1", TODAY),
        on=TODAY,
        kind="sent",
        level=1,
        by_run=True,
    )
    with pytest.raises(Refused, match="a déjà servi"):
        delete_plan(plan, actor=owner, on=TODAY, now=NOW)


def test_an_unknown_variable_is_refused_with_a_suggestion(template: Template, owner: User) -> None:
    template.body = "Bonjour {{ client.nomm }}"
    with pytest.raises(Refused, match="client\\.nom\u00a0"):
        save_template(template, actor=owner, on=TODAY, now=NOW)

    template.refresh_from_db()
    assert "tableau_factures" in template.body


def test_a_template_that_a_level_uses_is_not_deleted(
    plan: Plan, template: Template, owner: User
) -> None:
    with pytest.raises(Refused, match=r"Préavis \(1\) · Standard"):
        delete_template(template, actor=owner, on=TODAY, now=NOW)

    plan.steps.update(template=None)
    delete_template(template, actor=owner, on=TODAY, now=NOW)

    assert not Template.objects.exists()
    assert Event.objects.get().kind == "template_deleted"


def test_the_starters_are_fit_to_leave(organisation: Organisation, owner: User) -> None:
    """S4-03, S4-11: every level has its words, and those before the due date speak of no delay."""
    plan = starters.begin(organisation, actor=owner, on=TODAY, now=NOW)

    for step in plan.steps.select_related("template"):
        assert step.template is not None
        assert step.template.channel == step.channel
        if step.days < 0:
            assert not templating.overdue_names(step.template.subject + step.template.body)
    assert plan.is_default


def test_the_starters_leave_what_exists(
    organisation: Organisation, plan: Plan, owner: User
) -> None:
    Plan.objects.update(name="Le nôtre", is_default=True)
    kept = Template.objects.create(organisation=organisation, name="Préavis", body="Le nôtre.")

    begun = starters.begin(organisation, actor=owner, on=TODAY, now=NOW)

    kept.refresh_from_db()
    assert kept.body == "Le nôtre."
    assert begun.steps.get(level=1).template == kept
    assert [one.name for one in Plan.objects.filter(is_default=True)] == ["Le nôtre"]


def test_settings_tell_old_and_new_of_what_changed(organisation: Organisation, owner: User) -> None:
    save_settings(
        organisation,
        changes={"name": organisation.name, "tolerance_cents": 500, "sending_on": False},
        actor=owner,
        on=TODAY,
        now=NOW,
    )

    told = {event.kind: event.data for event in Event.objects.all()}
    assert told == {
        "settings_saved": {"tolerance_cents": ["0", "500"]},
        "sending_switched": {"sending_on": [True, False]},
    }
    organisation.refresh_from_db()
    assert (organisation.tolerance_cents, organisation.sending_on) == (500, False)
