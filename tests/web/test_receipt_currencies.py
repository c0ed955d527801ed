"""What is missing in several currencies is never added up as if it were euros."""

import pytest
from django.test import Client

from relance.accounts.models import Firm, Organisation, User
from relance.engine.wording import sums_words
from relance.receipts.services.sending import send_request
from tests.conftest import NOW, TODAY
from tests.receipts.conftest import AddClient, Bring

pytestmark = pytest.mark.django_db

BOTH = "12,00\u00a0€ + 357,77\u00a0CAD"


def test_euros_come_first_and_nothing_is_no_sum() -> None:
    assert sums_words({"CAD": 35777, "EUR": 1200}) == BOTH
    assert sums_words({"USD": 100, "CAD": 200}) == "2,00\u00a0CAD + 1,00\u00a0$"
    assert sums_words({}) == "0,00\u00a0€"
    assert sums_words({"CAD": 200, "EUR": 0}) == "2,00\u00a0CAD"


def test_every_page_says_the_sum_of_each_currency(
    anne: Client,
    firm: Firm,
    dossier: Organisation,
    accountant: User,
    bring: Bring,
    add_client: AddClient,
) -> None:
    """Espace expert, the round, the window, its mail, the request made and their list."""
    rows = [bring(-35777, "HYDRO MONTRÉAL", currency="CAD"), bring(-1200)]
    expert = anne.get(f"/cabinet/{firm.pk}/").content.decode()
    assert expert.count(BOTH) == 2
    assert "data-tick-sum" not in expert
    yann = add_client()
    ask = f"/cabinet/{firm.pk}/demander/?dossier={dossier.pk}"
    made = send_request(
        organisation=dossier,
        kind="manual",
        rows=rows,
        users=[yann],
        on=TODAY,
        now=NOW,
        actor=accountant,
        seen=0,
    )
    start = f"/d/{dossier.slug}/banque/demand"
    for url in (ask, f"{start}er/", f"{start}er/apercu/", f"{start}es/", f"{start}es/{made.pk}/"):
        assert BOTH in anne.get(url).content.decode(), url


def test_euros_alone_are_added_up_where_dossiers_are_ticked(
    anne: Client, firm: Firm, bring: Bring
) -> None:
    bring(-1200)
    expert = anne.get(f"/cabinet/{firm.pk}/").content.decode()
    assert expert.count("12,00\u00a0€") == 2
    assert "data-tick-sum" in expert
