"""Every list as a workbook: reopened, it says cell by cell what the list says."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from django.http import FileResponse
from django.test import Client
from openpyxl import load_workbook
from python_calamine import CalamineWorkbook

from relance.accounts.access import open_organisation
from relance.accounts.models import Organisation, User
from relance.dunning.daily import run
from relance.dunning.models import Plan
from relance.formats import workbook
from relance.ledger.models import Customer, Import, ImportLine
from relance.web.queries import invoices
from relance.web.queries.exports import EXPORTS
from tests.conftest import NOW, TODAY, make_customer, make_invoice

BASE = "/d/ateliers-kerdoncuff/exports/"


def opened(client: Client, name: str, query: str = "") -> list[list[Any]]:
    """Header and rows of the first sheet, as openpyxl reads them."""
    sheet = load_workbook(BytesIO(content(client, name, query))).worksheets[0]
    return [[cell.value for cell in row] for row in sheet.iter_rows()]


def content(client: Client, name: str, query: str = "") -> bytes:
    answer = client.get(f"{BASE}{name}/{query}")
    assert answer.status_code == 200
    assert isinstance(answer, FileResponse)
    return b"".join(answer.streaming_content)  # type: ignore[arg-type]


@pytest.fixture
def ledger_of_two(organisation: Organisation, plan: Plan) -> Customer:
    customer = make_customer(organisation, plan, "Hôtel Beauséjour", code="HB")
    make_invoice(customer, "F-1", TODAY - timedelta(days=18), 3920_00)
    make_invoice(customer, "F-2", TODAY + timedelta(days=5), 1_234_56, disputed=True)
    make_invoice(customer, "F-3", TODAY - timedelta(days=90), 10_00, balance_cents=0)
    return customer


def test_the_dashboard_is_exported_cell_by_cell_as_it_is_listed(
    camille: Client, owner: User, organisation: Organisation, ledger_of_two: Customer
) -> None:
    header, *rows = opened(camille, "factures", "?etat=toutes&tri=numero")

    access = open_organisation(owner, organisation.slug)
    filters = invoices.Filters(state="toutes", sort="numero")
    _page, listed = invoices.rows_page(access, filters, today=TODAY, page="1")
    assert len(rows) == len(listed) == 3
    for cells, row in zip(rows, listed, strict=True):
        told = dict(zip(header, cells, strict=True))
        assert told["Client"] == row.invoice.customer.name
        assert told["N°"] == row.invoice.number
        assert told["Échéance"].date() == row.invoice.due
        assert round(told["Reste dû"] * 100) == row.left
        assert told["Retard (jours)"] == (None if row.state == "done" else max(row.days, 0))
    assert [dict(zip(header, r, strict=True))["État"] for r in rows] == [
        "En retard",
        "Litige",
        "Payée",
    ]


def test_dates_are_dates_and_amounts_are_numbers_in_euros(
    camille: Client, ledger_of_two: Customer
) -> None:
    sheet = load_workbook(BytesIO(content(camille, "factures"))).worksheets[0]
    header = [cell.value for cell in sheet[1]]
    first = dict(zip(header, sheet[2], strict=True))
    assert isinstance(first["Échéance"].value, datetime)
    assert first["Reste dû"].value == 3920
    assert "€" in first["Reste dû"].number_format
    assert sheet.freeze_panes == "A2"


def test_another_reader_sees_the_same_cells(camille: Client, ledger_of_two: Customer) -> None:
    data = content(camille, "factures", "?tri=numero")
    [name] = CalamineWorkbook.from_filelike(BytesIO(data)).sheet_names
    rows = CalamineWorkbook.from_filelike(BytesIO(data)).get_sheet_by_name(name).to_python()
    assert [row[2] for row in rows[1:]] == ["F-1", "F-2"]
    assert rows[1][4] == TODAY - timedelta(days=18)
    assert rows[1][7] == 3920


def test_the_filters_of_the_page_are_those_of_the_workbook(
    camille: Client, ledger_of_two: Customer
) -> None:
    for query, numbers in (
        ("?etat=litiges", ["F-2"]),
        ("?etat=retard", ["F-1"]),
        ("?etat=reglees", ["F-3"]),
        ("?q=F-2", ["F-2"]),
        ("?age=d1_30", ["F-1"]),
        ("?q=personne", []),
    ):
        assert [row[2] for row in opened(camille, "factures", query)[1:]] == numbers, query


def test_a_past_day_is_exported_as_it_stood(
    camille: Client, owner: User, ledger_of_two: Customer
) -> None:
    _header, *rows = opened(camille, "factures", f"?au={TODAY - timedelta(days=1)}&tri=numero")
    assert [row[2] for row in rows] == ["F-1", "F-2"]


def test_the_file_carries_the_dossier_and_the_day(camille: Client, ledger_of_two: Customer) -> None:
    answer = camille.get(f"{BASE}clients/")
    assert f"ateliers-kerdoncuff-clients-{TODAY}.xlsx" in answer["Content-Disposition"]


def test_a_formula_stays_a_text(camille: Client, organisation: Organisation, plan: Plan) -> None:
    evil = make_customer(organisation, plan, "=HYPERLINK(1)", code="+1+1", email="a@b.example")
    make_invoice(evil, "@SUM(A1)", TODAY - timedelta(days=3))
    sheet = load_workbook(BytesIO(content(camille, "factures"))).worksheets[0]
    for place, text in ((1, "=HYPERLINK(1)"), (2, "+1+1"), (3, "@SUM(A1)")):
        cell = sheet.cell(2, place)
        assert (cell.value, cell.data_type, cell.quotePrefix) == (text, "s", True)


def test_amounts_in_other_currencies_do_not_wear_the_euro(
    camille: Client, ledger_of_two: Customer
) -> None:
    make_invoice(ledger_of_two, "F-USD", TODAY, 100_00, currency="USD")
    sheet = load_workbook(BytesIO(content(camille, "factures"))).worksheets[0]
    assert "€" not in sheet.cell(2, 8).number_format
    assert {row[8].value for row in sheet.iter_rows(min_row=2)} == {"EUR", "USD"}


def test_clients_come_with_what_they_owe(camille: Client, ledger_of_two: Customer) -> None:
    header, row = opened(camille, "clients")
    told = dict(zip(header, row, strict=True))
    assert (told["Client"], told["Plan"]) == ("Hôtel Beauséjour", "Standard")
    assert (round(told["Dû"] * 100), told["En retard"]) == (3920_00 + 1234_56, 3920)


def test_every_list_has_its_workbook(
    camille: Client, organisation: Organisation, plan: Plan, ledger_of_two: Customer
) -> None:
    late = make_customer(organisation, plan, "Sans adresse", email="")
    make_invoice(late, "F-9", TODAY - timedelta(days=7))
    run.run(organisation, on=TODAY, now=NOW, spread=False, pause=0)
    imported = Import.objects.create(
        organisation=organisation, kind="invoices", filename="a.csv", sha256="0", made_at=NOW
    )
    ImportLine.objects.create(
        organisation=organisation,
        imported=imported,
        line=3,
        refused=True,
        code="bad_amount",
        message="Montant illisible",
    )
    queries = {
        "historique": f"?client={ledger_of_two.pk}",
        "lignes-refusees": f"?import={imported.pk}",
        "actions": "?vue=toutes",
    }
    found = {name: opened(camille, name, queries.get(name, "")) for name in EXPORTS}
    assert found["lignes-refusees"][1:] == [[3, "oui", "Montant illisible"]]
    assert [row[2] for row in found["plans"][1:]] == [
        "Préavis",
        "Second rappel",
        "Dernier rappel",
        "Appel",
    ]
    assert found["actions"][1][1] == "Sans adresse"
    assert found["envois"][1][2] == "Hôtel Beauséjour"
    assert all(rows[0] for rows in found.values())


def test_nobody_exports_what_is_not_his(
    client: Client, stranger: User, ledger_of_two: Customer
) -> None:
    client.force_login(stranger)
    for name in EXPORTS:
        assert client.get(f"{BASE}{name}/").status_code == 404
        answer = client.get(f"/d/ailleurs/exports/{name}/?client={ledger_of_two.pk}&import=1")
        assert answer.status_code in (200, 404)
        if answer.status_code == 200:
            assert isinstance(answer, FileResponse)
            data = b"".join(answer.streaming_content)  # type: ignore[arg-type]
            sheet = load_workbook(BytesIO(data)).worksheets[0]
            names = {cell.value for row in sheet.iter_rows(min_row=2) for cell in row}
            assert "Hôtel Beauséjour" not in names


def test_a_reader_may_export(client: Client, colleague: User, ledger_of_two: Customer) -> None:
    client.force_login(colleague)
    assert len(opened(client, "factures")) == 3


@pytest.mark.parametrize(
    ("name", "query"),
    [("inconnu", ""), ("historique", "?client=x"), ("historique", "?client=999"),
     ("lignes-refusees", ""), ("campagnes", "?campagne=99999999999999999999")],
)  # fmt: skip
def test_a_list_that_is_none_is_not_found(camille: Client, name: str, query: str) -> None:
    assert camille.get(f"{BASE}{name}/{query}").status_code == 404


def test_the_number_of_questions_does_not_grow_with_the_rows(
    camille: Client,
    ledger_of_two: Customer,
    organisation: Organisation,
    plan: Plan,
    django_assert_max_num_queries: Callable[[int], Any],
) -> None:
    for number in range(60):
        one = make_customer(organisation, plan, f"Client {number}", code=f"K{number}")
        make_invoice(one, f"K-{number}", TODAY - timedelta(days=number))
    for name in ("factures", "clients"):
        with django_assert_max_num_queries(14):
            assert len(opened(camille, name)) > 60


def test_beyond_the_limit_of_excel_rows_go_on_to_another_sheet(
    camille: Client, ledger_of_two: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbook, "MAX_ROWS", 1)
    book = load_workbook(BytesIO(content(camille, "factures", "?tri=numero")))
    assert [sheet.cell(2, 3).value for sheet in book.worksheets] == ["F-1", "F-2"]
    assert [sheet.cell(1, 1).value for sheet in book.worksheets] == ["Client", "Client"]


def test_the_day_of_the_workbook_is_the_local_one(camille: Client, ledger_of_two: Customer) -> None:
    assert date(2026, 11, 24) == TODAY
    assert str(TODAY) in camille.get(f"{BASE}plans/")["Content-Disposition"]
