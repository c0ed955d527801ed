"""An invoice without PDF: its automatic message is kept back, or leaves all the same (D-15)."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.files.base import ContentFile

from relance.accounts.models import Organisation, User
from relance.dunning.daily import run
from relance.dunning.models import Entry, Plan, Step
from relance.dunning.plans import starters
from relance.dunning.services.plans import StepValues, save_plan
from relance.ledger.models import Customer, Invoice
from relance.outbox import services as outbox
from relance.outbox.models import Message, Status
from tests.conftest import NOW, TODAY, make_invoice

Save = Callable[..., None]


@pytest.fixture
def save(organisation: Organisation, plan: Plan, owner: User) -> Save:
    def save(**more: object) -> None:
        template = Step.objects.filter(plan=plan, channel="email").values_list(
            "template", flat=True
        )
        mail = StepValues("Rappel", "due", 7, "email", True, None, template[0])
        save_plan(plan, steps=[mail._replace(**more)], actor=owner, on=TODAY, now=NOW)

    return save


@pytest.fixture
def late(customer: Customer) -> Invoice:
    return make_invoice(customer, "F1", TODAY - timedelta(days=7))


def attach(invoice: Invoice) -> None:
    invoice.document.save(f"{invoice.number}.pdf", ContentFile(b"%PDF-1.4"))


def the_pass(organisation: Organisation, days: int = 0) -> Message:
    """The message after the pass of that day; there is only ever one."""
    on = TODAY + timedelta(days=days)
    run.run(organisation, on=on, now=NOW + timedelta(days=days), pause=0)
    return Message.objects.get()


def test_a_level_holds_the_message_with_its_reason_unless_it_says_otherwise(
    organisation: Organisation, save: Save, late: Invoice
) -> None:
    """D-15: holding is what a plan does by default."""
    save()

    message = the_pass(organisation)

    assert (message.status, message.reason) == (Status.TO_APPROVE, "MISSING_PDF")
    assert not Entry.objects.exists()
    outbox.release(message=message, now=NOW)
    message.refresh_from_db()
    assert message.status == Status.QUEUED


def test_a_level_that_sends_without_pdf_does(
    organisation: Organisation, save: Save, late: Invoice
) -> None:
    """D-15."""
    save(send_without_pdf=True)

    assert the_pass(organisation).status == Status.QUEUED


def test_an_invoice_with_its_pdf_is_not_held(
    organisation: Organisation, save: Save, late: Invoice
) -> None:
    attach(late)
    save()

    assert the_pass(organisation).status == Status.QUEUED


def test_one_invoice_without_pdf_holds_the_message_about_several(
    organisation: Organisation, save: Save, late: Invoice, customer: Customer
) -> None:
    attach(late)
    make_invoice(customer, "F2", TODAY - timedelta(days=5))
    save()

    assert the_pass(organisation).reason == "MISSING_PDF"


def test_the_next_pass_lets_go_what_was_only_waiting_for_the_pdf(
    organisation: Organisation, save: Save, late: Invoice
) -> None:
    save()
    assert the_pass(organisation).status == Status.TO_APPROVE
    assert the_pass(organisation, days=1).status == Status.TO_APPROVE

    attach(late)
    message = the_pass(organisation, days=2)

    assert (message.status, message.reason) == (Status.QUEUED, "")


def test_a_level_to_be_confirmed_goes_on_waiting_for_the_person(
    organisation: Organisation, save: Save, late: Invoice
) -> None:
    save(to_confirm=True)
    assert the_pass(organisation).reason == "MISSING_PDF"

    attach(late)
    message = the_pass(organisation, days=1)

    assert (message.status, message.reason) == (Status.TO_APPROVE, "TO_CONFIRM")


def test_the_first_plan_of_an_organisation_holds_too(
    organisation: Organisation, owner: User
) -> None:
    first = starters.begin(organisation, actor=owner, on=TODAY, now=NOW)

    assert not first.steps.filter(send_without_pdf=True).exists()
