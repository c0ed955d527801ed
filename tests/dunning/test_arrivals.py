"""An imported file reaches the chase: a plan for new customers, a new look at those touched."""

import io
from datetime import date, timedelta

from django.core.files.base import File

from relance.accounts.models import Organisation, User
from relance.dunning.daily import refreshing, run
from relance.dunning.models import Assignment, Outlook, Plan
from relance.dunning.plans import arrivals
from relance.ledger import imports
from relance.ledger import services as ledger
from relance.ledger.models import Customer, Import
from relance.outbox.models import Message
from tests.conftest import NOW, TODAY, make_customer, make_invoice


def imported(organisation: Organisation, owner: User, text: str) -> Import:
    upload = imports.store_upload(
        organisation=organisation,
        content=File(io.BytesIO(text.encode()), name="ventes.csv"),
        filename="ventes.csv",
        now=NOW,
        actor=owner,
    )
    settings = imports.settings_of(upload.options, TODAY)
    proposed = imports.propose_mapping(upload, imports.table_of(upload, settings), TODAY)
    imports.choose_mapping(
        imported=upload, columns=dict(proposed.columns), settings=proposed.settings
    )
    return arrivals.run_import(upload.pk, NOW)


def line(number: str, client: str, due: date, total: str, left: str) -> str:
    issued = due - timedelta(days=30)
    return f"{number};{client};{issued:%d/%m/%Y};{due:%d/%m/%Y};{total};{left}"


HEAD = "N° facture;Client;Date;Échéance;Total TTC;Reste dû"


def test_new_customers_follow_the_default_plan(
    organisation: Organisation, owner: User, plan: Plan
) -> None:
    plan.is_default = True
    plan.save()
    due = TODAY - timedelta(days=7)
    imported(organisation, owner, "\n".join([HEAD, line("F-1", "Delmas", due, "120,00", "120,00")]))
    customer = Customer.objects.get()
    assert Assignment.objects.get(customer=customer).given_by == "import"
    assert Outlook.objects.get(customer=customer).next_on is not None


def test_without_a_default_plan_nobody_is_chased(
    organisation: Organisation, owner: User, plan: Plan
) -> None:
    due = TODAY - timedelta(days=7)
    imported(organisation, owner, "\n".join([HEAD, line("F-1", "Delmas", due, "120,00", "120,00")]))
    assert not Assignment.objects.exists()
    assert Outlook.objects.get().code == "NO_PLAN"


def test_a_payment_in_the_file_changes_what_is_next_at_once(
    organisation: Organisation, owner: User, plan: Plan
) -> None:
    """Complaint of beyond.md C: one who has paid is not chased the next morning."""
    due = TODAY - timedelta(days=3)
    customer = make_customer(organisation, plan, "Delmas", code="DELMAS")
    make_invoice(customer, "F-1", due, 120_00)
    refreshing.refresh(organisation, [customer.pk], on=TODAY, now=NOW)
    assert Outlook.objects.get(customer=customer).next_level == 2
    head = f"{HEAD};Code client"
    imported(
        organisation,
        owner,
        "\n".join([head, line("F-1", "Delmas", due, "120,00", "0,00") + ";DELMAS"]),
    )
    assert Outlook.objects.get(customer=customer).code == "NO_OPEN_INVOICE"


def test_a_contact_in_the_file_makes_the_customer_reachable_at_once(
    organisation: Organisation, owner: User, plan: Plan
) -> None:
    """S3-14: nobody is told that an address is missing once a file has brought one."""
    known = {"email": "vieux@delmas.example", "email_invalid_since": TODAY}
    customer = make_customer(organisation, plan, "Delmas", code="DELMAS", **known)
    make_invoice(customer, "F-1", TODAY - timedelta(days=7))
    refreshing.refresh(organisation, [customer.pk], on=TODAY, now=NOW)
    assert Outlook.objects.get(customer=customer).code == "NO_RECIPIENT"
    people = ["Code client;Nom;E-mail", "DELMAS;Delmas;vieux@delmas.example"]
    imported(organisation, owner, "\n".join([*people, "DELMAS;Delmas;anne@delmas.example"]))
    assert Outlook.objects.get(customer=customer).code != "NO_RECIPIENT"


def test_what_waits_goes_to_the_address_that_the_file_brought(
    organisation: Organisation, owner: User, plan: Plan
) -> None:
    customer = make_customer(organisation, plan, "Delmas", code="DELMAS")
    make_invoice(customer, "F-1", TODAY - timedelta(days=7))
    run.run(organisation, on=TODAY, now=NOW, pause=0)
    imported(organisation, owner, "Code client;Nom;E-mail\nDELMAS;Delmas;nouvelle@delmas.example")
    assert Message.objects.get().recipients == ["nouvelle@delmas.example"]


def test_a_credit_applied_here_is_not_undone_by_a_file_that_ignores_it(
    organisation: Organisation, owner: User, plan: Plan
) -> None:
    """S3-06: what was applied in the product is a floor of what counts as paid."""
    due = TODAY - timedelta(days=3)
    customer = make_customer(organisation, plan, "Delmas", code="DELMAS")
    invoice = make_invoice(customer, "F-1", due, 100_00)
    when = {"on": TODAY, "now": NOW, "actor": owner}
    credit = ledger.add_credit(customer=customer, number="A-1", total_cents=40_00, **when)
    ledger.apply_credit(credit=credit, invoice=invoice, amount_cents=40_00, **when)
    head = f"{HEAD};Code client"
    for left, balance in (("100,00", 60_00), ("60,00", 60_00), ("30,00", 30_00)):
        row = line("F-1", "Delmas", due, "100,00", left) + ";DELMAS"
        imported(organisation, owner, "\n".join([head, row]))
        invoice.refresh_from_db()
        assert invoice.balance_cents == balance
