"""The clients of Relances clients, for its pages and its journey."""

from datetime import date, timedelta

from relance.accounts.models import Organisation
from relance.dunning.models import Entry, InvoiceChase, Plan
from relance.ledger.models import Invoice
from tests.conftest import TODAY, make_customer, make_invoice

URL = "/d/ateliers-kerdoncuff/relances-clients/"
SECOND = "2:Second rappel"


def chased(invoice: Invoice, plan: Plan, level: int, name: str, days_ago: int = 20) -> Invoice:
    day = TODAY - timedelta(days=days_ago)
    Entry.objects.create(
        organisation=invoice.organisation,
        customer=invoice.customer,
        on=day,
        kind="sent",
        plan=plan,
        reference=invoice,
        level=level,
    )
    InvoiceChase.objects.create(
        organisation=invoice.organisation,
        invoice=invoice,
        level=level,
        level_name=name,
        last_on=day,
    )
    return invoice


def book_of(organisation: Organisation, plan: Plan) -> dict[str, Invoice]:
    """The clients of the picture: direct debits and transfers, chased once or never."""
    roux = make_customer(organisation, plan, "Garage Le Roux")
    bakery = make_customer(organisation, plan, "Boulangerie Guéguen", code="BOULANG")
    farm = make_customer(organisation, plan, "Ferme de Kerloc’h", code="FERME", email="")
    hotel = make_customer(organisation, plan, "Hôtel Beauséjour", code="HOTEL")
    printer = make_customer(organisation, plan, "Imprimerie Duvernay", code="IMPRIM")
    debit = {"mode": "direct_debit"}

    def due(days: int) -> date:
        return TODAY - timedelta(days=days)

    return {
        "852": chased(make_invoice(roux, "F-852", due(22), 948_72, **debit), plan, 1, "Préavis"),
        "873": make_invoice(roux, "F-873", due(11), 784_80, **debit),
        "883": chased(make_invoice(bakery, "F-883", due(7), 612_35, **debit), plan, 1, "Préavis"),
        "866": chased(make_invoice(farm, "F-866", due(15), 1900_00, **debit), plan, 1, "Préavis"),
        "862": chased(
            make_invoice(hotel, "F-862", due(18), 3920_00, mode="transfer"),
            plan,
            2,
            "Second rappel",
        ),
        "871": chased(
            make_invoice(printer, "F-871", due(11), 3212_00, mode="transfer"), plan, 1, "Préavis"
        ),
        "855": make_invoice(printer, "F-855", due(25), 2280_00, mode="transfer", disputed=True),
        "900": make_invoice(hotel, "F-900", TODAY + timedelta(days=9), 50_00),
    }
