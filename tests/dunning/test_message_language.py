"""A message speaks its customer's language, whatever the browser of the person who sends it."""

import pytest
from django.utils.translation import override

from relance.accounts.models import Organisation
from relance.dunning.daily import run
from relance.dunning.models import Plan
from relance.outbox.models import Message
from tests.conftest import NOW, TODAY, make_customer, make_invoice


@pytest.mark.parametrize(
    ("language", "table"),
    [
        ("fr", ("Facture", "Échéance", "Reste dû", "Total à régler")),
        ("en", ("Invoice", "Due date", "Balance", "Total to pay")),
    ],
)
@pytest.mark.parametrize("browser", ["fr", "en"])
def test_the_table_of_invoices_is_in_the_language_of_the_customer(
    organisation: Organisation, plan: Plan, browser: str, language: str, table: tuple[str, ...]
) -> None:
    customer = make_customer(organisation, plan, language=language)
    make_invoice(customer, "F-1", TODAY.replace(day=14))
    with override(browser):
        run.run(organisation, on=TODAY, now=NOW, pause=0)
    message = Message.objects.get(customer=customer)
    assert [word for word in table if word not in message.text] == []
    assert [word for word in table if word not in message.html] == []
