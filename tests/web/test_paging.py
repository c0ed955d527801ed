"""Pages of long lists: counted to a limit, in the same order as short ones."""

from datetime import timedelta

import pytest
from django.test import Client

from relance.accounts.models import Organisation
from relance.dunning.models import Plan
from relance.web.queries import invoices, paging
from tests.conftest import TODAY, make_customer, make_invoice

BOARD = "/d/ateliers-kerdoncuff/tableau-de-bord/"


@pytest.mark.parametrize("turned", ["", "-"])
def test_a_long_list_by_client_has_the_order_of_a_short_one(
    camille: Client,
    organisation: Organisation,
    plan: Plan,
    monkeypatch: pytest.MonkeyPatch,
    turned: str,
) -> None:
    """Beyond what is counted, the clients are walked some at a time."""
    for name in ("Émile", "Abel", "Zoé", "Abelard"):
        one = make_customer(organisation, plan, name, code=name[:2] + str(len(name)))
        for days in (3, 40, 5):
            make_invoice(one, f"{name}-{days}", TODAY - timedelta(days=days))

    def listed() -> list[str]:
        rows = camille.get(f"{BOARD}?tri={turned}client").context["rows"]
        return [row.invoice.number for row in rows]

    short = listed()
    monkeypatch.setattr(paging, "MOST", 6)
    monkeypatch.setattr(invoices, "FEW", 2)
    assert len(short) == 12
    assert listed()[:6] == short[:6]
    text = camille.get(f"{BOARD}?tri={turned}client").content.decode()
    assert "sur plus de 6" in text
