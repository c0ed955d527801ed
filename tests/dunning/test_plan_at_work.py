"""A plan at work: whom its levels write to, when, and what changes when it is changed."""

from datetime import timedelta
from typing import Any

from relance.accounts.models import DunningRole, Organisation, User
from relance.accounts.services import add_member
from relance.dunning.daily import run
from relance.dunning.models import Action, Entry, Outlook, Plan, Template
from relance.dunning.services import assign_plan, set_level
from relance.dunning.services.plans import StepValues, pause_plan, save_plan, save_template
from relance.history.models import Event
from relance.ledger.models import Contact, Customer, Invoice
from relance.outbox.models import Message
from tests.conftest import NOW, TODAY, make_invoice

LETTER = StepValues("Lettre", "due", 7, "letter", False, None, None)


def by_mail(plan: Plan) -> StepValues:
    """An automatic e-mail at J+7 in the words of the plan's first template."""
    template = plan.steps.filter(template__isnull=False)[0].template_id
    return LETTER._replace(
        channel="email", automatic=True, template_id=template, send_without_pdf=True
    )


def save(plan: Plan, owner: User, *steps: StepValues) -> Plan:
    return save_plan(plan, steps=steps, actor=owner, on=TODAY, now=NOW)


# --- whom a level writes to, and who lets it go -----------------------------------------


def _contact(customer: Customer, name: str, role: str, **fields: Any) -> Contact:
    return Contact.objects.create(
        organisation=customer.organisation,
        customer=customer,
        name=name,
        role=role,
        email=f"{name.lower()}@delmas.example",
        **fields,
    )


def _sent_to(organisation: Organisation) -> list[str]:
    run.run(organisation, on=TODAY, now=NOW, pause=0)
    return list(Message.objects.get().recipients)


def test_a_level_writes_first_to_the_function_it_names(
    organisation: Organisation, plan: Plan, owner: User, customer: Customer
) -> None:
    make_invoice(customer, "F1", TODAY - timedelta(days=7))
    _contact(customer, "Anne", "Acheteur", is_default=True)
    _contact(customer, "Luc", "Comptabilité")
    _contact(customer, "Zoe", "comptabilite")
    mail = by_mail(plan)
    save(plan, owner, mail._replace(functions=("Direction", "Comptabilité")))

    assert _sent_to(organisation) == ["luc@delmas.example", "zoe@delmas.example"]


def test_without_anybody_of_that_function_the_usual_ones_receive_it(
    organisation: Organisation, plan: Plan, owner: User, customer: Customer
) -> None:
    make_invoice(customer, "F1", TODAY - timedelta(days=7))
    _contact(customer, "Anne", "Acheteur", is_default=True)
    _contact(customer, "Luc", "Comptable", invalid_since=TODAY)
    mail = by_mail(plan)
    save(plan, owner, mail._replace(functions=("Comptable",)))

    assert _sent_to(organisation) == ["anne@delmas.example"]


def test_a_level_to_be_confirmed_waits_for_a_person(
    organisation: Organisation, plan: Plan, owner: User, customer: Customer
) -> None:
    """S4-13, S4-14: with it on all leaves by itself; to be confirmed, somebody says yes first."""
    make_invoice(customer, "F1", TODAY - timedelta(days=7))
    mail = by_mail(plan)
    save(plan, owner, mail._replace(to_confirm=True))
    run.run(organisation, on=TODAY, now=NOW, pause=0)

    message = Message.objects.get()
    assert (message.status, message.reason) == ("to_approve", "TO_CONFIRM")
    run.run(organisation, on=TODAY + timedelta(days=1), now=NOW, pause=0)
    assert Message.objects.count() == 1


def test_owners_of_a_level_get_its_action(
    organisation: Organisation, plan: Plan, owner: User, customer: Customer
) -> None:
    """The owners named by the level, else the manager, else all who may act; a reader never."""
    marie, reader = (
        User.objects.create_user(f"{name}@kerdoncuff.example", "motdepasse1") for name in "mr"
    )
    add_member(organisation=organisation, user=marie, dunning_role=DunningRole.ACCOUNT_MANAGER)
    add_member(organisation=organisation, user=reader, dunning_role=DunningRole.READ)
    make_invoice(customer, "F1", TODAY - timedelta(days=7))

    def owners(*ids: int) -> set[User]:
        Action.objects.all().delete()
        save(plan, owner, LETTER._replace(channel="call", owner_ids=ids))
        run.run(organisation, on=TODAY, now=NOW, pause=0)
        return set(Action.objects.get().owners.all())

    assert owners(marie.pk) == {marie}
    assert owners(reader.pk) == {owner, marie}
    customer.manager = owner
    customer.save()
    assert owners() == {owner}
    assert owners(marie.pk) == {marie}


# --- changing a plan is felt at once ----------------------------------------------------


def test_pausing_a_plan_withdraws_its_actions_at_once(
    organisation: Organisation, plan: Plan, owner: User, customer: Customer
) -> None:
    make_invoice(customer, "F1", TODAY - timedelta(days=7))
    save(plan, owner, LETTER._replace(channel="call"))
    run.run(organisation, on=TODAY, now=NOW, pause=0)
    assert Action.objects.get().status == "open"

    pause_plan(plan, paused=True, actor=owner, on=TODAY, now=NOW)

    action = Action.objects.get()
    assert (action.status, action.withdrawn_reason) == ("withdrawn", "PLAN_PAUSED")
    assert Outlook.objects.get().code == "PLAN_PAUSED"
    pause_plan(plan, paused=True, actor=owner, on=TODAY, now=NOW)
    assert Event.objects.filter(kind="plan_paused").count() == 1

    pause_plan(plan, paused=False, actor=owner, on=TODAY, now=NOW)
    assert Outlook.objects.get().code == "PENDING_MANUAL"


def test_a_level_moved_later_takes_back_its_action(
    organisation: Organisation, plan: Plan, owner: User, customer: Customer
) -> None:
    make_invoice(customer, "F1", TODAY - timedelta(days=7))
    save(plan, owner, LETTER)
    run.run(organisation, on=TODAY, now=NOW, pause=0)

    save(plan, owner, LETTER._replace(days=20))

    assert Action.objects.get().status == "withdrawn"


# --- rows of the checklist --------------------------------------------------------------


def test_an_empty_plan_or_none_sends_nothing_and_says_so(
    organisation: Organisation, plan: Plan, owner: User, customer: Customer
) -> None:
    """S3-05, S2-10: a plan does nothing until a customer follows it."""
    make_invoice(customer, "F1", TODAY - timedelta(days=7))
    assign_plan(organisation, customers=[customer], plan=None, actor=owner, on=TODAY, now=NOW)
    run.run(organisation, on=TODAY, now=NOW, pause=0)
    assert (Message.objects.count(), Outlook.objects.get().code) == (0, "NO_PLAN")

    save(plan, owner)
    assign_plan(organisation, customers=[customer], plan=plan, actor=owner, on=TODAY, now=NOW)
    run.run(organisation, on=TODAY, now=NOW, pause=0)
    assert (Message.objects.count(), Outlook.objects.get().code) == (0, "EMPTY_PLAN")


def test_once_followed_a_plan_chases_all_that_fits_and_nothing_else(
    organisation: Organisation, plan: Plan, owner: User, customer: Customer
) -> None:
    """S2-09, S2-11, S4-14: everything overdue of the customer, without anybody's doing."""
    make_invoice(customer, "F1", TODAY - timedelta(days=12))
    make_invoice(customer, "F2", TODAY - timedelta(days=8))
    make_invoice(customer, "F3", TODAY + timedelta(days=20))
    make_invoice(customer, "F4", TODAY - timedelta(days=9), plan_on=False)

    run.run(organisation, on=TODAY, now=NOW, pause=0)

    message = Message.objects.get()
    told = message.lines.values_list("invoice__number", flat=True)
    assert (sorted(told), message.automatic) == (["F1", "F2"], True)


def test_an_invoice_belongs_to_a_level_from_its_day_on(
    organisation: Organisation, plan: Plan, owner: User, customer: Customer
) -> None:
    """S4-08, S4-09, S4-10: seven days after the due date, and three days before it."""
    mail = by_mail(plan)
    save(plan, owner, mail._replace(name="Préavis", days=-3), mail)
    invoice = make_invoice(customer, "F1", TODAY + timedelta(days=3))

    run.run(organisation, on=TODAY, now=NOW, pause=0)
    assert Message.objects.get().level_name == "Préavis"

    Message.objects.all().delete()
    for days, left in ((6, 0), (7, 1)):
        invoice.due = TODAY - timedelta(days=days)
        invoice.save()
        run.run(organisation, on=TODAY, now=NOW, pause=0)
        assert Message.objects.count() == left


def test_nobody_is_contacted_twice_within_the_delay(
    organisation: Organisation, plan: Plan, owner: User, customer: Customer
) -> None:
    """S3-20, S3-21, S3-22, S3-23, S3-24: 5 days by default; second at +7, third at +12, not +10."""
    assert Plan(organisation=organisation, name="Neuf").min_contact_days == 5
    organisation.zone = "none"
    organisation.save()
    mail = by_mail(plan)
    save(plan, owner, mail, mail._replace(name="Troisième", days=10))
    make_invoice(customer, "F1", TODAY - timedelta(days=7))

    left = []
    for n in range(8):
        day = TODAY + timedelta(days=n)
        run.run(organisation, on=day, now=NOW + timedelta(days=n), pause=0)
        left += [7 + n] * Message.objects.filter(on=day).count()

    assert left == [7, 12]


def test_the_words_of_a_level_are_those_of_its_template(
    organisation: Organisation, plan: Plan, owner: User, customer: Customer
) -> None:
    """S4-03, S4-07, S4-11, S4-12: several levels, each with its template; none without one."""
    own = save_template(
        Template(organisation=organisation, name="Ferme", subject="Ferme {{ montant }}", body="X"),
        actor=owner,
        on=TODAY,
        now=NOW,
    )
    mail = by_mail(plan)._replace(template_id=None)
    save(plan, owner, mail._replace(template_id=own.pk), mail._replace(name="Sans", days=20))
    make_invoice(customer, "F1", TODAY - timedelta(days=7))
    run.run(organisation, on=TODAY, now=NOW, pause=0)
    assert Message.objects.get().subject.startswith("Ferme 100,00")

    Entry.objects.all().delete()
    Message.objects.all().delete()
    set_level(customer, level=1, actor=owner, on=TODAY, now=NOW)
    Invoice.objects.update(due=TODAY - timedelta(days=20))
    run.run(organisation, on=TODAY, now=NOW, pause=0)
    assert (Message.objects.count(), Action.objects.get().reason) == (0, "NO_TEMPLATE")
